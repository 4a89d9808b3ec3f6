#include <config.h>

#include "helpdesk/email.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "helpdesk/scope.h"

/* Blanks and invisible letters beyond ASCII that come along when an address is pasted, and U+FFFD, which stands where
 * somebody before us could not read a letter. */
static bool email_is_no_letter(const unsigned char *s)
{
	if (s[0] == 0xc2)
		return s[1] <= 0xa0 || s[1] == 0xad; /* C1 controls, no-break space, soft hyphen */
	if (s[0] == 0xe2 && s[1] == 0x80)
		return s[2] <= 0x8f || (s[2] >= 0xa8 && s[2] <= 0xaf);
	if (s[0] == 0xe2 && s[1] == 0x81)
		return s[2] >= 0x9f && s[2] <= 0xaf;
	if (s[0] == 0xef)
		return (s[1] == 0xbb && s[2] == 0xbf) || (s[1] == 0xbf && s[2] == 0xbd);
	return s[0] == 0xe3 && s[1] == 0x80 && s[2] == 0x80;
}

/* No blank, control, quote, or anything that separates or encloses addresses. */
static bool email_letters_are_good(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == 0x7f || strchr("\"<>()[],;:\\", *s))
			return false;
		if (c >= 0x80 && email_is_no_letter((const unsigned char *)s))
			return false;
	}
	return true;
}

static bool domain_is_good(const char *domain)
{
	size_t dots = 0, label = 0;

	for (const char *s = domain; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;

		if (c == '.') {
			if (label == 0 || s[-1] == '-')
				return false;
			dots++;
			label = 0;
			continue;
		}
		if (!letter && (c != '-' || label == 0))
			return false;
		if (++label > 63)
			return false;
	}
	return dots > 0 && label > 0 && domain[strlen(domain) - 1] != '-';
}

/* The address in "Name <address>"; s itself where there are no angle brackets. In place; NULL where they do not pair,
 * and for several: none of them is the customer's more than the others. */
static char *email_unwrap(char *s)
{
	char *open = strrchr(s, '<'), *end;

	if (!open)
		return s;
	end = s + strlen(s) - 1;
	if (end < open || strchr(s, '>') != end)
		return NULL;
	*end = '\0';
	return text_trim(open + 1);
}

/* Behind "http://" or "https://"; NULL where s is no such URL. */
static char *url_rest(char *s)
{
	if (strncasecmp(s, "https://", 8) == 0)
		return s + 8;
	return strncasecmp(s, "http://", 7) == 0 ? s + 7 : NULL;
}

/*
 * "https://desk.example/customers/jo%40example.com": some desks name a customer so. In place; NULL where the path has
 * no last part that can be read.
 */
static char *email_of_url(char *rest)
{
	CLEANUP(mem_freep) char *text = NULL;
	char *last;

	rest[strcspn(rest, "?#")] = '\0';
	last = strrchr(rest, '/');
	if (!last || scope_unescape(last + 1, strlen(last + 1), false, &text) < 0)
		return NULL;
	memcpy(rest, text, strlen(text) + 1);
	return rest;
}

int email_normalise(const char *raw, char *out)
{
	char copy[1024], *s, *at, *url;

	/* A display name may stand before the address, so more than EMAIL_MAX is read; but not without end. */
	if (!raw || strlen(raw) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, raw, strlen(raw) + 1);
	s = text_trim(copy);
	url = url_rest(s);
	s = url ? email_of_url(url) : email_unwrap(s);
	if (!s || strlen(s) > EMAIL_MAX || !text_is_utf8(s, strlen(s)) || !email_letters_are_good(s))
		return -EINVAL;
	text_lower(s);
	at = strchr(s, '@');
	if (!at || at == s || strchr(at + 1, '@') || !domain_is_good(at + 1))
		return -EINVAL;
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

bool email_pattern_matches(const char *pattern, const char *email)
{
	const char *pattern_at = strchr(pattern, '@'), *email_at = strchr(email, '@');
	size_t local;

	if (!email_at)
		return false;
	if (!pattern_at)
		return text_same(pattern, email_at + 1);
	if (strcmp(pattern_at, "@*") != 0)
		return text_same(pattern, email);
	local = (size_t)(pattern_at - pattern);
	return local == (size_t)(email_at - email) && strncasecmp(pattern, email, local) == 0;
}

int email_pattern_check(const char *pattern)
{
	char address[EMAIL_MAX + 3], out[EMAIL_MAX + 1];
	const char *at = strchr(pattern, '@');
	size_t len = strlen(pattern);

	if (len == 0 || len >= EMAIL_MAX)
		return -EINVAL;
	memcpy(address, pattern, len + 1);
	if (!at) { /* a domain */
		memcpy(address, "a@", 2);
		memcpy(address + 2, pattern, len + 1);
	} else if (strcmp(at, "@*") == 0) {
		memcpy(address + (at - pattern), "@a.b", 5);
	}
	if (strchr(address, '*') || email_normalise(address, out) < 0)
		return -EINVAL;
	/* email_normalise forgives blanks and brackets, comparison does not. */
	return text_same(address, out) ? 0 : -EINVAL;
}

bool addresses_add(struct addresses *a, const char *raw, bool primary)
{
	char email[EMAIL_MAX + 1];

	if (email_normalise(raw, email) < 0)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i].email, email) != 0)
			continue;
		a->items[i].primary = a->items[i].primary || primary;
		return true;
	}
	if (a->n == ADDRESSES_MAX)
		return false;
	a->items = mem_grow(a->items, a->n + 1, sizeof(*a->items));
	a->items[a->n++] = (struct address){.email = mem_str(email), .primary = primary};
	return true;
}

void addresses_copy(struct addresses *to, const struct addresses *from)
{
	*to = (struct addresses){0};
	for (size_t i = 0; i < from->n; i++)
		(void)addresses_add(to, from->items[i].email, from->items[i].primary);
}

void addresses_done(struct addresses *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->items[i].email);
	free(a->items);
	*a = (struct addresses){0};
}

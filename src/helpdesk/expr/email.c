/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/email.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mask.h"
#include "base/percent.h"
#include "base/text.h"
#include "base/url.h"

#define REFUSED_DOMAIN_LETTERS TEXT_ALNUM "-."

/* True for blanks and invisible characters beyond ASCII, which come along when an address is pasted, and for U+FFFD,
 * which replaces an unreadable letter. */
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

/* True without a blank, control or quote, and without characters that separate or enclose addresses. */
static bool email_letters_are_good(const char *s)
{
	if (s[strcspn(s, "\"<>()[],;:\\")] != '\0')
		return false;
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == 0x7f)
			return false;
		if (c >= 0x80 && email_is_no_letter((const unsigned char *)s))
			return false;
	}
	return true;
}

static bool domain_is_good(const char *domain)
{
	size_t dots = 0;
	size_t label = 0;

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

/* Returns the address in "Name <address>", in place; s itself without angle brackets; NULL where they do not pair, and
 * for several: none of them is more likely than the others. */
static char *email_unwrap(char *s)
{
	char *open = strrchr(s, '<');
	char *end;

	if (!open)
		return s;
	end = s + strlen(s) - 1;
	if (end < open || strchr(s, '>') != end)
		return NULL;
	*end = '\0';
	return text_trim_unseen(open + 1);
}

size_t email_mailto(const char *text)
{
	return strncasecmp(text, "mailto:", 7) == 0 ? 7 : 0;
}

/* Decodes the part of a URL in place; NULL where it cannot be decoded. */
static char *email_decode(char *part)
{
	CLEANUP(mem_freep) char *text = NULL;

	if (percent_read(part, strlen(part), false, &text) < 0)
		return NULL;
	memcpy(part, text, strlen(text) + 1);
	return text_trim_unseen(part);
}

/* Checks an address that stands alone. Lower-cases it in place and strips a dot at the end of its domain. */
static enum email_fault email_judge(char **address)
{
	char *s = *address;
	char *at = strchr(s, '@');
	size_t len = strlen(s);

	if (!at)
		return EMAIL_NO_AT;
	if (s[len - 1] == '.') {
		s[len - 1] = '\0';
		len = strlen(s = text_trim_unseen(s));
	}
	if (!text_is_utf8(s, len) || !email_letters_are_good(s))
		return EMAIL_BAD_CHARACTER;
	if (len > EMAIL_MAX)
		return EMAIL_TOO_LONG;
	at = strchr(s, '@');
	if (at == s)
		return EMAIL_NO_LOCAL;
	if (strchr(at + 1, '@'))
		return EMAIL_SEVERAL_AT;
	if (!strchr(at + 1, '.'))
		return EMAIL_NO_DOMAIN_DOT;
	text_lower(s);
	*address = s;
	return domain_is_good(at + 1) ? EMAIL_GOOD : EMAIL_BAD_DOMAIN;
}

enum email_fault email_read(const char *raw, size_t len, bool encoded, char *out)
{
	CLEANUP(mem_freep) char *own = NULL;
	char room[EMAIL_ROOM];
	char *s = text_trim_unseen(mem_dup_in(raw, strnlen(raw, len), room, sizeof(room), &own));
	bool at = strchr(s, '@') != NULL;
	enum email_fault fault;
	size_t scheme;

	if (*s == '\0')
		return EMAIL_ABSENT;
	if (strlen(s) > EMAIL_TEXT_MAX)
		return at ? EMAIL_TOO_LONG : EMAIL_NO_AT;
	scheme = url_scheme(s);
	if (encoded) {
		s = email_decode(s + email_mailto(s));
		if (!s)
			return EMAIL_BAD_URL;
		s = email_unwrap(s);
		if (!s)
			return EMAIL_BAD_BRACKETS;
	} else if (scheme > 0) {
		/* "https://desk.example/customers/jo%40example.com": some desks identify a customer like this. */
		s += scheme;
		s[strcspn(s, "?#")] = '\0';
		s = strrchr(s, '/');
		s = s ? email_decode(s + 1) : NULL;
	} else {
		s = email_unwrap(s);
		if (!s)
			return at ? EMAIL_BAD_BRACKETS : EMAIL_NO_AT;
		scheme = email_mailto(s);
		if (scheme > 0) {
			s += scheme;
			s[strcspn(s, "?#")] = '\0';
			s = email_decode(s);
		}
	}
	if (!s)
		return EMAIL_BAD_URL;
	fault = email_judge(&s);
	if (fault == EMAIL_GOOD)
		memcpy(out, s, strlen(s) + 1);
	return fault;
}

bool email_read_plain(const char *text, char *out)
{
	size_t at = 0;
	size_t len;

	for (len = 0; text[len] != '\0'; len++) {
		char c = text[len];

		if (len == EMAIL_MAX)
			return false;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '@' && at == 0 && len > 0)
			at = len;
		else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '+' &&
			 c != '-')
			return false;
		out[len] = c;
	}
	out[len] = '\0';
	return at > 0 && domain_is_good(out + at + 1);
}

int email_normalise(const char *raw, char *out)
{
	return raw && email_read(raw, strlen(raw), false, out) == EMAIL_GOOD ? 0 : -EINVAL;
}

const char *email_fault_name(enum email_fault f)
{
	static const char *const names[EMAIL_FAULTS_] = {
		[EMAIL_GOOD] = "good",
		[EMAIL_ABSENT] = "absent",
		[EMAIL_NO_AT] = "no at sign",
		[EMAIL_NO_LOCAL] = "nothing before the at sign",
		[EMAIL_NO_DOMAIN_DOT] = "no domain dot",
		[EMAIL_BAD_DOMAIN] = "bad domain",
		[EMAIL_SEVERAL_AT] = "several at signs",
		[EMAIL_BAD_CHARACTER] = "bad character",
		[EMAIL_TOO_LONG] = "too long",
		[EMAIL_BAD_BRACKETS] = "bad brackets",
		[EMAIL_BAD_URL] = "bad URL",
	};

	return names[f];
}

const char *email_refused(const char *raw, size_t len, char *out)
{
	CLEANUP(mem_freep) char *copy = mem_strn(raw, len);
	const char *text = text_trim_unseen(copy);
	const char *last = strrchr(text, '@');
	char *at;

	/* Without a local part the text behind the @ is the name of a person in a chat. */
	if (last && (last == text || strchr(" \t<(", last[-1])))
		text = NULL;
	(void)mask_email(text, out);
	at = strchr(out, '@');
	if (at)
		at[1 + strspn(at + 1, REFUSED_DOMAIN_LETTERS)] = '\0';
	return out;
}

/* ---- patterns ---------------------------------------------------------------------------------------------------- */

bool email_pattern_matches(const char *pattern, const char *email)
{
	const char *pattern_at = strchr(pattern, '@');
	const char *email_at = strchr(email, '@');
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
	const char *at = strchr(pattern, '@');
	size_t len = strlen(pattern);
	char address[EMAIL_MAX + 3], out[EMAIL_MAX + 1];

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
	/* email_normalise strips blanks and brackets; the comparison does not. */
	return text_same(address, out) ? 0 : -EINVAL;
}

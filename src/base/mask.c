/* SPDX-License-Identifier: MIT */
/*
 * Masks addresses in text from outside. Masking too much is better than too little: everything in the place of a local
 * part before an @ is hidden, whether it is an address or not.
 */
#include <config.h>

#include "base/mask.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/unwrap.h"

#define QUOTED_MAX 128 /* bytes of a quoted local part that are searched backwards */
#define TAG_MAX 32     /* bytes of a comment or tag inside a local part */
#define BLANKS_MAX 2   /* between the @ and the text on either side */

/* Quotes and backslashes count as part of it, because they may split a local part; find_address() takes off those at
 * its start. */
static bool in_local_part(char c)
{
	return (unsigned char)c > ' ' && !strchr("<>()[],;:@", c);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool in_domain(char c)
{
	return (c >= '0' && c <= '9') || is_letter(c) || c == '-' || c == '.';
}

/* Returns the bytes of the @ at i, which may be full-width (U+FF20) or small (U+FE6B); 0: no @. */
static size_t at_sign(const struct unwrapped *r, size_t i)
{
	if (r->text[i] == '@')
		return 1;
	if (r->len - i >= 3 &&
	    (memcmp(r->text + i, "\xef\xbc\xa0", 3) == 0 || memcmp(r->text + i, "\xef\xb9\xab", 3) == 0))
		return 3;
	return 0;
}

/* True for a text like "example.com": with a dot, and a letter after it. */
static bool is_like_domain(const struct unwrapped *r, size_t i)
{
	size_t dot = 0;
	size_t end = i;

	while (end < r->len && in_domain(r->text[end])) {
		if (r->text[end] == '.' && end > i && end + 1 < r->len && is_letter(r->text[end + 1]))
			dot = end;
		end++;
	}
	return dot > i;
}

/* Returns the start of the quoted text or tag that ends before i and has at most max bytes; i: there is none. */
static size_t bracket_start(const struct unwrapped *r, size_t low, size_t i, size_t max)
{
	static const char ends[] = "\"')>";
	static const char begins[] = "\"'(<";
	const char *end = i > low && r->text[i - 1] != '\0' ? strchr(ends, r->text[i - 1]) : NULL;

	if (!end)
		return i;
	for (size_t at = i - 1; at > low && i - at < max; at--)
		if (r->text[at - 1] == begins[end - ends])
			return at - 1;
	return i;
}

/* Returns the start of the local part that ends before i. */
static size_t local_start(const struct unwrapped *r, size_t low, size_t i)
{
	size_t start = bracket_start(r, low, i, QUOTED_MAX);

	for (;;) {
		size_t before;

		while (start > low && in_local_part(r->text[start - 1]))
			start--;
		before =
			start > low && strchr(">)", r->text[start - 1]) ? bracket_start(r, low, start, TAG_MAX) : start;
		if (before == start)
			return start;
		start = before;
	}
}

/* Returns the end of the folders of a path or URL, which are not part of a local part: the local part begins after
 * their last slash, and a query is not searched. Only a text that begins with a slash is a path, as after "https:";
 * elsewhere a slash may be a letter of an address. Encoded letters are not kept, because masking the result again would
 * decode them. */
static size_t behind_folders(const struct unwrapped *r, size_t start, size_t end)
{
	size_t behind = start;

	if (start == end || r->text[start] != '/')
		return start;
	for (size_t i = start; i < end && !memchr("?=&", r->text[i], 3); i++) {
		if (r->from && r->to[i] - r->from[i] != 1) /* encoded */
			break;
		if (r->text[i] == '/')
			behind = i + 1;
	}
	return behind;
}

/* Returns the end of the local part, and in *ret_domain the start of the domain. They skip blanks around the @ only
 * where the text after them looks like a domain. */
static size_t local_end(const struct unwrapped *r, size_t low, size_t at, size_t at_len, size_t *ret_domain)
{
	size_t end = at;
	size_t domain = at + at_len;

	while (end > low && at - end < BLANKS_MAX && text_is_blank(r->text[end - 1]))
		end--;
	while (domain < r->len && domain - at - at_len < BLANKS_MAX && text_is_blank(r->text[domain]))
		domain++;
	if (is_like_domain(r, domain)) {
		*ret_domain = domain;
		return end;
	}
	*ret_domain = at + at_len;
	return at;
}

/* Adds "j***", or "***" without a first letter to show; a non-ASCII letter as it was written. A masked text stays the
 * same. */
static void add_local(struct buf *to, const struct unwrapped *r, const char *source, size_t from, size_t end)
{
	size_t first = from < end ? text_step(r->text + from, end - from) : 0;

	if (first == 1 && r->text[from] != '*')
		buf_addc(to, r->text[from]);
	else if (first > 1 && r->from)
		buf_add(to, source + r->from[from], r->to[from + first - 1] - r->from[from]);
	else if (first > 1)
		buf_add(to, source + from, first);
	buf_adds(to, "***");
}

static bool find_address(const void *ctx, const struct unwrapped *r, const char *source, size_t at,
			 struct unwrapped_span *ret, struct buf *replacement)
{
	(void)ctx;
	for (size_t i = at; i < r->len; i++) {
		size_t n = at_sign(r, i);
		size_t domain, start, end;

		if (n == 0 || (r->guessed && (r->to[i] - r->from[i] < 3 || !is_like_domain(r, i + n))))
			continue;
		end = local_end(r, at, i, n, &domain);
		start = local_start(r, at, end);
		while (start < end && strchr("\"'`\\<(", r->text[start]))
			start++;
		start = behind_folders(r, start, end);
		ret->from = start;
		ret->to = i + n;
		while (domain > i + n && ret->to < domain)
			ret->to++;
		add_local(replacement, r, source, start, end);
		buf_adds(replacement, "@");
		return true;
	}
	return false;
}

const char *mask_email(const char *email, char out[MASK_EMAIL_MAX])
{
	const char *at = email ? strrchr(email, '@') : NULL;
	size_t first = 0;
	size_t domain;

	if (!at)
		return memcpy(out, "***", 4);
	if (at > email)
		first = text_step(email, strlen(email));
	domain = strnlen(at, MASK_EMAIL_MAX - 1 - first - 3);
	memcpy(out, email, first);
	memcpy(out + first, "***", 3);
	memcpy(out + first + 3, at, domain);
	out[first + 3 + domain] = '\0';
	return out;
}

char *mask_text(const char *s)
{
	/* Most texts contain nothing that could be an @. */
	if (!s[strcspn(s, "@%\\&=\xef")])
		return mem_str(s);
	return unwrap_replace(s, find_address, NULL);
}

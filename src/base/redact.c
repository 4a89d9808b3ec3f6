/* SPDX-License-Identifier: MIT */
/*
 * A pattern is one form of a secret: the secret itself, or the part of its base64 that does not depend on the bytes
 * around it. There are three base64 patterns, one for each position of the secret's first byte in the groups of three
 * bytes. Patterns are found by their first byte.
 */
#include <config.h>

#include "base/redact.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/unwrap.h"

/* A text that does not show that it was cut may still end in a secret's beginning, of at least this many bytes. */
#define TAIL_MIN 16

struct pattern {
	char *text;
	size_t len;
	bool base64;
	struct pattern *next; /* with the same first byte */
};

struct redactor {
	atomic_uint refs;
	char **values;
	size_t n;
	struct pattern *patterns;
	size_t patterns_n;
	struct pattern *by_first[256];
};

static void add_pattern(struct redactor *s, char *owned, bool base64)
{
	struct pattern *p = &s->patterns[s->patterns_n++];

	*p = (struct pattern){.text = owned, .len = strlen(owned), .base64 = base64};
	p->next = s->by_first[(unsigned char)owned[0]];
	s->by_first[(unsigned char)owned[0]] = p;
}

/* Adds the part that is the same in the base64 of every text with the secret in it. before: the number of bytes before
 * the secret, modulo 3. */
static void add_base64(struct redactor *s, const char *value, size_t before)
{
	static const size_t skipped[] = {0, 2, 3};
	size_t len = before + strlen(value);
	size_t whole = len * 8 / 6 - skipped[before];
	char *bytes = mem_new(len, 1);
	char *text;

	memcpy(bytes + before, value, len - before);
	text = digest_base64(bytes, len);
	add_pattern(s, mem_strn(text + skipped[before], whole), true);
	mem_wipe_str(text);
	mem_wipe(bytes, len);
}

struct redactor *redactor_new(const char *const *values, size_t n)
{
	struct redactor *s = mem_new(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	s->values = mem_new(n, sizeof(*s->values));
	s->patterns = mem_new(4 * n, sizeof(*s->patterns));
	for (size_t i = 0; i < n; i++) {
		if (strlen(values[i]) < REDACT_LENGTH_MIN)
			continue;
		s->values[s->n++] = mem_str(values[i]);
		add_pattern(s, mem_str(values[i]), false);
		for (size_t before = 0; before < 3; before++)
			add_base64(s, values[i], before);
	}
	return s;
}

struct redactor *redactor_ref(struct redactor *s)
{
	if (s)
		atomic_fetch_add(&s->refs, 1);
	return s;
}

void redactor_unref(struct redactor *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		mem_wipe_str(s->values[i]);
	for (size_t i = 0; i < s->patterns_n; i++)
		mem_wipe_str(s->patterns[i].text);
	free(s->values);
	free(s->patterns);
	free(s);
}

size_t redactor_count(const struct redactor *s)
{
	return s ? s->n : 0;
}

const char *redactor_value(const struct redactor *s, size_t i)
{
	INSIST(i < s->n);
	return s->values[i];
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static char standard_base64(char c)
{
	return c == '-' ? '+' : c == '_' ? '/' : c;
}

static bool in_base64(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("+/-_=", c));
}

/* A quoted form may write a blank as "+". */
static bool is_same(char secret, char c, bool base64)
{
	return secret == c || (base64 ? secret == standard_base64(c) : secret == ' ' && c == '+');
}

/* Returns the number of bytes at i that are the pattern, or its beginning where the text was cut; 0: no match. */
static size_t match(const struct pattern *p, const struct unwrapped *r, size_t i, size_t end)
{
	size_t n = 0;

	while (n < p->len && i + n < end && is_same(p->text[n], r->text[i + n], p->base64))
		n++;
	if (n == p->len || (i + n == end && n >= (end < r->len ? REDACT_LENGTH_MIN : TAIL_MIN)))
		return n;
	return 0;
}

static size_t match_at(const struct redactor *s, const struct unwrapped *r, size_t i, size_t end, bool *ret_base64)
{
	const char firsts[] = {r->text[i], standard_base64(r->text[i]), r->text[i] == '+' ? ' ' : r->text[i]};
	size_t best = 0;

	for (size_t k = 0; k < sizeof(firsts); k++) {
		for (const struct pattern *p = s->by_first[(unsigned char)firsts[k]]; p; p = p->next) {
			size_t n = match(p, r, i, end);

			if (n > best) {
				best = n;
				*ret_base64 = p->base64;
			}
		}
		if (firsts[1] == firsts[0] && firsts[2] == firsts[0])
			break;
	}
	return best;
}

static bool find_secret(const void *ctx, const struct unwrapped *r, const char *source, size_t at,
			struct unwrapped_span *ret, struct buf *replacement)
{
	static const char more[] = "…";
	const size_t more_len = sizeof(more) - 1;
	size_t end = r->len;

	(void)source;
	/* A cut text ends before the mark "…". */
	if (r->len >= more_len && memcmp(r->text + r->len - more_len, more, more_len) == 0)
		end -= more_len;
	for (size_t i = at; i < r->len; i++) {
		bool base64 = false;
		size_t n = match_at(ctx, r, i, i < end ? end : r->len, &base64);

		if (n == 0)
			continue;
		ret->from = i;
		ret->to = i + n;
		/* The rest of the same base64 text is replaced too, because its letters hold bits of the secret. */
		while (base64 && ret->from > at && in_base64(r->text[ret->from - 1]))
			ret->from--;
		while (base64 && ret->to < r->len && in_base64(r->text[ret->to]))
			ret->to++;
		buf_adds(replacement, REDACT_MARK);
		return true;
	}
	return false;
}

char *redact(const struct redactor *s, const char *text)
{
	if (!s || s->n == 0)
		return mem_str(text);
	return unwrap_replace(text, find_secret, s);
}

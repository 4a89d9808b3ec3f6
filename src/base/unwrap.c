/* SPDX-License-Identifier: MIT */
/*
 * A layer of encoding is taken off the whole text at once: %XX, \uXXXX, \xXX and the short escapes of JSON, entities of
 * HTML. Quoted-printable (=XX) is a decoding of its own, because a text like "a=40" is usually not encoded.
 */
#include <config.h>

#include "base/unwrap.h"

#include <limits.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

/* A decoding under construction: bytes and their positions in the original text. */
struct layer {
	char *text;
	uint32_t *from, *to;
	size_t len;
	bool changed;
};

static void layer_done(struct layer *l)
{
	free(l->text);
	free(l->from);
	free(l->to);
}

/* Reads n hexadecimal digits at s. n: at most 8. */
static bool read_digits(const char *s, size_t left, size_t n, uint32_t *ret)
{
	uint64_t value;

	if (left < n || hex_number(s, n, &value) < 0)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* ---- one encoded character at s: returns its bytes, or 0. *ret_byte: a byte, not a code point -------------------- */

static size_t read_percent(const char *s, size_t left, uint32_t *ret, bool *ret_byte)
{
	*ret_byte = true;
	if (left >= 3 && read_digits(s + 1, left - 1, 2, ret))
		return 3;
	*ret_byte = false;
	if (left >= 6 && (s[1] == 'u' || s[1] == 'U') && read_digits(s + 2, left - 2, 4, ret))
		return 6;
	return 0;
}

static size_t read_backslash(const char *s, size_t left, uint32_t *ret, bool *ret_byte)
{
	static const char letters[] = "\"\\/'bfnrt";
	static const char values[] = "\"\\/'\b\f\n\r\t";
	const char *at;

	*ret_byte = false;
	if (left < 2)
		return 0;
	if (s[1] == 'u' && left > 3 && s[2] == '{') {
		for (size_t n = 1; n <= 6 && n + 3 < left; n++)
			if (s[n + 3] == '}' && read_digits(s + 3, left - 3, n, ret))
				return n + 4;
		return 0;
	}
	if (s[1] == 'u' && read_digits(s + 2, left - 2, 4, ret))
		return 6;
	if (s[1] == 'U' && read_digits(s + 2, left - 2, 8, ret))
		return 10;
	*ret_byte = true;
	if (s[1] == 'x' && read_digits(s + 2, left - 2, 2, ret))
		return 4;
	at = s[1] != '\0' ? strchr(letters, s[1]) : NULL;
	if (!at)
		return 0;
	*ret = (unsigned char)values[at - letters];
	return 2;
}

/* Reads &#64; and &#x40;, with or without the semicolon, and the names that matter here. */
static size_t read_entity(const char *s, size_t left, uint32_t *ret, bool *ret_byte)
{
	static const struct {
		const char *name;
		uint32_t c;
	} names[] = {
		{"&amp;", '&'}, {"&commat;", '@'}, {"&quot;", '"'}, {"&apos;", '\''},  {"&lt;", '<'},
		{"&gt;", '>'},  {"&period;", '.'}, {"&nbsp;", ' '}, {"&percnt;", '%'}, {"&bsol;", '\\'},
	};
	size_t at = 2;
	size_t from;
	bool hex;

	*ret_byte = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);

		if (left >= len && memcmp(s, names[i].name, len) == 0) {
			*ret = names[i].c;
			return len;
		}
	}
	if (left < 3 || s[1] != '#')
		return 0;
	hex = s[2] == 'x' || s[2] == 'X';
	at += hex;
	from = at;
	*ret = 0;
	for (; at < left && at - from < 8; at++) {
		int digit = hex_digit(s[at]);

		if (digit < 0 || (!hex && digit > 9))
			break;
		*ret = *ret * (hex ? 16 : 10) + (uint32_t)digit;
	}
	if (at == from)
		return 0;
	return at < left && s[at] == ';' ? at + 1 : at;
}

static size_t read_quoted_printable(const char *s, size_t left, uint32_t *ret, bool *ret_byte)
{
	*ret_byte = true;
	if ((left >= 2 && s[1] == '\n') || (left >= 3 && s[1] == '\r' && s[2] == '\n')) {
		*ret = UINT32_MAX; /* a soft line break stands for no character */
		return s[1] == '\n' ? 2 : 3;
	}
	return left >= 3 && read_digits(s + 1, left - 1, 2, ret) ? 3 : 0;
}

static size_t read_encoded(const char *s, size_t left, bool guess, uint32_t *ret, bool *ret_byte)
{
	if (guess)
		return *s == '=' ? read_quoted_printable(s, left, ret, ret_byte) : 0;
	switch (*s) {
	case '%':
		return read_percent(s, left, ret, ret_byte);
	case '\\':
		return read_backslash(s, left, ret, ret_byte);
	case '&':
		return read_entity(s, left, ret, ret_byte);
	default:
		return 0;
	}
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static void layer_add(struct layer *l, unsigned char byte, uint32_t from, uint32_t to)
{
	l->text[l->len] = (char)byte;
	l->from[l->len] = from;
	l->to[l->len++] = to;
}

/* Each encoded form is at least as long as its character in UTF-8, so len bytes are enough. */
static void layer_add_character(struct layer *l, uint32_t c, bool byte, uint32_t from, uint32_t to)
{
	if (c == UINT32_MAX)
		return;
	if (byte || c < 0x80) {
		layer_add(l, (unsigned char)c, from, to);
	} else if (c < 0x800) {
		layer_add(l, (unsigned char)(0xc0 | c >> 6), from, to);
		layer_add(l, (unsigned char)(0x80 | (c & 0x3f)), from, to);
	} else if (c < 0x10000) {
		layer_add(l, (unsigned char)(0xe0 | c >> 12), from, to);
		layer_add(l, (unsigned char)(0x80 | (c >> 6 & 0x3f)), from, to);
		layer_add(l, (unsigned char)(0x80 | (c & 0x3f)), from, to);
	} else if (c < 0x110000) {
		layer_add(l, (unsigned char)(0xf0 | c >> 18), from, to);
		layer_add(l, (unsigned char)(0x80 | (c >> 12 & 0x3f)), from, to);
		layer_add(l, (unsigned char)(0x80 | (c >> 6 & 0x3f)), from, to);
		layer_add(l, (unsigned char)(0x80 | (c & 0x3f)), from, to);
	} else {
		layer_add(l, '?', from, to);
	}
}

static uint32_t source_from(const struct unwrapped *r, size_t i)
{
	return r->from ? r->from[i] : (uint32_t)i;
}

static uint32_t source_to(const struct unwrapped *r, size_t i)
{
	return r->to ? r->to[i] : (uint32_t)(i + 1);
}

/* Takes one layer of encoding off r. */
static void layer_make(const struct unwrapped *r, bool guess, struct layer *ret)
{
	*ret = (struct layer){
		.text = mem_new(r->len + 1, 1),
		.from = mem_new(r->len + 1, sizeof(*ret->from)),
		.to = mem_new(r->len + 1, sizeof(*ret->to)),
	};
	for (size_t i = 0; i < r->len;) {
		uint32_t c = 0;
		bool byte = true;
		size_t n = read_encoded(r->text + i, r->len - i, guess, &c, &byte);

		if (n == 0) {
			layer_add(ret, (unsigned char)r->text[i], source_from(r, i), source_to(r, i));
			i++;
			continue;
		}
		ret->changed = true;
		layer_add_character(ret, c, byte, source_from(r, i), source_to(r, i + n - 1));
		i += n;
	}
}

/* ---- replacing --------------------------------------------------------------------------------------------------- */

/* Replaces what find() finds in one decoding. NULL: it found nothing. */
static char *replace_in(const char *source, const struct unwrapped *r, unwrap_find_fn *find, const void *ctx)
{
	size_t at = 0;
	size_t copied = 0;
	struct buf to, replacement;
	struct unwrapped_span span;

	buf_init(&to, INT_MAX);
	buf_init(&replacement, INT_MAX);
	while (at < r->len && find(ctx, r, source, at, &span, &replacement)) {
		INSIST(span.to > span.from && span.from >= at && span.to <= r->len);
		buf_add(&to, source + copied, source_from(r, span.from) - copied);
		buf_add(&to, replacement.data, replacement.len);
		buf_clear(&replacement);
		copied = source_to(r, span.to - 1);
		at = span.to;
		/* Bytes that were encoded as one letter are replaced together. */
		while (at < r->len && source_from(r, at) < copied)
			at++;
	}
	buf_done(&replacement);
	if (copied == 0) {
		buf_done(&to);
		return NULL;
	}
	buf_adds(&to, source + copied);
	return buf_take(&to);
}

/* A text, and its decoding with some layers taken off. */
struct unwrapped_text {
	char *text;
	unsigned layers;
	struct layer layer; /* the memory of r; empty where layers is 0 */
	struct unwrapped r;
};

static struct unwrapped plain_decoding(const char *text)
{
	return (struct unwrapped){.text = text, .len = strlen(text)};
}

/* Takes off one more layer; false: there is none. */
static bool unwrap_one(struct unwrapped_text *p)
{
	struct layer next;

	layer_make(&p->r, false, &next);
	if (!next.changed) {
		layer_done(&next);
		return false;
	}
	layer_done(&p->layer);
	p->layer = next;
	p->r = (struct unwrapped){.text = next.text, .len = next.len, .from = next.from, .to = next.to};
	p->layers++;
	return true;
}

/* Searches one decoding of p. If something was replaced, p becomes the new text with the same number of layers taken
 * off, or fewer if it has fewer. */
static void replace_decoding(struct unwrapped_text *p, const struct unwrapped *r, unwrap_find_fn *find, const void *ctx)
{
	char *replaced = replace_in(p->text, r, find, ctx);
	unsigned layers = p->layers;

	if (!replaced)
		return;
	free(p->text);
	layer_done(&p->layer);
	*p = (struct unwrapped_text){.text = replaced, .r = plain_decoding(replaced)};
	while (p->layers < layers && unwrap_one(p))
		;
}

char *unwrap_replace(const char *text, unwrap_find_fn *find, const void *ctx)
{
	struct unwrapped_text p = {.text = mem_str(text)};
	struct layer guess;

	p.r = plain_decoding(p.text);
	INSIST(p.r.len < INT_MAX);
	for (unsigned layers = 0; layers <= UNWRAP_LAYERS_MAX; layers++) {
		if (layers > 0 && (p.layers + 1 != layers || !unwrap_one(&p)))
			break;
		replace_decoding(&p, &p.r, find, ctx);
		/* The decoding of =XX, if the text has any. */
		if (!memchr(p.r.text, '=', p.r.len))
			continue;
		layer_make(&p.r, true, &guess);
		if (guess.changed) {
			const struct unwrapped r = {guess.text, guess.len, guess.from, guess.to, true};

			replace_decoding(&p, &r, find, ctx);
		}
		layer_done(&guess);
	}
	layer_done(&p.layer);
	return p.text;
}

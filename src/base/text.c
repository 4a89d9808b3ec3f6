/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define TEXT_DISTANCE_MAX 64 /* letters; longer names are never typos of each other */

void pairs_add(struct pairs *p, const char *name, const char *value)
{
	MEM_ROOM(p->items, p->n);
	p->items[p->n++] = (struct pair){.name = mem_str(name), .value = mem_str(value)};
}

const char *pairs_get(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (text_same(p->items[i].name, name))
			return p->items[i].value;
	return NULL;
}

void pairs_done(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].name);
		free(p->items[i].value);
	}
	free(p->items);
	*p = (struct pairs){0};
}

void strings_add(struct strings *l, const char *text)
{
	strings_addn(l, text, strlen(text));
}

void strings_addn(struct strings *l, const char *text, size_t len)
{
	MEM_ROOM(l->items, l->n);
	l->items[l->n++] = mem_strn(text, len);
}

bool strings_have(const struct strings *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], text) == 0)
			return true;
	return false;
}

bool strings_same(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

void strings_done(struct strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct strings){0};
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool text_same(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a == *b || lower(*a) == lower(*b)) {
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
	return false;
}

bool text_is(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void text_lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)lower(*s);
}

bool text_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char *text_trim(char *s)
{
	size_t len;

	while (text_is_blank(*s))
		s++;
	len = strlen(s);
	while (len > 0 && text_is_blank(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

/* Returns the bytes of the blank or invisible character at s; 0: it is another character. */
static size_t unseen(const char *s)
{
	static const char *const all[] = {
		"\u00a0", "\u00ad", "\u034f", "\u061c", "\u1680", "\u180e", "\u2028", "\u2029", "\u202a",
		"\u202b", "\u202c", "\u202d", "\u202e", "\u202f", "\u205f", "\u2060", "\u2061", "\u2062",
		"\u2063", "\u2064", "\u2066", "\u2067", "\u2068", "\u2069", "\u3000", "\ufeff",
	};

	if ((unsigned char)*s < 0x80)
		return text_is_blank(*s);
	/* U+2000 to U+200F: blanks of all widths, zero-width characters, marks of direction. */
	if (strncmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x80 && (unsigned char)s[2] <= 0x8f)
		return 3;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strncmp(s, all[i], strlen(all[i])) == 0)
			return strlen(all[i]);
	return 0;
}

char *text_trim_unseen(char *s)
{
	char *end;
	size_t n;

	while ((n = unseen(s)) > 0)
		s += n;
	n = strlen(s);
	if (n > 0 && (unsigned char)s[n - 1] < 0x80 && !text_is_blank(s[n - 1])) /* as most texts end */
		return s;
	/* end: after the last visible character. */
	end = s;
	for (char *at = s; *at != '\0'; at += n > 0 ? n : 1) {
		n = unseen(at);
		if (n == 0)
			end = at + 1;
	}
	*end = '\0';
	return s;
}

size_t text_step(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t n;

	if (left == 0)
		return 0;
	if (s[0] < 0x80)
		return s[0] != 0 ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > left)
		return 0;
	/* The second byte's range excludes overlong forms, surrogates and code points beyond U+10FFFF. */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t text_bom(const char *s, size_t len)
{
	return len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

#define ASCII_BYTES sizeof(uint64_t)

/* True where ASCII_BYTES ASCII characters stand there, none of them NUL: subtracting 1 from a byte below 0x80 sets its
 * highest bit only where it was 0. */
static inline bool ascii_at(const char *s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = 0x80 * ones;
	uint64_t bytes;

	memcpy(&bytes, s, sizeof(bytes));
	return ((bytes | (bytes - ones)) & highs) == 0;
}

bool text_is_utf8(const char *s, size_t len)
{
	while (len > 0) {
		size_t n = 0;

		if (len >= 4 * ASCII_BYTES && (ascii_at(s) & ascii_at(s + ASCII_BYTES) & ascii_at(s + 2 * ASCII_BYTES) &
					       ascii_at(s + 3 * ASCII_BYTES)))
			n = 4 * ASCII_BYTES;
		else if (len >= ASCII_BYTES && ascii_at(s))
			n = ASCII_BYTES;
		if (n == 0)
			n = text_step(s, len);
		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static bool same_letter(char a, char b)
{
	return lower(a) == lower(b);
}

unsigned text_distance(const char *a, const char *b, unsigned cap)
{
	unsigned rows[3][TEXT_DISTANCE_MAX + 1];
	unsigned *before = rows[0];
	unsigned *above = rows[1];
	unsigned *row = rows[2];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > TEXT_DISTANCE_MAX || b_len > TEXT_DISTANCE_MAX)
		return cap + 1;
	for (unsigned j = 0; j <= b_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *next = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]) &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		before = above;
		above = row;
		row = next;
	}
	return above[b_len] < cap + 1 ? above[b_len] : cap + 1;
}

const char *text_nearest(const char *word, const char *const *names, size_t n)
{
	size_t third = strlen(word) / 3;
	unsigned cap = third < 1 ? 1 : third > 3 ? 3 : (unsigned)third;
	unsigned best = cap + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned distance = text_same(word, names[i]) ? 0 : text_distance(word, names[i], cap);

		if (distance < best) {
			best = distance;
			found = names[i];
		}
	}
	for (size_t i = 0; i < n && !found && strlen(word) > 2; i++)
		if (strncmp(word, names[i], strlen(word)) == 0)
			found = names[i];
	return found;
}

char *text_suggestion(const char *prefix, const char *suffix, const char *word, const char *const *names, size_t n)
{
	const char *nearest = text_nearest(word, names, n);

	return nearest ? mem_fmt("%sdid you mean %s?%s", prefix, nearest, suffix) : mem_str("");
}

bool text_is_one_word(const char *s)
{
	return !strchr(s, ' ') && text_is_one_line(s, strlen(s));
}

bool text_is_one_line(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

int text_digits(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	bool fits = true;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
		       !__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
	}
	if (!fits || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

char *text_join(const char *const *names, size_t n, const char *last)
{
	struct buf all;
	size_t i;

	buf_init(&all, TEXT_JOIN_MAX + sizeof(", …"));
	for (i = 0; i < n && all.len + strlen(names[i]) + 2 < TEXT_JOIN_MAX; i++)
		buf_addf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : last, names[i]);
	if (i < n)
		buf_adds(&all, ", …");
	return buf_take(&all);
}

struct text_unit {
	const char *name;
	long long size;
};

static int text_quantity(const char *s, const struct text_unit *units, long long *ret)
{
	long long value = 0;
	long long result;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *s - '0', &value))
			return -ERANGE;
	while (*s == ' ')
		s++;
	for (; units->name; units++) {
		if (strcmp(s, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(value, units->size, &result))
			return -ERANGE;
		*ret = result;
		return 0;
	}
	return -EINVAL;
}

int text_duration(const char *s, long long *ret_ms)
{
	static const struct text_unit units[] = {
		{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
	};

	return text_quantity(s, units, ret_ms);
}

int text_size(const char *s, long long *ret_bytes)
{
	static const struct text_unit units[] = {
		{"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"TiB", 1LL << 40}, {NULL, 0},
	};

	return text_quantity(s, units, ret_bytes);
}

const char *amount_of(char out[AMOUNT_MAX], long long n, const char *thing)
{
	(void)snprintf(out, AMOUNT_MAX, "%lld %s%s", n, thing, n == 1 ? "" : "s");
	return out;
}

const char *amount_size(char out[AMOUNT_MAX], int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	int64_t part;

	if (bytes < 1024)
		return amount_of(out, bytes, "byte");
	while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes >> (10 * (unit + 2)) > 0)
		unit++;
	part = (bytes >> (10 * unit)) % 1024 * 10 / 1024; /* tenths of the unit */
	bytes >>= 10 * (unit + 1);
	if (part > 0)
		(void)snprintf(out, AMOUNT_MAX, "%" PRId64 ".%" PRId64 " %s", bytes, part, units[unit]);
	else
		(void)snprintf(out, AMOUNT_MAX, "%" PRId64 " %s", bytes, units[unit]);
	return out;
}

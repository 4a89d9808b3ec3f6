/* SPDX-License-Identifier: MIT */
/*
 * text: small pure helpers on NUL-terminated UTF-8 strings, pairs and lists of them, and amounts as a message shows
 * them. ASCII case only, locale-independent.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a macro, as a literal. */
#define TEXT_OF(macro) TEXT_OF_(macro)
#define TEXT_OF_(value) #value

#define TEXT_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TEXT_ALNUM TEXT_LETTERS "0123456789"

/* Text pairs in the order given: headers, parameters, what a lookup took. Owned by the struct. */
struct pair {
	char *name;
	char *value;
};
struct pairs {
	struct pair *items;
	size_t n;
};
void pairs_add(struct pairs *p, const char *name, const char *value); /* copies both */
/* The first value of that name without regard to ASCII case, or NULL. */
const char *pairs_get(const struct pairs *p, const char *name);
void pairs_done(struct pairs *p);

/* A list of texts that it owns. {0} is an empty one. */
struct strings {
	char **items;
	size_t n;
};

void strings_add(struct strings *l, const char *text); /* a copy */
void strings_addn(struct strings *l, const char *text, size_t len);
bool strings_have(const struct strings *l, const char *text);
/* The same texts in the same order. */
bool strings_same(const struct strings *a, const struct strings *b);
void strings_done(struct strings *l); /* leaves it empty */

bool text_same(const char *a, const char *b); /* both NULL, or equal without regard to ASCII case */
bool text_is(const char *a, const char *b);   /* both NULL, or equal */
void text_lower(char *s);                     /* in place */
bool text_is_blank(char c);                   /* blank, tab or a line end of any kind */
char *text_trim(char *s);                     /* in place; returns the first non-blank */
/* The same with the blanks and invisible characters of Unicode, which come along when a text is pasted: no-break space,
 * soft hyphen, zero-width space and joiners, byte order mark, marks of writing direction. Those within the text stay.
 */
char *text_trim_unseen(char *s);
size_t text_bom(const char *s, size_t len);       /* 3 where it begins with a UTF-8 byte order mark, else 0 */
bool text_is_utf8(const char *s, size_t len);     /* well-formed, no surrogates, no NUL */
bool text_is_one_word(const char *s);             /* no blank of ASCII, no control character */
bool text_is_one_line(const char *s, size_t len); /* no control character of ASCII, no line end */
size_t text_step(const char *s, size_t left);     /* bytes of the well-formed character at s (RFC 3629), no NUL; or 0 */
/* How many single-letter edits a and b are apart without regard to ASCII case, two neighbours that changed places
 * counting as one; at most cap + 1. For text_nearest, and for tests. */
unsigned text_distance(const char *a, const char *b, unsigned cap);
/* The one of n names that a typo (of a third of the letters at most, and of one always) or an abbreviation most likely
 * meant, or NULL. Borrowed. */
const char *text_nearest(const char *word, const char *const *names, size_t n);
/* For a message: "did you mean NAME?" between prefix and suffix; "" where no name is near. The caller owns it. */
char *text_suggestion(const char *prefix, const char *suffix, const char *word, const char *const *names, size_t n)
	__attribute__((warn_unused_result));
/* The whole number that len decimal digits write, 0 to max. -EINVAL: anything but digits, or none at all; -ERANGE: more
 * than max. */
int text_digits(const char *text, size_t len, uint64_t max, uint64_t *ret) __attribute__((warn_unused_result));
/* "a, b, c" of n names, for a message; last (", ", " or ") stands before the last one. What would be longer than
 * TEXT_JOIN_MAX bytes ends with ", …". The caller owns it. */
#define TEXT_JOIN_MAX 600
char *text_join(const char *const *names, size_t n, const char *last) __attribute__((warn_unused_result));
/* 1 MiB, 10 s, 7d, 500ms: number and unit; blank between allowed. -EINVAL, -ERANGE. Units are exact: kB is an error. */
int text_duration(const char *s, long long *ret_ms) __attribute__((warn_unused_result));
int text_size(const char *s, long long *ret_bytes) __attribute__((warn_unused_result));

/* ---- numbers with what they count or measure, as a message shows them -------------------------------------------- */

#define AMOUNT_MAX 64

/* "1 event", "0 events", "12 events". thing: in the singular; its plural is made with an s. Returns out. */
const char *amount_of(char out[AMOUNT_MAX], long long n, const char *thing);
/* "0 bytes", "1 byte", "1000 bytes", "3.4 KiB", "64 MiB": in the largest unit of which it is one at least, cut after a
 * tenth, so that only nothing is shown as 0. Returns out. */
const char *amount_size(char out[AMOUNT_MAX], int64_t bytes);

#endif

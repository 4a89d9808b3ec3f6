/* SPDX-License-Identifier: MIT */
/*
 * text: small pure helpers on NUL-terminated UTF-8 strings, on pairs and lists of them, and amounts for messages. Case
 * is that of ASCII only; nothing depends on the locale.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a macro as a string literal. */
#define TEXT_OF(macro) TEXT_OF_(macro)
#define TEXT_OF_(value) #value

#define TEXT_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TEXT_ALNUM TEXT_LETTERS "0123456789"

/* Pairs of texts in the order in which they were added: headers, parameters, values of a lookup. Owned by the
 * struct. */
struct pair {
	char *name;
	char *value;
};
struct pairs {
	struct pair *items;
	size_t n;
};
void pairs_add(struct pairs *p, const char *name, const char *value); /* copies both */
/* Returns the first value of that name (ASCII case ignored), or NULL. Borrowed. */
const char *pairs_get(const struct pairs *p, const char *name);
void pairs_done(struct pairs *p);

/* A list that owns its texts. {0} is empty. */
struct strings {
	char **items;
	size_t n;
};

void strings_add(struct strings *l, const char *text); /* a copy */
void strings_addn(struct strings *l, const char *text, size_t len);
bool strings_have(const struct strings *l, const char *text);
/* True where both have the same texts in the same order. */
bool strings_same(const struct strings *a, const struct strings *b);
void strings_done(struct strings *l); /* frees the texts; l is empty afterwards */

bool text_same(const char *a, const char *b); /* true where both are NULL, or equal with ASCII case ignored */
bool text_is(const char *a, const char *b);   /* true where both are NULL, or equal */
void text_lower(char *s);                     /* in place */
bool text_is_blank(char c);                   /* blank, tab or a line end of any kind */
char *text_trim(char *s);                     /* in place; returns the first non-blank */
/* As text_trim(), and also takes off the blank and invisible characters of Unicode, which often come with pasted text:
 * no-break space, soft hyphen, zero-width space and joiners, byte order mark, marks of writing direction. Those inside
 * the text stay. */
char *text_trim_unseen(char *s);
size_t text_bom(const char *s, size_t len);       /* 3 where the text begins with a UTF-8 byte order mark, else 0 */
bool text_is_utf8(const char *s, size_t len);     /* well-formed, no surrogates, no NUL */
bool text_is_one_word(const char *s);             /* no blank of ASCII, no control character */
bool text_is_one_line(const char *s, size_t len); /* no control character of ASCII, no line end */
size_t text_step(const char *s, size_t left); /* bytes of the valid UTF-8 character at s (RFC 3629); 0: invalid, NUL */
/* Returns the edit distance of a and b, at most cap + 1: insertions, deletions, replacements and swaps of two
 * neighbours, with ASCII case ignored. For text_nearest(), and for tests. */
unsigned text_distance(const char *a, const char *b, unsigned cap);
/* Returns the most likely of n names for a word with a typo (at most a third of its letters, but always one) or an
 * abbreviation; NULL: none is near. Borrowed. */
const char *text_nearest(const char *word, const char *const *names, size_t n);
/* Returns "did you mean NAME?" between prefix and suffix, for a message; "" where no name is near. The caller owns
 * it. */
char *text_suggestion(const char *prefix, const char *suffix, const char *word, const char *const *names, size_t n)
	__attribute__((warn_unused_result));
/* Reads a whole number, 0 to max, from len decimal digits. -EINVAL: no digits, or another character; -ERANGE: more than
 * max. */
int text_digits(const char *text, size_t len, uint64_t max, uint64_t *ret) __attribute__((warn_unused_result));
/* Joins n names for a message: "a, b, c". last (", ", " or ") stands before the last name. A list longer than
 * TEXT_JOIN_MAX bytes is cut and ends with ", …". The caller owns it. */
#define TEXT_JOIN_MAX 600
char *text_join(const char *const *names, size_t n, const char *last) __attribute__((warn_unused_result));
/* Read a number with its unit: 1 MiB, 10 s, 7d, 500ms; a blank between them is allowed. -EINVAL, -ERANGE. Units are
 * exact: kB is an error. */
int text_duration(const char *s, long long *ret_ms) __attribute__((warn_unused_result));
int text_size(const char *s, long long *ret_bytes) __attribute__((warn_unused_result));

/* ---- amounts for messages ---------------------------------------------------------------------------------------- */

#define AMOUNT_MAX 64

/* Writes "1 event", "0 events", "12 events". thing: the singular; its plural is made with an s. Returns out. */
const char *amount_of(char out[AMOUNT_MAX], long long n, const char *thing);
/* Writes "0 bytes", "1 byte", "1000 bytes", "3.4 KiB", "64 MiB": in the largest unit that gives at least 1, rounded
 * down to a tenth. So only 0 bytes is shown as 0. Returns out. */
const char *amount_size(char out[AMOUNT_MAX], int64_t bytes);

#endif

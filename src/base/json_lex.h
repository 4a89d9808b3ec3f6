/* SPDX-License-Identifier: MIT */
/*
 * json_lex: checks that a text is JSON, and reads it for json_build.h; only for json.c. Pure.
 *
 * json-c's own parser is not used, because its versions differ: in its strict mode 0.16 accepts texts that are not JSON
 * (NaN, 01, a name in single quotes), and 0.18 refuses control characters and all non-ASCII characters in strings. It
 * also advances one character at a time.
 *
 * Raw control characters in strings are accepted.
 */
#ifndef BASE_JSON_LEX_H
#define BASE_JSON_LEX_H

#include <stddef.h>

struct json_builder;

struct json_lexed {
	const char *wrong; /* NULL: the text is JSON; else what is wrong, for people */
	size_t at;         /* the offset of the error */
	size_t wide;       /* number of integers beyond 64 bits */
	size_t values;     /* number of values of all types */
	size_t branches;   /* number of objects and lists among them */
};

/* text: UTF-8 without a NUL; it need not be NUL-terminated. to: gets the values, those before an error included; NULL:
 * only checks. */
void json_lex(const char *text, size_t len, struct json_builder *to, struct json_lexed *ret);

#endif

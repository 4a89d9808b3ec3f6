/* SPDX-License-Identifier: MIT */
/*
 * json_lex: checks that a text is JSON; only for json.c. Pure.
 *
 * Versions of json-c differ here: in its strict mode 0.16 accepts texts that are not JSON (NaN, 01, a name in single
 * quotes), and 0.18 refuses control characters and all non-ASCII characters in strings. So json_lex decides, and json-c
 * only builds the tree of a checked text, in its lax mode.
 *
 * Raw control characters in strings are accepted. An integer beyond 64 bits is passed to json-c as a double: a copy of
 * the text has JSON_WIDE_MARK behind it. Otherwise json-c 0.16 would read the largest 64-bit integer, so that two ids
 * became one, and 0.18 would refuse it. After the parse json.c gives the double its text back.
 */
#ifndef BASE_JSON_LEX_H
#define BASE_JSON_LEX_H

#include <stddef.h>

#include "base/buf.h"

#define JSON_WIDE_MARK "e-00000"
#define JSON_WIDE_MARK_LEN (sizeof(JSON_WIDE_MARK) - 1)

struct json_lexed {
	const char *wrong; /* NULL: the text is JSON; else what is wrong, for people */
	size_t at;         /* the offset of the error */
	size_t wide;       /* number of integers beyond 64 bits */
	size_t values;     /* number of values of all types */
	size_t branches;   /* number of objects and lists among them */
};

/* text: UTF-8 without a NUL; it need not be NUL-terminated. to: gets the copy with the marks; NULL: no copy. */
void json_lex(const char *text, size_t len, struct buf *to, struct json_lexed *ret);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * json_lex: whether a text is JSON, for json.c alone. Pure.
 *
 * This is decided here and not by json-c, whose versions differ: in its strict mode 0.16 takes what is no JSON (NaN,
 * 01, a name in single quotes), and 0.18 refuses control characters and all letters beyond ASCII in strings. So json-c
 * only makes the tree, in its lax mode, of a text that is known to be good.
 *
 * Raw control characters in strings are good here. An integer beyond 64 bits goes to json-c as a double, with
 * JSON_WIDE_MARK behind it in a copy of the text: json-c 0.16 would make the largest integer of it, and two ids would
 * become one; 0.18 would refuse it. json.c gives the double its text back after the parse.
 */
#ifndef BASE_JSON_LEX_H
#define BASE_JSON_LEX_H

#include <stddef.h>

#include "base/buf.h"

#define JSON_WIDE_MARK "e-00000"
#define JSON_WIDE_MARK_LEN (sizeof(JSON_WIDE_MARK) - 1)

struct json_lexed {
	const char *wrong; /* NULL: it is JSON; else what is wrong, for people */
	size_t at;         /* and at which byte */
	size_t wide;       /* how many integers beyond 64 bits are in it */
	size_t values;     /* how many values; of these are */
	size_t branches;   /* objects and lists */
};

/* text: UTF-8 without a NUL; no NUL need follow it. to: gets the copy with the marks; NULL: no copy is made. */
void json_lex(const char *text, size_t len, struct buf *to, struct json_lexed *ret);

#endif

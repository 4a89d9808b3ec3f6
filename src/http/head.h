/* SPDX-License-Identifier: MIT */
/*
 * http/head: private to src/http. Takes the head of a request: takes its target apart, judges and copies its headers.
 * An answer of 400 is the same with every version of libmicrohttpd, as far as what it hands over tells.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

#include "base/text.h"

struct request_target {
	const char *path;  /* as it came */
	const char *query; /* behind the "?", or "" */
	char *host;        /* the authority of the absolute form, which counts instead of the header Host; NULL: none */
};

/*
 * Takes a request target apart, in place; *ret points into it. The origin form, the absolute form of http and https
 * without its scheme and authority (RFC 9112, 3.2.2), and "*" of OPTIONS. NULL, or what is wrong with it.
 */
const char *head_target(char *text, const char *method, struct request_target *ret);

/* Headers in the order in which they came, values without the blanks and tabs around them (RFC 9110, 5.5). All zero:
 * none. */
struct headers {
	struct pair *items; /* one piece of memory, texts included: free() frees all */
	size_t n;
};

/* The request line, as libmicrohttpd handed it over. */
struct request_line {
	const char *method, *target, *version;
	size_t target_len;
};

/*
 * Copies the headers of a request whose body has not begun. NULL, or what is wrong with line or headers: a control
 * character (NUL too), a name that is none, a line that is continued on the next one or ends with LF alone.
 */
const char *head_take(struct MHD_Connection *connection, const struct request_line *line, struct headers *ret);

#endif

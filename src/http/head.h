/* SPDX-License-Identifier: MIT */
/*
 * http/head: private to src/http. Checks a request's line and headers, splits the target and copies the headers. It
 * makes 400 answers independent of libmicrohttpd's version, as far as the library passes the request on.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

#include "base/text.h"

struct request_target {
	const char *path;  /* as received */
	const char *query; /* the part after the "?", or "" */
	char *host;        /* the authority of the absolute form, which replaces the header Host; NULL: none */
};

/*
 * Splits a request target in place; *ret points into it. Accepts the origin form, the absolute form of http and https
 * (RFC 9112, 3.2.2), whose scheme and authority are taken off, and "*" with OPTIONS. Returns NULL, or what is wrong
 * with the target.
 */
const char *head_target(char *text, const char *method, struct request_target *ret);

/* The request line as libmicrohttpd passes it. */
struct request_line {
	const char *method, *target, *version;
	size_t target_len;
};

/*
 * Copies the headers of a request before its body, in order of arrival. Values have no blanks and tabs around them (RFC
 * 9110, 5.5). ret->items is one allocation that includes the texts: free() frees all. Returns NULL, or what is wrong
 * with the line or a header: a control character (also NUL), an invalid name, a folded line, or a line that ends with
 * LF only.
 */
const char *head_take(struct MHD_Connection *connection, const struct request_line *line, struct pairs *ret);

#endif

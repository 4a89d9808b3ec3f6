/* SPDX-License-Identifier: MIT */
/*
 * percent: percent-encoded text (RFC 3986, section 2.1) and the query of a URL. Pure.
 *
 * A decoded text is always UTF-8 without a NUL: anything else is refused or stays encoded.
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

/* Bytes that never need encoding; bytes that are also allowed in a segment of a path; and those allowed in a whole
 * URL. */
#define PERCENT_UNRESERVED TEXT_ALNUM "-._~"
#define PERCENT_SEGMENT ":@!$&'()*+,;="
#define PERCENT_URL "/?#[]" PERCENT_SEGMENT

/* Adds the text with every byte encoded, except unreserved ones and those in `safe` ("": none). */
void percent_add(struct buf *to, const char *text, const char *safe);
/* As percent_add(), for a text that is encoded in part: its "%XX" stay as they are. */
void percent_add_partly(struct buf *to, const char *text, const char *safe);
/* Adds "NAME=VALUE", both encoded. */
void percent_add_pair(struct buf *to, const char *name, const char *value);

/*
 * Decodes strictly. -EINVAL: a percent sign without two hexadecimal digits, a NUL, or not UTF-8. plus: "+" means a
 * blank, as in forms. The caller owns *ret.
 */
int percent_read(const char *raw, size_t len, bool plus, char **ret) MUSTCHECK;

/*
 * Adds the decoded parameters of a query ("a=b&c=d") in order; "+" means a blank. A parameter without a name is
 * skipped. Decodes leniently: an invalid escape and "%00" stay as they are, and a name or value that would not be UTF-8
 * stays encoded as a whole. raw: NULL for none.
 */
#define PERCENT_QUERY_MAX 100 /* parameters; further ones are ignored */
void percent_read_query(const char *raw, struct pairs *to);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * percent: percent-encoded text (RFC 3986, section 2.1) and the query of a URL. Pure.
 *
 * What is decoded is UTF-8 without a NUL, always: what would be anything else is refused or stays encoded.
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

/* Bytes that never need encoding, and those that may stand in a segment of a path and in a whole URL besides. */
#define PERCENT_UNRESERVED TEXT_ALNUM "-._~"
#define PERCENT_SEGMENT ":@!$&'()*+,;="
#define PERCENT_URL "/?#[]" PERCENT_SEGMENT

/* Adds the text with all encoded but unreserved bytes and those in `safe` ("" for none). */
void percent_add(struct buf *to, const char *text, const char *safe);
/* The same for a text that is encoded in part: its "%XX" stay as they are. */
void percent_add_partly(struct buf *to, const char *text, const char *safe);
/* Adds "NAME=VALUE", both encoded. */
void percent_add_pair(struct buf *to, const char *name, const char *value);

/*
 * Decodes strictly. -EINVAL: a percent without two hexadecimal digits, a NUL, or what is not UTF-8. plus: "+" is a
 * blank, as in forms. The caller owns *ret.
 */
int percent_read(const char *raw, size_t len, bool plus, char **ret) MUSTCHECK;

/*
 * Adds the parameters of a query ("a=b&c=d") in order, decoded; "+" is a blank. One without a name is none. Reads
 * leniently: a bad escape and "%00" stay as they came, and so does a whole name or value that would not be UTF-8. raw:
 * NULL for none.
 */
#define PERCENT_QUERY_MAX 100 /* parameters; more are not looked at */
void percent_read_query(const char *raw, struct pairs *to);

#endif

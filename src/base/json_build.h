/* SPDX-License-Identifier: MIT */
/*
 * json_build: builds json-c's tree of a text that json_lex.c reads; only for json_lex.c and json.c. Pure.
 *
 * The calls come in the order of the text. Each value is JSON, but the text may end in the middle of an object or a
 * list: then the tree has what came before. The tree is the one that json-c's own parser makes: half of a surrogate
 * pair becomes U+FFFD, a double keeps its text, the last of equal names counts. An integer beyond 64 bits is a double
 * that keeps its text, too; json-c 0.16 would read the largest 64-bit integer, so that two ids became one, and 0.18
 * would refuse it.
 */
#ifndef BASE_JSON_BUILD_H
#define BASE_JSON_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>

#include "base/buf.h"
#include "base/json.h"

struct json_names;

struct json_builder {
	struct json_object *root;
	struct json_object *open[JSON_DEPTH_MAX]; /* objects and arrays that are not closed; borrowed from root */
	unsigned depth;                           /* number of these */
	bool root_keeps_names;                    /* the memory of all names belongs to the root */
	struct json_names *names;                 /* that memory; NULL: none yet */
	const char *key;                          /* the name of the next member, in `name` or in names */
	struct buf name, text;                    /* scratch */
};

/* root_keeps_names: no object of the tree may outlive the root, because its names are freed with the root. json-c would
 * allocate each name. */
void json_build_init(struct json_builder *b, bool root_keeps_names);
/* Returns the tree, which the caller owns. NULL: null. */
struct json_object *json_build_end(struct json_builder *b);

void json_build_open(struct json_builder *b, bool object); /* an object or an array */
void json_build_close(struct json_builder *b);
/* Names and strings without their quotes. escaped: there is a backslash in it. */
void json_build_name(struct json_builder *b, const char *at, size_t len, bool escaped);
void json_build_string(struct json_builder *b, const char *at, size_t len, bool escaped);
void json_build_number(struct json_builder *b, const char *at, size_t len, bool integer);
void json_build_word(struct json_builder *b, char first); /* true, false or null */

#endif

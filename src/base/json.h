/* SPDX-License-Identifier: MIT */
/*
 * json: json-c with this project's limits.
 *
 * Trees are json-c's own (json_object_put frees); they are never shared between threads (reference counts are not
 * atomic). Parsing is strict, and the same with json-c 0.16 and 0.18: UTF-8 checked, depth at most JSON_DEPTH_MAX,
 * at most JSON_BRANCHES_MAX objects and lists (json-c takes JSON_BRANCH_BYTES for each, and "{}," is three), nothing
 * behind the value, no NUL inside a key, no NaN. Two things are read that JSON has not: a UTF-8 byte order mark before
 * the value, and raw control characters inside strings, as the free templates of some helpdesks put line ends there. An
 * integer beyond 64 bits is a json_type_double that keeps its text (json_wide). The last of duplicate keys counts, as
 * with json-c.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define JSON_DEPTH_MAX 64
#define JSON_BRANCHES_MAX 65536
/* Bytes that json-c takes for an object or a list, and for any other value with its name; both with malloc's share. */
#define JSON_BRANCH_BYTES 800
#define JSON_VALUE_BYTES 220

/* White space between JSON's values (RFC 8259, section 2). */
static inline bool json_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* 0 and an owned tree (*ret may be NULL for the JSON text null), or -EINVAL with "line L column C: …" in reterr. */
int json_read(const char *text, size_t len, struct json_object **ret, struct err *reterr) MUSTCHECK;
/* The same. *ret_bytes: how much memory the tree takes, estimated, rather too high than too low. NULL: not wanted. */
int json_read_sized(const char *text, size_t len, struct json_object **ret, size_t *ret_bytes,
		    struct err *reterr) MUSTCHECK;
/* How many trees both have built since the process began. Any thread. */
uint64_t json_reads(void);

/* One line without blanks. The caller owns the text. NULL object gives "null". */
char *json_text(struct json_object *o) MUSTCHECK;
/* Whether text is an object as json_text() writes one, so that it can stand in a larger text as it is. Makes no tree.
 * 0, or -EINVAL with "line L column C: …" in reterr. */
int json_check_object(const char *text, struct err *reterr) MUSTCHECK;
/* Adds a string in its quotes, as json_text() writes it. text: UTF-8. */
void json_add_str(struct buf *to, const char *text);
/* The shortest text of a number that reads back: 9.99, not 9.9900000000000002. NULL where it is not finite. The caller
 * owns it. */
char *json_number(double value) MUSTCHECK;
/* JSON text for people and programs: controls of every kind are JSON's \uXXXX (escape.h), so that no terminal obeys
 * them. pretty: indented by two blanks. */
char *json_printable(struct json_object *o, bool pretty) MUSTCHECK;
/* Indented by two blanks, and exact: for a request's body. */
char *json_pretty(struct json_object *o) MUSTCHECK;
/* Strikes secrets out of all texts of a tree, in place. Names of members stay. secrets: NULL allowed. */
struct redactor;
void json_redact(struct json_object *o, const struct redactor *secrets);

/*
 * The scalar as text: strings as they are, integers in decimal, doubles as the shortest text that reads back, wide
 * numbers (below) as they were written, true, false. NULL for null, arrays, objects and strings with a NUL inside. The
 * caller owns it.
 */
char *json_scalar(struct json_object *o) MUSTCHECK;
/*
 * The text of a number that neither 64 bits nor a double hold, as it was written: an integer of more digits, or 1e400.
 * NULL for everything else. Borrowed until o is changed or written out.
 */
const char *json_wide(struct json_object *o);

/* Members of an object, or NULL / the fallback where absent or of another type. Borrowed. */
struct json_object *json_member(struct json_object *o, const char *key);
const char *json_member_str(struct json_object *o, const char *key);
int64_t json_member_int(struct json_object *o, const char *key, int64_t fallback);
bool json_member_bool(struct json_object *o, const char *key, bool fallback);
void json_set_str(struct json_object *o, const char *key, const char *value_or_null); /* NULL: left out */
void json_set_int(struct json_object *o, const char *key, int64_t value);
void json_set_bool(struct json_object *o, const char *key, bool value);

static inline void json_putp(struct json_object **o)
{
	json_object_put(*o);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * json: JSON by json-c, with this project's limits.
 *
 * Trees are json-c's own (free them with json_object_put()). A tree is never shared between threads, because its
 * reference counts are not atomic.
 *
 * The parser is strict, and accepts the same texts with json-c 0.16 and 0.18:
 * - UTF-8 is checked. Nothing may follow the value. A key holds no NUL. NaN is refused.
 * - Depth: at most JSON_DEPTH_MAX. Objects and lists together: at most JSON_BRANCHES_MAX, because json-c takes
 *   JSON_BRANCH_BYTES for each and "{}," is three bytes.
 * - Two things that JSON does not allow are accepted: a UTF-8 byte order mark before the value, and raw control
 *   characters inside strings, because free templates of some helpdesks put line ends there.
 * - An integer beyond 64 bits is a json_type_double that keeps its text (json_wide).
 * - Of duplicate keys the last one counts, as in json-c.
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
/* Estimated bytes of json-c for an object or a list, and for any other value with its name, with malloc's overhead. */
#define JSON_BRANCH_BYTES 800
#define JSON_VALUE_BYTES 220

/* White space between JSON's values (RFC 8259, section 2). */
static inline bool json_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Parses a text. Returns 0 and a tree that the caller owns (*ret is NULL for the JSON text null), or -EINVAL with "line
 * L column C: …" in reterr. */
int json_read(const char *text, size_t len, struct json_object **ret, struct err *reterr) MUSTCHECK;
/* As json_read(), with fewer allocations, but no object of the tree may outlive its root. *ret_bytes: an upper estimate
 * of the tree's memory; ret_bytes NULL: not wanted. */
int json_read_sized(const char *text, size_t len, struct json_object **ret, size_t *ret_bytes,
		    struct err *reterr) MUSTCHECK;
/* Returns the number of texts that both have parsed since the process began. Any thread. */
uint64_t json_reads(void);

/* Writes a tree as one line without blanks. NULL gives "null". The caller owns the text. */
char *json_text(struct json_object *o) MUSTCHECK;
/* Checks that text is an object as json_text() writes it, so that it can be copied into a larger JSON text. Builds no
 * tree. Returns 0, or -EINVAL with "line L column C: …" in reterr. */
int json_check_object(const char *text, struct err *reterr) MUSTCHECK;
/* Adds a string with its quotes, as json_text() writes it. text: UTF-8. */
void json_add_str(struct buf *to, const char *text);
/* Writes the shortest text that reads back as the same number: 9.99, not 9.9900000000000002. NULL: the value is not
 * finite. The caller owns the text. */
char *json_number(double value) MUSTCHECK;
/* Writes a tree for people and programs: controls of every kind are written as JSON's \uXXXX (escape.h), so that no
 * terminal obeys them. pretty: indented by two blanks. The caller owns the text. */
char *json_printable(struct json_object *o, bool pretty) MUSTCHECK;
/* Writes a tree exactly, indented by two blanks: for a request's body. The caller owns the text. */
char *json_pretty(struct json_object *o) MUSTCHECK;
/* Redacts the secrets in all strings of a tree, in place. Names of members stay. secrets: NULL allowed. */
struct redactor;
void json_redact(struct json_object *o, const struct redactor *secrets);

/*
 * Returns a scalar as text: a string as it is, an integer in decimal, a double as the shortest text that reads back, a
 * wide number (below) as it was written, "true" or "false". NULL for null, arrays, objects and strings with a NUL
 * inside. The caller owns the text.
 */
char *json_scalar(struct json_object *o) MUSTCHECK;
/*
 * Returns the original text of a number that fits neither in 64 bits nor in a double: an integer with more digits, or
 * 1e400. NULL for every other value. Borrowed until o is changed or written.
 */
const char *json_wide(struct json_object *o);

/* Get a member of an object; NULL or the fallback where it is absent or has another type. Borrowed. */
struct json_object *json_member(struct json_object *o, const char *key);
const char *json_member_str(struct json_object *o, const char *key);
int64_t json_member_int(struct json_object *o, const char *key, int64_t fallback);
bool json_member_bool(struct json_object *o, const char *key, bool fallback);
void json_set_str(struct json_object *o, const char *key, const char *value_or_null); /* NULL: adds nothing */
void json_set_int(struct json_object *o, const char *key, int64_t value);
void json_set_bool(struct json_object *o, const char *key, bool value);

static inline void json_putp(struct json_object **o)
{
	json_object_put(*o);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * json_write: appends JSON to a buffer, without a tree and without json-c's own buffers. Pure.
 *
 * Every function adds the bytes that json_text() gives for the same value: "/" and all but ASCII stay as they are, and
 * there are no blanks.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/* Adds a string with its quotes. It may hold NULs. */
void json_write_text(struct buf *to, const char *text, size_t len);
void json_write_int(struct buf *to, int64_t value);
/* Adds a value with all that it holds; NULL: null. The text of a double is json-c's, which keeps it in the value. */
void json_write_value(struct buf *to, struct json_object *o);

#endif

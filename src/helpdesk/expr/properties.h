/* SPDX-License-Identifier: MIT */
/*
 * properties: properties of an event or a profile, before they are written as JSON. Pure.
 *
 * A list of names with values, in the order of their first setting. Each name is in it once; a later value replaces the
 * former one at its place, as in an object of json-c. Names, texts and JSON values are borrowed and must outlive the
 * list. It makes no tree: a value becomes a json-c object only where a rule reads it.
 */
#ifndef HELPDESK_EXPR_PROPERTIES_H
#define HELPDESK_EXPR_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

enum property_kind {
	PROPERTY_IS_TEXT,
	PROPERTY_IS_TIME,
	PROPERTY_IS_INT,
	PROPERTY_IS_BOOL,
	PROPERTY_IS_JSON,
};

struct property {
	const char *name;
	enum property_kind kind;
	union {
		const char *text;
		int64_t number; /* of a time, in milliseconds; of an integer; of a boolean, 0 or 1 */
		struct json_object *json;
	};
};

#define PROPERTIES_AT_ONCE 32 /* more than most events have */
struct properties {
	struct property *items; /* points to `first` while they fit, so the struct must not be copied */
	size_t n, alloc;
	struct property first[PROPERTIES_AT_ONCE];
};
void properties_init(struct properties *p);
void properties_done(struct properties *p); /* empties it, too */

/* Set a value. NULL: nothing is set. */
void properties_set_text(struct properties *p, const char *name, const char *text_or_null);
void properties_set_json(struct properties *p, const char *name, struct json_object *value_or_null);
/* A time is text for a reader, as clock_iso() writes it. */
void properties_set_time(struct properties *p, const char *name, int64_t time_ms);
void properties_set_int(struct properties *p, const char *name, int64_t value);
void properties_set_bool(struct properties *p, const char *name, bool value);
/* Sets all members of an object that are not null, or all of another list. */
void properties_set_members(struct properties *p, struct json_object *object_or_null);
void properties_set_all(struct properties *p, const struct properties *others);

/* Finds a property without regard to case, but an exact match first; NULL: there is none. Borrowed. */
const struct property *properties_find(const struct properties *p, const char *name);
/* Returns the value as an object of json-c. The caller owns a reference. */
struct json_object *property_json(const struct property *p) MUSTCHECK;

/* Returns the length of the JSON text, unless characters are escaped or there are numbers with a fraction: an estimate
 * for buf_reserve(). */
size_t properties_length(const struct properties *p);
/* Adds the list as one JSON object, as json_text() writes it. */
void properties_write(const struct properties *p, struct buf *to);

#endif

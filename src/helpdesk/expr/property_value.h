/* SPDX-License-Identifier: MIT */
/*
 * property_value: values in the types of an event's properties: text, numbers, booleans, lists of text without repeats;
 * cut to size. Pure.
 */
#ifndef HELPDESK_EXPR_PROPERTY_VALUE_H
#define HELPDESK_EXPR_PROPERTY_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/node.h"
#include "helpdesk/expr/reference.h"

#define PROPERTY_TEXT_MAX 1000 /* bytes of a text; the rest is cut off at the end of a letter */
#define PROPERTY_LIST_MAX 100  /* elements of a list; the rest is cut off */
#define PROPERTY_NAME_MAX 128  /* bytes of a property's name */

/* Returns the length of the longest beginning of text that has at most max bytes and ends with a whole letter. */
size_t property_value_cut(const char *text, size_t len, size_t max);
/* Returns a text, cut; NULL for NULL and "". The caller owns the object. */
struct json_object *property_value_text(const char *text);
/* Returns a flat value itself, not a copy; a number that no machine number holds (json_wide) as text; an array as a
 * list of text; NULL for null, an object and empty text. The caller owns a reference to the object and must not change
 * it. */
struct json_object *property_value_of(struct json_object *o);
/*
 * Adds a text to a list, which is created with its first text. NULL, "" and texts of the list are skipped. False: the
 * list is full and lacks this text.
 */
bool property_value_append(struct json_object **list, const char *text);
/* Returns the scalars as a list of text, each once, in order; NULL where there is none. The caller owns the object. */
struct json_object *property_value_list(const struct values *v);

/* Returns the value of an unquoted number, true or false of a YAML file; NULL for any other node. The caller owns it.
 */
struct json_object *property_value_literal(const struct node *n);
/* Returns NULL, or why a property cannot have that name: "begins with $". */
const char *property_value_name_fault(const char *name);
/* Writes a value for people: one short line without anything like an address. out: PROPERTY_SHOWN_MAX bytes. Returns
 * out. */
#define PROPERTY_SHOWN_MAX 96
const char *property_value_shown(const char *text, char *out);
/* As property_value_shown(), but with addresses, for the operator's eyes. */
const char *property_value_line(const char *text, char *out);

#endif

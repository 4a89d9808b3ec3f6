/* SPDX-License-Identifier: MIT */
/*
 * property_value: values as an event's properties may hold them: text, numbers, booleans, lists of text without
 * repeats; cut to size. Pure.
 */
#ifndef HELPDESK_EXPR_PROPERTY_VALUE_H
#define HELPDESK_EXPR_PROPERTY_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/node.h"
#include "helpdesk/expr/reference.h"

#define PROPERTY_TEXT_MAX 1000 /* bytes of a text; the rest is cut off at a letter's end */
#define PROPERTY_LIST_MAX 100  /* elements of a list; the rest is cut off */
#define PROPERTY_NAME_MAX 128  /* bytes of a property's name */

/* At most max bytes of text that end with a whole letter. */
size_t property_value_cut(const char *text, size_t len, size_t max);
/* NULL or "" gives NULL: an absent fact. The caller owns the object. */
struct json_object *property_value_text(const char *text);
/* The value as it is where it is flat, which is not copied; a number that no machine number holds (json_wide) as text;
 * NULL for what is nothing or an object. The caller owns a reference to the object, and does not change it. */
struct json_object *property_value_of(struct json_object *o);
/*
 * Adds a text to a list that is made with its first one. NULL, "" and what is in the list already are left out.
 * false: the list is full, and what it lacked is not in it.
 */
bool property_value_append(struct json_object **list, const char *text);
/* The scalars among them as a list of text, each once, in order; NULL where there is none. The caller owns the object.
 */
struct json_object *property_value_list(const struct values *v);

/* An unquoted number, true or false of a YAML file as what it says; NULL for any other text. The caller owns it. */
struct json_object *property_value_literal(const struct node *n);
/* NULL, or what is wrong with a property of that name: "begins with $". */
const char *property_value_name_fault(const char *name);
/* How people are shown what stood somewhere: one short line, nothing that looks like an address. out:
 * PROPERTY_SHOWN_MAX.
 */
#define PROPERTY_SHOWN_MAX 96
const char *property_value_shown(const char *text, char *out);
/* The same with addresses as they are, for the operator's own eyes. */
const char *property_value_line(const char *text, char *out);

#endif

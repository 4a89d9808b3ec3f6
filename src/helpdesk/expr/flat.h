/*
 * flat: values as an event's properties may hold them: text, numbers, booleans, lists of text without
 * repeats; cut to size. Pure.
 */
#ifndef HELPDESK_EXPR_FLAT_H
#define HELPDESK_EXPR_FLAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/node.h"
#include "helpdesk/expr/reference.h"

#define FLAT_TEXT_MAX 1000 /* bytes of a text; the rest is cut off at a letter's end */
#define FLAT_LIST_MAX 100  /* elements of a list; the rest is cut off */
#define FLAT_NAME_MAX 128  /* bytes of a property's name */

/* At most max bytes of text that end with a whole letter. */
size_t flat_cut(const char *text, size_t len, size_t max);
/* NULL or "" gives NULL: an absent fact. The caller owns the object. */
struct json_object *flat_text(const char *text);
/* The value as it is where it is flat, which is not copied; a number that no machine number holds (json_wide) as text;
 * NULL for what is nothing or an object. The caller owns a reference to the object, and does not change it. */
struct json_object *flat_value(struct json_object *o);
/*
 * Adds a text to a list that is made with its first one. NULL, "" and what is in the list already are left out.
 * false: the list is full, and what it lacked is not in it.
 */
bool flat_add(struct json_object **list, const char *text);
/* The scalars among them as a list of text, each once, in order; NULL where there is none. The caller owns the object.
 */
struct json_object *flat_list(const struct values *v);

/* An unquoted number, true or false of a YAML file as what it says; NULL for any other text. The caller owns it. */
struct json_object *flat_literal(const struct node *n);
/* NULL, or what is wrong with a property of that name: "begins with $". */
const char *flat_name_fault(const char *name);
/* How people are shown what stood somewhere: one short line, nothing that looks like an address. out: FLAT_SHOWN_MAX.
 */
#define FLAT_SHOWN_MAX 96
const char *flat_shown(const char *text, char *out);
/* The same with addresses as they are, for the operator's own eyes. */
const char *flat_line(const char *text, char *out);

#endif

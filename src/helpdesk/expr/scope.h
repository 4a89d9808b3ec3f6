/*
 * scope: what references, matchers and templates look at. Borrowed views, built on the stack for one reading.
 */
#ifndef HELPDESK_EXPR_SCOPE_H
#define HELPDESK_EXPR_SCOPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

struct scope {
	struct json_object *item;    /* "/…": the webhook's item, or a lookup's answer */
	struct json_object *root;    /* "root:/…": the whole body where it carried several items; else as item */
	const struct pairs *headers; /* "header:NAME" */
	const struct pairs *query;   /* "query:NAME", decoded */
	const struct pairs *names;   /* bare names in templates: parameters, base_url; a rule's label, transition */
	const struct pairs *taken;   /* bare names too: what lookups took. A stranger's text: escaped in URLs */
	/* The bytes that patterns may still look at in all questions together; NULL: PATTERN_TEXTS_MAX in each. */
	size_t *texts_left;
	struct json_object *properties; /* bare names in rules: the event's properties, without regard to case */
};

#endif

/*
 * scope: what references, matchers and templates look at. Borrowed views, built on the stack for one reading.
 */
#ifndef HELPDESK_SCOPE_H
#define HELPDESK_SCOPE_H

#include "base/json.h"
#include "base/text.h"

struct scope {
	struct json_object *item;       /* "/…": the webhook's item, or a lookup's answer */
	struct json_object *root;       /* "root:/…": the whole body where it carried several items; else as item */
	const struct pairs *headers;    /* "header:NAME" */
	const struct pairs *query;      /* "query:NAME", decoded */
	const struct pairs *names;      /* bare names in templates: parameters, base_url, what lookups took */
	struct json_object *properties; /* bare names in rules: the event's properties, without regard to case */
};

/* Decodes "a=b&c=d" (percent and plus). Bad escapes stay as they are. Pure. */
void scope_query(const char *raw, struct pairs *to);

#endif

#include <config.h>

#include "helpdesk/sample.h"

#include <string.h>

#include "base/json.h"
#include "helpdesk/flat.h"
#include "helpdesk/keys.h"

static struct json_object *json_of_node(const struct node *n)
{
	struct json_object *o = NULL;

	switch (n->type) {
	case NODE_NULL:
		return NULL;
	case NODE_SCALAR:
		o = flat_literal(n);
		return o ? o : json_object_new_string(n->text);
	case NODE_LIST:
		o = json_object_new_array();
		for (size_t i = 0; i < n->n; i++)
			json_object_array_add(o, json_of_node(n->items[i]));
		break;
	case NODE_MAP:
		o = json_object_new_object();
		for (size_t i = 0; i < n->n; i++)
			json_object_object_add(o, n->items[i]->key, json_of_node(n->items[i]));
		break;
	}
	return o;
}

static void sample_compile_body(struct sample *s, const struct node *n, struct problems *problems)
{
	struct json_object *o = NULL;
	struct err e;

	if (n->type != NODE_SCALAR) {
		o = json_of_node(n);
		s->body = json_pretty(o);
	} else if (json_read(n->text, strlen(n->text), &o, &e) < 0) {
		problems_error(problems, n, "this sample is not JSON: %s", e.text);
	} else {
		s->body = mem_str(n->text);
		(void)text_trim(s->body);
	}
	json_object_put(o);
}

static bool sample_has_parts(const struct node *n)
{
	return node_get(n, "body") && (node_get(n, "headers") || node_get(n, "query"));
}

static void sample_compile_headers(struct sample *s, const struct node *n, struct problems *problems)
{
	if (n && n->type != NODE_MAP) {
		problems_error(problems, n, "expected a mapping from names to values, not %s", node_kind(n));
		return;
	}
	for (size_t i = 0; n && i < n->n; i++) {
		if (n->items[i]->type == NODE_SCALAR)
			pairs_add(&s->headers, n->items[i]->key, n->items[i]->text);
		else
			problems_error(problems, n->items[i], "expected text, not %s", node_kind(n->items[i]));
	}
}

void sample_compile(struct sample *s, const struct node *n, struct problems *problems)
{
	static const char *const known[] = {"body", "headers", "query", NULL};
	const char *query = NULL;

	if (sample_has_parts(n)) {
		keys_check(n, known, problems);
		sample_compile_body(s, node_get(n, "body"), problems);
		sample_compile_headers(s, node_get(n, "headers"), problems);
		query = node_text(n, "query");
	} else if (n->type == NODE_NULL) {
		problems_error(problems, n, "expected a webhook's body, not nothing");
	} else {
		sample_compile_body(s, n, problems);
	}
	s->query = mem_str(query ? query : "");
}

void sample_done(struct sample *s)
{
	free(s->body);
	pairs_done(&s->headers);
	free(s->query);
	*s = (struct sample){0};
}

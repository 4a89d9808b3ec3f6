/* SPDX-License-Identifier: MIT */
/*
 * Searches every reference of a definition in all its samples and reports those that find nothing. It goes through the
 * definition's nodes key by key, so that a report has the place of the reference.
 */
#include <config.h>

#include "helpdesk/parse/samples_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPORT_MAX 1536
#define NAMES_MAX 512 /* bytes of the samples' names in a message */
#define NAMES_SHOWN 4 /* of the samples' names in a message */
#define KEYS_MAX 256  /* members of an object that a hint compares */

struct search {
	const struct sample_tests *tests;
	const struct node *at; /* the place of the reference */
	size_t reported;       /* the number of reports */
	bool any;              /* null and "" count as found, as a matcher may ask for them */
	const char *each;      /* pointers start at the elements of this list; NULL: at the item */
};

void sample_test_report(const struct sample_tests *all, const struct node *at, const char *fmt, ...)
{
	char text[REPORT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (all->overlaid)
		problems_warn(all->problems, at, "%s", text);
	else
		problems_error(all->problems, at, "%s", text);
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

static bool item_has(const struct search *s, const struct reference *reference, const struct eval_context *context)
{
	bool something = false;
	struct values found;

	reference_values(reference, context, &found);
	for (size_t i = 0; i < found.n && !something; i++) {
		struct json_object *o = found.items[i];

		something = o != NULL;
		if (json_object_is_type(o, json_type_string))
			something = s->any || json_object_get_string_len(o) > 0;
		else if (json_object_is_type(o, json_type_array))
			something = s->any || json_object_array_length(o) > 0;
	}
	values_done(&found);
	return something;
}

/* Returns a hint: the member nearest to the first missing key; NULL: none. The caller owns it. */
static char *item_hint(const struct reference *reference, const struct eval_context *context)
{
	const char *near = NULL;
	struct json_object *o = strncmp(reference_text(reference), "root:", 5) == 0 ? context->root : context->item;
	size_t n = 0;
	const char *names[KEYS_MAX];
	const char *key;
	struct json_object *next;

	for (size_t i = 0; (key = reference_key(reference, i)); i++, o = next) {
		if (json_object_is_type(o, json_type_array)) {
			next = json_object_array_get_idx(o, 0);
			continue;
		}
		if (!json_object_is_type(o, json_type_object))
			return NULL;
		if (json_object_object_get_ex(o, key, &next))
			continue;
		json_object_object_foreach(o, name, value)
		{
			(void)value;
			if (n < KEYS_MAX)
				names[n++] = name;
		}
		near = text_nearest(key, names, n);
		return near ? mem_fmt("; is \"%s\" meant, instead of \"%s\"?", near, key) : NULL;
	}
	return NULL;
}

static void report(const struct search *s, const struct reference *reference)
{
	CLEANUP(mem_freep) char *hint = NULL;
	struct buf names;

	buf_init(&names, NAMES_MAX);
	for (size_t i = 0; i < s->tests->n; i++) {
		const struct sample_test *one = &s->tests->items[i];

		if (i < NAMES_SHOWN)
			buf_addf(&names, "%s%s", i > 0 ? ", " : "", one->name);
		for (size_t k = 0; k < one->n && !hint; k++)
			if (one->items[k].parsed->has_item)
				hint = item_hint(reference, &one->items[k].parsed->context);
	}
	if (s->tests->n > NAMES_SHOWN)
		buf_addf(&names, " and %zu more", s->tests->n - NAMES_SHOWN);
	sample_test_report(s->tests, s->at, "\"%s\" finds nothing in any sample (%s)%s", reference_text(reference),
			   names.data, hint ? hint : "");
	buf_done(&names);
}

static void search_reference(void *ctx, const struct reference *reference)
{
	struct search *s = ctx;
	CLEANUP(mem_freep) char *text = NULL;
	struct reference *whole = NULL;
	bool found = false;

	if (reference_name(reference))
		return;
	/* A pointer from an element of `each` is searched as one pointer from the item. Where that is too long for a
	 * reference, the short one is searched. */
	if (s->each && reference_text(reference)[0] == '/')
		text = mem_fmt("%s/*%s", s->each, reference_text(reference));
	if (text && reference_compile(text, REFERENCE_NO_NAMES, &whole, NULL) < 0)
		whole = NULL;
	reference = whole ? whole : reference;
	for (size_t i = 0; i < s->tests->n && !found; i++) {
		const struct sample_test *one = &s->tests->items[i];

		for (size_t k = 0; k < one->n && !found; k++)
			found = one->items[k].parsed->has_item &&
				item_has(s, reference, &one->items[k].parsed->context);
	}
	if (!found) {
		report(s, reference);
		s->reported++;
	}
	reference_free(whole);
}

/* ---- the places of references ------------------------------------------------------------------------------------ */

static void search_text(struct search *s, const char *text)
{
	struct reference *reference = NULL;

	if (reference_compile(text, REFERENCE_NAMES, &reference, NULL) < 0)
		return;
	search_reference(s, reference);
	reference_free(reference);
}

static void search_template(struct search *s, const struct node *n)
{
	struct template *t = n && n->type == NODE_SCALAR ? template_compile_text(n->text, NULL) : NULL;

	s->at = n;
	if (t)
		template_references(t, search_reference, s);
	template_free(t);
}

/* Searches a template or a list of them; each must find a value in some sample. */
static void search_links(struct search *s, const struct node *n)
{
	search_template(s, n);
	for (size_t i = 0; n && n->type == NODE_LIST && i < n->n; i++)
		search_template(s, n->items[i]);
}

/* True where the condition asks for absence only, or for other values: the reference need not find a value. */
static bool condition_asks_for_absence(const struct node *condition)
{
	for (size_t i = 0; condition->type == NODE_MAP && i < condition->n; i++) {
		const struct node *one = condition->items[i];

		if (strcmp(one->key, "not") != 0 && (strcmp(one->key, "exists") != 0 || !text_same(one->text, "false")))
			return false;
	}
	return condition->type == NODE_MAP;
}

static void search_matcher(struct search *s, const struct node *n)
{
	if (!n)
		return;
	s->any = true;
	for (size_t i = 0; n->type == NODE_MAP && i < n->n; i++) {
		const struct node at = node_at_key(n->items[i]);

		s->at = &at;
		if (!condition_asks_for_absence(n->items[i]))
			search_text(s, n->items[i]->key);
	}
	for (size_t i = 0; n->type == NODE_LIST && i < n->n; i++)
		search_matcher(s, n->items[i]);
	s->any = false;
}

/* Searches a reference, a template, or a list of them; each must find a value in some sample. */
static void search_value_expr(struct search *s, const struct node *n)
{
	if (!n)
		return;
	s->at = n;
	if (n->type == NODE_SCALAR && n->text[0] != '/' && strchr(n->text, '{'))
		search_template(s, n);
	else if (n->type == NODE_SCALAR)
		search_text(s, n->text);
	for (size_t i = 0; n->type == NODE_LIST && i < n->n; i++)
		search_value_expr(s, n->items[i]);
	if (n->type == NODE_MAP) {
		s->each = node_text(n, "each");
		search_matcher(s, node_get(n, "when"));
		search_value_expr(s, node_get(n, "use"));
		s->each = NULL;
	}
}

/* Searches a value expression, a value map ({reference: {VALUE: text, …}}), or a list of both. */
static void search_attribute(struct search *s, const struct node *n)
{
	struct node at;

	for (size_t i = 0; n->type == NODE_LIST && i < n->n; i++)
		search_attribute(s, n->items[i]);
	if (n->type == NODE_LIST)
		return;
	if (!attribute_is_value_map(n)) {
		search_value_expr(s, n);
		return;
	}
	at = node_at_key(n->items[0]);
	s->at = &at;
	search_text(s, n->items[0]->key);
}

void sample_tests_find_unresolved(struct sample_tests *all)
{
	static const char *const matchers[] = {"ping", "opened", "reopened", "closed", "identified"};
	static const char *const exprs[] = {"delivery", "time",   "created", "closed_at",
					    "customer", "emails", "primary"};
	const struct node *lookup = node_get(all->root, "lookup");
	const struct node *attributes = node_get(all->root, "attributes");
	struct search s = {.tests = all};
	bool any_open = false;

	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->items[i].n; k++)
			any_open = any_open || all->items[i].items[k].parsed->has_item;
	if (!any_open)
		return;
	search_value_expr(&s, node_get(all->root, "conversation"));
	all->conversation_unresolved = s.reported > 0;
	for (size_t i = 0; i < sizeof(matchers) / sizeof(*matchers); i++)
		search_matcher(&s, node_get(all->root, matchers[i]));
	for (size_t i = 0; i < sizeof(exprs) / sizeof(*exprs); i++)
		search_value_expr(&s, node_get(all->root, exprs[i]));
	for (size_t i = 0; attributes && i < attributes->n; i++)
		search_attribute(&s, attributes->items[i]);
	search_links(&s, node_get(all->root, "conversation_url"));
	for (size_t i = 0; lookup && i < lookup->n; i++) {
		const struct node *step = lookup->items[i];
		const struct node *headers = node_get(step, "headers");

		search_links(&s, node_get(step, "url"));
		for (size_t k = 0; headers && k < headers->n; k++)
			search_template(&s, headers->items[k]);
		search_matcher(&s, node_get(step, "when"));
	}
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/attributes.h"

#include <string.h>

#include "helpdesk/expr/property_value.h"

#define ATTRIBUTE_WORDS_MAX 200

/* VALUE: text. A mapping without a text leaves the attribute out. */
struct value_mapping {
	char *value;
	char *text;
};

struct attribute_expr {
	struct value_expr *expr;
	struct value_mapping *mappings; /* NULL: the value itself counts */
	size_t n;
};

/* The first expression with a value counts. A list without value maps is one value_expr, and so one item. */
struct attribute {
	char *name;
	/* "Inbox ID": always text, whatever the desk sends. Klaviyo would treat 7 and "7" as different. */
	bool is_id;
	struct attribute_expr items[VALUE_EXPR_MAX];
	size_t n;
};

struct attributes {
	struct attribute items[ATTRIBUTES_MAX];
	size_t n;
};

const char *const attributes_own[ATTRIBUTES_OWN_N + 1] = {
	PROPERTY_HELPDESK,           PROPERTY_CONVERSATION_ID,  PROPERTY_OPENED_AT,    PROPERTY_CLOSED_AT,
	PROPERTY_RESOLUTION_SECONDS, PROPERTY_TOTAL_SECONDS,    PROPERTY_REOPEN_COUNT, PROPERTY_TEST,
	PROPERTY_OPEN_CONVERSATIONS, PROPERTY_CONVERSATION_URL, PROPERTY_EVENT_ID,
};
const char *const attributes_usual[] = {"Channel", "Agent", "Team", "Tags", "Initiated By", NULL};

static void attribute_expr_compile_mappings(struct attribute_expr *a, const struct node *n, struct problems *problems)
{
	if (n->type != NODE_MAP || n->n == 0 || n->n > ATTRIBUTE_WORDS_MAX) {
		problems_error(problems, n,
			       "expected a mapping from values to texts, as in {AGENT: agent, \"*\": other}");
		return;
	}
	a->mappings = mem_new(n->n, sizeof(*a->mappings));
	for (; a->n < n->n; a->n++) {
		const struct node *word = n->items[a->n];

		if (word->type != NODE_SCALAR && word->type != NODE_NULL)
			problems_error(problems, word, "expected text, not %s", node_kind(word));
		a->mappings[a->n] = (struct value_mapping){.value = mem_str(word->key), .text = mem_str(word->text)};
	}
}

/* True for "someone": neither a reference nor a template, so perhaps meant literally. */
static bool is_bare_text(const struct node *n)
{
	struct reference *r = NULL;
	bool is;

	if (n->type != NODE_SCALAR || n->text[0] == '/' || strpbrk(n->text, "{}") ||
	    strncmp(n->text, "root:", 5) == 0 || strncmp(n->text, "header:", 7) == 0 ||
	    strncmp(n->text, "query:", 6) == 0)
		return false;
	is = reference_compile(n->text, REFERENCE_NO_NAMES, &r, NULL) < 0;
	reference_free(r);
	return is;
}

bool attribute_is_value_map(const struct node *n)
{
	return n->type == NODE_MAP && n->n == 1 && !value_expr_is_choice(n);
}

static void attribute_expr_compile(struct attribute_expr *a, const struct node *n, struct problems *problems)
{
	if (attribute_is_value_map(n)) {
		a->expr = value_expr_compile_text(n->items[0], n->items[0]->key, problems);
		attribute_expr_compile_mappings(a, n->items[0], problems);
	} else if (is_bare_text(n)) {
		problems_error(problems, n,
			       "\"%.64s\" is no reference (\"/…\"): expected one, a template (\"{/…} {/…}\"; what a "
			       "lookup takes "
			       "stands in braces, too), a list of them, or {reference: {VALUE: text, \"*\": text}}; "
			       "for the same "
			       "text in every event write {/some/reference: {\"*\": %.64s}}",
			       n->text, n->text);
	} else if (n->type == NODE_SCALAR || n->type == NODE_LIST || value_expr_is_choice(n)) {
		a->expr = value_expr_compile(n, VALUE_EXPR_PROPERTY, problems);
	} else {
		problems_error(problems, n,
			       "expected a reference, a template, {reference: {VALUE: text, \"*\": text}}, {when: "
			       "MATCHER, use: "
			       "REFERENCE}, {each: POINTER, when: MATCHER, use: REFERENCE}, or a list of them, not %s",
			       n->type == NODE_MAP ? "a mapping of several" : node_kind(n));
	}
}

static void attribute_compile(struct attribute *a, const struct node *n, struct problems *problems)
{
	const char *fault = property_value_name_fault(n->key);
	bool has_value_map = false;
	size_t len;

	if (fault)
		problems_error(problems, n, "the name \"%.64s\" %s", n->key, fault);
	for (size_t i = 0; attributes_own[i]; i++)
		if (text_same(n->key, attributes_own[i]))
			problems_error(problems, n,
				       "\"%s\" is a property that every event has by itself; choose another name",
				       n->key);
	a->name = mem_str(n->key);
	len = strlen(a->name);
	a->is_id = len >= 2 && strcmp(a->name + len - 2, "ID") == 0;
	for (size_t i = 0; n->type == NODE_LIST && i < n->n; i++)
		has_value_map = has_value_map || attribute_is_value_map(n->items[i]);
	if (!has_value_map || n->n > VALUE_EXPR_MAX) {
		attribute_expr_compile(&a->items[a->n++], n, problems);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		if (n->items[i]->type == NODE_LIST)
			problems_error(problems, n->items[i], "expected no list inside a list");
		else
			attribute_expr_compile(&a->items[a->n++], n->items[i], problems);
	}
}

struct attributes *attributes_compile(const struct node *n, struct problems *problems)
{
	struct attributes *a = mem_new(1, sizeof(*a));
	size_t errors = problems->errors;

	if (n->type != NODE_MAP || n->n > ATTRIBUTES_MAX)
		problems_error(problems, n, "expected a mapping from names to references (at most %d)", ATTRIBUTES_MAX);
	else
		for (; a->n < n->n; a->n++)
			attribute_compile(&a->items[a->n], n->items[a->n], problems);
	if (problems->errors == errors)
		return a;
	attributes_free(a);
	return NULL;
}

void attributes_free(struct attributes *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++) {
		free(a->items[i].name);
		for (size_t k = 0; k < a->items[i].n; k++) {
			struct attribute_expr *from = &a->items[i].items[k];

			for (size_t w = 0; w < from->n; w++) {
				free(from->mappings[w].value);
				free(from->mappings[w].text);
			}
			free(from->mappings);
			value_expr_free(from->expr);
		}
	}
	free(a);
}

/* ---- value maps -------------------------------------------------------------------------------------------------- */

/* Returns the mapping of a value, or that of "*"; NULL: neither. */
static const struct value_mapping *attribute_expr_mapping(const struct attribute_expr *a, const char *value)
{
	const struct value_mapping *other = NULL;

	for (size_t i = 0; i < a->n; i++) {
		if (text_same(a->mappings[i].value, value))
			return &a->mappings[i];
		if (strcmp(a->mappings[i].value, "*") == 0)
			other = &a->mappings[i];
	}
	return other;
}

/* Returns the text for a value; NULL: the value is left out. */
static const char *attribute_expr_mapped(const struct attribute_expr *a, const char *value)
{
	const struct value_mapping *mapping = attribute_expr_mapping(a, value);

	return mapping ? mapping->text : NULL;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Returns the value. With a value map, a list gives a text for each element that has one, each once; NULL where none
 * has. */
static struct json_object *attribute_expr_read(const struct attribute_expr *a, const struct eval_context *s)
{
	struct json_object *value = value_expr_json(a->expr, s);
	struct json_object *mapped = NULL;

	if (!a->mappings)
		return value;
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			(void)property_value_append(
				&mapped,
				attribute_expr_mapped(a, json_object_get_string(json_object_array_get_idx(value, i))));
	} else {
		CLEANUP(mem_freep) char *own = NULL;
		const char *text = value_peek(value, &own);

		mapped = text ? property_value_text(attribute_expr_mapped(a, text)) : NULL;
	}
	json_object_put(value);
	return mapped;
}

/* from: set to the expression that gives the value, where one does. */
static struct json_object *attribute_read(const struct attribute *a, const struct eval_context *s,
					  const struct attribute_expr **from)
{
	struct json_object *value = NULL;

	for (size_t i = 0; i < a->n && !value; i++) {
		*from = &a->items[i];
		value = attribute_expr_read(*from, s);
	}
	if (a->is_id && value && !json_object_is_type(value, json_type_array)) {
		CLEANUP(mem_freep) char *text = json_scalar(value);

		json_object_put(value);
		value = property_value_text(text);
	}
	return value;
}

struct json_object *attributes_read(const struct attributes *a, const struct eval_context *s)
{
	struct json_object *o = a ? json_object_new_object() : NULL;
	const struct attribute_expr *from;

	for (size_t i = 0; a && i < a->n; i++) {
		struct json_object *value = attribute_read(&a->items[i], s, &from);

		if (value)
			json_object_object_add(o, a->items[i].name, value);
	}
	return o;
}

void attributes_each(const struct attributes *a, const struct eval_context *s,
		     void (*fn)(void *ctx, const char *name, const struct value_expr *from, struct json_object *value),
		     void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++) {
		const struct attribute *one = &a->items[i];
		const struct attribute_expr *from = NULL;
		CLEANUP(json_putp) struct json_object *value = attribute_read(one, s, &from);

		if (value)
			fn(ctx, one->name, from->expr, value);
		for (size_t k = 0; k < one->n && !value; k++)
			fn(ctx, one->name, one->items[k].expr, NULL);
	}
}

static void attribute_expr_unmapped(const struct attribute_expr *a, const struct eval_context *s, const char *name,
				    void (*fn)(void *ctx, const char *name, const struct value_expr *from,
					       const char *value),
				    void *ctx)
{
	CLEANUP(json_putp) struct json_object *value = a->mappings ? value_expr_json(a->expr, s) : NULL;
	bool list = json_object_is_type(value, json_type_array);

	for (size_t i = 0; value && i < (list ? json_object_array_length(value) : 1); i++) {
		CLEANUP(mem_freep) char *text = json_scalar(list ? json_object_array_get_idx(value, i) : value);

		if (text && !attribute_expr_mapping(a, text))
			fn(ctx, name, a->expr, text);
	}
}

void attributes_unmapped(const struct attributes *a, const struct eval_context *s,
			 void (*fn)(void *ctx, const char *name, const struct value_expr *from, const char *value),
			 void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++) {
		const struct attribute *one = &a->items[i];
		bool given = false;

		for (size_t k = 0; k < one->n && !given; k++) {
			CLEANUP(json_putp) struct json_object *value = attribute_expr_read(&one->items[k], s);

			attribute_expr_unmapped(&one->items[k], s, one->name, fn, ctx);
			given = value != NULL;
		}
	}
}

void attributes_names(const struct attributes *a, void (*fn)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++)
		fn(ctx, a->items[i].name);
}

void attributes_references_of(const struct attributes *a, size_t i, void (*fn)(void *ctx, const struct reference *r),
			      void *ctx)
{
	for (size_t k = 0; k < a->items[i].n; k++)
		value_expr_references(a->items[i].items[k].expr, fn, ctx);
}

void attributes_references(const struct attributes *a, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++)
		attributes_references_of(a, i, fn, ctx);
}

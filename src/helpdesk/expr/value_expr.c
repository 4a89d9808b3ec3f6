/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/value_expr.h"

#include <string.h>

#include "base/buf.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"
#include "helpdesk/expr/matcher.h"
#include "helpdesk/expr/pattern.h"

#define VALUE_EXPR_WHEN_BYTES 400 /* of a matcher, in the text for people */
#define VALUE_EXPR_WRITTEN_BYTES (VALUE_EXPR_MAX * (4800 + VALUE_EXPR_WHEN_BYTES))

/* A reference, a template, or the body; of a property also a value of each element of a list. */
struct alternative {
	struct reference *reference;
	struct template *template;
	bool body;
	struct matcher *when;   /* NULL: always */
	struct reference *each; /* the list whose elements the rest reads; NULL: the rest reads the webhook */
	char *written;          /* of `each`; NULL: as the reference or template is written */
};

struct value_expr {
	struct alternative items[VALUE_EXPR_MAX];
	size_t n;
	enum value_expr_kind kind;
	char *written; /* of several alternatives; NULL: as the only one is written */
};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static void value_expr_add(struct value_expr *f, const struct node *at, const char *text, struct problems *problems)
{
	struct alternative *a = &f->items[f->n++];
	struct err e;

	if (f->kind == VALUE_EXPR_DELIVERY && strcmp(text, VALUE_EXPR_BODY) == 0) {
		a->body = true;
		return;
	}
	if (text[0] != '/' && strchr(text, '{')) {
		a->template = template_compile_text(text, &e);
		if (a->template && !template_is_fixed(a->template))
			return;
		if (a->template)
			(void)err_set(&e, 0, "\"%.64s\" has no reference in it", text);
	} else if (reference_compile(text, REFERENCE_NO_NAMES, &a->reference, &e) == 0) {
		return;
	}
	problems_error(problems, at, "%s", e.text);
}

/* Returns the text for people: the reference, and the elements for which it counts. A long matcher is left out. The
 * caller owns it. */
static char *alternative_write(const struct alternative *a, const char *each, const char *use)
{
	char *written;
	struct buf b;

	buf_init(&b, VALUE_EXPR_WHEN_BYTES);
	if (a->when) {
		buf_adds(&b, " where ");
		matcher_describe(a->when, &b);
	}
	written = mem_fmt("%s/*%s%s%s", each, use[0] == '/' ? "" : " ", use, b.error < 0 ? "" : b.data);
	buf_done(&b);
	return written;
}

bool value_expr_is_choice(const struct node *n)
{
	return n->type == NODE_MAP && (node_get(n, "use") || node_get(n, "when") || node_get(n, "each"));
}

/*
 * Adds {when: MATCHER, use: reference}, which counts only for webhooks for which the matcher holds, or {each: pointer,
 * when: MATCHER, use: reference}, for elements; without `when`, for all.
 */
static void value_expr_add_choice(struct value_expr *f, const struct node *n, struct problems *problems)
{
	static const char *const one[] = {"when", "use", NULL};
	static const char *const property[] = {"each", "when", "use", NULL};
	const struct node *each = node_get(n, "each");
	const struct node *when = node_get(n, "when");
	const struct node *use = node_get(n, "use");
	struct alternative *a;
	struct err e;

	if (each && f->kind != VALUE_EXPR_PROPERTY) {
		problems_error(problems, each,
			       "`each` gives a list, and one value is expected here: only `attributes` know it");
		return;
	}
	keys_check(n, f->kind == VALUE_EXPR_PROPERTY ? property : one, problems);
	if ((!when && !each) || !use || use->type != NODE_SCALAR) {
		problems_error(problems, n, "expected {when: MATCHER, use: REFERENCE}%s",
			       f->kind == VALUE_EXPR_PROPERTY ? " or {each: POINTER, when: MATCHER, use: REFERENCE}"
							      : "");
		return;
	}
	a = &f->items[f->n];
	value_expr_add(f, use, use->text, problems);
	a->when = when ? matcher_compile(when, REFERENCE_NO_NAMES, problems) : NULL;
	if (each && each->type != NODE_SCALAR)
		problems_error(problems, each, "expected a JSON Pointer to a list (\"/…\"), not %s", node_kind(each));
	else if (each && reference_compile_array(each->text, &a->each, &e) < 0)
		problems_error(problems, each, "%s", e.text);
	else if (each)
		a->written = alternative_write(a, each->text, use->text);
}

static void value_expr_add_all(struct value_expr *f, const struct node *n, struct problems *problems)
{
	if (n->n == 0 || n->n > VALUE_EXPR_MAX) {
		problems_error(problems, n,
			       "expected a list of 1 to %d references, of which the first that finds "
			       "something counts",
			       VALUE_EXPR_MAX);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		const struct node *one = n->items[i];

		if (one->type == NODE_SCALAR)
			value_expr_add(f, one, one->text, problems);
		else if (one->type == NODE_MAP)
			value_expr_add_choice(f, one, problems);
		else
			problems_error(problems, one,
				       "expected a reference (\"/…\"), a template, or {when: MATCHER, use: REFERENCE}, "
				       "not %s",
				       node_kind(one));
	}
}

static const char *alternative_written(const struct alternative *a)
{
	if (a->body)
		return VALUE_EXPR_BODY;
	if (a->written)
		return a->written;
	return a->reference ? reference_text(a->reference) : template_text(a->template);
}

/* Returns f; frees it and returns NULL where there were errors. */
static struct value_expr *value_expr_end(struct value_expr *f, size_t errors, const struct problems *problems)
{
	struct buf b;

	if (problems->errors > errors) {
		value_expr_free(f);
		return NULL;
	}
	if (f->n > 1) {
		buf_init(&b, VALUE_EXPR_WRITTEN_BYTES);
		for (size_t i = 0; i < f->n; i++)
			buf_addf(&b, "%s%s", i > 0 ? " or " : "", alternative_written(&f->items[i]));
		f->written = buf_take(&b);
	}
	return f;
}

struct value_expr *value_expr_compile_text(const struct node *at, const char *text, struct problems *problems)
{
	struct value_expr *f = mem_new(1, sizeof(*f));
	size_t errors = problems->errors;

	value_expr_add(f, at, text, problems);
	return value_expr_end(f, errors, problems);
}

struct value_expr *value_expr_compile(const struct node *n, enum value_expr_kind kind, struct problems *problems)
{
	struct value_expr *f = mem_new(1, sizeof(*f));
	size_t errors = problems->errors;

	f->kind = kind;
	if (n->type == NODE_SCALAR)
		value_expr_add(f, n, n->text, problems);
	else if (n->type == NODE_LIST)
		value_expr_add_all(f, n, problems);
	else if (value_expr_is_choice(n))
		value_expr_add_choice(f, n, problems);
	else
		problems_error(problems, n,
			       "expected a reference (\"/…\"), a template (\"{/…} {/…}\") or a list of them, not %s",
			       node_kind(n));
	return value_expr_end(f, errors, problems);
}

void value_expr_free(struct value_expr *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		reference_free(f->items[i].reference);
		template_free(f->items[i].template);
		matcher_free(f->items[i].when);
		reference_free(f->items[i].each);
		free(f->items[i].written);
	}
	free(f->written);
	free(f);
}

const char *value_expr_written(const struct value_expr *f)
{
	return f->written ? f->written : alternative_written(&f->items[0]);
}

void value_expr_references(const struct value_expr *f, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->items[i].when)
			matcher_references(f->items[i].when, fn, ctx);
		if (f->items[i].reference)
			fn(ctx, f->items[i].reference);
		else if (f->items[i].template)
			template_references(f->items[i].template, fn, ctx);
	}
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool alternative_counts(const struct alternative *a, const struct eval_context *s)
{
	return !a->when || matcher_holds(a->when, s);
}

static char *template_value(const struct template *t, const struct eval_context *s)
{
	char *text = NULL;

	return template_render(t, s, TEMPLATE_PLAIN, &text, NULL) == 0 ? text : NULL;
}

/* Returns the first alternative that counts and has a text or is the body; NULL: none. *ret_text is NULL for the body
 * and for none. own: as for value_expr_peek(). */
static const struct alternative *value_expr_find(const struct value_expr *f, const struct eval_context *s,
						 const char **ret_text, char **own)
{
	*ret_text = NULL;
	for (size_t i = 0; i < f->n; i++) {
		const struct alternative *a = &f->items[i];

		INSIST(!a->each);
		if (!alternative_counts(a, s))
			continue;
		if (a->reference)
			*ret_text = reference_peek(a->reference, s, own);
		else if (!a->body)
			*ret_text = *own = template_value(a->template, s);
		if (a->body || *ret_text)
			return a;
	}
	return NULL;
}

const char *value_expr_peek(const struct value_expr *f, const struct eval_context *s, char **own)
{
	const char *text;

	(void)value_expr_find(f, s, &text, own);
	return text;
}

char *value_expr_text(const struct value_expr *f, const struct eval_context *s)
{
	char *own = NULL;
	const char *text = value_expr_peek(f, s, &own);

	return own ? own : mem_str(text);
}

bool value_expr_is_body(const struct value_expr *f, const struct eval_context *s)
{
	CLEANUP(mem_freep) char *own = NULL;
	const char *text;
	const struct alternative *a = value_expr_find(f, s, &text, &own);

	return a && a->body;
}

bool value_expr_may_be_body(const struct value_expr *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].body)
			return true;
	return false;
}

/* Adds the values of one element of `each`. False: the list is full. */
static bool element_add(const struct alternative *a, const struct eval_context *s, struct json_object *element,
			size_t *texts_left, struct json_object **list)
{
	struct eval_context at = *s;
	struct values v = {0};
	bool room = true;

	at.item = element;
	at.texts_left = texts_left;
	at.root = s->root ? s->root : s->item;
	if (!alternative_counts(a, &at))
		return true;
	if (a->template) {
		CLEANUP(mem_freep) char *text = template_value(a->template, &at);

		return property_value_append(list, text);
	}
	reference_values(a->reference, &at, &v);
	for (size_t i = 0; i < v.n && room; i++) {
		CLEANUP(mem_freep) char *own = NULL;

		room = property_value_append(list, value_peek(v.items[i], &own));
	}
	values_done(&v);
	return room;
}

/* Returns the list of `each`. An object counts as the list of its members, as with "*". The cost is bounded for any
 * number of elements. */
static struct json_object *each_value(const struct alternative *a, const struct eval_context *s)
{
	size_t texts_left = PATTERN_TEXTS_MAX;
	size_t n = 0;
	struct json_object *list = NULL;
	bool room = true;
	struct values v;

	reference_values(a->each, s, &v);
	if (v.n > 0 && json_object_is_type(v.items[0], json_type_array)) {
		for (; n < json_object_array_length(v.items[0]) && n < VALUES_MAX && room; n++)
			room = element_add(a, s, json_object_array_get_idx(v.items[0], n), &texts_left, &list);
	} else if (v.n > 0 && json_object_is_type(v.items[0], json_type_object)) {
		json_object_object_foreach(v.items[0], key, member)
		{
			(void)key;
			room = room && n++ < VALUES_MAX && element_add(a, s, member, &texts_left, &list);
		}
	}
	values_done(&v);
	return list;
}

static struct json_object *alternative_value(const struct alternative *a, const struct eval_context *s)
{
	struct json_object *value = NULL;
	struct values v;

	if (a->each)
		return each_value(a, s);
	if (a->body || !alternative_counts(a, s))
		return NULL;
	if (!a->reference) {
		CLEANUP(mem_freep) char *text = template_value(a->template, s);

		return property_value_text(text);
	}
	reference_values(a->reference, s, &v);
	if (reference_stars(a->reference) > 0)
		value = property_value_list(&v);
	else if (v.n > 0)
		value = property_value_of(v.items[0]);
	values_done(&v);
	return value;
}

struct json_object *value_expr_json(const struct value_expr *f, const struct eval_context *s)
{
	struct json_object *value = NULL;

	for (size_t i = 0; i < f->n && !value; i++)
		value = alternative_value(&f->items[i], s);
	return value;
}

const char *value_expr_mismatch(const struct value_expr *f, const struct eval_context *s)
{
	const char *oddity = NULL;
	struct values v;

	for (size_t i = 0; i < f->n && !oddity; i++) {
		if (!f->items[i].reference || !alternative_counts(&f->items[i], s))
			continue;
		reference_values(f->items[i].reference, s, &v);
		for (size_t k = 0; k < v.n && !oddity; k++) {
			if (json_object_is_type(v.items[k], json_type_object))
				oddity = "an object";
			else if (json_object_is_type(v.items[k], json_type_array))
				oddity = "a list";
		}
		values_done(&v);
	}
	return oddity;
}

/* Keeps the last reference that is no name: a name is the operator's text, the others point into the webhook. */
static void keep_last(void *ctx, const struct reference *r)
{
	const struct reference **last = ctx;

	if (!*last || reference_name(*last) || !reference_name(r))
		*last = r;
}

const struct reference *value_expr_target(const struct value_expr *f, const struct eval_context *s)
{
	CLEANUP(mem_freep) char *own = NULL;
	const char *text;
	const struct alternative *a = value_expr_find(f, s, &text, &own);
	const struct reference *last;

	if (!a)
		a = &f->items[0];
	last = a->reference;
	if (!last && a->template)
		template_references(a->template, keep_last, &last);
	return last;
}

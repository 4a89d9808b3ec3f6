/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/matcher.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"
#include "helpdesk/expr/pattern.h"

#define MATCHER_CLAUSES_MAX 100
#define MATCHER_TESTS_MAX 50
#define MATCHER_TEXTS_MAX 500

enum condition_kind {
	CONDITION_IS,
	CONDITION_NOT,
	CONDITION_MATCHES,
	CONDITION_EXISTS,
	CONDITION_CONTAINS,
};

struct condition {
	enum condition_kind kind;
	struct strings texts; /* is, not, contains: one of these; matches: the pattern */
	bool exists;
	struct pattern *pattern; /* matches */
};

/* One reference. All of its conditions must hold. */
struct test {
	struct reference *reference;
	struct condition *conditions;
	size_t n;
};

/* All tests must hold. */
struct clause {
	struct test *tests;
	size_t n;
};

/* One clause must hold. */
struct matcher {
	struct clause *clauses;
	size_t n;
};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static void condition_add_text(struct condition *c, const struct node *n, struct problems *problems)
{
	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected text, not %s%s", node_kind(n),
			       n->type == NODE_NULL ? "; for a value that is not there write {exists: false}" : "");
		return;
	}
	if (c->texts.n == MATCHER_TEXTS_MAX) {
		problems_error(problems, n, "more than %d values", MATCHER_TEXTS_MAX);
		return;
	}
	strings_add(&c->texts, n->text);
}

static void condition_compile_texts(struct condition *c, const struct node *n, struct problems *problems)
{
	if (n->type != NODE_LIST) {
		condition_add_text(c, n, problems);
		return;
	}
	if (n->n == 0)
		problems_error(problems, n, "an empty list never holds: expected one value at least");
	for (size_t i = 0; i < n->n; i++)
		condition_add_text(c, n->items[i], problems);
}

static void condition_compile_regex(struct condition *c, const struct node *n, struct problems *problems)
{
	struct err e;

	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected a regular expression as text, not %s", node_kind(n));
		return;
	}
	condition_add_text(c, n, problems);
	if (pattern_compile(n->text, &c->pattern, &e) < 0)
		problems_error(problems, n, "%s", e.text);
}

static struct condition *test_add(struct test *t, enum condition_kind kind)
{
	MEM_ROOM(t->conditions, t->n);
	t->conditions[t->n] = (struct condition){.kind = kind};
	return &t->conditions[t->n++];
}

static void test_compile_mapping(struct test *t, const struct node *n, struct problems *problems)
{
	static const char *const known[] = {"not", "matches", "exists", "contains", NULL};

	keys_check(n, known, problems);
	if (n->n == 0)
		problems_error(problems, n, "expected one of not, matches, exists, contains");
	for (size_t i = 0; i < n->n; i++) {
		const struct node *member = n->items[i];

		if (strcmp(member->key, "not") == 0)
			condition_compile_texts(test_add(t, CONDITION_NOT), member, problems);
		else if (strcmp(member->key, "contains") == 0)
			condition_compile_texts(test_add(t, CONDITION_CONTAINS), member, problems);
		else if (strcmp(member->key, "matches") == 0)
			condition_compile_regex(test_add(t, CONDITION_MATCHES), member, problems);
		else if (strcmp(member->key, "exists") == 0)
			test_add(t, CONDITION_EXISTS)->exists = keys_bool(member, true, problems);
	}
}

static void clause_compile(struct matcher *m, const struct node *n, enum reference_names names,
			   struct problems *problems)
{
	struct clause *c;
	struct err e;

	if (n->type != NODE_MAP || n->n == 0 || n->n > MATCHER_TESTS_MAX) {
		problems_error(problems, n, "expected a mapping from references to conditions (1 to %d), not %s",
			       MATCHER_TESTS_MAX, n->n > 0 && n->type == NODE_MAP ? "so many" : node_kind(n));
		return;
	}
	MEM_ROOM(m->clauses, m->n);
	c = &m->clauses[m->n++];
	*c = (struct clause){.tests = mem_new(n->n, sizeof(*c->tests))};
	for (; c->n < n->n; c->n++) {
		const struct node *one = n->items[c->n];
		struct test *t = &c->tests[c->n];

		if (reference_compile(one->key, names, &t->reference, &e) < 0)
			problems_error(problems, one, "%s", e.text);
		if (one->type == NODE_MAP)
			test_compile_mapping(t, one, problems);
		else
			condition_compile_texts(test_add(t, CONDITION_IS), one, problems);
	}
}

struct matcher *matcher_compile(const struct node *n, enum reference_names names, struct problems *problems)
{
	struct matcher *m = mem_new(1, sizeof(*m));
	size_t errors = problems->errors;

	if (n->type != NODE_LIST) {
		clause_compile(m, n, names, problems);
	} else if (n->n == 0 || n->n > MATCHER_CLAUSES_MAX) {
		problems_error(problems, n, "expected 1 to %d matchers in the list", MATCHER_CLAUSES_MAX);
	} else {
		for (size_t i = 0; i < n->n; i++)
			clause_compile(m, n->items[i], names, problems);
	}
	if (problems->errors == errors)
		return m;
	matcher_free(m);
	return NULL;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		for (size_t j = 0; j < m->clauses[i].n; j++) {
			struct test *t = &m->clauses[i].tests[j];

			reference_free(t->reference);
			for (size_t k = 0; k < t->n; k++) {
				strings_done(&t->conditions[k].texts);
				pattern_free(t->conditions[k].pattern);
			}
			free(t->conditions);
		}
		free(m->clauses[i].tests);
	}
	free(m->clauses);
	free(m);
}

/* ---- evaluating -------------------------------------------------------------------------------------------------- */

/* True where the text equals one of the texts; part: contains one of them. */
static bool condition_has(const struct condition *c, const char *text, bool part)
{
	for (size_t i = 0; i < c->texts.n; i++)
		if (part ? strcasestr(text, c->texts.items[i]) != NULL : text_same(c->texts.items[i], text))
			return true;
	return false;
}

/* Tests one scalar. left: the bytes that a pattern may still read. */
static bool condition_finds(const struct condition *c, struct json_object *o, bool in_list, size_t *left)
{
	CLEANUP(mem_freep) char *own = NULL;
	const char *text = value_peek(o, &own);

	if (!text)
		return false;
	if (c->kind == CONDITION_MATCHES)
		return pattern_is_found(c->pattern, text, left);
	/* A list contains an element as a whole; a text contains a part. */
	return condition_has(c, text, c->kind == CONDITION_CONTAINS && !in_list);
}

/* Tests all values. texts_left: as in the context. */
static bool condition_holds(const struct condition *c, const struct values *v, size_t *texts_left)
{
	size_t own = PATTERN_TEXTS_MAX;
	size_t *left = texts_left ? texts_left : &own;
	bool any = false;

	for (size_t i = 0; i < v->n && !any; i++) {
		struct json_object *o = v->items[i];

		if (c->kind == CONDITION_EXISTS)
			any = o != NULL;
		else if (!json_object_is_type(o, json_type_array))
			any = condition_finds(c, o, false, left);
		else
			for (size_t j = 0; j < json_object_array_length(o) && j < VALUES_MAX && !any; j++)
				any = condition_finds(c, json_object_array_get_idx(o, j), true, left);
	}
	if (c->kind == CONDITION_EXISTS)
		return any == c->exists;
	return any != (c->kind == CONDITION_NOT);
}

static bool test_holds(const struct test *t, const struct values *v, size_t *texts_left)
{
	for (size_t i = 0; i < t->n; i++)
		if (!condition_holds(&t->conditions[i], v, texts_left))
			return false;
	return true;
}

/* ---- describing -------------------------------------------------------------------------------------------------- */

static void condition_describe(const struct condition *c, struct buf *to)
{
	switch (c->kind) {
	case CONDITION_IS:
		buf_adds(to, c->texts.n > 1 ? "is one of " : "is ");
		break;
	case CONDITION_NOT:
		buf_adds(to, c->texts.n > 1 ? "is none of " : "is not ");
		break;
	case CONDITION_MATCHES:
		buf_adds(to, "matches ");
		break;
	case CONDITION_CONTAINS:
		buf_adds(to, c->texts.n > 1 ? "contains one of " : "contains ");
		break;
	case CONDITION_EXISTS:
		buf_adds(to, c->exists ? "exists" : "does not exist");
		break;
	}
	for (size_t i = 0; i < c->texts.n; i++)
		buf_addf(to, "%s%s", i > 0 ? ", " : "", c->texts.items[i]);
}

static void test_describe(const struct test *t, struct buf *to)
{
	buf_addf(to, "%s ", reference_text(t->reference));
	for (size_t i = 0; i < t->n; i++) {
		if (i > 0)
			buf_adds(to, " and ");
		condition_describe(&t->conditions[i], to);
	}
}

void matcher_describe(const struct matcher *m, struct buf *to)
{
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_adds(to, ", or ");
		for (size_t j = 0; j < m->clauses[i].n; j++) {
			if (j > 0)
				buf_adds(to, " and ");
			test_describe(&m->clauses[i].tests[j], to);
		}
	}
}

/* Describes the values found: the first, and the number of the others. */
static void values_describe(const struct values *v, struct buf *to)
{
	CLEANUP(mem_freep) char *text = NULL;
	char shown[PROPERTY_SHOWN_MAX];

	if (v->n == 0) {
		buf_adds(to, "there is nothing");
		return;
	}
	text = json_text(v->items[0]);
	buf_addf(to, "there is %s", property_value_shown(text, shown));
	if (v->n > 1)
		buf_addf(to, " and %zu more", v->n - 1);
}

/* Evaluates a clause. to: gets a line for each test; NULL: no lines. */
static bool clause_holds(const struct clause *c, const struct eval_context *s, struct buf *to)
{
	bool all = true;

	for (size_t i = 0; i < c->n && all; i++) {
		const struct test *t = &c->tests[i];
		struct values v;

		reference_values(t->reference, s, &v);
		all = test_holds(t, &v, s->texts_left);
		if (to) {
			test_describe(t, to);
			buf_adds(to, all ? ": yes" : ": no, ");
			if (!all)
				values_describe(&v, to);
			buf_addc(to, '\n');
		}
		values_done(&v);
	}
	return all;
}

bool matcher_explain(const struct matcher *m, const struct eval_context *s, struct buf *to)
{
	for (size_t i = 0; i < m->n; i++)
		if (clause_holds(&m->clauses[i], s, to))
			return true;
	return false;
}

void matcher_explain_no(const struct matcher *m, const struct eval_context *s, struct buf *to)
{
	for (size_t i = 0; i < m->n; i++) {
		bool holds = true;

		for (size_t k = 0; k < m->clauses[i].n && holds; k++) {
			const struct test *t = &m->clauses[i].tests[k];
			struct values v;

			reference_values(t->reference, s, &v);
			holds = test_holds(t, &v, s->texts_left);
			if (!holds) {
				buf_addf(to, "%s%s: ", i > 0 ? "; " : "", reference_text(t->reference));
				values_describe(&v, to);
			}
			values_done(&v);
		}
	}
}

void matcher_references(const struct matcher *m, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->clauses[i].n; j++)
			fn(ctx, m->clauses[i].tests[j].reference);
}

/* ---- one reference ----------------------------------------------------------------------------------------------- */

/* Evaluates a clause without its conditions on the reference. *ret_asks: it has some. */
static bool clause_holds_but(const struct clause *c, const char *reference, const struct eval_context *s,
			     bool *ret_asks)
{
	bool holds = true;

	*ret_asks = false;
	for (size_t i = 0; i < c->n && holds; i++) {
		struct values v;

		if (strcmp(reference_text(c->tests[i].reference), reference) == 0) {
			*ret_asks = true;
			continue;
		}
		reference_values(c->tests[i].reference, s, &v);
		holds = test_holds(&c->tests[i], &v, s->texts_left);
		values_done(&v);
	}
	return holds;
}

bool matcher_depends_on(const struct matcher *m, const char *reference, const struct eval_context *s)
{
	bool depends = false;
	bool asks;

	for (size_t i = 0; i < m->n; i++) {
		if (!clause_holds_but(&m->clauses[i], reference, s, &asks))
			continue;
		if (!asks)
			return false;
		depends = true;
	}
	return depends;
}

static bool condition_names(const struct condition *c, const char *value)
{
	size_t left = PATTERN_TEXTS_MAX;

	switch (c->kind) {
	case CONDITION_IS:
	case CONDITION_NOT:
	case CONDITION_CONTAINS:
		return condition_has(c, value, c->kind == CONDITION_CONTAINS);
	case CONDITION_MATCHES:
		return pattern_is_found(c->pattern, value, &left);
	case CONDITION_EXISTS:
		break;
	}
	return false;
}

bool matcher_names(const struct matcher *m, const char *reference, const char *value)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->clauses[i].n; j++) {
			const struct test *t = &m->clauses[i].tests[j];

			if (strcmp(reference_text(t->reference), reference) != 0)
				continue;
			for (size_t k = 0; k < t->n; k++)
				if (condition_names(&t->conditions[k], value))
					return true;
		}
	return false;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/states.h"

#include <string.h>

#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"

#define STATE_FIELDS_MAX 8
#define STATES_MAX 200        /* of one reference */
#define MEANINGS_TEXT_MAX 500 /* bytes of the meanings in a message */
#define STATE_WILDCARD "*"
#define NO_STATE "(no state means this)" /* replaces an empty list of states, as a condition needs one state */

struct meaning {
	char *text;
	bool asked; /* a matcher has {means: text} */
};

struct state_field {
	struct reference *reference;
	struct meaning *meanings;
	size_t meanings_n;
	struct pairs states;  /* state → meaning, "" for nothing; without "*" */
	const char *wildcard; /* the meaning of "*", one of meanings; NULL: none */
	char *meanings_text;  /* "open or closed": the meanings that matchers ask for */
};

struct states {
	struct state_field fields[STATE_FIELDS_MAX];
	size_t n;
};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static struct meaning *state_field_meaning(struct state_field *p, const char *meaning)
{
	for (size_t i = 0; i < p->meanings_n; i++)
		if (strcmp(p->meanings[i].text, meaning) == 0)
			return &p->meanings[i];
	return NULL;
}

static void state_field_add_meaning(struct state_field *p, const char *meaning)
{
	if (state_field_meaning(p, meaning))
		return;
	MEM_ROOM(p->meanings, p->meanings_n);
	p->meanings[p->meanings_n++] = (struct meaning){.text = mem_str(meaning)};
}

static void compile_state(struct state_field *p, const struct node *n, struct problems *problems)
{
	const struct node at = node_at_key(n);

	if (n->type != NODE_NULL && (n->type != NODE_SCALAR || n->text[0] == '\0')) {
		problems_error(problems, n, "expected what the state means (text), or ~ for nothing, not %s",
			       n->type == NODE_SCALAR ? "an empty text" : node_kind(n));
		return;
	}
	if (pairs_get(&p->states, n->key)) {
		problems_error(problems, &at,
			       "the state \"%.64s\" stands here twice (states are compared without regard to case): "
			       "write it as the other one is written",
			       n->key);
		return;
	}
	if (n->key[0] == '\0' || p->states.n == STATES_MAX) {
		problems_error(problems, &at, "expected 1 to %d states, none of which is an empty text", STATES_MAX);
		return;
	}
	if (n->type == NODE_SCALAR)
		state_field_add_meaning(p, n->text);
	if (strcmp(n->key, STATE_WILDCARD) != 0)
		pairs_add(&p->states, n->key, n->type == NODE_NULL ? "" : n->text);
	else if (n->type == NODE_SCALAR)
		p->wildcard = state_field_meaning(p, n->text)->text;
}

static void compile_state_field(struct states *s, const struct node *n, struct problems *problems)
{
	const struct node at = node_at_key(n);
	struct state_field *p = &s->fields[s->n];
	struct err e;

	if (s->n == STATE_FIELDS_MAX) {
		problems_error(problems, &at, "more than %d references", STATE_FIELDS_MAX);
		return;
	}
	if (reference_compile(n->key, REFERENCE_NO_NAMES, &p->reference, &e) < 0) {
		problems_error(problems, &at, "%s", e.text);
		return;
	}
	s->n++;
	if (n->type != NODE_MAP) {
		problems_error(problems, n,
			       "expected a mapping from states to what they mean, as in {open: open, done: closed}, "
			       "not %s",
			       node_kind(n));
		return;
	}
	for (size_t i = 0; i < n->n; i++)
		compile_state(p, n->items[i], problems);
}

struct states *states_compile(const struct node *n, struct problems *problems)
{
	struct states *s;

	if (!n)
		return NULL;
	if (n->type != NODE_MAP) {
		problems_error(problems, n,
			       "expected a mapping from references to states, as in {/ticket/state: {open: open, done: "
			       "closed}}, not %s",
			       node_kind(n));
		return NULL;
	}
	s = mem_new(1, sizeof(*s));
	for (size_t i = 0; i < n->n; i++)
		compile_state_field(s, n->items[i], problems);
	return s;
}

void states_free(struct states *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct state_field *p = &s->fields[i];

		reference_free(p->reference);
		for (size_t k = 0; k < p->meanings_n; k++)
			free(p->meanings[k].text);
		free(p->meanings);
		pairs_done(&p->states);
		free(p->meanings_text);
	}
	free(s);
}

/* ---- `means` in matchers ----------------------------------------------------------------------------------------- */

/* Makes n an empty list or mapping. */
static void node_empty(struct node *n, enum node_type type)
{
	for (size_t i = 0; i < n->n; i++)
		node_free(n->items[i]);
	free(TAKE(n->items));
	free(TAKE(n->text));
	n->n = 0;
	n->type = type;
}

static struct node *node_beside(const struct node *n, enum node_type type, const char *text)
{
	struct node *one = node_new(type, n->file, n->line, n->column);

	one->text = mem_str(text);
	return one;
}

/*
 * Marks the meanings that `means` asks for: one, or a list. False with an error. A preset may ask for a meaning that no
 * state has any more, as the source gives its states other meanings.
 */
static bool compile_meanings(struct state_field *p, const struct node *means, const char *file,
			     struct problems *problems)
{
	const struct node *const *items = means->type == NODE_LIST ? (const struct node *const *)means->items : &means;
	size_t n = means->type == NODE_LIST ? means->n : 1;
	size_t errors = problems->errors;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(mem_freep) const char **known = NULL;
		struct meaning *m;

		if (items[i]->type != NODE_SCALAR) {
			problems_error(problems, items[i], "expected what `states` says that a state means, not %s",
				       node_kind(items[i]));
			continue;
		}
		if (strcmp(items[i]->file, file) != 0)
			state_field_add_meaning(p, items[i]->text);
		m = state_field_meaning(p, items[i]->text);
		if (m) {
			m->asked = true;
			continue;
		}
		known = mem_new(p->meanings_n + 1, sizeof(*known));
		for (size_t k = 0; k < p->meanings_n; k++)
			known[k] = p->meanings[k].text;
		if (p->meanings_n > 0)
			keys_error(items[i], "meaning", items[i]->text, known, problems);
		else
			problems_error(problems, items[i], "`states` gives no state of \"%.64s\" a meaning",
				       reference_text(p->reference));
	}
	return problems->errors == errors;
}

static bool is_among(const struct node *means, const char *meaning)
{
	bool among = means->type == NODE_SCALAR && strcmp(means->text, meaning) == 0;

	for (size_t i = 0; means->type == NODE_LIST && i < means->n; i++)
		among = among || strcmp(means->items[i]->text, meaning) == 0;
	return among;
}

/* Adds the states whose meaning is (among: true) or is not (false) one of means. */
static void list_states(const struct state_field *p, const struct node *means, bool among, struct node *list)
{
	for (size_t i = 0; i < p->states.n; i++)
		if (is_among(means, p->states.items[i].value) == among)
			node_add(list, NULL, node_beside(list, NODE_SCALAR, p->states.items[i].name));
}

/* Replaces `means`. n: {means: …}, the condition on `reference` or the value of its `not`. */
static void spell_means(struct states *s, const char *reference, struct node *n, bool negated, const char *file,
			struct problems *problems)
{
	CLEANUP(node_freep) struct node *means = node_dup(node_get(n, "means"));
	struct state_field *p = NULL;
	struct node *list;
	bool wildcard;

	for (size_t i = 0; s && i < s->n && !p; i++)
		if (strcmp(reference_text(s->fields[i].reference), reference) == 0)
			p = &s->fields[i];
	if (!p) {
		problems_error(problems, means, "`means` asks for states of \"%.64s\", which `states` does not list",
			       reference);
		return;
	}
	if (n->n > 1) {
		problems_error(problems, means, "`means` stands alone, or alone within `not`");
		return;
	}
	if (!compile_meanings(p, means, file, problems))
		return;
	wildcard = p->wildcard && is_among(means, p->wildcard);
	if (wildcard && negated) {
		problems_error(problems, means,
			       "\"*\" of `states` means %s, so that it cannot be asked for within `not`: ask for "
			       "the wanted meaning without `not`",
			       p->wildcard);
		return;
	}
	node_empty(n, wildcard ? NODE_MAP : NODE_LIST);
	if (!wildcard) {
		list_states(p, means, true, n);
		if (n->n == 0)
			node_add(n, NULL, node_beside(n, NODE_SCALAR, NO_STATE));
		return;
	}
	list = node_beside(n, NODE_LIST, NULL);
	list_states(p, means, false, list);
	node_add(n, "exists", node_beside(n, NODE_SCALAR, "true"));
	if (list->n > 0)
		node_add(n, "not", list);
	else
		node_free(list);
}

static void spell_condition(struct states *s, struct node *condition, const char *file, struct problems *problems)
{
	if (node_get(condition, "means")) {
		spell_means(s, condition->key, condition, false, file, problems);
		return;
	}
	for (size_t i = 0; condition->type == NODE_MAP && i < condition->n; i++)
		if (strcmp(condition->items[i]->key, "not") == 0 && node_get(condition->items[i], "means"))
			spell_means(s, condition->key, condition->items[i], true, file, problems);
}

struct node *states_spell(struct states *s, const struct node *matcher, const char *file, struct problems *problems)
{
	struct node *copy = node_dup(matcher);

	for (size_t i = 0; i < copy->n; i++) {
		struct node *n = copy->items[i];

		if (copy->type == NODE_MAP)
			spell_condition(s, n, file, problems);
		for (size_t k = 0; copy->type == NODE_LIST && n->type == NODE_MAP && k < n->n; k++)
			spell_condition(s, n->items[k], file, problems);
	}
	return copy;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

struct reference_search {
	const char *text;
	bool found;
};

static void note_reference(void *ctx, const struct reference *r)
{
	struct reference_search *l = ctx;

	l->found = l->found || strcmp(reference_text(r), l->text) == 0;
}

static char *state_field_meanings_text(const struct state_field *p)
{
	struct buf meanings;
	char *text;

	buf_init(&meanings, MEANINGS_TEXT_MAX);
	for (size_t i = 0; i < p->meanings_n; i++)
		if (p->meanings[i].asked)
			buf_addf(&meanings, "%s%s", meanings.len > 0 ? " or " : "", p->meanings[i].text);
	text = mem_str(meanings.data); /* as far as it fits */
	buf_done(&meanings);
	return text;
}

/* Adds an error for each meaning that no matcher asks for: it would be accepted and ignored. */
static void check_meanings(const struct state_field *p, const struct node *n, const char *file,
			   struct problems *problems)
{
	for (size_t i = 0; i < n->n; i++) {
		const struct node *state = n->items[i];

		if (state->type != NODE_SCALAR || strcmp(state->file, file) != 0 ||
		    state_field_meaning((struct state_field *)p, state->text)->asked)
			continue;
		if (p->meanings_text[0] != '\0')
			problems_error(
				problems, state,
				"no matcher of this definition asks for {means: %.64s} of %s: expected %s, or ~ for "
				"a state that means nothing",
				state->text, n->key, p->meanings_text);
		else
			problems_error(
				problems, state,
				"no matcher of this definition asks what a state of %s means: expected ~, and the "
				"state in `opened` or `closed` where it means that",
				n->key);
	}
}

static bool is_looked_at(const struct state_field *p, const struct matcher *const *matchers, size_t matchers_n)
{
	struct reference_search l = {.text = reference_text(p->reference)};

	for (size_t k = 0; k < matchers_n; k++)
		if (matchers[k])
			matcher_references(matchers[k], note_reference, &l);
	return l.found;
}

/* Returns ": they look at REFERENCE, REFERENCE", or "", for a message about states under a wrong reference. The caller
 * owns it. */
static char *state_fields_looked_at(const struct states *s, const struct matcher *const *matchers, size_t matchers_n)
{
	struct buf fields;
	char *text;

	buf_init(&fields, MEANINGS_TEXT_MAX);
	for (size_t i = 0; i < s->n; i++)
		if (is_looked_at(&s->fields[i], matchers, matchers_n))
			buf_addf(&fields, "%s%s", fields.len > 0 ? ", " : ": they look at ",
				 reference_text(s->fields[i].reference));
	text = mem_str(fields.data); /* as far as it fits */
	buf_done(&fields);
	return text;
}

void states_check(const struct states *s, const struct node *n, const struct matcher *const *matchers,
		  size_t matchers_n, const char *file, struct problems *problems)
{
	for (size_t i = 0; s && i < s->n; i++) {
		struct state_field *p = (struct state_field *)&s->fields[i];
		const char *place = reference_text(p->reference);
		const struct node *at = node_get(n, place);

		INSIST(at);
		p->meanings_text = state_field_meanings_text(p);
		if (is_looked_at(p, matchers, matchers_n)) {
			check_meanings(p, at, file, problems);
		} else if (strcmp(at->file, file) == 0) {
			CLEANUP(mem_freep) char *others = state_fields_looked_at(s, matchers, matchers_n);
			const struct node key = node_at_key(at);

			problems_error(problems, &key, "no matcher of this definition looks at \"%.64s\"%s", place,
				       others);
		}
	}
}

/* ---- of one webhook ---------------------------------------------------------------------------------------------- */

void unknown_state_done(struct unknown_state *u)
{
	free(u->text);
	*u = (struct unknown_state){0};
}

/* Returns the first text at the reference that is no known state. The caller owns it. */
static char *state_field_unknown(const struct state_field *p, const struct matcher *const *matchers, size_t matchers_n,
				 const struct eval_context *context)
{
	char *unknown = NULL;
	struct values v;

	reference_values(p->reference, context, &v);
	for (size_t i = 0; i < v.n && !unknown; i++) {
		CLEANUP(mem_freep) char *own = NULL;
		const char *text = value_peek(v.items[i], &own);
		bool known = !text || *text == '\0' || pairs_get(&p->states, text);

		for (size_t k = 0; k < matchers_n && !known; k++)
			known = matchers[k] && matcher_names(matchers[k], reference_text(p->reference), text);
		if (!known)
			unknown = mem_str(text);
	}
	values_done(&v);
	return unknown;
}

static bool depends_on(const struct state_field *p, const struct matcher *const *asked, size_t asked_n,
		       const struct eval_context *context)
{
	for (size_t i = 0; i < asked_n; i++) {
		if (!asked[i])
			continue;
		if (matcher_depends_on(asked[i], reference_text(p->reference), context))
			return true;
		if (matcher_holds(asked[i], context))
			return false;
	}
	return false;
}

bool states_unknown(const struct states *s, const struct matcher *const *asked, size_t asked_n,
		    const struct matcher *const *matchers, size_t matchers_n, const struct eval_context *context,
		    struct unknown_state *ret)
{
	for (size_t i = 0; s && i < s->n; i++) {
		const struct state_field *p = &s->fields[i];
		CLEANUP(mem_freep) char *text = state_field_unknown(p, matchers, matchers_n, context);

		if (!text || !depends_on(p, asked, asked_n, context))
			continue;
		text[property_value_cut(text, strlen(text), STATES_TEXT_MAX)] = '\0';
		*ret = (struct unknown_state){.text = TAKE(text),
					      .reference = reference_text(p->reference),
					      .meanings = p->meanings_text,
					      .has_wildcard = p->wildcard != NULL};
		return true;
	}
	return false;
}

void unknown_state_describe(const struct unknown_state *u, const char *source, const char *outcome, struct buf *to)
{
	char shown[PROPERTY_SHOWN_MAX];
	const char *state = property_value_shown(u->text, shown);
	size_t first = strcspn(u->meanings, " ");

	buf_addf(to,
		 "the state \"%s\" at %s is not one that the definition knows (%s): say in sources.%s.definition what "
		 "it means, ",
		 state, u->reference, outcome, source);
	/* The state is used as an example only where it needs no escapes between double quotes in YAML and is shown as
	 * it is. */
	if (strcmp(u->text, state) != 0 || strcmp(state, STATE_WILDCARD) == 0 || strpbrk(state, "\"\\"))
		state = "STATE";
	if (u->meanings[0] != '\0')
		buf_addf(to, "as in states: {%s: {\"%s\": %.*s}} (%s, or ~ for nothing)", u->reference, state,
			 (int)first, u->meanings, u->meanings);
	else
		buf_addf(to,
			 "in closed or opened, or correct it where it is sent; where it means nothing, states: {%s: "
			 "{\"%s\": ~}}",
			 u->reference, state);
}

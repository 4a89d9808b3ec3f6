/* SPDX-License-Identifier: MIT */
/*
 * Runs compiled rules: in order; every rule that matches acts; a drop ends the run; rules with the same metric make one
 * draft. A closing that has someone to reach is never lost here: it is not dropped, and where no rule sends for it, the
 * shipped rule does.
 */
#include <config.h>

#include "decision/rules_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "helpdesk/expr/property_value.h"

#define METRIC_LETTERS_MAX 127 /* Klaviyo: under 128 */
#define NAMES_FEW 16           /* of a webhook and ours; most sources have fewer */

static void additions_done(struct additions *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->items[i].name);
		json_object_put(a->items[i].literal);
		for (size_t j = 0; j < a->items[i].n; j++)
			template_free(a->items[i].texts[j]);
		free(a->items[i].texts);
	}
	free(a->items);
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		struct rule *rule = &r->items[i];

		free(rule->own_name);
		matcher_free(rule->when);
		free(rule->drop);
		template_free(rule->send);
		additions_done(&rule->properties);
		additions_done(&rule->profile);
		template_free(rule->value);
	}
	free(r->items);
	free(r);
}

bool rule_number(const char *text, double *ret)
{
	struct json_object *o = NULL;
	bool good;

	if (json_read(text, strlen(text), &o, NULL) < 0)
		return false;
	good = json_object_is_type(o, json_type_int) || json_object_is_type(o, json_type_double);
	if (good)
		*ret = json_object_get_double(o);
	json_object_put(o);
	return good && isfinite(*ret);
}

const char *rule_metric_fault(const char *metric)
{
	size_t letters = 0;

	for (const char *s = metric; *s != '\0'; s++)
		letters += ((unsigned char)*s & 0xc0) != 0x80;
	if (letters == 0)
		return "is empty";
	return letters > METRIC_LETTERS_MAX ? "is longer than the 127 letters that Klaviyo takes" : NULL;
}

const char *rules_shipped(enum transition t)
{
	switch (t) {
	case TRANSITION_OPENED:
		return "started conversation in {label}";
	case TRANSITION_REOPENED:
		return "reopened conversation in {label}";
	case TRANSITION_CLOSED:
	case TRANSITION_EXPIRED:
		return "closed conversation in {label}";
	case TRANSITION_NONE:
		break;
	}
	return NULL;
}

/* ---- drafts ------------------------------------------------------------------------------------------------------ */

static void draft_done(struct draft *d)
{
	free(d->metric);
	free(d->rule_names);
	json_object_put(d->properties);
	json_object_put(d->profile);
}

void drafts_done(struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++)
		draft_done(&d->items[i]);
	free(d->items);
	free(d->drop_reason);
	*d = (struct drafts){0};
}

/* Adds the members of `from` to *to; the later value counts. Either may be NULL. False where members were left out. */
static bool merge_members(struct json_object **to, struct json_object *from)
{
	bool all = true;

	if (!from)
		return true;
	if (!*to)
		*to = json_object_new_object();
	json_object_object_foreach(from, name, value)
	{
		if (json_object_object_length(*to) < RULES_ADDED_MAX || json_object_object_get_ex(*to, name, NULL))
			json_object_object_add(*to, name, json_object_get(value));
		else
			all = false;
	}
	return all;
}

/* "shipped", "shipped and rules[1]", "shipped, rules[1] and rules[3]" */
static void add_name(struct draft *to, const char *rule)
{
	static const char and_text[] = " and ";
	const char *last = to->rules > 1 ? strstr(to->rule, and_text) : NULL;
	char *names;

	if (last)
		names = mem_fmt("%.*s, %s and %s", (int)(last - to->rule), to->rule, last + strlen(and_text), rule);
	else
		names = mem_fmt("%s and %s", to->rule, rule);
	free(to->rule_names);
	to->rule = to->rule_names = names;
	to->rules++;
}

/* Adds a draft, or merges it into the one with its metric. Takes ownership of its members. explain: gets the rest of
 * the rule's line; NULL: not wanted. */
static void drafts_add(struct drafts *to, struct draft *draft, struct buf *explain)
{
	struct draft *same = NULL;
	bool all;

	for (size_t i = 0; i < to->n && !same; i++)
		if (strcmp(to->items[i].metric, draft->metric) == 0)
			same = &to->items[i];
	if (!same) {
		if (explain)
			buf_addf(explain, "yes, sends %s\n", draft->metric);
		MEM_ROOM(to->items, to->n);
		to->items[to->n] = *draft;
		to->items[to->n++].rules = 1;
		return;
	}
	if (explain)
		buf_addf(explain, "yes, adds to %s of %s\n", draft->metric, same->rule);
	if (draft->has_value) {
		same->has_value = true;
		same->value = draft->value;
	}
	if (draft->late_ms >= 0)
		same->late_ms = draft->late_ms;
	all = merge_members(&same->properties, draft->properties);
	all = merge_members(&same->profile, draft->profile) && all;
	if (!all) {
		(void)err_set(&to->failed, -E2BIG,
			      "%s: the rules add more than %d properties to \"%.128s\", the rest is left out",
			      draft->rule, RULES_ADDED_MAX, draft->metric);
		if (explain)
			buf_addf(explain, "but %s\n", to->failed.text);
	}
	add_name(same, draft->rule);
	draft_done(draft);
}

/* ---- one rule ---------------------------------------------------------------------------------------------------- */

/* Copies the literal. Threads share the rules, but json-c counts references without a lock and caches the text of a
 * value in it; a deep copy touches neither. */
static struct json_object *literal_copy(const struct addition *a)
{
	struct json_object *copy = NULL;

	INSIST(json_object_deep_copy(a->literal, &copy, NULL) == 0);
	return copy;
}

/* Returns the text, or a list of the texts that have a value, each once; NULL where there is none. */
static struct json_object *addition_value(const struct addition *a, const struct eval_context *s)
{
	enum template_escape escape = a->is_link ? TEMPLATE_LINK : TEMPLATE_PLAIN;
	struct json_object *value = NULL;

	if (a->literal)
		return a->is_link ? NULL : literal_copy(a);
	for (size_t i = 0; i < a->n; i++) {
		CLEANUP(mem_freep) char *text = NULL;

		if (template_render(a->texts[i], s, escape, &text, NULL) < 0)
			continue;
		/* A link is never cut: half of it leads nowhere. */
		if (a->is_link && !a->is_list)
			return json_object_new_string(text);
		if (a->is_link && strlen(text) > PROPERTY_TEXT_MAX)
			continue;
		if (!a->is_list)
			return property_value_text(text);
		(void)property_value_append(&value, text);
	}
	return value;
}

static struct json_object *additions_make(const struct additions *a, const struct eval_context *s)
{
	struct json_object *o = NULL;

	for (size_t i = 0; i < a->n; i++) {
		struct json_object *value = addition_value(&a->items[i], s);

		if (!value)
			continue;
		if (!o)
			o = json_object_new_object();
		json_object_object_add(o, a->items[i].name, value);
	}
	return o;
}

/* Adds a line for each link of the rule that is left out, with the reason. */
static void explain_links(const struct additions *a, const struct eval_context *s, struct buf *explain)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct addition *one = &a->items[i];

		if (one->is_link && one->literal) {
			CLEANUP(json_putp) struct json_object *literal = literal_copy(one);
			CLEANUP(mem_freep) char *text = json_text(literal);

			buf_addf(explain, "  its %s is left out: %s is no URL\n", one->name, text);
		}
		for (size_t k = 0; one->is_link && k < one->n; k++) {
			CLEANUP(mem_freep) char *text = NULL;
			struct err why;

			if (template_render(one->texts[k], s, TEMPLATE_LINK, &text, &why) < 0)
				buf_addf(explain, "  its %s is left out: %s\n", one->name, why.text);
		}
	}
}

/* Returns the draft's metric; NULL with the reason in failed. */
static char *rule_metric(const struct rule *rule, const struct eval_context *s, struct err *failed)
{
	CLEANUP(mem_freep) char *metric = NULL;
	const char *fault;
	int r;

	r = template_render(rule->send, s, TEMPLATE_PLAIN, &metric, failed);
	if (r < 0) {
		(void)err_prefix(failed, "%s: the metric \"%.128s\" cannot be named", rule->name,
				 template_text(rule->send));
		return NULL;
	}
	fault = rule_metric_fault(metric);
	if (fault) {
		(void)err_set(failed, -EINVAL, "%s: the name of the metric \"%.128s\" %s", rule->name,
			      template_text(rule->send), fault);
		return NULL;
	}
	return TAKE(metric);
}

static void rule_send(const struct rule *rule, const struct eval_context *s, struct drafts *to, struct buf *explain)
{
	struct draft draft = {.late_ms = rule->late_ms};
	CLEANUP(mem_freep) char *value = NULL;

	draft.metric = rule_metric(rule, s, &to->failed);
	if (!draft.metric) {
		if (explain)
			buf_addf(explain, "yes, but %s\n", to->failed.text);
		return;
	}
	draft.rule = rule->name;
	draft.properties = additions_make(&rule->properties, s);
	draft.profile = additions_make(&rule->profile, s);
	draft.has_value = rule->value && template_render(rule->value, s, TEMPLATE_PLAIN, &value, NULL) == 0 &&
			  rule_number(value, &draft.value);
	drafts_add(to, &draft, explain);
	if (explain) {
		explain_links(&rule->properties, s, explain);
		explain_links(&rule->profile, s, explain);
	}
}

/* Drops the transition, unless someone is to be reached. Returns true where the run ends. */
static bool rule_drop(const struct rule *rule, const struct rules_input *v, struct drafts *to, struct buf *explain)
{
	if (v->must_send) {
		if (explain)
			buf_addf(explain, "yes, but what has someone to reach is not dropped (%s)\n", rule->drop);
		return false;
	}
	if (explain)
		buf_addf(explain, "yes, drops it (%s)\n", rule->drop);
	to->dropped = true;
	to->drop_reason = mem_str(rule->drop);
	return true;
}

/* "rules[0] on closed when Tags contains refund: " */
static void rule_describe(const struct rule *rule, struct buf *to)
{
	const char *between = " on ";

	buf_adds(to, rule->name);
	for (enum transition t = TRANSITION_OPENED; rule->on != RULE_ON_ALL && t <= TRANSITION_EXPIRED; t++) {
		if (!(rule->on & RULE_ON(t)))
			continue;
		buf_addf(to, "%s%s", between, transition_name(t));
		between = ", ";
	}
	if (rule->when) {
		buf_adds(to, " when ");
		matcher_describe(rule->when, to);
	}
	buf_adds(to, ": ");
}

static bool rule_acts(const struct rule *rule, const struct eval_context *s, enum transition t, struct buf *explain)
{
	bool on = rule->on & RULE_ON(t);
	bool holds = on && (!rule->when || matcher_holds(rule->when, s));

	if (explain) {
		rule_describe(rule, explain);
		if (!on) {
			buf_addf(explain, "no, this is %s\n", transition_name(t));
		} else if (!holds) {
			buf_adds(explain, "no, ");
			matcher_explain_no(rule->when, s, explain);
			buf_addc(explain, '\n');
		}
	}
	return holds;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static void send_shipped(const struct rules_input *v, const struct eval_context *s, struct drafts *to,
			 struct buf *explain)
{
	struct rule rule = {.name = "shipped", .late_ms = -1};

	rule.send = template_compile_text(rules_shipped(v->transition), NULL);
	INSIST(rule.send);
	if (explain)
		buf_adds(explain, "no rule sends, but someone is to be reached: shipped: ");
	rule_send(&rule, s, to, explain);
	template_free(rule.send);
}

void rules_run(const struct rules *r, const struct rules_input *v, struct drafts *ret, struct buf *explain)
{
	const struct pairs none = {0};
	const struct pairs *theirs = v->context.names ? v->context.names : &none;
	struct pair few[NAMES_FEW];
	struct pairs names = {.items = few, .n = theirs->n + 2};
	struct eval_context s = v->context;
	bool end = false;

	*ret = (struct drafts){0};
	if (names.n > NAMES_FEW)
		names.items = mem_new(names.n, sizeof(*names.items));
	/* The webhook's names and ours; ours come first, so they count. All are borrowed and only read. */
	names.items[0] = (struct pair){(char *)"label", (char *)v->label};
	names.items[1] = (struct pair){(char *)"transition", (char *)transition_name(v->transition)};
	for (size_t i = 0; i < theirs->n; i++)
		names.items[i + 2] = theirs->items[i];
	s.names = &names;
	for (size_t i = 0; i < r->n && !end; i++) {
		const struct rule *rule = &r->items[i];

		if (!rule_acts(rule, &s, v->transition, explain))
			continue;
		if (rule->drop)
			end = rule_drop(rule, v, ret, explain);
		else
			rule_send(rule, &s, ret, explain);
	}
	if (v->must_send && ret->n == 0 && rules_shipped(v->transition))
		send_shipped(v, &s, ret, explain);
	if (names.items != few)
		free(names.items);
}

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

void rules_metrics(const struct rules *r, const char *label,
		   void (*fn)(void *ctx, const char *metric, enum transition t), void *ctx)
{
	struct pairs names = {0};
	struct eval_context s = {.names = &names};
	size_t n = 0;
	char *seen[RULES_MAX * 4];
	enum transition seen_with[RULES_MAX * 4];

	pairs_add(&names, "label", label);
	for (size_t i = 0; i < r->n; i++) {
		for (enum transition t = TRANSITION_OPENED; r->items[i].send && t <= TRANSITION_EXPIRED; t++) {
			CLEANUP(mem_freep) char *metric = NULL;
			bool is_seen = false;

			if (!(r->items[i].on & RULE_ON(t)))
				continue;
			metric = template_outline(r->items[i].send, &s);
			for (size_t k = 0; k < n; k++)
				is_seen = is_seen || (seen_with[k] == t && strcmp(seen[k], metric) == 0);
			if (is_seen)
				continue;
			fn(ctx, metric, t);
			seen_with[n] = t;
			seen[n++] = TAKE(metric);
		}
	}
	for (size_t i = 0; i < n; i++)
		free(seen[i]);
	pairs_done(&names);
}

/* ---- references -------------------------------------------------------------------------------------------------- */

struct visitor {
	void (*fn)(void *ctx, const char *rule, const struct reference *reference);
	void *ctx;
	const char *rule;
};

static void visit_one(void *ctx, const struct reference *reference)
{
	const struct visitor *v = ctx;

	v->fn(v->ctx, v->rule, reference);
}

static void visit_additions(const struct additions *a, struct visitor *v)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < a->items[i].n; j++)
			template_references(a->items[i].texts[j], visit_one, v);
}

void rules_references(const struct rules *r, void (*fn)(void *ctx, const char *rule, const struct reference *reference),
		      void *ctx)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->items[i];
		struct visitor v = {.fn = fn, .ctx = ctx, .rule = rule->name};

		if (rule->when)
			matcher_references(rule->when, visit_one, &v);
		if (rule->send)
			template_references(rule->send, visit_one, &v);
		visit_additions(&rule->properties, &v);
		visit_additions(&rule->profile, &v);
		if (rule->value)
			template_references(rule->value, visit_one, &v);
	}
}

/* ---- the label --------------------------------------------------------------------------------------------------- */

int rules_check_label(const struct rules *r, const char *label, struct err *reterr)
{
	struct pairs names = {0};
	struct eval_context s = {.names = &names};
	int bad = 0;

	pairs_add(&names, "label", label);
	for (size_t i = 0; i < r->n && bad == 0; i++) {
		CLEANUP(mem_freep) char *metric = NULL;
		const char *fault;

		/* A metric with a name that a webhook fills cannot be checked here. */
		if (!r->items[i].send || template_render(r->items[i].send, &s, TEMPLATE_PLAIN, &metric, NULL) < 0)
			continue;
		fault = rule_metric_fault(metric);
		if (fault)
			bad = err_set(reterr, -EINVAL, "%s: the name of the metric \"%.160s\" %s", r->items[i].name,
				      metric, fault);
	}
	pairs_done(&names);
	return bad;
}

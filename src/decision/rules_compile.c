/* SPDX-License-Identifier: MIT */
/*
 * Compiles the lists of rules of a configuration to one flat list: `default` in a source's list stands for the shared
 * list, `default` in the shared list for the shipped rules. Then reports rules that no event can come of.
 */
#include <config.h>

#include "decision/rules_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "helpdesk/expr/attributes.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"
#include "helpdesk/expr/links.h"

/* ---- parts of a rule --------------------------------------------------------------------------------------------- */

/* on: one transition, or a list of them. */
static void rule_compile_on(struct rule *rule, const struct node *on, struct problems *problems)
{
	static const char *const known[] = {"opened", "reopened", "closed", "expired", NULL};
	bool is_list = on && on->type == NODE_LIST;
	enum transition t;

	if (!on)
		rule->on = RULE_ON_ALL;
	if (is_list && on->n == 0)
		problems_error(problems, on, "an empty list: this rule would never act");
	for (size_t i = 0; on && i < (is_list ? on->n : 1); i++) {
		const struct node *n = is_list ? on->items[i] : on;

		if (n->type == NODE_SCALAR && transition_parse(n->text, &t) == 0 && t != TRANSITION_NONE)
			rule->on |= RULE_ON(t);
		else
			keys_error(n, "transition", n->type == NODE_SCALAR ? n->text : node_kind(n), known, problems);
	}
}

static void addition_add_text(struct addition *a, const struct node *n, struct problems *problems)
{
	struct template *t = template_compile(n, problems);

	if (!t)
		return;
	if (a->is_link)
		links_check_beginning(t, n, problems);
	MEM_ROOM(a->texts, a->n);
	a->texts[a->n++] = t;
}

static void addition_compile(struct addition *a, const struct node *n, struct problems *problems)
{
	const char *fault = property_value_name_fault(n->key);

	if (fault)
		problems_error(problems, n, "the name \"%.64s\" %s", n->key, fault);
	a->name = mem_str(n->key);
	a->is_list = n->type == NODE_LIST;
	a->is_link = strcmp(n->key, PROPERTY_CONVERSATION_URL) == 0;
	a->literal = property_value_literal(n);
	if (a->literal && a->is_link)
		problems_warn(problems, n, "expected a URL; a number, true or false is left out of the events");
	if (a->literal)
		return;
	if (n->type == NODE_MAP) {
		problems_error(problems, n,
			       "properties are flat: expected text, a number, true, false or a list of texts");
	} else if (!a->is_list) {
		addition_add_text(a, n, problems);
	} else if (n->n > PROPERTY_LIST_MAX) {
		problems_error(problems, n, "a list of more than %d", PROPERTY_LIST_MAX);
	} else {
		for (size_t i = 0; i < n->n; i++)
			addition_add_text(a, n->items[i], problems);
	}
}

static void additions_compile(struct additions *to, const struct node *n, struct problems *problems)
{
	if (!n)
		return;
	if (n->type != NODE_MAP || n->n > RULE_ADDITIONS_MAX) {
		problems_error(problems, n, "expected a mapping from names to values (at most %d)", RULE_ADDITIONS_MAX);
		return;
	}
	to->items = mem_new(n->n, sizeof(*to->items));
	for (size_t i = 0; i < n->n; i++)
		addition_compile(&to->items[to->n++], n->items[i], problems);
}

static void rule_compile_send(struct rule *rule, const struct node *n, struct problems *problems)
{
	const char *fault;

	if (!n)
		return;
	rule->send = template_compile(n, problems);
	if (!rule->send)
		return;
	fault = template_is_fixed(rule->send) ? rule_metric_fault(n->text) : NULL;
	if (n->text[0] == '\0')
		fault = "is empty";
	if (fault)
		problems_error(problems, n, "the metric's name %s", fault);
}

static void rule_compile_late(struct rule *rule, const struct node *n, struct problems *problems)
{
	long long ms;

	rule->late_ms = -1;
	if (!n)
		return;
	if (n->type == NODE_SCALAR && strcmp(n->text, "never") == 0)
		rule->late_ms = CLOCK_NEVER_MS;
	else if (n->type == NODE_SCALAR && text_duration(n->text, &ms) == 0)
		rule->late_ms = ms;
	else
		problems_error(problems, n, "expected a duration with its unit, as in 15m, or never");
}

/* ---- a rule ------------------------------------------------------------------------------------------------------ */

static struct rule *rules_add(struct rules *r, const struct node *at, struct problems *problems)
{
	struct rule *rule;

	if (r->n == RULES_MAX) {
		problems_error(problems, at, "more than %d rules", RULES_MAX);
		return NULL;
	}
	MEM_ROOM(r->items, r->n);
	rule = &r->items[r->n++];
	*rule = (struct rule){0};
	rule->at = at;
	rule->late_ms = -1;
	return rule;
}

/* A rule either drops or sends; all keys but `on` and `when` belong to a rule that sends. */
static void rule_check_act(const struct node *n, struct problems *problems)
{
	static const char *const of_send[] = {"properties", "profile", "value", "late", NULL};
	const struct node *drop = node_get(n, "drop");
	const struct node *send = node_get(n, "send");

	if (!drop && !send)
		problems_error(problems, n, "a rule that does nothing: expected `send` or `drop`");
	if (drop && send)
		problems_error(problems, drop, "a rule either sends or drops: make two rules of it");
	for (size_t i = 0; drop && !send && of_send[i]; i++)
		if (node_get(n, of_send[i]))
			problems_error(problems, node_get(n, of_send[i]), "`%s` belongs to a rule that sends",
				       of_send[i]);
}

static void rule_compile(struct rules *r, const struct node *n, const struct node *at, struct problems *problems)
{
	static const char *const known[] = {"on",         "when",    "drop", "send", "value",
					    "properties", "profile", "late", NULL};
	const struct node *when = node_get(n, "when");
	const struct node *drop = node_get(n, "drop");
	const struct node *value = node_get(n, "value");
	struct rule *rule = rules_add(r, at, problems);
	double number;

	if (!rule)
		return;
	keys_check(n, known, problems);
	rule_check_act(n, problems);
	rule->own_name = mem_fmt("%s%s", n->path && n->path[0] != '[' ? "" : "rules", n->path ? n->path : "");
	rule->name = rule->own_name;
	rule_compile_on(rule, node_get(n, "on"), problems);
	rule->when = when ? matcher_compile(when, REFERENCE_NAMES, problems) : NULL;
	if (drop &&
	    (drop->type != NODE_SCALAR || drop->text[0] == '\0' || (!drop->quoted && strcmp(drop->text, "false") == 0)))
		problems_error(problems, drop, "expected the reason as text, as in `drop: outbound`");
	else if (drop)
		rule->drop = mem_str(drop->text);
	rule_compile_send(rule, node_get(n, "send"), problems);
	additions_compile(&rule->properties, node_get(n, "properties"), problems);
	additions_compile(&rule->profile, node_get(n, "profile"), problems);
	rule->value = value ? template_compile(value, problems) : NULL;
	if (rule->value && template_is_fixed(rule->value) && !rule_number(value->text, &number))
		problems_error(problems, value,
			       "expected a number, or a template that gives one, as in \"{Order Value}\"");
	rule_compile_late(rule, node_get(n, "late"), problems);
}

static void rules_add_shipped(struct rules *r, const struct node *at, struct problems *problems)
{
	static const unsigned sets[] = {RULE_ON(TRANSITION_OPENED), RULE_ON(TRANSITION_REOPENED),
					RULE_ON(TRANSITION_CLOSED) | RULE_ON(TRANSITION_EXPIRED)};
	static const enum transition first[] = {TRANSITION_OPENED, TRANSITION_REOPENED, TRANSITION_CLOSED};

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct rule *rule = rules_add(r, at, problems);

		if (!rule)
			return;
		rule->name = "shipped";
		rule->on = sets[i];
		rule->send = template_compile_text(rules_shipped(first[i]), NULL);
		INSIST(rule->send);
	}
}

/*
 * at: the item of the source's list that stands for the shared list; NULL: the rules' own places count. shared: the
 * list that `default` stands for here; NULL: the shipped rules.
 */
static void rules_compile_list(struct rules *r, const struct node *list, const struct node *shared,
			       const struct node *at, struct problems *problems)
{
	const struct node *seen = NULL;

	if (list->type != NODE_LIST) {
		problems_error(problems, list, "expected a list of rules (`default`, or mappings), not %s",
			       node_kind(list));
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct node *n = list->items[i];
		const struct node *place = at ? at : n;

		if (n->type == NODE_MAP) {
			rule_compile(r, n, place, problems);
		} else if (n->type != NODE_SCALAR || strcmp(n->text, "default") != 0) {
			problems_error(problems, n, "expected `default` or a mapping, not %s",
				       n->type == NODE_SCALAR ? n->text : node_kind(n));
		} else if (seen) {
			problems_error(problems, n, "`default` stands here twice: every event would be sent twice");
		} else {
			seen = n;
			if (shared)
				rules_compile_list(r, shared, NULL, place, problems);
			else
				rules_add_shipped(r, place, problems);
		}
	}
}

/* ---- rules that never act ---------------------------------------------------------------------------------------- */

/* A rule that always drops hides openings from the rules behind it, but no closing or expiry: one that has someone to
 * reach is never dropped. */
static void rules_check_reach(const struct rules *r, const struct node *list, struct problems *problems)
{
	const unsigned closings = RULE_ON(TRANSITION_CLOSED) | RULE_ON(TRANSITION_EXPIRED);
	const struct node *warned = NULL;
	unsigned dropped = 0;
	unsigned sent = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->items[i];

		if ((rule->on & ~dropped) == 0 && rule->at != warned) {
			problems_warn(problems, rule->at, "nothing comes here: a rule before it drops all of it");
			warned = rule->at;
		}
		if (rule->send)
			sent |= rule->on & ~dropped;
		if (rule->drop && !rule->when)
			dropped |= rule->on & ~closings;
	}
	if (!(sent & RULE_ON(TRANSITION_OPENED)))
		problems_error(
			problems, list,
			"no event can come of an opened conversation: expected `default`, or `on: opened` with `send`");
	if (!(sent & RULE_ON(TRANSITION_CLOSED)))
		problems_error(
			problems, list,
			"no event can come of a closed conversation: expected `default`, or `on: closed` with `send`");
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

/* Rules that are written with the same metric make one event where they act together. */
static void rules_check_added(const struct rules *r, struct problems *problems)
{
	for (size_t i = 0; i < r->n; i++) {
		CLEANUP(json_putp) struct json_object *properties = json_object_new_object();
		CLEANUP(json_putp) struct json_object *profile = json_object_new_object();
		const struct rule *last = &r->items[i];

		if (!last->send)
			continue;
		for (const struct rule *one = r->items; one <= last; one++) {
			if (!one->send || !(one->on & last->on) ||
			    !text_is(template_text(one->send), template_text(last->send)))
				continue;
			for (size_t k = 0; k < one->properties.n; k++)
				json_object_object_add(properties, one->properties.items[k].name, NULL);
			for (size_t k = 0; k < one->profile.n; k++)
				json_object_object_add(profile, one->profile.items[k].name, NULL);
		}
		if (json_object_object_length(properties) <= RULES_ADDED_MAX &&
		    json_object_object_length(profile) <= RULES_ADDED_MAX)
			continue;
		problems_error(
			problems, last->at,
			"the rules that send \"%.64s\" make one event, and may add more than %d properties to it",
			template_text(last->send), RULES_ADDED_MAX);
		return;
	}
}

struct rules *rules_compile(const struct node *list, const struct node *shared, struct problems *problems)
{
	struct rules *r = mem_new(1, sizeof(*r));
	size_t errors = problems->errors;

	if (list)
		rules_compile_list(r, list, shared, NULL, problems);
	else if (shared)
		rules_compile_list(r, shared, NULL, NULL, problems);
	else
		rules_add_shipped(r, NULL, problems);
	if (problems->errors == errors)
		rules_check_reach(r, list ? list : shared, problems);
	if (problems->errors == errors)
		rules_check_added(r, problems);
	for (size_t i = 0; i < r->n; i++)
		r->items[i].at = NULL;
	if (problems->errors == errors)
		return r;
	rules_free(r);
	return NULL;
}

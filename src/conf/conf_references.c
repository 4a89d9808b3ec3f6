/* SPDX-License-Identifier: MIT */
/*
 * conf_references: the references of rules and account choices: headers that a stored webhook must keep, and names that
 * no event has.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/text.h"
#include "helpdesk/expr/attributes.h"

typedef void visit_fn(void *ctx, const char *where, const struct reference *reference);

struct visitor {
	visit_fn *fn;
	void *ctx;
};

static void visit_choice(void *ctx, const struct reference *reference)
{
	const struct visitor *visitor = ctx;

	visitor->fn(visitor->ctx, "account", reference);
}

/* Calls fn for each reference of the source's rules and account choices, not of its definition. */
static void source_references(const struct source *s, visit_fn *fn, void *ctx)
{
	struct visitor visitor = {.fn = fn, .ctx = ctx};

	if (s->policy.rules)
		rules_references(s->policy.rules, fn, ctx);
	for (size_t i = 0; i < s->policy.accounts_n; i++)
		if (s->policy.accounts[i].when)
			matcher_references(s->policy.accounts[i].when, visit_choice, &visitor);
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static bool source_reads_header(const struct source *s, const char *name)
{
	for (size_t i = 0; i < s->read_headers.n; i++)
		if (text_same(s->read_headers.items[i], name))
			return true;
	return false;
}

static void note_header(void *ctx, const char *where, const struct reference *reference)
{
	struct source *s = ctx;
	const char *header = reference_header(reference);

	(void)where;
	if (header && !source_reads_header(s, header))
		strings_add(&s->read_headers, header);
}

bool source_stores_header(const struct source *s, const char *name)
{
	const char *secret = proof_about(definition_proof(s->definition))->secret_header;

	if (secret && text_same(secret, name))
		return false;
	return definition_stores_header(s->definition, name) || source_reads_header(s, name);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* The names in the events of any source: shared rules may use a name that only another source has. */
struct names {
	const char **items;
	size_t n;
};

static void names_add(void *ctx, const char *name)
{
	struct names *names = ctx;

	MEM_ROOM(names->items, names->n);
	names->items[names->n++] = name;
}

static void names_known(const struct config *c, struct names *to)
{
	names_add(to, "label");
	names_add(to, "transition");
	/* An attribute of another definition is not a misspelt name. */
	for (size_t i = 0; attributes_usual[i]; i++)
		names_add(to, attributes_usual[i]);
	names_add(to, PROPERTY_REASON);
	for (size_t i = 0; attributes_own[i]; i++)
		names_add(to, attributes_own[i]);
	for (size_t i = 0; i < c->sources_n; i++)
		if (c->sources[i].definition)
			definition_names(c->sources[i].definition, names_add, to);
}

struct rule_name_check {
	struct loader *loader;
	const struct node *source;
	const struct names *known;
};

static void check_rule_name(void *ctx, const char *where, const struct reference *reference)
{
	const struct rule_name_check *check = ctx;
	const char *name = reference_name(reference);
	const struct node *at = node_get(check->source, text_is(where, "account") ? "account" : "rules");
	const char *near;

	if (!name)
		return;
	for (size_t i = 0; i < check->known->n; i++)
		if (text_same(name, check->known->items[i]))
			return;
	if (strncmp(where, "rules", 5) == 0)
		at = node_get(check->loader->root, "rules");
	near = text_nearest(name, check->known->items, check->known->n);
	problems_warn(check->loader->reader.problems, at, "%s asks for \"%.64s\", which no event has%s%s%s", where,
		      name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

void config_check_references(struct loader *l)
{
	const struct config *c = l->reader.config;
	struct names known = {0};

	names_known(c, &known);
	for (size_t i = 0; i < c->sources_n; i++) {
		struct source *s = &c->sources[i];
		const struct node *n = node_get(node_get(l->root, "sources"), s->name);
		struct rule_name_check check = {.loader = l, .source = n, .known = &known};
		const char *secret;

		if (!s->definition)
			continue;
		source_references(s, note_header, s);
		secret = proof_about(definition_proof(s->definition))->secret_header;
		if (secret && source_reads_header(s, secret))
			problems_error(l->reader.problems, n,
				       "a rule or the account's choice asks for header:%s, which carries the secret, "
				       "so that no webhook keeps it",
				       secret);
		source_references(s, check_rule_name, &check);
	}
	free(known.items);
}

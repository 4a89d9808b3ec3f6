/* SPDX-License-Identifier: MIT */
/*
 * conf_source: reads the sources. conf_definition.c checks the settings that a definition needs.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "base/url.h"
#include "conf/check.h"
#include "helpdesk/expr/template.h"

/* ---- flag -------------------------------------------------------------------------------------------------------- */

/* Returns "In Gladly Conversation" for "In {label} Conversation"; NULL where the text is wrong. */
static char *render_flag(const char *text, const char *label, struct err *err)
{
	struct pairs names = {0};
	struct eval_context context = {.names = &names};
	struct template *t = template_compile_text(text, err);
	char *flag = NULL;

	if (!t)
		return NULL;
	pairs_add(&names, "label", label);
	if (template_render(t, &context, TEMPLATE_PLAIN, &flag, err) < 0)
		flag = NULL;
	pairs_done(&names);
	template_free(t);
	return flag;
}

static void read_flags(struct loader *l, const struct node *n, struct source *s)
{
	const struct node *at = node_get(n, "flag");

	if (at && at->type == NODE_LIST && at->n == 0)
		problems_error(l->reader.problems, at, "expected at least one profile property");
	for (size_t i = 0; i < s->policy.flags.n; i++) {
		struct err err = {0};
		char *flag = render_flag(s->policy.flags.items[i], s->policy.label, &err);

		if (!flag) {
			problems_error(l->reader.problems, at ? at : n, "%s; only {label} can be used here", err.text);
			continue;
		}
		free(s->policy.flags.items[i]);
		s->policy.flags.items[i] = flag;
		if (check_flag(flag, &err) < 0)
			problems_error(l->reader.problems, at ? at : n, "with this label: %s", err.text);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->policy.flags.items[k], flag) == 0)
				problems_error(l->reader.problems, at ? at : n, "\"%s\" is meant twice: keep one",
					       flag);
	}
}

/* ---- account ----------------------------------------------------------------------------------------------------- */

/* Returns an account by its name, or NULL with a problem. */
static const struct account_policy *find_account(struct loader *l, const struct node *n, const char *also)
{
	const struct config *c = l->reader.config;
	CLEANUP(mem_freep) char *all = NULL;
	CLEANUP(mem_freep) char *meant = NULL;
	size_t count = 0;
	const char *names[ACCOUNTS_MAX + 1];
	const struct account *a;

	if (n->type != NODE_SCALAR) {
		problems_error(l->reader.problems, n, "expected the name of an account%s, found %s", also,
			       node_kind(n));
		return NULL;
	}
	a = config_account(c, n->text);
	if (a)
		return &a->policy;
	if (c->accounts_n == 0)
		return NULL; /* no account could be read, which is reported already */
	for (size_t i = 0; i < c->accounts_n; i++)
		names[count++] = c->accounts[i].name;
	meant = text_suggestion("; ", " ", n->text, names, count);
	all = text_join(names, count, ", ");
	problems_error(l->reader.problems, n, "there is no account of that name%s%sthere is: %s%s", meant,
		       meant[0] != '\0' ? "" : "; ", all, also);
	return NULL;
}

/* Reads one {when, use} of the list. */
static void read_choice(struct loader *l, const struct node *n, struct account_choice *to)
{
	const struct node *use = node_get(n, "use");
	const struct node *when = node_get(n, "when");

	if (!use || n->type != NODE_MAP) {
		problems_error(l->reader.problems, n, "expected {when: MATCHER, use: NAME or none}, found %s",
			       n->type == NODE_MAP ? "no use" : node_kind(n));
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct node at = node_at_key(n->items[i]);

		if (n->items[i] != use && n->items[i] != when)
			problems_error(l->reader.problems, &at, "unknown key; known here: when, use");
	}
	if (when)
		to->when = matcher_compile(when, REFERENCE_NAMES, l->reader.problems);
	if (use->type != NODE_SCALAR || strcmp(use->text, "none") != 0)
		to->account = find_account(l, use, ", or none");
}

static void read_choices(struct loader *l, const struct node *list, struct source *s)
{
	if (list->n == 0) {
		problems_error(l->reader.problems, list, "expected at least one {when: MATCHER, use: NAME or none}");
		return;
	}
	s->policy.accounts = mem_new(list->n, sizeof(*s->policy.accounts));
	for (size_t i = 0; i < list->n; i++) {
		read_choice(l, list->items[i], &s->policy.accounts[s->policy.accounts_n++]);
		if (i + 1 < list->n && !node_get(list->items[i], "when"))
			problems_error(l->reader.problems, list->items[i],
				       "has no `when`, so the choices below it are never asked: put it last");
	}
}

static void read_account_choice(struct loader *l, const struct node *n, struct source *s)
{
	const struct node *account = node_get(n, "account");
	const struct config *c = l->reader.config;

	if (account && account->type == NODE_LIST) {
		read_choices(l, account, s);
		return;
	}
	s->policy.accounts = mem_new(1, sizeof(*s->policy.accounts));
	s->policy.accounts_n = 1;
	if (account)
		s->policy.accounts[0].account = find_account(l, account, "");
	else if (c->accounts_n == 1)
		s->policy.accounts[0].account = &c->accounts[0].policy;
	else if (c->accounts_n > 1)
		problems_error(l->reader.problems, n,
			       "account is missing: with several Klaviyo accounts each source names its "
			       "own (`account: %s`), or a list of {when: MATCHER, use: NAME or none}",
			       c->accounts[0].name);
}

/* ---- a source ---------------------------------------------------------------------------------------------------- */

static void read_path(struct loader *l, const struct node *n, struct source *s)
{
	const struct config *c = l->reader.config;
	const struct node *at = node_get(n, "path");

	if (!s->path)
		s->path = mem_fmt("/webhooks/%s", s->name);
	for (const struct source *other = c->sources; other < s; other++)
		if (strcmp(other->path, s->path) == 0)
			problems_error(l->reader.problems, at ? at : n,
				       "%s is the path of the source %s too: each needs its own", s->path, other->name);
}

static void read_label(struct loader *l, const struct node *n, struct source *s)
{
	struct err err = {0};

	if (s->policy.label || !s->definition)
		return;
	s->policy.label = mem_str(definition_about(s->definition)->label);
	if (check_label(s->policy.label, &err) < 0)
		problems_error(l->reader.problems, node_get(n, s->preset ? "preset" : "definition"),
			       "the definition's label: %s; or set the source's own `label`", err.text);
}

/* Replaces the name of the file by its text: a change of the file is seen by the next reload. */
static void read_authority(struct loader *l, const struct node *n, struct source *s)
{
	const struct node *at = node_get(node_get(n, "lookup"), "ca");
	CLEANUP(mem_freep) char *file = TAKE(s->lookup_ca);
	CLEANUP(mem_freep) char *path = NULL;
	struct err err = {0};

	if (!at || !file)
		return;
	path = path_join(l->reader.secret_context.folder, file);
	if (authority_read(path, &s->lookup_ca, &err) < 0)
		problems_error(l->reader.problems, at, "%s", err.text);
	else
		s->lookup_ca_file = mem_str(path);
	if (s->lookup_ca_file && s->lookup_base_url && url_is_plain(s->lookup_base_url))
		problems_error(l->reader.problems, at,
			       "a plain http base_url shows no certificate: write https, or leave ca out");
}

static void read_rules(struct loader *l, const struct node *n, struct source *s)
{
	const struct node *own = node_get(n, "rules");
	const struct node *shared = node_get(l->root, "rules");
	struct err err = {0};

	s->policy.rules = rules_compile(own, shared, l->reader.problems);
	if (s->policy.rules && s->policy.label && check_label(s->policy.label, NULL) == 0 &&
	    rules_check_label(s->policy.rules, s->policy.label, &err) < 0)
		problems_error(l->reader.problems, own ? own : shared, "%s", err.text);
}

static void read_source(struct loader *l, const struct node *n, struct source *s)
{
	s->policy.name = s->name = mem_str(n->key);
	settings_defaults(&l->reader, SETTING_OF_SOURCE, s);
	settings_read(&l->reader, "sources.NAME", n, s);
	read_path(l, n, s);
	config_read_definition(l, n, s);
	s->policy.definition = s->definition;
	read_label(l, n, s);
	if (s->policy.label)
		read_flags(l, n, s);
	read_authority(l, n, s);
	read_account_choice(l, n, s);
	read_rules(l, n, s);
}

void config_read_sources(struct loader *l)
{
	const struct node *sources = node_get(l->root, "sources");
	struct config *c = l->reader.config;
	struct problems *p = l->reader.problems;

	if (!sources)
		return; /* reported as missing already */
	if (sources->type != NODE_MAP || sources->n == 0 || sources->n > SOURCES_MAX) {
		problems_error(p, sources,
			       "expected 1 to %d helpdesks by name, such as {gladly: {preset: gladly, …}}; found %s",
			       SOURCES_MAX,
			       sources->type != NODE_MAP ? node_kind(sources)
			       : sources->n == 0         ? "none"
							 : "more");
		return;
	}
	c->sources = mem_new(sources->n, sizeof(*c->sources));
	for (size_t i = 0; i < sources->n; i++) {
		const struct node *n = sources->items[i];

		if (!settings_check_name(&l->reader, n))
			continue;
		if (n->type == NODE_MAP)
			read_source(l, n, &c->sources[c->sources_n++]);
		else
			problems_error(p, n, "expected a mapping such as {preset: gladly, authenticate: {…}}, found %s",
				       node_kind(n));
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * conf_definition: reads a source's definition, and checks that the source has the settings that the definition needs.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/text.h"
#include "base/url.h"
#include "conf/check.h"
#include "conf/yaml.h"
#include "helpdesk/parse/samples.h"

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

static struct node *read_preset(struct loader *l, const struct node *n, const struct source *s)
{
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	struct node *tree = NULL;
	struct err err = {0};

	if (config_preset_read(l->file, s->preset, &file, &text, &err) < 0) {
		problems_error(l->reader.problems, node_get(n, "preset"), "%s", err.text);
		return NULL;
	}
	if (yaml_load(file, text, strlen(text), &tree, l->reader.problems) < 0)
		return NULL;
	return tree;
}

/* Returns the preset, the inline definition, or the latter laid over the former. Owned by the configuration. NULL
 * with a problem. */
static const struct node *read_tree(struct loader *l, const struct node *n, const struct source *s)
{
	const struct node *inline_definition = node_get(n, "definition");
	struct node *tree = NULL;

	if (inline_definition && inline_definition->type != NODE_MAP) {
		problems_error(l->reader.problems, inline_definition,
			       "expected a definition (a mapping, see `deskbridge presets gladly`), "
			       "found %s",
			       node_kind(inline_definition));
		return NULL;
	}
	if (!s->preset && node_get(n, "preset"))
		return NULL; /* reported already */
	if (!s->preset && !inline_definition) {
		problems_error(
			l->reader.problems, n,
			"preset is missing: write the helpdesk's name (`preset: gladly`; `deskbridge presets` lists "
			"them), or a definition in place");
		return NULL;
	}
	if (s->preset) {
		tree = read_preset(l, n, s);
		if (!tree)
			return NULL;
		config_add_tree(l->reader.config, tree);
	}
	if (inline_definition) {
		tree = tree ? definition_overlay(tree, inline_definition, l->reader.problems)
			    : node_dup(inline_definition);
		config_add_tree(l->reader.config, tree);
	}
	return tree;
}

/* ---- authenticate ------------------------------------------------------------------------------------------------ */

/* Reads the secrets. Returns the other keys: a method of the source, or keys laid over the definition's method;
 * NULL: none. Owned by the configuration. */
static struct node *read_authenticate(struct loader *l, const struct node *auth, struct source *s)
{
	static const char prefix[] = "sources.NAME.authenticate";
	static const char *const known[] = {"user", "password", "secret", "method"};
	struct node *own;

	if (!auth)
		return NULL;
	if (auth->type != NODE_MAP) {
		problems_error(
			l->reader.problems, auth,
			"expected a mapping such as {user: deskbridge, password: {credential: %s-webhook}}, found %s",
			s->name, node_kind(auth));
		return NULL;
	}
	own = node_new_at(NODE_MAP, auth);
	for (size_t i = 0; i < auth->n; i++) {
		const struct node *n = auth->items[i];
		CLEANUP(mem_freep) char *name = mem_fmt("%s.%s", prefix, n->key);
		const char *near = text_nearest(n->key, known, sizeof(known) / sizeof(known[0]));

		/* The definition's compiler checks the keys of the method; a misspelt secret is found here. */
		if (text_is(n->key, "user") || text_is(n->key, "password") || text_is(n->key, "secret"))
			(void)settings_read_one(&l->reader, settings_find(name), n, s);
		else if (near && strcmp(near, n->key) != 0)
			settings_unknown(&l->reader, prefix, n);
		else
			node_add(own, n->key, node_dup(n));
	}
	config_add_tree(l->reader.config, own);
	return own->n > 0 ? own : NULL;
}

/* Reports a secret under a name that the method does not take. */
static void refuse_secret(struct loader *l, const struct node *auth, const char *method, const char *key,
			  const char *instead)
{
	const struct node *n = node_get(auth, key);

	if (n && instead)
		problems_error(l->reader.problems, n, "the method %s takes no %s: write it as %s", method, key,
			       instead);
	else if (n)
		problems_error(l->reader.problems, n, "the method %s takes no %s: leave it out", method, key);
}

static void require_secret(struct loader *l, const struct node *at, const struct node *auth, const char *method,
			   const char *key, const char *example)
{
	if (!node_get(auth, key))
		problems_error(l->reader.problems, at, "authenticate.%s is missing: the method %s needs it (%s)", key,
			       method, example);
}

/* `none` accepts every request to the URL, so the configuration must say it explicitly. */
static void check_none(struct loader *l, const struct node *n, const struct node *at)
{
	const struct node *inline_definition = node_get(n, "definition");

	if (node_get(node_get(n, "authenticate"), "method") ||
	    node_get(node_get(inline_definition, "authenticate"), "method"))
		return;
	problems_error(
		l->reader.problems, at,
		"this definition proves nothing, so that everybody who knows the URL can post: where that is meant, "
		"write `authenticate: {method: none}`");
}

static void check_secrets(struct loader *l, const struct node *n, const struct source *s)
{
	const struct node *auth = node_get(n, "authenticate");
	const struct node *at = auth ? auth : n;
	const struct proof *proof = definition_proof(s->definition);
	const char *method = proof_about(proof)->method;
	CLEANUP(mem_freep) char *example = NULL;

	if (auth && auth->type != NODE_MAP)
		return; /* reported already */
	if (!proof_about(proof)->needs_secret) {
		check_none(l, n, at);
		refuse_secret(l, auth, method, "user", NULL);
		refuse_secret(l, auth, method, "password", NULL);
		refuse_secret(l, auth, method, "secret", NULL);
	} else if (proof_about(proof)->needs_user) {
		example = mem_fmt("`authenticate: {user: deskbridge, password: {credential: %s-webhook}}`", s->name);
		require_secret(l, at, auth, method, "user", example);
		if (!node_get(auth, "secret"))
			require_secret(l, at, auth, method, "password", example);
		refuse_secret(l, auth, method, "secret", "password");
		if (s->auth_user && strchr(s->auth_user, ':'))
			problems_error(l->reader.problems, node_get(auth, "user"),
				       "a user name of the method %s holds no colon", method);
	} else {
		example = mem_fmt("`authenticate: {secret: {credential: %s-webhook}}`", s->name);
		if (!node_get(auth, "password"))
			require_secret(l, at, auth, method, "secret", example);
		refuse_secret(l, auth, method, "password", "secret");
		refuse_secret(l, auth, method, "user", NULL);
	}
	if (proof_about(proof)->signs_url && !node_get(n, "public_url"))
		problems_error(l->reader.problems, n,
			       "public_url is missing: this helpdesk signs the URL that it posts to, so write that as "
			       "it is set there (`public_url: https://hooks.acme.com%s`)",
			       s->path);
}

/* ---- lookup ------------------------------------------------------------------------------------------------------ */

/* needed: without the key there is no address at all. Else the source has a lookup that will never run. */
static void check_lookup_has(struct loader *l, const struct node *n, bool needed, const char *key, const char *example)
{
	const struct node *lookup = node_get(n, "lookup");

	if (node_get(lookup, key))
		return;
	if (needed)
		problems_error(l->reader.problems, lookup ? lookup : n,
			       "lookup.%s is missing: webhooks of this helpdesk name a customer, whose address is "
			       "asked for (%s)",
			       key, example);
	else
		problems_warn(l->reader.problems, lookup, "without lookup.%s no lookup is sent (%s)", key, example);
}

static void check_lookup(struct loader *l, const struct node *n, const struct source *s)
{
	const struct node *url = node_get(node_get(n, "lookup"), "base_url");
	const char *method = definition_about(s->definition)->lookup_authenticate;
	CLEANUP(mem_freep) char *example = NULL;
	bool needed = definition_about(s->definition)->needs_lookup;
	bool user = text_is(method, "basic");

	if (url && s->lookup_base_url && url_is_plain(s->lookup_base_url) && !url_is_loopback(s->lookup_base_url))
		problems_warn(l->reader.problems, url,
			      "the helpdesk's credentials go over the net unencrypted: write https");
	if (url && s->lookup_base_url)
		config_check_base_url(l, url, s);
	if (!method || (!needed && !node_get(n, "lookup")))
		return;
	example = mem_fmt("`lookup: {base_url: \"https://acme.example.com\", %s: {credential: %s-api-token}}`",
			  user ? "user: NAME, password" : "token", s->name);
	if (definition_asks_base_url(s->definition, needed))
		check_lookup_has(l, n, needed, "base_url", example);
	if (user) {
		check_lookup_has(l, n, needed, "user", example);
		check_lookup_has(l, n, needed, "password", example);
	} else {
		check_lookup_has(l, n, needed, "token", example);
	}
}

/* ---- placeholders ------------------------------------------------------------------------------------------------ */

static void warn_if_unfilled(struct loader *l, const struct node *n)
{
	struct err err = {0};

	if (n && n->type == NODE_SCALAR && check_filled(n->text, &err) < 0)
		problems_warn(l->reader.problems, n, "%s", err.text);
}

/* Warns of placeholders that `presets NAME --config` prints. Not an error: its output loads as it is. */
static void check_all_filled(struct loader *l, const struct node *n)
{
	const struct node *with = node_get(n, "with");
	const struct node *lookup = node_get(n, "lookup");

	warn_if_unfilled(l, node_get(n, "public_url"));
	warn_if_unfilled(l, node_get(lookup, "base_url"));
	warn_if_unfilled(l, node_get(lookup, "user"));
	for (size_t i = 0; with && with->type == NODE_MAP && i < with->n; i++)
		warn_if_unfilled(l, with->items[i]);
}

/* ---- doubts ------------------------------------------------------------------------------------------------------ */

/* Reports the text once, though several sources may use the preset. Takes ownership of the text. */
static void report_once(struct loader *l, const struct node *at, bool notice, char *text)
{
	if (problems_have(l->reader.problems, text))
		;
	else if (notice)
		problems_notice(l->reader.problems, at, "%s", text);
	else
		problems_warn(l->reader.problems, at, "%s", text);
	free(text);
}

static void report_doubts(struct loader *l, const struct node *n, const struct source *s)
{
	const struct node *at = node_get(n, s->preset ? "preset" : "definition");
	size_t facts = definition_about(s->definition)->unconfirmed.n;
	const char *name = s->preset ? s->preset : s->name;
	CLEANUP(mem_freep)
	char *where = s->preset ? mem_fmt("deskbridge presets %s", name) : mem_str("its `unconfirmed`");

	if (text_is(definition_about(s->definition)->verified, "no"))
		report_once(
			l, at, false,
			mem_fmt("%s: nobody has verified this definition against the helpdesk (`verified: no`): try "
				"it with real webhooks before you rely on it",
				name));
	if (facts > 0)
		report_once(l, at, true,
			    mem_fmt("%s: %zu fact%s that no vendor document confirms (%s)", name, facts,
				    facts == 1 ? "" : "s", where));
}

void config_read_definition(struct loader *l, const struct node *n, struct source *s)
{
	const struct node *tree = read_tree(l, n, s);
	struct definition_binding binding = {
		.base_url = s->lookup_base_url,
		.with = node_get(n, "with"),
		.authenticate = read_authenticate(l, node_get(n, "authenticate"), s),
		.overlaid = s->preset && node_get(n, "definition"),
	};

	if (!tree)
		return;
	check_all_filled(l, n);
	s->definition = definition_read(tree, &binding, l->reader.problems);
	if (!s->definition)
		return;
	report_doubts(l, n, s);
	check_secrets(l, n, s);
	check_lookup(l, n, s);
}

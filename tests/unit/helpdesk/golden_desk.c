/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "conf/yaml.h"
#include "fixtures/folder.h"

void golden_differs(struct golden *g, const char *member, const char *expected, const char *found)
{
	fprintf(stderr, "%s: %s: %s: expected %s%s%s, found %s%s%s\n", g->file, g->name, member, expected ? "\"" : "",
		expected ? expected : "nothing", expected ? "\"" : "", found ? "\"" : "", found ? found : "nothing",
		found ? "\"" : "");
	g->failures++;
}

void golden_text(struct golden *g, const char *member, const char *expected, const char *found)
{
	if (!text_is(expected, found))
		golden_differs(g, member, expected, found);
}

const struct node *golden_get(const struct golden *g, const char *key)
{
	const struct node *n = node_get(g->at, key);

	return n ? n : node_get(g->root, key);
}

/* ---- the configuration ------------------------------------------------------------------------------------------- */

/* Returns the same value as JSON, for a configuration: JSON is YAML. */
static struct json_object *tree_of(const struct node *n)
{
	struct json_object *o;

	switch (n->type) {
	case NODE_SCALAR:
		return json_object_new_string(n->text);
	case NODE_LIST:
		o = json_object_new_array();
		for (size_t i = 0; i < n->n; i++)
			json_object_array_add(o, tree_of(n->items[i]));
		return o;
	case NODE_MAP:
		o = json_object_new_object();
		for (size_t i = 0; i < n->n; i++)
			json_object_object_add(o, n->items[i]->key, tree_of(n->items[i]));
		return o;
	case NODE_NULL:
		break;
	}
	return NULL;
}

static void add_copy(struct json_object *to, const struct node *from, const char *key)
{
	const struct node *n = node_get(from, key);

	if (n)
		json_object_object_add(to, key, tree_of(n));
}

/* Returns the source's `authenticate`, with the secrets under the method's own key. */
static struct json_object *authenticate_of(const struct golden *g, const struct node *settings)
{
	const struct node *own = node_get(settings, "authenticate");
	const struct node *secrets = node_get(settings, "secrets");
	struct json_object *o = own ? tree_of(own) : json_object_new_object();
	bool basic = text_is(node_text(g->authenticate, "method"), "basic");

	if (secrets)
		json_object_object_add(o, basic ? "password" : "secret", tree_of(secrets));
	if (basic)
		add_copy(o, settings, "user");
	return o;
}

static struct json_object *source_of(const struct golden *g, const struct node *settings)
{
	struct json_object *o = json_object_new_object();
	struct json_object *lookup = json_object_new_object();

	add_copy(o, g->root, "preset");
	add_copy(o, g->root, "definition");
	if (settings) {
		json_object_object_add(o, "authenticate", authenticate_of(g, settings));
		add_copy(o, settings, "with");
		add_copy(o, settings, "public_url");
		add_copy(lookup, settings, "base_url");
	}
	json_set_str(lookup, "user", "bot@example.com");
	json_set_str(lookup, "password", "a password");
	json_set_str(lookup, "token", "a-token");
	json_object_object_add(o, "lookup", lookup);
	return o;
}

static char *config_text(const struct golden *g, const struct node *settings)
{
	struct json_object *o = json_object_new_object();
	struct json_object *inner = json_object_new_object();
	char *text;

	json_set_int(o, "version", 1);
	json_set_str(o, "listen", "127.0.0.1:0");
	json_set_str(o, "store", "sqlite:/nonexistent/deskbridge.db");
	json_set_str(inner, "api_key", "pk_golden");
	json_object_object_add(o, "klaviyo", inner);
	inner = json_object_new_object();
	json_object_object_add(inner, "desk", source_of(g, settings));
	json_object_object_add(o, "sources", inner);
	text = json_text(o);
	json_object_put(o);
	return text;
}

static struct generation *load(const struct golden *g, const struct node *settings, const char *dir)
{
	CLEANUP(mem_freep) char *file = mem_fmt("%s/deskbridge.yaml", dir);
	CLEANUP(mem_freep) char *text = config_text(g, settings);
	struct problems problems = {0};
	struct generation *generation;

	folder_write(dir, "deskbridge.yaml", text);
	generation = generation_load(file, &problems);
	for (size_t i = 0; !generation && i < problems.n; i++)
		if (!problems.items[i].warning)
			fprintf(stderr, "%s: %s:%u: %s: %s\n", g->file, problems.items[i].file, problems.items[i].line,
				problems.items[i].path, problems.items[i].text);
	problems_done(&problems);
	return generation;
}

/* ---- the case ---------------------------------------------------------------------------------------------------- */

/* Returns `authenticate` of the file's own definition or of its preset, overlaid with the source's. */
static struct node *authenticate_as_it_counts(struct golden *g, const struct node *settings, const char *dir)
{
	const struct node *own = node_get(settings, "authenticate");
	const struct node *definition = node_get(g->root, "definition");
	CLEANUP(mem_freep) char *config_file = mem_fmt("%s/deskbridge.yaml", dir);
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(node_freep) struct node *preset = NULL;
	struct problems problems = {0};
	const struct node *base;

	if (own && node_get(own, "method"))
		return node_dup(own);
	if (node_text(g->root, "preset") &&
	    config_preset_read(config_file, node_text(g->root, "preset"), &file, &text, NULL) == 0 &&
	    yaml_load(file, text, strlen(text), &preset, &problems) < 0)
		golden_differs(g, "preset", "a definition that reads", NULL);
	problems_done(&problems);
	base = node_get(definition, "authenticate");
	base = base ? base : node_get(preset, "authenticate");
	if (!base)
		return NULL;
	return own ? node_overlay(base, own) : node_dup(base);
}

static bool read_case(struct golden *g)
{
	const struct node *headers = node_get(g->at, "headers");
	const struct node *body = node_get(g->at, "body");
	const char *now = golden_get(g, "now") ? golden_get(g, "now")->text : NULL;
	size_t len;

	if (!now || clock_parse(now, strlen(now), &g->now_ms) < 0) {
		golden_differs(g, "now", "a time", now);
		return false;
	}
	for (size_t i = 0; headers && i < headers->n; i++)
		if (headers->items[i]->text)
			pairs_add(&g->headers, headers->items[i]->key, headers->items[i]->text);
	if (!body || body->type != NODE_SCALAR) {
		golden_differs(g, "body", "text", body ? node_kind(body) : NULL);
		return false;
	}
	len = strlen(body->text);
	g->body_len = len > 0 && body->text[len - 1] == '\n' ? len - 1 : len;
	g->body = mem_dup(body->text, g->body_len);
	g->query = node_text(g->at, "query") ? node_text(g->at, "query") : "";
	return true;
}

bool golden_open(struct golden *g, const char *dir)
{
	const struct node *all = node_get(g->root, "source");
	const struct node *own = node_get(g->at, "source");
	CLEANUP(node_freep) struct node *settings = NULL;

	if (all && own)
		settings = node_overlay(all, own);
	else if (all || own)
		settings = node_dup(all ? all : own);
	g->authenticate = authenticate_as_it_counts(g, settings, dir);
	g->generation = g->authenticate ? load(g, settings, dir) : NULL;
	if (!g->generation) {
		golden_differs(g, "preset", "a definition that loads", NULL);
		return false;
	}
	g->source = config_source(g->generation->config, "desk");
	return read_case(g);
}

void golden_close(struct golden *g)
{
	generation_unref(g->generation);
	node_free(g->authenticate);
	pairs_done(&g->headers);
	free(g->body);
}

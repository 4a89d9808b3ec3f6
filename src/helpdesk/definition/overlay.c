/* SPDX-License-Identifier: MIT */
/*
 * Merges a definition over another one: mappings by key, anything else replaced. A part that is only meaningful as a
 * whole is replaced as a whole, and conditions of a matcher that stay are reported. A sample is one webhook: a source's
 * sample takes nothing from the preset's.
 */
#include <config.h>

#include "helpdesk/definition/definition.h"

#include <string.h>

#include "base/buf.h"

static struct node *member(struct node *map, const char *key)
{
	for (size_t i = 0; map && map->type == NODE_MAP && i < map->n; i++)
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	return NULL;
}

/*
 * {shape_from, body} is a body with a word next to it. It is replaced as a whole, like a text, because the source's
 * sample may be a body written as YAML. A sample with headers or a query is merged by key; a new body drops the
 * preset's `shape_from`, which does not describe it.
 */
static void clear_sample(struct node *samples, const char *name, const struct node *over)
{
	struct node *former = member(samples, name);

	if (!former || !over || over->type != NODE_MAP || !node_get(former, "shape_from") ||
	    node_get(over, "shape_from"))
		return;
	if (!node_get(former, "headers") && !node_get(former, "query"))
		node_remove(samples, name);
	else if (node_get(over, "body"))
		node_remove(former, "shape_from");
}

/* ---- parts replaced as a whole ----------------------------------------------------------------------------------- */

/* Removes attributes that `over` replaces as a whole: all but value maps of the same reference. */
static void clear_attributes(struct node *attributes, const struct node *over)
{
	for (size_t i = 0; over && over->type == NODE_MAP && i < over->n; i++) {
		const struct node *n = over->items[i];
		const struct node *former = node_get(attributes, n->key);
		bool same = former && former->type == NODE_MAP && n->type == NODE_MAP && former->n == 1 && n->n == 1 &&
			    strcmp(former->items[0]->key, n->items[0]->key) == 0;

		if (former && !same)
			node_remove(attributes, n->key);
	}
}

/* Removes keys with the value ~ from both. A key that the preset does not have stays and is checked as usual. */
static void clear_nothings(struct node *base, struct node *over)
{
	size_t i = 0;

	while (base && over && over->type == NODE_MAP && i < over->n) {
		CLEANUP(mem_freep) char *key = mem_str(over->items[i]->key);

		if (over->items[i]->type != NODE_NULL || !node_get(base, key)) {
			i++;
			continue;
		}
		node_remove(base, key);
		node_remove(over, key);
	}
}

/* ---- inherited conditions ---------------------------------------------------------------------------------------- */

#define INHERITED_MAX 600 /* bytes of the conditions in a notice */

/* Writes a node in YAML's flow style. The buffer's cap may cut it. */
static void write_short(const struct node *n, struct buf *to)
{
	const char *quote = n->quoted ? "\"" : "";
	const char *between = "";

	switch (n->type) {
	case NODE_NULL:
		buf_addc(to, '~');
		break;
	case NODE_SCALAR:
		buf_addf(to, "%s%s%s", quote, n->text, quote);
		break;
	case NODE_LIST:
	case NODE_MAP:
		buf_addc(to, n->type == NODE_LIST ? '[' : '{');
		for (size_t i = 0; i < n->n; i++) {
			buf_addf(to, "%s%s%s", between, n->type == NODE_MAP ? n->items[i]->key : "",
				 n->type == NODE_MAP ? ": " : "");
			write_short(n->items[i], to);
			between = ", ";
		}
		buf_addc(to, n->type == NODE_LIST ? ']' : '}');
		break;
	}
}

/* Writes the members of former that over does not replace: "/type: x, /status: {exists: true}". */
static void write_inherited(const struct node *former, const struct node *over, struct buf *to)
{
	for (size_t i = 0; i < former->n; i++) {
		const struct node *n = former->items[i];
		const struct node *other = node_get(over, n->key);
		struct buf below;

		buf_init(&below, INHERITED_MAX);
		if (!other)
			write_short(n, &below);
		else if (n->type == NODE_MAP && other->type == NODE_MAP)
			write_inherited(n, other, &below);
		if (below.len > 0)
			buf_addf(to, other ? "%s%s: {%s}" : "%s%s: %s", to->len > 0 ? ", " : "", n->key, below.data);
		buf_done(&below);
	}
}

/* Adds a notice where a mapping is merged over a mapping: the preset's other conditions still hold. */
static void note_inherited(const struct node *former, const struct node *over, struct problems *problems)
{
	struct node at;
	struct buf inherited;

	if (!former || !over || former->type != NODE_MAP || over->type != NODE_MAP)
		return;
	at = node_at_key(over);
	buf_init(&inherited, INHERITED_MAX);
	write_inherited(former, over, &inherited);
	if (inherited.len > 0)
		problems_notice(
			problems, &at,
			"conditions of the preset's `%s` stay beside these, and all must hold: %s%s. To replace "
			"them, write a list: %s: [{…}]",
			over->key, inherited.data, inherited.error < 0 ? ", …" : "", over->key);
	buf_done(&inherited);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct node *definition_overlay(const struct node *preset, const struct node *own, struct problems *problems)
{
	static const char *const names[] = {"opened", "reopened", "closed"};
	static const char *const matchers[] = {"ping", "opened", "reopened", "closed", "identified"};
	static const char *const by_name[] = {"attributes", "samples", "paste"};
	CLEANUP(node_freep) struct node *base = node_dup(preset);
	CLEANUP(node_freep) struct node *over = node_dup(own);
	const char *method = node_text(node_get(over, "authenticate"), "method");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		clear_sample(member(base, "samples"), names[i], node_get(node_get(over, "samples"), names[i]));
	for (size_t i = 0; i < sizeof(by_name) / sizeof(*by_name); i++)
		clear_nothings(member(base, by_name[i]), member(over, by_name[i]));
	/* Another method does not use the keys of the former one. */
	if (method && !text_is(method, node_text(node_get(base, "authenticate"), "method")))
		node_remove(base, "authenticate");
	clear_attributes(member(base, "attributes"), node_get(over, "attributes"));
	if (node_get(over, "emails") && !node_get(over, "primary"))
		node_remove(base, "primary");
	for (size_t i = 0; i < sizeof(matchers) / sizeof(*matchers); i++)
		note_inherited(node_get(base, matchers[i]), node_get(over, matchers[i]), problems);
	note_inherited(node_get(node_get(base, "challenge"), "when"), node_get(node_get(over, "challenge"), "when"),
		       problems);
	clear_nothings(base, over);
	return node_overlay(base, over);
}

/*
 * A definition laid over another one: mappings by key, anything else replaced. A sample is one webhook, so that one of
 * the source's own takes nothing over that says something of the former one.
 */
#include <config.h>

#include "helpdesk/definition.h"

#include <string.h>

static struct node *member(struct node *map, const char *key)
{
	for (size_t i = 0; map && map->type == NODE_MAP && i < map->n; i++)
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	return NULL;
}

/*
 * {shape_from, body} stands for the body alone and is replaced as a text is: what is laid over it may be a body written
 * as YAML. Where headers or a query stand beside it, its parts are laid over by key, and the former shape's source does
 * not vouch for another body.
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

struct node *definition_overlay(const struct node *preset, const struct node *over)
{
	static const char *const names[] = {"opened", "reopened", "closed"};
	CLEANUP(node_freep) struct node *base = node_dup(preset);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		clear_sample(member(base, "samples"), names[i], node_get(node_get(over, "samples"), names[i]));
	return node_overlay(base, over);
}

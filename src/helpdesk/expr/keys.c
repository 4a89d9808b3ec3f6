/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/keys.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void keys_error(const struct node *at, const char *what, const char *name, const char *const *known,
		struct problems *problems)
{
	CLEANUP(mem_freep) char *all = NULL;
	size_t n = 0;
	const char *nearest;

	while (known[n])
		n++;
	nearest = text_nearest(name, known, n);
	if (nearest) {
		problems_error(problems, at, "unknown %s \"%.64s\"; did you mean \"%s\"?", what, name, nearest);
		return;
	}
	all = text_join(known, n, ", ");
	problems_error(problems, at, "unknown %s \"%.64s\"; expected one of %s", what, name, all);
}

void keys_check(const struct node *map, const char *const *known, struct problems *problems)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *const *k = known;

		while (*k && strcmp(*k, map->items[i]->key) != 0)
			k++;
		if (!*k) {
			struct node at = node_at_key(map->items[i]);

			keys_error(&at, "key", map->items[i]->key, known, problems);
		}
	}
}

bool keys_bool(const struct node *n, bool fallback, struct problems *problems)
{
	if (!n)
		return fallback;
	if (n->type == NODE_SCALAR && strcmp(n->text, "true") == 0)
		return true;
	if (n->type == NODE_SCALAR && strcmp(n->text, "false") == 0)
		return false;
	problems_error(problems, n, "expected true or false");
	return fallback;
}

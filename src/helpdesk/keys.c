#include "config.h"

#include "helpdesk/keys.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define KEYS_TYPO_EDITS 3
#define KEYS_LIST_BYTES 600

const char *keys_nearest(const char *s, const char *const *known)
{
	unsigned best = KEYS_TYPO_EDITS + 1;
	const char *nearest = NULL;

	for (; *known; known++) {
		unsigned apart = text_distance(s, *known, KEYS_TYPO_EDITS);

		/* Three edits make any three letters out of any others: that is no typo. */
		if (apart >= best || apart * 2 > strlen(*known))
			continue;
		best = apart;
		nearest = *known;
	}
	return nearest;
}

void keys_error(const struct node *at, const char *what, const char *name, const char *const *known,
		struct problems *problems)
{
	const char *nearest = keys_nearest(name, known);
	struct buf list;

	if (nearest) {
		problems_error(problems, at, "unknown %s \"%.64s\"; did you mean \"%s\"?", what, name, nearest);
		return;
	}
	buf_init(&list, KEYS_LIST_BYTES);
	for (size_t i = 0; known[i]; i++)
		buf_addf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
	problems_error(problems, at, "unknown %s \"%.64s\"; expected one of %s", what, name, list.data);
	buf_done(&list);
}

void keys_check(const struct node *map, const char *const *known, struct problems *problems)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *const *k = known;

		while (*k && strcmp(*k, map->items[i]->key) != 0)
			k++;
		if (!*k)
			keys_error(map->items[i], "key", map->items[i]->key, known, problems);
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

/* SPDX-License-Identifier: MIT */
/*
 * settings_map: reads whole mappings: rows of keys, unknown keys, defaults, changes. Defaults are texts of the file's
 * language and are read like values of a file, so that a default can be nothing that a file cannot say.
 */
#include <config.h>

#include "conf/settings.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "conf/check.h"
#include "conf/yaml.h"

#define KNOWN_TEXT_MAX 1500

/* Returns the last part of a row's name where the row is directly below prefix, else NULL. */
static const char *member_name(const char *prefix, const struct setting *s)
{
	size_t len = strlen(prefix);
	const char *rest = s->name;

	if (len > 0) {
		if (strncmp(rest, prefix, len) != 0 || rest[len] != '.')
			return NULL;
		rest += len + 1;
	}
	return strchr(rest, '.') ? NULL : rest;
}

static const struct setting *member_find(const char *prefix, const char *key)
{
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++)
		if (text_is(member_name(prefix, s), key))
			return s;
	return NULL;
}

/* Returns a row with that key elsewhere, preferring one deeper in the same mapping: the key was put in the wrong
 * place. */
static const struct setting *elsewhere_find(const char *prefix, const char *key)
{
	const struct setting *found = NULL;
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		const char *last = strrchr(s->name, '.');

		if (!last || strcmp(last + 1, key) != 0)
			continue;
		if (strncmp(s->name, prefix, strlen(prefix)) == 0)
			return s;
		found = found ? found : s;
	}
	return found;
}

void settings_unknown(struct settings_reader *r, const char *prefix, const struct node *n)
{
	struct node at = node_at_key(n);
	size_t count = 0;
	const char *names[64], *near;
	const struct setting *s;
	struct buf all;

	buf_init(&all, KNOWN_TEXT_MAX);
	for (size_t i = 0; (s = settings_at(i)); i++) {
		const char *name = member_name(prefix, s);

		if (!name)
			continue;
		INSIST(count < sizeof(names) / sizeof(names[0]));
		buf_addf(&all, "%s%s", count > 0 ? ", " : "", name);
		names[count++] = name;
	}
	near = text_nearest(n->key, names, count);
	s = near ? NULL : elsewhere_find(prefix, n->key);
	if (near)
		problems_error(r->problems, &at, "unknown key; did you mean %s?", near);
	else if (s)
		problems_error(r->problems, &at, "unknown key here; did you mean %s?", s->name);
	else
		problems_error(r->problems, &at, "unknown key; known here: %s", all.data);
	buf_done(&all);
}

bool settings_check_name(struct settings_reader *r, const struct node *n)
{
	struct node at = node_at_key(n);
	struct err err = {0};

	if (check_name(n->key, &err) < 0)
		problems_error(r->problems, &at, "%s", err.text);
	return err.code == 0;
}

static void group_expected(struct settings_reader *r, const struct setting *group, const struct node *n)
{
	bool first = true;
	const struct setting *s;
	struct buf all;

	buf_init(&all, KNOWN_TEXT_MAX);
	for (size_t i = 0; (s = settings_at(i)); i++) {
		const char *name = member_name(group->name, s);

		if (!name)
			continue;
		if (s->default_text)
			buf_addf(&all, "%s%s: %s", first ? "" : ", ", name, s->default_text);
		else
			buf_addf(&all, "%s%s: …", first ? "" : ", ", name);
		first = false;
	}
	problems_error(r->problems, n, "expected a mapping such as {%s}, found %s", all.data, node_kind(n));
	buf_done(&all);
}

void settings_read_group(struct settings_reader *r, const struct setting *group, const struct node *n, void *base)
{
	if (n->type == NODE_NULL)
		return; /* a group whose members are all commented out */
	if (n->type == NODE_SCALAR && group->scalar_member)
		(void)settings_read_one(r, member_find(group->name, group->scalar_member), n, base);
	else if (n->type == NODE_MAP)
		settings_read(r, group->name, n, base);
	else
		group_expected(r, group, n);
}

void settings_read(struct settings_reader *r, const char *prefix, const struct node *map, void *base)
{
	const struct setting *s;

	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];

		s = member_find(prefix, n->key);
		if (!s)
			settings_unknown(r, prefix, n);
		else if (s->type == SETTING_GROUP)
			settings_read_group(r, s, n, base);
		else if (s->type != SETTING_NODE)
			(void)settings_read_one(r, s, n, base);
	}
	for (size_t i = 0; (s = settings_at(i)); i++) {
		const char *name = member_name(prefix, s);

		if (name && s->required && !node_get(map, name))
			problems_error(r->problems, map, "%s is missing: write %s", name, s->example);
	}
}

void settings_defaults(struct settings_reader *r, enum setting_owner owner, void *base)
{
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		struct node *n = NULL;

		if (s->owner != owner || !s->default_text)
			continue;
		INSIST(yaml_load(s->name, s->default_text, strlen(s->default_text), &n, r->problems) == 0);
		INSIST(settings_read_one(r, s, n, base));
		node_free(n);
	}
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static bool member_same(const struct setting *s, const struct config *old, const struct config *next)
{
	const void *a = (const char *)old + s->offset, *b = (const char *)next + s->offset;
	const struct secret *x, *y;

	switch (s->type) {
	case SETTING_LIST:
		return strings_same(a, b);
	case SETTING_TEXT:
	case SETTING_ADDRESS:
	case SETTING_URL:
		return text_is(*(char *const *)a, *(char *const *)b);
	case SETTING_SECRET:
		x = *(struct secret *const *)a;
		y = *(struct secret *const *)b;
		return x && y ? text_is(secret_where(x), secret_where(y)) : x == y;
	default:
		return memcmp(a, b, s->size) == 0;
	}
}

char *settings_needing_restart(const struct config *old, const struct config *next)
{
	CLEANUP(mem_freep) const char **names = NULL;
	size_t n = 0;
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		if (!s->restart || s->owner != SETTING_OF_CONFIG || member_same(s, old, next))
			continue;
		MEM_ROOM(names, n);
		names[n++] = s->name;
	}
	return n > 0 ? text_join(names, n, ", ") : NULL;
}

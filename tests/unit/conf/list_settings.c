/* SPDX-License-Identifier: MIT */
/*
 * For tests/check-docs.sh and tests/check-settings.sh: prints settings, one a line, with tabs between the columns.
 *   without argument: name, type, default (empty where it is derived or there is none), help of each setting
 *   FILE, a configuration: name and value of each setting in it
 *   --members: name of each setting, and the struct and member that it fills, as in account.single.share; `only` where
 *   the row accepts one value and fills none; else nothing
 */
#include <config.h>

#include "conf/settings.h"

#include <stdio.h>
#include <string.h>

#include "conf/yaml.h"

static void print_value(const struct node *n)
{
	if (n->type == NODE_SCALAR)
		printf("%s", n->text);
	else if (n->type == NODE_MAP)
		printf("{}");
	else if (n->type == NODE_LIST)
		for (size_t i = 0; i < n->n; i++)
			printf("%s%s", i > 0 ? " " : "", n->items[i]->type == NODE_SCALAR ? n->items[i]->text : "?");
}

static void print_default(const struct setting *s)
{
	CLEANUP(node_freep) struct node *n = NULL;
	struct problems problems = {0};

	if (s->default_text && yaml_load(s->name, s->default_text, strlen(s->default_text), &n, &problems) == 0)
		print_value(n);
	problems_done(&problems);
}

static void print_table(void)
{
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		if (s->type == SETTING_GROUP)
			continue;
		printf("%s\t%s\t", s->name, setting_type_name(s));
		print_default(s);
		printf("\t%s\n", s->help);
	}
}

static void print_members(void)
{
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		bool only = s->only_value || (s->min && s->max && strcmp(s->min, s->max) == 0);

		if (s->type != SETTING_GROUP)
			printf("%s\t%s\n", s->name, s->member ? s->member : only ? "only" : "");
	}
}

/* prefix: the name of the mapping's row, "" for the whole file; NAME replaces the names of accounts and sources. */
static void print_used(const char *prefix, const struct node *map)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		bool named = strcmp(prefix, "sources") == 0;
		CLEANUP(mem_freep)
		char *name = mem_fmt("%s%s%s", prefix, prefix[0] != '\0' ? "." : "", named ? "NAME" : n->key);
		const struct setting *s = settings_find(name);

		if (s && s->type != SETTING_GROUP) {
			printf("%s\t", name);
			print_value(n);
			printf("\n");
		}
		if (n->type == NODE_MAP && (named || (s && (s->type == SETTING_GROUP || s->type == SETTING_NODE))))
			print_used(name, n);
	}
}

int main(int argc, char **argv)
{
	struct problems problems = {0};
	struct node *n = NULL;
	int status = 0;

	if (argc < 2) {
		print_table();
		return 0;
	}
	if (strcmp(argv[1], "--members") == 0) {
		print_members();
		return 0;
	}
	if (yaml_load_file(argv[1], &n, &problems) == 0 && problems.errors == 0)
		print_used("", n);
	else
		status = 1;
	problems_print(&problems, stderr);
	problems_done(&problems);
	node_free(n);
	return status;
}

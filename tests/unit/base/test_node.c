/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/node.h"
#include "base/problems.h"
#include "fixtures/memory_copies.h"

static struct node *scalar(const char *text, const char *file, unsigned line)
{
	struct node *n = node_new(NODE_SCALAR, file, line, 3);

	n->text = mem_str(text);
	return n;
}

static struct node *map(const char *file, unsigned line)
{
	return node_new(NODE_MAP, file, line, 1);
}

static void paths_name_the_place_whichever_end_was_built_first(void **state)
{
	struct node *root = map("a.yaml", 1);
	struct node *sources = map("a.yaml", 2);
	struct node *list = node_new(NODE_LIST, "a.yaml", 3, 5);
	struct node *step = map("a.yaml", 3);

	(void)state;
	/* Built from the leaves … */
	node_add(step, "url", scalar("https://…", "a.yaml", 3));
	node_add(list, NULL, scalar("first", "a.yaml", 3));
	node_add(list, NULL, step);
	node_add(sources, "lookup", list);
	node_add(root, "sources", sources);
	assert_string_equal(step->items[0]->path, "sources.lookup[1].url");
	assert_string_equal(list->items[0]->path, "sources.lookup[0]");
	/* … and from the root. */
	node_add(step, "late", scalar("x", "a.yaml", 9));
	assert_string_equal(node_get(step, "late")->path, "sources.lookup[1].late");
	assert_string_equal(root->path, "");
	node_free(root);
}

static void members_are_found_by_key(void **state)
{
	struct node *root = map("a.yaml", 1);

	(void)state;
	node_add(root, "one", scalar("1", "a.yaml", 1));
	node_add(root, "two", map("a.yaml", 2));
	assert_string_equal(node_text(root, "one"), "1");
	assert_null(node_text(root, "two"));
	assert_null(node_text(root, "three"));
	assert_null(node_get(root->items[0], "one"));
	assert_null(node_get(NULL, "one"));
	assert_null(node_text(NULL, "one"));
	assert_string_equal(node_kind(root), "a mapping");
	assert_string_equal(node_kind(root->items[0]), "text");
	assert_string_equal(node_kind(NULL), "nothing");
	node_free(root);
	node_free(NULL);
}

/* base: {a: 1, m: {x: 1, y: 2}, l: [1, 2]}; over: {m: {y: 3, z: 4}, l: [9], n: new} */
static void an_overlay_merges_mappings_and_replaces_the_rest(void **state)
{
	struct node *base = map("base.yaml", 1);
	struct node *over = map("over.yaml", 1);
	struct node *m;
	struct node *l;
	struct node *all;
	const struct node *merged;

	(void)state;
	node_add(base, "a", scalar("1", "base.yaml", 1));
	m = map("base.yaml", 2);
	node_add(m, "x", scalar("1", "base.yaml", 3));
	node_add(m, "y", scalar("2", "base.yaml", 4));
	node_add(base, "m", m);
	l = node_new(NODE_LIST, "base.yaml", 5, 1);
	node_add(l, NULL, scalar("1", "base.yaml", 5));
	node_add(l, NULL, scalar("2", "base.yaml", 5));
	node_add(base, "l", l);
	m = map("over.yaml", 2);
	node_add(m, "y", scalar("3", "over.yaml", 3));
	node_add(m, "z", scalar("4", "over.yaml", 4));
	node_add(over, "m", m);
	l = node_new(NODE_LIST, "over.yaml", 5, 1);
	node_add(l, NULL, scalar("9", "over.yaml", 5));
	node_add(over, "l", l);
	node_add(over, "n", scalar("new", "over.yaml", 6));
	over->items[2]->quoted = true;

	all = node_overlay(base, over);
	node_free(base);
	node_free(over);
	assert_int_equal(all->n, 4);
	assert_string_equal(node_text(all, "a"), "1");
	merged = node_get(all, "m");
	assert_int_equal(merged->n, 3);
	assert_string_equal(node_text(merged, "x"), "1");
	assert_string_equal(node_text(merged, "y"), "3");
	assert_string_equal(node_text(merged, "z"), "4");
	assert_string_equal(node_get(merged, "x")->file, "base.yaml");
	assert_string_equal(node_get(merged, "y")->file, "over.yaml");
	assert_int_equal(node_get(merged, "y")->line, 3);
	assert_int_equal(node_get(all, "l")->n, 1);
	assert_true(node_get(all, "n")->quoted);
	node_free(all);
}

static char *printed(const struct problems *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	problems_print(p, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void problems_name_file_line_column_and_path(void **state)
{
	struct node *root = map("a.yaml", 1);
	struct node *n = scalar("x", "a.yaml", 7);
	struct problems p = {0};
	char *text;

	(void)state;
	node_add(root, "version", n);
	problems_error(&p, n, "expected %d", 1);
	problems_warn(&p, root, "odd");
	problems_error_at(&p, "b.yaml", 3, 9, "broken line");
	problems_error_at(&p, "c.yaml", 0, 0, "cannot be opened");
	problems_error(&p, NULL, "nowhere");
	assert_int_equal(p.errors, 4);
	assert_int_equal(p.warnings, 1);
	text = printed(&p);
	assert_string_equal(text, "a.yaml:7:3: version: expected 1\n"
				  "a.yaml:1:1: warning: odd\n"
				  "b.yaml:3:9: broken line\n"
				  "c.yaml: cannot be opened\n"
				  "nowhere\n");
	free(text);
	problems_done(&p);
	node_free(root);
}

static void past_the_bound_problems_are_only_counted(void **state)
{
	struct problems p = {0};
	char *text;

	(void)state;
	for (int i = 0; i < PROBLEMS_MAX + 5; i++)
		problems_error(&p, NULL, "problem %d", i);
	problems_warn(&p, NULL, "and a warning");
	assert_int_equal(p.n, PROBLEMS_MAX);
	assert_int_equal(p.errors, PROBLEMS_MAX + 5);
	assert_int_equal(p.warnings, 1);
	text = printed(&p);
	assert_non_null(strstr(text, "and 6 more\n"));
	free(text);
	problems_done(&p);
	assert_int_equal(p.errors, 0);
}

/* The allocator overwrites the beginning of freed memory, so the secret must be further behind. */
static void a_freed_text_is_wiped(void **state)
{
	static const char before[] = "written over by the allocator, perhaps: ";
	char secret[] = "hush of some length";
	struct node *tree = node_new(NODE_MAP, "f", 1, 1);
	char hidden[sizeof(secret)];
	struct node *copy;

	(void)state;
	if (memory_can_be_searched()) {
		node_add(tree, "k", node_new(NODE_SCALAR, "f", 1, 4));
		tree->items[0]->text = mem_new(sizeof(before) + sizeof(secret), 1);
		memcpy(tree->items[0]->text, before, sizeof(before) - 1);
		memcpy(tree->items[0]->text + sizeof(before) - 1, secret, sizeof(secret));
		memcpy(hidden, secret, sizeof(secret));
		memory_turn(hidden, sizeof(secret) - 1);
		explicit_bzero(secret, sizeof(secret));
		copy = node_dup(tree);
		assert_int_equal(memory_copies(hidden), 2);
		node_free(copy);
		assert_int_equal(memory_copies(hidden), 1);
		node_remove(tree, "k");
		assert_int_equal(memory_copies(hidden), 0);
	}
	node_free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_name_the_place_whichever_end_was_built_first),
		cmocka_unit_test(members_are_found_by_key),
		cmocka_unit_test(an_overlay_merges_mappings_and_replaces_the_rest),
		cmocka_unit_test(problems_name_file_line_column_and_path),
		cmocka_unit_test(past_the_bound_problems_are_only_counted),
		cmocka_unit_test(a_freed_text_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The YAML that a file may use, and the place and text of each error. */
#include <config.h>

#include "conf/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"

static struct node *load(const char *text, struct problems *problems)
{
	struct node *n = NULL;

	if (yaml_load("f.yaml", text, strlen(text), &n, problems) < 0)
		return NULL;
	return n;
}

static struct node *load_good(const char *text)
{
	struct problems problems = {0};
	struct node *n = load(text, &problems);

	if (problems.errors > 0)
		problems_print(&problems, stderr);
	assert_int_equal(problems.errors, 0);
	assert_non_null(n);
	problems_done(&problems);
	return n;
}

static void values_keep_place_path_and_kind(void **state)
{
	CLEANUP(node_freep)
	struct node *n = load_good("# comment\n"
				   "version: 1\n"
				   "sources:\n"
				   "  gladly:\n"
				   "    lookup: [{url: \"x\"}, ~]\n"
				   "    empty:\n"
				   "    ü: Grüße\n");
	const struct node *gladly = node_get(node_get(n, "sources"), "gladly");
	const struct node *lookup = node_get(gladly, "lookup");
	const struct node *url;

	(void)state;
	assert_string_equal(node_text(n, "version"), "1");
	assert_false(node_get(n, "version")->quoted);
	url = node_get(lookup->items[0], "url");
	assert_string_equal(url->path, "sources.gladly.lookup[0].url");
	assert_true(url->quoted);
	assert_int_equal(url->line, 5);
	assert_int_equal(url->column, 20);
	assert_int_equal(url->key_line, 5);
	assert_int_equal(url->key_column, 15);
	assert_int_equal(lookup->items[1]->type, NODE_NULL);
	assert_int_equal(node_get(gladly, "empty")->type, NODE_NULL);
	assert_string_equal(node_text(gladly, "ü"), "Grüße");
	assert_string_equal(gladly->file, "f.yaml");
}

static void nothing_is_null_but_quoted_nothing_is_text(void **state)
{
	CLEANUP(node_freep) struct node *n = load_good("a: null\nb: 'null'\nc: ''\nd: NULL\ne: |\n  two\n  lines\n");

	(void)state;
	assert_int_equal(node_get(n, "a")->type, NODE_NULL);
	assert_string_equal(node_text(n, "b"), "null");
	assert_string_equal(node_text(n, "c"), "");
	assert_int_equal(node_get(n, "d")->type, NODE_NULL);
	assert_string_equal(node_text(n, "e"), "two\nlines\n");
	assert_true(node_get(n, "e")->quoted);
}

static void empty_files_are_nothing(void **state)
{
	static const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CLEANUP(node_freep) struct node *n = load_good(texts[i]);

		assert_int_equal(n->type, NODE_NULL);
	}
}

static void one_document_may_have_its_marks(void **state)
{
	CLEANUP(node_freep) struct node *n = load_good("\xef\xbb\xbf%YAML 1.1\n---\na: 1\n...\n");

	(void)state;
	assert_string_equal(node_text(n, "a"), "1");
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

struct wrong {
	const char *text;
	unsigned line, column;
	const char *path;
	const char *says;
};

static const struct wrong wrongs[] = {
	{"a: &x 1\n", 1, 4, "a", "anchors (&x)"},
	{"a: 1\nb: *x\n", 2, 4, "b", "aliases (*x)"},
	{"a: [1, *noreply]\n", 1, 8, "a[1]", "put it in quotes"},
	{"a:\n  - *@acme.com\n", 2, 6, "", "put it in quotes"},
	{"a:\n  - *.acme.com\n", 2, 6, "", "put it in quotes"},
	{"a: *x@acme.com\n", 1, 6, "", "put it in quotes"},
	{"a: @acme.com\n", 1, 4, "", "put it in quotes"},
	{"a: %x\n", 1, 4, "", "put it in quotes"},
	{"a: `x`\n", 1, 4, "", "put it in quotes"},
	{"a: [@x]\n", 1, 5, "", "put it in quotes"},
	{"l:\n  url: {base_url}/api/v1\n  b: 1\n", 2, 18, "", "put it in quotes"},
	{"l:\n  - url: {base_url}/api/{/id}\n", 2, 20, "", "put it in quotes"},
	{"l: [{url: {base_url}/api}]\n", 1, 21, "", "put it in quotes"},
	{"send: {label} closed\n", 1, 15, "", "put it in quotes"},
	{"a: !!int 5\n", 1, 4, "a", "tags (tag:yaml.org,2002:int)"},
	{"a: !x [1]\n", 1, 4, "a", "tags (!x)"},
	{"a: 1\nb: 2\na: 3\n", 3, 1, "a", "given twice (first in line 1)"},
	{"s:\n  g: {x: 1, y: 2, x: 3}\n", 2, 19, "s.g.x", "given twice (first in line 2)"},
	{"a: 1\n---\nb: 2\n", 2, 1, "", "a second document"},
	{"a: 1\n\tb: 2\n", 2, 1, "", "a tab may not stand here"},
	{"a:\n  - 1\n b: 2\n", 3, 2, "", "did not find expected"},
	{"a: [1, 2\nb: 3\n", 2, 2, "", "that begins in line 1"},
	{"a: \"open\nb: 1\n", 3, 1, "", "found unexpected end of stream"},
	{"{a: b}: 1\n", 1, 1, "", "a key must be text"},
	{"? [a]\n: 1\n", 1, 3, "", "a key must be text"},
	{": 1\n", 1, 1, "", "did not find expected key"},
	{"'': 1\n", 1, 1, "", "a key must be text"},
	{"a: \"x\\0y\"\n", 1, 4, "a", "NUL character"},
	{"a: 1\nb: \xff\n", 2, 4, "", "write it in UTF-8"},
	{"a: \xed\xa0\x80\n", 1, 4, "", "write it in UTF-8"},
	{"a: \x01\n", 1, 4, "", "control characters are not allowed"},
};

static bool problem_is(const struct problem *p, const struct wrong *w)
{
	return p->line == w->line && p->column == w->column && strcmp(p->path, w->path) == 0 &&
	       strstr(p->text, w->says) && strcmp(p->file, "f.yaml") == 0;
}

static void wrong_files_are_told_with_place_and_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct problems problems = {0};
		struct node *n = load(wrongs[i].text, &problems);
		bool found = false;

		for (size_t k = 0; k < problems.n; k++)
			found = found || problem_is(&problems.items[k], &wrongs[i]);
		if (!found) {
			problems_print(&problems, stderr);
			fail_msg("row %zu, expected %u:%u: %s: …%s…", i, wrongs[i].line, wrongs[i].column,
				 wrongs[i].path, wrongs[i].says);
		}
		node_free(n);
		problems_done(&problems);
	}
}

static void all_that_can_be_passed_over_is_told_at_once(void **state)
{
	struct problems problems = {0};
	CLEANUP(node_freep)
	struct node *n = load("a: &x 1\nb: *x\nb: 2\nc: !t 3\n{d: e}: 4\nf: \"\\0\"\n---\ng: 1\n", &problems);

	(void)state;
	assert_int_equal(problems.errors, 7);
	assert_non_null(n);
	assert_string_equal(node_text(n, "b"), "*x"); /* the first of the two */
	assert_int_equal(n->n, 4);
	assert_null(node_get(n, "g"));
	problems_done(&problems);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void expect_refusal(const char *text, size_t len, const char *says)
{
	struct problems problems = {0};
	struct node *n = NULL;

	assert_true(yaml_load("f.yaml", text, len, &n, &problems) < 0);
	assert_null(n);
	assert_int_equal(problems.errors, 1);
	if (!strstr(problems.items[0].text, says))
		fail_msg("expected …%s…, found %s", says, problems.items[0].text);
	problems_done(&problems);
}

static void repeat(struct buf *b, const char *what, size_t n)
{
	while (n-- > 0)
		buf_adds(b, what);
}

static void depth_bombs_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	repeat(&b, "[", 200000);
	expect_refusal(b.data, b.len, "levels deep");
	buf_clear(&b);
	repeat(&b, "{a: ", 33);
	expect_refusal(b.data, b.len, "more than 32 levels");
	buf_clear(&b);
	repeat(&b, "- ", 5000);
	expect_refusal(b.data, b.len, "levels deep");
	buf_done(&b);
}

static void thirty_two_levels_are_read(void **state)
{
	struct problems problems = {0};
	struct node *n = NULL;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	repeat(&b, "[", 32);
	repeat(&b, "]", 32);
	assert_int_equal(yaml_load("f", b.data, b.len, &n, &problems), 0);
	assert_int_equal(problems.errors, 0);
	node_free(n);
	buf_done(&b);
}

static void too_many_values_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	repeat(&b, "- a\n", 100001);
	expect_refusal(b.data, b.len, "more than 100000 values");
	buf_done(&b);
}

static void many_keys_cost_no_more_than_many_values(void **state)
{
	struct problems problems = {0};
	struct node *n = NULL;
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	for (unsigned i = 0; i < 90000; i++)
		buf_addf(&b, "k%u: \n", i % 89999);
	assert_int_equal(yaml_load("f", b.data, b.len, &n, &problems), 0);
	assert_int_equal(problems.errors, 1); /* k0 is there twice */
	assert_int_equal(n->n, 89999);
	node_free(n);
	problems_done(&problems);
	buf_done(&b);
}

static void large_files_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	repeat(&b, "# a comment of this length\n", YAML_SIZE_MAX / 27 + 1);
	expect_refusal(b.data, b.len, "larger than 1024 KiB");
	buf_done(&b);
}

static void long_keys_are_refused(void **state)
{
	struct problems problems = {0};
	struct node *n;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	repeat(&b, "k", 257);
	buf_adds(&b, ": 1\n");
	n = load(b.data, &problems);
	assert_int_equal(problems.errors, 1);
	assert_non_null(strstr(problems.items[0].text, "a key must be text of 1 to 256 bytes"));
	node_free(n);
	problems_done(&problems);
	buf_clear(&b);
	for (unsigned i = 0; i < 7; i++) {
		buf_adds(&b, "{");
		repeat(&b, "k", 200);
		buf_adds(&b, ": ");
	}
	expect_refusal(b.data, b.len, "longer than 1024 bytes together");
	buf_done(&b);
}

static void files_that_are_not_there_are_named(void **state)
{
	struct problems problems = {0};
	struct node *n = NULL;

	(void)state;
	assert_int_equal(yaml_load_file("/nonexistent/deskbridge.yaml", &n, &problems), -ENOENT);
	assert_string_equal(problems.items[0].file, "/nonexistent/deskbridge.yaml");
	assert_non_null(strstr(problems.items[0].text, "No such file"));
	problems_done(&problems);
	assert_int_equal(yaml_load_file("/", &n, &problems), -EISDIR);
	assert_null(n);
	problems_done(&problems);
}

/* Each beginning of a file, and each file with one changed byte, is read or refused, without a crash. */
static void spoilt_files_are_survived(void **state)
{
	static const char text[] =
		"version: 1\nlisten: {address: \"x\", l: [a, 'b', ~]}\nsources:\n  g: # c\n    - >\n      a\n"
		"      b\n    - {base: \"\\u00e9\"}\n";
	char copy[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < sizeof(text) * 2; i++) {
		struct problems problems = {0};
		struct node *n = NULL;
		size_t len = i < sizeof(text) ? i : sizeof(text) - 1;

		memcpy(copy, text, sizeof(text));
		if (i >= sizeof(text))
			copy[i - sizeof(text)] = "\t*&{}[]:\xff\"%"[i % 11];
		if (yaml_load("f", copy, len, &n, &problems) < 0)
			assert_true(problems.errors > 0);
		node_free(n);
		problems_done(&problems);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_keep_place_path_and_kind),
		cmocka_unit_test(nothing_is_null_but_quoted_nothing_is_text),
		cmocka_unit_test(empty_files_are_nothing),
		cmocka_unit_test(one_document_may_have_its_marks),
		cmocka_unit_test(wrong_files_are_told_with_place_and_advice),
		cmocka_unit_test(all_that_can_be_passed_over_is_told_at_once),
		cmocka_unit_test(depth_bombs_are_refused),
		cmocka_unit_test(thirty_two_levels_are_read),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(many_keys_cost_no_more_than_many_values),
		cmocka_unit_test(large_files_are_refused),
		cmocka_unit_test(long_keys_are_refused),
		cmocka_unit_test(files_that_are_not_there_are_named),
		cmocka_unit_test(spoilt_files_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

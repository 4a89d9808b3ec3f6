/* SPDX-License-Identifier: MIT */
/* Tests problems: counted, bounded, and sorted by place. */
#include <config.h>

#include "base/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/node.h"

static void add(struct problems *p, const char *file, unsigned line, unsigned column, bool warning, const char *text)
{
	CLEANUP(node_freep) struct node *n = node_new(NODE_NULL, file, line, column);

	if (warning)
		problems_warn(p, n, "%s", text);
	else
		problems_error(p, n, "%s", text);
}

static char *texts(const struct problems *p)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < p->n; i++)
		buf_addf(&b, "%s%s", i > 0 ? " " : "", p->items[i].text);
	return buf_take(&b);
}

static void problems_come_in_the_order_of_their_places_and_once(void **state)
{
	CLEANUP(mem_freep) char *before = NULL;
	CLEANUP(mem_freep) char *after = NULL;
	struct problems p = {0};

	(void)state;
	add(&p, "main", 9, 1, false, "former");
	add(&p, "a", 1, 1, false, "a1");
	add(&p, "main", 3, 5, true, "m35");
	add(&p, "main", 3, 2, false, "m32");
	add(&p, "main", 3, 2, false, "m32-later");
	add(&p, "z", 1, 1, false, "z1");
	add(&p, "main", 3, 5, true, "m35");
	add(&p, "main", 3, 5, false, "m35");
	add(&p, "a", 1, 1, false, "a1");
	problems_sort(&p, 1, "main");
	before = texts(&p);
	assert_string_equal(before, "former m32 m32-later m35 m35 a1 z1");
	assert_true(p.items[3].warning);
	assert_false(p.items[4].warning);
	assert_int_equal(p.errors, 6);
	assert_int_equal(p.warnings, 1);
	/* Further problems can be added afterwards. */
	for (int i = 0; i < 20; i++)
		add(&p, "main", 1, 1, false, "x");
	problems_sort(&p, 0, "main");
	after = texts(&p);
	assert_string_equal(after, "x m32 m32-later m35 m35 former a1 z1");
	problems_done(&p);
	assert_int_equal(p.n, 0);
}

static void the_rest_is_counted(void **state)
{
	struct problems p = {0};

	(void)state;
	for (int i = 0; i < PROBLEMS_MAX + 7; i++)
		problems_error_at(&p, NULL, 0, 0, "%d", i);
	problems_notice(&p, NULL, "one more");
	assert_int_equal(p.n, PROBLEMS_MAX);
	assert_int_equal(p.errors, PROBLEMS_MAX + 7);
	assert_int_equal(p.warnings, 1);
	assert_string_equal(p.items[0].file, "");
	assert_true(problems_have(&p, "3"));
	assert_false(problems_have(&p, "one more"));
	problems_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_come_in_the_order_of_their_places_and_once),
		cmocka_unit_test(the_rest_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

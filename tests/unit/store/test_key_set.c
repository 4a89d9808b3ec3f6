/* SPDX-License-Identifier: MIT */
/* A key_set agrees with a plain array of entries. */
#include <config.h>

#include "store/key_set.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "fixtures/dice.h"

#define ENTRIES_MAX 2048

struct model {
	struct key_entry items[ENTRIES_MAX];
	size_t n;
};

static bool model_add(struct model *m, struct key_entry e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].key == e.key && m->items[i].id == e.id)
			return false;
	assert_true(m->n < ENTRIES_MAX);
	m->items[m->n++] = e;
	return true;
}

static bool model_remove(struct model *m, struct key_entry e)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->items[i].key != e.key || m->items[i].id != e.id)
			continue;
		m->items[i] = m->items[--m->n];
		return true;
	}
	return false;
}

static int64_t model_next(const struct model *m, int64_t key, int64_t after)
{
	int64_t next = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].key == key && m->items[i].id > after && (next == 0 || m->items[i].id < next))
			next = m->items[i].id;
	return next;
}

static int compare(const void *a, const void *b)
{
	const struct key_entry *x = a;
	const struct key_entry *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void a_new_set_is_empty(void **state)
{
	struct key_set set = {0};
	struct key_cursor cursor = {0};

	(void)state;
	assert_int_equal(key_set_next(&set, 7, 0, NULL), 0);
	assert_int_equal(key_set_next(&set, 7, 0, &cursor), 0);
	assert_false(key_set_remove(&set, (struct key_entry){7, 1}));
	key_set_copy(&set, NULL);
	key_set_done(&set);
	assert_int_equal(set.n, 0);
}

static void a_repeat_changes_nothing(void **state)
{
	struct key_set set = {0};

	(void)state;
	assert_true(key_set_add(&set, (struct key_entry){7, 2}));
	assert_false(key_set_add(&set, (struct key_entry){7, 2}));
	assert_true(key_set_add(&set, (struct key_entry){8, 2}));
	assert_int_equal(set.n, 2);
	assert_true(key_set_remove(&set, (struct key_entry){7, 2}));
	assert_false(key_set_remove(&set, (struct key_entry){7, 2}));
	assert_false(key_set_remove(&set, (struct key_entry){8, 1}));
	assert_int_equal(set.n, 1);
	assert_int_equal(key_set_next(&set, 8, 0, NULL), 2);
	key_set_done(&set);
}

/* The table: in which order ids are added, and which are removed then. */
static void ids_come_in_ascending_order_however_they_were_added(void **state)
{
	static const struct {
		int64_t added[6], removed[3];
	} cases[] = {
		{{1, 2, 3, 4, 5, 6}, {0}},    {{6, 5, 4, 3, 2, 1}, {0}},    {{3, 1, 6, 2, 5, 4}, {1, 6}},
		{{1, 2, 3, 4, 5, 6}, {6, 5}}, {{1, 2, 3, 4, 5, 6}, {1, 2}}, {{5, 6, 1, 2, 3, 4}, {4, 3, 5}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static const int64_t keys[] = {0, -1, INT64_MIN, INT64_MAX, 256};
		struct key_set set = {0};

		for (int k = 0; k < 6; k++)
			for (size_t key = 0; key < 5; key++)
				assert_true(key_set_add(&set, (struct key_entry){keys[key], cases[i].added[k]}));
		for (int k = 0; k < 3 && cases[i].removed[k]; k++)
			assert_true(key_set_remove(&set, (struct key_entry){-1, cases[i].removed[k]}));
		for (size_t key = 0; key < 5; key++) {
			struct key_cursor cursor = {0};
			int64_t last = 0;

			for (int64_t id = 1; id <= 6; id++) {
				bool gone = false;

				for (int k = 0; keys[key] == -1 && k < 3; k++)
					gone = gone || cases[i].removed[k] == id;
				if (gone)
					continue;
				assert_int_equal(key_set_next(&set, keys[key], last, NULL), id);
				last = key_set_next(&set, keys[key], last, &cursor);
				assert_int_equal(last, id);
			}
			assert_int_equal(key_set_next(&set, keys[key], last, &cursor), 0);
		}
		key_set_done(&set);
	}
}

static void a_walk_goes_on_while_the_set_changes(void **state)
{
	struct key_set set = {0};
	struct key_cursor cursor = {0};

	(void)state;
	for (int64_t id = 2; id <= 8; id += 2)
		assert_true(key_set_add(&set, (struct key_entry){7, id}));
	assert_int_equal(key_set_next(&set, 7, 0, &cursor), 2);
	assert_int_equal(key_set_next(&set, 7, 2, &cursor), 4);
	assert_true(key_set_remove(&set, (struct key_entry){7, 4})); /* where the walk stands */
	assert_true(key_set_add(&set, (struct key_entry){9, 1}));    /* in its place */
	assert_true(key_set_add(&set, (struct key_entry){7, 5}));
	assert_int_equal(key_set_next(&set, 7, 4, &cursor), 5);
	assert_true(key_set_add(&set, (struct key_entry){7, 3})); /* behind it */
	assert_int_equal(key_set_next(&set, 7, 5, &cursor), 6);
	for (int64_t id = 100; id < 1000; id++) /* it grows */
		assert_true(key_set_add(&set, (struct key_entry){id, id}));
	assert_int_equal(key_set_next(&set, 7, 6, &cursor), 8);
	assert_int_equal(key_set_next(&set, 7, 8, &cursor), 0);
	key_set_done(&set);
}

static void entries_are_sorted_by_key_and_id(void **state)
{
	struct key_entry e[] = {{3, 1},         {INT64_MIN, 5}, {3, INT64_MAX}, {INT64_MAX, 1},
				{INT64_MIN, 1}, {-1, 2},        {3, 2}};
	const size_t n = sizeof(e) / sizeof(*e);

	(void)state;
	key_entries_sort(e, n);
	for (size_t i = 1; i < n; i++)
		assert_true(compare(&e[i - 1], &e[i]) < 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(key_entries_find(e, n, e[i]), i);
	assert_int_equal(key_entries_find(e, n, (struct key_entry){INT64_MIN, 0}), 0);
	assert_int_equal(key_entries_find(e, n, (struct key_entry){3, 0}), 3);
	assert_int_equal(key_entries_find(e, n, (struct key_entry){3, 3}), 5);
	assert_int_equal(key_entries_find(e, n, (struct key_entry){INT64_MAX, 2}), n);
	assert_int_equal(key_entries_find(e, 0, (struct key_entry){3, 3}), 0);
}

/* With a step for each entry of the key, this would take hours. */
static void the_number_of_entries_of_a_key_does_not_matter(void **state)
{
	const int64_t many = 1000000;
	struct key_set set = {0};
	struct key_cursor cursor = {0};
	int64_t id = 0;

	(void)state;
	for (; id < many / 2; id++)
		assert_true(key_set_add(&set, (struct key_entry){7, id + 1}));
	for (int64_t old = 0; old < many / 4; old++)
		assert_true(key_set_remove(&set, (struct key_entry){7, old + 1}));
	/* Takes the places of those that were removed, and grows then. */
	for (; id < many * 5 / 4; id++)
		assert_true(key_set_add(&set, (struct key_entry){7, id + 1}));
	id = many / 4;
	for (int64_t next; (next = key_set_next(&set, 7, id, &cursor)) != 0; id = next)
		assert_int_equal(next, id + 1);
	assert_int_equal(id, many * 5 / 4);
	assert_int_equal(set.n, many);
	key_set_done(&set);
}

/* ---- random changes ---------------------------------------------------------------------------------------------- */

struct dice_of {
	unsigned keys, ids; /* their numbers */
	unsigned adds;      /* of ten changes */
};

static struct key_entry roll(const struct dice_of *d)
{
	/* As keys of times: the low bits of most are equal. */
	return (struct key_entry){((int64_t)dice_roll(d->keys) - d->keys / 2) * (INT64_C(1) << 24),
				  dice_roll(d->ids) + 1};
}

static void check_all(const struct key_set *set, const struct model *m)
{
	static struct key_entry got[ENTRIES_MAX], want[ENTRIES_MAX];

	assert_int_equal(set->n, m->n);
	key_set_copy(set, got);
	memcpy(want, m->items, m->n * sizeof(*want));
	qsort(want, m->n, sizeof(*want), compare);
	key_entries_sort(got, m->n);
	for (size_t i = 0; i < m->n; i++)
		assert_int_equal(compare(&got[i], &want[i]), 0);
}

/* Walks through a key; the set changes meanwhile or not. */
static void walk(struct key_set *set, struct model *m, const struct dice_of *d, bool changes)
{
	struct key_entry at = {.key = roll(d).key};
	struct key_cursor cursor = {0};

	for (;;) {
		int64_t next = key_set_next(set, at.key, at.id, &cursor);

		assert_int_equal(next, model_next(m, at.key, at.id));
		if (next == 0)
			return;
		at.id = next;
		if (changes && dice_roll(3) == 0) {
			struct key_entry e = dice_roll(2) ? at : roll(d);

			assert_int_equal(key_set_remove(set, e), model_remove(m, e));
		} else if (changes && dice_roll(3) == 0 && m->n < ENTRIES_MAX) {
			struct key_entry e = roll(d);

			assert_int_equal(key_set_add(set, e), model_add(m, e));
		}
	}
}

static void random_changes(const struct dice_of *d)
{
	static struct model m;
	struct key_set set = {0};

	m.n = 0;
	for (int i = 0; i < 5000; i++) {
		struct key_entry e = roll(d);

		if (dice_roll(10) < d->adds && m.n < ENTRIES_MAX)
			assert_int_equal(key_set_add(&set, e), model_add(&m, e));
		else
			assert_int_equal(key_set_remove(&set, e), model_remove(&m, e));
		e = roll(d);
		assert_int_equal(key_set_next(&set, e.key, e.id, NULL), model_next(&m, e.key, e.id));
		if (dice_roll(20) == 0)
			walk(&set, &m, d, dice_roll(2) == 0);
		if (dice_roll(100) == 0)
			check_all(&set, &m);
		if (dice_roll(2000) == 0) {
			key_set_done(&set);
			m.n = 0;
		}
	}
	check_all(&set, &m);
	key_set_done(&set);
}

static void any_changes_agree_with_a_plain_array(void **state)
{
	static const struct dice_of cases[] = {
		{.keys = 1, .ids = 50, .adds = 6},    {.keys = 3, .ids = 2000, .adds = 9},
		{.keys = 2000, .ids = 3, .adds = 8},  {.keys = 40, .ids = 40, .adds = 7},
		{.keys = 300, .ids = 300, .adds = 9}, {.keys = 2, .ids = 10, .adds = 5},
	};

	(void)state;
	dice_seed(dice_first_seed(1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		random_changes(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_set_is_empty),
		cmocka_unit_test(a_repeat_changes_nothing),
		cmocka_unit_test(ids_come_in_ascending_order_however_they_were_added),
		cmocka_unit_test(a_walk_goes_on_while_the_set_changes),
		cmocka_unit_test(entries_are_sorted_by_key_and_id),
		cmocka_unit_test(the_number_of_entries_of_a_key_does_not_matter),
		cmocka_unit_test(any_changes_agree_with_a_plain_array),
	};

	return cmocka_run_group_tests_name("store_key_set", tests, NULL, NULL);
}

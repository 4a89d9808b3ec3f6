/* SPDX-License-Identifier: MIT */
/* Parsed webhooks that are cached for their next pass: which, how many, and which are evicted first. */
#include <config.h>

#include "fixtures/definition.h"

#include "pipeline/parsed_cache.h"

struct world {
	struct definition *d, *other;
	struct source source;
	struct config config;
	struct parsed_cache *r;
};

static int start(void **state)
{
	struct world *w = mem_new(1, sizeof(*w));

	w->d = with_definition(BARE_DEFINITION, NULL);
	w->other = with_definition(BARE_DEFINITION, NULL);
	w->source = (struct source){.definition = w->d};
	w->source.name = mem_str("desk");
	w->config = (struct config){.sources = &w->source, .sources_n = 1};
	w->r = parsed_cache_new();
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	parsed_cache_free(w->r);
	free(w->source.name);
	definition_free(w->d);
	definition_free(w->other);
	free(w);
	return 0;
}

static struct parsed_webhook *parsed_of(const struct definition *d, int64_t id, size_t filled)
{
	CLEANUP(mem_freep) char *text = mem_new(filled + 1, 1);
	struct webhook w = {.id = id, .source = mem_str("desk"), .received_ms = 1};

	memset(text, 'x', filled);
	w.body = mem_fmt("{\"type\":\"opened\",\"id\":%lld,\"text\":\"%s\"}", (long long)id, text);
	w.body_len = strlen(w.body);
	return parsed_webhook_new(d, &w, NULL, 0);
}

static void keep(struct world *w, int64_t id, size_t filled, bool has_waited)
{
	parsed_cache_add(w->r, &w->config, parsed_of(w->d, id, filled), has_waited);
}

/* Removes it. */
static bool has(struct world *w, int64_t id)
{
	struct parsed_webhook *p = parsed_cache_take(w->r, id);

	parsed_webhook_free(p);
	return p != NULL;
}

static void what_is_kept_is_taken_once(void **state)
{
	struct world *w = *state;
	struct parsed_webhook *p = parsed_of(w->d, 1, 0);

	parsed_cache_add(w->r, &w->config, p, false);
	keep(w, 2, 0, false);
	assert_ptr_equal(parsed_cache_take(w->r, 1), p);
	parsed_webhook_free(p);
	assert_false(has(w, 1));
	assert_false(has(w, 3));
	parsed_cache_remove(w->r, 2);
	parsed_cache_remove(w->r, 2);
	assert_false(has(w, 2));
	keep(w, 4, 0, true);
	parsed_cache_clear(w->r);
	assert_false(has(w, 4));
}

static void only_what_the_pass_would_read_is_kept(void **state)
{
	struct world *w = *state;
	struct webhook broken = {.id = 3, .source = mem_str("desk"), .body = mem_str("{"), .body_len = 1};
	struct webhook gone = {.id = 4, .source = mem_str("gone"), .body = mem_str("{}"), .body_len = 2};
	struct parsed_webhook *looked_up = parsed_of(w->d, 2, 0);
	struct parsed_webhook *bare = parsed_of(w->d, 5, 0);
	struct customer nobody = {0};

	parsed_cache_add(w->r, &w->config, parsed_of(w->other, 1, 0), false); /* as after a reload */
	parsed_webhook_add_lookup(looked_up, &nobody);
	parsed_cache_add(w->r, &w->config, looked_up, false);
	parsed_cache_add(w->r, &w->config, parsed_webhook_new(w->d, &broken, NULL, 0), false);
	parsed_cache_add(w->r, &w->config, parsed_webhook_new(w->d, &gone, NULL, 0), false);
	parsed_webhook_strip(bare);
	parsed_cache_add(w->r, &w->config, bare, false);
	for (int64_t id = 1; id <= 5; id++)
		assert_false(has(w, id));
}

/* Passes come in order of receipt, so the first new entries are needed first. */
static void where_all_are_fresh_the_last_find_no_room(void **state)
{
	struct world *w = *state;

	for (int64_t id = 1; id <= PARSED_CACHE_MAX; id++)
		keep(w, id, 0, false);
	assert_false(parsed_cache_is_full(w->r));
	for (int64_t id = PARSED_CACHE_MAX + 1; id <= PARSED_CACHE_MAX + 10; id++)
		keep(w, id, 0, false);
	assert_true(parsed_cache_is_full(w->r));
	for (int64_t id = 1; id <= PARSED_CACHE_MAX + 10; id++) {
		assert_int_equal(has(w, id), id <= PARSED_CACHE_MAX);
		assert_int_equal(parsed_cache_is_full(w->r), id < PARSED_CACHE_MAX / 2);
	}
}

/* They are evicted first, so they do not make the cache full. */
static void those_that_have_waited_do_not_count_as_full(void **state)
{
	struct world *w = *state;

	for (int64_t id = 1; id <= PARSED_CACHE_MAX + 1; id++)
		keep(w, id, 0, false);
	for (int64_t id = 1; id <= PARSED_CACHE_MAX; id++) {
		assert_true(has(w, id)); /* its pass takes it, */
		keep(w, id, 0, true);    /* and leaves it waiting */
		assert_int_equal(parsed_cache_is_full(w->r), id < PARSED_CACHE_MAX / 2);
	}
	keep(w, PARSED_CACHE_MAX + 1, 0, false);
	assert_true(has(w, PARSED_CACHE_MAX + 1));
}

static void what_is_full_by_bytes_is_full_until_half_of_them_are_free(void **state)
{
	const size_t filled = PARSED_CACHE_BYTES_MAX / 20;
	struct world *w = *state;

	for (int64_t id = 1; id <= 10; id++)
		/* A little more than a tenth, with its tree: there is no room for the last. */
		keep(w, id, filled, false);
	for (int64_t id = 1; id <= 10; id++) {
		assert_int_equal(parsed_cache_is_full(w->r), id <= 5);
		assert_int_equal(has(w, id), id < 10);
	}
}

static void those_that_have_waited_make_room_the_first_before_all(void **state)
{
	struct world *w = *state;

	for (int64_t id = 1; id <= PARSED_CACHE_MAX; id++)
		keep(w, id, 0, id % 2 == 0);
	keep(w, 1001, 0, false);
	keep(w, 1002, 0, true);
	assert_false(has(w, 2));
	assert_false(has(w, 4));
	assert_true(has(w, 1));
	assert_true(has(w, 6));
	assert_true(has(w, 1001));
	assert_true(has(w, 1002));
}

static void large_ones_count_by_their_bytes(void **state)
{
	static const size_t mebibyte = 1024 * 1024;
	struct world *w = *state;

	keep(w, 1, 5 * mebibyte, false); /* more than the cache may hold */
	assert_false(has(w, 1));
	keep(w, 2, mebibyte, true);
	keep(w, 3, mebibyte, true);
	keep(w, 4, 5 * mebibyte / 2, false); /* with both it is too much, with one of them it is not */
	assert_false(has(w, 2));
	assert_true(has(w, 3));
	assert_true(has(w, 4));
}

/* A webhook that was loaded again while its request was in flight comes back with the answer, too. */
static void the_later_of_two_readings_of_one_webhook_counts(void **state)
{
	struct world *w = *state;
	struct parsed_webhook *later;

	keep(w, 1, 0, true);
	later = parsed_of(w->d, 1, 0);
	parsed_cache_add(w->r, &w->config, later, true);
	assert_ptr_equal(parsed_cache_take(w->r, 1), later);
	parsed_webhook_free(later);
	assert_false(has(w, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_kept_is_taken_once, start, end),
		cmocka_unit_test_setup_teardown(the_later_of_two_readings_of_one_webhook_counts, start, end),
		cmocka_unit_test_setup_teardown(only_what_the_pass_would_read_is_kept, start, end),
		cmocka_unit_test_setup_teardown(those_that_have_waited_do_not_count_as_full, start, end),
		cmocka_unit_test_setup_teardown(what_is_full_by_bytes_is_full_until_half_of_them_are_free, start, end),
		cmocka_unit_test_setup_teardown(where_all_are_fresh_the_last_find_no_room, start, end),
		cmocka_unit_test_setup_teardown(those_that_have_waited_make_room_the_first_before_all, start, end),
		cmocka_unit_test_setup_teardown(large_ones_count_by_their_bytes, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests budget: the shares row by row, and random reservations whose sums return to 0. */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/thread.h"
#include "fixtures/dice.h"
#include "http/budget.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define SMALL BUDGET_SMALL_BYTES

static struct ip address(unsigned n)
{
	return (struct ip){.bytes = {192, 0, (unsigned char)(n >> 8), (unsigned char)n}, .bits = 32};
}

/* ---- shares ------------------------------------------------------------------------------------------------------ */

/* Each row is a budget of 64 MiB: 16 MiB are reserved for small bodies, 48 MiB are the rest, and one address may use 12
 * MiB. */
static void a_quarter_is_kept_for_small_bodies_and_a_holder_takes_a_quarter_of_the_rest(void **state)
{
	static const struct {
		const char *what;
		struct {
			unsigned n;
			size_t bytes;
			int address; /* each number is an address; 0: no address */
		} there[4];
		size_t bytes;
		int address;
		bool may;
	} rows[] = {
		{"nothing there", {{0}}, SMALL, 1, true},
		{"a whole share", {{0}}, 12 * MIB, 1, true},
		{"more than a share", {{0}}, 12 * MIB + 1, 1, false},
		{"more than a share, without an address", {{0}}, 48 * MIB, 0, true},
		{"more than the rest, without an address", {{0}}, 48 * MIB + 1, 0, false},
		{"a share in parts", {{1, 7 * MIB, 1}}, 5 * MIB, 1, true},
		{"more than a share in parts", {{1, 7 * MIB, 1}}, 5 * MIB + 1, 1, false},
		{"the next address", {{1, 12 * MIB, 1}}, 12 * MIB, 2, true},
		{"small ones count in the share too", {{192, SMALL, 1}}, 1, 1, false},
		{"and do not block the others", {{192, SMALL, 1}}, SMALL, 2, true},
		{"the rest is full", {{4, 12 * MIB, -1}}, SMALL + 1, 9, false},
		{"the rest is full, without an address", {{1, 48 * MIB, 0}}, SMALL + 1, 9, false},
		{"small beside a full rest", {{4, 12 * MIB, -1}}, SMALL, 9, true},
		{"a small one's last place", {{4, 12 * MIB, -1}, {255, SMALL, 0}}, SMALL, 9, true},
		{"all is full", {{4, 12 * MIB, -1}, {256, SMALL, 0}}, 1, 9, false},
		{"small ones take of the rest", {{512, SMALL, 0}}, SMALL, 1, true},
		{"and leave less of it", {{640, SMALL, 0}}, 24 * MIB + 1, 0, false},
		{"all full of small ones", {{1024, SMALL, 0}}, 1, 9, false},
		{"nothing is always there", {{1024, SMALL, 0}}, 0, 9, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct budget *b = budget_new(64 * MIB);
		size_t n = 0;
		static struct reservation reservations[2048];
		struct reservation reservation;
		struct ip ip;

		for (size_t k = 0; k < 4; k++)
			for (unsigned m = 0; m < rows[i].there[k].n; m++, n++) {
				int number = rows[i].there[k].address;

				ip = address(number < 0 ? 1000 + m : (unsigned)number);
				reservation_init(&reservations[n], b, number != 0 ? &ip : NULL);
				if (!reservation_resize(&reservations[n], rows[i].there[k].bytes))
					fail_msg("%s: the stage does not fit", rows[i].what);
			}
		ip = address((unsigned)rows[i].address);
		reservation_init(&reservation, b, rows[i].address != 0 ? &ip : NULL);
		if (reservation_resize(&reservation, rows[i].bytes) != rows[i].may)
			fail_msg("%s: %s", rows[i].what, rows[i].may ? "refused" : "granted");
		assert_int_equal(reservation.bytes, rows[i].may ? rows[i].bytes : 0);
		reservation_release(&reservation);
		while (n > 0)
			reservation_release(&reservations[--n]);
		budget_free(b);
	}
}

static void a_claim_that_grows_counts_once_and_keeps_what_it_had_where_it_may_not(void **state)
{
	struct budget *b = budget_new(64 * MIB);
	struct ip ip = address(1);
	struct reservation reservation, other;

	(void)state;
	reservation_init(&reservation, b, &ip);
	for (size_t bytes = 256; bytes <= 8 * MIB; bytes *= 2)
		assert_true(reservation_resize(&reservation, bytes));
	assert_true(reservation_resize(&reservation, 12 * MIB));
	assert_false(reservation_resize(&reservation, 12 * MIB + 1));
	assert_int_equal(reservation.bytes, 12 * MIB);
	reservation_init(&other, b, &ip);
	assert_false(reservation_resize(&other, 1));
	assert_true(reservation_resize(&reservation, 12 * MIB - 1));
	assert_true(reservation_resize(&other, 1));
	reservation_release(&reservation);
	assert_true(reservation_resize(&other, 12 * MIB));
	reservation_release(&other);
	reservation_release(&other);
	budget_free(b);
}

static void a_claim_on_nothing_is_given_back_too(void **state)
{
	struct reservation reservation = {0};

	(void)state;
	reservation_release(&reservation);
	budget_free(NULL);
}

static void the_least_budget_of_a_share_is_the_least(void **state)
{
	(void)state;
	assert_int_equal(budget_share(64 * MIB), 12 * MIB);
	assert_int_equal(budget_for_share(12 * MIB), 64 * MIB - 1);
	for (size_t bytes = 1; bytes < 5000; bytes++) {
		size_t least = budget_for_share(bytes);

		assert_true(budget_share(least) >= bytes);
		assert_true(budget_share(least - 1) < bytes);
	}
}

/* ---- random reservations ----------------------------------------------------------------------------------------- */

#define RESERVATIONS 64
#define ADDRESSES 5 /* the first one stands for no address */

static uint64_t seed;

static size_t any_size(void)
{
	switch (dice_roll(4)) {
	case 0:
		return 0;
	case 1:
		return dice_roll(SMALL + 2);
	case 2:
		return dice_roll(MIB);
	default:
		return dice_roll(16 * MIB);
	}
}

/* The same rules, with the sums counted from scratch each time. */
static bool model_may(const struct reservation *reservations, const unsigned *addresses, size_t at, size_t bytes,
		      size_t max)
{
	size_t all = bytes;
	size_t large = bytes > SMALL ? bytes : 0;
	size_t mine = bytes;

	if (bytes <= reservations[at].bytes)
		return true;
	for (size_t i = 0; i < RESERVATIONS; i++) {
		if (i == at)
			continue;
		all += reservations[i].bytes;
		large += reservations[i].bytes > SMALL ? reservations[i].bytes : 0;
		mine += addresses[i] == addresses[at] ? reservations[i].bytes : 0;
	}
	return all <= max && large <= max - max / 4 && (addresses[at] == 0 || mine <= (max - max / 4) / 4);
}

static void whatever_is_asked_the_answer_is_the_models_and_the_sums_come_back_to_nothing(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct reservation reservations[RESERVATIONS] = {0};
		unsigned addresses[RESERVATIONS] = {0};
		size_t max = MIB + dice_roll(64 * MIB);
		size_t granted = 0;
		struct budget *b = budget_new(max);

		for (int step = 0; step < 5000; step++) {
			size_t at = dice_roll(RESERVATIONS);
			size_t bytes = any_size();
			size_t before;
			bool may;

			if (reservations[at].bytes == 0) {
				struct ip ip;

				addresses[at] = dice_roll(ADDRESSES);
				ip = address(addresses[at]);
				reservation_init(&reservations[at], b, addresses[at] != 0 ? &ip : NULL);
			}
			before = reservations[at].bytes;
			may = model_may(reservations, addresses, at, bytes, max);
			if (reservation_resize(&reservations[at], bytes) != may)
				fail_msg("seed %" PRIu64 ": round %d, step %d: %zu bytes after %zu %s", seed, round,
					 step, bytes, before, may ? "refused" : "granted");
			assert_int_equal(reservations[at].bytes, may ? bytes : before);
			granted += may && bytes > 0;
		}
		assert_true(granted > 100);
		for (size_t i = 0; i < RESERVATIONS; i++)
			reservation_release(&reservations[i]);
		budget_free(b); /* insists that all sums are 0 */
	}
}

static void *take_and_give(void *arg)
{
	struct ip ip = address(1);

	for (int i = 0; i < 20000; i++) {
		struct reservation reservation;

		reservation_init(&reservation, arg, i % 3 ? &ip : NULL);
		for (size_t k = 40; k > 0; k -= 20)
			if (reservation_resize(&reservation, SMALL * ((size_t)i % k)))
				assert_int_equal(reservation.bytes, SMALL * ((size_t)i % k));
		reservation_release(&reservation);
	}
	return NULL;
}

static void several_threads_leave_nothing_behind(void **state)
{
	struct budget *b = budget_new(4 * MIB);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		thread_start(&threads[i], "taker", take_and_give, b);
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	budget_free(b);
}

static void what_one_can_do_without_leaves_half_free(void **state)
{
	struct budget *b = budget_new(1000);
	struct reservation other, reservation;

	(void)state;
	reservation_init(&other, b, NULL);
	reservation_init(&reservation, b, NULL);
	assert_true(reservation_resize(&other, 300));
	assert_true(reservation_resize_spare(&reservation, 200));
	assert_false(reservation_resize_spare(&reservation, 201));
	assert_int_equal(reservation.bytes, 200);
	assert_true(reservation_resize(&reservation, 400));
	assert_true(reservation_resize_spare(&reservation, 390)); /* a smaller size is never refused */
	reservation_release(&reservation);
	reservation_release(&other);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarter_is_kept_for_small_bodies_and_a_holder_takes_a_quarter_of_the_rest),
		cmocka_unit_test(a_claim_that_grows_counts_once_and_keeps_what_it_had_where_it_may_not),
		cmocka_unit_test(a_claim_on_nothing_is_given_back_too),
		cmocka_unit_test(what_one_can_do_without_leaves_half_free),
		cmocka_unit_test(the_least_budget_of_a_share_is_the_least),
		cmocka_unit_test(whatever_is_asked_the_answer_is_the_models_and_the_sums_come_back_to_nothing),
		cmocka_unit_test(several_threads_leave_nothing_behind),
	};

	seed = dice_first_seed(1);
	dice_seed(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The index of keys agrees with the rows after any history. A failure prints its seed. */
#include <config.h>

#include "store/store.h"

#include "fixtures/dice.h"
#include "fixtures/store_keys.h"

#define DAY CLOCK_DAY_MS

static int64_t now;

static void clean(struct fixture *f, size_t max)
{
	assert_true(store_clean(f->s, 2 * DAY, 5 * DAY, now, max, NULL) >= 0);
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

static int count_person(void *ctx, const struct store_paused_person *p)
{
	(void)p;
	++*(int64_t *)ctx;
	return 0;
}

/* A reader finds the same people. */
static void check_reader(struct fixture *f, struct store *reader)
{
	int64_t of_writer = 0;
	int64_t of_reader = 0;
	int64_t on_page = 0;

	MUST(store_paused_count(f->s, &of_writer, err));
	MUST(store_paused_count(reader, &of_reader, err));
	assert_int_equal(of_reader, of_writer);
	MUST(store_paused_page(reader, 1000, count_person, &on_page, err));
	assert_int_equal(on_page, of_writer);
}

static struct store *open_reader(struct fixture *f)
{
	struct store_options o = {.path = f->path};
	struct store *s = NULL;

	MUST(store_open(&o, STORE_READ, &s, err));
	return s;
}

/* ---- random histories -------------------------------------------------------------------------------------------- */

static void roll_sizes(struct fixture *f)
{
	struct keys *keys = f->s->keys;

	keys->batch = 1 + dice_roll(12);
	keys->step = dice_roll(4) == 0 ? 20 : 1 + dice_roll(5);
	keys->span = 5 + dice_roll(60);
}

static void change_event(struct fixture *f)
{
	int64_t ready = fixture_keys_event(f, EVENT_READY, dice_roll(2) == 0);
	int64_t dead = fixture_keys_event(f, EVENT_DEAD, false);
	bool later;

	switch (dice_roll(6)) {
	case 0:
		if (ready)
			MUST(store_event_dead(f->s, ready, "400", now, err));
		break;
	case 1:
		if (dead)
			MUST(store_event_revive(f->s, dead, now, &later, err));
		break;
	case 2:
		if (dead)
			MUST(fixture_delivered(f->s, dead, 0, now, err));
		break;
	default:
		if (ready)
			MUST(fixture_delivered(f->s, ready, dice_roll(2), now, err));
		break;
	}
}

static void queue_any(struct fixture *f)
{
	unsigned n = dice_roll(400);
	CLEANUP(mem_freep)
	char *text = mem_fmt("SELECT count(*) FROM events WHERE hex(substr(unique_id, 9)) = '%032X'", n);
	int64_t there = fixture_keys_int(f, text, 0);

	assert_int_equal(fixture_keys_queue(f, dice_roll(4), n) == 0, there);
}

static void change(struct fixture *f)
{
	switch (dice_roll(8)) {
	case 0:
	case 1:
	case 2:
		(void)fixture_keys_save(f, dice_roll(60), dice_roll(3) ? LEDGER_OPEN : LEDGER_CLOSED,
					dice_roll(256) & dice_roll(256), now);
		break;
	case 3:
	case 4:
		queue_any(f);
		break;
	case 5:
		if (dice_roll(6) == 0)
			clean(f, 1 + dice_roll(20));
		break;
	default:
		change_event(f);
		break;
	}
}

static void changes(struct fixture *f)
{
	for (unsigned i = dice_roll(10); i > 0; i--)
		change(f);
	if (dice_roll(4) == 0)
		fixture_keys_check(f);
}

static void turn(struct fixture *f)
{
	if (dice_roll(40) == 0) /* another connection has changed rows */
		fixture_sql(f, "UPDATE conversations SET reopen_count = reopen_count + 1");
	fixture_begin(f);
	if (dice_roll(60) == 0) { /* the index is built anew at the end */
		f->s->keys->is_damaged = true;
		f->s->keys->build_ms = 0;
	}
	if (dice_roll(2))
		changes(f);
	for (unsigned i = dice_roll(4); i > 0; i--) {
		MUST(store_savepoint(f->s, err));
		changes(f);
		fixture_savepoint_end(f, dice_roll(4) == 0);
	}
	if (dice_roll(10) == 0) { /* as after a crash */
		if (dice_roll(2))
			store_leave_wal(f->s);
		fixture_keys_reopen(f);
		roll_sizes(f);
	} else {
		fixture_end(f, dice_roll(8) == 0);
	}
	if (dice_roll(40) == 0) { /* some of the rows go to the disk at the opening */
		MUST(fixture_keys_open(f, 1 + dice_roll(10), 1 + dice_roll(20), err));
		roll_sizes(f);
	}
}

/* Each person who has ready events has one first event. */
static void check_heads(struct fixture *f)
{
	assert_int_equal(fixture_keys_int(f,
					  "SELECT count(*) FROM (SELECT 1 FROM events WHERE state = 0"
					  " GROUP BY account, email HAVING sum(head) <> 1)",
					  0),
			 0);
}

static void any_history_agrees_with_the_rows(void **state)
{
	struct fixture *f = *state;
	struct store *reader;

	dice_seed(dice_first_seed(1));
	now = NOW + DAY;
	fixture_keys_small(f);
	reader = open_reader(f);
	for (int i = 0; i < 1200; i++) {
		turn(f);
		now += dice_roll(4) == 0 ? CLOCK_HOUR_MS : 0;
		fixture_keys_check(f);
		check_heads(f);
		if (dice_roll(5) == 0)
			check_reader(f, reader);
		if (dice_roll(50) == 0) {
			store_close(reader);
			reader = open_reader(f);
		}
		if (dice_roll(50) == 0)
			roll_sizes(f);
	}
	store_close(reader);
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++)
		assert_true(f->s->keys->of[kind].merged_to > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_history_agrees_with_the_rows, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("store_keys_model", tests, NULL, NULL);
}

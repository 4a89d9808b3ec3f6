/* SPDX-License-Identifier: MIT */
/* Turns whose commit is synced in the background, because the next turn follows at once. */
#include <config.h>

#include "pipeline/flight.h"

#include <errno.h>
#include <unistd.h>

#include "base/lock.h"
#include "fixtures/turn_play.h"

/* ---- a disk that the test stops ---------------------------------------------------------------------------------- */

/* Of the project's own syncs. SQLite's are not seen. */
static struct disk {
	struct lock lock; /* over the rest */
	struct cond changed;
	bool stopped;
	bool fails, once; /* once: only the next sync fails */
	unsigned waiting, syncs;
} disk = {.lock = LOCK_INIT};

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	bool fails;

	lock_acquire(&disk.lock);
	disk.syncs++;
	disk.waiting++;
	cond_broadcast(&disk.changed);
	while (disk.stopped)
		cond_wait(&disk.changed, &disk.lock);
	disk.waiting--;
	fails = disk.fails;
	disk.fails = fails && !disk.once;
	disk.once = false;
	lock_release(&disk.lock);
	if (!fails)
		return __real_fdatasync(fd);
	errno = EIO;
	return -1;
}

static void disk_set(bool stopped, bool fails)
{
	lock_acquire(&disk.lock);
	disk.stopped = stopped;
	disk.fails = fails;
	cond_broadcast(&disk.changed);
	lock_release(&disk.lock);
}

static void disk_fails_once(void)
{
	lock_acquire(&disk.lock);
	disk.fails = disk.once = true;
	lock_release(&disk.lock);
}

/* Waits until a sync has begun. */
static void disk_wait(void)
{
	lock_acquire(&disk.lock);
	while (disk.waiting == 0)
		cond_wait(&disk.changed, &disk.lock);
	lock_release(&disk.lock);
}

static unsigned disk_syncs(void)
{
	unsigned n;

	lock_acquire(&disk.lock);
	n = disk.syncs;
	lock_release(&disk.lock);
	return n;
}

/* ---- the play ---------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct play *p = play_new();

	cond_init(&disk.changed);
	disk.syncs = 0;
	disk_set(false, false);
	p->mailbox = mailbox_new();
	play_start(p);
	play_window(p, 8);
	*state = p;
	return 0;
}

static void take_mail(struct play *p)
{
	for (struct message *m = mailbox_take(p->mailbox), *next; m; m = next) {
		next = m->next;
		free(m);
	}
}

static int teardown(void **state)
{
	struct play *p = *state;
	struct mailbox *mailbox = p->mailbox;

	take_mail(p);
	turn_last(p->turn);
	(void)play_teardown(state);
	mailbox_free(mailbox);
	cond_done(&disk.changed);
	return 0;
}

/* Makes the turns end before their syncs, until take_mail(). */
static void let_mail_wait(struct play *p)
{
	mailbox_post(p->mailbox, mem_new(1, sizeof(struct message)));
}

struct sender {
	struct submission submission;
	struct submission_item item;
	struct lock lock; /* over the rest: answers come on another thread */
	unsigned answers;
	bool refused;
};

static void answered(struct submission *submission)
{
	struct sender *s = submission->user;

	lock_acquire(&s->lock);
	s->answers++;
	s->refused = submission->refused;
	lock_release(&s->lock);
	parsed_webhook_free(TAKE(s->item.parsed));
}

static unsigned answers(struct sender *s)
{
	unsigned n;

	lock_acquire(&s->lock);
	n = s->answers;
	lock_release(&s->lock);
	return n;
}

static void submit(struct play *p, struct sender *s, const char *conversation, const char *delivery)
{
	struct post post = {
		.source = "desk",
		.kind = "open",
		.conversation = conversation,
		.email = "jo@example.com",
		.delivery = delivery,
		.received_ms = clock_now_ms(),
		.time_ms = clock_now_ms(),
	};

	*s = (struct sender){.item.parsed = stage_parsed(p->stage, &post)};
	lock_init(&s->lock);
	s->submission = (struct submission){.items = &s->item, .n = 1, .answered = answered, .user = s};
	s->submission.message.kind = MESSAGE_SUBMISSION;
	turn_take(p->turn, &s->submission.message);
}

static void run(struct play *p)
{
	for (unsigned i = 0; i < 1000; i++)
		if (turn_run(p->turn) > clock_mono_ms())
			return;
	fail_msg("the turns do not come to rest");
}

/* Leaves the commit of the sender's webhook in flight, before a sync that the test lets go on. */
static void put_in_flight(struct play *p, struct sender *s)
{
	disk_set(true, false);
	let_mail_wait(p);
	submit(p, s, "1", "d1");
	(void)turn_run(p->turn);
	disk_wait();
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void answers_and_events_wait_for_the_sync(void **state)
{
	struct play *p = *state;
	struct sender first, second;

	put_in_flight(p, &first);
	assert_int_equal(answers(&first), 0);
	assert_int_equal(p->stage->courier.sent_n, 0);
	take_mail(p);
	submit(p, &second, "2", "d2");
	disk_set(false, false);
	run(p);
	assert_int_equal(answers(&first), 1);
	assert_false(first.refused);
	assert_int_equal(answers(&second), 1);
	assert_false(second.refused);
	assert_int_equal(p->stage->courier.sent_n, 1); /* of two of one person */
	assert_int_equal(disk_syncs(), 1);             /* the second commit's is SQLite's own */
}

/* A repeat is recognized by a row whose commit is not on the disk yet. */
static void a_duplicate_is_answered_after_the_sync_of_what_it_repeats(void **state)
{
	struct play *p = *state;
	struct sender first, again;

	put_in_flight(p, &first);
	disk_set(false, true);
	submit(p, &again, "1", "d1");
	take_mail(p);
	(void)turn_run(p->turn);
	assert_int_equal(answers(&first), 1);
	assert_true(first.refused);
	assert_int_equal(answers(&again), 1);
	assert_true(again.refused);
	disk_set(false, false);
}

static void a_turn_of_duplicates_needs_no_sync(void **state)
{
	struct play *p = *state;
	struct sender first, again;

	submit(p, &first, "1", "d1");
	run(p);
	let_mail_wait(p);
	submit(p, &again, "1", "d1");
	(void)turn_run(p->turn);
	assert_int_equal(answers(&again), 1);
	assert_false(again.refused);
	assert_int_equal(again.item.result, SUBMISSION_DUPLICATE);
	assert_int_equal(disk_syncs(), 0);
}

static void a_sync_that_fails_refuses_and_stalls_until_the_same_is_synced(void **state)
{
	struct play *p = *state;
	struct sender first, second, third;
	struct err why;
	int64_t next_ms;

	put_in_flight(p, &first);
	disk_set(false, true);
	take_mail(p);
	submit(p, &second, "2", "d2");
	next_ms = turn_run(p->turn);
	assert_true(first.refused);
	assert_true(second.refused);
	assert_true(p->stage->courier.stalled);
	assert_false(health_is_ready(p->health));
	health_why_not(p->health, &why);
	assert_non_null(strstr(why.text, "the disk fails"));
	mailbox_wait(p->mailbox, next_ms); /* the disk still fails */
	next_ms = turn_run(p->turn);
	assert_false(health_is_ready(p->health));
	assert_int_equal(p->stage->courier.sent_n, 0);
	disk_set(false, false);
	mailbox_wait(p->mailbox, next_ms);
	submit(p, &third, "1", "d1");
	run(p);
	assert_true(health_is_ready(p->health));
	assert_false(p->stage->courier.stalled);
	assert_int_equal(answers(&third), 1);
	assert_false(third.refused);
	assert_int_equal(third.item.result, SUBMISSION_DUPLICATE);
	assert_int_equal(p->stage->courier.sent_n, 1); /* the event of the first, kept since its commit */
}

/* The error is not the last word: store_begin() syncs again before anybody asks. */
static void what_is_synced_at_the_second_try_is_accepted(void **state)
{
	struct play *p = *state;
	struct sender first;

	disk_fails_once();
	let_mail_wait(p);
	submit(p, &first, "1", "d1");
	(void)turn_run(p->turn);
	take_mail(p);
	run(p);
	assert_int_equal(answers(&first), 1);
	assert_true(first.refused == !health_is_ready(p->health));
	if (!health_is_ready(p->health)) /* the next turn came before the sync had failed */
		mailbox_wait(p->mailbox, turn_run(p->turn));
	run(p);
	assert_true(health_is_ready(p->health));
	assert_int_equal(p->stage->courier.sent_n, 1);
}

static void the_last_turn_waits_for_the_sync(void **state)
{
	struct play *p = *state;
	struct sender first;

	let_mail_wait(p);
	submit(p, &first, "1", "d1");
	(void)turn_run(p->turn);
	turn_last(p->turn);
	assert_int_equal(answers(&first), 1);
	assert_false(first.refused);
	assert_int_equal(p->stage->courier.sent_n, 0); /* it waits in the store */
}

#define PLAYED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAYED(answers_and_events_wait_for_the_sync),
		PLAYED(a_duplicate_is_answered_after_the_sync_of_what_it_repeats),
		PLAYED(a_turn_of_duplicates_needs_no_sync),
		PLAYED(a_sync_that_fails_refuses_and_stalls_until_the_same_is_synced),
		PLAYED(what_is_synced_at_the_second_try_is_accepted),
		PLAYED(the_last_turn_waits_for_the_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "fixtures/store.h"

static void save(struct fixture *f, const char *source, const char *conversation, const struct ledger_entry *e,
		 const struct reached_list *reached)
{
	bool own = !f->s->in_transaction;

	if (own)
		fixture_begin(f);
	MUST(store_conversation_save(f->s, source, conversation, e, reached, NULL, err));
	if (own)
		fixture_commit(f);
}

/* An open or closed conversation that reached one address by one flag. */
static void save_one(struct fixture *f, const char *source, const char *conversation, enum ledger_state state,
		     int64_t opened_ms, const char *email)
{
	struct ledger_entry e = {.state = state,
				 .opened_ms = opened_ms,
				 .opened_received_ms = opened_ms + 5,
				 .as_of_ms = opened_ms,
				 .first_opened_ms = opened_ms,
				 .addressed = true};
	struct reached_list reached = {0};

	if (state == LEDGER_CLOSED)
		e.closed_ms = opened_ms + 1;
	reached_add(&reached, "default", email, "In Gladly Conversation");
	save(f, source, conversation, &e, &reached);
	reached_clear(&reached);
}

static int64_t flags(struct fixture *f, const char *email, const char *flag, const char *but_source, const char *but)
{
	int64_t n = -1;

	MUST(store_flag_count(f->s, "default", email, flag, but_source, but, &n, err));
	return n;
}

static void an_entry_and_whom_it_reached_come_back_whole(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e = {
		.state = LEDGER_OPEN,
		.as_of_ms = NOW + 1,
		.as_of_received_ms = NOW + 2,
		.newest = 4711,
		.first_opened_ms = NOW - 100,
		.opened_ms = NOW - 50,
		.opened_received_ms = NOW - 49,
		.closed_ms = NOW - 70,
		.reopen_count = 3,
		.addressed = true,
		.taken_n = LEDGER_TAKEN_MAX,
	};
	struct ledger_entry back = {0};
	struct reached_list reached = {0};
	struct reached_list back_reached = {0};

	/* Set each member, because assert_memory_equal compares the padding, too. */
	for (int i = 0; i < LEDGER_TAKEN_MAX; i++) {
		e.taken[i].kind = (enum transition)(i % 5);
		e.taken[i].undated = i % 3 == 0;
		e.taken[i].time_ms = (NOW + i) * (i % 2 ? 1 : -1);
	}
	reached_add(&reached, "default", "jo@example.com", "In Gladly Conversation");
	reached_add(&reached, "eu", "jo@example.com", "In Gladly Conversation");
	reached_add(&reached, "default", "al@example.com", "In Support");
	save(f, "gladly", "c-1", &e, &reached);
	/* A save replaces the list. */
	reached_clear(&reached);
	reached_add(&reached, "eu", "jo@example.com", "In Gladly Conversation");
	reached_add(&reached, "default", "zo@example.com", "In Support");
	save(f, "gladly", "c-1", &e, &reached);
	fixture_reopen(f);
	MUST(store_conversation_load(f->s, "gladly", "c-1", &back, &back_reached, NULL, err));
	assert_memory_equal(&back, &e, sizeof(e));
	assert_int_equal(back_reached.n, 2);
	assert_string_equal(back_reached.items[0].account, "eu");
	assert_string_equal(back_reached.items[1].email, "zo@example.com");
	assert_string_equal(back_reached.items[1].flag, "In Support");
	reached_clear(&back_reached);
	reached_clear(&reached);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 1);
}

static void an_unknown_conversation_gives_an_empty_entry(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e = {.state = LEDGER_OPEN, .taken_n = 3};
	struct reached_list reached = {0};

	save_one(f, "zendesk", "c-1", LEDGER_OPEN, NOW, "jo@example.com");
	MUST(store_conversation_load(f->s, "gladly", "c-1", &e, &reached, NULL, err));
	assert_int_equal(e.state, LEDGER_UNKNOWN);
	assert_int_equal(e.taken_n, 0);
	assert_int_equal(reached.n, 0);
}

static void a_flag_counts_open_conversations_of_all_sources_but_this_one(void **state)
{
	static const char flag[] = "In Gladly Conversation";
	struct fixture *f = *state;

	save_one(f, "gladly", "a", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "gladly", "b", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "zendesk", "a", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "gladly", "c", LEDGER_OPEN, NOW, "al@example.com");
	save_one(f, "gladly", "d", LEDGER_CLOSED, NOW, "jo@example.com");
	assert_int_equal(flags(f, "jo@example.com", flag, "gladly", "a"), 2);
	assert_int_equal(flags(f, "jo@example.com", flag, "gladly", "zzz"), 3);
	assert_int_equal(flags(f, "jo@example.com", flag, NULL, NULL), 3);
	assert_int_equal(flags(f, "jo@example.com", "In Support", "gladly", "a"), 0);
	assert_int_equal(flags(f, "al@example.com", flag, "gladly", "c"), 0);
	save_one(f, "gladly", "b", LEDGER_CLOSED, NOW, "jo@example.com");
	assert_int_equal(flags(f, "jo@example.com", flag, "gladly", "a"), 1);
	save_one(f, "gladly", "b", LEDGER_OPEN, NOW, "jo@example.com");
	assert_int_equal(flags(f, "jo@example.com", flag, "gladly", "a"), 2);
}

/* An oldest receipt that is too late would delay an expiry; one that is too early costs one query more. */
static void the_remembered_oldest_opening_is_never_too_late(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 77;

	for (int turn = 0; turn < 300; turn++) {
		int64_t remembered_ms;

		fixture_begin(f);
		for (int part = 0; part < 2; part++) {
			char name[8];
			enum ledger_state to = rand_r(&seed) % 2 ? LEDGER_OPEN : LEDGER_CLOSED;

			(void)snprintf(name, sizeof(name), "c%d", rand_r(&seed) % 4);
			MUST(store_savepoint(f->s, err));
			save_one(f, "gladly", name, to, NOW + rand_r(&seed) % 50, "jo@example.com");
			(void)store_conversation_oldest_received_ms(f->s, "gladly");
			fixture_savepoint_end(f, rand_r(&seed) % 8 == 0);
		}
		fixture_end(f, rand_r(&seed) % 8 == 0);
		if (turn % 20 == 0) { /* by hand; the next turn sees it */
			fixture_sql(f, "UPDATE conversations SET opened_received = opened_received - 60");
			fixture_begin(f);
			fixture_commit(f);
		}
		remembered_ms = store_conversation_oldest_received_ms(f->s, "gladly");
		if (fixture_sql(f, "SELECT count(*) FROM conversations WHERE state = 1") > 0)
			assert_true(remembered_ms <=
				    fixture_sql(f, "SELECT min(opened_received) FROM conversations WHERE state = 1"));
		assert_int_equal(store_conversation_may_be_open(f->s, "gladly", NOW), remembered_ms <= NOW);
	}
}

static void the_people_of_open_conversations_follow_every_save(void **state)
{
	static const char *const lists[] = {"a", "abc", "bc", "bc", "d", "", "ab", "b"};
	static const char flag[] = "In Gladly Conversation";
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(lists) / sizeof(*lists); i++) {
		const char *list = lists[i / 2];
		bool is_open = i % 2 == 0 || i % 3 == 0;
		struct ledger_entry e = {.state = is_open ? LEDGER_OPEN : LEDGER_CLOSED, .opened_ms = NOW};
		struct reached_list reached = {0};

		for (const char *c = list; *c; c++) {
			char email[] = {*c, '@', 'x', '\0'};

			reached_add(&reached, "default", email, flag);
		}
		save(f, "gladly", "c", &e, &reached);
		reached_clear(&reached);
		for (char c = 'a'; c <= 'd'; c++) {
			char email[] = {c, '@', 'x', '\0'};

			assert_int_equal(flags(f, email, flag, NULL, NULL), is_open && strchr(list, c));
		}
		assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), is_open ? strlen(list) : 0);
	}
}

static void the_longest_open_conversation_of_a_source_expires_first(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	char *conversation = NULL;

	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), CLOCK_NEVER_MS);
	save_one(f, "gladly", "young", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "gladly", "old", LEDGER_OPEN, NOW - 1000, "jo@example.com");
	save_one(f, "gladly", "closed", LEDGER_CLOSED, NOW - 9000, "jo@example.com");
	save_one(f, "zendesk", "older", LEDGER_OPEN, NOW - 5000, "jo@example.com");
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), NOW - 995);
	assert_int_equal(store_conversation_oldest_open(f->s, "gladly", NOW - 996, &conversation, &e), -ENOENT);
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW - 995, &conversation, err));
	assert_string_equal(conversation, "old");
	free(conversation);
	save_one(f, "gladly", "old", LEDGER_CLOSED, NOW - 1000, "jo@example.com");
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), NOW + 5);
}

static int met_paused(void *ctx, const struct store_paused_person *p)
{
	char **to = ctx;
	char *line = mem_fmt("%s%s/%s/%s;", *to, p->source, p->conversation, p->email);

	free(*to);
	*to = line;
	return 0;
}

static void people_paused_now_are_listed_once_the_longest_first(void **state)
{
	struct fixture *f = *state;
	char *line = mem_str("");

	save_one(f, "gladly", "second", LEDGER_OPEN, NOW - 500, "jo@example.com");
	save_one(f, "zendesk", "first", LEDGER_OPEN, NOW - 900, "jo@example.com");
	save_one(f, "gladly", "other", LEDGER_OPEN, NOW - 700, "al@example.com");
	save_one(f, "gladly", "over", LEDGER_CLOSED, NOW - 5000, "zo@example.com");
	assert_int_equal(store_paused_page(f->s, 10, met_paused, &line, NULL), 2);
	assert_string_equal(line, "zendesk/first/jo@example.com;gladly/other/al@example.com;");
	*line = '\0';
	assert_int_equal(store_paused_page(f->s, 1, met_paused, &line, NULL), 1);
	assert_string_equal(line, "zendesk/first/jo@example.com;");
	free(line);
}

/* More conversations than are sorted at once, with the receipts of their openings in another order. The first ones
 * reached nobody. */
static void many_conversations_hide_nobody(void **state)
{
	struct fixture *f = *state;
	char *line = mem_str("");

	save_one(f, "gladly", "first", LEDGER_OPEN, NOW - 900, "jo@example.com");
	save_one(f, "gladly", "second", LEDGER_OPEN, NOW - 800, "al@example.com");
	fixture_sql(f, "UPDATE conversations SET opened_received = opened_received + 100 * id");
	fixture_sql(
		f,
		"WITH RECURSIVE n (i) AS (VALUES (3) UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
		" INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
		" opened_received, closed, reopen_count, addressed, taken, changed, clear)"
		" SELECT i, iif(i % 10, 'gladly', 'a' || i % 3), 'c' || i, 1, 0, 0, i, i, 0, 0, 0, x'', 0, 0 FROM n");
	assert_int_equal(store_paused_page(f->s, 10, met_paused, &line, NULL), 2);
	assert_string_equal(line, "gladly/first/jo@example.com;gladly/second/al@example.com;");
	free(line);
}

/* ---- people for whom Klaviyo has the flag wrong ------------------------------------------------------------------ */

/*
 * Queues and ends one event of jo's. A step is a conversation (1, 2), a transition (o opening, r reopening, c closing)
 * and an end: + delivered, ! refused, ? waits, - delivered and deleted since. "1o+" is conversation 1's opening,
 * delivered. A closing's flag stays true while the other conversation is open.
 */
static void event_step(struct fixture *f, const char *step, unsigned n, bool flag, int64_t gap_ms)
{
	char conversation[2] = {step[0], '\0'};
	struct event e = {
		.account = (char *)(uintptr_t) "default",
		.url = (char *)(uintptr_t)URL,
		.email = (char *)(uintptr_t) "jo@example.com",
		.metric = (char *)(uintptr_t) "m",
		.source = (char *)(uintptr_t) "gladly",
		.conversation = conversation,
		.transition = step[1] == 'o'   ? TRANSITION_OPENED
			      : step[1] == 'r' ? TRANSITION_REOPENED
					       : TRANSITION_CLOSED,
		.properties = (char *)(uintptr_t) "{}",
		.profile = (char *)(uintptr_t)(flag ? FLAG_TRUE : FLAG_FALSE),
		.late_ms = CLOCK_NEVER_MS,
	};

	snprintf(e.unique_id, sizeof(e.unique_id), "%032x", n);
	fixture_begin(f);
	MUST(store_event_insert(f->s, &e, gap_ms, NOW, err));
	if (step[2] == '!')
		MUST(store_event_dead(f->s, e.id, "refused by Klaviyo", NOW, err));
	else if (step[2] != '?')
		MUST(fixture_delivered(f->s, e.id, gap_ms, NOW, err));
	fixture_commit(f);
	if (step[2] == '-') {
		char text[96];

		snprintf(text, sizeof(text), "DELETE FROM event_bodies WHERE id = %" PRId64, e.id);
		fixture_sql(f, text);
		snprintf(text, sizeof(text), "DELETE FROM events WHERE id = %" PRId64, e.id);
		fixture_sql(f, text);
	}
}

static int met_refused(void *ctx, const struct store_paused_person *p)
{
	*(bool *)ctx = p->refused != NULL;
	if (p->refused)
		assert_string_equal(p->refused, "refused by Klaviyo");
	return 0;
}

static void who_is_paused_but_not_for_klaviyo_is_marked(void **state)
{
	static const struct {
		const char *steps;
		bool marked;
	} cases[] = {
		{"1o+", false},
		{"1o?", false},
		{"1o-", false},
		{"1o!", true},
		{"1o! 2o+", false},
		{"1o! 2o?", false},
		{"1o! 2o!", true},
		{"1o! 2o-", false},
		{"1o+ 2o!", false},
		{"1o- 2o!", false},
		{"1o! 2o+ 2c+", false},
		{"1o! 2o! 2c+", false}, /* the closing set the flag to true, because 1 is open */
		{"1o! 2o- 2c!", false},
		{"1o+ 2o+ 2c!", false},
		{"1o- 2o- 2c!", false},
		{"1o+ 1c+ 1r!", true},
		{"1o- 1c+ 1r!", true},
		{"1o- 1c- 1r!", true},
		{"1o! 1c+ 1r+", false},
		{"1o! 1c+ 1r!", true},
		{"1o! 1c+ 1r?", false},
	};
	struct fixture *f = *state;
	unsigned n = 0;

	/* Twice: an index knows delivered events only of an account with a gap. */
	for (size_t k = 0; k < 2 * sizeof(cases) / sizeof(*cases); k++) {
		size_t i = k / 2;
		int64_t gap_ms = k % 2 ? 2000 : 0;
		bool open[3] = {false};
		bool marked = false;
		int64_t count = 0;

		for (const char *step = cases[i].steps;; step += 4) {
			char conversation[2] = {step[0], '\0'};

			open[step[0] - '0'] = step[1] != 'c';
			save_one(f, "gladly", conversation, open[step[0] - '0'] ? LEDGER_OPEN : LEDGER_CLOSED, NOW,
				 "jo@example.com");
			event_step(f, step, ++n, open[1] || open[2], gap_ms);
			if (step[3] == '\0')
				break;
		}
		MUST(store_paused_count(f->s, &count, err));
		assert_int_equal(count, 1);
		assert_int_equal(store_paused_page(f->s, 10, met_refused, &marked, NULL), 1);
		if (marked != cases[i].marked)
			fail_msg("%s: %s", cases[i].steps, marked ? "marked" : "not marked");
		fixture_sql(f, "DELETE FROM events");
		fixture_sql(f, "DELETE FROM event_bodies");
		fixture_sql(f, "DELETE FROM conversations");
	}
}

static void the_paused_are_counted_as_they_are_listed(void **state)
{
	struct fixture *f = *state;
	char *line = mem_str("");
	int64_t n = -1;

	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 0);
	save_one(f, "gladly", "a", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "zendesk", "a", LEDGER_OPEN, NOW, "jo@example.com");
	save_one(f, "gladly", "b", LEDGER_OPEN, NOW, "al@example.com");
	save_one(f, "gladly", "c", LEDGER_CLOSED, NOW, "zo@example.com");
	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 2);
	assert_int_equal(store_paused_page(f->s, 10, met_paused, &line, NULL), 2);
	free(line);
}

static void a_conversation_that_does_not_read_says_so_and_can_be_written_over(void **state)
{
	static const char *const breaks[] = {
		"UPDATE conversations SET state = 3",
		"UPDATE conversations SET addressed = 2",
		"UPDATE conversations SET taken = x'00112233'",
		"UPDATE conversations SET taken = x'090000000000000000'",
		"UPDATE conversations SET taken = zeroblob(9 * 33)",
		"UPDATE conversations SET people = x'6a6f'",
		"UPDATE conversations SET people = x'006a6f'",
		"UPDATE conversations SET people = CAST(people || x'00610062' AS BLOB)",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		struct ledger_entry e = {0};
		struct reached_list reached = {0};
		struct err why = {0};

		save_one(f, "gladly", "c", LEDGER_OPEN, NOW, "jo@example.com");
		fixture_sql(f, breaks[i]);
		if (store_conversation_load(f->s, "gladly", "c", &e, &reached, NULL, &why) != -EBADMSG)
			fail_msg("%s", breaks[i]);
		save_one(f, "gladly", "c", LEDGER_OPEN, NOW, "jo@example.com");
		MUST(store_conversation_load(f->s, "gladly", "c", &e, &reached, NULL, err));
		assert_int_equal(reached.n, 1);
		reached_clear(&reached);
	}
}

/* ---- customers --------------------------------------------------------------------------------------------------- */

static void a_customer_is_known_until_too_old(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0};
	struct customer back = {0};
	struct err e = {0};

	assert_int_equal(store_customer_load(f->s, "gladly", "p", 0, &back, &e), -ENOENT);
	addresses_add(&c.addresses, "jo@example.com", true);
	pairs_add(&c.taken, "region", "us");
	fixture_begin(f);
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW, err));
	fixture_commit(f);
	assert_int_equal(store_customer_load(f->s, "gladly", "p", NOW + 1, &back, &e), -ENOENT);
	assert_int_equal(store_customer_load(f->s, "zendesk", "p", NOW, &back, &e), -ENOENT);
	MUST(store_customer_load(f->s, "gladly", "p", NOW, &back, err));
	assert_int_equal(back.addresses.n, 1);
	assert_string_equal(back.addresses.items[0].email, "jo@example.com");
	assert_string_equal(pairs_get(&back.taken, "region"), "us");
	customer_done(&back);
	/* The newest answer counts. */
	addresses_add(&c.addresses, "al@example.com", false);
	fixture_begin(f);
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW + 10, err));
	fixture_commit(f);
	back = (struct customer){0};
	MUST(store_customer_load(f->s, "gladly", "p", NOW + 10, &back, err));
	assert_int_equal(back.addresses.n, 2);
	customer_done(&back);
	customer_done(&c);
	/* An unreadable customer counts as unknown. */
	fixture_sql(f, "UPDATE customers SET text = '{\"addr'");
	assert_int_equal(store_customer_load(f->s, "gladly", "p", NOW, &back, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(an_entry_and_whom_it_reached_come_back_whole),
		TEST(an_unknown_conversation_gives_an_empty_entry),
		TEST(a_flag_counts_open_conversations_of_all_sources_but_this_one),
		TEST(the_remembered_oldest_opening_is_never_too_late),
		TEST(the_people_of_open_conversations_follow_every_save),
		TEST(the_longest_open_conversation_of_a_source_expires_first),
		TEST(people_paused_now_are_listed_once_the_longest_first),
		TEST(many_conversations_hide_nobody),
		TEST(who_is_paused_but_not_for_klaviyo_is_marked),
		TEST(the_paused_are_counted_as_they_are_listed),
		TEST(a_conversation_that_does_not_read_says_so_and_can_be_written_over),
		TEST(a_customer_is_known_until_too_old),
	};

	return cmocka_run_group_tests_name("store_conversations", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "fixtures/named_rows.h"
#include "fixtures/store.h"

static int64_t ids[64];

static int ready(struct fixture *f)
{
	int n = store_webhooks_ready(f->s, ids, 64, NULL);

	assert_true(n >= 0);
	return n;
}

static void load(struct fixture *f, int64_t id, struct webhook *w)
{
	*w = (struct webhook){0};
	MUST(store_webhook_load(f->s, id, w, err));
}

static bool behind(struct fixture *f, int64_t id)
{
	struct webhook w;
	int r;

	load(f, id, &w);
	r = store_webhook_is_behind(f->s, &w, NULL);
	webhook_done(&w);
	assert_true(r >= 0);
	return r > 0;
}

static void waits(struct fixture *f, int64_t id, enum store_wait why, int64_t not_before_ms)
{
	bool own = !f->s->in_transaction;

	if (own)
		fixture_begin(f);
	MUST(store_webhook_wait(f->s, id, why, not_before_ms, err));
	if (own)
		fixture_commit(f);
}

static void ends(struct fixture *f, int64_t id)
{
	bool own = !f->s->in_transaction;

	if (own)
		fixture_begin(f);
	MUST(store_webhook_done(f->s, id, "events", err));
	if (own)
		fixture_commit(f);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

/*
 * A script is a list of operations on webhooks that have names; - is NULL. An operation that changes the store is a
 * transaction of its own, unless the script has begun one.
 *
 *   put NAME SOURCE CONVERSATION CUSTOMER   inserts a webhook
 *   deliver NAME SOURCE DIGEST              inserts a webhook with a delivery; 0: without
 *   repeat SOURCE DIGEST                    inserts nothing, because the delivery is known
 *   insert-done NAME RESULT                 inserts a webhook as done
 *   queue-event                             queues an event
 *   wait NAME REASON MS                     waits for a reason (store_wait_name), until MS after NOW
 *   due MS                                  store_webhooks_due at MS after NOW
 *   wake SOURCE REASON CUSTOMER             store_webhooks_wake
 *   wake-slot SOURCE                        wakes one webhook
 *   wake-parked SOURCE N                    wakes N webhooks: 1 or 0
 *   done NAME, dead NAME                    ends a webhook
 *   begin, commit, rollback, savepoint, keep, undo, reopen
 *
 *   ready NAME …                            these webhooks are ready, in this order, and no others
 *   first N NAME …                          these are the first N ready ones
 *   next-due MS                             the next not_before; -: none
 *   behind NAME, not-behind NAME            store_webhook_is_behind
 *   not-pending NAME                        an end fails with -ENOENT
 *   count N SQL                             the statement returns N
 */
struct script {
	const char *name, *text;
};

static const struct script scripts[] = {
	{"what was not committed leaves no trace", "begin; deliver a gladly 1; rollback; ready;"
						   /* Its delivery is forgotten, too. */
						   "deliver b gladly 1; ready b"},
	{"the same delivery comes in once a source",
	 "deliver a gladly 7; repeat gladly 7; deliver b zendesk 7; deliver c gladly 8;"
	 /* Without a delivery two webhooks are never the same. */
	 "deliver d gladly 0; deliver e gladly 0;"
	 "done a; reopen; repeat gladly 7; ready b c d e"},
	{"one webhook is undone and the rest of the turn stays",
	 "put a gladly a -; put b gladly b -;"
	 "begin; savepoint; done a; keep; savepoint; done b; queue-event; undo; dead b; commit;"
	 "count 1 SELECT count(*) FROM webhooks WHERE state = 1;"
	 "count 1 SELECT count(*) FROM webhooks WHERE state = 2;"
	 "count 0 SELECT count(*) FROM events;"
	 "count 0 SELECT coalesce(sum(n), 0) FROM counts WHERE kind = 3;"
	 "count 1 SELECT n FROM counts WHERE kind = 1 AND state = 2"},

	{"ready ones come in order of receipt",
	 "put a zendesk c -; put b gladly c -; put c zendesk c -; put d gladly c -; put e zendesk c -;"
	 "wait b lookup; ready a c d e; first 2 a c;"
	 /* A woken webhook comes in the order of its receipt again. */
	 "wake gladly lookup -; ready a b c d e"},
	{"held and retried ones are ready when their time has come",
	 "put held gladly a -; put retried gladly b -; next-due -;"
	 "wait held settle 2000; wait retried retry 1000; next-due 1000; reopen;"
	 "due 999; ready; due 1000; ready retried; next-due 2000;"
	 "due 5000; ready held retried; next-due -"},
	{"release goes by source reason and customer",
	 "put a gladly a p; put b gladly b q; put c zendesk c p; put d gladly d p;"
	 "wait a lookup; wait b lookup; wait c lookup; wait d retry 1000;"
	 "begin; wake gladly lookup p; ready a; wake gladly lookup -; ready a b;"
	 "wake gladly retry -; ready a b d; wake zendesk lookup -; ready a b c d; commit"},
	{"a free slot goes to the oldest of its source",
	 "put other zendesk z z; put a gladly a a; put b gladly b b;"
	 "wait b slot; wait a slot; wait other slot;"
	 "begin; wake-slot gladly; ready a; wake-slot gladly; wake-slot gladly; ready a b; commit"},
	{"slow probes go round those that wait parked",
	 "put a gladly a a; put other zendesk z z; put b gladly b b;"
	 "wait a parked; wait b parked; wait other parked;"
	 "wake-parked gladly 1; ready a; wait a parked; wake-parked gladly 1; ready b; wait b parked;"
	 "wake-parked gladly 1; ready a; wait a parked; wake-parked gladly 1; ready b; wait b parked;"
	 "wake-parked hubspot 0"},

	{"an end or a death lets the next of conversation and customer go",
	 "put first gladly c p; put same gladly c q; put person gladly d p; put third gladly d p;"
	 "wait first lookup; wait same behind; wait person behind; wait third behind;"
	 "dead first; ready same person; done person; ready same third"},
	{"a held one keeps only its own conversation waiting",
	 "put held gladly a p; put own gladly a p; put other gladly b p;"
	 "wait held lookup; wait own behind; wait other behind;"
	 /* Its address is known now, and it is held: the customer's other webhooks continue. */
	 "wait held settle 1000; ready own other; behind own; wait own behind; ready other; not-behind other;"
	 "done other; done held; ready own"},
	{"standing behind a held one lets the customer go on",
	 /* `other` waits for `own`, which waits for `head`, of another customer. */
	 "put head gladly a q; put own gladly a p; put other gladly b p;"
	 "wait head lookup; wait own behind; wait other behind;"
	 "wait head settle 1000; ready own; wait own behind; ready other; not-behind other"},

	{"an ignored one can be kept as done",
	 "begin; insert-done a ignored; not-pending a; commit; ready;"
	 "count 1 SELECT count(*) FROM webhooks WHERE state = 1 AND result = 'ignored'"},
};

struct play {
	struct fixture *f;
	char names[8][32];
	int64_t ids[8];
	size_t n;
	int64_t cursor; /* of wake-parked */
	/* The operation: its words, and its text after the first word and after the second. */
	char verb[16], words[4][32];
	const char *rest, *after;
};

static bool is(const struct play *p, const char *verb)
{
	return strcmp(p->verb, verb) == 0;
}

static const char *word(const struct play *p, int i)
{
	return strcmp(p->words[i], "-") == 0 ? NULL : p->words[i];
}

static int64_t number(const struct play *p, int i)
{
	return strtoll(p->words[i], NULL, 10);
}

static enum store_wait reason(const struct play *p, int i)
{
	int why = 0;

	while (why < STORE_WAIT_LAST && strcmp(store_wait_name((enum store_wait)why), p->words[i]) != 0)
		why++;
	assert_string_equal(store_wait_name((enum store_wait)why), p->words[i]);
	return (enum store_wait)why;
}

static int64_t id(const struct play *p, int i)
{
	for (size_t j = 0; j < p->n; j++)
		if (strcmp(p->names[j], p->words[i]) == 0)
			return p->ids[j];
	fail_msg("%s: no webhook is called %s", p->verb, p->words[i]);
	return 0;
}

/* The times of receipt fall while the ids rise: the order is that of the ids. */
static void put(struct play *p, const char *conversation, const char *customer, int64_t delivery)
{
	int64_t received_ms = NOW - (int64_t)p->n;

	assert_true(p->n < 8);
	strcpy(p->names[p->n], p->words[0]);
	p->ids[p->n] = fixture_put(p->f, word(p, 1), conversation, customer, (unsigned char)delivery, received_ms);
	assert_true(p->ids[p->n++] > 0);
}

static void insert_done(struct play *p)
{
	struct webhook w = {.source = mem_str("gladly"), .received_ms = NOW, .body = mem_str("{}"), .body_len = 2};

	MUST(fixture_insert(p->f->s, &w, NULL, p->words[1], err));
	strcpy(p->names[p->n], p->words[0]);
	p->ids[p->n++] = w.id;
	webhook_done(&w);
}

static void change(struct play *p)
{
	struct store *s = p->f->s;

	if (is(p, "put"))
		put(p, word(p, 2), word(p, 3), 0);
	else if (is(p, "deliver"))
		put(p, "c", "p", number(p, 2));
	else if (is(p, "repeat"))
		assert_int_equal(fixture_put(p->f, word(p, 0), "c", "p", (unsigned char)number(p, 1), NOW + 5), 0);
	else if (is(p, "insert-done"))
		insert_done(p);
	else if (is(p, "queue-event"))
		assert_true(fixture_queue(p->f, "jo@example.com", 1, NOW) > 0);
	else if (is(p, "wait"))
		waits(p->f, id(p, 0), reason(p, 1), NOW + number(p, 2));
	else if (is(p, "due"))
		MUST(store_webhooks_due(s, NOW + number(p, 0), err));
	else if (is(p, "wake"))
		MUST(store_webhooks_wake(s, word(p, 0), reason(p, 1), word(p, 2), err));
	else if (is(p, "wake-slot"))
		MUST(store_webhooks_wake_slot(s, word(p, 0), 1, err));
	else if (is(p, "wake-parked"))
		assert_int_equal(store_webhook_wake_parked(s, word(p, 0), &p->cursor, NULL), number(p, 1));
	else if (is(p, "done"))
		ends(p->f, id(p, 0));
	else if (is(p, "dead"))
		MUST(store_webhook_dead(s, id(p, 0), "404", err));
	else
		fail_msg("no operation is called %s", p->verb);
}

static void expect_ready(const struct play *p, const char *names, size_t max)
{
	char found[128] = "";
	int n = store_webhooks_ready(p->f->s, ids, max, NULL);

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		size_t j = p->n - 1; /* from the newest name, because a rollback frees the id */

		while (j > 0 && p->ids[j] != ids[i])
			j--;
		assert_int_equal(p->ids[j], ids[i]);
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i > 0 ? " " : "", p->names[j]);
	}
	assert_string_equal(found, names);
}

/* Transactions and expectations. False: the operation is a change. */
static bool control(struct play *p)
{
	struct store *s = p->f->s;

	if (is(p, "begin"))
		fixture_begin(p->f);
	else if (is(p, "commit"))
		fixture_commit(p->f);
	else if (is(p, "rollback"))
		store_rollback(s);
	else if (is(p, "savepoint"))
		MUST(store_savepoint(s, err));
	else if (is(p, "keep"))
		MUST(store_savepoint_keep(s, err));
	else if (is(p, "undo"))
		store_savepoint_undo(s);
	else if (is(p, "reopen"))
		fixture_reopen(p->f);
	else if (is(p, "ready"))
		expect_ready(p, p->rest, 64);
	else if (is(p, "first"))
		expect_ready(p, p->after, (size_t)number(p, 0));
	else if (is(p, "next-due"))
		assert_int_equal(store_webhooks_next_due_ms(s), word(p, 0) ? NOW + number(p, 0) : CLOCK_NEVER_MS);
	else if (is(p, "behind") || is(p, "not-behind"))
		assert_int_equal(behind(p->f, id(p, 0)), is(p, "behind"));
	else if (is(p, "not-pending"))
		assert_int_equal(store_webhook_done(s, id(p, 0), "events", NULL), -ENOENT);
	else if (is(p, "count"))
		assert_int_equal(fixture_sql(p->f, p->after), number(p, 0));
	else
		return false;
	return true;
}

static void script_holds(void **state)
{
	struct play p = {.f = *state};
	CLEANUP(mem_freep) char *text = mem_str(((const struct script *)p.f->row)->text);
	char *rest = text;

	for (char *op; (op = strsep(&rest, ";"));) {
		int rest_at = 0;
		int after_at = 0;
		bool own;

		memset(p.words, 0, sizeof(p.words));
		assert_int_equal(sscanf(op, "%15s %n%*s %n", p.verb, &rest_at, &after_at), 1);
		p.rest = op + rest_at;
		p.after = op + after_at;
		(void)sscanf(p.rest, "%31s %31s %31s %31s", p.words[0], p.words[1], p.words[2], p.words[3]);
		if (control(&p))
			continue;
		own = !p.f->s->in_transaction;
		if (own)
			fixture_begin(p.f);
		change(&p);
		if (own)
			fixture_commit(p.f);
	}
}

/* ---- keeping ----------------------------------------------------------------------------------------------------- */

static void a_committed_webhook_is_there_whole_after_a_reopening(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {
		.source = mem_str("gladly"),
		.received_ms = NOW,
		.path = mem_str("/webhooks/gladly"),
		.query = mem_str("a=1&b=%00"),
		.body = mem_dup("{\"x\":\"\0\xff\"}", 11),
		.body_len = 11,
		.read = true,
		.transition = TRANSITION_REOPENED,
		.conversation = mem_str("c-1"),
		.customer = mem_str("p-1"),
		.has_delivery = true,
	};
	struct webhook back = {0};

	memset(w.delivery, 0xa5, sizeof(w.delivery));
	pairs_add(&w.headers, "X-Desk", "one");
	pairs_add(&w.headers, "X-Desk", "");
	fixture_begin(f);
	MUST(fixture_insert(f->s, &w, NULL, NULL, err));
	fixture_commit(f);
	fixture_reopen(f);
	load(f, w.id, &back);
	assert_string_equal(back.source, w.source);
	assert_int_equal(back.received_ms, NOW);
	assert_string_equal(back.path, w.path);
	assert_string_equal(back.query, w.query);
	assert_int_equal(back.body_len, 11);
	assert_memory_equal(back.body, w.body, 12);
	assert_true(back.read);
	assert_int_equal(back.transition, TRANSITION_REOPENED);
	assert_string_equal(back.conversation, "c-1");
	assert_string_equal(back.customer, "p-1");
	assert_true(back.has_delivery);
	assert_memory_equal(back.delivery, w.delivery, sizeof(w.delivery));
	assert_int_equal(back.headers.n, 2);
	assert_string_equal(back.headers.items[0].value, "one");
	assert_string_equal(back.headers.items[1].name, "X-Desk");
	assert_string_equal(back.headers.items[1].value, "");
	assert_int_equal(ready(f), 1);
	assert_int_equal(ids[0], w.id);
	assert_int_equal(store_webhook_last_id(f->s), w.id);
	webhook_done(&back);
	webhook_done(&w);
}

static void ids_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_put(f, "gladly", "c", "p", 0, NOW);

	ends(f, id);
	fixture_begin(f);
	MUST(store_clean(f->s, 1000, 1000, NOW + CLOCK_DAY_MS, 100, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 0);
	assert_true(fixture_put(f, "gladly", "c", "p", 0, NOW) > id);
}

/* ---- ready and waiting ------------------------------------------------------------------------------------------- */

static void under_which_mark_lookups_worked_is_kept_by_source(void **state)
{
	static const unsigned char first[STORE_MARK_BYTES] = "0123456789abcdef";
	static const unsigned char second[STORE_MARK_BYTES] = "x";
	struct fixture *f = *state;
	unsigned char mark[STORE_MARK_BYTES];
	struct err e;

	assert_int_equal(store_lookups_worked(f->s, "gladly", mark, &e), -ENOENT);
	fixture_begin(f);
	MUST(store_lookups_save_worked(f->s, "gladly", first, err));
	MUST(store_lookups_save_worked(f->s, "gladly", second, err));
	fixture_commit(f);
	fixture_reopen(f);
	MUST(store_lookups_worked(f->s, "gladly", mark, err));
	assert_memory_equal(mark, second, sizeof(mark));
	assert_int_equal(store_lookups_worked(f->s, "zendesk", mark, &e), -ENOENT);
	fixture_sql(f, "UPDATE lookups_worked SET mark = x'00'");
	assert_int_equal(store_lookups_worked(f->s, "gladly", mark, &e), -ENOENT);
}

static void a_restart_lets_go_what_only_the_last_process_knew_of(void **state)
{
	static const struct {
		enum store_wait why;
		bool goes;
	} cases[] = {
		{STORE_WAIT_NONE, true},          {STORE_WAIT_TIME, false},   {STORE_WAIT_RETRY, false},
		{STORE_WAIT_LOOKUP, true},        {STORE_WAIT_SLOT, false},   {STORE_WAIT_BEHIND, false},
		{STORE_WAIT_UNCONFIGURED, false}, {STORE_WAIT_PARKED, false},
	};
	struct fixture *f = *state;
	int64_t id[8];

	for (int i = 0; i < 8; i++) {
		char conversation[16];

		snprintf(conversation, sizeof(conversation), "c%d", i);
		id[i] = fixture_put(f, "gladly", conversation, NULL, 0, NOW);
		if (cases[i].why != STORE_WAIT_NONE)
			waits(f, id[i], cases[i].why, NOW + 1000);
	}
	fixture_reopen(f);
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	for (int i = 0; i < 8; i++)
		if (fixture_wait_of(f, id[i]) != (cases[i].goes ? STORE_WAIT_NONE : cases[i].why))
			fail_msg("%s", store_wait_name(cases[i].why));
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static void whether_one_is_behind_another(void **state)
{
	static const struct {
		const char *source, *conversation, *customer; /* of the earlier webhook */
		enum store_wait why;
		bool behind; /* the later webhook: gladly, c, p */
	} cases[] = {
		{"gladly", "c", "q", STORE_WAIT_NONE, true},
		{"gladly", "c", NULL, STORE_WAIT_LOOKUP, true},
		{"gladly", "c", "q", STORE_WAIT_TIME, true},
		{"gladly", "c", "q", STORE_WAIT_UNCONFIGURED, true},
		{"gladly", "c", "q", STORE_WAIT_PARKED, true},
		{"zendesk", "c", "p", STORE_WAIT_LOOKUP, false},
		{"gladly", "d", "p", STORE_WAIT_LOOKUP, true},
		{"gladly", "d", "p", STORE_WAIT_RETRY, true},
		{"gladly", "d", "p", STORE_WAIT_SLOT, true},
		{"gladly", "d", "p", STORE_WAIT_PARKED, true},
		{"gladly", "d", "p", STORE_WAIT_UNCONFIGURED, true},
		{"gladly", "d", "p", STORE_WAIT_BEHIND, true},
		{"gladly", "d", "p", STORE_WAIT_TIME, false},
		{"gladly", "d", "q", STORE_WAIT_LOOKUP, false},
		{"gladly", "d", NULL, STORE_WAIT_LOOKUP, false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t earlier = fixture_put(f, cases[i].source, cases[i].conversation, cases[i].customer, 0, NOW);
		int64_t later = fixture_put(f, "gladly", "c", "p", 0, NOW);

		if (cases[i].why != STORE_WAIT_NONE)
			waits(f, earlier, cases[i].why, NOW + 1000);
		if (behind(f, later) != cases[i].behind)
			fail_msg("case %zu", i);
		assert_false(behind(f, earlier));
		ends(f, earlier);
		assert_false(behind(f, later));
		ends(f, later);
	}
}

/*
 * A small pipeline over random webhooks, with every kind of wait. At the end no webhook waits, and none was decided
 * before an earlier one of its conversation.
 */
static void nobody_is_left_waiting_and_nobody_overtakes(void **state)
{
	struct fixture *f = *state;
	enum {
		N = 120
	};
	int64_t last_of[6] = {0};
	int looked_up[N + 1] = {0};
	int held[N + 1] = {0};
	int left = N;
	unsigned seed = 20261121;
	int64_t now = NOW;

	for (int i = 0; i < N; i++) {
		char conversation[2] = {(char)('a' + rand_r(&seed) % 6), '\0'};
		char customer[2] = {(char)('p' + rand_r(&seed) % 3), '\0'};

		assert_int_equal(fixture_put(f, "gladly", conversation, rand_r(&seed) % 5 ? customer : NULL, 0, NOW),
				 i + 1);
	}
	for (int turn = 0; left > 0; turn++) {
		int n;

		assert_true(turn < 2000);
		now += 500;
		fixture_begin(f);
		MUST(store_webhooks_due(f->s, now, err));
		if (turn % 3 == 0)
			MUST(store_webhooks_wake(f->s, "gladly", STORE_WAIT_LOOKUP, NULL, err));
		if (turn % 50 == 49)
			MUST(store_webhooks_wake(f->s, "gladly", STORE_WAIT_RETRY, NULL, err));
		MUST(store_webhooks_wake_slot(f->s, "gladly", 1, err));
		n = ready(f);
		for (int i = 0; i < n; i++) {
			int64_t id = ids[i];
			struct webhook w;
			int c;

			load(f, id, &w);
			c = w.conversation[0] - 'a';
			if (store_webhook_is_behind(f->s, &w, NULL) > 0) {
				waits(f, id, STORE_WAIT_BEHIND, 0);
			} else if (w.customer && looked_up[id]++ == 0) {
				static const enum store_wait kinds[] = {STORE_WAIT_LOOKUP, STORE_WAIT_SLOT,
									STORE_WAIT_RETRY};

				waits(f, id, kinds[rand_r(&seed) % 3], now + 700);
			} else if (held[id]++ == 0 && rand_r(&seed) % 3 == 0) {
				waits(f, id, STORE_WAIT_TIME, now + 2000);
			} else {
				assert_true(last_of[c] < id);
				last_of[c] = id;
				if (rand_r(&seed) % 9 == 0)
					MUST(store_webhook_dead(f->s, id, "a bad one", err));
				else
					ends(f, id);
				left--;
			}
			webhook_done(&w);
		}
		fixture_commit(f);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 0"), 0);
}

/* ---- dead letters, tries ----------------------------------------------------------------------------------------- */

static void a_dead_letter_is_kept_with_its_reason_and_can_come_back(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {.source = mem_str("gladly"), .received_ms = NOW, .body = mem_str("{"), .body_len = 1};
	struct webhook back = {0};
	struct err e = {0};

	fixture_begin(f);
	MUST(fixture_insert(f->s, &w, "line 1 column 2: no JSON", NULL, err));
	fixture_commit(f);
	assert_int_equal(ready(f), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 2 AND result LIKE 'line 1%'"), 1);
	fixture_begin(f);
	assert_int_equal(store_webhook_revive(f->s, w.id + 1, &e), -ENOENT);
	MUST(store_webhook_revive(f->s, w.id, err));
	assert_int_equal(store_webhook_revive(f->s, w.id, &e), -ENOENT);
	w.read = true;
	w.transition = TRANSITION_CLOSED;
	w.conversation = mem_str("c-9");
	MUST(store_webhook_save_signal(f->s, &w, err));
	fixture_commit(f);
	assert_int_equal(ready(f), 1);
	load(f, w.id, &back);
	assert_true(back.read);
	assert_int_equal(back.transition, TRANSITION_CLOSED);
	assert_string_equal(back.conversation, "c-9");
	assert_int_equal(back.body_len, 1);
	webhook_done(&back);
	webhook_done(&w);
}

static void tries_and_failed_lookups_are_counted_for_one_webhook(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_put(f, "gladly", "a", "p", 0, NOW);
	int64_t b = fixture_put(f, "gladly", "b", "q", 0, NOW);
	unsigned n = 99;
	struct store_lookups lookups;

	fixture_begin(f);
	MUST(store_webhook_set_tries(f->s, a, 2, err));
	MUST(store_webhook_count_lookup(f->s, a, STORE_LOOKUP_TROUBLE, "503", NOW, &lookups, err));
	assert_int_equal(lookups.asked, 1);
	MUST(store_webhook_count_lookup(f->s, a, STORE_LOOKUP_ODD, "html", NOW + 1, &lookups, err));
	MUST(store_webhook_count_lookup(f->s, a, STORE_LOOKUP_ODD, "html", NOW + 2, &lookups, err));
	MUST(store_webhook_count_lookup(f->s, a, STORE_LOOKUP_GONE, "404", NOW + 3, &lookups, err));
	fixture_commit(f);
	fixture_reopen(f);
	MUST(store_webhook_lookups(f->s, a, &lookups, err));
	assert_int_equal(lookups.asked, 4);
	assert_int_equal(lookups.odd, 2);
	assert_int_equal(lookups.odd_since_ms, NOW + 1);
	assert_int_equal(lookups.gone, 1);
	MUST(store_webhook_lookups(f->s, b, &lookups, err));
	assert_int_equal(lookups.asked, 0);
	MUST(store_webhook_tries(f->s, a, &n, err));
	assert_int_equal(n, 2);
	MUST(store_webhook_tries(f->s, b, &n, err));
	assert_int_equal(n, 0);
	fixture_begin(f);
	MUST(store_webhook_dead(f->s, a, "three crashes", err));
	MUST(store_webhook_revive(f->s, a, err));
	fixture_commit(f);
	MUST(store_webhook_tries(f->s, a, &n, err));
	assert_int_equal(n, 0);
}

struct met {
	int64_t ids[8];
	enum store_wait why[8];
	struct store_neighbour whole[8];
	size_t n;
	struct fixture *f;
};

static int meet(void *ctx, const struct store_neighbour *n)
{
	struct met *m = ctx;

	m->ids[m->n] = n->id;
	m->why[m->n] = n->wait;
	m->whole[m->n++] = *n;
	/* A callback may end the webhook that it gets. */
	if (m->f)
		MUST(store_webhook_done(m->f->s, n->id, "settled", err));
	return 0;
}

static void the_pending_of_a_conversation_are_met_in_order(void **state)
{
	struct fixture *f = *state;
	struct met m = {.n = 0};
	int64_t a = fixture_put(f, "gladly", "c", "p", 0, NOW);
	int64_t b = fixture_put(f, "gladly", "c", "p", 0, NOW);
	int64_t c = fixture_put(f, "gladly", "c", NULL, 0, NOW);

	assert_true(fixture_put(f, "gladly", "d", "p", 0, NOW) > 0);
	assert_true(fixture_put(f, "zendesk", "c", "p", 0, NOW) > 0);
	waits(f, a, STORE_WAIT_TIME, NOW + 77);
	waits(f, b, STORE_WAIT_BEHIND, 0);
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet, &m, err));
	assert_int_equal(m.n, 3);
	assert_int_equal(m.ids[0], a);
	assert_int_equal(m.why[0], STORE_WAIT_TIME);
	assert_int_equal(fixture_sql(f, "SELECT not_before FROM webhooks WHERE wait = 1"), NOW + 77);
	assert_int_equal(m.ids[1], b);
	assert_int_equal(m.why[1], STORE_WAIT_BEHIND);
	assert_int_equal(m.ids[2], c);
	m = (struct met){.f = f};
	fixture_begin(f);
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet, &m, err));
	fixture_commit(f);
	assert_int_equal(m.n, 3);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE result = 'settled'"), 3);
}

static int stop(void *ctx, const struct store_neighbour *n)
{
	*(int64_t *)ctx = n->id;
	return n->is_timed ? -ENOTTY : 1;
}

static void a_neighbour_shows_its_narrow_columns_and_its_time_until_it_ends(void **state)
{
	struct fixture *f = *state;
	struct met m = {.n = 0};
	int64_t a = fixture_put(f, "gladly", "c", "p", 0, NOW);
	int64_t b = fixture_put(f, "gladly", "c", "p", 0, NOW + 1);
	int64_t last = 0;

	fixture_begin(f);
	MUST(store_webhook_save_time(f->s, b, NOW - 5, true, err));
	fixture_commit(f);
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet, &m, err));
	assert_int_equal(m.n, 2);
	assert_false(m.whole[0].is_timed);
	assert_int_equal(m.whole[0].received_ms, NOW);
	assert_true(m.whole[1].is_timed && m.whole[1].undated);
	assert_int_equal(m.whole[1].time_ms, NOW - 5);
	assert_int_equal(m.whole[1].received_ms, NOW + 1);
	assert_int_equal(m.whole[1].transition, TRANSITION_OPENED);
	/* The iteration stops at the first non-zero result, and returns a negative one. */
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", stop, &last, err));
	assert_int_equal(last, a);
	ends(f, a);
	assert_int_equal(store_webhooks_of_conversation(f->s, "gladly", "c", stop, &last, NULL), -ENOTTY);
	assert_int_equal(last, b);
	fixture_begin(f);
	MUST(store_webhook_save_time(f->s, b, NOW - 6, false, err)); /* again */
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhook_times WHERE time = 1795276800000 - 6"), 1);
	ends(f, b);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhook_times"), 0);
}

static void a_neighbour_whose_columns_do_not_read_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct met m = {.n = 0};
	int64_t a = fixture_put(f, "gladly", "c", "p", 0, NOW);
	int64_t b = fixture_put(f, "gladly", "c", "p", 0, NOW);

	fixture_begin(f);
	MUST(store_webhook_save_time(f->s, b, NOW, false, err));
	fixture_commit(f);
	fixture_sql(f, "UPDATE webhooks SET transition = 77 WHERE id = 1");
	fixture_sql(f, "UPDATE webhook_times SET undated = 2");
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet, &m, err));
	assert_int_equal(m.n, 1);
	assert_int_equal(m.ids[0], b);
	assert_false(m.whole[0].is_timed); /* the pipeline parses the body then */
	assert_int_equal(a, 1);
}

static int meet_next(void *ctx, const struct store_neighbour *n)
{
	int64_t *last = ctx;

	assert_int_equal(n->id, *last + 1);
	*last = n->id;
	return n->id == 35;
}

/* More neighbours than the first read takes, and unreadable ones first. */
static void many_neighbours_are_met_in_order(void **state)
{
	struct fixture *f = *state;
	int64_t last = 0;

	for (int64_t id = 1; id <= 40; id++) {
		assert_int_equal(fixture_put(f, "gladly", "c", "p", 0, NOW), id);
		if (id % 3 > 0)
			waits(f, id, id % 3 == 1 ? STORE_WAIT_TIME : STORE_WAIT_BEHIND, id % 3 == 1 ? NOW + 77 : 0);
	}
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet_next, &last, err));
	assert_int_equal(last, 35);
	fixture_sql(f, "UPDATE webhooks SET transition = 77 WHERE id <= 20");
	last = 20;
	MUST(store_webhooks_of_conversation(f->s, "gladly", "c", meet_next, &last, err));
	assert_int_equal(last, 35);
}

/* ---- broken rows ------------------------------------------------------------------------------------------------- */

static void a_row_that_does_not_read_says_so_and_can_be_made_a_dead_letter(void **state)
{
	static const char *const breaks[] = {
		"UPDATE webhooks SET transition = 9 WHERE id = 1",
		"UPDATE webhooks SET transition = -1 WHERE id = 1",
		"UPDATE webhooks SET read = 2 WHERE id = 1",
		"UPDATE webhook_bodies SET headers = x'6100' WHERE id = 1",
		"UPDATE webhook_bodies SET headers = x'61006200ff' WHERE id = 1",
		"UPDATE webhook_bodies SET delivery = x'00' WHERE id = 1",
		"DELETE FROM webhook_bodies WHERE id = 1",
		"UPDATE webhook_bodies SET id = 77 WHERE id = 1",
	};
	struct fixture *f = *state;
	struct webhook w = {0};
	struct err e = {0};

	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		assert_int_equal(fixture_put(f, "gladly", "c", "p", 1, NOW), 1);
		assert_int_equal(fixture_put(f, "gladly", "c", "p", 0, NOW), 2);
		waits(f, 2, STORE_WAIT_BEHIND, 0);
		fixture_sql(f, breaks[i]);
		e.text[0] = '\0';
		if (store_webhook_load(f->s, 1, &w, &e) != -EBADMSG)
			fail_msg("%s", breaks[i]);
		assert_non_null(strstr(e.text, "0000000000000001 does not read: its "));
		fixture_begin(f);
		MUST(store_webhook_dead(f->s, 1, e.text, err));
		fixture_commit(f);
		/* No webhook waits for it. */
		assert_int_equal(ready(f), 1);
		assert_int_equal(ids[0], 2);
		assert_false(behind(f, 2));
		fixture_sql(f,
			    "DELETE FROM webhooks; DELETE FROM webhook_bodies; DELETE FROM delivery_tail; DELETE FROM "
			    "last_ids");
		fixture_reopen(f); /* a store that runs gives no id again */
	}
	assert_int_equal(store_webhook_load(f->s, 500, &w, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest functions[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(a_committed_webhook_is_there_whole_after_a_reopening),
		TEST(ids_are_never_given_twice),
		TEST(under_which_mark_lookups_worked_is_kept_by_source),
		TEST(a_restart_lets_go_what_only_the_last_process_knew_of),
		TEST(whether_one_is_behind_another),
		TEST(nobody_is_left_waiting_and_nobody_overtakes),
		TEST(a_dead_letter_is_kept_with_its_reason_and_can_come_back),
		TEST(tries_and_failed_lookups_are_counted_for_one_webhook),
		TEST(the_pending_of_a_conversation_are_met_in_order),
		TEST(a_neighbour_shows_its_narrow_columns_and_its_time_until_it_ends),
		TEST(a_neighbour_whose_columns_do_not_read_is_passed_over),
		TEST(many_neighbours_are_met_in_order),
		TEST(a_row_that_does_not_read_says_so_and_can_be_made_a_dead_letter),
	};

	return NAMED_ROWS_RUN("store_webhooks", NAMED_ROWS(scripts, script_holds, fixture_setup, fixture_teardown),
			      functions);
}

/* SPDX-License-Identifier: MIT */
/* Requests with several items, and handshakes. */
#include <config.h>

#include "fixtures/intake_stage.h"

#include <malloc.h>

#include "base/buf.h"
#include "intake/intake_submission.h"

#define DESK "/webhooks/desk?key=sesame"

/* ---- several items a request ------------------------------------------------------------------------------------- */

#define MANY "/webhooks/many?key=sesame"
#define ITEM(s, c) "{\"s\":\"" s "\",\"c\":\"" c "\"}"

static void a_request_with_several_items_gets_one_answer(void **state)
{
	static const struct {
		const char *target, *body, *status, *part, *items;
	} rows[] = {
		{MANY, "{\"list\":[" ITEM("open", "1") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\",\"00000000000001f5\"]}", "1;2;"},
		{MANY, "{\"list\":[" ITEM("open", "1") "]}", "200",
		 "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "1;"},
		{MANY, "{\"list\":[" ITEM("note", "1") "," ITEM("ping", "1") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\"]}", "2;"},
		{MANY, "{\"list\":[" ITEM("open", "seen") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f5\"]}", "seen;2;"},
		{MANY, "{\"list\":[" ITEM("open", "seen") "," ITEM("note", "2") "]}", "200",
		 "{\"status\":\"duplicate\"}", "seen;"},
		{MANY, "{\"list\":[{\"s\":\"open\"}," ITEM("open", "2") "]}", "200",
		 "\"webhooks\":[\"00000000000001f4\",\"00000000000001f5\"]}", "dead;2;"},
		{MANY, "{\"list\":[" ITEM("note", "1") "," ITEM("ping", "2") "]}", "200", "{\"status\":\"ignored\"}",
		 ""},
		{MANY, "{\"list\":[" ITEM("ping", "1") "," ITEM("ping", "2") "]}", "200", "{\"status\":\"pong\"}", ""},
		{MANY, "{\"list\":[]}", "200", "{\"status\":\"ignored\"}", ""},
		{MANY, "{\"list\":{}}", "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "dead;"},
		{MANY, "{\"list\":[", "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "dead;"},
		{"/webhooks/kept", "[" ITEM("note", "1") "," ITEM("open", "2") "," ITEM("ping", "3") "]", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f5\"]}", "ignored;2;"},
		{"/webhooks/kept", "[" ITEM("note", "1") "," ITEM("note", "2") "]", "200", "{\"status\":\"ignored\"}",
		 "ignored;ignored;"},
		{"/webhooks/kept", "[{\"s\":\"open\"}," ITEM("open", "2") "]", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\"]}", "2;"},
		{"/webhooks/kept", "[{\"s\":\"open\"}," ITEM("ping", "2") "]", "400", "{\"status\":\"unreadable\"}",
		 ""},
		{"/webhooks/kept", "{}", "400", "{\"status\":\"unreadable\"}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		ask("POST", rows[i].target, "", rows[i].body);
		assert_answer(rows[i].status, rows[i].part);
		assert_int_equal(fake_pipeline.n, *rows[i].items != '\0');
		if (fake_pipeline.n > 0)
			assert_string_equal(fake_pipeline.items, rows[i].items);
	}
}

static void each_item_is_counted_and_stored_as_a_body_of_its_own(void **state)
{
	(void)state;
	ask("POST", MANY, "",
	    "{\"batch\":7,\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM(
		    "ping", "3") ",{\"s\":\"open\"}," ITEM("closed", "4") "]}");
	assert_answer("200", "accepted");
	assert_string_equal(fake_pipeline.items, "1;dead;4;");
	assert_string_equal(fake_pipeline.body, "{\"batch\":7,\"list\":[" ITEM("closed", "4") "]}");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "accepted", NULL) == 2);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "unreadable", NULL) == 1);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "ignored", NULL) == 1);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
}

static void what_cannot_be_taken_apart_is_kept_as_it_came(void **state)
{
	(void)state;
	ask("POST", MANY, "", "{\"list\": [1, 2");
	assert_answer("200", "accepted");
	assert_string_equal(fake_pipeline.body, "{\"list\": [1, 2");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "unreadable", NULL) == 1);
}

static void a_batch_is_refused_as_a_whole(void **state)
{
	(void)state;
	fake_pipeline.refuse = true;
	ask("POST", MANY, "",
	    "{\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM("ping", "3") "," ITEM("closed", "4") "]}");
	assert_answer("503", "Retry-After: 5\r\n");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "refused", NULL) == 4);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "accepted", NULL) == 0);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 0);
}

#define BUDGET_BYTES ((size_t)1024 * 1024)
#define LARGE_BYTES (BUDGET_BYTES / 4 * 3) /* of it, for large bodies */

/* Reads a body with 5,000 bytes and an array of that many items, while `other` bytes are reserved. */
static struct intake_submission *read_repeating(struct budget *b, unsigned items, size_t other,
						struct reservation *reservation)
{
	static char body[8192];
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	const struct source *s = config_source(g->config, "many");
	struct http_exchange x = {.path = "/", .query = ""};
	struct request_body copy;
	const struct pairs headers = {0};
	struct reservation others;
	struct intake_submission *p;

	(void)snprintf(body, sizeof(body), "{\"pad\":\"%5000s\",\"list\":[", "x");
	for (unsigned i = 0; i < items; i++)
		(void)snprintf(body + strlen(body), sizeof(body) - strlen(body), "%s" ITEM("open", "1"),
			       i > 0 ? "," : "");
	strcat(body, "]}");
	copy.len = strlen(body);
	copy.text = mem_str(body);
	reservation_init(&others, b, NULL);
	assert_true(reservation_resize(&others, other));
	reservation_init(reservation, b, NULL);
	assert_true(reservation_resize(reservation, copy.len));
	p = intake_submission_new(s, &x, &headers, &copy, NULL, reservation, true);
	reservation_release(&others);
	return p;
}

static void what_repeats_a_large_body_waits_for_room(void **state)
{
	static const struct {
		unsigned items;
		size_t other;
		bool has_room;
	} rows[] = {
		{40, 0, true},          {40, LARGE_BYTES - 250000, true}, {40, LARGE_BYTES - 100000, false},
		{2, LARGE_BYTES, true}, /* small: a quarter of the memory is for such bodies */
		{1, LARGE_BYTES, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct budget *b = budget_new(BUDGET_BYTES);
		struct reservation reservation;
		struct intake_submission *p = read_repeating(b, rows[i].items, rows[i].other, &reservation);

		assert_int_equal(intake_submission_has_room(p), rows[i].has_room);
		assert_int_equal(intake_submission_is_empty(p), !rows[i].has_room);
		if (rows[i].has_room) /* with their trees if there is memory to spare */
			assert_in_range(reservation.bytes, 5000 * rows[i].items,
					(rows[i].other == 0 ? 16000 : 6200) * rows[i].items);
		else
			assert_int_equal(reservation.bytes, 0);
		intake_submission_discard(p);
		reservation_release(&reservation);
		budget_free(b);
	}
}

/* Otherwise it would be refused for ever, and the helpdesk would stop sending. */
static void what_could_never_be_held_is_one_webhook_that_cannot_be_read(void **state)
{
	struct budget *b = budget_new(128 * 1024);
	struct reservation reservation;
	struct intake_submission *p = read_repeating(b, 40, 0, &reservation);

	(void)state;
	assert_true(intake_submission_has_room(p));
	assert_false(intake_submission_is_empty(p));
	assert_false(intake_submission_has_signal(p));
	assert_in_range(reservation.bytes, 5000, 8192);
	intake_submission_discard(p);
	reservation_release(&reservation);
	budget_free(b);
}

/* listen.max_memory counts the memory in use. For small items most of it is their overhead. */
static void small_items_take_no_more_than_they_count(void **state)
{
	static const char *const items[] = {
		ITEM("open", "1"),  /* signals: with their trees if there is memory to spare */
		"{\"s\":\"open\"}", /* dead letters */
	};
	static const size_t others[] = {0, 3 * BUDGET_BYTES};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		CLEANUP(generation_unrefp) struct generation *g = generation_current();
		const struct pairs headers = {0};
		struct budget *b = budget_new(8 * BUDGET_BYTES);
		struct http_exchange x = {.path = "/", .query = ""};
		struct reservation reservation, other;
		struct request_body whole;
		struct intake_submission *p;
		struct buf body;
		size_t before;

		buf_init(&body, BUDGET_BYTES);
		buf_adds(&body, "{\"list\":[");
		for (unsigned k = 0; k < 500; k++)
			buf_addf(&body, "%s%s", k > 0 ? "," : "", items[i % 2]);
		buf_adds(&body, "]}");
		whole.len = body.len;
		whole.text = buf_take(&body);
		reservation_init(&other, b, NULL);
		assert_true(reservation_resize(&other, others[i / 2]));
		reservation_init(&reservation, b, NULL);
		assert_true(reservation_resize(&reservation, whole.len));
		before = mallinfo2().uordblks - malloc_usable_size(whole.text);
		p = intake_submission_new(config_source(g->config, "many"), &x, &headers, &whole, NULL, &reservation,
					  true);
		assert_true(intake_submission_has_room(p));
		/* A sanitizer's malloc reports nothing. */
		assert_true(mallinfo2().uordblks <= before + reservation.bytes + reservation.bytes / 2);
		intake_submission_discard(p);
		reservation_release(&reservation);
		reservation_release(&other);
		budget_free(b);
	}
}

static void a_tree_is_kept_only_where_the_pipeline_keeps_it(void **state)
{
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	static char body[] = "{\"list\":[" ITEM("open", "1") "]}";
	struct http_exchange x = {.path = "/", .query = ""};
	const struct pairs headers = {0};
	struct budget *b = budget_new(8 * BUDGET_BYTES);
	size_t taken[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct request_body copy = {.text = mem_str(body), .len = sizeof(body) - 1};
		struct intake_submission *p;
		struct reservation reservation;

		reservation_init(&reservation, b, NULL);
		assert_true(reservation_resize(&reservation, copy.len));
		p = intake_submission_new(config_source(g->config, "many"), &x, &headers, &copy, NULL, &reservation,
					  i > 0);
		assert_true(intake_submission_has_signal(p));
		taken[i] = reservation.bytes;
		intake_submission_discard(p);
	}
	assert_true(taken[0] < taken[1] - JSON_BRANCH_BYTES);
	budget_free(b);
}

/* ---- what a vendor asks while a webhook is set up ---------------------------------------------------------------- */

static void a_challenge_is_echoed_to_whoever_asks_and_has_no_effect(void **state)
{
	static const struct {
		const char *target, *headers, *body, *part;
	} rows[] = {
		{"/webhooks/many", "X-Challenge: abc\r\n", "{}", "{\"status\":\"pong\",\"challenge\":\"abc\"}"},
		{"/webhooks/many", "x-challenge: abc\r\n", "", "{\"status\":\"pong\",\"challenge\":\"abc\"}"},
		{"/webhooks/many", "X-Challenge: a\"b\\c</x>\r\n", "{}", "\"challenge\":\"a\\\"b\\\\c</x>\"}"},
		{"/webhooks/many?key=wrong", "X-Challenge: abc\r\n", "{\"list\":[" ITEM("open", "1") "]}",
		 "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("ping", "1") "]}", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("note", "1") ",{\"s\":\"open\"}]}",
		 "\"challenge\":\"abc\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		fake_pipeline.not_ready = true; /* nothing is stored, so the pipeline need not be ready */
		ask("POST", rows[i].target, rows[i].headers, rows[i].body);
		assert_answer("200", rows[i].part);
		assert_int_equal(fake_pipeline.n, 0);
		assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
	}
}

static void a_proven_signal_with_a_challenge_is_a_signal(void **state)
{
	(void)state;
	ask("POST", MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("note", "1") "," ITEM("open", "2") "]}");
	assert_answer("200", "{\"status\":\"accepted\"");
	assert_string_equal(fake_pipeline.items, "2;");
}

static void a_challenge_that_cannot_be_echoed_is_none(void **state)
{
	char headers[1200] = "X-Challenge: ";

	(void)state;
	ask("POST", "/webhooks/many", "X-Challenge: \xc3\xa9\r\n", "{}");
	assert_answer("401", "unauthorized");
	ask("POST", "/webhooks/many", "X-Challenge:\r\n", "{}");
	assert_answer("401", "unauthorized");
	ask("POST", DESK, "X-Challenge: abc\r\n", "{\"s\":\"other\"}");
	assert_answer("200", "ignored");
	memset(headers + strlen(headers), 'x', 1024);
	strcpy(headers + 13 + 1024, "\r\n");
	ask("POST", "/webhooks/many", headers, "{}");
	assert_answer("200", "xxx");
	strcpy(headers + 13 + 1024, "x\r\n");
	ask("POST", "/webhooks/many", headers, "{}");
	assert_answer("401", "unauthorized");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_with_several_items_gets_one_answer),
		cmocka_unit_test_setup(each_item_is_counted_and_stored_as_a_body_of_its_own, reset),
		cmocka_unit_test_setup(what_cannot_be_taken_apart_is_kept_as_it_came, reset),
		cmocka_unit_test_setup(a_batch_is_refused_as_a_whole, reset),
		cmocka_unit_test(what_repeats_a_large_body_waits_for_room),
		cmocka_unit_test(what_could_never_be_held_is_one_webhook_that_cannot_be_read),
		cmocka_unit_test(small_items_take_no_more_than_they_count),
		cmocka_unit_test(a_tree_is_kept_only_where_the_pipeline_keeps_it),
		cmocka_unit_test(a_challenge_is_echoed_to_whoever_asks_and_has_no_effect),
		cmocka_unit_test_setup(a_proven_signal_with_a_challenge_is_a_signal, reset),
		cmocka_unit_test_setup(a_challenge_that_cannot_be_echoed_is_none, reset),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	return cmocka_run_group_tests(tests, listener_start, listener_stop);
}

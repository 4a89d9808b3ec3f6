/* Requests with several items, and handshakes. */
#include <config.h>

#include "intake_stage.h"
#include "intake/passage.h"

#define DESK "/webhooks/desk?key=sesame"

/* ---- several items a request ---------------------------------------------------------------------------------------
 */

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
		assert_int_equal(took.n, *rows[i].items != '\0');
		if (took.n > 0)
			assert_string_equal(took.items, rows[i].items);
	}
}

static void each_item_is_counted_and_stored_as_a_body_of_its_own(void **state)
{
	(void)state;
	ask("POST", MANY, "",
	    "{\"batch\":7,\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM(
		    "ping", "3") ",{\"s\":\"open\"}," ITEM("closed", "4") "]}");
	assert_answer("200", "accepted");
	assert_string_equal(took.items, "1;dead;4;");
	assert_string_equal(took.body, "{\"batch\":7,\"list\":[" ITEM("closed", "4") "]}");
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
	assert_string_equal(took.body, "{\"list\": [1, 2");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "unreadable", NULL) == 1);
}

static void a_batch_is_refused_as_a_whole(void **state)
{
	(void)state;
	took.refuse = true;
	ask("POST", MANY, "",
	    "{\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM("ping", "3") "," ITEM("closed", "4") "]}");
	assert_answer("503", "Retry-After: 5\r\n");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "refused", NULL) == 4);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "accepted", NULL) == 0);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 0);
}

static void what_repeats_a_large_body_waits_for_room(void **state)
{
	static const char batch[] = "{\"pad\":\"0123456789\",\"list\":[" ITEM("open", "1") "," ITEM("open", "2") "]}";
	static const char single[] = "{\"pad\":\"0123456789\",\"list\":[" ITEM("open", "1") "]}";
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	const struct source *s = config_source(g->config, "many");
	struct http_exchange x = {.path = "/", .query = "", .body = batch, .body_len = strlen(batch)};
	const struct pairs headers = {0};
	atomic_size_t held = PASSAGES_BYTES_MAX;
	struct passage *p = passage_new(s, &x, &headers, &held);

	(void)state;
	assert_false(passage_has_room(p));
	passage_drop(p);
	assert_true(atomic_load(&held) == PASSAGES_BYTES_MAX);
	x.body = single;
	x.body_len = strlen(single);
	p = passage_new(s, &x, &headers, &held);
	assert_true(passage_has_room(p));
	passage_drop(p);
	x.body = batch;
	x.body_len = strlen(batch);
	atomic_store(&held, PASSAGES_BYTES_MAX - 1000);
	p = passage_new(s, &x, &headers, &held);
	assert_true(passage_has_room(p));
	passage_drop(p);
}

/* ---- what a vendor asks while a webhook is set up
 * --------------------------------------------------------------------
 */

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
		took.not_ready = true; /* nothing is to be kept, so nothing has to be ready */
		ask("POST", rows[i].target, rows[i].headers, rows[i].body);
		assert_answer("200", rows[i].part);
		assert_int_equal(took.n, 0);
		assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
	}
}

static void a_proven_signal_with_a_challenge_is_a_signal(void **state)
{
	(void)state;
	ask("POST", MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("note", "1") "," ITEM("open", "2") "]}");
	assert_answer("200", "{\"status\":\"accepted\"");
	assert_string_equal(took.items, "2;");
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
		cmocka_unit_test(a_challenge_is_echoed_to_whoever_asks_and_has_no_effect),
		cmocka_unit_test_setup(a_proven_signal_with_a_challenge_is_a_signal, reset),
		cmocka_unit_test_setup(a_challenge_that_cannot_be_echoed_is_none, reset),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	return cmocka_run_group_tests(tests, listener_start, listener_stop);
}

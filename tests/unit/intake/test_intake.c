/* SPDX-License-Identifier: MIT */
/* The listener, row by row. tests/e2e has the tests that need the whole daemon. */
#include <config.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixtures/intake_stage.h"
#include "intake/intake_submission.h"
#include "intake/request_state.h"

#define DESK "/webhooks/desk?key=sesame"
#define OPENED "{\"s\":\"open\",\"c\":\"1\",\"e\":\"jo@example.com\"}"

/* ---- answers, row by row ----------------------------------------------------------------------------------------- */

static void each_request_gets_its_answer(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body, *status, *part;
		unsigned submitted;
		const char *counted; /* the result of source desk; NULL: not checked */
	} rows[] = {
		{"POST", DESK, "", OPENED, "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", 1,
		 "accepted"},
		{"POST", DESK, "", "{\"s\":\"ping\"}", "200", "{\"status\":\"pong\"}", 0, "pong"},
		{"POST", DESK, "", "{\"s\":\"other\"}", "200", "{\"status\":\"ignored\"}", 1, "ignored"},
		{"POST", "/webhooks/open", "", "{\"s\":\"other\"}", "200", "{\"status\":\"ignored\"}", 0, NULL},
		{"POST", DESK, "", "{\"s\":", "200", "\"accepted\"", 1, "unreadable"},
		{"POST", DESK, "", "{\"s\":\"open\"}", "200", "\"accepted\"", 1, "unreadable"},
		{"POST", "/webhooks/open", "", "{\"s\":", "400", "{\"status\":\"unreadable\"}", 0, NULL},
		{"POST", "/webhooks/desk", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0, "missing proof"},
		{"POST", "/webhooks/desk?key=wrong", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0,
		 "wrong proof"},
		{"POST", "/webhooks/desk?key=", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0, NULL},
		{"POST", DESK, "", "", "400", "{\"status\":\"empty\"}", 0, "empty"},
		{"POST", "/webhooks/desk?key=wrong", "", "", "401", "{\"status\":\"unauthorized\"}", 0, "wrong proof"},
		{"POST", "/webhooks/open", "", "", "400", "{\"status\":\"empty\"}", 0, NULL},
		{"POST", "/webhooks/none", "", OPENED, "404", "{\"status\":\"not found\"}", 0, NULL},
		{"POST", "/webhooks/desk/", "", OPENED, "404", "not found", 0, NULL},
		{"GET", "/", "", "", "404", "not found", 0, NULL},
		{"GET", DESK, "", "", "405", "Allow: POST, HEAD\r\n", 0, "method"},
		{"DELETE", DESK, "", "", "405", "Allow: POST, HEAD\r\n", 0, NULL},
		{"HEAD", DESK, "", "", "200", "\r\n\r\n", 0, NULL},
		{"POST", DESK, "Content-Type: Multipart/form-data; boundary=x\r\n", "x", "415", "unsupported", 0,
		 "unsupported"},
		{"POST", DESK, "Authorization: a\r\nAuthorization: b\r\n", OPENED, "400", "ambiguous", 0, "malformed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		ask(rows[i].method, rows[i].target, rows[i].headers, rows[i].body);
		assert_answer(rows[i].status, rows[i].part);
		assert_int_equal(fake_pipeline.n, rows[i].submitted);
		if (rows[i].counted)
			assert_true(metrics_get(METRIC_WEBHOOKS, "desk", rows[i].counted, NULL) == 1);
	}
}

/* The body is not sent, so the headers alone decide the answer. */
static void what_the_headers_decide_is_answered_before_the_body(void **state)
{
	static const struct {
		const char *target, *status, *part;
	} rows[] = {
		{"/webhooks/desk", "401", "unauthorized"},
		{"/webhooks/desk?key=wrong", "401", "unauthorized"},
		{"/webhooks/many?key=wrong", "401", "unauthorized"},
		{"/webhooks/none", "404", "not found"},
	};
	char request[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd = connect_listener();

		(void)snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n",
			       rows[i].target);
		send_text(fd, request);
		read_all(fd, answer, sizeof(answer));
		assert_answer(rows[i].status, rows[i].part);
		assert_non_null(strstr(answer, "Connection: close\r\n"));
	}
	assert_true(metrics_get(METRIC_WEBHOOKS, "desk", "wrong proof", NULL) == 1);
}

static void the_pipelines_verdict_is_the_answer(void **state)
{
	(void)state;
	fake_pipeline.result = SUBMISSION_DUPLICATE;
	ask("POST", DESK, "", OPENED);
	assert_answer("200", "{\"status\":\"duplicate\"}");
	fake_pipeline.refuse = true;
	ask("POST", DESK, "", OPENED);
	assert_answer("503", "Retry-After: 5\r\n");
	assert_true(metrics_get(METRIC_WEBHOOKS, "desk", "refused", NULL) == 1);
}

static void while_the_store_cannot_commit_nothing_is_read_but_all_else_is_judged(void **state)
{
	(void)state;
	fake_pipeline.not_ready = true;
	ask("POST", DESK, "", OPENED);
	assert_answer("503", "{\"status\":\"unavailable\"}");
	ask("POST", "/webhooks/desk", "", OPENED);
	assert_answer("401", "unauthorized");
	ask("HEAD", DESK, "", "");
	assert_answer("200", "");
	assert_int_equal(fake_pipeline.n, 0);
}

static void what_is_kept_holds_what_was_read_and_no_secret(void **state)
{
	(void)state;
	ask("POST", "/webhooks/desk?a=1&key=sesame&b=2", "X-State: closed\r\nX-Other: y\r\nCookie: z\r\n",
	    "{\"c\":\"77\"}");
	assert_answer("200", "accepted");
	assert_string_equal(fake_pipeline.source, "desk");
	assert_string_equal(fake_pipeline.conversation, "77");
	assert_string_equal(fake_pipeline.query, "a=1&b=2");
	assert_string_equal(fake_pipeline.headers, "X-State=closed;");
}

static void an_unreadable_one_carries_its_reason(void **state)
{
	(void)state;
	ask("POST", DESK, "", "{\"s\":\"open\",\"e\":\"jo@example.com\"}");
	assert_answer("200", "accepted");
	assert_non_null(strstr(fake_pipeline.dead_reason, "conversation"));
	assert_string_equal(fake_pipeline.conversation, "-");
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

static void the_secret_parameter_is_cut_out_wherever_it_stands(void **state)
{
	static const struct {
		const char *query, *name, *kept;
	} rows[] = {
		{"", "key", ""},
		{"key=x", "key", ""},
		{"a=1&key=x", "key", "a=1"},
		{"key=x&a=1", "key", "a=1"},
		{"a=1&key=x&b=2", "key", "a=1&b=2"},
		{"key=x&a=1&key=y", "key", "a=1"},
		{"%6bey=x&a=1", "key", "a=1"},
		{"keys=x", "key", "keys=x"},
		{"a=key", "key", "a=key"},
		{"key", "key", ""},
		{"a=%zz&b", "key", "a=%zz&b"},
		{"key=x", NULL, "key=x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		CLEANUP(mem_freep) char *kept = stored_query(rows[i].query, rows[i].name);

		assert_string_equal(kept, rows[i].kept);
	}
}

static void behind_trusted_proxies_the_log_names_whom_they_name(void **state)
{
	struct ip_network networks[3];
	const struct proxies proxies = {.networks = networks, .n = 3, .local = true};
	static const struct {
		const char *peer, *forwarded, *who;
	} rows[] = {
		{"192.0.2.1", NULL, "192.0.2.1"},
		{"192.0.2.1", "198.51.100.7", "192.0.2.1"},
		{"127.0.0.1", NULL, "127.0.0.1"},
		{"127.0.0.1", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"},
		{"127.0.0.1", "6.6.6.6, 198.51.100.7 ,10.9.8.7", "198.51.100.7"},
		{"unix", "2001:db8:1::5", "2001:db8:1::5"},
		{"2001:db8:7fff::1", "198.51.100.7", "198.51.100.7"},
		{"2001:db8:8000::1", "198.51.100.7", "2001:db8:8000::1"},
		{"127.0.0.1", "nonsense\"", "127.0.0.1"},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", ",,", "127.0.0.1"},
		{"11.0.0.1", "198.51.100.7", "11.0.0.1"},
		{"127.0.0.1", "203.0.113.7:4711", "203.0.113.7"},
		{"127.0.0.1", "[2001:db9::1]:443", "2001:db9::1"},
		{"127.0.0.1", "[2001:db9::1]", "2001:db9::1"},
		{"127.0.0.1", "6.6.6.6, 203.0.113.7:4711,\t[2001:db8::1]:443", "203.0.113.7"},
		{"127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"},
		{"127.0.0.1", "6.6.6.6, [::ffff:10.1.2.3]:80", "6.6.6.6"},
		{"127.0.0.1", "203.0.113.7:", "127.0.0.1"},
		{"127.0.0.1", "203.0.113.7:65536", "127.0.0.1"},
		{"127.0.0.1", "[203.0.113.7:80", "127.0.0.1"},
		{"127.0.0.1", "unknown", "127.0.0.1"},
		{"127.0.0.1", "198.51.100.7, unix", "127.0.0.1"},
	};

	(void)state;
	assert_true(ip_network_read("127.0.0.1", &networks[0]));
	assert_true(ip_network_read("10.0.0.0/8", &networks[1]));
	assert_true(ip_network_read("2001:db8::/33", &networks[2]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[PEER_MAX];

		assert_string_equal(peer_behind_proxies(&proxies, rows[i].peer, rows[i].forwarded, out), rows[i].who);
	}
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* Sends a webhook that the fake pipeline holds. */
static struct submission *post_held(int fd)
{
	char request[512];
	struct submission *held;

	fake_pipeline.hold = true;
	(void)snprintf(request, sizeof(request), "POST " DESK " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
		       strlen(OPENED), OPENED);
	send_text(fd, request);
	(void)pthread_mutex_lock(&fake_pipeline.lock);
	while (!fake_pipeline.held)
		(void)pthread_cond_wait(&fake_pipeline.submitted, &fake_pipeline.lock);
	held = TAKE(fake_pipeline.held);
	fake_pipeline.hold = false;
	(void)pthread_mutex_unlock(&fake_pipeline.lock);
	return held;
}

/* The stop of the listener checks that the memory of the submission is free again. */
static void a_committed_webhook_counts_though_its_client_is_gone(void **state)
{
	int fd = connect_listener();
	struct submission *held = post_held(fd);
	struct linger reset_at_close = {.l_onoff = 1};

	(void)state;
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset_at_close, sizeof(reset_at_close)), errno);
	(void)close(fd);
	held->answered(held);
	(void)listener_stop(NULL);
	assert_true(metrics_get(METRIC_WEBHOOKS, "desk", "accepted", NULL) == 1);
	(void)listener_start(NULL);
}

static void after_quiesce_what_is_suspended_is_still_answered_and_all_else_refused(void **state)
{
	int waiting = connect_listener();
	int kept = connect_listener();
	char late[4096];
	struct submission *held;

	(void)state;
	send_text(kept, "HEAD /webhooks/desk HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(recv(kept, late, sizeof(late), 0) > 0);
	held = post_held(waiting);
	intake_quiesce(intake);
	(void)snprintf(late, sizeof(late), "POST " DESK " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
		       strlen(OPENED), OPENED);
	send_text(kept, late);
	shutdown(kept, SHUT_WR);
	read_all(kept, answer, sizeof(answer));
	assert_answer("503", "Retry-After");
	held->answered(held);
	intake_stop(intake);
	intake = NULL;
	read_all(waiting, answer, sizeof(answer));
	assert_answer("200", "accepted");
	assert_int_equal(fake_pipeline.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_answer),
		cmocka_unit_test_setup(what_the_headers_decide_is_answered_before_the_body, reset),
		cmocka_unit_test_setup(the_pipelines_verdict_is_the_answer, reset),
		cmocka_unit_test_setup(while_the_store_cannot_commit_nothing_is_read_but_all_else_is_judged, reset),
		cmocka_unit_test_setup(what_is_kept_holds_what_was_read_and_no_secret, reset),
		cmocka_unit_test_setup(an_unreadable_one_carries_its_reason, reset),
		cmocka_unit_test(the_secret_parameter_is_cut_out_wherever_it_stands),
		cmocka_unit_test(behind_trusted_proxies_the_log_names_whom_they_name),
		cmocka_unit_test_setup(a_committed_webhook_counts_though_its_client_is_gone, reset),
		cmocka_unit_test_setup(after_quiesce_what_is_suspended_is_still_answered_and_all_else_refused, reset),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	return cmocka_run_group_tests(tests, listener_start, listener_stop);
}

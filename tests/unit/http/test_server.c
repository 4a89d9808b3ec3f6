/* SPDX-License-Identifier: MIT */
/*
 * Tests the server against sockets whose bytes the test chooses. A thread of the test resumes suspended exchanges.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "fixtures/dial.h"
#include "http/address.h"
#include "http/server.h"

#define MAX_BODY 4096
#define PATIENCE_MS 20000

/* The owner's state of an exchange while it is suspended. */
struct request_state {
	struct message message;
	struct http_exchange *x;
};

enum {
	RESUME_ANSWER = 1,
	RESUME_WAKE,
	RESUME_CUT,
	RESUME_RESET,
	RESUME_STOP,
};

static struct fixture {
	struct http_server *server;
	struct mailbox *mailbox;
	pthread_t resumer;
	pthread_mutex_t lock; /* over the counts and hold */
	pthread_cond_t changed;
	int begun, completed, woken, done;
	bool hold;          /* suspended exchanges are not resumed */
	char reserved[256]; /* "BYTES;" of each call of reserve, under the lock */
	char refused[512];  /* "STATUS PATH WHAT begun;" of each refusal by the server, under the lock */
} fix = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count(int *which)
{
	(void)pthread_mutex_lock(&fix.lock);
	(*which)++;
	(void)pthread_cond_broadcast(&fix.changed);
	(void)pthread_mutex_unlock(&fix.lock);
}

static void wait_for(const int *which, int n)
{
	int r = 0;
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	(void)pthread_mutex_lock(&fix.lock);
	while (*which < n && r == 0)
		r = pthread_cond_timedwait(&fix.changed, &fix.lock, &until);
	(void)pthread_mutex_unlock(&fix.lock);
	assert_int_equal(r, 0);
}

static int peek(const int *which)
{
	int n;

	(void)pthread_mutex_lock(&fix.lock);
	n = *which;
	(void)pthread_mutex_unlock(&fix.lock);
	return n;
}

/* ---- the handler ------------------------------------------------------------------------------------------------- */

static void answer_text(struct http_exchange *x, unsigned status, const char *text)
{
	http_answer(x, &(struct http_answer){
			       .status = status, .type = "text/plain", .body = text, .body_len = strlen(text)});
}

static int on_begin(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	count(&fix.begun);
	if (strcmp(x->path, "/early") == 0) {
		answer_text(x, 401, "no");
		return 1;
	}
	if (strcmp(x->path, "/later") == 0 || strcmp(x->path, "/woken") == 0 || strcmp(x->path, "/cut") == 0 ||
	    strcmp(x->path, "/reset") == 0)
		x->user = calloc(1, sizeof(struct request_state));
	return 0;
}

/* "/room" is granted at most 2000 bytes. */
static int on_reserve(void *ctx, struct http_exchange *x, size_t bytes)
{
	(void)ctx;
	(void)pthread_mutex_lock(&fix.lock);
	(void)snprintf(fix.reserved + strlen(fix.reserved), sizeof(fix.reserved) - strlen(fix.reserved), "%zu;", bytes);
	(void)pthread_mutex_unlock(&fix.lock);
	if (strcmp(x->path, "/room") != 0 || bytes <= 2000)
		return 0;
	answer_text(x, 503, "no room");
	return 1;
}

static void echo(struct http_exchange *x)
{
	const struct pairs *all = http_headers(x);
	struct buf b;

	buf_init(&b, 65536);
	buf_addf(&b, "%s %s ? %s from %s, %zu headers, first %s: %s, X-Two %u\n", x->method, x->path, x->query,
		 http_peer(x), all->n, all->items[0].name, all->items[0].value, http_header_count(x, "x-two"));
	buf_add(&b, x->body, x->body_len);
	if (x->body[x->body_len] != '\0' || llabs(clock_now_ms() - x->received_ms) > PATIENCE_MS)
		buf_clear(&b);
	answer_text(x, 200, b.data);
	buf_done(&b);
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct request_state *v = x->user;

	(void)ctx;
	if (!v) {
		count(&fix.completed);
		if (strcmp(x->path, "/headers") != 0) {
			echo(x);
			return;
		}
		struct pairs more = {0};

		pairs_add(&more, "Retry-After", "30");
		pairs_add(&more, "X-Echo", "a\r\nX-Evil: 1");
		http_answer(x, &(struct http_answer){.status = 503, .headers = &more, .close = true});
		pairs_done(&more);
		return;
	}
	v->x = x;
	v->message.kind = strcmp(x->path, "/cut") == 0     ? RESUME_CUT
			  : strcmp(x->path, "/reset") == 0 ? RESUME_RESET
			  : strcmp(x->path, "/woken") == 0 ? RESUME_WAKE
							   : RESUME_ANSWER;
	http_suspend(x);
	mailbox_post(fix.mailbox, &v->message);
	count(&fix.completed);
}

static void on_woken(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	assert_string_equal(x->path, "/woken");
	count(&fix.woken);
	echo(x);
}

static void on_done(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	free(x->user);
	count(&fix.done);
}

static void resume(struct request_state *v)
{
	int kind = v->message.kind;
	char text[64];

	if (kind == RESUME_WAKE) {
		http_wake(v->x);
		return;
	}
	if (kind != RESUME_ANSWER) {
		http_resume_cut(v->x, kind == RESUME_RESET);
		return;
	}
	(void)snprintf(text, sizeof(text), "later: %zu bytes, %s", v->x->body_len, http_header(v->x, "HOST"));
	http_resume(v->x,
		    &(struct http_answer){.status = 202, .type = "text/plain", .body = text, .body_len = strlen(text)});
}

static void *resume_all(void *arg)
{
	(void)arg;
	for (;;) {
		struct message *message;
		struct message *next;

		mailbox_wait(fix.mailbox, CLOCK_NEVER_MS);
		(void)pthread_mutex_lock(&fix.lock);
		while (fix.hold)
			(void)pthread_cond_wait(&fix.changed, &fix.lock);
		(void)pthread_mutex_unlock(&fix.lock);
		for (message = mailbox_take(fix.mailbox); message; message = next) {
			next = message->next; /* read before the resumption, which may free it */
			if (message->kind == RESUME_STOP)
				return NULL;
			resume((struct request_state *)message);
		}
	}
}

static void hold(bool on)
{
	(void)pthread_mutex_lock(&fix.lock);
	fix.hold = on;
	(void)pthread_cond_broadcast(&fix.changed);
	(void)pthread_mutex_unlock(&fix.lock);
}

static void on_refused(void *ctx, struct http_exchange *x, unsigned status, const char *what)
{
	size_t len;

	(void)ctx;
	(void)pthread_mutex_lock(&fix.lock);
	len = strlen(fix.refused);
	(void)snprintf(fix.refused + len, sizeof(fix.refused) - len, "%u %s %s %s%s;", status, http_peer(x),
		       x->path ? x->path : "-", what, x->user ? " begun" : "");
	(void)pthread_mutex_unlock(&fix.lock);
}

static void start_for(const char *address, int listen_fd, int64_t timeout_ms)
{
	const struct http_handler handler = {.begin = on_begin,
					     .reserve = on_reserve,
					     .complete = on_complete,
					     .woken = on_woken,
					     .done = on_done,
					     .refused = on_refused};
	const struct http_server_options options = {
		.address = address,
		.sockets = {.fds = {listen_fd}, .n = listen_fd >= 0},
		.threads = 2,
		.max_connections = 128,
		.max_body = MAX_BODY,
		.timeout_ms = timeout_ms,
		.error_member = "status",
	};
	struct err e = {0};

	fix.begun = fix.completed = fix.woken = fix.done = 0;
	fix.reserved[0] = '\0';
	fix.refused[0] = '\0';
	fix.mailbox = mailbox_new();
	if (http_server_start(&options, &handler, &fix.server, &e) != 0)
		fail_msg("%s", e.text);
	thread_start(&fix.resumer, "resumer", resume_all, NULL);
}

static void start(const char *address, int listen_fd)
{
	start_for(address, listen_fd, 1000);
}

static void stop(void)
{
	struct message last = {.kind = RESUME_STOP};

	hold(false);
	mailbox_post(fix.mailbox, &last);
	thread_join(fix.resumer);
	http_server_stop(fix.server);
	fix.server = NULL;
	mailbox_free(fix.mailbox);
	assert_int_equal(fix.begun, fix.done);
}

static int setup(void **state)
{
	(void)state;
	start("127.0.0.1:0", -1);
	return 0;
}

/* For tests that may take long on a busy machine. */
static int setup_patient(void **state)
{
	(void)state;
	start_for("127.0.0.1:0", -1, PATIENCE_MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (fix.server)
		stop();
	return 0;
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

static int connect_listener(void)
{
	return dial_to(http_server_address(fix.server), PATIENCE_MS / 1000);
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads everything until the other side closes, and closes too. A "!" at the end stands for a reset. */
static const char *receive(int fd)
{
	size_t len = 0;
	static char text[1 << 20];
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - len - 2, 0)) > 0)
		len += (size_t)n;
	if (n < 0) {
		assert_int_equal(errno, ECONNRESET);
		text[len++] = '!';
	}
	text[len] = '\0';
	(void)close(fd);
	return text;
}

static const char *exchange(const char *request)
{
	int fd = connect_listener();

	send_text(fd, request);
	return receive(fd);
}

static void assert_status(const char *answer, unsigned status)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
	if (strncmp(answer, line, strlen(line)) != 0)
		fail_msg("not %u: %s", status, answer);
}

static void assert_has(const char *answer, const char *part)
{
	if (!strstr(answer, part))
		fail_msg("no \"%s\" in: %s", part, answer);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void a_request_comes_whole_and_as_it_was_written(void **state)
{
	const char *answer;

	(void)state;
	answer = exchange("POST /web%2Fhooks/a%20b?x=%41&y=1+2?z HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\n"
			  "Connection: close\r\nContent-Length: 5\r\n\r\nhello");
	assert_status(answer, 200);
	assert_has(answer, "\r\nContent-Type: text/plain\r\n");
	assert_has(answer,
		   "POST /web%2Fhooks/a%20b ? x=%41&y=1+2?z from 127.0.0.1, 5 headers, first Host: h, X-Two 2\nhello");
	answer = exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_has(answer, "GET / ?  from 127.0.0.1, 2 headers, first Host: h, X-Two 0\n");
}

static void a_chunked_body_comes_whole(void **state)
{
	const char *answer =
		exchange("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Two: trailer\r\n\r\n");

	(void)state;
	assert_status(answer, 200);
	assert_has(answer, "X-Two 0\nabcdefg");
}

/* libmicrohttpd ignores it up to 0.9.75, and answers 400 since 1.0. */
static void a_chunks_extension_spoils_no_body(void **state)
{
	const char *answer =
		exchange("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");

	(void)state;
	if (strncmp(answer, "HTTP/1.1 400", 12) == 0)
		return;
	assert_status(answer, 200);
	assert_has(answer, "X-Two 0\nabcdefg");
}

static void a_kept_connection_serves_one_request_after_the_other(void **state)
{
	const char *answer = exchange("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
				      "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\ndefg"
				      "GET /three HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	const char *second;

	(void)state;
	assert_status(answer, 200);
	second = strstr(answer, "HTTP/1.1 202");
	assert_non_null(second);
	assert_has(second, "later: 4 bytes, h");
	assert_has(second, "GET /three");
	wait_for(&fix.done, 3);
}

static void suspended_exchanges_are_answered_from_another_thread(void **state)
{
	int fds[60];

	(void)state;
	hold(true);
	for (size_t i = 0; i < 60; i++) {
		fds[i] = connect_listener();
		send_text(fds[i],
			  "POST /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
	}
	wait_for(&fix.completed, 60);
	assert_int_equal(http_server_suspended(fix.server), 60);
	assert_int_equal(peek(&fix.done), 0);
	hold(false);
	for (size_t i = 0; i < 60; i++) {
		const char *answer = receive(fds[i]);

		assert_status(answer, 202);
		assert_has(answer, "later: 2 bytes, h");
	}
	wait_for(&fix.done, 60);
}

static void woken_exchanges_are_answered_by_the_handler(void **state)
{
	static const char request[] = "POST /woken HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
	static const char last[] =
		"POST /woken HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
	int fd = connect_listener();
	char first[4096];
	ssize_t n;

	(void)state;
	hold(true);
	send_text(fd, request);
	wait_for(&fix.completed, 1);
	assert_int_equal(peek(&fix.woken), 0);
	hold(false);
	n = recv(fd, first, sizeof(first) - 1, 0);
	assert_true(n > 0);
	first[n] = '\0';
	assert_status(first, 200);
	assert_has(first, "POST /woken");
	send_text(fd, last); /* the connection goes on */
	assert_status(receive(fd), 200);
	wait_for(&fix.done, 2);
	assert_int_equal(fix.woken, 2);
}

static void a_client_that_left_while_suspended_is_done_after_resumption(void **state)
{
	static const char *const paths[] = {"/later", "/woken"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = connect_listener();
		char request[128];

		hold(true);
		(void)snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
			       paths[i]);
		send_text(fd, request);
		wait_for(&fix.completed, i + 1);
		(void)close(fd);
		hold(false);
		wait_for(&fix.done, i + 1);
	}
	assert_status(exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
}

/* A client that has sent everything may still wait for the answer. */
static void a_client_that_shut_its_sending_side_is_answered(void **state)
{
	static const char *const requests[] = {
		"POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
		"POST /later HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"POST /at/once HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
	};
	int fds[6];

	(void)state;
	hold(true);
	for (size_t i = 0; i < 6; i++) {
		fds[i] = connect_listener();
		send_text(fds[i], requests[i % 3]);
		if (i < 3)
			assert_return_code(shutdown(fds[i], SHUT_WR), errno);
	}
	wait_for(&fix.completed, 6);
	for (size_t i = 3; i < 6; i++)
		assert_return_code(shutdown(fds[i], SHUT_WR), errno);
	hold(false);
	for (size_t i = 0; i < 6; i++)
		assert_status(receive(fds[i]), i % 3 < 2 ? 202 : 200);
	wait_for(&fix.done, 6);
}

static void an_early_answer_needs_no_body_and_ends_the_connection(void **state)
{
	const char *answer = exchange("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");

	(void)state;
	assert_status(answer, 401);
	assert_has(answer, "\r\nConnection: close\r\n");
	answer = exchange("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_status(answer, 401);
	answer = exchange("POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
	assert_status(answer, 401);
	answer = exchange("PATCH /early HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
	assert_status(answer, 401);
	answer = exchange("GET /early HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_status(answer, 401);
	answer = exchange("POST /early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
	assert_status(answer, 401); /* without a 100 before it */
	wait_for(&fix.done, 6);
	assert_int_equal(peek(&fix.completed), 0);
}

static void a_declared_length_beyond_the_limit_is_413_before_the_body(void **state)
{
	static const char *const lengths[] = {"4097", "99999999999999999"};
	char request[200];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *answer;

		(void)snprintf(request, sizeof(request), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %s\r\n\r\n",
			       lengths[i]);
		answer = exchange(request);
		assert_status(answer, 413);
		assert_has(answer, "Content-Type: application/json\r\n");
		assert_has(answer, "{\"status\":\"too long\"}");
	}
	assert_int_equal(peek(&fix.begun), 0);
}

static void what_the_server_itself_refuses_is_told(void **state)
{
	static char chunked[8192];

	(void)state;
	(void)snprintf(
		chunked, sizeof(chunked),
		"POST /later HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1800\r\n%6144s\r\n0\r\n\r\n",
		"x");
	assert_status(exchange("POST /long HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\n\r\n"), 413);
	assert_status(exchange("POST /hope HTTP/1.1\r\nHost: h\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx"), 417);
	assert_status(exchange("POST /two HTTP/1.1\r\nHost: h\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"), 400);
	assert_status(exchange("POST none HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"), 400);
	assert_status(exchange(chunked), 413);
	assert_status(exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
	assert_string_equal(fix.refused, "413 127.0.0.1 /long too long;"
					 "417 127.0.0.1 /hope unknown expectation;"
					 "400 127.0.0.1 /two more than one Host;"
					 "400 127.0.0.1 - malformed request target;"
					 "413 127.0.0.1 /later too long begun;");
}

static void a_body_of_exactly_the_limit_is_taken(void **state)
{
	static char request[MAX_BODY + 200];
	int n = snprintf(request, sizeof(request),
			 "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", MAX_BODY);

	(void)state;
	memset(request + n, 'x', MAX_BODY);
	assert_status(exchange(request), 200);
}

static void a_chunked_body_beyond_the_limit_is_413_and_never_complete(void **state)
{
	int fd = connect_listener();
	static char chunk[2048 + 16];

	(void)state;
	(void)snprintf(chunk, sizeof(chunk), "800\r\n%2048s\r\n", "x");
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++)
		send_text(fd, chunk);
	send_text(fd, "0\r\n\r\n");
	assert_status(receive(fd), 413);
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.completed), 0);
}

static void an_endless_chunked_body_is_cut_off(void **state)
{
	int fd = connect_listener();
	int sent = 0;
	static char chunk[2048 + 16];

	(void)state;
	(void)snprintf(chunk, sizeof(chunk), "800\r\n%2048s\r\n", "x");
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (send(fd, chunk, strlen(chunk), MSG_NOSIGNAL) > 0)
		if (++sent > 100000)
			fail_msg("still taken");
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.completed), 0);
	(void)close(fd);
}

static void an_early_answer_is_there_before_the_body(void **state)
{
	(void)state;
	assert_status(exchange("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"), 401);
	assert_status(exchange("POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
		      401);
	assert_status(exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400);
	wait_for(&fix.done, 2);
	assert_int_equal(peek(&fix.completed), 0);
}

/* Sends everything before it reads, as most clients do. */
static const char *send_all_then_receive(const char *head, const char *piece, size_t pieces, const char *end)
{
	int fd = connect_listener();

	send_text(fd, head);
	for (size_t i = 0; i < pieces; i++)
		send_text(fd, piece);
	send_text(fd, end);
	return receive(fd);
}

static void whoever_sends_all_before_it_reads_has_its_early_answer_whole(void **state)
{
	static const struct {
		const char *head;
		bool chunked;
		unsigned status;
	} rows[] = {
		{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n", false, 413},
		{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", true, 413},
		{"POST /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", true, 401},
	};
	static char plain[65536 + 1], chunk[65536 + 16];

	(void)state;
	memset(plain, 'x', 65536);
	(void)snprintf(chunk, sizeof(chunk), "10000\r\n%65536s\r\n", "x");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int round = 0; round < 10; round++) {
			const char *answer = send_all_then_receive(rows[i].head, rows[i].chunked ? chunk : plain, 64,
								   rows[i].chunked ? "0\r\n\r\n" : "");
			size_t len = strlen(answer);

			assert_status(answer, rows[i].status);
			assert_has(answer, "\r\nConnection: close\r\n");
			assert_has(answer, "\r\nDate: ");
			assert_true(answer[len - 1] != '!');
		}
	assert_int_equal(peek(&fix.completed), 0);
}

static void a_body_is_held_only_where_the_owner_has_room(void **state)
{
	static char chunk[512 + 16];
	const char *answer;

	(void)state;
	(void)snprintf(chunk, sizeof(chunk), "200\r\n%512s\r\n", "x");
	answer = exchange("POST /room HTTP/1.1\r\nHost: h\r\nContent-Length: 2001\r\n\r\n");
	assert_status(answer, 503);
	assert_has(answer, "\r\nContent-Length: 7\r\n");
	assert_has(answer, "\r\n\r\nno room");
	assert_string_equal(fix.reserved, "2001;");
	fix.reserved[0] = '\0';
	answer = exchange("POST /room HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2001\r\n\r\n");
	assert_status(answer, 503);
	assert_string_equal(fix.reserved, "2001;");
	fix.reserved[0] = '\0';
	answer = exchange("POST /room HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
	assert_status(answer, 200);
	assert_string_equal(fix.reserved, "2;");
	fix.reserved[0] = '\0';
	/* The memory of the body doubles, and is released when it is refused. */
	answer = send_all_then_receive("POST /room HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, 5,
				       "0\r\n\r\n");
	assert_status(answer, 503);
	wait_for(&fix.done, 4);
	assert_string_equal(fix.reserved, "512;1024;2048;0;");
	fix.reserved[0] = '\0';
	/* The memory never exceeds the longest body. */
	answer = send_all_then_receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, 9,
				       "0\r\n\r\n");
	assert_status(answer, 413);
	wait_for(&fix.done, 5);
	assert_string_equal(fix.reserved, "512;1024;2048;4096;0;");
	assert_int_equal(peek(&fix.completed), 1);
}

static void a_body_cut_short_is_never_complete(void **state)
{
	int fd = connect_listener();

	(void)state;
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
	assert_return_code(shutdown(fd, SHUT_WR), errno);
	(void)receive(fd);
	fd = connect_listener();
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	assert_return_code(shutdown(fd, SHUT_WR), errno);
	(void)receive(fd);
	wait_for(&fix.done, 2);
	assert_int_equal(peek(&fix.completed), 0);
}

static void two_lengths_or_length_and_encoding_are_400(void **state)
{
	static const char *const headers[] = {
		"Content-Length: 2\r\nContent-Length: 3\r\n",
		"Content-Length: 2\r\ncontent-length: 2\r\n",
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: identity\r\n",
	};
	char request[300];

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *answer;

		(void)snprintf(request, sizeof(request), "POST /later HTTP/1.1\r\nHost: h\r\n%s\r\n", headers[i]);
		answer = exchange(request);
		assert_status(answer, 400);
		assert_has(answer, "\r\nConnection: close\r\n");
	}
	assert_int_equal(peek(&fix.begun), 0);
}

static void broken_requests_leave_no_trace(void **state)
{
	static char longest[60000];
	int fd;

	(void)state;
	assert_status(exchange("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"), 400);
	(void)snprintf(longest, sizeof(longest), "GET /%50000s", "HTTP/1.1\r\n\r\n");
	memset(longest + 5, 'x', 49000);
	(void)exchange(longest);
	fd = connect_listener();
	send_text(fd, "GET /unfinished HTTP/1.1\r\nHost:");
	(void)close(fd);
	(void)exchange("\x16\x03\x01\r\n\r\n");
	assert_status(exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.begun), 1);
}

static void a_long_head_is_served_up_to_a_limit(void **state)
{
	static const struct {
		size_t headers, each;
		unsigned status;
	} rows[] = {{1, 14000, 200}, {14, 1000, 200}, {100, 60, 200}, {1, 20000, 431}, {20, 1000, 431}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf request;

		buf_init(&request, 65536);
		buf_adds(&request, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
		for (size_t n = 0; n < rows[i].headers; n++)
			buf_addf(&request, "X-%03zu: %0*d\r\n", n, (int)rows[i].each - 9, 7);
		buf_adds(&request, "\r\n");
		assert_status(exchange(request.data), rows[i].status);
		buf_done(&request);
	}
}

static void head_has_the_length_and_no_body(void **state)
{
	const char *answer = exchange("HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	const char *length;

	(void)state;
	assert_status(answer, 200);
	length = strstr(answer, "Content-Length: ");
	assert_non_null(length);
	assert_int_not_equal(length[16], '0');
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void extra_headers_go_out_and_line_ends_in_them_do_not(void **state)
{
	const char *answer = exchange("GET /headers HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_status(answer, 503);
	assert_has(answer, "\r\nRetry-After: 30\r\n");
	assert_has(answer, "\r\nConnection: close\r\n");
	assert_null(strstr(answer, "X-Evil"));
	assert_null(strstr(answer, "Content-Type"));
}

static void a_cut_exchange_ends_without_an_answer(void **state)
{
	(void)state;
	assert_string_equal(exchange("POST /cut HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"), "");
	assert_string_equal(exchange("POST /reset HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"), "!");
	wait_for(&fix.done, 2);
}

static void a_silent_client_is_cut_off(void **state)
{
	int64_t before = clock_mono_ms();
	int in_headers = connect_listener();
	int in_body = connect_listener();
	int idle = connect_listener();

	(void)state;
	send_text(in_headers, "POST / HTTP/1.1\r\nHos");
	send_text(in_body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
	(void)receive(in_headers);
	(void)receive(in_body);
	(void)receive(idle);
	assert_true(clock_mono_ms() - before < PATIENCE_MS / 2);
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.completed), 0);
}

/* Each piece comes within the timeout, but the whole request would not. */
static void drip(int fd, char letter)
{
	int64_t before = clock_mono_ms();
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, 200) == 0) {
		(void)send(fd, &letter, 1, MSG_NOSIGNAL);
		assert_true(clock_mono_ms() - before < PATIENCE_MS);
	}
	assert_in_range(clock_mono_ms() - before, 2000, 6000);
	(void)close(fd);
}

static void a_client_that_drips_its_body_is_cut_off(void **state)
{
	int fd = connect_listener();

	(void)state;
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n");
	drip(fd, 'x');
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.completed), 0);
}

static void a_client_that_drips_its_headers_is_cut_off(void **state)
{
	char answer[4096] = "";
	int fd = connect_listener();
	ssize_t n;

	(void)state;
	send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nX-Long: ");
	drip(fd, 'x');
	assert_int_equal(peek(&fix.begun), 0);
	/* On a kept connection each request has the whole time again. */
	fd = connect_listener();
	send_text(fd, "GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
	for (size_t len = 0; !strstr(answer, "X-Two 0\n"); len += (size_t)n) {
		n = recv(fd, answer + len, sizeof(answer) - len - 1, 0);
		assert_true(n > 0);
	}
	drip(fd, 'G');
	wait_for(&fix.done, 1);
	assert_int_equal(peek(&fix.begun), 1);
}

static void a_passed_socket_lives_on_after_quiesce_and_stop(void **state)
{
	CLEANUP(mem_freep) char *text = NULL;
	struct http_address a;
	int passed, fd, kept;

	(void)state;
	assert_int_equal(http_address_parse("127.0.0.1:0", &a, NULL), 0);
	passed = http_address_listen(&a, NULL);
	assert_true(passed >= 0);
	text = http_address_of_socket(passed);
	start("ignored", passed);
	assert_string_equal(http_server_address(fix.server), text);
	assert_status(exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
	stop();

	fd = dial_to(text, PATIENCE_MS / 1000);
	kept = accept(passed, NULL, NULL);
	assert_true(kept >= 0);
	(void)close(kept);
	(void)close(fd);
	(void)close(passed);
}

static void after_quiesce_living_connections_are_served_and_new_ones_wait(void **state)
{
	int living = connect_listener();
	int late;
	char answer[4096];
	struct pollfd p;
	ssize_t n;

	(void)state;
	send_text(living, "GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
	n = recv(living, answer, sizeof(answer) - 1, 0);
	assert_true(n > 0);
	http_server_quiesce(fix.server);
	late = connect_listener();
	send_text(late, "GET /late HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	send_text(living, "POST /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
	assert_status(receive(living), 202);
	p = (struct pollfd){.fd = late, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 100), 0);
	assert_int_equal(peek(&fix.begun), 2);
	wait_for(&fix.done, 2);
	assert_int_equal(http_server_suspended(fix.server), 0);
	stop();
	(void)close(late);
}

static void stopping_at_once_after_resuming_leaves_nothing_behind(void **state)
{
	int fds[30];

	(void)state;
	hold(true);
	for (size_t i = 0; i < 30; i++) {
		fds[i] = connect_listener();
		send_text(fds[i], i % 2 == 0 ? "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
					     : "POST /woken HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
	}
	wait_for(&fix.completed, 30);
	stop(); /* resumes all without waiting, and checks that done was called for each */
	assert_int_equal(fix.done, 30);
	for (size_t i = 0; i < 30; i++)
		(void)receive(fds[i]);
}

static void an_unix_socket_serves_and_goes_with_the_server(void **state)
{
	char dir[] = "/tmp/test-server-XXXXXX";
	CLEANUP(mem_freep) char *address = NULL;
	const char *answer;

	(void)state;
	assert_non_null(mkdtemp(dir));
	address = mem_fmt("unix:%s/s", dir);
	start(address, -1);
	assert_string_equal(http_server_address(fix.server), address);
	answer = exchange("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
	assert_status(answer, 200);
	assert_has(answer, " from unix,");
	assert_string_equal(exchange("POST /reset HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"), "");
	stop();
	assert_int_equal(access(address + 5, F_OK), -1);
	assert_return_code(rmdir(dir), errno);
}

static void a_server_that_cannot_listen_says_where(void **state)
{
	const struct http_handler handler = {.begin = on_begin, .complete = on_complete};
	struct http_server_options options = {.threads = 2, .max_connections = 8, .timeout_ms = 1000};
	struct http_server *s = NULL;
	struct err e;

	(void)state;
	options.address = http_server_address(fix.server);
	assert_int_equal(http_server_start(&options, &handler, &s, &e), -EADDRINUSE);
	assert_has(e.text, options.address);
	options.address = "nowhere";
	assert_int_equal(http_server_start(&options, &handler, &s, &e), -EINVAL);
	options.sockets = (struct http_sockets){.fds = {999999}, .n = 1};
	assert_int_equal(http_server_start(&options, &handler, &s, &e), -EBADF);
	assert_null(s);
	http_server_stop(NULL);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_request_comes_whole_and_as_it_was_written),
		SERVED(a_chunked_body_comes_whole),
		SERVED(a_chunks_extension_spoils_no_body),
		SERVED(a_kept_connection_serves_one_request_after_the_other),
		SERVED(suspended_exchanges_are_answered_from_another_thread),
		SERVED(woken_exchanges_are_answered_by_the_handler),
		SERVED(a_client_that_left_while_suspended_is_done_after_resumption),
		SERVED(a_client_that_shut_its_sending_side_is_answered),
		SERVED(an_early_answer_needs_no_body_and_ends_the_connection),
		SERVED(a_declared_length_beyond_the_limit_is_413_before_the_body),
		SERVED(what_the_server_itself_refuses_is_told),
		SERVED(a_body_of_exactly_the_limit_is_taken),
		SERVED(a_chunked_body_beyond_the_limit_is_413_and_never_complete),
		SERVED(an_endless_chunked_body_is_cut_off),
		SERVED(an_early_answer_is_there_before_the_body),
		cmocka_unit_test_setup_teardown(whoever_sends_all_before_it_reads_has_its_early_answer_whole,
						setup_patient, teardown),
		SERVED(a_body_is_held_only_where_the_owner_has_room),
		SERVED(a_body_cut_short_is_never_complete),
		SERVED(two_lengths_or_length_and_encoding_are_400),
		SERVED(broken_requests_leave_no_trace),
		SERVED(a_long_head_is_served_up_to_a_limit),
		SERVED(head_has_the_length_and_no_body),
		SERVED(extra_headers_go_out_and_line_ends_in_them_do_not),
		SERVED(a_cut_exchange_ends_without_an_answer),
		SERVED(a_silent_client_is_cut_off),
		SERVED(a_client_that_drips_its_body_is_cut_off),
		SERVED(a_client_that_drips_its_headers_is_cut_off),
		SERVED(after_quiesce_living_connections_are_served_and_new_ones_wait),
		SERVED(stopping_at_once_after_resuming_leaves_nothing_behind),
		SERVED(a_server_that_cannot_listen_says_where),
		cmocka_unit_test(a_passed_socket_lives_on_after_quiesce_and_stop),
		cmocka_unit_test(an_unix_socket_serves_and_goes_with_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

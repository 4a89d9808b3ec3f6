/* SPDX-License-Identifier: MIT */
/*
 * Tests the client against a peer whose bytes the test chooses for each connection, and against this project's server,
 * where many answers are open at once.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "http/address.h"
#include "http/client.h"
#include "http/server.h"

#define PATIENCE_MS 20000

/* Used instead of an answer. */
#define CLOSE "close"
#define RESET "reset"
#define HANG "hang" /* until the client closes */

#define OK_TEXT "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

/* A server with one connection at a time. Its requests get the answers in order. */
static struct peer {
	int fd;
	char *address; /* "127.0.0.1:PORT" */
	char *url;
	pthread_t thread;
	const char *const *answers; /* NULL ends the list */
	struct buf received;        /* all requests; read it after peer_stop */
	int accepted;               /* number of connections; read it after peer_stop */
} peer;

/* Reads one request into peer.received; false: the connection has ended. */
static bool peer_receive(int fd)
{
	size_t start = peer.received.len;
	size_t body = 0;
	char *end = NULL;
	static char chunk[65536];
	char *length;
	ssize_t n;

	while (!end || peer.received.len < (size_t)(end - peer.received.data) + 4 + body) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return false;
		buf_add(&peer.received, chunk, (size_t)n);
		end = strstr(peer.received.data + start, "\r\n\r\n");
		length = strstr(peer.received.data + start, "Content-Length: ");
		body = end && length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	}
	return true;
}

static bool peer_say(int fd, const char *answer)
{
	struct linger at_once = {.l_onoff = 1};
	size_t sent = 0;

	if (strcmp(answer, HANG) == 0)
		return true;
	if (strcmp(answer, RESET) == 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (strcmp(answer, RESET) == 0 || strcmp(answer, CLOSE) == 0)
		return false;
	while (sent < strlen(answer)) {
		ssize_t n = send(fd, answer + sent, strlen(answer) - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		sent += (size_t)n;
	}
	return !strstr(answer, "Connection: close") && strncmp(answer, "HTTP/1.", 7) == 0;
}

static void *peer_run(void *arg)
{
	const char *const *answer = peer.answers;
	int fd;

	(void)arg;
	while ((fd = accept(peer.fd, NULL, NULL)) >= 0) {
		peer.accepted++;
		while (peer_receive(fd))
			if (!*answer || !peer_say(fd, *answer++))
				break;
		(void)close(fd);
	}
	return NULL;
}

static void peer_start(const char *const *answers, const char *address)
{
	struct http_address a;

	assert_int_equal(http_address_parse(address, &a, NULL), 0);
	peer.fd = http_address_listen(&a, NULL);
	assert_true(peer.fd >= 0);
	assert_return_code(fcntl(peer.fd, F_SETFL, 0), errno); /* accept() must block */
	peer.address = http_address_of_socket(peer.fd);
	peer.url = mem_fmt("http://%s/path?x=1", http_address_is_unix(&a) ? "localhost" : peer.address);
	peer.answers = answers;
	peer.accepted = 0;
	buf_init(&peer.received, 16 << 20);
	thread_start(&peer.thread, "peer", peer_run, NULL);
}

/* Call after the client's connections are closed. peer.received stays until peer_done. */
static void peer_stop(void)
{
	(void)shutdown(peer.fd, SHUT_RDWR);
	thread_join(peer.thread);
	(void)close(peer.fd);
}

static void peer_done(void)
{
	free(peer.address);
	free(peer.url);
	buf_done(&peer.received);
}

/* A copy of a response, kept after the callback. */
struct answer {
	unsigned times;
	enum http_failure failure;
	unsigned status;
	char error[256], type[64], body[64];
	size_t body_len;
};

static void on_answer(void *ctx, const struct http_response *response)
{
	struct answer *a = ctx;

	a->times++;
	a->failure = response->failure;
	a->status = response->status;
	a->body_len = response->body.len;
	(void)snprintf(a->error, sizeof(a->error), "%s", response->error);
	(void)snprintf(a->type, sizeof(a->type), "%s", response->type ? response->type : "");
	(void)snprintf(a->body, sizeof(a->body), "%s", response->body.data);
}

static void turn_until_idle(struct http_client *c)
{
	int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

	while (http_client_running(c) > 0) {
		assert_true(clock_mono_ms() < until_ms);
		http_client_turn(c, until_ms);
	}
}

static struct answer ask_one(struct http_client *c, const struct http_request *request)
{
	struct answer a = {0};
	struct err e = {0};

	if (http_client_start(c, request, on_answer, &a, &e) != 0)
		fail_msg("%s", e.text);
	turn_until_idle(c);
	assert_int_equal(a.times, 1);
	return a;
}

/* Makes one GET with a new client. */
static struct answer get(const char *url, struct http_request request)
{
	struct http_client *c = http_client_new("test/1");
	struct answer a;

	request.method = "GET";
	request.url = url;
	a = ask_one(c, &request);
	http_client_free(c);
	return a;
}

/* Makes one GET, to which the peer sends this answer. */
static struct answer get_answered(const char *answer, struct http_request request)
{
	const char *const answers[] = {answer, NULL};
	struct answer a;

	peer_start(answers, "127.0.0.1:0");
	a = get(peer.url, request);
	peer_stop();
	peer_done();
	return a;
}

static void assert_received(const char *part)
{
	if (!strstr(peer.received.data, part))
		fail_msg("no \"%s\" in: %s", part, peer.received.data);
}

/* The same for a literal with a NUL in it; also finds text after a NUL. */
#define assert_received_bytes(text) \
	assert_non_null(memmem(peer.received.data, peer.received.len, text, sizeof(text) - 1))

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void a_request_goes_out_as_asked(void **state)
{
	static const char *const answers[] = {OK_TEXT, OK_TEXT, OK_TEXT, OK_TEXT, NULL};
	struct http_client *c = http_client_new("deskbridge/0");
	struct pairs headers = {0};
	struct answer a;

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	pairs_add(&headers, "Content-Type", "application/vnd.api+json");
	pairs_add(&headers, "revision", "2026-07-15");
	pairs_add(&headers, "X-Empty", "");
	a = ask_one(c, &(struct http_request){.method = "POST",
					      .url = peer.url,
					      .headers = &headers,
					      .body = mem_dup("{\"a\0b\"}", 7),
					      .body_len = 7});
	assert_int_equal(a.failure, HTTP_OK);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.type, "text/plain");
	assert_string_equal(a.body, "ok");
	assert_string_equal(a.error, "");
	(void)ask_one(c, &(struct http_request){.method = "GET", .url = peer.url});
	(void)ask_one(c, &(struct http_request){.method = "DELETE", .url = peer.url});
	(void)ask_one(c, &(struct http_request){.method = "POST", .url = peer.url});
	http_client_free(c);
	peer_stop();
	assert_int_equal(peer.accepted, 1); /* kept alive */
	assert_memory_equal(peer.received.data, "POST /path?x=1 HTTP/1.1\r\n", 25);
	assert_received("\r\nUser-Agent: deskbridge/0\r\n");
	assert_received("\r\nContent-Type: application/vnd.api+json\r\n");
	assert_received("\r\nrevision: 2026-07-15\r\n");
	assert_received("\r\nX-Empty:\r\n");
	assert_received("\r\nContent-Length: 7\r\n");
	assert_received_bytes("\r\n\r\n{\"a\0b\"}GET /path?x=1 HTTP/1.1\r\n");
	assert_received_bytes("\r\n\r\nDELETE /path");
	assert_received_bytes("\r\nContent-Length: 0\r\n");
	pairs_done(&headers);
	peer_done();
}

#define FORM "\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" /* libcurl's, without a header for it */

static struct answer ask_in_series(struct http_client *c, uint64_t series, const struct pairs *headers,
				   const char *body)
{
	return ask_one(c, &(struct http_request){.method = "POST",
						 .url = peer.url,
						 .headers = headers,
						 .body = mem_str(body),
						 .body_len = strlen(body),
						 .series = series});
}

static void requests_of_a_series_differ_in_the_body_only(void **state)
{
	static const char *const answers[] = {OK_TEXT, RESET, OK_TEXT, OK_TEXT, OK_TEXT, NULL};
	struct http_client *c = http_client_new(NULL);
	struct pairs headers = {0}, other = {0};

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	pairs_add(&headers, "X-Series", "one");
	pairs_add(&other, "X-Series", "two");
	assert_int_equal(ask_in_series(c, 1, &headers, "first").failure, HTTP_OK);
	/* A failure leaves nothing behind. libcurl repeats the request, because the connection was used before. */
	assert_string_equal(ask_in_series(c, 1, &headers, "2nd").error, "");
	assert_int_equal(ask_in_series(c, 2, &other, "of two").failure, HTTP_OK);
	assert_int_equal(ask_in_series(c, 1, &headers, "the third").failure, HTTP_OK);
	http_client_free(c);
	peer_stop();
	assert_received_bytes("X-Series: one\r\nContent-Length: 5" FORM "first");
	assert_received_bytes("X-Series: one\r\nContent-Length: 3" FORM "2nd");
	assert_received_bytes("X-Series: two\r\nContent-Length: 6" FORM "of two");
	assert_received_bytes("X-Series: one\r\nContent-Length: 9" FORM "the third");
	pairs_done(&headers);
	pairs_done(&other);
	peer_done();
}

/* libcurl counts the repeats of a handle, and gives up at the sixth. */
static void a_series_outlives_any_number_of_closed_connections(void **state)
{
	static const char *const answers[] = {OK_TEXT, RESET,   OK_TEXT, RESET,   OK_TEXT, RESET,   OK_TEXT,
					      RESET,   OK_TEXT, RESET,   OK_TEXT, RESET,   OK_TEXT, NULL};
	struct http_client *c = http_client_new(NULL);
	struct pairs headers = {0};

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	for (int i = 0; i < 7; i++)
		assert_int_equal(ask_in_series(c, 1, &headers, "body").failure, HTTP_OK);
	http_client_free(c);
	peer_stop();
	peer_done();
}

static void a_long_body_does_not_wait_for_100(void **state)
{
	static const char *const answers[] = {OK_TEXT, NULL};
	struct http_client *c = http_client_new(NULL);
	size_t len = 3 << 20;
	char *body = mem_new(len, 1);
	struct answer a;

	(void)state;
	memset(body, 'x', len);
	peer_start(answers, "127.0.0.1:0");
	a = ask_one(c, &(struct http_request){.method = "POST", .url = peer.url, .body = body, .body_len = len});
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "ok");
	http_client_free(c);
	peer_stop();
	assert_null(strstr(peer.received.data, "Expect"));
	assert_true(peer.received.len > len);
	peer_done();
}

static void a_fresh_call_has_a_connection_of_its_own(void **state)
{
	static const char *const answers[] = {OK_TEXT, OK_TEXT, OK_TEXT, NULL};
	struct http_client *c = http_client_new(NULL);

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	for (int i = 0; i < 3; i++) {
		struct answer a = ask_one(c, &(struct http_request){.method = "GET", .url = peer.url, .fresh = true});

		assert_int_equal(a.status, 200);
	}
	http_client_free(c);
	peer_stop();
	assert_int_equal(peer.accepted, 3);
	peer_done();
}

static void any_status_is_an_answer(void **state)
{
	struct answer a;

	(void)state;
	a = get_answered(
		"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>no</html>",
		(struct http_request){0});
	assert_int_equal(a.failure, HTTP_OK);
	assert_int_equal(a.status, 403);
	assert_string_equal(a.type, "text/html");
	assert_string_equal(a.body, "<html>no</html>");
	a = get_answered("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			 (struct http_request){0});
	assert_int_equal(a.failure, HTTP_OK);
	assert_int_equal(a.status, 301);
	assert_string_equal(a.type, "");
	a = get_answered("HTTP/1.1 503 Later\r\nConnection: close\r\n\r\nuntil the end", (struct http_request){0});
	assert_int_equal(a.failure, HTTP_OK);
	assert_int_equal(a.status, 503);
	assert_string_equal(a.body, "until the end");
}

static void what_is_no_whole_answer_is_broken(void **state)
{
	static const char *const answers[] = {
		CLOSE,
		RESET,
		"SSH-2.0-OpenSSH\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhe",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct answer a = get_answered(answers[i], (struct http_request){0});

		if (a.failure != HTTP_BROKEN || a.error[0] == '\0')
			fail_msg("case %zu: %d, %s", i, (int)a.failure, a.error);
	}
}

static void an_answer_longer_than_allowed_fails(void **state)
{
	static const char declared[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
	static const char endless[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n01234567890123456789";
	struct answer a;

	(void)state;
	a = get_answered(declared, (struct http_request){.max_answer = 10});
	assert_int_equal(a.failure, HTTP_OK);
	assert_int_equal(a.body_len, 10);
	a = get_answered(declared, (struct http_request){.max_answer = 9});
	assert_int_equal(a.failure, HTTP_TOO_LONG);
	assert_int_equal(a.status, 200);
	assert_true(a.body_len <= 9);
	a = get_answered(endless, (struct http_request){.max_answer = 9});
	assert_int_equal(a.failure, HTTP_TOO_LONG);
	assert_int_not_equal(a.error[0], '\0');
}

static void a_peer_that_never_answers_times_out(void **state)
{
	int64_t before = clock_mono_ms();
	struct answer a;

	(void)state;
	a = get_answered(HANG, (struct http_request){.timeout_ms = 100});
	assert_int_equal(a.failure, HTTP_TIMEOUT);
	assert_int_equal(a.status, 0);
	assert_true(clock_mono_ms() - before >= 99);
	a = get_answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", (struct http_request){.timeout_ms = 100});
	assert_int_equal(a.failure, HTTP_TIMEOUT);
}

static void nobody_listening_is_a_failure_to_connect(void **state)
{
	CLEANUP(mem_freep) char *address = NULL;
	CLEANUP(mem_freep) char *url = NULL;
	struct http_address a;
	int fd;

	(void)state;
	/* Bound but not listening, so that no other process can take the port meanwhile. */
	assert_int_equal(http_address_parse("127.0.0.1:0", &a, NULL), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(fd, &a.socket.any, a.len), errno);
	address = http_address_of_socket(fd);
	url = mem_fmt("http://%s/", address);
	assert_int_equal(get(url, (struct http_request){0}).failure, HTTP_CONNECT);
	assert_int_equal(get("http://localhost/", (struct http_request){.unix_socket = "/nowhere/socket"}).failure,
			 HTTP_CONNECT);
	(void)close(fd);
}

static void what_cannot_be_asked_is_an_error_at_once(void **state)
{
	static const char *const urls[] = {
		"",        "nothing",     "ftp://127.0.0.1/",        "file:///etc/passwd",
		"http://", "http://a b/", "http://127.0.0.1:99999/", "gopher://127.0.0.1/",
	};
	static char bad[][2][16] = {{"X", "a\r\nY: 1"}, {"X\nY", "1"}, {"", "1"}, {"X:", "1"}};
	struct http_client *c = http_client_new(NULL);
	struct answer a = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct http_request request = {.method = "GET", .url = urls[i], .body = mem_str("freed all the same")};

		if (http_client_start(c, &request, on_answer, &a, &e) != -EINVAL)
			fail_msg("taken: %s", urls[i]);
		assert_int_not_equal(e.text[0], '\0');
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pair one = {bad[i][0], bad[i][1]};
		struct pairs headers = {&one, 1};
		struct http_request request = {.method = "GET", .url = "http://127.0.0.1:1/", .headers = &headers};

		assert_int_equal(http_client_start(c, &request, on_answer, &a, &e), -EINVAL);
	}
	assert_int_equal(http_client_running(c), 0);
	assert_int_equal(a.times, 0);
	http_client_free(c);
}

static void the_environments_proxy_is_not_for_plain_http(void **state)
{
	struct answer a;

	(void)state;
	assert_return_code(setenv("http_proxy", "http://127.0.0.1:1", 1), errno);
	assert_return_code(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), errno);
	a = get_answered(OK_TEXT, (struct http_request){0});
	assert_int_equal(a.failure, HTTP_OK);
	assert_return_code(unsetenv("http_proxy"), errno);
	assert_return_code(unsetenv("ALL_PROXY"), errno);
}

static void a_name_that_begins_like_loopback_is_asked_by_the_proxy(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", NULL};
	CLEANUP(mem_freep) char *proxy = NULL;

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	proxy = mem_fmt("http://%s", peer.address);
	assert_return_code(setenv("https_proxy", proxy, 1), errno);
	assert_int_not_equal(get("https://127.evil.example/", (struct http_request){0}).failure, HTTP_OK);
	assert_return_code(unsetenv("https_proxy"), errno);
	peer_stop();
	assert_received("CONNECT 127.evil.example:443 ");
	peer_done();
}

static void an_unix_socket_can_be_asked(void **state)
{
	static const char *const answers[] = {OK_TEXT, NULL};
	char dir[] = "/tmp/test-client-XXXXXX";
	CLEANUP(mem_freep) char *address = NULL;
	struct answer a;

	(void)state;
	assert_non_null(mkdtemp(dir));
	address = mem_fmt("unix:%s/s", dir);
	peer_start(answers, address);
	a = get(peer.url, (struct http_request){.unix_socket = address + 5});
	assert_int_equal(a.status, 200);
	peer_stop();
	peer_done();
	assert_return_code(unlink(address + 5), errno);
	assert_return_code(rmdir(dir), errno);
}

static void freeing_aborts_what_runs(void **state)
{
	static const char *const answers[] = {HANG, NULL};
	struct http_client *c = http_client_new(NULL);
	struct answer a = {0};
	struct answer b = {0};
	struct http_request request = {.method = "GET"};

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	request.url = peer.url;
	assert_int_equal(http_client_start(c, &request, on_answer, &a, NULL), 0);
	assert_int_equal(http_client_start(c, &request, on_answer, &b, NULL), 0);
	http_client_turn(c, 0);
	assert_int_equal(http_client_running(c), 2);
	http_client_free(c);
	http_client_free(NULL);
	assert_int_equal(a.failure, HTTP_ABORTED);
	assert_int_equal(b.failure, HTTP_ABORTED);
	assert_int_equal(a.times + b.times, 2);
	peer_stop();
	peer_done();
}

static void *wake(void *arg)
{
	http_client_wake(arg);
	return NULL;
}

static void a_wake_ends_the_turn_that_waits_or_the_next(void **state)
{
	struct http_client *c = http_client_new(NULL);
	pthread_t t;

	(void)state;
	thread_start(&t, "wake", wake, c);
	http_client_turn(c, CLOCK_NEVER_MS);
	thread_join(t);
	http_client_wake(c);
	http_client_turn(c, CLOCK_NEVER_MS);
	http_client_free(c);
}

static void a_turn_without_work_ends_at_its_time(void **state)
{
	struct http_client *c = http_client_new(NULL);
	int64_t until = clock_mono_ms() + 30;

	(void)state;
	while (clock_mono_ms() < until)
		http_client_turn(c, until);
	http_client_turn(c, INT64_MIN);
	http_client_free(c);
}

static void fetching_is_one_call(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 100 Continue\r\nX-Not: this\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok",
		NULL};
	struct http_request request = {.method = "GET"};
	struct http_response response;
	struct err e;

	(void)state;
	peer_start(answers, "127.0.0.1:0");
	request.url = peer.url;
	assert_int_equal(http_fetch(&request, "test/1", &response, &e), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.type, "a/b");
	assert_string_equal(response.body.data, "ok");
	assert_string_equal(pairs_get(&response.headers, "X-a"), "1");
	assert_int_equal(response.headers.n, 4);
	assert_true(response.took_us > 0);
	http_response_done(&response);
	request.url = "nowhere://";
	assert_int_equal(http_fetch(&request, "test/1", &response, &e), -EINVAL);
	peer_stop();
	peer_done();
}

/* ---- many transfers at once -------------------------------------------------------------------------------------- */

#define MANY 40

static int let_in(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	(void)x;
	return 0;
}

/* Keeps each exchange until all have arrived: none is answered unless the client really runs them at once. */
static void keep_until_all(void *ctx, struct http_exchange *x)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct http_exchange *kept[MANY];
	static unsigned n;

	(void)ctx;
	http_suspend(x);
	(void)pthread_mutex_lock(&lock);
	kept[n++] = x;
	for (unsigned i = 0; n == MANY && i < n; i++)
		http_resume(kept[i],
			    &(struct http_answer){.status = 202, .body = kept[i]->body, .body_len = kept[i]->body_len});
	(void)pthread_mutex_unlock(&lock);
}

struct again {
	struct http_client *client;
	const char *url;
	unsigned ok, left;
};

/* Starts the next transfer from inside done(). */
static void on_one_of_many(void *ctx, const struct http_response *response)
{
	struct again *again = ctx;
	struct http_request request = {.method = "GET", .url = again->url};

	again->ok += response->failure == HTTP_OK && (response->status == 202 || response->status == 404);
	if (again->left == 0)
		return;
	again->left--;
	assert_int_equal(http_client_start(again->client, &request, on_one_of_many, again, NULL), 0);
}

static int refuse_get(void *ctx, struct http_exchange *x)
{
	if (strcmp(x->method, "GET") != 0)
		return let_in(ctx, x);
	http_answer(x, &(struct http_answer){.status = 404});
	return 1;
}

/* Unlike the peer, the server answers a ClientHello: with an error in plain text. */
static void a_peer_without_tls_is_a_tls_failure(void **state)
{
	const struct http_handler handler = {.begin = refuse_get, .complete = keep_until_all};
	const struct http_server_options options = {
		.address = "127.0.0.1:0", .threads = 2, .max_connections = 8, .timeout_ms = 1000};
	CLEANUP(mem_freep) char *url = NULL;
	struct http_server *s;
	struct err e;

	(void)state;
	if (http_server_start(&options, &handler, &s, &e) != 0)
		fail_msg("%s", e.text);
	url = mem_fmt("https://%s/", http_server_address(s));
	assert_int_equal(get(url, (struct http_request){0}).failure, HTTP_TLS);
	http_server_stop(s);
}

static void a_failure_of_tls_tells_what_mends_it(void **state)
{
	static const struct {
		enum http_failure failure;
		const char *remedy; /* NULL: none */
	} table[] = {
		{HTTP_TLS, "the port speaks no TLS"},
		{HTTP_ISSUER, "name it"},
		{HTTP_EXPIRED, "clock"},
		{HTTP_OTHER_HOST, "other hosts"},
		{HTTP_CERTIFICATE, NULL},
		{HTTP_CONNECT, NULL},
		{HTTP_BROKEN, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct http_response response = {.failure = table[i].failure};
		char why[HTTP_WHY_MAX];

		memset(response.error, 'e', sizeof(response.error) - 1); /* the longest text of libcurl */
		assert_ptr_equal(http_why(&response, "name it", why), why);
		assert_int_equal(strspn(why, "e"), sizeof(response.error) - 1);
		assert_int_equal(http_why_has_remedy(table[i].failure), table[i].remedy != NULL);
		if (table[i].remedy)
			assert_true(strstr(why, table[i].remedy) && why[strlen(why) - 1] == ')');
		else
			assert_string_equal(why, response.error);
	}
}

static void many_run_at_once_and_done_may_start_more(void **state)
{
	const struct http_handler handler = {.begin = refuse_get, .complete = keep_until_all};
	const struct http_server_options options = {.address = "127.0.0.1:0",
						    .threads = 2,
						    .max_connections = 2 * MANY,
						    .max_body = 100,
						    .timeout_ms = PATIENCE_MS};
	struct http_client *c = http_client_new(NULL);
	CLEANUP(mem_freep) char *url = NULL;
	struct again again = {.client = c, .left = 100};
	struct http_server *s;
	struct err e;

	(void)state;
	if (http_server_start(&options, &handler, &s, &e) != 0)
		fail_msg("%s", e.text);
	url = mem_fmt("http://%s/", http_server_address(s));
	again.url = url;
	for (unsigned i = 0; i < MANY; i++) {
		struct http_request request = {.method = "POST", .url = url, .body = mem_fmt("%02u", i), .body_len = 2};

		assert_int_equal(http_client_start(c, &request, on_one_of_many, &again, &e), 0);
	}
	turn_until_idle(c);
	assert_int_equal(again.ok, MANY + 100);
	http_client_free(c);
	http_server_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_goes_out_as_asked),
		cmocka_unit_test(requests_of_a_series_differ_in_the_body_only),
		cmocka_unit_test(a_series_outlives_any_number_of_closed_connections),
		cmocka_unit_test(a_long_body_does_not_wait_for_100),
		cmocka_unit_test(a_fresh_call_has_a_connection_of_its_own),
		cmocka_unit_test(any_status_is_an_answer),
		cmocka_unit_test(what_is_no_whole_answer_is_broken),
		cmocka_unit_test(an_answer_longer_than_allowed_fails),
		cmocka_unit_test(a_peer_that_never_answers_times_out),
		cmocka_unit_test(nobody_listening_is_a_failure_to_connect),
		cmocka_unit_test(a_peer_without_tls_is_a_tls_failure),
		cmocka_unit_test(a_failure_of_tls_tells_what_mends_it),
		cmocka_unit_test(what_cannot_be_asked_is_an_error_at_once),
		cmocka_unit_test(the_environments_proxy_is_not_for_plain_http),
		cmocka_unit_test(a_name_that_begins_like_loopback_is_asked_by_the_proxy),
		cmocka_unit_test(an_unix_socket_can_be_asked),
		cmocka_unit_test(freeing_aborts_what_runs),
		cmocka_unit_test(a_wake_ends_the_turn_that_waits_or_the_next),
		cmocka_unit_test(a_turn_without_work_ends_at_its_time),
		cmocka_unit_test(fetching_is_one_call),
		cmocka_unit_test(many_run_at_once_and_done_may_start_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

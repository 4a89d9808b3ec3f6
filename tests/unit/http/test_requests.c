/* SPDX-License-Identifier: MIT */
/*
 * Tests request lines and headers, byte by byte, against the server: the answers, what the handler sees, and that a
 * failed request leaves no memory allocated.
 */
#include <config.h>

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

#include "base/buf.h"
#include "fixtures/dial.h"
#include "http/address.h"
#include "http/server.h"

#define PATIENCE_S 20

static struct http_server *server;

/* ---- the handler ------------------------------------------------------------------------------------------------- */

/* The server gives it to each exchange, zeroed. */
struct user_state {
	const char *path;
	double odd[7];
};

static int on_begin(void *ctx, struct http_exchange *x)
{
	static const struct user_state zero;
	struct user_state *user = x->user;

	(void)ctx;
	assert_memory_equal(user, &zero, sizeof(zero));
	memset(user->odd, 0xff, sizeof(user->odd));
	user->path = x->path;
	return 0;
}

/* Answers with as many bytes as the query says. */
static void answer_sized(struct http_exchange *x)
{
	size_t len = (size_t)atoi(x->query);
	char body[1000];

	assert_true(len <= sizeof(body));
	memset(body, 'b', len);
	http_answer(x, &(struct http_answer){.status = 200, .body = body, .body_len = len, .close = true});
	memset(body, 'x', len); /* the server has a copy */
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	const char *value = http_header(x, strcmp(x->path, "/host") == 0 ? "Host" : "X");
	const struct user_state *user = x->user;
	struct buf b;

	(void)ctx;
	assert_ptr_equal(user->path, x->path);
	if (strcmp(x->path, "/sized") == 0) {
		answer_sized(x);
		return;
	}
	buf_init(&b, 65536);
	buf_addf(&b, "%s [%s] [%s] [%s] [%s]\n", x->method, x->path, x->query, value ? value : "", x->body);
	http_answer(x, &(struct http_answer){.status = 200,
					     .type = "text/plain",
					     .body = b.data,
					     .body_len = b.len,
					     .close = strcmp(x->query, "more") != 0});
	buf_done(&b);
}

static int start(void **state)
{
	const struct http_handler handler = {
		.begin = on_begin, .complete = on_complete, .user_bytes = sizeof(struct user_state)};
	const struct http_server_options options = {
		.address = "127.0.0.1:0",
		.threads = 2,
		.max_connections = 64,
		.max_body = 4096,
		.timeout_ms = 10000,
		.error_member = "status",
	};
	struct err e = {0};

	(void)state;
	if (http_server_start(&options, &handler, &server, &e) != 0)
		fail_msg("%s", e.text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_server_stop(server);
	return 0;
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

static int connect_listener(void)
{
	return dial_to(http_server_address(server), PATIENCE_S);
}

/* Sends a request, at_a_time bytes at once. Returns everything that comes back until the other side closes or resets
 * the connection. */
static const char *exchange_by(const char *request, size_t len, size_t at_a_time)
{
	int fd = connect_listener();
	int on = 1;
	size_t got = 0;
	static char text[1 << 16];
	ssize_t n;

	assert_return_code(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), errno);
	for (size_t i = 0; i < len; i += at_a_time)
		if (send(fd, request + i, len - i < at_a_time ? len - i : at_a_time, MSG_NOSIGNAL) < 0)
			break;
	while ((n = recv(fd, text + got, sizeof(text) - got - 1, 0)) > 0)
		got += (size_t)n;
	assert_true(n == 0 || errno == ECONNRESET);
	text[got] = '\0';
	(void)close(fd);
	return text;
}

static const char *exchange(const char *request, size_t len)
{
	return exchange_by(request, len, len);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

#define HOST "Host: h\r\n"
#define OK(path, query, x) "\r\n\r\nGET [" path "] [" query "] [" x "] []\n"

struct row {
	const char *request;
	size_t len;
	const char *answer; /* its end; NULL: 400, or no answer where libmicrohttpd closes the connection */
};

#define ROW(text, answer)                          \
	{                                          \
		(text), sizeof(text) - 1, (answer) \
	}

static void assert_row(const struct row *r, const char *found)
{
	size_t len = strlen(found);
	size_t end = r->answer ? strlen(r->answer) : 0;
	bool good;

	if (r->answer)
		good = strncmp(found, "HTTP/1.1 200 ", 13) == 0 && len >= end &&
		       strcmp(found + len - end, r->answer) == 0;
	else
		good = found[0] == '\0' || strncmp(found, "HTTP/1.1 400 ", 13) == 0;
	if (!good)
		fail_msg("to %.100s (%zu bytes)\ncame: %.300s", r->request, r->len, found);
}

static void assert_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_row(&rows[i], exchange(rows[i].request, rows[i].len));
		assert_row(&rows[i], exchange_by(rows[i].request, rows[i].len, 1));
	}
}

#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof(*(rows)))

static const struct row targets[] = {
	ROW("GET /a HTTP/1.1\r\n" HOST "\r\n", OK("/a", "", "")),
	ROW("GET /a?b=c?d HTTP/1.1\r\n" HOST "\r\n", OK("/a", "b=c?d", "")),
	ROW("GET /a? HTTP/1.1\r\n" HOST "\r\n", OK("/a", "", "")),
	ROW("GET //h/a HTTP/1.1\r\n" HOST "\r\n", OK("//h/a", "", "")),
	ROW("GET /http://h/a HTTP/1.1\r\n" HOST "\r\n", OK("/http://h/a", "", "")),
	ROW("GET /a%00b?c%00=%0a HTTP/1.1\r\n" HOST "\r\n", OK("/a%00b", "c%00=%0a", "")),
	ROW("GET /\xc3\xa9?\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", OK("/\xc3\xa9", "\xc3\xa9", "")),
	ROW("GET /a HTTP/1.0\r\n\r\n", OK("/a", "", "")),
	/* The absolute form. */
	ROW("GET http://h/a?b HTTP/1.1\r\n" HOST "\r\n", OK("/a", "b", "")),
	ROW("GET http://other.example:8085/a HTTP/1.1\r\n" HOST "\r\n", OK("/a", "", "")),
	ROW("GET HTTPS://[2001:db8::1]:443/a HTTP/1.1\r\n" HOST "\r\n", OK("/a", "", "")),
	ROW("GET /host HTTP/1.1\r\n" HOST "\r\n", OK("/host", "", "h")),
	ROW("GET http://other.example:80/host?b HTTP/1.1\r\n" HOST "\r\n", OK("/host", "b", "other.example:80")),
	ROW("GET http://h HTTP/1.1\r\n" HOST "\r\n", OK("/", "", "")),
	ROW("GET http://h?b=/c HTTP/1.1\r\n" HOST "\r\n", OK("/", "b=/c", "")),
	ROW("GET http://h/ HTTP/1.1\r\n" HOST "\r\n", OK("/", "", "")),
	ROW("GET http://h/http://h/a HTTP/1.1\r\n" HOST "\r\n", OK("/http://h/a", "", "")),
	ROW("GET http:///a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET http://:80/a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET http://user@h/a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET http://h\\a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET http:/a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET ftp://h/a HTTP/1.1\r\n" HOST "\r\n", NULL),
	/* The asterisk form and the authority form. */
	ROW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "\r\n\r\nOPTIONS [*] [] [] []\n"),
	ROW("GET * HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET ?a HTTP/1.1\r\n" HOST "\r\n", NULL),
	/* Control characters, and text after them that looks like the rest of the line. */
	ROW("GET /a\0b HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\0 HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\0HTTP/1.1 HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a?b\0c=d HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET\0X /a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET \0 HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a HTTP/1.1\0\r\n" HOST "\r\n", NULL),
	ROW("GET /a\001b HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\177b HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\tb HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\vb HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a\rb HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a?\033[31m HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a b HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET  /a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("G\033T /a HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a HTTP/1.1\n" HOST "\r\n", NULL),
};

static void a_request_target_is_taken_apart_or_refused(void **state)
{
	(void)state;
	ASSERT_ROWS(targets);
}

#define GET "GET /a HTTP/1.1\r\n" HOST

static const struct row headers[] = {
	ROW(GET "X: b\r\n\r\n", OK("/a", "", "b")),
	ROW(GET "X:b\r\n\r\n", OK("/a", "", "b")),
	ROW(GET "X: \t b \t \r\n\r\n", OK("/a", "", "b")),
	ROW(GET "X:  \t\r\n\r\n", OK("/a", "", "")),
	ROW(GET "X:\r\n\r\n", OK("/a", "", "")),
	ROW(GET "X: b \t c\r\n\r\n", OK("/a", "", "b \t c")),
	ROW(GET "X: b\xc3\xa9\xff\r\n\r\n", OK("/a", "", "b\xc3\xa9\xff")),
	ROW(GET "X: b\r\nx: c\r\n\r\n", OK("/a", "", "b")),
	ROW(GET "Cookie: a=b; c=d\r\nX: b\r\n\r\n", OK("/a", "", "b")),
	ROW("GET /a HTTP/1.0\r\nX: b\r\n\r\n", OK("/a", "", "b")),
	ROW("\r\n" GET "X: b\r\n\r\n", OK("/a", "", "b")),
	/* NUL in every place. */
	ROW(GET "X: b\0c\r\n\r\n", NULL),
	ROW(GET "X: b\0\r\n\r\n", NULL),
	ROW(GET "X: \0b\r\n\r\n", NULL),
	ROW(GET "X:\0: b\r\n\r\n", NULL),
	ROW(GET "X\0Y: b\r\n\r\n", NULL),
	ROW(GET "\0X: b\r\n\r\n", NULL),
	ROW(GET "\0\r\n", NULL),
	ROW(GET "X: b\r\n\0\r\n", NULL),
	ROW(GET "X: b\r\n\0GET /c HTTP/1.1\r\n" HOST "\r\n", NULL),
	ROW("GET /a HTTP/1.1\r\nX: b\0\r\n" HOST "\r\n", NULL),
	/* Other control characters. */
	ROW(GET "X: b\001c\r\n\r\n", NULL),
	ROW(GET "X: \033[31m\r\n\r\n", NULL),
	ROW(GET "X: b\177\r\n\r\n", NULL),
	ROW(GET "X: b\rY: c\r\n\r\n", NULL),
	ROW(GET "X: b\v\r\n\r\n", NULL),
	/* Names, lines. */
	ROW(GET "X : b\r\n\r\n", NULL),
	ROW(GET "X\t: b\r\n\r\n", NULL),
	ROW(GET ": b\r\n\r\n", NULL),
	ROW(GET "X(Y): b\r\n\r\n", NULL),
	ROW(GET "X\xc3\xa9: b\r\n\r\n", NULL),
	ROW(GET "X b\r\n\r\n", NULL),
	ROW(GET "X: b\nY: c\r\n\r\n", NULL),
	ROW(GET "X: b\r\n\n", NULL),
	ROW(GET "X: b\r\n c\r\n\r\n", NULL),
	ROW(GET "X: b\r\n\tc\r\nY: d\r\n\r\n", NULL),
	ROW("GET /a HTTP/1.1\r\n X: b\r\n" HOST "\r\n", NULL),
	ROW(GET HOST "\r\n", NULL),
	ROW("GET /a HTTP/1.1\r\n\r\n", NULL),
	ROW("GET /a HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NULL),
	ROW(GET "Transfer-Encoding: chunked\0\r\n\r\n", NULL),
};

static void a_headers_value_is_trimmed_and_what_is_none_is_refused(void **state)
{
	(void)state;
	ASSERT_ROWS(headers);
}

/* The headers become longer than libmicrohttpd's first read. */
static void many_headers_are_taken_however_they_come(void **state)
{
	enum {
		LINES = 40
	};
	struct row row = {.answer = "\r\n\r\nPOST [/a] [b=c] [last] [hello]\n"};
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_adds(&b, "POST /a?b=c HTTP/1.1\r\n" HOST "Content-Length: 5\r\nCookie: d=e\r\n");
	for (int i = 0; i < LINES; i++)
		buf_addf(&b, "Y-%d: %0300d  \r\n", i, i);
	buf_adds(&b, "X: last\r\n\r\nhello");
	row.request = b.data;
	row.len = b.len;
	for (size_t by = 1; by < b.len; by = by * 7 + 1)
		assert_row(&row, exchange_by(b.data, b.len, by));
	assert_row(&row, exchange(b.data, b.len));
	buf_done(&b);
}

/* Sends several requests one after the other; the last one may be malformed. */
static void each_request_of_a_connection_is_judged_by_itself(void **state)
{
	static const char good[] = "POST http://h/a?more HTTP/1.1\r\n" HOST "X: b \r\nContent-Length: 3\r\n\r\nabc";
	static const char bad[] = "GET /a\0b HTTP/1.1\r\n" HOST "\r\n";
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	for (int i = 0; i < 100; i++)
		buf_add(&b, good, sizeof(good) - 1);
	buf_add(&b, bad, sizeof(bad) - 1);
	for (size_t by = 1; by < b.len; by = by * 11 + 1) {
		const char *at = exchange_by(b.data, b.len, by);
		int answered = 0;

		while ((at = strstr(at, "\r\n\r\nPOST [/a] [more] [b] [abc]\n")) && answered++ < 100)
			at++;
		assert_int_equal(answered, 100);
	}
	buf_done(&b);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t number_behind(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	return at ? (size_t)strtoull(at + strlen(label), NULL, 10) : 0;
}

/* Returns the bytes that are allocated in all arenas. The last totals of malloc_info() are those of the whole
 * process. */
static size_t heap_in_use(void)
{
	size_t size;
	CLEANUP(mem_freep) char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	const char *totals;
	const char *fast;
	const char *rest;
	const char *mapped;
	const char *all;

	assert_non_null(f);
	assert_int_equal(malloc_info(0, f), 0);
	assert_int_equal(fclose(f), 0);
	totals = strstr(text, "</heap>");
	for (const char *next = totals; next; next = strstr(next + 1, "</heap>"))
		totals = next;
	assert_non_null(totals);
	fast = strstr(totals, "type=\"fast\"");
	rest = strstr(totals, "type=\"rest\"");
	mapped = strstr(totals, "type=\"mmap\"");
	all = strstr(totals, "type=\"current\"");
	assert_true(fast && rest && mapped && all);
	return number_behind(all, "size=\"") + number_behind(mapped, "size=\"") - number_behind(fast, "size=\"") -
	       number_behind(rest, "size=\"");
}

/* libmicrohttpd gives up between the request line and the handler where the parameters need more memory than it has. */
static void request_lines_with_thousands_of_parameters_leave_no_memory_behind(void **state)
{
	enum {
		WARM_UP = 50,
		REQUESTS = 1000,
		LENGTH = 12000
	};
	static char request[LENGTH + 100];
	size_t before = 0;
	size_t after;
	int n;

	(void)state;
	n = snprintf(request, sizeof(request), "POST /webhooks/x?");
	while (n < LENGTH)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "a&");
	n += snprintf(request + n, sizeof(request) - (size_t)n, " HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < WARM_UP + REQUESTS; i++) {
		if (i == WARM_UP)
			before = heap_in_use();
		assert_null(strstr(exchange(request, (size_t)n), " 200 "));
	}
	after = heap_in_use();
	if (after > before + 1024 * 1024)
		fail_msg("%zu bytes in use before, %zu after", before, after);
}

/* A short body of an answer stands in the exchange, a longer one in the library's copy. */
static void an_answer_of_any_size_is_whole(void **state)
{
	static const int sizes[] = {0, 1, 127, 128, 129, 999};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CLEANUP(mem_freep)
		char *request = mem_fmt("GET /sized?%d HTTP/1.1\r\nHost: h\r\n\r\n", sizes[i]);
		const char *found = exchange(request, strlen(request));
		const char *body = strstr(found, "\r\n\r\n");

		assert_non_null(body);
		assert_int_equal(strlen(body + 4), sizes[i]);
		assert_int_equal(strspn(body + 4, "b"), sizes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_of_any_size_is_whole),
		cmocka_unit_test(a_request_target_is_taken_apart_or_refused),
		cmocka_unit_test(a_headers_value_is_trimmed_and_what_is_none_is_refused),
		cmocka_unit_test(many_headers_are_taken_however_they_come),
		cmocka_unit_test(each_request_of_a_connection_is_judged_by_itself),
		cmocka_unit_test(request_lines_with_thousands_of_parameters_leave_no_memory_behind),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

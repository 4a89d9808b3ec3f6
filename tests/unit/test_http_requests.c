/*
 * Request lines and headers, byte by byte, against the server: what is answered, what the handler sees, and that
 * nothing of a request that failed is left in memory.
 */
#include <config.h>

#include <errno.h>
#include <malloc.h>
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
#include "http/address.h"
#include "http/server.h"

#define PATIENCE_S 20

static struct http_server *server;

/* ---- the owner --------------------------------------------------------------------------------------------------- */

static int on_begin(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	(void)x;
	return 0;
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct buf b;

	(void)ctx;
	buf_init(&b, 65536);
	buf_addf(&b, "%s [%s] [%s]", x->method, x->path, x->query);
	http_answer(x, &(struct http_answer){
			       .status = 200, .type = "text/plain", .body = b.data, .body_len = b.len, .close = true});
	buf_done(&b);
}

static int start(void **state)
{
	const struct http_handler handler = {.begin = on_begin, .complete = on_complete};
	const struct http_server_options options = {
		.address = "127.0.0.1:0",
		.listen_fd = -1,
		.threads = 2,
		.max_connections = 64,
		.max_body = 4096,
		.timeout_ms = 10000,
		.error_type = "application/json",
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

static int dial(void)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct http_address a;
	int fd;

	assert_int_equal(http_address_parse(http_server_address(server), &a, NULL), 0);
	fd = socket(a.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), errno);
	assert_return_code(connect(fd, &a.socket.any, a.len), errno);
	return fd;
}

/* Sends bytes; gives all that comes back until the other side closes or resets the connection. */
static const char *ask(const char *request, size_t len)
{
	static char text[1 << 16];
	int fd = dial();
	size_t got = 0;
	ssize_t n;

	(void)!send(fd, request, len, MSG_NOSIGNAL);
	while ((n = recv(fd, text + got, sizeof(text) - got - 1, 0)) > 0)
		got += (size_t)n;
	assert_true(n == 0 || errno == ECONNRESET);
	text[got] = '\0';
	(void)close(fd);
	return text;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t number_behind(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	return at ? (size_t)strtoull(at + strlen(label), NULL, 10) : 0;
}

/* Bytes that are allocated, in all arenas. The last totals of malloc_info are those of the whole process. */
static size_t heap_in_use(void)
{
	CLEANUP(mem_freep) char *text = NULL;
	const char *totals;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(malloc_info(0, f), 0);
	assert_int_equal(fclose(f), 0);
	totals = strstr(text, "</heap>");
	for (const char *next = totals; next; next = strstr(next + 1, "</heap>"))
		totals = next;
	assert_non_null(totals);
	const char *fast = strstr(totals, "type=\"fast\""), *rest = strstr(totals, "type=\"rest\"");
	const char *mapped = strstr(totals, "type=\"mmap\""), *all = strstr(totals, "type=\"current\"");
	assert_true(fast && rest && mapped && all);
	return number_behind(all, "size=\"") + number_behind(mapped, "size=\"") - number_behind(fast, "size=\"") -
	       number_behind(rest, "size=\"");
}

/* libmicrohttpd gives up between the request line and the handler where the parameters overflow its memory. */
static void request_lines_with_thousands_of_parameters_leave_no_memory_behind(void **state)
{
	enum {
		WARM_UP = 50,
		REQUESTS = 1000,
		LENGTH = 28000
	};
	static char request[LENGTH + 100];
	size_t before = 0, after;
	int n;

	(void)state;
	n = snprintf(request, sizeof(request), "POST /webhooks/x?");
	while (n < LENGTH)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "a&");
	n += snprintf(request + n, sizeof(request) - (size_t)n, " HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < WARM_UP + REQUESTS; i++) {
		if (i == WARM_UP)
			before = heap_in_use();
		assert_null(strstr(ask(request, (size_t)n), " 200 "));
	}
	after = heap_in_use();
	if (after > before + 1024 * 1024)
		fail_msg("%zu bytes in use before, %zu after", before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_lines_with_thousands_of_parameters_leave_no_memory_behind),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

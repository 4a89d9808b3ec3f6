/* SPDX-License-Identifier: MIT */
/*
 * The pool's threads run all of this file except http_resume(), http_resume_cut() and http_wake(). An exchange belongs
 * to one thread of the pool, so its state needs no lock. While it is suspended, that thread does not touch it; the
 * thread that has it may set the answer, and resumes. MHD_resume_connection() passes it back: afterwards the exchange
 * may be freed at any moment.
 *
 * An answer is always given to libmicrohttpd on its own thread inside the handler, never on the thread that resumes,
 * because queueing runs the connection's state machine in the caller.
 *
 * Nothing here outlives the process: a helpdesk repeats a request that was not answered.
 */
#include <config.h>

#include "http/exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/text.h"
#include "http/address.h"

/* ---- connections ------------------------------------------------------------------------------------------------- */

/*
 * The data behind libmicrohttpd's socket context. It owns the exchange, because libmicrohttpd may give up a request
 * without a notice between its request line and the handler; 0.9.75 does so where the parameters of a request line need
 * more memory than it has. The end of a connection is always reported.
 */
struct conn_context {
	struct conn *conn;
	struct exchange *exchange; /* NULL between two requests */
};

static struct conn_context *conn_context_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	INSIST(info && info->socket_context);
	return info->socket_context;
}

/* Ends the exchange: the request is answered, or was given up. NULL allowed. */
static void exchange_end(struct exchange *e)
{
	struct http_server *s;

	if (!e)
		return;
	INSIST(e->magic == EXCHANGE_MAGIC);
	s = e->server;
	if (e->begun && s->handler.done)
		s->handler.done(s->handler.ctx, &e->x);
	if (e->response)
		MHD_destroy_response(e->response);
	buf_done(&e->body);
	free(e->headers.items);
	buf_done(&e->early);
	free(e->peer);
	if (e->was_suspended)
		atomic_fetch_sub(&s->suspended, 1);
	e->magic = 0;
	free(e);
}

static struct conn *open_conn(struct http_server *s, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;
	bool is_ip, counted;
	struct ip ip;
	int fd;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	INSIST(info);
	fd = info->connect_fd;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	is_ip = info && ip_of_socket(info->client_addr, &ip);
	counted = is_ip && !ip_is_loopback(&ip);
	for (size_t i = 0; counted && i < s->uncounted_n; i++)
		counted = !ip_is_in(&ip, &s->uncounted[i]);
	return conn_opened(s->conn_limits, fd, is_ip ? &ip : NULL, counted);
}

void http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			enum MHD_ConnectionNotificationCode toe)
{
	struct http_server *s = cls;
	struct conn_context *con;

	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		con = mem_new(1, sizeof(*con));
		con->conn = open_conn(s, connection);
		*socket_context = con;
	} else {
		con = *socket_context;
		*socket_context = NULL;
		exchange_end(con->exchange);
		conn_closed(con->conn);
		free(con);
	}
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

/* Asks the owner for memory for that many bytes. False: the owner has answered. */
static bool reserve(struct exchange *e, size_t bytes)
{
	const struct http_handler *h = &e->server->handler;

	if (!h->reserve || h->reserve(h->ctx, &e->x, bytes) == 0)
		return true;
	INSIST(exchange_is_answered(e));
	return false;
}

/* Returns NULL, or why the end of the body is doubtful: two servers could read two different requests. */
static const char *framing_error(struct exchange *e, const char *version)
{
	unsigned encodings = http_header_count(&e->x, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	unsigned lengths = http_header_count(&e->x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	/* As libmicrohttpd reads it: for 0.9.75 "chunked" with a blank after it is another encoding. */
	const char *encoding =
		MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);

	if (http_header_count(&e->x, MHD_HTTP_HEADER_HOST) > 1)
		return "more than one Host";
	if (lengths > 1)
		return "more than one Content-Length";
	if (encodings > 0 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
		return "Transfer-Encoding in HTTP/1.0"; /* not defined there: RFC 9112, 6.1 */
	if (encodings > 0 && lengths > 0)
		return "Content-Length together with Transfer-Encoding";
	if (encodings > 1 || (encodings > 0 && !text_same(encoding, "chunked")))
		return "unknown Transfer-Encoding";
	return NULL;
}

/* libmicrohttpd has checked that it is a number. SIZE_MAX: too many digits, so longer than any limit. */
static size_t declared_length(const char *length)
{
	uint64_t value = 0;

	length += strspn(length, " \t");
	if (text_digits(length, strspn(length, "0123456789"), SIZE_MAX, &value) == -ERANGE)
		return SIZE_MAX;
	return (size_t)value;
}

/* Checks the request line and the headers, and stores them. Returns NULL, or what is wrong with them. */
static const char *exchange_head(struct exchange *e, const char *method, const char *version)
{
	const struct request_line line = {
		.method = method,
		.target = e->target_seen,
		.target_len = strlen(e->target),
		.version = version,
	};
	const char *wrong = head_take(e->connection, &line, &e->headers);
	struct request_target target;

	if (!wrong)
		wrong = head_target(e->target, method, &target);
	if (wrong)
		return wrong;
	e->x.method = method;
	e->x.path = target.path;
	e->x.query = target.query;
	for (size_t i = 0; target.host && i < e->headers.n; i++) /* it replaces Host: RFC 9112, 3.2.2 */
		if (text_same(e->headers.items[i].name, MHD_HTTP_HEADER_HOST))
			e->headers.items[i].value = target.host;
	return framing_error(e, version);
}

/* Answers with an error of the server itself, before the owner or instead of it. what: static text. */
static void exchange_refuse(struct exchange *e, unsigned status, const char *what, const char *advice)
{
	const struct http_handler *h = &e->server->handler;
	CLEANUP(mem_freep) char *text = advice ? mem_fmt("%s: %s", what, advice) : NULL;

	if (status == MHD_HTTP_BAD_REQUEST && e->server->malformed)
		exchange_set_answer(e, e->server->malformed);
	else
		exchange_set_error(e, status, text ? text : what);
	if (h->refused)
		h->refused(h->ctx, &e->x, status, what);
}

static enum MHD_Result exchange_begin(struct exchange *e, const char *method, const char *version)
{
	const struct http_handler *h = &e->server->handler;
	CLEANUP(mem_freep) char *expected = NULL;
	const char *length;
	const char *wrong;
	size_t declared;

	e->x.method = method;
	e->x.received_ms = clock_now_ms();
	e->x.received_mono_ms = clock_mono_ms();
	wrong = exchange_head(e, method, version);
	length = http_header(&e->x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	declared = length ? declared_length(length) : 0;
	e->has_body = wrong || http_header(&e->x, MHD_HTTP_HEADER_TRANSFER_ENCODING) || declared > 0;
	e->expects_continue = http_header(&e->x, MHD_HTTP_HEADER_EXPECT);
	if (!conn_headers_complete(e->conn)) {
		exchange_refuse(e, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections", NULL);
		return exchange_answer_early(e);
	}
	if (wrong) {
		log_debug(NULL, "a request is refused: %s", wrong);
		exchange_refuse(e, MHD_HTTP_BAD_REQUEST, wrong, NULL);
		return exchange_answer_early(e);
	}
	/* A client with another expectation would wait without end. */
	expected = http_header_list(&e->x, MHD_HTTP_HEADER_EXPECT);
	if (expected && expected[0] != '\0' && !text_same(expected, "100-continue")) {
		exchange_refuse(e, MHD_HTTP_EXPECTATION_FAILED, "unknown expectation",
				"send the request without Expect");
		return exchange_answer_early(e);
	}
	if (declared > e->server->max_body) {
		exchange_refuse(e, MHD_HTTP_CONTENT_TOO_LARGE, "too long", NULL);
		return exchange_answer_early(e);
	}

	e->begun = true;
	if (h->begin(h->ctx, &e->x) != 0) {
		INSIST(exchange_is_answered(e));
		return exchange_answer_early(e);
	}
	INSIST(!exchange_is_answered(e));
	if (declared > 0 && !reserve(e, declared))
		return exchange_answer_early(e);
	e->has_reserved = declared > 0;
	buf_init(&e->body, declared > 0 ? declared : e->server->max_body);
	e->state = EXCHANGE_BODY;
	return MHD_YES;
}

/* True where a chunked body may grow by n bytes. False: the request is answered. */
static bool reserve_growth(struct exchange *e, size_t n)
{
	size_t alloc = buf_alloc_after(&e->body, n);

	if (n > e->server->max_body - e->body.len) {
		exchange_refuse(e, MHD_HTTP_CONTENT_TOO_LARGE, "too long", NULL);
		return false;
	}
	return alloc == e->body.alloc || reserve(e, alloc - 1);
}

/* MHD_NO closes the connection. */
static enum MHD_Result exchange_piece(struct exchange *e, const char *bytes, size_t *n)
{
	const struct http_handler *h = &e->server->handler;
	size_t left = *n;

	*n = 0;
	if (e->state == EXCHANGE_DISCARD) {
		if (left > e->discard_left)
			return MHD_NO;
		e->discard_left -= left;
		return MHD_YES;
	}
	if (!e->has_reserved && !reserve_growth(e, left)) {
		buf_done(&e->body);
		e->x.body = NULL;
		e->x.body_len = 0;
		if (h->reserve)
			INSIST(h->reserve(h->ctx, &e->x, 0) == 0);
		return exchange_answer_early(e);
	}
	if (e->has_reserved)
		buf_reserve(&e->body, e->body.cap); /* once, without growing */
	buf_add(&e->body, bytes, left);
	return e->body.error == 0 ? MHD_YES : MHD_NO;
}

/* The exchange was resumed. */
static enum MHD_Result exchange_resumed(struct exchange *e)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	/* Disconnecting the socket sends a reset at once, before libmicrohttpd can close it in order. */
	if (e->cut && e->reset)
		(void)connect(exchange_socket(e), &nobody, sizeof(nobody));
	if (e->cut)
		return MHD_NO;
	if (!e->response) {
		e->state = EXCHANGE_COMPLETING;
		e->server->handler.woken(e->server->handler.ctx, &e->x);
		INSIST(e->response);
	}
	return exchange_queue_answer(e);
}

static enum MHD_Result exchange_complete(struct exchange *e)
{
	/* The connection was dropped while its last bytes were on their way: an answer could not be sent. */
	if (!conn_request_complete(e->conn))
		return MHD_NO;
	e->state = EXCHANGE_COMPLETING;
	e->x.body = e->body.data;
	e->x.body_len = e->body.len;
	e->server->handler.complete(e->server->handler.ctx, &e->x);
	/* After http_suspend() another thread may be writing the answer; this one may only read the state. */
	if (e->state == EXCHANGE_SUSPENDED)
		return MHD_YES;
	INSIST(e->response);
	return exchange_queue_answer(e);
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *bytes, size_t *n, void **con_cls)
{
	struct exchange *e = *con_cls;

	(void)cls;
	(void)url;
	INSIST(e && e->magic == EXCHANGE_MAGIC && e->connection == connection);
	if (e->state == EXCHANGE_NEW)
		return exchange_begin(e, method, version);
	if (*n > 0)
		return exchange_piece(e, bytes, n);
	switch (e->state) {
	case EXCHANGE_BODY:
		/*
		 * Neither answered nor suspended, so libmicrohttpd stops reading the connection and calls again at
		 * once. If it were suspended now, in the turn that read the request, it would stay marked for reading.
		 * After the resumption a client that has shut its sending side (so that the end is there to be read)
		 * would be closed without its answer. 0.9.75 and 1.0.1 both do so.
		 */
		e->state = EXCHANGE_WHOLE;
		return MHD_YES;
	case EXCHANGE_WHOLE:
		return exchange_complete(e);
	case EXCHANGE_SUSPENDED:
		return exchange_resumed(e);
	case EXCHANGE_DISCARD:
		/* The answer is known, and the body is complete. */
		return e->response ? exchange_queue_answer(e) : MHD_NO;
	default:
		return MHD_YES;
	}
}

/* Called with the request line. libmicrohttpd splits and decodes the URL afterwards, so this is the only look at the
 * original. libmicrohttpd may never call the handler for this request, so the connection owns the exchange. */
void *http_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
	const struct http_server *s = cls;
	struct conn_context *con = conn_context_of(connection);
	const size_t target_len = uri ? strlen(uri) : 0;
	struct exchange *e = mem_new(1, sizeof(*e) + s->handler.user_bytes + target_len + 1);

	exchange_end(con->exchange);
	con->exchange = e;
	e->magic = EXCHANGE_MAGIC;
	e->server = cls;
	e->connection = connection;
	e->conn = con->conn;
	conn_request_began(e->conn);
	exchange_set_silence(e, e->server->timeout_s);
	e->x.user = s->handler.user_bytes > 0 ? e->room : NULL;
	e->target = e->room + s->handler.user_bytes;
	memcpy(e->target, uri ? uri : "", target_len + 1);
	e->target_seen = uri;
	buf_init(&e->body, 0);
	buf_init(&e->early, EXCHANGE_EARLY_BYTES_MAX);
	return e;
}

void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe)
{
	struct conn_context *con = conn_context_of(connection);

	(void)cls;
	(void)toe;
	if (!*con_cls)
		return;
	INSIST(*con_cls == con->exchange);
	*con_cls = NULL;
	conn_response_complete(con->conn, con->exchange->proven);
	exchange_end(TAKE(con->exchange));
}

/* ---- functions for handlers -------------------------------------------------------------------------------------- */

const char *http_header(struct http_exchange *x, const char *name)
{
	return pairs_get(&exchange_of(x)->headers, name);
}

const struct pairs *http_headers(struct http_exchange *x)
{
	return &exchange_of(x)->headers;
}

char *http_header_list(struct http_exchange *x, const char *name)
{
	const struct pairs *all = &exchange_of(x)->headers;
	char *list = NULL;

	for (size_t i = 0; i < all->n; i++) {
		CLEANUP(mem_freep) char *before = NULL;

		if (!text_same(all->items[i].name, name))
			continue;
		before = list;
		list = before ? mem_fmt("%s, %s", before, all->items[i].value) : mem_str(all->items[i].value);
	}
	return list;
}

unsigned http_header_count(struct http_exchange *x, const char *name)
{
	const struct pairs *all = &exchange_of(x)->headers;
	unsigned n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += text_same(all->items[i].name, name);
	return n;
}

const char *http_peer(struct http_exchange *x)
{
	struct exchange *e = exchange_of(x);
	const union MHD_ConnectionInfo *info;

	if (!e->peer) {
		info = MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
		e->peer = info ? http_address_host(info->client_addr) : mem_str("unix");
	}
	return e->peer;
}

bool http_peer_ip(struct http_exchange *x, struct ip *ret)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange_of(x)->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info && ip_of_socket(info->client_addr, ret);
}

void http_proven(struct http_exchange *x)
{
	exchange_of(x)->proven = true;
}

void http_answer(struct http_exchange *x, const struct http_answer *a)
{
	struct exchange *e = exchange_of(x);

	INSIST(e->state == EXCHANGE_NEW || e->state == EXCHANGE_BODY || e->state == EXCHANGE_COMPLETING);
	exchange_set_answer(e, a);
}

char *http_take_body(struct http_exchange *x)
{
	struct exchange *e = exchange_of(x);
	size_t len = e->body.len;
	char *text;

	INSIST(e->state == EXCHANGE_COMPLETING && e->x.body);
	e->x.body = NULL;
	e->x.body_len = 0;
	text = buf_take(&e->body);
	/* The buffer of a chunked body grew by doubling. */
	return e->has_reserved ? text : mem_grow(text, len + 1, 1);
}

void http_suspend(struct http_exchange *x)
{
	struct exchange *e = exchange_of(x);

	INSIST(e->state == EXCHANGE_COMPLETING && !e->response && !e->was_suspended);
	e->state = EXCHANGE_SUSPENDED;
	e->was_suspended = true;
	atomic_fetch_add(&e->server->suspended, 1);
	MHD_suspend_connection(e->connection);
}

void http_resume(struct http_exchange *x, const struct http_answer *a)
{
	struct exchange *e = exchange_of(x);

	exchange_set_answer(e, a);
	MHD_resume_connection(e->connection);
}

void http_wake(struct http_exchange *x)
{
	struct exchange *e = exchange_of(x);

	INSIST(!e->response && !e->cut && e->server->handler.woken);
	MHD_resume_connection(e->connection);
}

void http_resume_cut(struct http_exchange *x, bool reset)
{
	struct exchange *e = exchange_of(x);

	INSIST(!e->response && !e->cut);
	e->cut = true;
	e->reset = reset;
	MHD_resume_connection(e->connection);
}

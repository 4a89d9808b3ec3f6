/* SPDX-License-Identifier: MIT */
/*
 * The pool's threads run everything here but http_resume and http_resume_cut. One exchange belongs to one thread of the
 * pool from its first line to its end, so its state needs no lock; while it is suspended the thread leaves it alone,
 * and whoever has it writes the answer and resumes. MHD_resume_connection is the hand-over back: after it the exchange
 * may be gone at any moment.
 *
 * An answer is always given to libmicrohttpd from its own thread inside the handler, never from the thread that
 * resumes: queueing runs the connection's state machine in the caller.
 *
 * Nothing here outlives the process: what was taken and not answered is sent again by the helpdesk.
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
 * Stands behind libmicrohttpd's socket context. It owns the call: between the request line and the handler
 * libmicrohttpd may give a request up without a word (0.9.75 does, where the parameters of a request line overflow its
 * memory), but it always says that a connection ended.
 */
struct connection {
	struct conn *client;
	struct exchange *call; /* NULL between two requests */
};

static struct connection *connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	INSIST(info && info->socket_context);
	return info->socket_context;
}

/* The request is over, or was given up. NULL allowed. */
static void exchange_end(struct exchange *c)
{
	struct http_server *s;

	if (!c)
		return;
	INSIST(c->magic == EXCHANGE_MAGIC);
	s = c->server;
	if (c->begun && s->handler.done)
		s->handler.done(s->handler.ctx, &c->x);
	if (c->response)
		MHD_destroy_response(c->response);
	buf_done(&c->body);
	free(c->headers.items);
	buf_done(&c->early);
	free(c->target);
	free(c->peer);
	if (c->was_suspended)
		atomic_fetch_sub(&s->suspended, 1);
	c->magic = 0;
	free(c);
}

static struct conn *arrive(struct http_server *s, struct MHD_Connection *connection)
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
	struct connection *con;

	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		con = mem_new(1, sizeof(*con));
		con->client = arrive(s, connection);
		*socket_context = con;
	} else {
		con = *socket_context;
		*socket_context = NULL;
		exchange_end(con->call);
		conn_closed(con->client);
		free(con);
	}
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

/* The owner has to agree before that many bytes are held. False: it has answered. */
static bool reserve(struct exchange *c, size_t bytes)
{
	const struct http_handler *h = &c->server->handler;

	if (!h->reserve || h->reserve(h->ctx, &c->x, bytes) == 0)
		return true;
	INSIST(exchange_is_answered(c));
	return false;
}

/* NULL, or what makes the extent of the body doubtful: two readers could see two different requests. */
static const char *smuggled(struct exchange *c, const char *version)
{
	unsigned encodings = http_header_count(&c->x, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	unsigned lengths = http_header_count(&c->x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	/* As libmicrohttpd reads it: 0.9.75 takes "chunked" with a blank behind it for another encoding. */
	const char *encoding =
		MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);

	if (http_header_count(&c->x, MHD_HTTP_HEADER_HOST) > 1)
		return "more than one Host";
	if (lengths > 1)
		return "more than one Content-Length";
	if (encodings > 0 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
		return "Transfer-Encoding in HTTP/1.0"; /* which does not know it: RFC 9112, 6.1 */
	if (encodings > 0 && lengths > 0)
		return "Content-Length together with Transfer-Encoding";
	if (encodings > 1 || (encodings > 0 && !text_same(encoding, "chunked")))
		return "unknown Transfer-Encoding";
	return NULL;
}

/* libmicrohttpd has checked that it is a number; more digits than fit are longer than anything allowed: SIZE_MAX. */
static size_t declared_length(const char *length)
{
	uint64_t value = 0;

	length += strspn(length, " \t");
	if (text_digits(length, strspn(length, "0123456789"), SIZE_MAX, &value) == -ERANGE)
		return SIZE_MAX;
	return (size_t)value;
}

/* The request line and the headers, judged and taken. NULL, or what is wrong with them. */
static const char *exchange_head(struct exchange *c, const char *method, const char *version)
{
	const struct request_line line = {
		.method = method,
		.target = c->target_seen,
		.target_len = strlen(c->target),
		.version = version,
	};
	const char *wrong = head_take(c->connection, &line, &c->headers);
	struct request_target target;

	if (!wrong)
		wrong = head_target(c->target, method, &target);
	if (wrong)
		return wrong;
	c->x.method = method;
	c->x.path = target.path;
	c->x.query = target.query;
	for (size_t i = 0; target.host && i < c->headers.n; i++) /* in the place of Host: RFC 9112, 3.2.2 */
		if (text_same(c->headers.items[i].name, MHD_HTTP_HEADER_HOST))
			c->headers.items[i].value = target.host;
	return smuggled(c, version);
}

/* The server's own verdict, before or instead of the owner's. what: static text. */
static void exchange_refuse(struct exchange *c, unsigned status, const char *what, const char *advice)
{
	const struct http_handler *h = &c->server->handler;
	CLEANUP(mem_freep) char *text = advice ? mem_fmt("%s: %s", what, advice) : NULL;

	if (status == MHD_HTTP_BAD_REQUEST && c->server->malformed)
		exchange_set_answer(c, c->server->malformed);
	else
		exchange_set_error(c, status, text ? text : what);
	if (h->refused)
		h->refused(h->ctx, &c->x, status, what);
}

static enum MHD_Result exchange_begin(struct exchange *c, const char *method, const char *version)
{
	const struct http_handler *h = &c->server->handler;
	CLEANUP(mem_freep) char *expected = NULL;
	const char *length, *wrong;
	size_t declared;

	c->x.method = method;
	c->x.received_ms = clock_now_ms();
	c->x.received_mono_ms = clock_mono_ms();
	wrong = exchange_head(c, method, version);
	length = http_header(&c->x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	declared = length ? declared_length(length) : 0;
	c->has_body = wrong || http_header(&c->x, MHD_HTTP_HEADER_TRANSFER_ENCODING) || declared > 0;
	c->expects_continue = http_header(&c->x, MHD_HTTP_HEADER_EXPECT);
	if (!conn_headers_complete(c->client)) {
		exchange_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections", NULL);
		return exchange_answer_early(c);
	}
	if (wrong) {
		log_debug(NULL, "a request is refused: %s", wrong);
		exchange_refuse(c, MHD_HTTP_BAD_REQUEST, wrong, NULL);
		return exchange_answer_early(c);
	}
	/* For anything but "100 Continue" the client would wait in vain. */
	expected = http_header_list(&c->x, MHD_HTTP_HEADER_EXPECT);
	if (expected && expected[0] != '\0' && !text_same(expected, "100-continue")) {
		exchange_refuse(c, MHD_HTTP_EXPECTATION_FAILED, "unknown expectation",
				"send the request without Expect");
		return exchange_answer_early(c);
	}
	if (declared > c->server->max_body) {
		exchange_refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "too long", NULL);
		return exchange_answer_early(c);
	}

	c->begun = true;
	if (h->begin(h->ctx, &c->x) != 0) {
		INSIST(exchange_is_answered(c));
		return exchange_answer_early(c);
	}
	INSIST(!exchange_is_answered(c));
	if (declared > 0 && !reserve(c, declared))
		return exchange_answer_early(c);
	c->has_reserved = declared > 0;
	buf_init(&c->body, declared > 0 ? declared : c->server->max_body);
	c->state = EXCHANGE_BODY;
	return MHD_YES;
}

/* True where a body of undeclared length may grow by n bytes. False: the request is answered. */
static bool reserve_growth(struct exchange *c, size_t n)
{
	size_t alloc = buf_alloc_after(&c->body, n);

	if (n > c->server->max_body - c->body.len) {
		exchange_refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "too long", NULL);
		return false;
	}
	return alloc == c->body.alloc || reserve(c, alloc - 1);
}

/* MHD_NO cuts the connection. */
static enum MHD_Result exchange_piece(struct exchange *c, const char *bytes, size_t *n)
{
	const struct http_handler *h = &c->server->handler;
	size_t left = *n;

	*n = 0;
	if (c->state == EXCHANGE_DISCARD) {
		if (left > c->discard_left)
			return MHD_NO;
		c->discard_left -= left;
		return MHD_YES;
	}
	if (!c->has_reserved && !reserve_growth(c, left)) {
		buf_done(&c->body);
		c->x.body = NULL;
		c->x.body_len = 0;
		if (h->reserve)
			INSIST(h->reserve(h->ctx, &c->x, 0) == 0);
		return exchange_answer_early(c);
	}
	buf_add(&c->body, bytes, left);
	return c->body.error == 0 ? MHD_YES : MHD_NO;
}

static enum MHD_Result exchange_complete(struct exchange *c)
{
	/* Cut off a moment ago, its bytes were on their way already: the answer could not be given. */
	if (!conn_request_complete(c->client))
		return MHD_NO;
	c->state = EXCHANGE_COMPLETING;
	c->x.body = c->body.data;
	c->x.body_len = c->body.len;
	c->server->handler.complete(c->server->handler.ctx, &c->x);
	/* Suspended: another thread may be writing the answer now; only the state is ours to read. */
	if (c->state == EXCHANGE_SUSPENDED)
		return MHD_YES;
	INSIST(c->response);
	return exchange_queue_answer(c);
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *bytes, size_t *n, void **con_cls)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct exchange *c = *con_cls;

	(void)cls;
	(void)url;
	INSIST(c && c->magic == EXCHANGE_MAGIC && c->connection == connection);
	if (c->state == EXCHANGE_NEW)
		return exchange_begin(c, method, version);
	if (*n > 0)
		return exchange_piece(c, bytes, n);
	switch (c->state) {
	case EXCHANGE_BODY:
		/*
		 * Neither answered nor suspended, so libmicrohttpd stops reading the connection and asks again at once.
		 * Suspended now, in the turn that read the request, the connection would stand as one to be read: once
		 * resumed, a client that had shut its sending side (the end is there to be read) would be closed
		 * without its answer. 0.9.75 and 1.0.1 both do so.
		 */
		c->state = EXCHANGE_WHOLE;
		return MHD_YES;
	case EXCHANGE_WHOLE:
		return exchange_complete(c);
	case EXCHANGE_SUSPENDED:
		if (!c->cut)
			return exchange_queue_answer(c);
		/* Dissolving the connection sends a reset at once, before libmicrohttpd can end it orderly. */
		if (c->reset)
			(void)connect(exchange_socket(c), &nobody, sizeof(nobody));
		return MHD_NO;
	case EXCHANGE_DISCARD:
		return c->response ? exchange_queue_answer(c) : MHD_NO; /* it is told, and this was all of the body */
	default:
		return MHD_YES;
	}
}

/* The request line is there. libmicrohttpd splits and decodes the URL afterwards, so this is the only look at it as it
 * came. Whether the handler will ever hear of the request is open: the connection owns what is made here. */
void *http_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct connection *con = connection_of(connection);
	struct exchange *c = mem_new(1, sizeof(*c));

	exchange_end(con->call);
	con->call = c;
	c->magic = EXCHANGE_MAGIC;
	c->server = cls;
	c->connection = connection;
	c->client = con->client;
	conn_request_began(c->client);
	exchange_set_silence(c, c->server->timeout_s);
	c->target = mem_str(uri ? uri : "");
	c->target_seen = uri;
	buf_init(&c->body, 0);
	buf_init(&c->early, EXCHANGE_EARLY_BYTES_MAX);
	return c;
}

void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe)
{
	struct connection *con = connection_of(connection);

	(void)cls;
	(void)toe;
	if (!*con_cls)
		return;
	INSIST(*con_cls == con->call);
	*con_cls = NULL;
	conn_response_complete(con->client, con->call->proven);
	exchange_end(TAKE(con->call));
}

/* ---- what handlers call ------------------------------------------------------------------------------------------ */

const char *http_header(struct http_exchange *x, const char *name)
{
	const struct headers *all = &exchange_of(x)->headers;

	for (size_t i = 0; i < all->n; i++)
		if (text_same(all->items[i].name, name))
			return all->items[i].value;
	return NULL;
}

void http_headers(struct http_exchange *x, struct pairs *to)
{
	const struct headers *all = &exchange_of(x)->headers;

	for (size_t i = 0; i < all->n; i++)
		pairs_add(to, all->items[i].name, all->items[i].value);
}

char *http_header_list(struct http_exchange *x, const char *name)
{
	const struct headers *all = &exchange_of(x)->headers;
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
	const struct headers *all = &exchange_of(x)->headers;
	unsigned n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += text_same(all->items[i].name, name);
	return n;
}

const char *http_peer(struct http_exchange *x)
{
	const union MHD_ConnectionInfo *info;
	struct exchange *c = exchange_of(x);

	if (!c->peer) {
		info = MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
		c->peer = info ? http_address_host(info->client_addr) : mem_str("unix");
	}
	return c->peer;
}

void http_proven(struct http_exchange *x)
{
	exchange_of(x)->proven = true;
}

void http_answer(struct http_exchange *x, const struct http_answer *a)
{
	struct exchange *c = exchange_of(x);

	INSIST(c->state == EXCHANGE_NEW || c->state == EXCHANGE_BODY || c->state == EXCHANGE_COMPLETING);
	exchange_set_answer(c, a);
}

char *http_take_body(struct http_exchange *x)
{
	struct exchange *c = exchange_of(x);

	INSIST(c->state == EXCHANGE_COMPLETING && c->x.body);
	c->x.body = NULL;
	c->x.body_len = 0;
	return buf_take(&c->body);
}

void http_suspend(struct http_exchange *x)
{
	struct exchange *c = exchange_of(x);

	INSIST(c->state == EXCHANGE_COMPLETING && !c->response);
	c->state = EXCHANGE_SUSPENDED;
	c->was_suspended = true;
	atomic_fetch_add(&c->server->suspended, 1);
	MHD_suspend_connection(c->connection);
}

void http_resume(struct http_exchange *x, const struct http_answer *a)
{
	struct exchange *c = exchange_of(x);

	exchange_set_answer(c, a);
	MHD_resume_connection(c->connection);
}

void http_resume_cut(struct http_exchange *x, bool reset)
{
	struct exchange *c = exchange_of(x);

	INSIST(!c->response && !c->cut);
	c->cut = true;
	c->reset = reset;
	MHD_resume_connection(c->connection);
}

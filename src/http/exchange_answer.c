/* SPDX-License-Identifier: MIT */
/*
 * An answer is sent in one of two ways. Usually libmicrohttpd sends it. During the body libmicrohttpd accepts no
 * answer; then it is written directly to the socket.
 */
#include <config.h>

#include "http/exchange.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define RETRY_AFTER "5" /* seconds */

/* ---- an answer as bytes ------------------------------------------------------------------------------------------ */

/* Writes an answer as it is sent: the last one on its connection. */
static void write_answer(const struct http_answer *a, const char *method, struct buf *to)
{
	time_t now = (time_t)(clock_now_ms() / CLOCK_SECOND_MS);
	char date[64];
	struct tm tm;

	buf_addf(to, "HTTP/1.1 %u %s\r\n", a->status, MHD_get_reason_phrase_for(a->status));
	/* The program stays in the C locale, so the names of days and months are English. */
	if (gmtime_r(&now, &tm) && strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		buf_addf(to, "Date: %s\r\n", date);
	buf_addf(to, "Connection: close\r\nContent-Length: %zu\r\n", a->body_len);
	if (a->type)
		buf_addf(to, "Content-Type: %s\r\n", a->type);
	for (size_t i = 0; a->headers && i < a->headers->n; i++) {
		const struct pair *h = &a->headers->items[i];

		/* A header with a line end in its value is omitted, as by libmicrohttpd. */
		if (!strpbrk(h->value, "\r\n"))
			buf_addf(to, "%s: %s\r\n", h->name, h->value);
	}
	buf_adds(to, "\r\n");
	if (!text_is(method, "HEAD"))
		buf_add(to, a->body, a->body_len);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
	/* libmicrohttpd refuses control characters and headers that it writes itself. The answer is sent without such a
	 * header. */
	if (MHD_add_response_header(r, name, value) != MHD_YES)
		log_debug(NULL, "the header %s cannot be sent, leaving it out", name);
}

void exchange_set_answer(struct exchange *e, const struct http_answer *a)
{
	const bool fits = a->body_len <= sizeof(e->answer);
	const void *body = fits ? e->answer : a->body;
	struct MHD_Response *r;

	INSIST(!exchange_is_answered(e) && !e->cut);
	/* libmicrohttpd accepts no answer during the body, so this file writes it. Before the body, an answer that is
	 * too long for that is left to libmicrohttpd and waits until the body has been discarded. */
	if (e->state == EXCHANGE_BODY || (e->state == EXCHANGE_NEW && e->has_body && !e->expects_continue &&
					  a->body_len <= EXCHANGE_EARLY_BODY_MAX)) {
		write_answer(a, e->x.method, &e->early);
		INSIST(e->early.error == 0);
		return;
	}
	if (fits && a->body_len > 0)
		memcpy(e->answer, a->body, a->body_len);
	r = MHD_create_response_from_buffer(a->body_len, (void *)body,
					    fits ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
	INSIST(r);
	if (a->type)
		add_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	for (size_t i = 0; a->headers && i < a->headers->n; i++)
		add_header(r, a->headers->items[i].name, a->headers->items[i].value);
	if (a->close)
		add_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	e->response = r;
	e->status = a->status;
}

void exchange_set_error(struct exchange *e, unsigned status, const char *what)
{
	const char *member = e->server->error_member;
	CLEANUP(mem_freep) char *body = member ? mem_fmt("{\"%s\":\"%s\"}", member, what) : mem_fmt("%s\n", what);
	CLEANUP(pairs_done) struct pairs headers = {0};

	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		pairs_add(&headers, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
	exchange_set_answer(e, &(struct http_answer){.status = status,
						     .type = member ? "application/json" : "text/plain",
						     .body = body,
						     .body_len = strlen(body),
						     .headers = &headers,
						     .close = true});
}

int exchange_socket(const struct exchange *e)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	INSIST(info);
	return info->connect_fd;
}

void exchange_set_silence(struct exchange *e, unsigned seconds)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_TIMEOUT);

	INSIST(info);
	if (info->connection_timeout != seconds)
		INSIST(MHD_set_connection_option(e->connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds) == MHD_YES);
}

enum MHD_Result exchange_queue_answer(struct exchange *e)
{
	enum MHD_Result r = MHD_queue_response(e->connection, e->status, e->response);

	conn_response_began(e->conn);
	if (e->proven)
		exchange_set_silence(e, e->server->idle_s);
	MHD_destroy_response(e->response);
	e->response = NULL;
	e->state = EXCHANGE_QUEUED;
	return r;
}

/*
 * Sends an answer before the body was read. It is written at once, for a client that reads while it sends. Then the
 * connection is half closed, and the rest of the body is read and discarded. Closing on unread bytes would reset the
 * connection, and a client that reads only after it has sent everything would lose the answer. A client that sends
 * without end is cut off.
 *
 * A client with `Expect` waits for this answer and sends nothing. It gets the answer from libmicrohttpd at once, even
 * if it announced no body. Later, libmicrohttpd would first send it 100; or it might see that the client has shut its
 * sending side, and close the connection.
 */
enum MHD_Result exchange_answer_early(struct exchange *e)
{
	const int fd = exchange_socket(e);
	size_t len = e->early.len;
	ssize_t n;

	if (e->response && (e->has_body || e->expects_continue)) {
		add_header(e->response, MHD_HTTP_HEADER_CONNECTION, "close");
		if (e->expects_continue)
			return exchange_queue_answer(e);
	}
	e->discard_left = e->server->max_body + HTTP_DISCARD_BYTES;
	e->state = EXCHANGE_DISCARD;
	if (e->response)
		return MHD_YES;

	if (e->server->timeout_s > HTTP_DISCARD_SILENCE_S)
		exchange_set_silence(e, HTTP_DISCARD_SILENCE_S);
	/* Nothing else is being sent to the client, so all of it fits into the socket's buffer, unless the client does
	 * not read. */
	n = send(fd, e->early.data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&e->early);
	return n == (ssize_t)len && shutdown(fd, SHUT_WR) == 0 ? MHD_YES : MHD_NO;
}

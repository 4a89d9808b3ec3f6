/* SPDX-License-Identifier: MIT */
/*
 * http/conn_limits: private to src/http. Decides which connections a server keeps, for how long, and which it cuts off.
 *
 * libmicrohttpd's time-out is of silence, and its limits refuse whoever comes last: a client that drips keeps its place
 * for hours, and enough of them shut everybody out. Here a connection is, at any time, one of
 *   asking   the server waits for the client: for a request until it is whole, or for the client to take its answer. It
 *            is cut off request_ms after it began to be so.
 *   busy     the client waits for the server. It is never cut off.
 *   idle     kept alive after the answer to a proven request, and the line of its next request is not there. It is cut
 *            off after idle_ms.
 * A newcomer that makes it more than three quarters of `most`, or more of its address than `per_address`, costs another
 * one its place: while more than a quarter of the limit is asking, the one that has been asking the longest, else the
 * one that has been idle the longest. So a good request passes through a crowd of slow clients, from the same
 * address too, if it is whole before a quarter of the limit has come after it; and idle connections leave that quarter
 * to those that ask. If there is none to cut off, because busy ones take the place:
 *   - up to the limit the newcomer is served;
 *   - beyond it, it is refused once it has asked (conn_headers_complete). With one socket nobody is refused for `most`:
 *     libmicrohttpd has the same limit for each socket, and further clients wait until a busy one is done.
 *
 * Cutting is shutdown(2) on the socket; libmicrohttpd sees the end of it and closes.
 */
#ifndef HTTP_CONN_LIMITS_H
#define HTTP_CONN_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "http/server.h"

struct conn_limits;
struct conn; /* one connection */

struct conn_limits_options {
	int64_t request_ms, idle_ms;
	unsigned most;        /* connections; 0: no limit */
	unsigned per_address; /* 0: no limit */
	/* A client was cut off, or refused. May be NULL. From any thread, without a lock held. from: NULL: no IP. */
	void (*dropped)(void *ctx, enum http_drop_reason why, const struct ip *from);
	void *ctx;
};

struct conn_limits *conn_limits_new(const struct conn_limits_options *o); /* starts a thread */
/* Ends the thread: nobody is cut off for its slowness any more. */
void conn_limits_stop(struct conn_limits *cl);
void conn_limits_free(struct conn_limits *cl); /* after conn_limits_stop and the last conn_closed */

/*
 * Any thread; calls about one client come one after the other. fd must stay open until conn_closed. from: NULL where
 * it is no IP. counted: whether it counts for per_address.
 */
struct conn *conn_opened(struct conn_limits *cl, int fd, const struct ip *from, bool counted);
void conn_request_began(struct conn *c);    /* the first line of a request is there */
bool conn_headers_complete(struct conn *c); /* its headers are whole. False: it is to be refused, there is no room */
bool conn_request_complete(struct conn *c); /* the request is whole: busy from now on. False: it was cut off before */
void conn_response_began(struct conn *c);   /* the answer goes out: asking again */
void conn_response_complete(struct conn *c, bool proven); /* the answer is out: idle where it was proven, else asking */
void conn_closed(struct conn *c);                         /* frees it */

/* Blocks until every client that has arrived was heard once or has left, until_mono_ms at the latest. */
void conn_limits_wait_headers(struct conn_limits *cl, int64_t until_mono_ms);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * http/conn_limits: private to src/http. Limits a server's connections by number and time, and drops those beyond the
 * limits.
 *
 * libmicrohttpd's timeout measures silence, and its limits refuse the newest client. Slow clients could keep their
 * connections for hours and block all others. Here a connection has one of these states:
 *
 *   transferring  The server waits for the client to send its request or to read its answer. The connection is dropped
 *                 request_ms after it entered this state.
 *   busy          The client waits for the server. The connection is never dropped.
 *   idle          Kept alive after the answer to a proven request, before the next request line. The connection is
 *                 dropped after idle_ms.
 *
 * A new connection beyond three quarters of `most`, or beyond `per_address` of its address, replaces another one. If
 * more than a quarter of the limit is transferring, that is the one that has been transferring the longest; otherwise
 * the one that has been idle the longest. So a good request gets through many slow clients, also from its own address,
 * if it is complete before a quarter of the limit arrives after it. Idle connections leave that quarter to requests. If
 * all others are busy:
 *
 * - up to the limit the new connection is served;
 * - beyond it, it is refused after its headers (conn_headers_complete). With one socket `most` refuses no client,
 *   because libmicrohttpd has the same limit for each socket: further clients wait to be accepted.
 *
 * A connection is dropped by shutdown(2) on its socket; libmicrohttpd then reads the end of it and closes.
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
	/* Called for a connection that was dropped or is beyond a limit, but not for an idle one whose time ended. May
	 * be NULL. Any thread, without a lock held. from: NULL: not IP. */
	void (*dropped)(void *ctx, enum http_drop_reason why, const struct ip *from);
	void *ctx;
};

struct conn_limits *conn_limits_new(const struct conn_limits_options *o); /* starts a thread */
/* Ends the thread. Afterwards no connection is dropped for its time. */
void conn_limits_stop(struct conn_limits *cl);
void conn_limits_free(struct conn_limits *cl); /* after conn_limits_stop and the last conn_closed */

/*
 * Any thread. Calls for one connection must not overlap. fd must stay open until conn_closed(). from: NULL: not IP.
 * counted: true where it counts for per_address.
 */
struct conn *conn_opened(struct conn_limits *cl, int fd, const struct ip *from, bool counted);
void conn_request_began(struct conn *c);    /* the request line has arrived */
bool conn_headers_complete(struct conn *c); /* its headers are complete. False: refuse it, it is beyond a limit */
bool conn_request_complete(struct conn *c); /* the request is complete: busy. False: it was dropped before */
void conn_response_began(struct conn *c);   /* the answer is being sent: transferring */
void conn_response_complete(struct conn *c, bool proven); /* the answer is sent: idle if proven, else transferring */
void conn_closed(struct conn *c);                         /* frees it */

/* Blocks until every connection has sent its first headers or has ended, at most until until_mono_ms. */
void conn_limits_wait_headers(struct conn_limits *cl, int64_t until_mono_ms);

#endif

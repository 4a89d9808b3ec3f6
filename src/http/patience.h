/*
 * http/patience: private to src/http. Decides which connections a server keeps, for how long, and which it cuts off.
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
 *   - beyond it, it is refused once it has asked (patience_heard). With one socket nobody is refused for `most`:
 *     libmicrohttpd has the same limit for each socket, and further clients wait until a busy one is done.
 *
 * Cutting is shutdown(2) on the socket; libmicrohttpd sees the end of it and closes.
 */
#ifndef HTTP_PATIENCE_H
#define HTTP_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "http/server.h"

struct patience;
struct client; /* one connection */

struct patience_options {
	int64_t request_ms, idle_ms;
	unsigned most;        /* connections; 0: no limit */
	unsigned per_address; /* 0: no limit */
	/* A client was cut off, or refused. May be NULL. From any thread, without a lock held. from: NULL: no IP. */
	void (*turned_away)(void *ctx, enum http_turned_away why, const struct ip *from);
	void *ctx;
};

struct patience *patience_new(const struct patience_options *o); /* starts a thread */
/* Ends the thread: nobody is cut off for its slowness any more. */
void patience_stop(struct patience *p);
void patience_free(struct patience *p); /* after patience_stop and the last patience_left */

/*
 * Any thread; calls about one client come one after the other. fd must stay open until patience_left. from: NULL where
 * it is no IP. counted: whether it counts for per_address.
 */
struct client *patience_arrived(struct patience *p, int fd, const struct ip *from, bool counted);
void patience_line(struct client *c);      /* the first line of a request is there */
bool patience_heard(struct client *c);     /* its headers are whole. False: it is to be refused, there is no room */
bool patience_whole(struct client *c);     /* the request is whole: busy from now on. False: it was cut off before */
void patience_answering(struct client *c); /* the answer goes out: asking again */
void patience_served(struct client *c, bool proven); /* the answer is out: idle where it was proven, else asking */
void patience_left(struct client *c);                /* frees it */

/* Blocks until every client that has arrived was heard once or has left, until_mono_ms at the latest. */
void patience_wait_heard(struct patience *p, int64_t until_mono_ms);

#endif

/*
 * http/patience: private to src/http. Cuts off clients that take too long for the headers of their next request.
 *
 * libmicrohttpd's time-out is of silence: who drips one letter of a header after the other keeps a connection for
 * hours. Here each connection has so long from its beginning, or from the end of its last request, until its headers
 * are whole. Cutting is shutdown(2) on the socket; libmicrohttpd sees the end of it and closes.
 */
#ifndef HTTP_PATIENCE_H
#define HTTP_PATIENCE_H

#include <stdint.h>

struct patience;
struct client; /* one connection */

struct patience *patience_new(int64_t limit_ms); /* starts a thread */
void patience_stop(struct patience *p);          /* ends it: nobody is cut off any more */
void patience_free(struct patience *p);          /* after patience_stop and the last patience_left */

/* Any thread; calls about one client come one after the other. fd must stay open until patience_left. */
struct client *patience_arrived(struct patience *p, int fd);
void patience_heard(struct client *c);  /* its headers are whole */
void patience_served(struct client *c); /* its request is over: the next one's time begins */
void patience_left(struct client *c);   /* frees it */

/* Blocks until every client that has arrived was heard once or has left, until_us (clock_mono_us) at the latest. */
void patience_wait_heard(struct patience *p, int64_t until_us);

#endif

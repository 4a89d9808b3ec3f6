/*
 * http/exchange: private to src/http. What libmicrohttpd calls for each request; server.c starts and stops it.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/ip.h"
#include "http/patience.h"
#include "http/server.h"

/* libmicrohttpd's time-out is of silence; a client that drips has this many of them for its whole request. */
#define HTTP_SLOW_TIMEOUTS 3

/* A client that was answered before it sent all of its body may send so much more than max_body, for nothing, before it
 * is cut off: most send all before they read. */
#define HTTP_SWALLOW_BYTES (8 * 1024 * 1024)
/* Silent for so many seconds, or for the time-out where that is shorter, it is cut off. */
#define HTTP_SWALLOW_SILENCE_S 2

/* One of the sockets that a server listens on: libmicrohttpd's daemons have one each. */
struct http_listener {
	struct MHD_Daemon *daemon;
	int fd;
};

struct http_server {
	struct http_listener listeners[HTTP_SOCKETS_MAX];
	size_t listeners_n;
	struct http_handler handler;
	char *error_member;                  /* NULL: plain text */
	const struct http_answer *malformed; /* or NULL */
	size_t max_body;
	unsigned timeout_s, idle_s;
	struct ip_network *uncounted;
	size_t uncounted_n;
	char *address;
	bool own_fd;       /* not passed by systemd */
	char *unlink_path; /* of the unix socket that this server made, or NULL */
	bool quiesced;
	struct patience *patience; /* the clients' are behind libmicrohttpd's socket contexts */
	atomic_uint suspended;     /* exchanges suspended and not yet done */
};

/* Registered with libmicrohttpd; cls is the struct http_server. */
void *http_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *bytes, size_t *n, void **con_cls);
void http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			enum MHD_ConnectionNotificationCode toe);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe);

#endif

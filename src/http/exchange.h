/* SPDX-License-Identifier: MIT */
/*
 * http/exchange: private to src/http. What libmicrohttpd calls for each request (exchange.c), a request as this server
 * knows it, and how it is answered (exchange_answer.c); server.c starts and stops the server.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/ip.h"
#include "http/head.h"
#include "http/conn_limits.h"
#include "http/server.h"

/* libmicrohttpd's time-out is of silence; a client that drips has this many of them for its whole request. */
#define HTTP_SLOW_TIMEOUTS 3

/* A client that was answered before it sent all of its body may send so much more than max_body, for nothing, before it
 * is cut off: most send all before they read. */
#define HTTP_DISCARD_BYTES (8 * 1024 * 1024)
/* Silent for so many seconds, or for the time-out where that is shorter, it is cut off. */
#define HTTP_DISCARD_SILENCE_S 2

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
	struct conn_limits *conn_limits; /* the clients' are behind libmicrohttpd's socket contexts */
	atomic_uint suspended;           /* exchanges suspended and not yet done */
};

/* Registered with libmicrohttpd; cls is the struct http_server. */
void *http_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *bytes, size_t *n, void **con_cls);
void http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			enum MHD_ConnectionNotificationCode toe);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe);

/* ---- a request: on the pool's thread, but for exchange_set_answer while the call is suspended -------------------- */

enum exchange_state {
	EXCHANGE_NEW,     /* before begin */
	EXCHANGE_BODY,    /* collecting */
	EXCHANGE_DISCARD, /* the answer is known or told, the rest of the body goes nowhere */
	EXCHANGE_WHOLE,   /* the whole body is there; complete() is called in the next turn of libmicrohttpd's loop */
	EXCHANGE_COMPLETING, /* in complete() */
	EXCHANGE_SUSPENDED,
	EXCHANGE_QUEUED, /* libmicrohttpd has the answer */
};

#define EXCHANGE_MAGIC 0x68747470u

/* Bytes of an answer while the body comes in: few enough for any socket's buffer. */
#define EXCHANGE_EARLY_BYTES_MAX (16 * 1024)
#define EXCHANGE_EARLY_BODY_MAX (4 * 1024) /* of them */

/* What is behind a struct http_exchange. */
struct exchange {
	struct http_exchange x; /* first: the owner's pointer is ours */
	unsigned magic;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct conn *conn;         /* the connection's */
	enum exchange_state state; /* written by the pool's thread alone */
	bool begun;                /* begin was called: done is owed */
	bool was_suspended;
	bool proven;             /* http_proven was called */
	bool has_body;           /* the headers announce one */
	bool has_reserved;       /* the owner granted room for all of the body that may come */
	bool expects_continue;   /* the client waits with its body for what we say */
	char *target;            /* the request line's; from begin on taken apart: x.path and x.query point into it */
	const char *target_seen; /* where libmicrohttpd has it */
	struct headers headers;  /* from begin on */
	char *peer;              /* NULL until asked for */
	struct buf body;
	size_t discard_left;
	/* The answer. Written by whoever answers: the pool's thread, or between suspension and resumption the other
	 * one. */
	struct MHD_Response *response;
	struct buf early; /* in the response's place while a body comes in: the bytes of the answer */
	unsigned status;
	bool cut, reset;
};

static inline struct exchange *exchange_of(struct http_exchange *x)
{
	struct exchange *e = (struct exchange *)x;

	INSIST(e && e->magic == EXCHANGE_MAGIC);
	return e;
}

/*
 * The connection's socket. A pointer that MHD_get_connection_info returned is good until the next such call only: 1.0.1
 * has one place for all its answers, where 0.9.75 points to the thing itself.
 */
int exchange_socket(const struct exchange *e);
/* libmicrohttpd's own time-out, of silence. Only inside a callback of libmicrohttpd, and not suspended: 0.9.75 moves
 * the connection between its lists of time-outs, and takes it for one that is in them. */
void exchange_set_silence(struct exchange *e, unsigned seconds);
/* Sets the answer, once a call. One that is set while a body comes in goes out by exchange_answer_early, a later one by
 * exchange_queue_answer. */
void exchange_set_answer(struct exchange *e, const struct http_answer *a);
/* The server's own errors: JSON where the owner speaks JSON. */
void exchange_set_error(struct exchange *e, unsigned status, const char *what);
static inline bool exchange_is_answered(const struct exchange *e)
{
	return e->response || e->early.len > 0;
}
/* Answers while the rest of the body, which is not wanted, may still come. Returns what libmicrohttpd's handler has to
 * return: MHD_NO cuts the connection. */
enum MHD_Result exchange_answer_early(struct exchange *e);
enum MHD_Result exchange_queue_answer(struct exchange *e);

#endif

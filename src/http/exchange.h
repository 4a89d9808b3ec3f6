/* SPDX-License-Identifier: MIT */
/*
 * http/exchange: private to src/http. libmicrohttpd's callbacks (exchange.c), the state of a request, and its answer
 * (exchange_answer.c). server.c starts and stops the server.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/ip.h"
#include "http/head.h"
#include "http/conn_limits.h"
#include "http/server.h"

/* libmicrohttpd's timeout measures silence. A slow client has this many timeouts for its whole request. */
#define HTTP_SLOW_TIMEOUTS 3

/* After an early answer a client may send this many bytes beyond max_body before it is cut off, because most clients
 * read only after they have sent everything. */
#define HTTP_DISCARD_BYTES (8 * 1024 * 1024)
/* After an early answer a client is also cut off after this many seconds of silence (or the timeout if that is
 * shorter). */
#define HTTP_DISCARD_SILENCE_S 2

/* A listening socket with its own libmicrohttpd daemon. */
struct http_listener {
	struct MHD_Daemon *daemon;
	int fd;
};

struct http_server {
	struct http_listener listeners[HTTP_SOCKETS_MAX];
	size_t listeners_n;
	struct http_handler handler;
	char *error_member;                  /* NULL: errors are plain text */
	const struct http_answer *malformed; /* or NULL */
	size_t max_body;
	unsigned timeout_s, idle_s;
	struct ip_network *uncounted;
	size_t uncounted_n;
	char *address;
	bool own_fd;       /* this server opened the socket */
	char *unlink_path; /* the path of the unix socket that this server made, or NULL */
	bool quiesced;
	struct conn_limits *conn_limits; /* libmicrohttpd's socket contexts point to its connections */
	atomic_uint suspended;           /* exchanges that were suspended and have not ended */
};

/* Callbacks of libmicrohttpd; cls is the struct http_server. */
void *http_on_request_line(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *bytes, size_t *n, void **con_cls);
void http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			enum MHD_ConnectionNotificationCode toe);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode toe);

/* ---- a request --------------------------------------------------------------------------------------------------- */

enum exchange_state {
	EXCHANGE_NEW,        /* before begin */
	EXCHANGE_BODY,       /* the body is being received */
	EXCHANGE_DISCARD,    /* the answer is known or sent; the rest of the body is discarded */
	EXCHANGE_WHOLE,      /* the body is complete; libmicrohttpd's next loop calls complete() */
	EXCHANGE_COMPLETING, /* in complete() or woken() */
	EXCHANGE_SUSPENDED,
	EXCHANGE_QUEUED, /* libmicrohttpd has the answer */
};

#define EXCHANGE_MAGIC 0x68747470u

/* The size of an early answer; it fits into any socket's buffer. */
#define EXCHANGE_EARLY_BYTES_MAX (16 * 1024)
#define EXCHANGE_EARLY_BODY_MAX (4 * 1024) /* of these, for its body */

/* An answer's body of at most this size stands in the exchange, which outlives its sending. */
#define EXCHANGE_ANSWER_BYTES 128

/* The implementation of a struct http_exchange. Its thread is the pool's thread of its connection, but between
 * suspension and resumption the owner's thread may set the answer. */
struct exchange {
	struct http_exchange x; /* first member: the owner's pointer points to both */
	unsigned magic;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct conn *conn;         /* the connection's */
	enum exchange_state state; /* written by the pool's thread only */
	bool begun;                /* begin was called, so done must be called */
	bool was_suspended;
	bool proven;             /* http_proven was called */
	bool has_body;           /* the headers announce a body */
	bool has_reserved;       /* memory for the whole body is reserved: it has a Content-Length */
	bool expects_continue;   /* the client waits for 100-continue before it sends the body */
	char *target;            /* in room: the request target; split before begin: x.path and x.query point into it */
	const char *target_seen; /* libmicrohttpd's copy */
	struct pairs headers;    /* by head_take(), before begin */
	char *peer;              /* NULL until asked for */
	struct buf body;
	size_t discard_left;
	/* The answer. Written by the pool's thread; between suspension and resumption by the thread that resumes. */
	struct MHD_Response *response;
	struct buf early; /* the bytes of an early answer, instead of `response` */
	unsigned status;
	bool cut, reset;
	char answer[EXCHANGE_ANSWER_BYTES];
	_Alignas(max_align_t) char room[]; /* the owner's state, then the target: one allocation for a request */
};

static inline struct exchange *exchange_of(struct http_exchange *x)
{
	struct exchange *e = (struct exchange *)x;

	INSIST(e && e->magic == EXCHANGE_MAGIC);
	return e;
}

/*
 * Returns the connection's socket. The pointer from MHD_get_connection_info() is valid until its next call only: 1.0.1
 * has one place for all its answers, 0.9.75 returns the member itself.
 */
int exchange_socket(const struct exchange *e);
/* Sets libmicrohttpd's timeout for silence. Call it inside a callback of libmicrohttpd and not while suspended: 0.9.75
 * moves the connection between its timeout lists and assumes that it is in one. */
void exchange_set_silence(struct exchange *e, unsigned seconds);
/* Sets the answer, once an exchange. An answer that is set during the body is sent by exchange_answer_early(), a later
 * one by exchange_queue_answer(). */
void exchange_set_answer(struct exchange *e, const struct http_answer *a);
/* Answers with an error of the server itself, as JSON if the owner uses JSON. */
void exchange_set_error(struct exchange *e, unsigned status, const char *what);
static inline bool exchange_is_answered(const struct exchange *e)
{
	return e->response || e->early.len > 0;
}
/* Sends an answer before the end of the body, whose rest is discarded. Returns the result for libmicrohttpd's handler;
 * MHD_NO closes the connection. */
enum MHD_Result exchange_answer_early(struct exchange *e);
/* Gives the answer to libmicrohttpd. Returns the result for libmicrohttpd's handler. */
enum MHD_Result exchange_queue_answer(struct exchange *e);

#endif

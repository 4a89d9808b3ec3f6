/*
 * http/call: private to exchange.c and call_answer.c: a request as this server knows it, and how it is answered. On the
 * pool's thread, but for call_set_answer while the call is suspended.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include "base/buf.h"
#include "http/exchange.h"
#include "http/head.h"

enum call_state {
	CALL_NEW,        /* before begin */
	CALL_BODY,       /* collecting */
	CALL_SWALLOW,    /* the answer is known or told, the rest of the body goes nowhere */
	CALL_WHOLE,      /* the whole body is there; complete() is called in the next turn of libmicrohttpd's loop */
	CALL_COMPLETING, /* in complete() */
	CALL_SUSPENDED,
	CALL_QUEUED, /* libmicrohttpd has the answer */
};

#define CALL_MAGIC 0x68747470u

/* Bytes of an answer while the body comes in: few enough for any socket's buffer. */
#define CALL_EARLY_BYTES_MAX (16 * 1024)
#define CALL_EARLY_BODY_MAX (4 * 1024) /* of them */

/* What is behind a struct http_exchange. */
struct call {
	struct http_exchange x; /* first: the owner's pointer is ours */
	unsigned magic;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct client *client; /* the connection's */
	enum call_state state; /* written by the pool's thread alone */
	bool begun;            /* begin was called: done is owed */
	bool was_suspended;
	bool proven;             /* http_proven was called */
	bool has_body;           /* the headers announce one */
	bool has_room;           /* the owner granted room for all of the body that may come */
	bool expects_continue;   /* the client waits with its body for what we say */
	char *target;            /* the request line's; from begin on taken apart: x.path and x.query point into it */
	const char *target_seen; /* where libmicrohttpd has it */
	struct headers headers;  /* from begin on */
	char *peer;              /* NULL until asked for */
	struct buf body;
	size_t swallow_left;
	/* The answer. Written by whoever answers: the pool's thread, or between suspension and resumption the other
	 * one. */
	struct MHD_Response *response;
	struct buf early; /* in the response's place while a body comes in: the bytes of the answer */
	unsigned status;
	bool cut, reset;
};

static inline struct call *call_of(struct http_exchange *x)
{
	struct call *c = (struct call *)x;

	INSIST(c && c->magic == CALL_MAGIC);
	return c;
}

/*
 * The connection's socket. A pointer that MHD_get_connection_info returned is good until the next such call only: 1.0.1
 * has one place for all its answers, where 0.9.75 points to the thing itself.
 */
int call_socket(const struct call *c);
/* libmicrohttpd's own time-out, of silence. Only inside a callback of libmicrohttpd, and not suspended: 0.9.75 moves
 * the connection between its lists of time-outs, and takes it for one that is in them. */
void call_set_silence(struct call *c, unsigned seconds);
/* Sets the answer, once a call. One that is set while a body comes in goes out by call_answer_early, a later one by
 * call_queue_answer. */
void call_set_answer(struct call *c, const struct http_answer *a);
/* The server's own errors: JSON where the owner speaks JSON. */
void call_set_error(struct call *c, unsigned status, const char *what);
bool call_is_answered(const struct call *c);
/* Answers while the rest of the body, which is not wanted, may still come. Returns what libmicrohttpd's handler has to
 * return: MHD_NO cuts the connection. */
enum MHD_Result call_answer_early(struct call *c);
enum MHD_Result call_queue_answer(struct call *c);

#endif

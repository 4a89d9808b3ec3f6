/* SPDX-License-Identifier: MIT */
/*
 * http/server: the one place that knows libmicrohttpd. Takes requests whole, lets the owner answer now or later.
 *
 * Life of an exchange (one request and its answer), on one of the pool's threads:
 *   1. begin(x)   headers are there, no body yet. Returns 0 to take the body, or answers early with
 *                 http_answer() and returns 1: the answer goes out at once, no byte of the body is kept, and the
 *                 connection ends with it. A body some MiB longer than max_body may still come, while the client is
 *                 not silent for 2 s: closing on unread bytes would reset the connection, and the client lose the
 *                 answer.
 *      reserve(x, n)
 *                 before the server holds n bytes of the body, all in all: the whole Content-Length before the first
 *                 byte, or what a chunked body is about to take, which grows in doubling steps. Returns 0, or answers
 *                 early as begin does and returns 1; the body is dropped then. n is 0, and must be granted, once the
 *                 server has dropped a body.
 *   2. complete(x) the whole body is there, at most max_body bytes. The handler either calls http_answer() before it
 *                 returns, or calls http_suspend(x) and THEN hands x to another thread, which later calls
 *                 http_resume(x, …) exactly once, from any thread; x must not be touched after that.
 *   3. done(x)    the answer is out or the client is gone; x->user is the owner's to free. Called once for every
 *                 exchange whose begin was called.
 * Handlers never block. A suspended exchange counts against max_connections, has no time-out, and a vanished client is
 * not noticed until it is resumed: whoever suspends must resume. A client that has shut its sending side is answered.
 *
 * The server itself answers, before begin: a request target, a header or a name of one that RFC 9112 does not allow
 * (control characters, NUL too; lines that end with LF alone or are continued), two Content-Length or Host, a
 * Content-Length together with Transfer-Encoding, a Transfer-Encoding other than chunked or in HTTP/1.0 (400); an
 * expectation other than 100-continue (417); bodies beyond max_body (413, from Content-Length as early as the headers
 * tell; a chunked body that grows beyond it after begin, and complete is then never called); a request beyond
 * per_address (503); what libmicrohttpd refuses (400, 431, or it closes the connection). HEAD goes through begin and
 * complete like any other method.
 *
 * Slow clients. timeout_ms is for silence, before a request and within it; three of it for a request as a whole, from
 * the connection's beginning or the last answer's end until its body is there, and three for the client to take an
 * answer. idle_ms takes its place between the answer to an exchange that the owner called proven (http_proven) and the
 * line of the next request. From three quarters of max_connections on, and beyond per_address, each new connection
 * costs another one its place: the one that has taken the longest over its request, or, while no more than a quarter of
 * the limit is asking, the one that has been idle the longest. Exchanges that are complete are never cut off so.
 * conn_limits.h has it in detail. So 3,000 clients that drip, from one address or from many, do not keep a good request
 * out.
 *
 * Traps of libmicrohttpd 0.9.75 that this module exists to keep: poll(2), not epoll; suspend before
 * publishing; quiesce before stop, or a socket passed by systemd dies; all suspended resumed before stop.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"

struct http_server;
struct http_answer;

struct http_exchange {
	const char *method;
	const char *path;  /* as it came, percent-encoded, without the query and the host of the absolute form */
	const char *query; /* raw text behind the "?", or "" */
	const char *body;  /* complete: NUL-terminated behind body_len bytes; begin: NULL */
	size_t body_len;
	int64_t received_ms;      /* clock_now_ms() when the headers were there */
	int64_t received_mono_ms; /* clock_mono_ms() then */
	void *user;               /* the owner's own state */
				  /* private members follow in exchange.c */
};

/* Why a connection was cut off, or its request refused. */
enum http_drop_reason {
	HTTP_DROP_SLOW,    /* it took too long over a request or an answer */
	HTTP_DROP_FULL,    /* it made room for another one, as max_connections are nearly there */
	HTTP_DROP_ADDRESS, /* its address held more than per_address */
};

struct http_handler {
	int (*begin)(void *ctx, struct http_exchange *x);
	int (*reserve)(void *ctx, struct http_exchange *x, size_t bytes); /* may be NULL: there always is */
	void (*complete)(void *ctx, struct http_exchange *x);
	void (*done)(void *ctx, struct http_exchange *x); /* may be NULL */
	void *ctx;
	/* Tells that a client was turned away, except for silence. From any thread of the server; may be NULL.
	 * peer: as http_peer() has it. */
	void (*dropped)(void *ctx, enum http_drop_reason why, const char *peer);
	/*
	 * Tells of a request that the server itself answered with an error: before begin (x->user is NULL, and x->path
	 * too where the target could not be read), or because a chunked body grew beyond max_body. what: why, static
	 * text. Takes no action: http_peer() and http_header…() are all that may be called with x, and the headers are
	 * there as far as they were read. On the pool's thread; may be NULL. What libmicrohttpd refuses by itself is
	 * not told.
	 */
	void (*refused)(void *ctx, struct http_exchange *x, unsigned status, const char *what);
};

/* Listening sockets passed by the service manager. */
#define HTTP_SOCKETS_MAX 8
struct http_sockets {
	int fds[HTTP_SOCKETS_MAX];
	size_t n;
};

struct http_server_options {
	const char *address;         /* "127.0.0.1:8085", "[::1]:8085", ":8085", "unix:PATH"; port 0: any free one */
	struct http_sockets sockets; /* take the address's place: all are served, under the same limits */
	unsigned threads;            /* pool size, 2…4; several sockets share them, but each has 2 at least */
	unsigned max_connections;
	unsigned per_address;               /* connections of one address, or of one /64 of IPv6; 0: no limit */
	const struct ip_network *uncounted; /* without the limit per_address, as loopback always is; copied */
	size_t uncounted_n;
	size_t max_body;    /* bytes */
	int64_t timeout_ms; /* of a slow client; whole seconds, at least 1 */
	int64_t idle_ms;    /* after a proven exchange; whole seconds; 0: timeout_ms */
	const char
		*error_member; /* the server's own errors are JSON, with their text in this member; NULL: plain text */
	const struct http_answer *malformed; /* to what HTTP does not allow; NULL: the server's own 400. Borrowed, until
					      * the server has stopped */
};

/* Listens and starts the threads. The handler's functions are called from several threads at once. */
int http_server_start(const struct http_server_options *o, const struct http_handler *h, struct http_server **ret,
		      struct err *reterr) MUSTCHECK;
/* "127.0.0.1:8085" as bound (the real port), or "unix:PATH"; of several sockets "A and B". Borrowed. */
const char *http_server_address(const struct http_server *s);
/* Stops accepting; connections that live are served on. The listening socket stays open. Once only. */
void http_server_quiesce(struct http_server *s);
/* Blocks until the handler knows the first request of every connection that was accepted, or that connection has ended;
 * until_mono_ms at the latest. */
void http_server_wait_headers(struct http_server *s, int64_t until_mono_ms);
/* Quiesces where that was not done, waits for nothing: every suspended exchange must be resumed. Removes the unix
 * socket's file where this server made it. Frees s; NULL allowed. */
void http_server_stop(struct http_server *s);

/* A request header's value by name without regard to case, or NULL. From begin, complete and until resume. Borrowed.
 * Here and below a value has no blanks or tabs around it (RFC 9110, 5.5), and the host of an absolute target stands for
 * that of the header Host. */
const char *http_header(struct http_exchange *x, const char *name);
/* All request headers, copied into *to in the order they came. */
void http_headers(struct http_exchange *x, struct pairs *to);
/* The values of all headers of that name in the order they came, joined with ", " as RFC 9110 5.3 reads them; NULL
 * where there is none. The caller owns it. */
char *http_header_list(struct http_exchange *x, const char *name);
/* How many headers of that name came: a second Content-Length or Authorization is a smuggler's. */
unsigned http_header_count(struct http_exchange *x, const char *name);
/* The peer's address as text, "unix" for a unix socket. Borrowed, for the exchange's life. */
const char *http_peer(struct http_exchange *x);

/* In begin or complete: the client showed a good proof, so the connection may be idle for idle_ms afterwards. */
void http_proven(struct http_exchange *x);

/* What goes back. The body is copied; extra headers are copied; type NULL: no Content-Type. */
struct http_answer {
	unsigned status;
	const char *type;
	const char *body;
	size_t body_len;
	const struct pairs *headers; /* NULL: none */
	bool close;                  /* Connection: close */
};
/* In begin, reserve or complete, once. In reserve: at most 4 KiB of body. */
void http_answer(struct http_exchange *x, const struct http_answer *a);
/* In complete: the body, NUL-terminated behind its body_len bytes, becomes the caller's; x->body is NULL then. */
char *http_take_body(struct http_exchange *x) MUSTCHECK;
/* In complete, instead of an answer; then publish x. */
void http_suspend(struct http_exchange *x);
/* From any thread, once for each suspended exchange; x is gone for the caller afterwards. */
void http_resume(struct http_exchange *x, const struct http_answer *a);
/* The same, but the connection is cut without an answer (by a reset where `reset`): for the sandbox's faults. */
void http_resume_cut(struct http_exchange *x, bool reset);

/* For tests: exchanges that were suspended and whose answer is not out yet. Quiesce, wait for 0, stop, and no answer is
 * lost. */
unsigned http_server_suspended(const struct http_server *s);

/* libmicrohttpd's version as loaded, for --version. Any thread; constant text. */
const char *http_server_library(void);

#endif

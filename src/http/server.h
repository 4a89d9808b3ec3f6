/* SPDX-License-Identifier: MIT */
/*
 * http/server: receives complete requests, and answers them now or later. Only it and its private files use
 * libmicrohttpd.
 *
 * Life of an exchange (one request and its answer), on one of the pool's threads:
 *   1. begin(x)    The headers have arrived, but not the body. Returns 0 to accept the body; or answers early with
 *                  http_answer() and returns 1. Then the answer is sent at once, the body is discarded, and the
 *                  connection ends. The server still reads some MiB beyond max_body, until 2 s of silence: closing on
 *                  unread bytes would reset the connection, and the client would lose the answer.
 *      reserve(x, n)
 *                  Called before the server holds n bytes of the body in total: the whole Content-Length before the
 *                  first byte, or what a chunked body is about to need, which grows in doubling steps. Returns 0; or
 *                  answers early as begin does and returns 1, and the body is dropped. Called with n = 0 after the
 *                  server dropped a body; that must be granted.
 *   2. complete(x) The body has arrived, at most max_body bytes. The handler calls http_answer() before it returns; or
 *                  it calls http_suspend(x) and THEN passes x to another thread, which later calls http_resume(x, …)
 *                  or http_wake(x) exactly once. x must not be used after that.
 *   3. woken(x)    After http_wake(x). The handler calls http_answer() before it returns. Not called if the client is
 *                  gone, or the server stops.
 *   4. done(x)     The answer is sent or the client is gone. The owner frees what its state refers to, and the server
 *                  the state itself. Called once for every exchange whose begin was called.
 *
 * Handlers never block. A suspended exchange counts against max_connections and has no timeout. The server notices a
 * disconnected client only after the resumption, so every suspended exchange must be resumed. A client that closed only
 * its sending side is answered.
 *
 * The server itself answers before begin, unless noted:
 * - 400 to a target or a header that RFC 9112 does not allow: control characters (also NUL), an invalid name, lines
 *   that end with LF only, folded lines;
 * - 400 to two Content-Length or two Host, to Content-Length together with Transfer-Encoding, to a Transfer-Encoding
 *   other than chunked or in HTTP/1.0;
 * - 417 to an expectation other than 100-continue;
 * - 413 to a body beyond max_body: by its Content-Length before begin; a chunked body after begin, as soon as it is too
 *   long, and then complete is never called;
 * - 503 to a request beyond per_address, or, with several sockets, beyond max_connections;
 * - libmicrohttpd answers 431 to a request line and headers of more than 15 KiB; many short headers count for more than
 *   their bytes, so 100 of 60 bytes are served. It answers 400, or closes the connection, where it refuses another
 *   request itself.
 *
 * HEAD goes through begin and complete like any other method.
 *
 * Slow clients. timeout_ms limits silence before and during a request. Three times timeout_ms limits a whole request
 * (from the connection's start or the last answer to the end of the body), and the reading of an answer. Between the
 * answer to a proven exchange (http_proven) and the next request line the limit is idle_ms instead. Near
 * max_connections and beyond per_address a new connection replaces a slow or idle one (conn_limits.h). So 3,000 slow
 * clients, from one address or many, do not block a good request.
 *
 * Rules that avoid bugs of libmicrohttpd 0.9.75:
 * - use poll(2), not epoll;
 * - suspend a connection before the exchange is passed to another thread;
 * - quiesce before the stop, otherwise a socket passed by systemd is shut down;
 * - resume all suspended exchanges before the stop.
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
	const char *path;  /* as received (percent-encoded), without the query and the host of the absolute form */
	const char *query; /* the raw text after the "?", or "" */
	const char *body;  /* in complete: NUL-terminated behind body_len bytes; in begin: NULL */
	size_t body_len;
	int64_t received_ms;      /* clock_now_ms() when the headers had arrived */
	int64_t received_mono_ms; /* clock_mono_ms() at the same moment */
	void *user;               /* the owner's own state: user_bytes zero bytes before begin */
				  /* the private members follow it in struct exchange */
};

/* The reason for dropping a connection or refusing its request. */
enum http_drop_reason {
	HTTP_DROP_SLOW,    /* its request or answer took too long */
	HTTP_DROP_FULL,    /* it was replaced near max_connections */
	HTTP_DROP_ADDRESS, /* its address had more than per_address */
};

struct http_handler {
	int (*begin)(void *ctx, struct http_exchange *x);
	int (*reserve)(void *ctx, struct http_exchange *x, size_t bytes); /* may be NULL: always granted */
	void (*complete)(void *ctx, struct http_exchange *x);
	void (*woken)(void *ctx, struct http_exchange *x); /* may be NULL: http_wake() is not used */
	void (*done)(void *ctx, struct http_exchange *x);  /* may be NULL */
	void *ctx;
	/* The size of the owner's state of an exchange (x->user). 0: x->user is the owner's pointer, at first NULL. */
	size_t user_bytes;
	/* Called when a connection was dropped or refused, except for silence. On any thread of the server; may be
	 * NULL. peer: as http_peer() writes it. */
	void (*dropped)(void *ctx, enum http_drop_reason why, const char *peer);
	/*
	 * Called for a request that the server itself answered with an error: before begin (x->user is untouched;
	 * x->path is NULL for an unreadable target), or because a chunked body exceeded max_body. what: the reason,
	 * static text. It may only call http_peer() and http_header…() with x; headers are present as far as they were
	 * read. On the pool's thread; may be NULL. Not called for requests that libmicrohttpd refuses.
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
	struct http_sockets sockets; /* used instead of the address; all share the limits */
	unsigned threads;            /* pool size, 2…4; several sockets share them, but each has at least 2 */
	unsigned max_connections;
	unsigned per_address;               /* connections of one address, or of one /64 of IPv6; 0: no limit */
	const struct ip_network *uncounted; /* networks without the limit per_address; loopback never has it; copied */
	size_t uncounted_n;
	size_t max_body;          /* bytes */
	int64_t timeout_ms;       /* see "Slow clients"; whole seconds, at least 1 */
	int64_t idle_ms;          /* after a proven exchange; whole seconds; 0: timeout_ms */
	const char *error_member; /* the server's errors are JSON with the text in this member; NULL: plain text */
	const struct http_answer *malformed; /* the answer to malformed requests; NULL: the server's own 400. Borrowed
					      * until the server has stopped */
};

/* Listens and starts the threads. Several of them call the handler's functions at the same time. */
int http_server_start(const struct http_server_options *o, const struct http_handler *h, struct http_server **ret,
		      struct err *reterr) MUSTCHECK;
/* "127.0.0.1:8085" as bound (the real port), or "unix:PATH"; of several sockets "A and B". Borrowed. */
const char *http_server_address(const struct http_server *s);
/* Stops accepting. Open connections are still served, and the listening socket stays open. Call once only. */
void http_server_quiesce(struct http_server *s);
/* Blocks until every accepted connection has sent its first headers or has ended, at most until until_mono_ms. */
void http_server_wait_headers(struct http_server *s, int64_t until_mono_ms);
/* Quiesces if needed, and stops without waiting: resume every suspended exchange before. Removes the unix socket's file
 * if this server made it. Frees s; NULL allowed. */
void http_server_stop(struct http_server *s);

/* Returns the first value of a request header (ASCII case ignored), or NULL. From begin until resume. Borrowed. Header
 * values here and below have no blanks or tabs around them (RFC 9110, 5.5). The host of an absolute target replaces the
 * value of Host. */
const char *http_header(struct http_exchange *x, const char *name);
/* Returns all request headers in order of arrival. Borrowed for the exchange's life. */
const struct pairs *http_headers(struct http_exchange *x);
/* Returns the values of all headers of that name in order of arrival, joined with ", " (RFC 9110, 5.3); NULL: none. The
 * caller owns it. */
char *http_header_list(struct http_exchange *x, const char *name);
/* Returns the number of headers of that name: a second Content-Length or Authorization may be request smuggling. */
unsigned http_header_count(struct http_exchange *x, const char *name);
/* True where the peer has an address: not for a unix socket. */
bool http_peer_ip(struct http_exchange *x, struct ip *ret);
/* Returns the peer's address as text, "unix" for a unix socket. Borrowed for the exchange's life. */
const char *http_peer(struct http_exchange *x);

/* In begin or complete. Marks the client's proof as good: its connection may then be idle for idle_ms. */
void http_proven(struct http_exchange *x);

/* An answer. Body and headers are copied. type NULL: no Content-Type. */
struct http_answer {
	unsigned status;
	const char *type;
	const char *body;
	size_t body_len;
	const struct pairs *headers; /* NULL: none */
	bool close;                  /* Connection: close */
};
/* Sets the answer, once: in begin, reserve, complete or woken. In reserve its body has at most 4 KiB. */
void http_answer(struct http_exchange *x, const struct http_answer *a);
/* In complete. Returns the body, NUL-terminated behind its body_len bytes; the caller owns it. Sets x->body to NULL. */
char *http_take_body(struct http_exchange *x) MUSTCHECK;
/* In complete, instead of an answer; not in woken. Publish x only afterwards. */
void http_suspend(struct http_exchange *x);
/* Any thread, once for each suspended exchange. The caller must not use x afterwards. */
void http_resume(struct http_exchange *x, const struct http_answer *a);
/* Resumes without an answer, so that woken() gives it on the pool's thread. Any thread, instead of http_resume(). */
void http_wake(struct http_exchange *x);
/* Resumes and closes the connection without an answer (`reset`: by a TCP reset). For the sandbox's faults. */
void http_resume_cut(struct http_exchange *x, bool reset);

/* For tests: the number of suspended exchanges whose answer is not sent. Quiesce, wait for 0 and stop, and no answer is
 * lost. */
unsigned http_server_suspended(const struct http_server *s);

/* The loaded version of libmicrohttpd, for --version. Any thread; constant text. */
const char *http_server_library(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * http/client: the one place that knows libcurl. Many transfers, one loop, one thread.
 *
 * A client belongs to the thread that runs its loop; only http_client_wake may be called from others. Transfers never
 * wait inside libcurl: the owner starts only what may run now. HTTP/1.1, kept alive, no redirects followed, no proxy
 * from the environment unless the URL is https and not loopback, TLS verified, https and http only.
 * SIGPIPE is ignored from the first http_client_new on: OpenSSL writes to connections that the other side has closed.
 * libcurl repeats a POST by itself where a kept-alive connection was dead: at-least-once, which `unique_id` absorbs.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

struct http_client;

/* What one transfer asks. Text is copied at start; the body is taken over. */
struct http_request {
	const char *method; /* "GET", "POST" */
	const char *url;
	const struct pairs *headers;
	char *body; /* owned by the call from http_client_start on; NULL: none */
	size_t body_len;
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t timeout_ms;         /* the whole transfer; 0: 30 s */
	size_t max_answer; /* bytes of the answer that are kept; what is longer fails with HTTP_TOO_LONG. 0: 64 KiB */
	const char *unix_socket; /* connect there instead of the URL's host; NULL: no */
	bool fresh; /* on a connection of its own. No caller yet: requests for many events will ask for it */
	/* Certificates of authorities (PEM) that are trusted for this transfer, in place of the system's; NULL: the
	 * system's. A connection that was made by other authorities is not used. */
	const char *authorities;
};

/* Why there was no complete answer. */
enum http_failure {
	HTTP_OK = 0, /* an answer of whatever status */
	HTTP_RESOLVE,
	HTTP_CONNECT,
	HTTP_TLS,         /* no TLS connection: the port does not speak it, or no version that is spoken here */
	HTTP_ISSUER,      /* the server's certificate: no authority that is trusted signed it */
	HTTP_EXPIRED,     /* the server's certificate: expired, or not valid yet */
	HTTP_OTHER_HOST,  /* the server's certificate: it names other hosts than the URL */
	HTTP_CERTIFICATE, /* another fault of a certificate, or of TLS on this side */
	HTTP_TIMEOUT,
	HTTP_BROKEN, /* reset, closed early, not HTTP */
	HTTP_TOO_LONG,
	HTTP_ABORTED, /* http_client_free while it ran */
};

struct http_response {
	enum http_failure failure;
	char error[256];      /* what libcurl said, for a person; "" on HTTP_OK */
	unsigned status;      /* 0 where no status line came; may be set on a failure too */
	char *type;           /* Content-Type, or NULL */
	struct pairs headers; /* all of the final answer's */
	struct buf body;
	int64_t took_us;
};

#define HTTP_WHY_MAX 512 /* bytes that hold every text of http_why, with its end */
/*
 * Why there was no complete answer, for a person, into out, which is returned: what libcurl said, and in parentheses
 * what mends it where that is known. issuer: what mends HTTP_ISSUER, as the caller knows which authorities count.
 */
const char *http_why(const struct http_response *response, const char *issuer, char out[HTTP_WHY_MAX]);
/* Whether http_why tells what mends a failure of that kind. */
bool http_why_has_remedy(enum http_failure failure);

/* Runs on the loop's thread. The reply is borrowed: valid until done returns. */
typedef void (*http_done_fn)(void *ctx, const struct http_response *response);

/* curl_global_init is made here, once a process; call first from main. */
struct http_client *http_client_new(const char *user_agent);
/* Aborts what runs (done is called with HTTP_ABORTED). NULL allowed. */
void http_client_free(struct http_client *c);
/* Loop thread only. An impossible URL is an error here, all else comes through done. */
int http_client_start(struct http_client *c, const struct http_request *request, http_done_fn done, void *ctx,
		      struct err *reterr) MUSTCHECK;
/* Performs what is ready, then waits for activity, a wake, or until_mono_ms (clock_mono_ms time; CLOCK_NEVER_MS). */
void http_client_turn(struct http_client *c, int64_t until_mono_ms);
/* Any thread: makes a waiting or coming http_client_turn return at once. */
void http_client_wake(struct http_client *c);

/* One transfer from start to end on the calling thread, for commands. *ret is the caller's: http_response_done. */
int http_fetch(const struct http_request *request, const char *user_agent, struct http_response *ret,
	       struct err *reterr) MUSTCHECK;
void http_response_done(struct http_response *r);

unsigned http_client_running(const struct http_client *c); /* for tests: calls that run */

/* The libraries as loaded, for --version: libcurl's version, and what it does TLS with ("OpenSSL/3.0.15"). Any thread;
 * constant text. */
const char *http_client_library(void);
const char *http_tls_library(void);

#endif

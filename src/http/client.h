/* SPDX-License-Identifier: MIT */
/*
 * http/client: many HTTP transfers on one loop and one thread. Only client.c uses libcurl.
 *
 * A client belongs to the thread that runs its loop; other threads may only call http_client_wake(). Transfers do not
 * queue inside libcurl: the owner starts only transfers that may run now.
 *
 * - HTTP/1.1 with kept-alive connections; http and https only; TLS is verified; redirects are not followed.
 * - A proxy from the environment is used only for an https URL that is not loopback.
 * - SIGPIPE is ignored from the first http_client_new() on, because OpenSSL writes to connections that the other side
 *   has closed.
 * - libcurl repeats a POST when a kept-alive connection was dead. So delivery is at least once; `unique_id` makes
 *   repeats harmless.
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

/* One request. Texts are copied at start; ownership of the body is taken. */
struct http_request {
	const char *method; /* "GET", "POST" */
	const char *url;
	const struct pairs *headers;
	char *body; /* http_client_start() takes ownership, also when it fails; NULL: none */
	size_t body_len;
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t timeout_ms;         /* of the whole transfer; 0: 30 s */
	size_t max_answer;          /* limit of the answer's body; a longer one is HTTP_TOO_LONG; 0: 64 KiB */
	const char *unix_socket;    /* connect to this socket, not to the URL's host; NULL: no */
	bool fresh;                 /* use a new connection; no caller yet, for bulk requests */
	/* Certificates of authorities (PEM) to trust for this transfer instead of the system's; NULL: the system's.
	 * Connections that were made with other authorities are not reused. */
	const char *authorities;
	/* Requests of one series (a number of the caller's) differ in the body only, which all of them have or none
	 * has: the other members of an earlier one may serve, which costs less. 0: of no series. */
	uint64_t series;
};

/* The reason for a missing or incomplete answer. */
enum http_failure {
	HTTP_OK = 0, /* an answer with any status */
	HTTP_RESOLVE,
	HTTP_CONNECT,
	HTTP_TLS,         /* TLS failed: the port does not speak it, or no common version */
	HTTP_ISSUER,      /* the server's certificate is signed by no trusted authority */
	HTTP_EXPIRED,     /* the server's certificate has expired, or is not valid yet */
	HTTP_OTHER_HOST,  /* the server's certificate is for other hosts */
	HTTP_CERTIFICATE, /* another fault of a certificate, or a TLS failure on this side */
	HTTP_TIMEOUT,
	HTTP_BROKEN, /* reset, closed early, not HTTP */
	HTTP_TOO_LONG,
	HTTP_ABORTED, /* http_client_free() ended it */
};

struct http_response {
	enum http_failure failure;
	char error[256];      /* libcurl's text, for people; "" on HTTP_OK */
	unsigned status;      /* 0: no status line; may be set on a failure too */
	char *type;           /* Content-Type, or NULL */
	struct pairs headers; /* those of the final answer */
	struct buf body;
	int64_t took_us;
};

#define HTTP_WHY_MAX 512 /* bytes for every text of http_why() with its NUL */
/*
 * Writes the failure for people to out, and returns out: libcurl's text, and the remedy in parentheses where one is
 * known. issuer: the remedy for HTTP_ISSUER, which depends on the caller's authorities.
 */
const char *http_why(const struct http_response *response, const char *issuer, char out[HTTP_WHY_MAX]);
/* True where http_why() knows a remedy for that failure. */
bool http_why_has_remedy(enum http_failure failure);

/* Runs on the loop's thread. The response is borrowed: valid until done returns. */
typedef void (*http_done_fn)(void *ctx, const struct http_response *response);

/* Calls curl_global_init() once a process; main makes the first call, before there are threads. */
struct http_client *http_client_new(const char *user_agent);
/* Aborts running transfers (done gets HTTP_ABORTED). NULL allowed. */
void http_client_free(struct http_client *c);
/* Loop thread only. An invalid URL or header, or a client that is being freed, is an error here; other failures reach
 * done. */
int http_client_start(struct http_client *c, const struct http_request *request, http_done_fn done, void *ctx,
		      struct err *reterr) MUSTCHECK;
/* Advances the transfers and calls done for each that has ended. If none has, waits for activity, a wake, or
 * until_mono_ms (clock_mono_ms; at most an hour). */
void http_client_turn(struct http_client *c, int64_t until_mono_ms);
/* Any thread. Makes the current or next http_client_turn() return at once. */
void http_client_wake(struct http_client *c);

/* Runs one transfer on the calling thread, for commands. The caller frees *ret with http_response_done(). */
int http_fetch(const struct http_request *request, const char *user_agent, struct http_response *ret,
	       struct err *reterr) MUSTCHECK;
void http_response_done(struct http_response *r);

unsigned http_client_running(const struct http_client *c); /* for tests: the number of running transfers */

/* Return the loaded versions of libcurl and of its TLS library ("OpenSSL/3.0.15"), for --version. Any thread; constant
 * text. */
const char *http_client_library(void);
const char *http_tls_library(void);

#endif

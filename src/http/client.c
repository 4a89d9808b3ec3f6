/* SPDX-License-Identifier: MIT */
/*
 * All code but http_client_wake() runs on the loop's thread. The multi handle keeps the connections, so they outlive
 * the easy handles. A transfer has its easy handle for life. It is in `running` from its start until its done() begins;
 * done() may start the next one. After its end it is in `idle` and is used again: by a request of the same series as it
 * is, so that only the body is set, by another after a reset. Nothing here survives a crash: the owner of the work
 * repeats an unanswered request.
 */
#include <config.h>

#include "http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"

#define CLIENT_CONNECT_TIMEOUT_MS 10000
#define CLIENT_TIMEOUT_MS 30000
#define CLIENT_MAX_ANSWER ((size_t)64 * 1024)
#define CLIENT_MAX_HEADERS 200
/* Requests of a series before its handle is reset. */
#define CLIENT_SERIES_USES 64
#define CLIENT_IDLE_HANDLES 32
#define CLIENT_IDLE_CONNECTIONS 64L
/* The other side may close an older idle connection just when we use it. */
#define CLIENT_IDLE_CONNECTION_S 50L

struct http_client {
	CURLM *multi;
	char *user_agent;
	struct transfer *running; /* doubly linked, newest first */
	unsigned n_running;
	struct transfer *idle[CLIENT_IDLE_HANDLES]; /* the one that ended last is the last */
	unsigned n_idle;
	bool closing;
};

struct transfer {
	struct transfer *prev, *next;
	CURL *easy;
	uint64_t series; /* 0: none */
	unsigned uses;   /* since the handle was reset */
	CURLU *url;
	struct curl_slist *headers;
	char *body; /* libcurl copies neither this nor the two above */
	http_done_fn done;
	void *ctx;
	struct http_response response;
	bool too_long;
	CURLcode setup; /* the error of the first option that libcurl refused; sticky */
};

/* Sets an option, unless an earlier one was refused. */
#define SET(transfer, option, value)                                                           \
	do {                                                                                   \
		if ((transfer)->setup == CURLE_OK)                                             \
			(transfer)->setup = curl_easy_setopt((transfer)->easy, option, value); \
	} while (0)

static pthread_once_t client_once = PTHREAD_ONCE_INIT;

static void client_init_process(void)
{
	INSIST(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	/* OpenSSL writes to sockets that may be closed, and libcurl must not change signal handlers in a process with
	 * threads. */
	(void)signal(SIGPIPE, SIG_IGN);
}

struct http_client *http_client_new(const char *user_agent)
{
	struct http_client *c = mem_new(1, sizeof(*c));

	INSIST(pthread_once(&client_once, client_init_process) == 0);
	c->user_agent = mem_str(user_agent);
	c->multi = curl_multi_init();
	INSIST(c->multi);
	INSIST(curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, CLIENT_IDLE_CONNECTIONS) == CURLM_OK);
	return c;
}

/* ---- responses --------------------------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct transfer *transfer = ctx;

	buf_add(&transfer->response.body, bytes, size * n);
	if (transfer->response.body.error < 0) {
		transfer->too_long = true;
		return 0;
	}
	return size * n;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
	struct transfer *transfer = ctx;
	char *line;
	char *colon;

	line = mem_dup(bytes, size * n);
	if (strncmp(line, "HTTP/", 5) == 0) {
		pairs_done(&transfer->response.headers); /* a 100 came before; only the final answer's headers count */
	} else if ((colon = strchr(line, ':')) && transfer->response.headers.n < CLIENT_MAX_HEADERS) {
		*colon = '\0';
		pairs_add(&transfer->response.headers, text_trim(line), text_trim(colon + 1));
	}
	free(line);
	return size * n;
}

/* Results of OpenSSL's SSL_get_verify_result(3), by the numbers in <openssl/x509_vfy.h>, which are part of its ABI. */
enum {
	X509_OK = 0,
	X509_UNSPECIFIED = 1, /* libcurl's value until the chain was found good; it compares the host before it changes
			       * the value */
	X509_NO_ISSUER = 2,
	X509_NOT_YET_VALID = 9,
	X509_EXPIRED = 10,
	X509_SELF_SIGNED = 18,
	X509_SELF_SIGNED_IN_CHAIN = 19,
	X509_NO_ISSUER_HERE = 20,
	X509_LEAF_ALONE = 21,
	X509_OTHER_HOST = 62,
	X509_OTHER_IP = 64,
};

/* Returns the reason for which the server's certificate was refused. */
static enum http_failure refusal_of(const struct transfer *transfer)
{
	long result = X509_UNSPECIFIED;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	switch (result) {
	case X509_NO_ISSUER:
	case X509_SELF_SIGNED:
	case X509_SELF_SIGNED_IN_CHAIN:
	case X509_NO_ISSUER_HERE:
	case X509_LEAF_ALONE:
		return HTTP_ISSUER;
	case X509_NOT_YET_VALID:
	case X509_EXPIRED:
		return HTTP_EXPIRED;
	case X509_OK:
	case X509_UNSPECIFIED:
	case X509_OTHER_HOST:
	case X509_OTHER_IP:
		return HTTP_OTHER_HOST;
	default:
		return HTTP_CERTIFICATE;
	}
}

static enum http_failure failure_of(const struct transfer *transfer, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return HTTP_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return HTTP_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_USE_SSL_FAILED:
		return HTTP_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
		return refusal_of(transfer);
	case CURLE_SSL_CACERT_BADFILE: /* the system's store */
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_ISSUER;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_CERTIFICATE;
	default:
		return transfer->too_long ? HTTP_TOO_LONG : HTTP_BROKEN;
	}
}

static void set_error(struct http_response *response, const char *text)
{
	(void)snprintf(response->error, sizeof(response->error), "%s", text);
}

static void fill_response(struct transfer *transfer, CURLcode code)
{
	struct http_response *response = &transfer->response;
	curl_off_t took_us = 0;
	long status = 0;

	response->failure = failure_of(transfer, code);
	if (response->failure == HTTP_OK)
		response->error[0] = '\0';
	else if (response->failure == HTTP_TOO_LONG)
		set_error(response, "the answer is longer than the limit");
	else if (response->error[0] == '\0')
		set_error(response, curl_easy_strerror(code));
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &took_us);
	response->status = (unsigned)status;
	response->took_us = took_us;
	response->type = mem_str(pairs_get(&response->headers, "Content-Type"));
}

void http_response_done(struct http_response *r)
{
	free(r->type);
	pairs_done(&r->headers);
	buf_done(&r->body);
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

/* Wipes the headers, because one of them may hold a key. */
static void headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(headers);
}

static void transfer_free(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_url_cleanup(transfer->url);
	headers_free(transfer->headers);
	free(transfer);
}

/* Forgets the request, except what the next one of its series needs. libcurl counts how often it repeated a request on
 * a dead connection, and gives up at the sixth time. Only a reset clears this count. So the next request resets a
 * handle that made a connection, as a repeat nearly always does, or that was used often, as a repeat may use another
 * idle connection. */
static void transfer_retire(struct http_client *c, struct transfer *transfer)
{
	long connects = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0 || ++transfer->uses >= CLIENT_SERIES_USES)
		transfer->series = 0;
	free(TAKE(transfer->body));
	http_response_done(&transfer->response);
	if (c->n_idle < CLIENT_IDLE_HANDLES)
		c->idle[c->n_idle++] = transfer;
	else
		transfer_free(transfer);
}

/* Returns an idle transfer, one that is prepared for the series where there is one, or a new one. */
static struct transfer *transfer_get(struct http_client *c, uint64_t series)
{
	struct transfer *transfer;
	unsigned i = c->n_idle;

	if (i == 0) {
		transfer = mem_new(1, sizeof(*transfer));
		transfer->easy = curl_easy_init();
		INSIST(transfer->easy);
		return transfer;
	}
	while (i > 0 && c->idle[i - 1]->series != series)
		i--;
	/* None of the series: the one that was not used for the longest time. */
	if (i > 0)
		i--;
	transfer = c->idle[i];
	c->n_idle--;
	memmove(&c->idle[i], &c->idle[i + 1], (c->n_idle - i) * sizeof(*c->idle));
	return transfer;
}

/* Takes the transfer out of the loop, calls done() and retires it. */
static void transfer_end(struct http_client *c, struct transfer *transfer)
{
	INSIST(curl_multi_remove_handle(c->multi, transfer->easy) == CURLM_OK);
	if (transfer->prev)
		transfer->prev->next = transfer->next;
	else
		c->running = transfer->next;
	if (transfer->next)
		transfer->next->prev = transfer->prev;
	c->n_running--;
	transfer->done(transfer->ctx, &transfer->response);
	transfer_retire(c, transfer);
}

static void add_header_line(struct transfer *transfer, char *line)
{
	struct curl_slist *more = curl_slist_append(transfer->headers, line);

	INSIST(more);
	transfer->headers = more;
	mem_wipe_str(line);
}

/* Refuses line ends in a name or value, because they would inject further headers. */
static int set_headers(struct transfer *transfer, const struct pairs *headers, struct err *reterr)
{
	add_header_line(transfer, mem_str("Expect:")); /* do not wait for 100 */
	for (size_t i = 0; headers && i < headers->n; i++) {
		const struct pair *h = &headers->items[i];

		if (h->name[0] == '\0' || strpbrk(h->name, "\r\n: ") || strpbrk(h->value, "\r\n"))
			return err_set(reterr, -EINVAL, "the header %zu cannot be sent: no name, or line ends in it",
				       i + 1);
		/* libcurl omits a header given as "Name:", and sends "Name;" with an empty value. */
		add_header_line(transfer, mem_fmt(h->value[0] != '\0' ? "%s: %s" : "%s;", h->name, h->value));
	}
	SET(transfer, CURLOPT_HTTPHEADER, transfer->headers);
	return 0;
}

/* Reads the URL and checks that it can be requested. *ret_direct: true where the environment's proxy must not be used.
 */
static int set_url(struct transfer *transfer, const char *url, bool *ret_direct, struct err *reterr)
{
	char *scheme = NULL;
	char *host = NULL;
	CURLUcode code;
	int r = 0;

	transfer->url = curl_url();
	INSIST(transfer->url);
	code = curl_url_set(transfer->url, CURLUPART_URL, url, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(transfer->url, CURLUPART_SCHEME, &scheme, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(transfer->url, CURLUPART_HOST, &host, 0);
	if (code != CURLUE_OK)
		r = err_set(reterr, -EINVAL, "this is no URL that can be asked: %s", curl_url_strerror(code));
	else if (!text_same(scheme, "http") && !text_same(scheme, "https"))
		r = err_set(reterr, -EINVAL, "a URL begins with https:// or http://, not %s://", scheme);
	else
		*ret_direct = text_same(scheme, "http") || host_is_loopback(host);
	curl_free(scheme);
	curl_free(host);
	SET(transfer, CURLOPT_CURLU, transfer->url);
	return r;
}

static void set_body(struct transfer *transfer, const struct http_request *request)
{
	SET(transfer, CURLOPT_POSTFIELDS, transfer->body ? transfer->body : "");
	SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(transfer->body ? request->body_len : 0));
}

static void set_method(struct transfer *transfer, const struct http_request *request)
{
	if (transfer->body || text_is(request->method, "POST")) {
		SET(transfer, CURLOPT_POST, 1L);
		set_body(transfer, request);
	} else if (text_is(request->method, "HEAD")) {
		SET(transfer, CURLOPT_NOBODY, 1L);
	}
	/* Other methods are set by name. libcurl has chosen POST with a body, and GET without one. */
	if (!text_is(request->method, transfer->body ? "POST" : "GET") && !text_is(request->method, "POST") &&
	    !text_is(request->method, "HEAD"))
		SET(transfer, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Sets all that the body does not decide. */
static int set_all(struct http_client *c, struct transfer *transfer, const struct http_request *request,
		   struct err *reterr)
{
	bool direct = false;
	int r;

	r = set_url(transfer, request->url, &direct, reterr);
	if (r < 0)
		return r;
	r = set_headers(transfer, request->headers, reterr);
	if (r < 0)
		return r;
	set_method(transfer, request);
	SET(transfer, CURLOPT_PRIVATE, transfer);
	SET(transfer, CURLOPT_NOSIGNAL, 1L);
	/* Otherwise libcurl blocks this thread, after a timeout of name resolution, until its resolver thread has
	 * ended. */
	SET(transfer, CURLOPT_QUICK_EXIT, 1L);
	SET(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(transfer, CURLOPT_FOLLOWLOCATION, 0L);
	SET(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(transfer, CURLOPT_MAXAGE_CONN, CLIENT_IDLE_CONNECTION_S);
	SET(transfer, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(request->connect_timeout_ms > 0 ? request->connect_timeout_ms : CLIENT_CONNECT_TIMEOUT_MS));
	SET(transfer, CURLOPT_TIMEOUT_MS, (long)(request->timeout_ms > 0 ? request->timeout_ms : CLIENT_TIMEOUT_MS));
	SET(transfer, CURLOPT_ERRORBUFFER, transfer->response.error);
	SET(transfer, CURLOPT_WRITEFUNCTION, on_body);
	SET(transfer, CURLOPT_WRITEDATA, transfer);
	SET(transfer, CURLOPT_HEADERFUNCTION, on_header);
	SET(transfer, CURLOPT_HEADERDATA, transfer);
	if (c->user_agent)
		SET(transfer, CURLOPT_USERAGENT, c->user_agent);
	if (direct || request->unix_socket)
		SET(transfer, CURLOPT_PROXY, "");
	if (request->unix_socket)
		SET(transfer, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	if (request->authorities) {
		struct curl_blob pem = {(void *)request->authorities, strlen(request->authorities), CURL_BLOB_COPY};

		SET(transfer, CURLOPT_CAPATH, NULL); /* the system's */
		SET(transfer, CURLOPT_CAINFO_BLOB, &pem);
	}
	if (request->fresh) {
		SET(transfer, CURLOPT_FRESH_CONNECT, 1L);
		SET(transfer, CURLOPT_FORBID_REUSE, 1L);
	}
	return 0;
}

static int set_up(struct http_client *c, struct transfer *transfer, const struct http_request *request,
		  struct err *reterr)
{
	int r = 0;

	if (transfer->series != 0 && transfer->series == request->series) {
		if (transfer->body)
			set_body(transfer, request);
	} else {
		curl_easy_reset(transfer->easy);
		curl_url_cleanup(TAKE(transfer->url));
		headers_free(TAKE(transfer->headers));
		transfer->setup = CURLE_OK;
		transfer->uses = 0;
		r = set_all(c, transfer, request, reterr);
	}
	if (r < 0)
		return r;
	if (transfer->setup != CURLE_OK)
		return err_set(reterr, -EINVAL, "the request cannot be made: %s", curl_easy_strerror(transfer->setup));
	return 0;
}

int http_client_start(struct http_client *c, const struct http_request *request, http_done_fn done, void *ctx,
		      struct err *reterr)
{
	struct transfer *transfer = transfer_get(c, request->series);
	int r;

	transfer->too_long = false;
	transfer->body = request->body;
	transfer->done = done;
	transfer->ctx = ctx;
	transfer->response = (struct http_response){0};
	buf_init(&transfer->response.body, request->max_answer > 0 ? request->max_answer : CLIENT_MAX_ANSWER);
	if (c->closing)
		r = err_set(reterr, -ESHUTDOWN, "the client stops");
	else
		r = set_up(c, transfer, request, reterr);
	transfer->series = r < 0 ? 0 : request->series;
	if (r < 0) {
		transfer_retire(c, transfer);
		return r;
	}
	INSIST(curl_multi_add_handle(c->multi, transfer->easy) == CURLM_OK);
	transfer->prev = NULL;
	transfer->next = c->running;
	if (c->running)
		c->running->prev = transfer;
	c->running = transfer;
	c->n_running++;
	return 0;
}

unsigned http_client_running(const struct http_client *c)
{
	return c->n_running;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

void http_client_turn(struct http_client *c, int64_t until_mono_ms)
{
	int64_t left_ms = CLOCK_HOUR_MS;
	bool finished = false;
	int64_t now_ms;
	struct transfer *transfer;
	int running, left;
	CURLcode code;
	CURLMsg *msg;

	INSIST(curl_multi_perform(c->multi, &running) == CURLM_OK);
	while ((msg = curl_multi_info_read(c->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result; /* removing the handle frees msg */
		INSIST(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK);
		fill_response(transfer, code);
		transfer_end(c, transfer);
		finished = true;
	}
	/* A finished transfer changes what the owner wants next, so until_mono_ms may be out of date. */
	if (finished)
		return;
	now_ms = clock_mono_ms();
	if (until_mono_ms <= now_ms)
		return;
	if (until_mono_ms - now_ms < left_ms)
		left_ms = until_mono_ms - now_ms;
	INSIST(curl_multi_poll(c->multi, NULL, 0, (int)left_ms, NULL) == CURLM_OK);
}

void http_client_wake(struct http_client *c)
{
	INSIST(curl_multi_wakeup(c->multi) == CURLM_OK);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	c->closing = true;
	while (c->running) {
		struct transfer *transfer = c->running;

		transfer->response.failure = HTTP_ABORTED;
		set_error(&transfer->response, "stopped while it ran");
		transfer_end(c, transfer);
	}
	while (c->n_idle > 0)
		transfer_free(c->idle[--c->n_idle]);
	(void)curl_multi_cleanup(c->multi);
	free(c->user_agent);
	free(c);
}

/* ---- library versions -------------------------------------------------------------------------------------------- */

const char *http_client_library(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

const char *http_tls_library(void)
{
	const char *name = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return name ? name : "none";
}

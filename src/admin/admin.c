/* SPDX-License-Identifier: MIT */
/*
 * The admin listener. It owns its HTTP server. A request is answered on the thread that read it, from counters or from
 * a read-only store opened for it. Only a reload is suspended, until the main thread has done it. Nothing here can
 * block intake or deliveries.
 */
#include <config.h>

#include "admin/admin.h"

#include <string.h>

#include "admin/api.h"
#include "admin/auth.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/known_secrets.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/percent.h"
#include "conf/admin_token.h"
#include "http/address.h"
#include "http/server.h"

#define ADMIN_THREADS 2
#define ADMIN_CONNECTIONS 64
#define ADMIN_BODY_MAX 65536
#define ADMIN_TIMEOUT_MS 10000
#define METRICS_MAX (8 * 1024 * 1024)

struct admin {
	struct http_server *server;
	struct auth *auth;
	struct pipeline *pipeline;
	struct admin_reloader reloader;
	int64_t started_ms;
};

struct route {
	const char *path;
	bool change; /* POST, else GET and HEAD */
	/* one of the two: serve answers the exchange, make returns the tree of the answer */
	void (*serve)(struct admin *a, struct http_exchange *x);
	unsigned (*make)(const struct api_request *, struct json_object **, struct err *);
};

static void answer_text(struct http_exchange *x, unsigned status, const char *type, const char *body)
{
	http_answer(x, &(struct http_answer){.status = status, .type = type, .body = body, .body_len = strlen(body)});
}

/* Refuses a request and closes the connection. name and value: another header, or NULL. body: JSON. */
static void refuse(struct http_exchange *x, unsigned status, const char *body, const char *name, const char *value)
{
	CLEANUP(pairs_done) struct pairs headers = {0};
	struct http_answer answer = {.status = status,
				     .type = "application/json",
				     .body = body,
				     .body_len = strlen(body),
				     .headers = &headers,
				     .close = true};

	if (name)
		pairs_add(&headers, name, value);
	http_answer(x, &answer);
}

static void answer_json(struct http_exchange *x, unsigned status, struct json_object *owned)
{
	/* The store may hold a secret that an earlier version let in. */
	CLEANUP(mem_freep) char *text = known_secrets_json(owned);

	json_object_put(owned);
	answer_text(x, status, "application/json", text);
}

static void answer_error(struct http_exchange *x, unsigned status, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_set_str(o, "error", text);
	answer_json(x, status, o);
}

static void serve_healthz(struct admin *a, struct http_exchange *x)
{
	(void)a;
	answer_text(x, 200, "application/json", "{\"status\":\"alive\"}");
}

static void serve_readyz(struct admin *a, struct http_exchange *x)
{
	struct err why = {0};

	if (pipeline_readiness(a->pipeline, &why)) {
		answer_text(x, 200, "application/json", "{\"status\":\"ready\"}");
		return;
	}
	struct json_object *o = json_object_new_object();
	json_set_str(o, "status", "not ready");
	json_set_str(o, "reason", why.text);
	answer_json(x, 503, o);
}

static void serve_metrics(struct admin *a, struct http_exchange *x)
{
	struct buf text;

	(void)a;
	metrics_set(METRIC_JSON_READS, NULL, NULL, NULL, (double)json_reads());
	buf_init(&text, METRICS_MAX);
	metrics_render(&text);
	if (text.error)
		answer_error(x, 500, "more metrics than an answer can hold");
	else
		answer_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", text.data);
	buf_done(&text);
}

static void serve_reload(struct admin *a, struct http_exchange *x)
{
	admin_reload_begin(&a->reloader, x);
}

static void serve_api(struct admin *a, struct http_exchange *x, const struct route *route)
{
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	struct pairs query = {0};
	struct json_object *tree = NULL;
	struct err error = {0};

	percent_read_query(x->query, &query);
	struct api_request request = {
		.pipeline = a->pipeline, .generation = g, .query = &query, .started_ms = a->started_ms};
	unsigned status = route->make(&request, &tree, &error);
	if (status == 200)
		answer_json(x, 200, tree);
	else
		answer_error(x, status, error.text);
	pairs_done(&query);
}

static const struct route routes[] = {
	{"/healthz", .serve = serve_healthz},
	{"/readyz", .serve = serve_readyz},
	{"/metrics", .serve = serve_metrics},
	{"/api/status", .make = api_status},
	{"/api/events", .make = api_events},
	{"/api/webhooks", .make = api_webhooks},
	{"/api/reload", .change = true, .serve = serve_reload},
};

static const struct route *route_of(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* Answers a request where the daemon has no token: none could be made at the start, or none could be read. The next
 * request may find that the cause is corrected. */
static void refuse_without_token(struct http_exchange *x, const struct config *c)
{
	struct err why = {0};
	CLEANUP(mem_freep) char *error = NULL;
	struct admin_token_found found;

	if (!c->admin.token_file) {
		answer_error(x, 503, "the daemon has no admin token: admin.token has no value");
		return;
	}
	if (admin_token_ensure(c->admin.token_file, &found, &why) == 0)
		error = mem_fmt("the daemon takes the admin token %s in this moment: ask again", c->admin.token_file);
	else
		error = mem_fmt("the daemon has no admin token: %s", why.text);
	answer_error(x, 503, error);
}

static int on_begin(void *ctx, struct http_exchange *x)
{
	struct admin *a = ctx;
	const struct route *route = route_of(x->path);
	const bool is_api = strncmp(x->path, "/api", 4) == 0 && (x->path[4] == '/' || x->path[4] == '\0');
	const bool is_change = route && route->change;
	const bool is_get = text_is(x->method, "GET") || text_is(x->method, "HEAD");
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	enum auth_verdict verdict;

	if (is_api) {
		verdict = auth_check_origin(a->auth, x, g->config);
		if (verdict != AUTH_OK) {
			refuse(x, 403,
			       verdict == AUTH_HOST
				       ? "{\"error\":\"the Host of this request is neither loopback nor one of "
					 "admin.hosts\"}"
				       : "{\"error\":\"the Origin of this request is another place: web pages of "
					 "others get nothing here\"}",
			       NULL, NULL);
			return 1;
		}
	}
	if (is_change ? !text_is(x->method, "POST") : !is_get) {
		refuse(x, 405,
		       is_change ? "{\"error\":\"this is a change: POST it\"}"
				 : "{\"error\":\"this path answers GET only\"}",
		       "Allow", is_change ? "POST" : "GET, HEAD");
		return 1;
	}
	verdict = is_api ? auth_check_token(a->auth, x, g) : AUTH_OK;
	if (verdict == AUTH_NO_TOKEN)
		refuse_without_token(x, g->config);
	else if (verdict != AUTH_OK)
		refuse(x, 401, "{\"error\":\"the right admin token is needed: Authorization: Bearer TOKEN\"}",
		       "WWW-Authenticate", "Bearer");
	return verdict != AUTH_OK;
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct admin *a = ctx;
	const struct route *route = route_of(x->path);

	if (route && route->make)
		serve_api(a, x, route);
	else if (route)
		route->serve(a, x);
	else
		answer_error(x, 404,
			     "no such page; there are /healthz, /readyz, /metrics, /api/status, /api/events, "
			     "/api/webhooks, and POST /api/reload");
}

/* True where only owner and group can connect to each unix socket. A socket made by this process has the mode 0660;
 * systemd makes a socket with the mode in its unit. */
static bool mode_is_proof(const char *address, const struct http_sockets *passed)
{
	bool proof = true;
	unsigned mode;

	for (size_t i = 0; i < passed->n; i++) {
		if (!http_address_socket_mode(passed->fds[i], &mode) || (mode & 02) == 0)
			continue;
		log_warning(NULL,
			    "every account of this machine may connect to the admin socket %s (mode %04o), so that the "
			    "token is needed there: SocketMode=0660 in its socket unit lets the mode be the proof",
			    address, mode);
		proof = false;
	}
	return proof;
}

int admin_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed,
		const struct admin_reloader *reloader, struct admin **ret, struct err *reterr)
{
	struct admin *a = mem_new(1, sizeof(*a));
	struct http_server_options options = {
		.address = c->admin.address,
		.sockets = *passed,
		.threads = ADMIN_THREADS,
		.max_connections = ADMIN_CONNECTIONS,
		.max_body = ADMIN_BODY_MAX,
		.timeout_ms = ADMIN_TIMEOUT_MS,
		.error_member = "error",
	};
	struct http_handler handler = {.begin = on_begin, .complete = on_complete, .ctx = a};

	a->pipeline = p;
	a->reloader = *reloader;
	a->started_ms = clock_now_ms();
	a->auth = auth_new(mode_is_proof(c->admin.address, passed));
	int code = http_server_start(&options, &handler, &a->server, reterr);
	if (code < 0) {
		(void)err_prefix(reterr, "admin.address");
		auth_free(a->auth);
		free(a);
		return code;
	}
	*ret = a;
	return 0;
}

const char *admin_address(const struct admin *a)
{
	return http_server_address(a->server);
}

void admin_stop(struct admin *a)
{
	if (!a)
		return;
	http_server_stop(a->server);
	auth_free(a->auth);
	free(a);
}

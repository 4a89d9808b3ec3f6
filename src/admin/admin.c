/*
 * The admin listener. Owns its HTTP server; every request is answered on the thread that read it, from counters or from
 * a read-only store opened for it, but for a reload, which is suspended until the main thread has done it. Nothing here
 * can hold up intake or deliveries.
 */
#include <config.h>

#include "admin/admin.h"

#include <string.h>
#include <strings.h>

#include "admin/api.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/known.h"
#include "base/metrics.h"
#include "helpdesk/scope.h"
#include "http/server.h"

#define ADMIN_THREADS 2
#define ADMIN_CONNECTIONS 64
#define ADMIN_BODY_MAX 65536
#define ADMIN_TIMEOUT_MS 10000
#define METRICS_MAX (8 * 1024 * 1024)

struct admin {
	struct http_server *server;
	struct pipeline *pipeline;
	struct admin_reloader reloader;
	int64_t started_ms;
};

struct route {
	const char *path;
	bool open;   /* needs no token */
	bool change; /* POST, else GET and HEAD */
	void (*serve)(struct admin *a, struct http_exchange *x, const struct generation *g);
};

/* name and value: one more header, or NULL. */
static void answer_with(struct http_exchange *x, unsigned status, const char *type, const char *body, const char *name,
			const char *value)
{
	CLEANUP(pairs_done) struct pairs headers = {0};
	struct http_answer answer = {
		.status = status, .type = type, .body = body, .body_len = strlen(body), .headers = &headers};

	if (name)
		pairs_add(&headers, name, value);
	http_answer(x, &answer);
}

static void answer_text(struct http_exchange *x, unsigned status, const char *type, const char *body)
{
	answer_with(x, status, type, body, NULL, NULL);
}

static void answer_json(struct http_exchange *x, unsigned status, struct json_object *owned)
{
	CLEANUP(strikes_unrefp) struct strikes *secrets = known_secrets();
	CLEANUP(mem_freep) char *text = NULL;

	/* The store may hold what an earlier version let in. */
	json_strike(owned, secrets);
	text = json_shown(owned, false);
	json_object_put(owned);
	answer_text(x, status, "application/json", text);
}

static void answer_error(struct http_exchange *x, unsigned status, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_set_str(o, "error", text);
	answer_json(x, status, o);
}

static void serve_healthz(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	(void)a;
	(void)g;
	answer_text(x, 200, "application/json", "{\"status\":\"alive\"}");
}

static void serve_readyz(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	struct err why = {0};

	(void)g;
	if (pipeline_readiness(a->pipeline, &why)) {
		answer_text(x, 200, "application/json", "{\"status\":\"ready\"}");
		return;
	}
	struct json_object *o = json_object_new_object();
	json_set_str(o, "status", "not ready");
	json_set_str(o, "reason", why.text);
	answer_json(x, 503, o);
}

static void serve_metrics(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	struct buf text;

	(void)a;
	(void)g;
	buf_init(&text, METRICS_MAX);
	metrics_render(&text);
	if (text.error)
		answer_error(x, 500, "more metrics than an answer can hold");
	else
		answer_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", text.data);
	buf_done(&text);
}

static void serve_api(struct admin *a, struct http_exchange *x, const struct generation *g,
		      unsigned (*make)(const struct api_request *, struct json_object **, struct err *))
{
	struct pairs query = {0};
	struct json_object *tree = NULL;
	struct err error = {0};

	scope_query(x->query, &query);
	struct api_request request = {
		.pipeline = a->pipeline, .generation = g, .query = &query, .started_ms = a->started_ms};
	unsigned status = make(&request, &tree, &error);
	if (status == 200)
		answer_json(x, 200, tree);
	else
		answer_error(x, status, error.text);
	pairs_done(&query);
}

static void serve_status(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	serve_api(a, x, g, api_status);
}

static void serve_events(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	serve_api(a, x, g, api_events);
}

static void serve_webhooks(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	serve_api(a, x, g, api_webhooks);
}

static void serve_reload(struct admin *a, struct http_exchange *x, const struct generation *g)
{
	(void)g;
	admin_reload_begin(&a->reloader, x);
}

static const struct route routes[] = {
	{"/healthz", .open = true, .serve = serve_healthz},
	{"/readyz", .open = true, .serve = serve_readyz},
	{"/metrics", .serve = serve_metrics},
	{"/api/status", .serve = serve_status},
	{"/api/events", .serve = serve_events},
	{"/api/webhooks", .serve = serve_webhooks},
	{"/api/reload", .change = true, .serve = serve_reload},
};

static const struct route *route_of(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* Whether the request shows the token, where one is configured. */
static bool is_allowed(struct http_exchange *x, const struct generation *g)
{
	static const char scheme[] = "Bearer ";
	const struct secret *token = g->config->admin.token;
	const char *shown = http_header(x, "Authorization");
	bool good = false;
	size_t n;

	if (!token)
		return true;
	if (!shown || strncasecmp(shown, scheme, sizeof(scheme) - 1) != 0)
		return false;
	shown += sizeof(scheme) - 1;
	const char *const *values = secret_values(g->secrets, token, &n);
	for (size_t i = 0; i < n; i++)
		good |= digest_equal(shown, strlen(shown), values[i], strlen(values[i]));
	return good;
}

static int on_begin(void *ctx, struct http_exchange *x)
{
	const struct route *route = route_of(x->path);
	bool change = route && route->change;

	(void)ctx;
	if (change && strcmp(x->method, "POST") == 0) {
		if (!http_header(x, "Origin"))
			return 0;
		answer_error(x, 403, "changes are not taken from web pages: this request has an Origin");
	} else if (!change && (strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0)) {
		return 0;
	} else {
		answer_with(x, 405, "application/json",
			    change ? "{\"error\":\"this is a change: POST it\"}"
				   : "{\"error\":\"this path answers GET only\"}",
			    "Allow", change ? "POST" : "GET, HEAD");
	}
	return 1;
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct admin *a = ctx;
	const struct route *route = route_of(x->path);
	CLEANUP(generation_unrefp) struct generation *g = generation_current();

	if (!(route && route->open) && !is_allowed(x, g))
		answer_with(x, 401, "application/json",
			    "{\"error\":\"the right admin token is needed: Authorization: Bearer TOKEN\"}",
			    "WWW-Authenticate", "Bearer");
	else if (route)
		route->serve(a, x, g);
	else
		answer_error(x, 404,
			     "no such page; there are /healthz, /readyz, /metrics, /api/status, /api/events, "
			     "/api/webhooks, and POST /api/reload");
}

int admin_start(struct pipeline *p, const struct config *c, int listen_fd, const struct admin_reloader *reloader,
		struct admin **ret, struct err *reterr)
{
	struct admin *a = mem_new(1, sizeof(*a));
	struct http_server_options options = {
		.address = c->admin.address,
		.listen_fd = listen_fd,
		.threads = ADMIN_THREADS,
		.max_connections = ADMIN_CONNECTIONS,
		.max_body = ADMIN_BODY_MAX,
		.timeout_ms = ADMIN_TIMEOUT_MS,
		.error_type = "application/json",
	};
	struct http_handler handler = {.begin = on_begin, .complete = on_complete, .ctx = a};

	a->pipeline = p;
	a->reloader = *reloader;
	a->started_ms = clock_now_ms();
	int code = http_server_start(&options, &handler, &a->server, reterr);
	if (code < 0) {
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
	free(a);
}

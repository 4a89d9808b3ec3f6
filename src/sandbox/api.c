/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/state.h"

#include <string.h>

#include "base/text.h"
#include "base/percent.h"
#include "sandbox/access.h"
#include "sandbox/readback.h"

/* A request to /api/… while it is served. */
struct api_request {
	struct state *state;
	struct http_exchange *x;
	struct answer *answer;
	char *path;               /* without a trailing slash: Klaviyo accepts one, as its old clients send it */
	struct json_object *body; /* NULL where there is none or it is not JSON */
	char revision[ACCESS_REVISION_MAX];
	struct world_account *account;
};

struct endpoint {
	const char *method, *path, *scope;
	unsigned burst, steady; /* a second, a minute */
	/* One of the two is set: check reads a request's body (POST), read answers from the world (GET). */
	void (*check)(struct json_object *body, const struct check_rules *rules, struct check_result *ret);
	void (*read)(const struct readback *r, struct answer *ret);
};

/* At most WORLD_ENDPOINTS_MAX, as each account keeps the windows of each endpoint. */
static const struct endpoint endpoints[] = {
	{"POST", "/api/events", "events:write", 350, 3500, check_single, NULL},
	{"POST", "/api/event-bulk-create-jobs", "events:write", 10, 150, check_bulk, NULL},
	{"GET", "/api/events", "events:read", 350, 3500, NULL, readback_events},
	{"GET", "/api/metrics", "metrics:read", 10, 150, NULL, readback_metrics},
	{"GET", "/api/profiles", "profiles:read", 75, 750, NULL, readback_profiles},
	{"GET", "/api/accounts", "accounts:read", 1, 15, NULL, readback_accounts},
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))
_Static_assert(ENDPOINTS <= WORLD_ENDPOINTS_MAX, "an account has room for each endpoint's windows");

/* ---- what the endpoints do --------------------------------------------------------------------------------------- */

static void take_events(struct api_request *req, const struct check_result *checked)
{
	const struct world_event *e;

	lock_acquire(&req->state->lock);
	for (size_t i = 0; i < checked->n; i++) {
		e = world_take(req->state->world, req->account, &checked->events[i], req->x->received_ms);
		if (req->state->feed)
			feed_event(req->state->feed, e);
	}
	lock_release(&req->state->lock);
	req->answer->status = 202;
	if (checked->phone_ignored)
		pairs_add(&req->answer->headers, "X-Klaviyo-Partial-Failure", "phone_number");
}

static void serve_post(struct api_request *req, const struct endpoint *e)
{
	const struct check_rules rules = {req->revision, req->x->received_ms};
	struct complaints complaints = {0};
	struct check_result checked;

	if (!access_media_type(http_header(req->x, "Content-Type"), http_header(req->x, "Content-Encoding"),
			       &complaints)) {
		answer_complaints(req->answer, &complaints);
		complaints_done(&complaints);
		return;
	}
	if (req->x->body_len > CHECK_BODY_MAX) {
		answer_complaint(req->answer, 413, "/data", "The payload must not exceed 5 MB.");
		return;
	}
	e->check(req->body, &rules, &checked);
	if (checked.complaints.n > 0)
		answer_complaints(req->answer, &checked.complaints);
	else
		take_events(req, &checked);
	check_result_done(&checked);
}

static void serve_get(struct api_request *req, const struct endpoint *e)
{
	struct pairs params = {0};
	const char *host = http_header(req->x, "Host");
	CLEANUP(mem_freep) char *base = mem_fmt("http://%s", host ? host : "sandbox");
	struct readback r = {req->state->world, req->account, base, req->path, &params};

	percent_read_query(req->x->query, &params);
	lock_acquire(&req->state->lock);
	e->read(&r, req->answer);
	lock_release(&req->state->lock);
	pairs_done(&params);
}

/* ---- what comes before ------------------------------------------------------------------------------------------- */

static const struct endpoint *route(struct api_request *req)
{
	const char *allowed = NULL;

	for (size_t i = 0; i < ENDPOINTS; i++) {
		if (strcmp(endpoints[i].path, req->path) != 0)
			continue;
		if (strcmp(endpoints[i].method, req->x->method) == 0)
			return &endpoints[i];
		allowed = allowed ? "GET, POST" : endpoints[i].method;
	}
	if (allowed) {
		answer_complaint(req->answer, 405, "/data", "Method not allowed.");
		pairs_add(&req->answer->headers, "Allow", allowed);
	} else {
		answer_complaint(req->answer, 404, "/data", "There is nothing at this path.");
	}
	return NULL;
}

/* Returns the detail of a 429, which the caller owns. */
static char *throttled(long seconds)
{
	char wait[AMOUNT_MAX];

	return mem_fmt("Request was throttled. Expected available in %s.", amount_of(wait, seconds, "second"));
}

/* Klaviyo has a stricter quota for include=. Its numbers are not published, so it is not counted here. */
static bool within_quota(struct api_request *req, const struct endpoint *e)
{
	struct throttle_answer a;

	if (req->state->no_quota)
		return true;
	lock_acquire(&req->state->lock);
	a = throttle_take(&req->account->throttles[e - endpoints], e->burst, e->steady, req->x->received_mono_ms);
	lock_release(&req->state->lock);
	if (!a.taken) {
		CLEANUP(mem_freep)
		char *detail = throttled(a.retry_s);

		answer_complaint(req->answer, 429, "/data", detail);
		answer_header(req->answer, "Retry-After", a.retry_s);
		return false;
	}
	answer_header(req->answer, "RateLimit-Limit", e->steady);
	answer_header(req->answer, "RateLimit-Remaining", a.remaining);
	answer_header(req->answer, "RateLimit-Reset", a.reset_s);
	return true;
}

/* Checks key, scope and revision and sets req->account. False after answering with the first that is wrong. */
static bool authorize(struct api_request *req, const struct endpoint *e)
{
	struct complaints complaints = {0};
	struct access access;
	bool good;

	good = access_key(http_header(req->x, "Authorization"), &access, &complaints) &&
	       access_scope(&access, e->scope, &complaints) &&
	       access_revision(http_header(req->x, "revision"),
			       http_header(req->x, "X-Klaviyo-Revision-Fall-Forward-Opt-Out"), req->x->received_ms,
			       req->revision, &complaints);
	if (good) {
		lock_acquire(&req->state->lock);
		req->account = world_account(req->state->world, access.account);
		lock_release(&req->state->lock);
		if (!req->account) {
			complaints_add(&complaints, 401, "/data/", "The sandbox holds no more than %d accounts.",
				       WORLD_ACCOUNTS_MAX);
			good = false;
		}
	}
	if (!good)
		answer_complaints(req->answer, &complaints);
	complaints_done(&complaints);
	return good;
}

static void answer_endpoint(struct api_request *req)
{
	struct http_exchange *x = req->x;
	bool has_body = http_header(x, "Content-Length") || http_header(x, "Transfer-Encoding");
	const struct endpoint *e;

	/* Cloudflare refuses these before Klaviyo sees them. A line break in the key ends the header early. */
	if (access_header_is_garbage(http_header(x, "Authorization")) ||
	    access_header_is_garbage(http_header(x, "revision")) || http_header_count(x, "Authorization") > 1 ||
	    (strcmp(x->method, "POST") == 0 && !has_body)) {
		answer_html(req->answer, 400);
		return;
	}
	e = route(req);
	if (e && authorize(req, e) && within_quota(req, e))
		(e->check ? serve_post : serve_get)(req, e);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static struct fault_verdict match_faults(struct api_request *req)
{
	struct complaints complaints = {0};
	struct access access = {.account = ""};
	struct fault_subject subject = {.method = req->x->method, .path = req->path, .body = req->body};
	struct fault_verdict v;

	(void)access_key(http_header(req->x, "Authorization"), &access, &complaints);
	complaints_done(&complaints);
	subject.account = access.account;
	subject.now_ms = req->x->received_mono_ms;
	lock_acquire(&req->state->lock);
	v = faults_judge(&req->state->faults, &subject);
	lock_release(&req->state->lock);
	return v;
}

static void answer_scripted(struct answer *ret, const struct fault_verdict *v)
{
	CLEANUP(mem_freep) char *detail = NULL;

	ret->status = v->status;
	switch (v->form) {
	case FAULT_FORM_OWN:
		if (v->status < 300)
			break;
		detail = v->status == 429 ? throttled(v->retry_after_s < 0 ? 0 : v->retry_after_s)
					  : mem_str("A scripted fault of the sandbox.");
		answer_complaint(ret, v->status, "/data", detail);
		break;
	case FAULT_FORM_HTML:
		answer_html(ret, v->status);
		break;
	case FAULT_FORM_JSON:
		answer_text(ret, v->status, "application/json", "{\"message\":\"A scripted fault of the sandbox.\"}");
		break;
	case FAULT_FORM_TEXT:
		answer_text(ret, v->status, "text/plain", "A scripted fault of the sandbox.\n");
		break;
	case FAULT_FORM_EMPTY:
		break;
	}
	if (v->challenge)
		pairs_add(&ret->headers, "cf-mitigated", "challenge");
	if (v->retry_after_s >= 0)
		answer_header(ret, "Retry-After", v->retry_after_s);
}

struct fault_verdict api_serve(struct state *s, struct http_exchange *x, struct answer *ret)
{
	size_t len = strlen(x->path);
	CLEANUP(mem_freep) char *path = mem_strn(x->path, len - (x->path[len - 1] == '/'));
	struct api_request req = {.state = s, .x = x, .answer = ret, .path = path};
	struct fault_verdict v;

	if (x->body_len > 0 && x->body_len <= CHECK_BODY_MAX && json_read(x->body, x->body_len, &req.body, NULL) < 0)
		req.body = NULL;
	v = match_faults(&req);
	if (v.status != 0)
		answer_scripted(ret, &v);
	else if (v.cut != FAULT_CUT_RESET)
		answer_endpoint(&req);
	json_object_put(req.body);
	lock_acquire(&s->lock);
	if (v.cut != FAULT_CUT_NONE)
		s->cut++;
	else if (ret->status < STATE_STATUS_MAX)
		s->by_status[ret->status]++;
	lock_release(&s->lock);
	return v;
}

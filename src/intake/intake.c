/* SPDX-License-Identifier: MIT */
/*
 * The steps of a request. begin() checks the headers (path, method, type, and the proof as far as it needs no body).
 * reserve() grants memory for the body (http/budget.h). complete() checks the rest of the proof, reads the body,
 * suspends the connection and submits the webhooks (intake_submission.c). After their commit the pipeline calls
 * answered() there, which resumes the connection, and woken() answers. So `accepted` with 200 is only ever given for
 * webhooks that are on the disk.
 *
 * Until the answer a request holds a reservation on the budget: at first the size of its body, then the size of its
 * submission.
 * While a thread reads a body it holds body, tree and items at once. That is not counted, because it happens
 * INTAKE_THREADS times at most and is bounded by max_body and BATCH_BYTES_MAX. The trees that are passed on to the
 * pipeline are counted where the budget has memory to spare, and dropped otherwise (intake_submission.c).
 *
 * Threads: begin, complete, woken and done run on the server's pool: the thread that allocated a webhook frees it.
 * answered() runs on a thread of the pipeline. The submission is posted, and `quiesced` read before, under one lock, so
 * that nothing is submitted after intake_quiesce() returns. Nothing here survives a crash: a sender without an answer
 * sends again.
 */
#include <config.h>

#include "intake/intake.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "intake/answer.h"
#include "intake/intake_submission.h"
#include "intake/refusals.h"
#include "intake/unknown_states.h"
#include "intake/request_state.h"

#define INTAKE_THREADS 2 /* more threads take smaller turns, and wake more often for the same work */
#define UNPROVEN_BYTES_MAX BUDGET_SMALL_BYTES /* of a body that comes without a good proof in the headers */
#define STOP_WAIT_MS 2000                     /* for sending the last answers */
#define LAST_REQUESTS_MS 200

struct intake {
	struct pipeline *pipeline;
	struct http_server *server;
	struct refusals *refusals;
	struct unknown_states *unknown_states;
	struct lock lock;     /* protects posting, and writing quiesced */
	struct cond all_done; /* requests became 0 */
	atomic_bool quiesced; /* intake_quiesce() has returned, or returns now */
	atomic_uint requests; /* exchanges that are not done; who makes it 0 signals all_done with the lock */
	struct budget *budget;
};

/* s NULL: the path names no source. */
static void count(const struct source *s, const char *result)
{
	metrics_add(METRIC_WEBHOOKS, s ? s->name : NULL, result, NULL, 1);
}

/* ---- the headers ------------------------------------------------------------------------------------------------- */

/* True where the body is compressed. The proof of such a body could be checked, but the body is never decompressed. */
static bool is_encoded(struct http_exchange *x)
{
	CLEANUP(mem_freep) char *codings = http_header_list(x, "Content-Encoding");
	char *rest = codings;
	char *coding;

	while (rest && (coding = strsep(&rest, ",")) != NULL) {
		coding = text_trim(coding);
		if (coding[0] != '\0' && !text_same(coding, "identity"))
			return true;
	}
	return false;
}

/* Counts and logs a request without a good proof. The caller answers. */
static void note_unproven(struct intake *i, struct http_exchange *x, const struct request_state *r,
			  enum proof_verdict verdict)
{
	static const char *const reasons[] = {
		[PROOF_GOOD] = "proof",
		[PROOF_MISSING] = "missing proof",
		[PROOF_WRONG] = "wrong proof",
		[PROOF_STALE] = "stale proof",
	};
	char peer[PEER_MAX];

	count(r->source, reasons[verdict]);
	refusals_note(i->refusals, r->source->name, reasons[verdict], NULL, request_state_peer(r, x, peer),
		      clock_mono_ms());
}

static void refuse_proof(struct intake *i, struct http_exchange *x, const struct request_state *r,
			 enum proof_verdict verdict)
{
	const char *method = proof_about(definition_proof(r->source->definition))->method;
	const char *scheme = NULL;

	if (text_is(method, "basic"))
		scheme = "Basic realm=\"deskbridge\", charset=\"UTF-8\"";
	else if (text_is(method, "bearer"))
		scheme = "Bearer";
	note_unproven(i, x, r, verdict);
	answer_send(x, ANSWER_UNAUTHORIZED, scheme);
}

/* Logs a request without memory. The caller counts and answers. */
static void note_no_room(struct intake *i, struct http_exchange *x, const struct request_state *r)
{
	char peer[PEER_MAX];

	refusals_note(
		i->refusals, r->source->name,
		"the bodies under way fill listen.max_memory, or the address's share of it",
		"where it is the helpdesk's, raise listen.max_memory and restart; where it is a proxy's, name the "
		"proxy in listen.trusted_proxies and restart",
		request_state_peer(r, x, peer), clock_mono_ms());
}

/* Faults of requests that fail again until an operator changes a setting. */
enum request_fault {
	REQUEST_FAULT_METHOD,
	REQUEST_FAULT_MULTIPART,
	REQUEST_FAULT_ENCODED,
	REQUEST_FAULT_AMBIGUOUS,
	REQUEST_FAULT_TOO_LONG,
	REQUEST_FAULT_EXPECTATION,
	REQUEST_FAULT_MALFORMED, /* the server gives the reason */
};

static const struct {
	const char *result, *reason, *advice;
} faults[] = {
	[REQUEST_FAULT_METHOD] = {"method", "method not allowed", "webhooks are POSTed: choose POST in the helpdesk"},
	[REQUEST_FAULT_MULTIPART] = {"unsupported", "a multipart body", "let the helpdesk send JSON"},
	[REQUEST_FAULT_ENCODED] = {"unsupported", "a compressed body",
				   "switch compression of bodies off in the helpdesk or the proxy"},
	[REQUEST_FAULT_AMBIGUOUS] = {"malformed", "more than one Authorization",
				     "let the helpdesk or the proxy send one of them"},
	[REQUEST_FAULT_TOO_LONG] = {"too long", "too long",
				    "where it is the helpdesk's, raise listen.max_body and restart"},
	[REQUEST_FAULT_EXPECTATION] = {"unsupported", "an expectation other than 100-continue",
				       "let the helpdesk or the proxy send no Expect"},
	[REQUEST_FAULT_MALFORMED] = {"malformed", NULL,
				     "HTTP does not allow it: look at the settings of the helpdesk or the proxy"},
};

/* Counts and logs a fault. The caller answers. reason NULL: the fault's own. */
static void note_fault(struct intake *i, struct http_exchange *x, const struct request_state *r,
		       enum request_fault fault, const char *reason)
{
	const char *source = r->source ? r->source->name : NULL;
	char peer[PEER_MAX];

	count(r->source, faults[fault].result);
	refusals_note(i->refusals, source, reason ? reason : faults[fault].reason, faults[fault].advice,
		      request_state_peer(r, x, peer), clock_mono_ms());
}

static void refuse_fault(struct intake *i, struct http_exchange *x, const struct request_state *r,
			 enum request_fault fault, enum answer a)
{
	note_fault(i, x, r, fault, NULL);
	answer_send(x, a, NULL);
}

/* Counts and answers a ping. echo: the text that the vendor expects back; NULL: none. */
static void answer_pong(struct http_exchange *x, const struct request_state *r, const char *echo)
{
	count(r->source, "pong");
	if (echo)
		answer_challenge(x, echo);
	else
		answer_send(x, ANSWER_PONG, NULL);
}

/* True where webhooks are accepted now. */
static bool may_submit(struct intake *i)
{
	/* Without the lock, because submit_body() asks again with it. */
	return !atomic_load(&i->quiesced) && pipeline_is_ready(i->pipeline);
}

static void refuse_unready(struct http_exchange *x, const struct request_state *r)
{
	count(r->source, "refused");
	answer_send(x, ANSWER_UNAVAILABLE, NULL);
}

/* Returns 0 if the body is to be received, 1 if the request was answered. */
static int judge_headers(struct intake *i, struct http_exchange *x, struct request_state *r)
{
	const char *type = http_header(x, "Content-Type");
	const char *echo;
	char peer[PEER_MAX];

	r->source = config_source_at(r->generation->config, x->path);
	if (!r->source) {
		metrics_add(METRIC_WEBHOOKS, NULL, REFUSED_PATH, NULL, 1);
		refusals_note_path(i->refusals, r->generation->config, x->path, request_state_peer(r, x, peer),
				   clock_mono_ms());
		answer_send(x, ANSWER_UNKNOWN_PATH, NULL);
		return 1;
	}
	if (text_is(x->method, "HEAD")) {
		answer_send(x, ANSWER_ALIVE, NULL);
		return 1;
	}
	if (!text_is(x->method, "POST")) {
		refuse_fault(i, x, r, REQUEST_FAULT_METHOD, ANSWER_METHOD);
		return 1;
	}
	if (type && strncasecmp(type, "multipart/", strlen("multipart/")) == 0) {
		refuse_fault(i, x, r, REQUEST_FAULT_MULTIPART, ANSWER_MULTIPART);
		return 1;
	}
	if (is_encoded(x)) {
		refuse_fault(i, x, r, REQUEST_FAULT_ENCODED, ANSWER_ENCODED);
		return 1;
	}
	if (http_header_count(x, "Authorization") > 1) {
		refuse_fault(i, x, r, REQUEST_FAULT_AMBIGUOUS, ANSWER_AMBIGUOUS);
		return 1;
	}
	r->headers = http_headers(x);
	request_state_reserve(r, x, i->budget);
	r->headers_verdict = request_state_check_headers(r, x);
	/* While the clock is not set, the age of a signature is unknown. */
	if (r->headers_verdict == PROOF_STALE && !may_submit(i)) {
		refuse_unready(x, r);
		return 1;
	}
	/* A request without a good proof may be the vendor's set-up probe: the body decides. */
	echo = request_state_challenge(r, x);
	if (r->headers_verdict != PROOF_GOOD && !echo && !definition_about(r->source->definition)->has_setup_probe) {
		refuse_proof(i, x, r, r->headers_verdict);
		return 1;
	}
	if (!echo && !may_submit(i)) {
		refuse_unready(x, r);
		return 1;
	}
	return 0;
}

static int begin(void *ctx, struct http_exchange *x)
{
	struct intake *i = ctx;
	struct request_state *r = x->user;

	r->generation = generation_current();
	atomic_fetch_add(&i->requests, 1);
	return judge_headers(i, x, r);
}

static void done(void *ctx, struct http_exchange *x)
{
	struct intake *i = ctx;
	struct request_state *r = x->user;

	if (r->posted) /* the client is gone, so woken() was not called */
		intake_submission_finish(r->posted, NULL);
	reservation_release(&r->reservation);
	generation_unref(r->generation);
	if (atomic_fetch_sub(&i->requests, 1) > 1)
		return;
	lock_acquire(&i->lock);
	cond_broadcast(&i->all_done);
	lock_release(&i->lock);
}

/* Returns 0 if the memory was reserved, 1 if the request was answered. bytes 0: the server has dropped the body. */
static int reserve(void *ctx, struct http_exchange *x, size_t bytes)
{
	struct intake *i = ctx;
	struct request_state *r = x->user;

	if (r->headers_verdict != PROOF_GOOD && bytes > UNPROVEN_BYTES_MAX) {
		note_unproven(i, x, r, r->headers_verdict);
		answer_send(x, ANSWER_TOO_LONG, NULL);
		return 1;
	}
	if (reservation_resize(&r->reservation, bytes))
		return 0;
	count(r->source, "refused");
	note_no_room(i, x, r);
	answer_send(x, ANSWER_UNAVAILABLE, NULL);
	return 1;
}

/* ---- the body ---------------------------------------------------------------------------------------------------- */

/* Reads the webhooks in the body and submits or answers them. echo: the vendor's challenge, or NULL. It is echoed
 * without a good proof, too (see complete()), because the set-up comes before secrets are exchanged, and the echo has
 * no effect. A challenge in a signal is ignored. */
static void submit_body(struct intake *i, struct http_exchange *x, struct request_state *r, const char *echo)
{
	struct request_body body = {.len = x->body_len};
	struct intake_submission *sub;
	bool may;

	body.text = http_take_body(x);
	sub = intake_submission_new(r->source, x, r->headers, &body, i->unknown_states, &r->reservation,
				    pipeline_caches_parsed(i->pipeline));
	if (!intake_submission_has_room(sub)) {
		note_no_room(i, x, r);
		intake_submission_refuse(sub, x);
	} else if (echo && !intake_submission_has_signal(sub)) {
		intake_submission_discard(sub);
		answer_pong(x, r, echo);
	} else if (intake_submission_is_empty(sub)) {
		intake_submission_answer(sub, x);
	} else {
		/* Nothing is submitted after intake_quiesce() returns. */
		lock_acquire(&i->lock);
		may = !atomic_load(&i->quiesced);
		if (may) {
			r->posted = sub;
			intake_submission_post(sub, x, i->pipeline);
		}
		lock_release(&i->lock);
		if (!may)
			intake_submission_refuse(sub, x);
	}
}

static void complete(void *ctx, struct http_exchange *x)
{
	struct intake *i = ctx;
	struct request_state *r = x->user;
	const char *echo = request_state_challenge(r, x);
	enum proof_verdict verdict = request_state_check_proof(r, x);
	bool is_setup_probe;

	if (verdict == PROOF_GOOD && x->body_len > 0) {
		if (!text_is(proof_about(definition_proof(r->source->definition))->method, "none"))
			http_proven(x);
		submit_body(i, x, r, echo);
		return;
	}
	is_setup_probe = echo || request_state_is_setup_probe(r, x);
	free(http_take_body(x));
	reservation_release(&r->reservation);
	if (is_setup_probe) {
		answer_pong(x, r, echo);
	} else if (verdict == PROOF_GOOD) {
		count(r->source, "empty");
		answer_send(x, ANSWER_EMPTY, NULL);
	} else {
		refuse_proof(i, x, r, verdict);
	}
}

static void woken(void *ctx, struct http_exchange *x)
{
	struct request_state *r = x->user;

	(void)ctx;
	intake_submission_finish(TAKE(r->posted), x);
}

/* ---- requests that the server refuses ---------------------------------------------------------------------------- */

static void on_refused(void *ctx, struct http_exchange *x, unsigned status, const char *what)
{
	struct request_state early = {0};
	const struct request_state *r = x->user;

	if (!r->generation) { /* before begin() */
		early.generation = generation_current();
		early.source = x->path ? config_source_at(early.generation->config, x->path) : NULL;
		r = &early;
	}
	switch (status) {
	case 413:
		note_fault(ctx, x, r, REQUEST_FAULT_TOO_LONG, NULL);
		break;
	case 417:
		note_fault(ctx, x, r, REQUEST_FAULT_EXPECTATION, NULL);
		break;
	case 503: /* on_dropped() logs it */
		count(r->source, "refused");
		break;
	default:
		note_fault(ctx, x, r, REQUEST_FAULT_MALFORMED, what);
		break;
	}
	generation_unref(early.generation);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static void on_dropped(void *ctx, enum http_drop_reason why, const char *peer)
{
	static const char *const reasons[] = {
		[HTTP_DROP_SLOW] = "slow client",
		[HTTP_DROP_FULL] = "too many connections",
		[HTTP_DROP_ADDRESS] = "too many connections of one address",
	};
	static const char *const labels[] = {
		[HTTP_DROP_SLOW] = "slow",
		[HTTP_DROP_FULL] = "full",
		[HTTP_DROP_ADDRESS] = "address",
	};
	struct intake *i = ctx;

	metrics_add(METRIC_CONNECTIONS_CUT, labels[why], NULL, NULL, 1);
	refusals_note_connection(i->refusals, reasons[why], peer, clock_mono_ms());
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void intake_free(struct intake *i)
{
	refusals_free(i->refusals);
	unknown_states_free(i->unknown_states);
	budget_free(i->budget);
	cond_done(&i->all_done);
	lock_done(&i->lock);
	free(i);
}

int intake_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed, struct intake **ret,
		 struct err *reterr)
{
	struct intake *i = mem_new(1, sizeof(*i));
	const struct http_handler handler = {
		.begin = begin,
		.reserve = reserve,
		.complete = complete,
		.woken = woken,
		.done = done,
		.dropped = on_dropped,
		.refused = on_refused,
		.ctx = i,
		.user_bytes = sizeof(struct request_state),
	};
	const struct http_server_options options = {
		.address = c->listen.address,
		.sockets = *passed,
		.threads = INTAKE_THREADS,
		.max_connections = c->listen.max_connections,
		.max_body = c->listen.max_body,
		.per_address = c->listen.per_address,
		.uncounted = c->listen.trusted_proxies.networks,
		.uncounted_n = c->listen.trusted_proxies.n,
		.timeout_ms = c->listen.timeout_ms,
		.idle_ms = c->listen.idle_ms,
		.error_member = "status",
	};
	int r;

	i->pipeline = p;
	i->refusals = refusals_new();
	i->unknown_states = unknown_states_new();
	i->budget = budget_new(c->listen.max_memory);
	lock_init(&i->lock);
	cond_init(&i->all_done);
	r = http_server_start(&options, &handler, &i->server, reterr);
	if (r < 0) {
		(void)err_prefix(reterr, "listen.address");
		intake_free(i);
		return r;
	}
	*ret = i;
	return 0;
}

const char *intake_address(const struct intake *i)
{
	return http_server_address(i->server);
}

static void wait_for_requests(struct intake *i, int64_t until_mono_ms)
{
	INSIST(lock_is_mine(&i->lock));
	while (atomic_load(&i->requests) > 0 && cond_wait_until(&i->all_done, &i->lock, until_mono_ms))
		;
}

void intake_quiesce(struct intake *i)
{
	int64_t until_ms = clock_mono_ms() + LAST_REQUESTS_MS;

	http_server_quiesce(i->server);
	http_server_wait_headers(i->server, until_ms);
	lock_acquire(&i->lock);
	wait_for_requests(i, until_ms);
	atomic_store(&i->quiesced, true);
	lock_release(&i->lock);
}

void intake_stop(struct intake *i)
{
	/* The pipeline has resumed all exchanges; the pool's threads still send the answers. */
	lock_acquire(&i->lock);
	wait_for_requests(i, clock_mono_ms() + STOP_WAIT_MS);
	lock_release(&i->lock);
	http_server_stop(i->server);
	intake_free(i);
}

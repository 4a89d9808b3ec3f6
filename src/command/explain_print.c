/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/explain_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "decision/decide.h"
#include "decision/settle.h"
#include "helpdesk/plan/lookup_plan.h"
#include "klaviyo/request.h"

static void print_lines(const struct buf *lines)
{
	for (const char *line = lines->data; *line;) {
		size_t len = strcspn(line, "\n");
		out_print("  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	out_print("\n");
}

void explain_block(const char *title, const struct buf *lines)
{
	out_print("%s\n", title);
	print_lines(lines);
}

/* ---- the proof --------------------------------------------------------------------------------------------------- */

#define REFUSED "the daemon would answer 401"

/* Prints the fault of a proof, as far as possible without showing the secret. */
static void print_proof_fault(const struct proof *proof, const struct proof_secrets *secrets,
			      const struct proof_request *request)
{
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	proof_explain(proof, secrets, request, &lines);
	print_lines(&lines);
	buf_done(&lines);
}

static void print_verdict(const struct proof *proof, const struct proof_secrets *secrets,
			  const struct proof_request *request, enum proof_verdict v)
{
	char signed_at[CLOCK_ISO_MAX] = "another time";
	char now[CLOCK_ISO_MAX], tolerance[CLOCK_ISO_MAX];
	int64_t ms;

	switch (v) {
	case PROOF_GOOD:
		out_print("  good\n\n");
		break;
	case PROOF_STALE:
		if (proof_signed_at(proof, request, &ms))
			clock_iso(ms, signed_at);
		clock_iso(request->now_ms, now);
		clock_age(proof_about(proof)->tolerance_ms, tolerance);
		out_print("  stale: the signature is right, but of %s, and it is %s now: more than %s apart; " REFUSED
			  "\n\n",
			  signed_at, now, tolerance);
		break;
	case PROOF_MISSING:
	case PROOF_WRONG:
		out_print("  %s; " REFUSED "\n", v == PROOF_WRONG ? "wrong" : "missing: a part of it is not shown");
		print_proof_fault(proof, secrets, request);
		break;
	}
}

enum proof_verdict explain_proof(const struct generation *g, const struct source *s, const struct webhook *w,
				 const char *query)
{
	const struct proof *proof = definition_proof(s->definition);
	struct proof_secrets secrets = {.user = s->auth_user};
	const struct proof_request request = {.method = "POST",
					      .url = s->public_url,
					      .headers = &w->headers,
					      .query = query,
					      .body = w->body,
					      .body_len = w->body_len,
					      .now_ms = w->received_ms};
	enum proof_verdict v;

	out_print("Proof: %s\n", proof_about(proof)->method);
	if (!proof_about(proof)->needs_secret) {
		out_print("  none is needed: every request to the URL is accepted\n\n");
		return PROOF_GOOD;
	}
	if (!proof_is_present(proof, &w->headers, query)) {
		out_print("  not shown here, so not checked; without it the daemon answers 401\n");
		print_proof_fault(proof, &secrets, &request);
		return PROOF_MISSING;
	}
	if (s->auth_secret)
		secrets.secrets = secret_values(g->secrets, s->auth_secret, &secrets.n);
	v = proof_check(proof, &secrets, &request);
	print_verdict(proof, &secrets, &request, v);
	return v;
}

/* ---- the lookup -------------------------------------------------------------------------------------------------- */

void explain_answers_done(struct explain_answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->texts[i]);
}

/* Takes the next given answer. A file has no status: an answer with the new id of a merged customer counts as 301,
 * any other as 200. */
static bool take_answer(struct lookup_plan *q, struct explain_answers *a)
{
	size_t i = a->used++;
	size_t step = lookup_plan_step(q);
	bool optional = lookup_plan_step_is_declared_optional(q);
	enum lookup_plan_verdict v = LOOKUP_PLAN_ODD;
	struct err error = {0};

	if (!optional)
		v = lookup_plan_answer(q, 301, "application/json", a->texts[i], a->lens[i], NULL);
	if (v == LOOKUP_PLAN_MOVED) {
		out_print("  %s: the customer has another id now\n", a->files[i]);
		return true;
	}
	v = lookup_plan_answer(q, 200, "application/json", a->texts[i], a->lens[i], &error);
	if (*error.text)
		out_print("  %s: %s%s\n", a->files[i], error.text,
			  optional && lookup_plan_step(q) > step ? "; this question is optional, so on without it"
								 : "");
	return v == LOOKUP_PLAN_CONTINUE;
}

/* True where the lookup continues without the answer. */
static bool skip_missing_answer(struct lookup_plan *q)
{
	if (lookup_plan_step_is_optional(q)) {
		out_print("  not asked here, and optional; its answer can be given with --customer FILE\n");
		lookup_plan_skip(q);
		return true;
	}
	out_print("  not asked here; its answer can be given with --customer FILE. What follows is as if it held no "
		  "address\n");
	return false;
}

/* Runs the lookup's steps over the given answers. True where the lookup is complete. */
static bool run_plan(struct lookup_plan *q, const struct source *s, struct explain_answers *a)
{
	const struct lookup_plan_secrets secrets = {
		.user = s->lookup_user ? s->lookup_user : "", .password = "", .token = ""};
	struct err error = {0};
	size_t n = definition_about(s->definition)->steps_n, described = 0; /* steps that were asked or described */

	for (;;) {
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(pairs_done) struct pairs headers = {0};
		int r = lookup_plan_next(q, &secrets, &url, &headers, &error);

		for (; described < lookup_plan_step(q) && described < n; described++) {
			const char *why = lookup_plan_why_skipped(q, described);

			if (why)
				out_print("  step %zu of %zu is passed over: %s\n", described + 1, n, why);
		}
		if (r < 0)
			out_print("  %s\n", error.text);
		if (r != 0)
			return r == 1;
		described = lookup_plan_step(q) + 1;
		out_print("  GET %s\n", url);
		if (a->used == a->n ? !skip_missing_answer(q) : !take_answer(q, a))
			return false;
	}
}

static void print_address_ref(void *ctx, const struct reference *r)
{
	const char **between = ctx;

	out_print("%s %s", *between, reference_text(r));
	*between = ",";
}

bool explain_lookup(const struct source *s, const struct webhook *w, struct explain_answers *a, struct customer *ret)
{
	/* A parsed copy of its own: a request about a merged customer changes the tree. */
	CLEANUP(parsed_webhook_freep) struct parsed_webhook *asked = parsed_webhook_borrow(s->definition, w);
	struct lookup_plan *q = NULL;
	struct err error = {0};
	struct buf refused;
	bool found;

	out_print("Lookup\n");
	if (lookup_plan_new(s->definition, &asked->context, &q, &error) < 0) {
		out_print("  no customer to look up: %s\n\n", error.text);
		return false;
	}
	found = run_plan(q, s, a);
	if (found)
		lookup_plan_result(q, ret);
	for (size_t i = 0; i < ret->addresses.n; i++)
		out_print("  found %s%s\n", ret->addresses.items[i].email,
			  ret->addresses.items[i].primary ? " (primary)" : "");
	if (found && ret->addresses.n == 0) {
		const char *between = "; where answers hold it:";

		out_print("  found no address");
		lookup_plan_address_refs(q, print_address_ref, &between);
		out_print("\n");
	}
	buf_init(&refused, EXPLAIN_MAX);
	addresses_describe_refused_lines(&ret->addresses, "  ", &refused);
	out_lines(stdout, refused.data);
	buf_done(&refused);
	for (size_t i = 0; i < ret->taken.n; i++)
		out_print("  took %s: %s\n", ret->taken.items[i].name, ret->taken.items[i].value);
	out_print("\n");
	lookup_plan_free(q);
	return found;
}

/* ---- the signal -------------------------------------------------------------------------------------------------- */

static void explain_request(const struct generation *g, const struct event *e, int64_t now_ms)
{
	const struct account *a = config_account(g->config, e->account);
	struct pairs headers = {0};
	struct err error = {0};
	char *body = NULL;

	out_print("Event: %s for %s\n", e->metric, e->email);
	out_print("  account %s, unique_id %s%s%s\n", e->account, e->unique_id,
		  event_is_backfill(e, now_ms) ? ", as backfill: recorded, no metric-triggered flow fires" : "",
		  a && a->hold ? "; the account is ON HOLD: it would wait" : "");
	if (request_single(e, now_ms, &body, &error) < 0) {
		out_print("  %s\n", error.text);
		return;
	}
	out_print("\n  POST %s%s\n", e->url, KLAVIYO_PATH_EVENTS);
	request_headers(&headers, "(not shown)", a ? a->revision : KLAVIYO_REVISION_TESTED);
	for (size_t i = 0; i < headers.n; i++)
		out_print("  %s: %s\n", headers.items[i].name, headers.items[i].value);
	pairs_done(&headers);
	struct json_object *tree = NULL;
	if (json_read(body, strlen(body), &tree, NULL) == 0) {
		CLEANUP(mem_freep) char *pretty = json_printable(tree, true);
		out_print("\n");
		out_lines(stdout, pretty);
		out_print("\n\n");
	}
	json_object_put(tree);
	free(body);
}

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct generation *const *g = ctx;
	const struct account *a = config_account((*g)->config, name);

	return a ? &a->policy : NULL;
}

/* Explains `settle`: the pipeline holds a webhook before the ledger sees it. */
static void explain_settle(const struct source_policy *s, const struct signal *signal)
{
	int64_t held_ms = settle_ms(s, signal->transition);
	char age[CLOCK_ISO_MAX];

	if (held_ms <= 0)
		return;
	clock_age(held_ms, age);
	out_print("Settle\n  it counts once it has lasted %s: held back until then, and gone where its opposite comes "
		  "before\n\n",
		  age);
}

void explain_signal(const struct generation *g, const struct source *s, const struct parsed_webhook *p)
{
	const struct webhook *w = &p->webhook;
	struct ledger_entry entry = {0};
	struct reached_list reached = {0};
	struct decision decision = {0};
	struct err error = {0};
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	struct decide_input in = {.source = &s->policy,
				  .conversation = p->result.signal.conversation,
				  .webhook = p,
				  .entry = &entry,
				  .reached = &reached,
				  .now_ms = w->received_ms,
				  .queries = {.account = account, .flag_count = decide_no_flags, .ctx = &g},
				  .explain = &lines};
	explain_settle(in.source, &p->result.signal);
	int r = decide(&in, &decision, &error);
	explain_block("Ledger and rules, as for a conversation that is not known yet", &lines);
	buf_done(&lines);
	if (r < 0) {
		out_print("Dead letter: %s\n", error.text);
		return;
	}
	out_print("Result: %s%s%s\n\n", decide_result_name(decision.result), decision.detail ? ": " : "",
		  decision.detail ? decision.detail : "");
	for (size_t i = 0; i < decision.events_n; i++)
		explain_request(g, &decision.events[i], w->received_ms);
	decision_done(&decision);
}

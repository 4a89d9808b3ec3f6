#include <config.h>

#include "command/explain_parts.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/out.h"

#define REFUSED "the daemon would answer 401"

/* What is wrong with it, as far as that can be said without the secret. */
static void tell_why(const struct proof *proof, const struct proof_secrets *secrets,
		     const struct proof_request *request)
{
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	proof_explain(proof, secrets, request, &lines);
	explain_lines(&lines);
	buf_done(&lines);
}

static void tell_stale(const struct proof *proof, const struct proof_request *request)
{
	char signed_at[CLOCK_ISO_MAX] = "another time", now[CLOCK_ISO_MAX], tolerance[CLOCK_ISO_MAX];
	int64_t ms;

	if (proof_signed_at(proof, request, &ms))
		clock_iso(ms, signed_at);
	clock_iso(request->now_ms, now);
	clock_age(proof_tolerance_ms(proof), tolerance);
	out_print("  stale: the signature is right, but of %s, and it is %s now: more than %s apart; " REFUSED "\n\n",
		  signed_at, now, tolerance);
}

static void tell_verdict(const struct proof *proof, const struct proof_secrets *secrets,
			 const struct proof_request *request, enum proof_verdict v)
{
	switch (v) {
	case PROOF_GOOD:
		out_print("  good\n\n");
		break;
	case PROOF_STALE:
		tell_stale(proof, request);
		break;
	case PROOF_MISSING:
	case PROOF_WRONG:
		out_print("  %s; " REFUSED "\n", v == PROOF_WRONG ? "wrong" : "missing: a part of it is not shown");
		tell_why(proof, secrets, request);
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

	out_print("Proof: %s\n", proof_method(proof));
	if (!proof_needs_secret(proof)) {
		out_print("  none is asked for: whoever reaches the address is believed\n\n");
		return PROOF_GOOD;
	}
	if (!proof_is_shown(proof, &w->headers, query)) {
		out_print("  not shown here, so not checked; without it the daemon answers 401\n");
		tell_why(proof, &secrets, &request);
		return PROOF_MISSING;
	}
	if (s->auth_secret)
		secrets.secrets = secret_values(g->secrets, s->auth_secret, &secrets.n);
	v = proof_check(proof, &secrets, &request);
	tell_verdict(proof, &secrets, &request, v);
	return v;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "golden.h"
#include "fixtures/proof.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "intake/intake_submission.h"

/* A request derived from the case's, and the secrets and the time to check it with. */
struct shown {
	const struct pairs *headers;
	const char *query;
	const char *body;
	const char *const *secrets;
	size_t secrets_n;
	int64_t now_ms;
};

static void expect(struct golden *g, const char *what, const struct shown *s, enum proof_verdict expected)
{
	const struct proof_secrets secrets = {.user = g->source->auth_user, .secrets = s->secrets, .n = s->secrets_n};
	const struct proof_request request = {.method = "POST",
					      .url = g->source->public_url,
					      .headers = s->headers,
					      .query = s->query,
					      .body = s->body,
					      .body_len = g->body_len,
					      .now_ms = s->now_ms};
	enum proof_verdict v = proof_check(definition_proof(g->source->definition), &secrets, &request);
	CLEANUP(mem_freep) char *member = mem_fmt("proof%s%s", *what ? ", " : "", what);

	golden_text(g, member, proof_verdict_name(expected), proof_verdict_name(v));
}

/* ---- requests that every desk refuses ---------------------------------------------------------------------------- */

static bool is_signed(const struct golden *g)
{
	const char *method = node_text(g->authenticate, "method");

	return text_is(method, "hmac") || text_is(method, "standard-webhooks");
}

/* Returns another character that is valid in hexadecimal digits, base64 and text alike. */
static char other(char c)
{
	if (isdigit((unsigned char)c))
		return c == '1' ? '2' : '1';
	return c == 'a' ? 'b' : 'a';
}

static void refuse_other_secrets(struct golden *g, struct shown s)
{
	char **changed = mem_new(s.secrets_n, sizeof(*changed));

	for (size_t i = 0; i < s.secrets_n; i++) {
		size_t at = strncmp(s.secrets[i], "whsec_", 6) == 0 ? 6 : 0;

		changed[i] = mem_str(s.secrets[i]);
		changed[i][at] = other(changed[i][at]);
	}
	s.secrets = (const char *const *)changed;
	expect(g, "with another secret", &s, PROOF_WRONG);
	for (size_t i = 0; i < s.secrets_n; i++)
		free(changed[i]);
	free(changed);
}

static void refuse_flipped_bit(struct golden *g, struct shown s)
{
	CLEANUP(mem_freep) char *body = mem_dup(s.body, g->body_len);

	if (g->body_len == 0)
		return;
	body[g->body_len / 2] ^= 1;
	s.body = body;
	expect(g, "with one bit of the body flipped", &s, PROOF_WRONG);
}

static void refuse_without_header(struct golden *g, struct shown s, const char *name)
{
	CLEANUP(mem_freep) char *what = mem_fmt("without header %s", name);
	CLEANUP(pairs_done) struct pairs rest = {0};

	for (size_t i = 0; i < s.headers->n; i++)
		if (!text_same(s.headers->items[i].name, name))
			pairs_add(&rest, s.headers->items[i].name, s.headers->items[i].value);
	if (rest.n == s.headers->n)
		golden_differs(g, what, "a case that has it", NULL);
	s.headers = &rest;
	expect(g, what, &s, PROOF_MISSING);
}

/* Leaves out each "header:NAME" of a text of `authenticate` in turn. */
static void refuse_without_named(struct golden *g, const struct shown *s, const char *key)
{
	const char *text = node_text(g->authenticate, key);

	while (text && (text = strstr(text, "header:"))) {
		CLEANUP(mem_freep) char *name = NULL;

		text += 7;
		name = mem_strn(text, strcspn(text, "} "));
		refuse_without_header(g, *s, name);
	}
}

static void refuse_without_headers(struct golden *g, const struct shown *s)
{
	static const char *const standard[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};
	const char *method = node_text(g->authenticate, "method");

	if (text_is(method, "basic") || text_is(method, "bearer"))
		refuse_without_header(g, *s, "Authorization");
	if (text_is(method, "header"))
		refuse_without_header(g, *s, node_text(g->authenticate, "name"));
	if (text_is(method, "hmac")) {
		refuse_without_header(g, *s, node_text(g->authenticate, "header"));
		refuse_without_named(g, s, "timestamp");
		refuse_without_named(g, s, "signed");
	}
	for (size_t i = 0; text_is(method, "standard-webhooks") && i < 3; i++)
		refuse_without_header(g, *s, standard[i]);
}

static void refuse_without_query(struct golden *g, struct shown s)
{
	CLEANUP(mem_freep) char *rest = stored_query(s.query, node_text(g->authenticate, "name"));

	s.query = rest;
	expect(g, "without the secret in the query", &s, PROOF_MISSING);
}

static void refuse_stale(struct golden *g, struct shown s)
{
	const char *format = node_text(g->authenticate, "format");

	if (!text_is(node_text(g->authenticate, "method"), "standard-webhooks") &&
	    !node_get(g->authenticate, "timestamp") && !(format && strstr(format, "{timestamp}")))
		return;
	s.now_ms = g->now_ms + CLOCK_DAY_MS;
	expect(g, "a day later", &s, PROOF_STALE);
	s.now_ms = g->now_ms - CLOCK_DAY_MS;
	expect(g, "a day earlier", &s, PROOF_STALE);
}

static void refuse(struct golden *g, const struct shown *s)
{
	if (!proof_about(definition_proof(g->source->definition))->needs_secret)
		return;
	refuse_other_secrets(g, *s);
	refuse_without_headers(g, s);
	if (is_signed(g)) {
		refuse_flipped_bit(g, *s);
		refuse_stale(g, *s);
	}
	if (text_is(node_text(g->authenticate, "method"), "query"))
		refuse_without_query(g, *s);
}

static enum proof_verdict expected_verdict(struct golden *g)
{
	const char *name = node_text(g->at, "proof");

	for (int v = PROOF_GOOD; v <= PROOF_STALE; v++)
		if (text_is(name ? name : "good", proof_verdict_name((enum proof_verdict)v)))
			return (enum proof_verdict)v;
	golden_differs(g, "proof", "good, missing, wrong or stale", name);
	return PROOF_GOOD;
}

bool golden_prove(struct golden *g)
{
	const struct source *source = g->source;
	enum proof_verdict expected = expected_verdict(g);
	struct shown s = {.headers = &g->headers, .query = g->query, .body = g->body, .now_ms = g->now_ms};
	unsigned before = g->failures;

	if (source->auth_secret)
		s.secrets = secret_values(g->generation->secrets, source->auth_secret, &s.secrets_n);
	expect(g, "", &s, expected);
	if (expected != PROOF_GOOD || g->failures > before)
		return false;
	refuse(g, &s);
	return true;
}

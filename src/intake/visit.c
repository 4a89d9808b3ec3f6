#include <config.h>

#include "intake/visit.h"

#include "base/ip.h"
#include "helpdesk/parse/parsed.h"
#include "intake/answer.h"

/* ---- who asks ---------------------------------------------------------------------------------------------------- */

const char *visit_asker(const struct visit *v, struct http_exchange *x, char peer[PEER_MAX])
{
	/* All lines: a proxy may write a line of its own behind the one that the client made up. */
	CLEANUP(mem_freep) char *forwarded = http_header_list(x, "X-Forwarded-For");

	(void)peer_of(&v->generation->config->listen.trusted_proxies, http_peer(x), forwarded, peer);
	return peer;
}

void visit_open_claim(struct visit *v, struct http_exchange *x, struct budget *b)
{
	const struct strings *proxies = &v->generation->config->listen.trusted_proxies;
	char peer[PEER_MAX];
	struct ip ip;
	bool known;

	known = ip_read(visit_asker(v, x, peer), &ip) && !ip_is_loopback(&ip) && !peer_is_among(proxies, peer);
	if (known)
		ip = ip_holder(&ip);
	claim_open(&v->claim, b, known ? &ip : NULL);
}

/* ---- the proof --------------------------------------------------------------------------------------------------- */

/* All but the body. secrets: where the request's proof may look for them. */
static struct proof_request request_of(const struct visit *v, const struct http_exchange *x,
				       struct proof_secrets *ret_secrets)
{
	const struct source *s = v->source;

	*ret_secrets = (struct proof_secrets){.user = s->auth_user};
	if (s->auth_secret)
		ret_secrets->secrets = secret_values(v->generation->secrets, s->auth_secret, &ret_secrets->n);
	return (struct proof_request){
		.method = x->method,
		.url = s->public_url,
		.headers = &v->headers,
		.query = x->query,
		.body = "",
		.now_ms = x->received_ms,
	};
}

enum proof_verdict visit_prove_outside(const struct visit *v, const struct http_exchange *x)
{
	struct proof_secrets secrets;
	const struct proof_request request = request_of(v, x, &secrets);

	return proof_check_outside(definition_proof(v->source->definition), &secrets, &request);
}

enum proof_verdict visit_prove(const struct visit *v, const struct http_exchange *x)
{
	const struct proof *proof = definition_proof(v->source->definition);
	struct proof_secrets secrets;
	struct proof_request request;

	if (v->outside != PROOF_GOOD || !proof_needs_body(proof))
		return v->outside;
	request = request_of(v, x, &secrets);
	request.body = x->body;
	request.body_len = x->body_len;
	return proof_check(proof, &secrets, &request);
}

/* ---- trials of the URL ------------------------------------------------------------------------------------------- */

const char *visit_echo(const struct visit *v, struct http_exchange *x)
{
	const char *name = definition_challenge(v->source->definition);

	return name ? answer_echo(http_header(x, name)) : NULL;
}

bool visit_may_be_trial(const struct visit *v, struct http_exchange *x)
{
	return visit_echo(v, x) || definition_has_trial(v->source->definition);
}

bool visit_is_trial(const struct visit *v, const struct http_exchange *x)
{
	CLEANUP(mem_freep) char *query = NULL, *body = NULL;
	struct webhook w = {.headers = v->headers, .body_len = x->body_len};

	if (!definition_has_trial(v->source->definition))
		return false;
	w.query = query = mem_str(x->query);
	w.body = body = mem_dup(x->body ? x->body : "", x->body_len);
	return parsed_is_trial(v->source->definition, &w);
}

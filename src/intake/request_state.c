/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "intake/request_state.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "intake/answer.h"

#define FORWARDED_FOR "X-Forwarded-For"

/* ---- the client -------------------------------------------------------------------------------------------------- */

static bool is_proxy_ip(const struct proxies *proxies, const struct ip *ip)
{
	for (size_t i = 0; i < proxies->n; i++)
		if (ip_is_in(ip, &proxies->networks[i]))
			return true;
	return false;
}

/* True for a trusted proxy. peer: "192.0.2.1", "2001:db8::1" or "unix". */
static bool is_proxy(const struct proxies *proxies, const char *peer)
{
	struct ip ip;

	return ip_read(peer, &ip) ? is_proxy_ip(proxies, &ip) : proxies->local;
}

const char *peer_behind_proxies(const struct proxies *proxies, const char *peer, const char *forwarded,
				char out[PEER_MAX])
{
	size_t end = forwarded ? strlen(forwarded) : 0;

	(void)snprintf(out, PEER_MAX, "%s", peer);
	while (end > 0 && is_proxy(proxies, out)) {
		CLEANUP(mem_freep) char *element = NULL;
		CLEANUP(mem_freep) char *host = NULL;
		size_t start = end;
		struct ip ip;

		/* The last remaining element, without blanks, brackets and port. */
		while (start > 0 && forwarded[start - 1] != ',')
			start--;
		element = mem_strn(forwarded + start, end - start);
		end = start > 0 ? start - 1 : 0;
		host = host_without_port(text_trim(element));
		if (!host || !ip_read(host, &ip))
			break;
		(void)ip_text(&ip, out);
	}
	return out;
}

const char *request_state_peer(const struct request_state *r, struct http_exchange *x, char peer[PEER_MAX])
{
	/* All lines, because a proxy may add a line behind a forged one of the client. */
	CLEANUP(mem_freep) char *forwarded = http_header_list(x, FORWARDED_FOR);

	(void)peer_behind_proxies(&r->generation->config->listen.trusted_proxies, http_peer(x), forwarded, peer);
	return peer;
}

void request_state_reserve(struct request_state *r, struct http_exchange *x, struct budget *b)
{
	const struct proxies *proxies = &r->generation->config->listen.trusted_proxies;
	char peer[PEER_MAX];
	struct ip ip;
	bool known;

	/* Without a proxy's header the client is the peer, which needs no text. */
	known = http_header(x, FORWARDED_FOR) ? ip_read(request_state_peer(r, x, peer), &ip) : http_peer_ip(x, &ip);
	known = known && !ip_is_loopback(&ip) && !is_proxy_ip(proxies, &ip);
	if (known)
		ip = ip_limit_key(&ip);
	reservation_init(&r->reservation, b, known ? &ip : NULL);
}

/* ---- the proof --------------------------------------------------------------------------------------------------- */

/* Returns the request without its body. *ret_secrets: the source's secrets, borrowed from the generation. */
static struct proof_request request_of(const struct request_state *r, const struct http_exchange *x,
				       struct proof_secrets *ret_secrets)
{
	const struct source *s = r->source;

	*ret_secrets = (struct proof_secrets){.user = s->auth_user};
	if (s->auth_secret)
		ret_secrets->secrets = secret_values(r->generation->secrets, s->auth_secret, &ret_secrets->n);
	return (struct proof_request){
		.method = x->method,
		.url = s->public_url,
		.headers = r->headers,
		.query = x->query,
		.body = "",
		.now_ms = x->received_ms,
	};
}

enum proof_verdict request_state_check_headers(const struct request_state *r, const struct http_exchange *x)
{
	struct proof_secrets secrets;
	struct proof_request request;

	request = request_of(r, x, &secrets);
	return proof_check_without_body(definition_proof(r->source->definition), &secrets, &request);
}

enum proof_verdict request_state_check_proof(const struct request_state *r, const struct http_exchange *x)
{
	const struct proof *proof = definition_proof(r->source->definition);
	struct proof_secrets secrets;
	struct proof_request request;

	if (r->headers_verdict != PROOF_GOOD || !proof_about(proof)->needs_body)
		return r->headers_verdict;
	request = request_of(r, x, &secrets);
	request.body = x->body;
	request.body_len = x->body_len;
	return proof_check(proof, &secrets, &request);
}

/* ---- set-up probes ----------------------------------------------------------------------------------------------- */

const char *request_state_challenge(const struct request_state *r, struct http_exchange *x)
{
	const char *name = definition_about(r->source->definition)->challenge;

	return name ? answer_echo(http_header(x, name)) : NULL;
}

bool request_state_is_setup_probe(const struct request_state *r, const struct http_exchange *x)
{
	CLEANUP(mem_freep) char *query = NULL;
	CLEANUP(mem_freep) char *body = NULL;
	struct webhook w = {.headers = *r->headers, .body_len = x->body_len};

	if (!definition_about(r->source->definition)->has_setup_probe)
		return false;
	w.query = query = mem_str(x->query);
	w.body = body = mem_dup(x->body ? x->body : "", x->body_len);
	return parsed_webhook_is_setup_probe(r->source->definition, &w);
}

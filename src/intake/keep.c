#include <config.h>

#include "intake/keep.h"

#include <string.h>

#include "base/percent.h"

/* By its decoded name, so that an escaped letter in it hides nothing. */
static bool parameter_is(const char *parameter, size_t len, const char *name)
{
	CLEANUP(mem_freep) char *text = mem_strn(parameter, len);
	CLEANUP(pairs_done) struct pairs decoded = {0};

	percent_read_query(text, &decoded);
	return decoded.n > 0 && text_same(decoded.items[0].name, name);
}

char *keep_query(const char *query, const char *secret_name)
{
	char *kept = mem_new(strlen(query) + 1, 1), *to = kept;

	if (!secret_name) {
		memcpy(kept, query, strlen(query));
		return kept;
	}
	for (const char *at = query; *at != '\0';) {
		size_t len = strcspn(at, "&");

		if (!parameter_is(at, len, secret_name)) {
			if (to != kept)
				*to++ = '&';
			memcpy(to, at, len);
			to += len;
		}
		at += len;
		if (*at == '&')
			at++;
	}
	*to = '\0';
	return kept;
}

void keep_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		  size_t body_len, struct webhook *ret)
{
	const struct proof *proof = definition_proof(s->definition);

	*ret = (struct webhook){
		.source = mem_str(s->name),
		.received_ms = x->received_ms,
		.path = mem_str(x->path),
		.query = keep_query(x->query, proof_secret_query(proof)),
		.body = body,
		.body_len = body_len,
	};
	for (size_t i = 0; i < headers->n; i++) {
		const struct pair *h = &headers->items[i];

		if (source_keeps_header(s, h->name))
			pairs_add(&ret->headers, h->name, h->value);
	}
}

/*
 * The table of methods, and what is asked of any of them. proof_plain.c and proof_hmac.c have the methods.
 */
#include <config.h>

#include "helpdesk/proof/proof_parts.h"

#include <string.h>

#include "helpdesk/expr/keys.h"

static const struct proof_way *const proof_ways[] = {
	&proof_basic, &proof_bearer, &proof_header, &proof_query, &proof_none, &proof_hmac, &proof_standard_webhooks,
};
#define PROOF_WAYS (sizeof(proof_ways) / sizeof(*proof_ways))

/* The last three are the source's secrets: where a source names a method, its own mapping is compiled. */
static const char *const proof_keys[] = {"method",    "name", "header",   "format",    "algorithm",
					 "encoding",  "key",  "signed",   "timestamp", "unit",
					 "tolerance", "user", "password", "secret",    NULL};

const char *proof_verdict_name(enum proof_verdict v)
{
	static const char *const names[] = {
		[PROOF_GOOD] = "good",
		[PROOF_MISSING] = "missing",
		[PROOF_WRONG] = "wrong",
		[PROOF_STALE] = "stale",
	};

	return names[v];
}

static const struct proof_way *proof_way_find(const struct node *n, struct problems *problems)
{
	const char *known[PROOF_WAYS + 1] = {NULL};

	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected the name of a method, not %s", node_kind(n));
		return NULL;
	}
	for (size_t i = 0; i < PROOF_WAYS; i++) {
		if (strcmp(proof_ways[i]->name, n->text) == 0)
			return proof_ways[i];
		known[i] = proof_ways[i]->name;
	}
	keys_error(n, "method", n->text, known, problems);
	return NULL;
}

static bool is_one_of(const char *key, const char *const *keys)
{
	for (; keys && *keys; keys++)
		if (strcmp(*keys, key) == 0)
			return true;
	return false;
}

/* Keys that belong to another method. */
static void proof_check_keys(const struct proof *p, const struct node *n, struct problems *problems)
{
	for (size_t i = 0; i < n->n; i++) {
		struct node at = node_at_key(n->items[i]);

		if (is_one_of(at.key, proof_hmac.keys) && !is_one_of(at.key, p->way->keys))
			problems_error(problems, &at, "`%s` belongs to method hmac, not to %s", at.key, p->way->name);
	}
}

static void proof_compile_name(struct proof *p, const struct node *n, struct problems *problems)
{
	const struct node *name = node_get(n, "name");

	if (!p->way->needs_name) {
		if (name)
			problems_error(problems, name, "method \"%s\" has no name", p->way->name);
		return;
	}
	if (!name || name->type != NODE_SCALAR || name->text[0] == '\0') {
		problems_error(problems, name ? name : n, "expected `name`: of the %s that carries the secret",
			       p->way->in_header ? "header" : "query parameter");
		return;
	}
	if ((p->way->in_header && !reference_header_is_good(name->text)) || strpbrk(name->text, "&=+% #"))
		problems_error(problems, name, "\"%.64s\" is no name of a %s", name->text,
			       p->way->in_header ? "header" : "query parameter");
	p->name = mem_str(name->text);
}

struct proof *proof_compile(const struct node *authenticate, struct problems *problems)
{
	const struct node *method = node_get(authenticate, "method");
	size_t errors = problems->errors;
	struct proof *p;

	if (authenticate->type != NODE_MAP || !method) {
		problems_error(problems, authenticate, "expected a mapping with `method`, as in {method: basic}");
		return NULL;
	}
	keys_check(authenticate, proof_keys, problems);
	p = mem_new(1, sizeof(*p));
	p->way = proof_way_find(method, problems);
	if (p->way) {
		proof_compile_name(p, authenticate, problems);
		proof_check_keys(p, authenticate, problems);
	}
	if (p->way && p->way->compile)
		p->hmac = p->way->compile(authenticate, problems);
	if (problems->errors == errors)
		return p;
	proof_free(p);
	return NULL;
}

void proof_free(struct proof *p)
{
	if (!p)
		return;
	hmac_free(p->hmac);
	free(p->name);
	free(p);
}

const char *proof_method(const struct proof *p)
{
	return p->way->name;
}

bool proof_needs_user(const struct proof *p)
{
	return p->way->needs_user;
}

bool proof_needs_secret(const struct proof *p)
{
	return p->way->needs_secret;
}

bool proof_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	return p->way->is_shown(p, headers, query);
}

enum proof_verdict proof_check_outside(const struct proof *p, const struct proof_secrets *secrets,
				       const struct proof_request *request)
{
	return p->hmac ? hmac_check_outside(p->hmac, request) : p->way->check(p, secrets, request);
}

bool proof_needs_body(const struct proof *p)
{
	return p->hmac != NULL;
}

enum proof_verdict proof_check(const struct proof *p, const struct proof_secrets *secrets,
			       const struct proof_request *request)
{
	return p->way->check(p, secrets, request);
}

bool proof_signed_at(const struct proof *p, const struct proof_request *request, int64_t *ret_ms)
{
	return p->hmac && hmac_signed_at(p->hmac, request, ret_ms);
}

const struct reference *proof_body_timestamp(const struct proof *p)
{
	return p->hmac ? hmac_body_timestamp(p->hmac) : NULL;
}

int64_t proof_tolerance_ms(const struct proof *p)
{
	return p->hmac && p->hmac->stamp != HMAC_STAMP_NONE ? p->hmac->tolerance_ms : 0;
}

void proof_make(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		struct pairs *ret_headers, char **ret_query)
{
	*ret_headers = (struct pairs){0};
	*ret_query = NULL;
	if (p->way->make && secrets->n > 0 && secrets->secrets[0])
		p->way->make(p, secrets, request, ret_headers, ret_query);
}

const char *proof_secret_header(const struct proof *p)
{
	if (!p->way->in_header)
		return NULL;
	return p->name ? p->name : "Authorization";
}

const char *proof_secret_query(const struct proof *p)
{
	return p->way->in_query ? p->name : NULL;
}

bool proof_signs_url(const struct proof *p)
{
	return p->hmac && pieces_have(&p->hmac->message, PIECE_URL);
}

const char *proof_secret_fault(const struct proof *p, const char *secret)
{
	return p->hmac ? hmac_secret_fault(p->hmac, secret) : NULL;
}

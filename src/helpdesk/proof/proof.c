/* SPDX-License-Identifier: MIT */
/*
 * The functions of proof.h, the methods in which a webhook carries the secret itself or nothing, and the table of all
 * methods. The methods that sign are in hmac.c.
 */
#include <config.h>

#include "helpdesk/proof/proof_internal.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/percent.h"
#include "helpdesk/expr/keys.h"

#define PROOF_QUERY_MAX (1 << 20)

/* ---- methods that carry the secret itself ------------------------------------------------------------------------ */

/* True where the value is one of the secrets. All are compared, so that the time taken reveals nothing; an empty secret
 * never matches. */
static bool secrets_hold(const struct proof_secrets *s, const char *shown, size_t len)
{
	bool good = false;

	for (size_t i = 0; i < s->n; i++) {
		const char *secret = s->secrets[i];

		if (secret && *secret != '\0' && digest_equal(shown, len, secret, strlen(secret)))
			good = true;
	}
	return good;
}

/* Returns the value in the secret's place, without the scheme; NULL: none. Borrowed from the headers, or from
 * parameters, which is filled where the secret stands in the query. */
static const char *plain_value(const struct proof *p, const struct pairs *headers, const char *query,
			       struct pairs *parameters)
{
	const char *scheme = p->ops->scheme;
	size_t len = scheme ? strlen(scheme) : 0;
	const char *value;

	if (p->ops->in_query) {
		percent_read_query(query, parameters);
		return pairs_get(parameters, p->name);
	}
	value = pairs_get(headers, scheme ? "Authorization" : p->name);
	if (!value || !scheme)
		return value;
	if (strncasecmp(value, scheme, len) != 0 || value[len] != ' ')
		return NULL;
	return value + len + strspn(value + len, " ");
}

static bool plain_is_present(const struct proof *p, const struct pairs *headers, const char *query)
{
	CLEANUP(pairs_done) struct pairs parameters = {0};

	return plain_value(p, headers, query, &parameters) != NULL;
}

static enum proof_verdict plain_check(const struct proof *p, const struct proof_secrets *s,
				      const struct proof_request *request)
{
	CLEANUP(pairs_done) struct pairs parameters = {0};
	const char *shown = plain_value(p, request->headers, request->query, &parameters);

	if (!shown)
		return PROOF_MISSING;
	return secrets_hold(s, shown, strlen(shown)) ? PROOF_GOOD : PROOF_WRONG;
}

static enum proof_verdict basic_check(const struct proof *p, const struct proof_secrets *s,
				      const struct proof_request *request)
{
	const char *shown = plain_value(p, request->headers, request->query, NULL);
	CLEANUP(mem_freep) char *pair = NULL;
	const char *colon;
	bool user, secret;
	size_t len;

	if (!shown)
		return PROOF_MISSING;
	if (!s->user || digest_unbase64(shown, strlen(shown), &pair, &len) < 0)
		return PROOF_WRONG;
	colon = memchr(pair, ':', len);
	if (!colon)
		return PROOF_WRONG;
	user = digest_equal(pair, (size_t)(colon - pair), s->user, strlen(s->user));
	secret = secrets_hold(s, colon + 1, len - (size_t)(colon + 1 - pair));
	return user && secret ? PROOF_GOOD : PROOF_WRONG;
}

/* Fills *query where the query carries the secret, else adds the header. */
static void plain_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		       struct pairs *headers, char **query)
{
	CLEANUP(mem_freep) char *pair = NULL;
	CLEANUP(mem_freep) char *encoded = NULL;
	CLEANUP(mem_freep) char *value = NULL;
	const char *secret = s->secrets[0];
	struct buf b;

	(void)request;
	if (p->ops->in_query) {
		buf_init(&b, PROOF_QUERY_MAX);
		buf_addf(&b, "%s=", p->name);
		percent_add(&b, secret, "");
		*query = buf_take(&b);
		return;
	}
	if (p->ops->needs_user) {
		pair = mem_fmt("%s:%s", s->user ? s->user : "", secret);
		secret = encoded = digest_base64(pair, strlen(pair));
	}
	value = p->ops->scheme ? mem_fmt("%s %s", p->ops->scheme, secret) : mem_str(secret);
	pairs_add(headers, p->about.secret_header, value);
}

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

static const struct proof_method proof_basic = {
	.name = "basic",
	.scheme = "Basic",
	.needs_user = true,
	.needs_secret = true,
	.in_header = true,
	.is_present = plain_is_present,
	.check = basic_check,
	.make = plain_make,
};

static const struct proof_method proof_bearer = {
	.name = "bearer",
	.scheme = "Bearer",
	.needs_secret = true,
	.in_header = true,
	.is_present = plain_is_present,
	.check = plain_check,
	.make = plain_make,
};

static const struct proof_method proof_header = {
	.name = "header",
	.needs_secret = true,
	.needs_name = true,
	.in_header = true,
	.is_present = plain_is_present,
	.check = plain_check,
	.make = plain_make,
};

static const struct proof_method proof_query = {
	.name = "query",
	.needs_secret = true,
	.needs_name = true,
	.in_query = true,
	.is_present = plain_is_present,
	.check = plain_check,
	.make = plain_make,
};

static const struct proof_method proof_none = {.name = "none"};

static const struct proof_method *const proof_ways[] = {
	&proof_basic, &proof_bearer, &proof_header, &proof_query, &proof_none, &proof_hmac, &proof_standard_webhooks,
};
#define PROOF_METHODS (sizeof(proof_ways) / sizeof(*proof_ways))

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/* The last three are the source's secrets: where a source names a method, its own mapping is compiled. */
static const char *const proof_keys[] = {"method",    "name", "header",   "format",    "algorithm",
					 "encoding",  "key",  "signed",   "timestamp", "unit",
					 "tolerance", "user", "password", "secret",    NULL};

static const struct proof_method *proof_method_find(const struct node *n, struct problems *problems)
{
	const char *known[PROOF_METHODS + 1] = {NULL};

	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected the name of a method, not %s", node_kind(n));
		return NULL;
	}
	for (size_t i = 0; i < PROOF_METHODS; i++) {
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

static void proof_compile_name(struct proof *p, const struct node *n, struct problems *problems)
{
	const struct node *name = node_get(n, "name");

	if (!p->ops->needs_name) {
		if (name)
			problems_error(problems, name, "method \"%s\" has no name", p->ops->name);
		return;
	}
	if (!name || name->type != NODE_SCALAR || name->text[0] == '\0') {
		problems_error(problems, name ? name : n, "expected `name`: of the %s that carries the secret",
			       p->ops->in_header ? "header" : "query parameter");
		return;
	}
	if ((p->ops->in_header && !reference_header_is_good(name->text)) || strpbrk(name->text, "&=+% #"))
		problems_error(problems, name, "\"%.64s\" is no name of a %s", name->text,
			       p->ops->in_header ? "header" : "query parameter");
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
	p->ops = proof_method_find(method, problems);
	if (p->ops)
		proof_compile_name(p, authenticate, problems);
	for (size_t i = 0; p->ops && i < authenticate->n; i++) {
		struct node at = node_at_key(authenticate->items[i]);

		if (is_one_of(at.key, proof_hmac.keys) && !is_one_of(at.key, p->ops->keys))
			problems_error(problems, &at, "`%s` belongs to method hmac, not to %s", at.key, p->ops->name);
	}
	if (p->ops && p->ops->compile)
		p->hmac = p->ops->compile(authenticate, problems);
	if (problems->errors > errors) {
		proof_free(p);
		return NULL;
	}
	p->about = (struct proof_about){
		.method = p->ops->name,
		.needs_user = p->ops->needs_user,
		.needs_secret = p->ops->needs_secret,
		.needs_body = p->hmac != NULL,
		.signs_url = p->hmac && pieces_have(&p->hmac->message, PIECE_URL),
		.secret_query = p->ops->in_query ? p->name : NULL,
	};
	if (p->ops->in_header)
		p->about.secret_header = p->name ? p->name : "Authorization";
	if (p->hmac && p->hmac->timestamp_in != HMAC_TIMESTAMP_NONE)
		p->about.tolerance_ms = p->hmac->tolerance_ms;
	if (p->hmac && p->hmac->timestamp_in == HMAC_TIMESTAMP_IN_BODY)
		p->about.body_timestamp = p->hmac->timestamp;
	return p;
}

void proof_free(struct proof *p)
{
	if (!p)
		return;
	hmac_free(p->hmac);
	free(p->name);
	free(p);
}

const struct proof_about *proof_about(const struct proof *p)
{
	return &p->about;
}

bool proof_is_present(const struct proof *p, const struct pairs *headers, const char *query)
{
	return !p->ops->is_present || p->ops->is_present(p, headers, query);
}

enum proof_verdict proof_check_without_body(const struct proof *p, const struct proof_secrets *secrets,
					    const struct proof_request *request)
{
	return p->hmac ? hmac_check_without_body(p->hmac, request) : proof_check(p, secrets, request);
}

enum proof_verdict proof_check(const struct proof *p, const struct proof_secrets *secrets,
			       const struct proof_request *request)
{
	return p->ops->check ? p->ops->check(p, secrets, request) : PROOF_GOOD;
}

void proof_make(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		struct pairs *ret_headers, char **ret_query)
{
	*ret_headers = (struct pairs){0};
	*ret_query = NULL;
	if (p->ops->make && secrets->n > 0 && secrets->secrets[0])
		p->ops->make(p, secrets, request, ret_headers, ret_query);
}

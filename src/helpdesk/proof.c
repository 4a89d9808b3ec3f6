#include <config.h>

#include "helpdesk/proof.h"

#include <string.h>

#include "base/digest.h"
#include "helpdesk/keys.h"
#include "helpdesk/reference.h"

#define PROOF_QUERY_MAX (1 << 20)

/* One method: a row of proof_ways and three functions. */
struct proof_way {
	const char *name;
	bool needs_user, needs_secret, needs_name;
	bool in_header, in_query; /* where the secret itself is shown */
	bool (*is_shown)(const struct proof *p, const struct pairs *headers, const char *query);
	enum proof_verdict (*check)(const struct proof *p, const struct proof_secrets *s,
				    const struct proof_request *request);
	void (*make)(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		     struct pairs *headers, char **query);
};

struct proof {
	const struct proof_way *way;
	char *name; /* of the header or the query parameter */
};

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

/* Any of the secrets. All are compared whatever came before; an empty secret is none. */
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

/* What stands behind "Basic " or "Bearer ", or NULL. */
static const char *authorization(const struct pairs *headers, const char *scheme)
{
	const char *value = pairs_get(headers, "Authorization");
	size_t len = strlen(scheme);

	if (!value || strncasecmp(value, scheme, len) != 0 || value[len] != ' ')
		return NULL;
	value += len;
	while (*value == ' ')
		value++;
	return value;
}

/* ---- basic ------------------------------------------------------------------------------------------------------- */

static bool basic_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	(void)p;
	(void)query;
	return authorization(headers, "Basic") != NULL;
}

static enum proof_verdict basic_check(const struct proof *p, const struct proof_secrets *s,
				      const struct proof_request *request)
{
	const char *shown = authorization(request->headers, "Basic");
	CLEANUP(mem_freep) char *pair = NULL;
	const char *colon;
	bool user, secret;
	size_t len;

	(void)p;
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

static void basic_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		       struct pairs *headers, char **query)
{
	CLEANUP(mem_freep) char *pair = mem_fmt("%s:%s", s->user ? s->user : "", s->secrets[0]);
	CLEANUP(mem_freep) char *text = digest_base64(pair, strlen(pair));
	CLEANUP(mem_freep) char *value = mem_fmt("Basic %s", text);

	(void)p;
	(void)request;
	(void)query;
	pairs_add(headers, "Authorization", value);
}

/* ---- bearer ------------------------------------------------------------------------------------------------------ */

static bool bearer_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	(void)p;
	(void)query;
	return authorization(headers, "Bearer") != NULL;
}

static enum proof_verdict bearer_check(const struct proof *p, const struct proof_secrets *s,
				       const struct proof_request *request)
{
	const char *shown = authorization(request->headers, "Bearer");

	(void)p;
	if (!shown)
		return PROOF_MISSING;
	return secrets_hold(s, shown, strlen(shown)) ? PROOF_GOOD : PROOF_WRONG;
}

static void bearer_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
			struct pairs *headers, char **query)
{
	CLEANUP(mem_freep) char *value = mem_fmt("Bearer %s", s->secrets[0]);

	(void)p;
	(void)request;
	(void)query;
	pairs_add(headers, "Authorization", value);
}

/* ---- header ------------------------------------------------------------------------------------------------------ */

static bool header_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	(void)query;
	return pairs_get(headers, p->name) != NULL;
}

static enum proof_verdict header_check(const struct proof *p, const struct proof_secrets *s,
				       const struct proof_request *request)
{
	const char *shown = pairs_get(request->headers, p->name);

	if (!shown)
		return PROOF_MISSING;
	return secrets_hold(s, shown, strlen(shown)) ? PROOF_GOOD : PROOF_WRONG;
}

static void header_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
			struct pairs *headers, char **query)
{
	(void)request;
	(void)query;
	pairs_add(headers, p->name, s->secrets[0]);
}

/* ---- query ------------------------------------------------------------------------------------------------------- */

static char *query_shown(const struct proof *p, const char *query)
{
	struct pairs all = {0};
	char *shown;

	scope_query(query, &all);
	shown = mem_str(pairs_get(&all, p->name));
	pairs_done(&all);
	return shown;
}

static bool query_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	CLEANUP(mem_freep) char *shown = query_shown(p, query);

	(void)headers;
	return shown != NULL;
}

static enum proof_verdict query_check(const struct proof *p, const struct proof_secrets *s,
				      const struct proof_request *request)
{
	CLEANUP(mem_freep) char *shown = query_shown(p, request->query);

	if (!shown)
		return PROOF_MISSING;
	return secrets_hold(s, shown, strlen(shown)) ? PROOF_GOOD : PROOF_WRONG;
}

static void query_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		       struct pairs *headers, char **query)
{
	struct buf b;

	(void)request;
	(void)headers;
	buf_init(&b, PROOF_QUERY_MAX);
	buf_addf(&b, "%s=", p->name);
	scope_escape(s->secrets[0], &b);
	*query = buf_take(&b);
}

/* ---- none -------------------------------------------------------------------------------------------------------- */

static bool none_is_shown(const struct proof *p, const struct pairs *headers, const char *query)
{
	(void)p;
	(void)headers;
	(void)query;
	return true;
}

static enum proof_verdict none_check(const struct proof *p, const struct proof_secrets *s,
				     const struct proof_request *request)
{
	(void)p;
	(void)s;
	(void)request;
	return PROOF_GOOD;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const struct proof_way proof_ways[] = {
	{.name = "basic",
	 .needs_user = true,
	 .needs_secret = true,
	 .in_header = true,
	 .is_shown = basic_is_shown,
	 .check = basic_check,
	 .make = basic_make},
	{.name = "bearer",
	 .needs_secret = true,
	 .in_header = true,
	 .is_shown = bearer_is_shown,
	 .check = bearer_check,
	 .make = bearer_make},
	{.name = "header",
	 .needs_secret = true,
	 .needs_name = true,
	 .in_header = true,
	 .is_shown = header_is_shown,
	 .check = header_check,
	 .make = header_make},
	{.name = "query",
	 .needs_secret = true,
	 .needs_name = true,
	 .in_query = true,
	 .is_shown = query_is_shown,
	 .check = query_check,
	 .make = query_make},
	{.name = "none", .is_shown = none_is_shown, .check = none_check},
};

/* Every method of the language, in the order of the manual. Those without a row are of a later version. */
static const char *const proof_methods[] = {"basic", "bearer", "header", "query", "none", "hmac", "standard-webhooks",
					    NULL};

/* The last three are the source's secrets: where a source names a method, its own mapping is compiled. */
static const char *const proof_keys[] = {"method", "name",      "header",    "format", "algorithm", "encoding", "key",
					 "signed", "timestamp", "tolerance", "user",   "password",  "secret",   NULL};
static const char *const proof_hmac_keys[] = {"header", "format",    "algorithm", "encoding", "key",
					      "signed", "timestamp", "tolerance", NULL};

static const struct proof_way *proof_way_find(const struct node *n, struct problems *problems)
{
	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected the name of a method, not %s", node_kind(n));
		return NULL;
	}
	for (size_t i = 0; i < sizeof(proof_ways) / sizeof(*proof_ways); i++)
		if (strcmp(proof_ways[i].name, n->text) == 0)
			return &proof_ways[i];
	for (size_t i = 0; proof_methods[i]; i++) {
		if (strcmp(proof_methods[i], n->text) == 0) {
			problems_error(problems, n, "method \"%s\" is not supported by this version", n->text);
			return NULL;
		}
	}
	keys_error(n, "method", n->text, proof_methods, problems);
	return NULL;
}

static void proof_compile_name(struct proof *p, const struct node *n, struct problems *problems)
{
	const struct node *name = node_get(n, "name");
	CLEANUP(mem_freep) char *text = NULL;
	struct reference *r = NULL;
	struct err e;

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
	text = mem_fmt("%s:%s", p->way->in_header ? "header" : "query", name->text);
	if (reference_compile(text, REFERENCE_NO_NAMES, &r, &e) < 0 || strpbrk(name->text, "&=+% #"))
		problems_error(problems, name, "\"%.64s\" is no name of a %s", name->text,
			       p->way->in_header ? "header" : "query parameter");
	reference_free(r);
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
	if (p->way)
		proof_compile_name(p, authenticate, problems);
	for (size_t i = 0; p->way && proof_hmac_keys[i]; i++) {
		const struct node *n = node_get(authenticate, proof_hmac_keys[i]);

		if (n)
			problems_error(problems, n, "`%s` belongs to method hmac, not to %s", proof_hmac_keys[i],
				       p->way->name);
	}
	if (problems->errors == errors)
		return p;
	proof_free(p);
	return NULL;
}

void proof_free(struct proof *p)
{
	if (!p)
		return;
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

enum proof_verdict proof_check(const struct proof *p, const struct proof_secrets *secrets,
			       const struct proof_request *request)
{
	return p->way->check(p, secrets, request);
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

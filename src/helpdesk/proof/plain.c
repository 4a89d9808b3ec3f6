/*
 * The methods by which a webhook shows the secret itself, or nothing. See proof_hmac.c for signatures.
 */
#include <config.h>

#include "helpdesk/proof/proof_parts.h"

#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/percent.h"

#define PROOF_QUERY_MAX (1 << 20)

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

	percent_read_query(query, &all);
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
	percent_add(&b, s->secrets[0], "");
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

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

const struct proof_way proof_basic = {
	.name = "basic",
	.needs_user = true,
	.needs_secret = true,
	.in_header = true,
	.is_shown = basic_is_shown,
	.check = basic_check,
	.make = basic_make,
};

const struct proof_way proof_bearer = {
	.name = "bearer",
	.needs_secret = true,
	.in_header = true,
	.is_shown = bearer_is_shown,
	.check = bearer_check,
	.make = bearer_make,
};

const struct proof_way proof_header = {
	.name = "header",
	.needs_secret = true,
	.needs_name = true,
	.in_header = true,
	.is_shown = header_is_shown,
	.check = header_check,
	.make = header_make,
};

const struct proof_way proof_query = {
	.name = "query",
	.needs_secret = true,
	.needs_name = true,
	.in_query = true,
	.is_shown = query_is_shown,
	.check = query_check,
	.make = query_make,
};

const struct proof_way proof_none = {
	.name = "none",
	.is_shown = none_is_shown,
	.check = none_check,
};

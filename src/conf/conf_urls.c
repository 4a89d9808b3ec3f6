/* SPDX-License-Identifier: MIT */
/*
 * conf_urls: checks base URLs that already hold the beginning of the paths appended to them.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/url.h"
#include "klaviyo/request.h"

/* A base URL, and one URL that is made from it. */
struct joined_url {
	const char *base, *whole;
	const char *purpose; /* the use of whole, after "with this path" in a message */
	const char *api; /* the API whose paths are appended; NULL: any path of base is fine unless it is repeated */
};

/*
 * Returns the number of bytes at the end of base that whole repeats right after base, in whole segments of the path:
 * "/api/v1" of https://acme.example/api/v1 in https://acme.example/api/v1/api/v1/users. 0: none, also where whole does
 * not begin with base.
 */
static size_t repeats_of(const char *base, const char *whole)
{
	const char *path = url_path(base);
	const char *rest;

	if (strncmp(base, whole, strlen(base)) != 0)
		return 0;
	rest = whole + strlen(base);
	for (const char *from = path; from; from = *from == '/' ? strchr(from + 1, '/') : NULL) {
		size_t len = strlen(from);

		if (len > 1 && strncmp(from, rest, len) == 0 && (rest[len] == '\0' || strchr("/?#", rest[len])))
			return len;
	}
	return 0;
}

/* Warns of a path in the base URL. True where it did. */
static bool check_joined_url(struct loader *l, const struct node *at, const struct joined_url *j)
{
	const char *path = url_path(j->base);
	size_t repeats = repeats_of(j->base, j->whole);
	size_t len = strlen(j->base);

	if (repeats > 0)
		problems_warn(l->reader.problems, at, "with this path %s %s, in which %s stands twice: write %.*s",
			      j->purpose, j->whole, j->base + len - repeats, (int)(len - repeats), j->base);
	else if (j->api && *path != '\0')
		problems_warn(l->reader.problems, at, "with this path %s %s: write %.*s, unless %s is below %s there",
			      j->purpose, j->whole, (int)(path - j->base), j->base, j->api, path);
	return repeats > 0 || (j->api && *path != '\0');
}

void config_check_account_url(struct loader *l, const struct node *at, const char *url)
{
	CLEANUP(mem_freep) char *whole = request_url(url, KLAVIYO_PATH_EVENTS);
	const struct joined_url j = {
		.base = url, .whole = whole, .purpose = "the daemon sends to", .api = "Klaviyo's API"};

	(void)check_joined_url(l, at, &j);
}

struct urls {
	struct loader *loader;
	const struct node *at;
	const char *base;
	bool warned; /* one warning is enough */
};

static void check_definition_url(void *ctx, enum definition_url kind, const char *outline, bool optional)
{
	struct urls *u = ctx;
	const struct joined_url j = {
		.base = u->base,
		.whole = outline,
		.purpose = kind == DEFINITION_LOOKUP ? "the daemon asks" : "events show",
		.api = kind == DEFINITION_LOOKUP ? "the helpdesk's API" : NULL,
	};

	(void)optional;
	if (!u->warned && strncmp(outline, u->base, strlen(u->base)) == 0)
		u->warned = check_joined_url(u->loader, u->at, &j);
}

void config_check_base_url(struct loader *l, const struct node *at, const struct source *s)
{
	struct urls u = {.loader = l, .at = at, .base = s->lookup_base_url};

	definition_urls(s->definition, check_definition_url, &u);
}

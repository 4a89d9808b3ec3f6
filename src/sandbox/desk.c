/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/desk.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define JSON "application/json"

void desk_done(struct desk *d)
{
	pairs_done(&d->customers);
	pages_done(&d->pages);
}

static struct pair *find(const struct desk *d, const char *id)
{
	for (size_t i = 0; i < d->customers.n; i++)
		if (text_is(d->customers.items[i].name, id))
			return &d->customers.items[i];
	return NULL;
}

int desk_add(struct desk *d, const char *spec, struct err *reterr)
{
	const char *equals = strchr(spec, '=');
	struct pair *known;

	if (!equals || equals == spec || !equals[1] || strlen(spec) > 4096)
		return err_set(reterr, -EINVAL, "\"%s\": expected ID=EMAIL[,EMAIL…], such as cust-1=jo@example.com",
			       spec);
	CLEANUP(mem_freep) char *id = mem_strn(spec, (size_t)(equals - spec));
	known = find(d, id);
	if (known) {
		free(known->value);
		known->value = mem_str(equals + 1);
		return 0;
	}
	if (d->customers.n == DESK_CUSTOMERS_MAX)
		return err_set(reterr, -ENOSPC, "more than %d customers", DESK_CUSTOMERS_MAX);
	pairs_add(&d->customers, id, equals + 1);
	return 0;
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

static char *target_of(const struct http_exchange *x)
{
	return mem_fmt("%s%s%s", x->path, x->query && *x->query != '\0' ? "?" : "", x->query ? x->query : "");
}

bool desk_owns(const struct desk *d, const struct http_exchange *x)
{
	CLEANUP(mem_freep) char *target = target_of(x);

	for (size_t i = 0; i < d->pages.n; i++)
		if (page_matches(&d->pages.items[i], target, NULL))
			return true;
	return false;
}

/* The degrees to which a page matches a request, the worst first. */
enum match_level {
	MATCH_NONE,
	MATCH_STRANGER, /* an unknown customer */
	MATCH_ANY,      /* the example, for any id */
	MATCH_EXAMPLE,  /* the example's own customer */
	MATCH_EXACT,    /* the example's own request */
	MATCH_KNOWN,    /* a customer of /sandbox/customers */
};

struct found {
	const struct page *page;
	enum match_level level;
	const char *addresses; /* MATCH_KNOWN; borrowed from the desk */
};

static enum match_level match_level_of(const struct desk *d, const struct page *p, const struct page_values *v,
				       const char **ret_addresses)
{
	bool exact = true;
	bool example = false;
	bool stranger = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct pair *known = p->parts[i].varies ? find(d, v->items[i]) : NULL;
		bool same = !p->parts[i].varies || text_is(v->items[i], p->parts[i].text);

		if (known && p->step->emails.n > 0) {
			*ret_addresses = known->value;
			return MATCH_KNOWN;
		}
		exact = exact && same;
		example = example || (p->parts[i].customer && same);
		stranger = stranger || (p->parts[i].customer && !same && p->step->emails.n > 0);
	}
	return exact ? MATCH_EXACT : stranger ? MATCH_STRANGER : example ? MATCH_EXAMPLE : MATCH_ANY;
}

/*
 * Returns the page that answers. Several may match: pages of several samples of one definition, or of two helpdesks
 * with similar addresses. A customer who is unknown to the first that matches is unknown, unless a later page knows the
 * id.
 */
static struct found find_page(const struct desk *d, const char *target, const struct pairs *headers)
{
	struct found best = {.level = MATCH_NONE};

	for (size_t i = 0; i < d->pages.n; i++) {
		const struct page *p = &d->pages.items[i];
		const char *addresses = NULL;
		struct page_values v = {0};
		enum match_level level;

		if (!page_is_authenticated(p, headers) || !page_matches(p, target, &v))
			continue;
		level = match_level_of(d, p, &v, &addresses);
		page_values_done(&v);
		if (best.level == MATCH_NONE || (level > best.level && level > MATCH_ANY))
			best = (struct found){.page = p, .level = level, .addresses = addresses};
	}
	return best;
}

void desk_serve(struct desk *d, struct http_exchange *x, struct answer *ret)
{
	CLEANUP(mem_freep) char *target = target_of(x);
	struct found found = find_page(d, target, http_headers(x));

	if (found.level == MATCH_NONE)
		answer_error(ret, 401,
			     "credentials of the kind that this helpdesk's lookup authenticates by are needed");
	else if (strcmp(x->method, "GET") != 0)
		answer_error(ret, 405, "GET only");
	else if (found.level == MATCH_STRANGER)
		answer_error(ret, 404, "no such customer; POST ID=EMAIL to /sandbox/customers");
	else
		answer_json(ret, 200, JSON, page_answer(found.page, found.addresses));
}

/* ---- customers --------------------------------------------------------------------------------------------------- */

void desk_list(struct desk *d, struct answer *ret)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < d->customers.n; i++) {
		CLEANUP(mem_freep) char *copy = mem_str(d->customers.items[i].value);
		struct json_object *emails = json_object_new_array();
		char *rest = copy;
		char *email;

		while ((email = strsep(&rest, ","))) {
			email = text_trim(email);
			if (*email != '\0')
				json_object_array_add(emails, json_object_new_string(email));
		}
		json_object_object_add(o, d->customers.items[i].name, emails);
	}
	answer_json(ret, 200, JSON, o);
}

void desk_post(struct desk *d, const char *lines, struct answer *ret)
{
	CLEANUP(mem_freep) char *copy = mem_str(lines);
	char *rest = copy;
	struct desk parsed = {0};
	char *line;
	struct err err;
	int r = 0;

	/* The lines are added to a copy first, so that a wrong line changes nothing. */
	for (size_t i = 0; i < d->customers.n; i++)
		pairs_add(&parsed.customers, d->customers.items[i].name, d->customers.items[i].value);
	while (r == 0 && (line = strsep(&rest, "\n"))) {
		line = text_trim(line);
		r = *line != '\0' ? desk_add(&parsed, line, &err) : 0;
	}
	if (r < 0) {
		pairs_done(&parsed.customers);
		answer_error(ret, 400, err.text);
		return;
	}
	pairs_done(&d->customers);
	d->customers = parsed.customers;
	desk_list(d, ret);
}

/* SPDX-License-Identifier: MIT */
/*
 * Walks through a definition's lookup steps. The state: the current step, the values found, and the borrowed webhook,
 * in which a merged customer's new id replaces the old one. No network and no time: src/courier sends, waits and
 * repeats.
 */
#include <config.h>

#include "helpdesk/plan/lookup_plan.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "helpdesk/expr/body.h"
#include "helpdesk/definition/definition_internal.h"

#define LOOKUP_PLAN_MOVES_MAX 3
#define LOOKUP_PLAN_ID_MAX 512
#define LOOKUP_PLAN_URL_MAX 8192

struct lookup_plan {
	const struct definition *d;
	struct eval_context context; /* over the webhook, with the names taken until now */
	struct customer found;
	bool addressless;  /* the webhook has no address */
	bool answered;     /* a step was answered with a 2xx in JSON */
	struct err missed; /* a step with the address: no such customer; code 0: none */
	size_t step;       /* the current or next step */
	unsigned moves;
	char *location; /* of the next answer, without query and password; NULL: none */
	/* The ids asked for until now. A chain of merges that returns to one of them never ends. */
	char *asked[LOOKUP_PLAN_MOVES_MAX + 1];
};

/*
 * Goes from *step on to the first step that is not skipped, and makes its URL. Returns 0, 1: no step is left, or
 * -ENOENT: a required step cannot be asked. The caller owns *ret_url.
 */
static int find_step(const struct lookup_plan *q, size_t *step, char **ret_url, struct err *reterr)
{
	const struct eval_context *s = &q->context;

	for (; *step < q->d->steps_n; ++*step) {
		const struct step *at = &q->d->steps[*step];

		if (!step_applies(at, s))
			continue;
		if (step_url(at, s, ret_url) == 0)
			return 0;
		if (!at->optional)
			return err_set(reterr, -ENOENT, "the lookup's URL %s cannot be made: a part of it is missing",
				       template_text(at->urls[0]));
	}
	return 1;
}

int lookup_plan_new(const struct definition *d, const struct eval_context *s, struct lookup_plan **ret,
		    struct err *reterr)
{
	CLEANUP(mem_freep) char *url = NULL;
	struct lookup_plan *q = mem_new(1, sizeof(*q));
	struct addresses found = {0};
	int r;

	q->d = d;
	q->context = *s;
	q->context.taken = &q->found.taken;
	r = find_step(q, &q->step, &url, reterr);
	if (r != 0) {
		lookup_plan_free(q);
		return r < 0 ? r : err_set(reterr, -ENOENT, "nothing to look up");
	}
	q->addressless = !email_refs_read(&d->emails, &q->context, &found);
	addresses_done(&found);
	q->asked[0] = d->customer ? value_expr_text(d->customer, &q->context) : NULL;
	*ret = q;
	return 0;
}

void lookup_plan_free(struct lookup_plan *q)
{
	if (!q)
		return;
	customer_done(&q->found);
	free(q->location);
	for (size_t i = 0; i <= LOOKUP_PLAN_MOVES_MAX; i++)
		free(q->asked[i]);
	free(q);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static bool is_one_line(const char *s)
{
	return s && !strpbrk(s, "\r\n");
}

static int add_authentication(const struct step *step, const struct lookup_plan_secrets *secrets, struct pairs *headers,
			      struct err *reterr)
{
	CLEANUP(mem_freep) char *value = NULL;

	if (step->method == STEP_BASIC) {
		CLEANUP(mem_freep) char *pair = NULL;
		CLEANUP(mem_freep) char *text = NULL;
		const char *suffix = step->suffix ? step->suffix : ""; /* the required end of the user's name */
		size_t suffix_len = strlen(suffix);
		size_t user;
		bool there;

		if (!is_one_line(secrets->user) || !is_one_line(secrets->password))
			return err_set(reterr, -EACCES, "the lookup needs `user` and `password` of one line each");
		user = strlen(secrets->user);
		there = suffix_len <= user && memcmp(secrets->user + user - suffix_len, suffix, suffix_len) == 0;
		pair = mem_fmt("%s%s:%s", secrets->user, there ? "" : suffix, secrets->password);
		text = digest_base64(pair, strlen(pair));
		value = mem_fmt("Basic %s", text);
		pairs_add(headers, "Authorization", value);
		return 0;
	}
	if (!is_one_line(secrets->token))
		return err_set(reterr, -EACCES, "the lookup needs a `token` of one line");
	value = mem_fmt("%s%s%s", step->scheme, step->scheme[0] != '\0' ? " " : "", secrets->token);
	pairs_add(headers, step->header ? step->header : "Authorization", value);
	return 0;
}

static int add_headers(const struct step *step, const struct eval_context *s, struct pairs *headers, struct err *reterr)
{
	for (size_t i = 0; i < step->headers_n; i++) {
		CLEANUP(mem_freep) char *value = NULL;
		int r = template_render(step->headers[i].value, s, TEMPLATE_PLAIN, &value, reterr);

		if (r < 0)
			return err_set(reterr, -ENOENT,
				       "the lookup's header %s cannot be made: a part of it is missing",
				       step->headers[i].name);
		if (!is_one_line(value))
			return err_set(reterr, -ENOENT, "the lookup's header %s would have a line end in it",
				       step->headers[i].name);
		pairs_add(headers, step->headers[i].name, value);
	}
	if (!pairs_get(headers, "Accept"))
		pairs_add(headers, "Accept", "application/json");
	return 0;
}

int lookup_plan_next(struct lookup_plan *q, const struct lookup_plan_secrets *secrets, char **ret_url,
		     struct pairs *ret_headers, struct err *reterr)
{
	CLEANUP(mem_freep) char *url = NULL;
	struct pairs headers = {0};
	const struct step *step;
	int r;

	r = find_step(q, &q->step, &url, reterr);
	if (r != 0)
		return r;
	/* base_url and parameters come from the configuration: a text that is no URL is reported, not requested. */
	if (!url_begins(url))
		return err_set(reterr, -EINVAL, "the lookup's URL does not begin with https://: check `base_url`");
	if (strlen(url) > LOOKUP_PLAN_URL_MAX)
		return err_set(reterr, -EINVAL, "the lookup's URL is longer than %d bytes", LOOKUP_PLAN_URL_MAX);
	if (!text_is_one_word(url))
		return err_set(reterr, -EINVAL, "the lookup's URL has a blank in it: check `base_url`");
	step = &q->d->steps[q->step];
	r = add_authentication(step, secrets, &headers, reterr);
	if (r == 0)
		r = add_headers(step, &q->context, &headers, reterr);
	if (r < 0) {
		pairs_done(&headers);
		/* An optional step is skipped where the operator gave no credentials at all. Wrong credentials, which
		 * can be fixed, are an error. */
		if (r != -EACCES || !step->optional || secrets->user || secrets->password || secrets->token)
			return r;
		q->step++;
		return lookup_plan_next(q, secrets, ret_url, ret_headers, reterr);
	}
	*ret_url = TAKE(url);
	*ret_headers = headers;
	return 0;
}

/* ---- reading the answer ------------------------------------------------------------------------------------------ */

/* A helpdesk's answer. */
struct reply {
	unsigned status;
	const char *type;
	struct json_object *json; /* NULL: unreadable, or null */
	bool reads;               /* as JSON of any type */
	struct err why;           /* where it does not read */
};

static bool is_object_or_list(struct json_object *o)
{
	return json_object_is_type(o, json_type_object) || json_object_is_type(o, json_type_array);
}

static enum lookup_plan_verdict answer_read(struct lookup_plan *q, const struct step *step, const struct reply *r,
					    struct err *reason)
{
	if (!r->reads) {
		(void)err_set(reason, -EINVAL, "the helpdesk answered with %.64s, not JSON (%u): %s",
			      r->type ? r->type : "no type", r->status, r->why.text);
		return LOOKUP_PLAN_ODD;
	}
	if (!is_object_or_list(r->json)) {
		(void)err_set(reason, -EINVAL, "the helpdesk answered with a bare JSON value, not an object (%u)",
			      r->status);
		return LOOKUP_PLAN_ODD;
	}
	step_read_answer(step, r->json, &q->found);
	q->step++;
	return LOOKUP_PLAN_CONTINUE;
}

static enum lookup_plan_verdict move_to(struct lookup_plan *q, const char *id, struct err *reason)
{
	if (q->moves == LOOKUP_PLAN_MOVES_MAX) {
		(void)err_set(reason, -ELOOP, "the customer was merged more than %d times in a row",
			      LOOKUP_PLAN_MOVES_MAX);
		return LOOKUP_PLAN_GONE;
	}
	for (size_t i = 0; i <= q->moves; i++) {
		if (!text_is(q->asked[i], id))
			continue;
		(void)err_set(reason, -ELOOP, "the customer's merges lead in a circle");
		return LOOKUP_PLAN_GONE;
	}
	/* The new id replaces the old one in the webhook, so that all further requests use it. */
	if (strlen(id) > LOOKUP_PLAN_ID_MAX || !q->d->customer ||
	    !reference_put(value_expr_target(q->d->customer, &q->context), &q->context, id)) {
		(void)err_set(reason, -EINVAL, "the customer moved to an id that cannot be asked for");
		return LOOKUP_PLAN_ODD;
	}
	q->asked[++q->moves] = mem_str(id);
	return LOOKUP_PLAN_MOVED;
}

/* Cuts the query, which may hold a session, and the part before an @, which may hold a password. */
void lookup_plan_location(struct lookup_plan *q, const char *location)
{
	const char *slashes = location ? strstr(location, "//") : NULL;
	size_t len = location ? strcspn(location, "?#") : 0;
	const char *host;
	size_t at;

	free(TAKE(q->location));
	if (len == 0)
		return;
	host = slashes && slashes < location + len ? slashes + 2 : location;
	at = slashes ? strcspn(host, "/?#") : 0;
	while (at > 0 && host[at - 1] != '@')
		at--;
	q->location = mem_fmt("%.*s%.*s", (int)(host - location), location, (int)(len - (size_t)(host - location) - at),
			      host + at);
}

static enum lookup_plan_verdict answer_redirect(struct lookup_plan *q, const struct step *step, const struct reply *r,
						struct err *reason)
{
	CLEANUP(mem_freep) char *id = NULL;

	if (step->moved.n > 0 && (r->status == 301 || r->status == 308) && r->reads)
		id = step_moved(step, r->json);
	if (id)
		return move_to(q, id, reason);
	(void)err_set(reason, -EINVAL,
		      "the helpdesk redirects the lookup to %.120s (%u)%s: the base_url may be wrong; a log-in page "
		      "there means "
		      "a wrong path or wrong credentials",
		      q->location ? q->location : "another address", r->status,
		      step->moved.n > 0 ? " and names no merged customer" : "");
	return LOOKUP_PLAN_ODD;
}

static enum lookup_plan_verdict answer_verdict(struct lookup_plan *q, const struct step *step, const struct reply *r,
					       struct err *reason)
{
	unsigned status = r->status;

	switch (status) {
	case 401:
		(void)err_set(reason, -EACCES, "the helpdesk refuses the lookup's credentials (%u)", status);
		return LOOKUP_PLAN_PARK;
	case 408:
	case 425:
	case 429:
		(void)err_set(reason, -EAGAIN, "the helpdesk asks to come again (%u)", status);
		return LOOKUP_PLAN_RETRY;
	default:
		break;
	}
	if (step_is_missing(step, status, r->json)) {
		(void)err_set(reason, -ENOENT, "the helpdesk knows no such customer (%u, by `missing`)", status);
		return LOOKUP_PLAN_GONE;
	}
	if (status >= 200 && status <= 299)
		return answer_read(q, step, r, reason);
	if (status >= 300 && status <= 399)
		return answer_redirect(q, step, r, reason);
	if (status == 404 || status == 410) {
		if (r->reads && (is_object_or_list(r->json) || body_type_is_json(r->type))) {
			(void)err_set(reason, -ENOENT, "the helpdesk knows no such customer (%u)", status);
			return LOOKUP_PLAN_GONE;
		}
		(void)err_set(reason, -EINVAL, "the helpdesk answered %u, not in JSON: the base_url may be wrong",
			      status);
		return LOOKUP_PLAN_ODD;
	}
	if (status == 403) {
		(void)err_set(reason, -EACCES,
			      "the helpdesk refuses the lookup (403): the credentials may lack a permission");
		return LOOKUP_PLAN_ODD;
	}
	if (status >= 400 && status <= 499) {
		(void)err_set(reason, -EINVAL,
			      "the helpdesk refuses the lookup (%u): the definition's URL may be wrong", status);
		return LOOKUP_PLAN_ODD;
	}
	(void)err_set(reason, -EAGAIN, "the helpdesk fails to answer the lookup (%u)", status);
	return LOOKUP_PLAN_RETRY;
}

enum lookup_plan_verdict lookup_plan_answer(struct lookup_plan *q, unsigned status, const char *type, const char *body,
					    size_t body_len, struct err *reason)
{
	const struct step *step = &q->d->steps[q->step];
	CLEANUP(json_putp) struct json_object *json = NULL;
	struct reply r = {.status = status, .type = type};
	struct err own = {0};
	enum lookup_plan_verdict v;

	INSIST(q->step < q->d->steps_n);
	r.reads = json_read(body ? body : "", body ? body_len : 0, &json, &r.why) == 0;
	r.json = json;
	q->answered = q->answered || (status >= 200 && status <= 299 && r.reads && is_object_or_list(json));
	v = answer_verdict(q, step, &r, &own);
	if (reason)
		*reason = own;
	if (!step->optional || v == LOOKUP_PLAN_CONTINUE || v == LOOKUP_PLAN_MOVED)
		return v;
	if (!lookup_plan_step_is_optional(q)) {
		/* Another step may still have the address. An answer that says nothing about the customer is different
		 * from one that knows no such customer. */
		if (v != LOOKUP_PLAN_GONE)
			return v;
		q->missed = own;
	}
	q->step++;
	return LOOKUP_PLAN_CONTINUE;
}

bool lookup_plan_was_answered(const struct lookup_plan *q)
{
	return q->answered;
}

bool lookup_plan_found_no_address(const struct lookup_plan *q, struct err *reason)
{
	if (q->missed.code == 0 || !q->addressless || q->found.addresses.n > 0)
		return false;
	if (reason)
		*reason = q->missed;
	return true;
}

struct use_search {
	const struct step *of;
	bool found;
};

static void use_search_one(void *ctx, const struct reference *r)
{
	struct use_search *search = ctx;
	const char *name = reference_name(r);

	search->found = search->found || (name && step_takes(search->of, name));
}

/* True where the address depends on step i: it has the address, or takes a name that such a step uses, and no required
 * step after it has the address without it. */
static bool leads_to_address(const struct lookup_plan *q, size_t i)
{
	const struct step *steps = q->d->steps;
	bool leads = steps[i].emails.n > 0;

	for (size_t k = i + 1; k < q->d->steps_n; k++) {
		struct use_search search = {.of = &steps[i]};

		step_references(&steps[k], use_search_one, &search);
		if (search.found) /* it uses a name that step i takes */
			leads = leads || leads_to_address(q, k);
		else if (steps[k].emails.n > 0 && !steps[k].optional && step_applies(&steps[k], &q->context))
			return false;
	}
	return leads;
}

bool lookup_plan_step_is_declared_optional(const struct lookup_plan *q)
{
	return q->step < q->d->steps_n && q->d->steps[q->step].optional;
}

bool lookup_plan_step_is_optional(const struct lookup_plan *q)
{
	bool wanted = q->addressless && q->found.addresses.n == 0;

	return lookup_plan_step_is_declared_optional(q) && !(wanted && leads_to_address(q, q->step));
}

void lookup_plan_skip(struct lookup_plan *q)
{
	INSIST(lookup_plan_step_is_optional(q));
	q->step++;
}

void lookup_plan_address_refs(const struct lookup_plan *q, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; i < q->d->steps_n; i++)
		for (size_t k = 0; k < q->d->steps[i].emails.n; k++)
			if (!lookup_plan_why_skipped(q, i))
				fn(ctx, q->d->steps[i].emails.emails[k]);
}

size_t lookup_plan_step(const struct lookup_plan *q)
{
	return q->step;
}

const char *lookup_plan_why_skipped(const struct lookup_plan *q, size_t step)
{
	const struct step *s = &q->d->steps[step];
	CLEANUP(mem_freep) char *url = NULL;

	if (!step_applies(s, &q->context))
		return "its `when` does not hold";
	if (step_url(s, &q->context, &url) < 0)
		return "a part of its URL is missing";
	return NULL;
}

bool lookup_plan_has_moved(const struct lookup_plan *q)
{
	return q->moves > 0;
}

void lookup_plan_result(const struct lookup_plan *q, struct customer *ret)
{
	*ret = (struct customer){0};
	addresses_copy(&ret->addresses, &q->found.addresses);
	for (size_t i = 0; i < q->found.taken.n; i++)
		pairs_add(&ret->taken, q->found.taken.items[i].name, q->found.taken.items[i].value);
}

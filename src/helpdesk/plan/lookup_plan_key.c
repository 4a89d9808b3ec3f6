/* SPDX-License-Identifier: MIT */
/*
 * Forecasts a lookup before any request: which steps apply to this webhook, as far as this is known without answers;
 * what they would add; and the key that equal requests of other webhooks share.
 *
 * A step that depends on a name from an earlier step counts as possible, and its own values go into the key, so a key
 * never stands for two different requests. A webhook with an address continues after the failure of an optional step
 * that has one. Its answer is then kept apart from those for webhooks without an address.
 */
#include <config.h>

#include "helpdesk/plan/lookup_plan.h"

#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "helpdesk/definition/definition_internal.h"

#define DIGEST_KEY_BYTES 16

/* The forecast of a URL before the answers of earlier steps. */
enum url_forecast {
	URL_NEVER, /* it cannot be made */
	URL_MAYBE, /* it depends on a name that an earlier step may take */
	URL_SURE,
};

/* The forecast of one step. */
struct step_forecast {
	bool may;                              /* it may be asked */
	bool by_name;                          /* it depends on a name that an earlier step may take */
	bool when_open;                        /* `when` depends on such a name */
	bool when_webhook;                     /* `when` reads the webhook */
	enum url_forecast urls[STEP_URLS_MAX]; /* up to the first URL_SURE: none behind it is asked */
};

struct forecast {
	const struct definition *d;
	const struct eval_context *context;
	const char *customer;
	bool has_address;
	struct step_forecast steps[STEPS_MAX];
	size_t step; /* the step that is examined */
	/* results of note_reference() for the examined references */
	bool open;    /* a name that an earlier step may take */
	bool webhook; /* a reference into the webhook */
	bool lacks;   /* a missing value that no step takes */
	/* for the key */
	struct digest *key_parts; /* NULL: the parts are only compared with the id */
	bool needs_more_than_id;  /* some part of the key is not the customer's id */
};

/* ---- which steps ------------------------------------------------------------------------------------------------- */

static void note_reference(void *ctx, const struct reference *r)
{
	struct forecast *o = ctx;
	const char *name = reference_name(r);
	CLEANUP(mem_freep) char *own = NULL;
	const char *value = reference_peek(r, o->context, &own);
	bool may_be_taken = false;

	o->webhook = o->webhook || !name;
	if (value)
		return;
	for (size_t i = 0; name && i < o->step && !may_be_taken; i++)
		may_be_taken = o->steps[i].may && step_takes(&o->d->steps[i], name);
	if (may_be_taken)
		o->open = true;
	else
		o->lacks = true;
}

/* Forecasts a URL. o->steps has the earlier steps. */
static enum url_forecast forecast_url(struct forecast *o, const struct template *t)
{
	CLEANUP(mem_freep) char *url = NULL;

	o->open = o->lacks = false;
	template_references(t, note_reference, o);
	if (o->lacks || o->open)
		return o->lacks ? URL_NEVER : URL_MAYBE;
	return template_render(t, o->context, TEMPLATE_URL, &url, NULL) == 0 ? URL_SURE : URL_NEVER;
}

/* Fills o->steps. Ends before a required step that cannot be asked, as the walk does. */
static void forecast_steps(struct forecast *o)
{
	for (o->step = 0; o->step < o->d->steps_n; o->step++) {
		const struct step *s = &o->d->steps[o->step];
		struct step_forecast *p = &o->steps[o->step];

		o->open = o->webhook = false;
		if (s->when)
			matcher_references(s->when, note_reference, o);
		p->by_name = p->when_open = o->open;
		p->when_webhook = o->webhook;
		/* A `when` that is not decided yet may hold. */
		if (!p->when_open && !step_applies(s, o->context))
			continue;
		for (size_t i = 0; i < s->urls_n && (i == 0 || p->urls[i - 1] != URL_SURE); i++) {
			p->urls[i] = forecast_url(o, s->urls[i]);
			p->by_name = p->by_name || (!p->may && p->urls[i] == URL_MAYBE);
			p->may = p->may || p->urls[i] != URL_NEVER;
		}
		if (!p->may && !s->optional)
			return;
	}
}

/* ---- the key ----------------------------------------------------------------------------------------------------- */

/* Adds a part, with its terminating NUL, so that two parts never look like one. */
static void add_key_part(struct forecast *o, const char *value)
{
	unsigned char head[2] = {(unsigned char)o->step, value != NULL};

	o->needs_more_than_id = o->needs_more_than_id || !text_is(value, o->customer);
	if (!o->key_parts)
		return;
	digest_add(o->key_parts, head, sizeof(head));
	if (value)
		digest_add(o->key_parts, value, strlen(value) + 1);
}

/* Adds the first value of a reference in a URL or a header. Names are the operator's text, or follow from other parts.
 */
static void add_value(void *ctx, const struct reference *r)
{
	struct forecast *o = ctx;
	CLEANUP(mem_freep) char *own = NULL;

	if (!reference_name(r))
		add_key_part(o, reference_peek(r, o->context, &own));
}

/* Adds all values of a reference in a matcher. */
static void add_values(void *ctx, const struct reference *r)
{
	struct forecast *o = ctx;
	struct values v;

	if (reference_name(r))
		return;
	reference_values(r, o->context, &v);
	for (size_t i = 0; i < v.n; i++) {
		CLEANUP(mem_freep) char *text = v.items[i] ? json_text(v.items[i]) : NULL;

		add_key_part(o, text);
	}
	values_done(&v);
	add_key_part(o, NULL);
}

static void add_step(struct forecast *o, const struct step *s, const struct step_forecast *p)
{
	bool sure = false;

	/* Where the webhook decides that a step is asked, this is a part of the key: for another webhook of the same
	 * customer the step may be skipped. */
	if (p->when_webhook && p->when_open)
		matcher_references(s->when, add_values, o);
	else if (p->when_webhook)
		add_key_part(o, NULL);
	/* The index of the URL is a part of the key: the same value in another URL is another request. */
	for (size_t i = 0; i < s->urls_n && !sure; i++) {
		sure = p->urls[i] == URL_SURE;
		for (size_t k = 0; k < i && p->urls[i] != URL_NEVER; k++)
			add_key_part(o, NULL);
		if (p->urls[i] != URL_NEVER)
			template_references(s->urls[i], add_value, o);
	}
	for (size_t i = 0; i < s->headers_n; i++)
		template_references(s->headers[i].value, add_value, o);
}

/* True where the address may depend on a step that a webhook with an address may skip. */
static bool may_lack_address(const struct forecast *o)
{
	for (size_t i = 0; o->has_address && i < o->d->steps_n; i++) {
		if (!o->steps[i].may || !o->d->steps[i].optional)
			continue;
		if (o->d->steps[i].emails.n > 0)
			return true;
		for (size_t k = i + 1; k < o->d->steps_n; k++)
			if (o->steps[k].may && o->steps[k].by_name)
				return true;
	}
	return false;
}

static void add_key_parts(struct forecast *o)
{
	for (o->step = 0; o->step < o->d->steps_n; o->step++)
		if (o->steps[o->step].may)
			add_step(o, &o->d->steps[o->step], &o->steps[o->step]);
	if (may_lack_address(o)) /* o->step is no step's number here */
		add_key_part(o, NULL);
}

static char *key_of(struct forecast *o)
{
	unsigned char sha[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_KEY_BYTES + 1];

	add_key_parts(o);
	if (!o->needs_more_than_id && o->customer)
		return mem_str(o->customer);
	o->key_parts = digest_new();
	add_key_parts(o);
	digest_end(o->key_parts, sha);
	hex_write(sha, DIGEST_KEY_BYTES, hex);
	return mem_fmt("%s#%s", o->customer ? o->customer : "", hex);
}

enum lookup_need lookup_plan_key(const struct definition *d, const struct eval_context *s, bool has_address,
				 const char *customer, char **ret_key)
{
	struct forecast o = {.d = d, .context = s, .customer = customer, .has_address = has_address};
	enum lookup_need need = LOOKUP_NEED_NOTHING;
	bool shows = false; /* some step takes a displayed name */

	for (size_t i = 0; i < d->steps_n; i++)
		shows = shows || d->steps[i].is_displayed;
	if (has_address && !shows)
		return LOOKUP_NEED_NOTHING;
	forecast_steps(&o);
	for (size_t i = 0; i < d->steps_n && need != LOOKUP_NEED_NAMES; i++) {
		if (o.steps[i].may && d->steps[i].is_displayed)
			need = LOOKUP_NEED_NAMES;
		else if (o.steps[i].may && !has_address)
			need = LOOKUP_NEED_ADDRESS;
	}
	if (need != LOOKUP_NEED_NOTHING)
		*ret_key = key_of(&o);
	return need;
}

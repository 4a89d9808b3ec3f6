/*
 * Before anything is asked: which steps there are for this webhook, as far as can be told without their answers; what
 * they would tell; and what makes their questions the same as another webhook's.
 *
 * A step that hangs on a name which an earlier one may take counts as one that may be asked: its own values belong to
 * the key, so a key never stands for two different questions. Who has an address goes on without an optional step that
 * tells one and fails: such an answer is not kept for those who have none.
 */
#include <config.h>

#include "helpdesk/plan/inquiry.h"

#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "helpdesk/definition/definition_parts.h"

#define DIGEST_KEY_BYTES 16

struct outlook {
	const struct definition *d;
	const struct scope *scope;
	const char *customer;
	bool has_address;
	bool may[STEPS_MAX];     /* may be asked */
	bool by_name[STEPS_MAX]; /* by a name that an earlier step may take */
	size_t step;             /* under look */
	/* what was seen of it */
	bool open;    /* a name that an earlier step may take */
	bool webhook; /* a place in the webhook */
	bool lacks;   /* a value that is not there and that no step tells */
	/* for the key */
	struct digest *facts;
	bool beyond; /* some fact is another than the customer's id */
};

/* ---- which steps ------------------------------------------------------------------------------------------------- */

static bool may_be_taken(const struct outlook *o, const char *name)
{
	for (size_t i = 0; i < o->step; i++)
		if (o->may[i] && step_takes(&o->d->steps[i], name))
			return true;
	return false;
}

static void see(void *ctx, const struct reference *r)
{
	struct outlook *o = ctx;
	const char *name = reference_name(r);
	CLEANUP(mem_freep) char *own = NULL;
	const char *value = reference_look(r, o->scope, &own);

	o->webhook = o->webhook || !name;
	if (!value && name && may_be_taken(o, name))
		o->open = true;
	else if (!value)
		o->lacks = true;
}

static void see_nothing(struct outlook *o)
{
	o->open = o->webhook = o->lacks = false;
}

/* Whether `when` holds, or is not decided yet. */
static bool may_apply(struct outlook *o, const struct step *s)
{
	if (!s->when)
		return true;
	see_nothing(o);
	matcher_references(s->when, see, o);
	return o->open || matcher_holds(s->when, o->scope);
}

/* Whether that URL can be made, as far as is known by now. o->open: it hangs on what an earlier step may take. */
static bool may_be_made(struct outlook *o, const struct template *t)
{
	CLEANUP(mem_freep) char *url = NULL;

	see_nothing(o);
	template_references(t, see, o);
	if (o->lacks || o->open)
		return !o->lacks;
	return template_render(t, o->scope, TEMPLATE_URL, &url, NULL) == 0;
}

/* Whether any URL of the step can be made. */
static bool may_be_asked(struct outlook *o, const struct step *s)
{
	for (size_t i = 0; i < s->urls_n; i++)
		if (may_be_made(o, s->urls[i]))
			return true;
	return false;
}

/* Fills may[]. As the walk does: it ends before a needed step that cannot be asked. */
static void look_ahead(struct outlook *o)
{
	for (o->step = 0; o->step < o->d->steps_n; o->step++) {
		const struct step *s = &o->d->steps[o->step];

		if (!may_apply(o, s))
			continue;
		o->by_name[o->step] = s->when && o->open;
		o->may[o->step] = may_be_asked(o, s);
		o->by_name[o->step] |= o->open;
		if (!o->may[o->step] && !s->optional)
			return;
	}
}

static bool shows_anything(const struct definition *d)
{
	for (size_t i = 0; i < d->steps_n; i++)
		if (d->steps[i].shown)
			return true;
	return false;
}

static enum inquiry_wish wish_of(const struct outlook *o, bool has_address)
{
	enum inquiry_wish wish = INQUIRY_NOTHING;

	for (size_t i = 0; i < o->d->steps_n && wish != INQUIRY_NAMES; i++) {
		if (o->may[i] && o->d->steps[i].shown)
			wish = INQUIRY_NAMES;
		else if (o->may[i] && !has_address)
			wish = INQUIRY_ADDRESS;
	}
	return wish;
}

/* ---- the key ----------------------------------------------------------------------------------------------------- */

/* With its end in it, so that two facts never read as one. */
static void add_fact(struct outlook *o, const char *value)
{
	unsigned char head[2] = {(unsigned char)o->step, value != NULL};

	o->beyond = o->beyond || !text_is(value, o->customer);
	digest_add(o->facts, head, sizeof(head));
	if (value)
		digest_add(o->facts, value, strlen(value) + 1);
}

/* Of a URL or a header, which hold a reference's first value. Names are the operator's, or follow from other facts. */
static void add_value(void *ctx, const struct reference *r)
{
	struct outlook *o = ctx;
	CLEANUP(mem_freep) char *own = NULL;

	if (!reference_name(r))
		add_fact(o, reference_look(r, o->scope, &own));
}

/* Of a matcher, which looks at all values. */
static void add_values(void *ctx, const struct reference *r)
{
	struct outlook *o = ctx;
	struct values v;

	if (reference_name(r))
		return;
	reference_values(r, o->scope, &v);
	for (size_t i = 0; i < v.n; i++) {
		CLEANUP(mem_freep) char *text = v.items[i] ? json_text(v.items[i]) : NULL;

		add_fact(o, text);
	}
	values_done(&v);
	add_fact(o, NULL);
}

/* Adds the URLs up to the first that is sure to be made, as none behind it is asked. The index of the URL belongs to
 * the key: the same value in another URL is another question. */
static void add_urls(struct outlook *o, const struct step *s)
{
	bool sure = false;

	for (size_t i = 0; i < s->urls_n && !sure; i++) {
		if (!may_be_made(o, s->urls[i]))
			continue;
		sure = !o->open;
		for (size_t k = 0; k < i; k++)
			add_fact(o, NULL);
		template_references(s->urls[i], add_value, o);
	}
}

/* That a step is asked is a fact where the webhook decides it: of the same customer another may not lead to it. */
static void add_step(struct outlook *o, const struct step *s)
{
	if (s->when) {
		see_nothing(o);
		matcher_references(s->when, see, o);
		if (o->webhook && o->open)
			matcher_references(s->when, add_values, o);
		else if (o->webhook)
			add_fact(o, NULL);
	}
	add_urls(o, s);
	for (size_t i = 0; i < s->headers_n; i++)
		template_references(s->headers[i].value, add_value, o);
}

/* Whether the address may hang on a step that one who has it leaves behind. */
static bool may_lack_address(const struct outlook *o)
{
	for (size_t i = 0; o->has_address && i < o->d->steps_n; i++) {
		if (!o->may[i] || !o->d->steps[i].optional)
			continue;
		if (o->d->steps[i].emails.n > 0)
			return true;
		for (size_t k = i + 1; k < o->d->steps_n; k++)
			if (o->may[k] && o->by_name[k])
				return true;
	}
	return false;
}

static char *key_of(struct outlook *o)
{
	unsigned char sha[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_KEY_BYTES + 1];

	o->facts = digest_new();
	for (o->step = 0; o->step < o->d->steps_n; o->step++)
		if (o->may[o->step])
			add_step(o, &o->d->steps[o->step]);
	if (may_lack_address(o)) /* o->step is none of theirs */
		add_fact(o, NULL);
	digest_end(o->facts, sha);
	if (!o->beyond && o->customer)
		return mem_str(o->customer);
	hex_write(sha, DIGEST_KEY_BYTES, hex);
	return mem_fmt("%s#%s", o->customer ? o->customer : "", hex);
}

enum inquiry_wish inquiry_wish(const struct definition *d, const struct scope *s, bool has_address,
			       const char *customer, char **ret_key)
{
	struct outlook o = {.d = d, .scope = s, .customer = customer, .has_address = has_address};
	enum inquiry_wish wish;

	if (has_address && !shows_anything(d))
		return INQUIRY_NOTHING;
	look_ahead(&o);
	wish = wish_of(&o, has_address);
	if (wish != INQUIRY_NOTHING)
		*ret_key = key_of(&o);
	return wish;
}

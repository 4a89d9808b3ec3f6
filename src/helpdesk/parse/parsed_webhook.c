/* SPDX-License-Identifier: MIT */
/*
 * Parses a webhook to a signal: one parse of its body, then matchers and pointer walks. The body is not trusted: for
 * any content the result is a signal, a ping, ignored, or unreadable with a reason that names the place and no person.
 */
#include <config.h>

#include "helpdesk/parse/parsed_webhook.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/percent.h"
#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/expr/body.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/plan/lookup_plan.h"

#define ID_MAX 512                          /* bytes of a conversation's or customer's id */
#define TIME_FIRST_MS INT64_C(631152000000) /* 1990-01-01: no helpdesk is older */

static void signal_done(struct signal *s)
{
	free(s->conversation);
	free(s->customer);
	addresses_done(&s->addresses);
	json_object_put(s->attributes);
	free(s->conversation_url);
	free(s->lookup_key);
	*s = (struct signal){0};
}

void parse_result_done(struct parse_result *r)
{
	free(r->reason);
	signal_done(&r->signal);
	unknown_state_done(&r->unknown_state);
}

/* ---- the kind of a webhook --------------------------------------------------------------------------------------- */

static enum parse_result_kind parse_result_kind(const struct definition *d, const struct eval_context *s,
						enum transition *ret)
{
	*ret = TRANSITION_NONE;
	if (d->ping && matcher_holds(d->ping, s))
		return PARSE_PING;
	for (size_t i = 0; i < MATCH_ORDER_N; i++) {
		if (!d->transitions[match_order[i]] || !matcher_holds(d->transitions[match_order[i]], s))
			continue;
		*ret = match_order[i];
		return PARSE_SIGNAL;
	}
	return d->identified && matcher_holds(d->identified, s) ? PARSE_SIGNAL : PARSE_IGNORED;
}

/* ---- ids and times ----------------------------------------------------------------------------------------------- */

static int read_id(const struct value_expr *f, const char *what, const struct eval_context *s, char **ret,
		   struct err *reterr)
{
	CLEANUP(mem_freep) char *text = value_expr_text(f, s);
	const char *oddity;

	if (!text) {
		oddity = value_expr_mismatch(f, s);
		if (oddity)
			return err_set(reterr, -EINVAL, "no %s: %s holds %s, not an id", what, value_expr_written(f),
				       oddity);
		return err_set(reterr, -ENOENT, "no %s: nothing at %s", what, value_expr_written(f));
	}
	if (strlen(text) > ID_MAX)
		return err_set(reterr, -EINVAL, "the %s id at %s is %zu bytes long; %d are the most", what,
			       value_expr_written(f), strlen(text), ID_MAX);
	*ret = TAKE(text);
	return 0;
}

/* Reads a time. Returns 1 and sets *ret, 0 where there is none, or -EINVAL. */
static int read_time(const struct value_expr *f, const struct eval_context *s, int64_t received_ms, int64_t *ret,
		     struct err *reterr)
{
	CLEANUP(mem_freep) char *own = NULL;
	char shown[PROPERTY_SHOWN_MAX];
	const char *text;
	const char *oddity;
	int64_t ms;

	if (!f)
		return 0;
	text = value_expr_peek(f, s, &own);
	if (!text) {
		oddity = value_expr_mismatch(f, s);
		return oddity ? err_set(reterr, -EINVAL, "no time: %s holds %s", value_expr_written(f), oddity) : 0;
	}
	if (clock_parse(text, strlen(text), &ms) < 0)
		return err_set(reterr, -EINVAL, "%s holds \"%s\", which is no time that can be read",
			       value_expr_written(f), property_value_shown(text, shown));
	if (ms < TIME_FIRST_MS)
		return err_set(reterr, -EINVAL, "an impossible time: %s holds \"%s\", which is before 1990",
			       value_expr_written(f), property_value_shown(text, shown));
	if (ms - received_ms > CLOCK_DAY_MS)
		return err_set(reterr, -EINVAL,
			       "an impossible time: %s holds \"%s\", which is more than a day after its receipt",
			       value_expr_written(f), property_value_shown(text, shown));
	*ret = ms;
	return 1;
}

static int read_identity(const struct definition *d, const struct webhook *w, const struct eval_context *s,
			 struct signal *signal, struct err *reterr)
{
	int r;

	r = read_id(d->conversation, "conversation", s, &signal->conversation, reterr);
	if (r < 0)
		return r;
	if (d->customer) {
		r = read_id(d->customer, "customer", s, &signal->customer, reterr);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	signal->time_ms = w->received_ms;
	r = read_time(d->time, s, w->received_ms, &signal->time_ms, reterr);
	if (r < 0)
		return r;
	signal->has_time = r > 0;
	/* The age of a state only decides what is late: an unreadable one counts as not given. */
	(void)read_time(d->created, s, w->received_ms, &signal->created_ms, NULL);
	(void)read_time(d->closed_at, s, w->received_ms, &signal->closed_at_ms, NULL);
	return 0;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void read_contents(const struct definition *d, const struct eval_context *s, const struct customer *customer,
			  struct signal *signal)
{
	enum lookup_need need = LOOKUP_NEED_NOTHING;

	(void)email_refs_read(&d->emails, s, &signal->addresses);
	for (size_t i = 0; customer && i < customer->addresses.n; i++)
		(void)addresses_add(&signal->addresses, customer->addresses.items[i].email,
				    customer->addresses.items[i].primary);
	if (!customer)
		need = lookup_plan_key(d, s, signal->addresses.n > 0, signal->customer, &signal->lookup_key);
	signal->wants_lookup = need != LOOKUP_NEED_NOTHING;
	signal->lookup_shows = need == LOOKUP_NEED_NAMES;
	signal->attributes = attributes_read(d->attributes, s);
	if (d->conversation_url && links_render(d->conversation_url, s, &signal->conversation_url, NULL) < 0)
		signal->conversation_url = NULL;
}

static void delivery_set(const unsigned char sha[DIGEST_SHA256_BYTES], struct parse_result *r)
{
	memcpy(r->delivery, sha, sizeof(r->delivery));
	r->has_delivery = true;
}

/*
 * Makes the delivery from the whole content. The caller knows that two different signals cannot have the same content:
 * a time was read from the webhook, or the definition says so (`delivery: body`). The digest is the same in both cases
 * and must not change: stored ones are compared with it for a week.
 */
static void read_delivery_by_content(const struct webhook *w, struct parse_result *r)
{
	const char *transition = transition_name(r->signal.transition);
	struct digest *digest = digest_new();
	unsigned char sha[DIGEST_SHA256_BYTES];

	digest_add(digest, w->path ? w->path : "", (w->path ? strlen(w->path) : 0));
	digest_add(digest, "", 1);
	digest_add(digest, w->query ? w->query : "", (w->query ? strlen(w->query) : 0));
	digest_add(digest, "", 1);
	digest_add(digest, transition, strlen(transition));
	digest_add(digest, "", 1);
	digest_add(digest, w->body, w->body_len);
	digest_end(digest, sha);
	delivery_set(sha, r);
}

/* Makes the delivery from the definition's expression. */
static void read_delivery(const struct definition *d, const struct webhook *w, const struct eval_context *s,
			  struct parse_result *r)
{
	CLEANUP(mem_freep) char *own = NULL;
	const char *text = d->delivery ? value_expr_peek(d->delivery, s, &own) : NULL;
	unsigned char sha[DIGEST_SHA256_BYTES];

	if (text) {
		digest_sha256(text, strlen(text), sha);
		delivery_set(sha, r);
	} else if (d->delivery && value_expr_is_body(d->delivery, s)) {
		read_delivery_by_content(w, r);
	}
}

/* Evaluates a webhook. s: the context over w. customer: the lookup's result; NULL: no lookup was done. */
static void parse_result_make(const struct definition *d, const struct webhook *w, const struct eval_context *s,
			      const struct customer *customer, struct parse_result *ret)
{
	const struct matcher *matchers[DEFINITION_MATCHERS];
	struct err why;

	*ret = (struct parse_result){.kind = PARSE_SIGNAL};
	if (w->read)
		ret->signal.transition = w->transition;
	else
		ret->kind = parse_result_kind(d, s, &ret->signal.transition);
	if (!w->read && ret->kind != PARSE_PING && d->states) {
		definition_matchers(d, matchers);
		/* The ping, which is the first, does not hold. */
		(void)states_unknown(d->states, matchers + 1, DEFINITION_MATCHERS - 1, matchers, DEFINITION_MATCHERS, s,
				     &ret->unknown_state);
	}
	if (ret->kind != PARSE_SIGNAL)
		return;
	read_delivery(d, w, s, ret);
	if (read_identity(d, w, s, &ret->signal, &why) < 0) {
		ret->kind = PARSE_UNREADABLE;
		ret->reason = mem_str(why.text);
		signal_done(&ret->signal);
		return;
	}
	if (!ret->has_delivery && ret->signal.has_time)
		read_delivery_by_content(w, ret);
	read_contents(d, s, customer, &ret->signal);
}

void parse_result_save(const struct parse_result *r, struct webhook *w)
{
	free(w->conversation);
	free(w->customer);
	w->read = true;
	w->transition = r->signal.transition;
	w->conversation = mem_str(r->signal.conversation);
	w->customer = mem_str(r->signal.customer);
	w->time_ms = r->signal.time_ms;
	w->undated = !r->signal.has_time;
	w->has_delivery = r->has_delivery;
	memcpy(w->delivery, r->delivery, sizeof(w->delivery));
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

/* Finds the only item of a body under `each`. */
static int find_item(const struct reference *each, const struct eval_context *s, struct json_object **ret,
		     struct err *reterr)
{
	const char *place = reference_text(each);
	struct values lists;
	int r = 0;

	reference_values(each, s, &lists);
	if (lists.n == 0 || !json_object_is_type(lists.items[0], json_type_array)) {
		r = err_set(reterr, -EINVAL, "no list of items at %s", *place != '\0' ? place : "the top");
	} else if (json_object_array_length(lists.items[0]) == 0) {
		r = err_set(reterr, -ENODATA, "no item at %s", *place != '\0' ? place : "the top");
	} else if (json_object_array_length(lists.items[0]) > 1) {
		r = err_set(reterr, -EINVAL,
			    "%zu items at %s were not taken apart when they came: %d are the most, and %d MiB together",
			    json_object_array_length(lists.items[0]), *place != '\0' ? place : "the top",
			    BATCH_ITEMS_MAX, BATCH_BYTES_MAX >> 20);
	} else {
		*ret = json_object_array_get_idx(lists.items[0], 0);
	}
	values_done(&lists);
	return r;
}

/* Parses the body where p->body is NULL, and fills query and context. -ENODATA: the list of items is empty; -EINVAL:
 * unreadable. The context has headers and query in any case. */
static int item_context_open(struct parsed_webhook *p, struct err *reterr)
{
	const struct definition *d = p->definition;
	const struct webhook *w = &p->webhook;
	int r = 0;

	percent_read_query(w->query, &p->query);
	p->context = (struct eval_context){.headers = &w->headers, .query = &p->query, .names = &d->names};
	if (!p->body)
		r = body_read(body_form_of(d->body, pairs_get(&w->headers, "Content-Type")), w->body ? w->body : "",
			      w->body_len, &p->body, &p->tree_bytes, reterr);
	if (r < 0)
		return r;
	p->context.item = p->context.root = p->body;
	if (d->each)
		r = find_item(d->each, &p->context, &p->context.item, reterr);
	if (r < 0) {
		p->context.item = p->context.root = NULL;
		return r;
	}
	p->has_item = true;
	return 0;
}

static void item_context_close(struct parsed_webhook *p)
{
	json_object_put(p->body);
	pairs_done(&p->query);
	p->body = NULL;
	p->tree_bytes = 0;
	p->context = (struct eval_context){0};
	p->has_item = false;
}

static struct parsed_webhook *parse(const struct definition *d, const struct webhook *w, bool is_borrowed,
				    struct json_object *tree, size_t tree_bytes)
{
	struct parsed_webhook *p = mem_new(1, sizeof(*p));
	struct err why;
	int r;

	p->webhook = *w;
	p->is_borrowed = is_borrowed;
	p->definition = d;
	p->body = tree;
	p->tree_bytes = tree_bytes;
	r = item_context_open(p, &why);
	if (r < 0) {
		p->result.kind = r == -ENODATA ? PARSE_IGNORED : PARSE_UNREADABLE;
		p->result.reason = mem_str(why.text);
	} else {
		parse_result_make(d, &p->webhook, &p->context, NULL, &p->result);
	}
	return p;
}

struct parsed_webhook *parsed_webhook_new(const struct definition *d, struct webhook *w, struct json_object *tree,
					  size_t tree_bytes)
{
	struct parsed_webhook *p = parse(d, w, false, tree, tree_bytes);

	*w = (struct webhook){0};
	return p;
}

struct parsed_webhook *parsed_webhook_borrow(const struct definition *d, const struct webhook *w)
{
	return parse(d, w, true, NULL, 0);
}

struct parsed_webhook *parsed_webhook_unparsed(struct webhook *w)
{
	struct parsed_webhook *p = mem_new(1, sizeof(*p));

	p->webhook = *w;
	*w = (struct webhook){0};
	return p;
}

void parsed_webhook_strip(struct parsed_webhook *p)
{
	item_context_close(p);
	parse_result_done(&p->result);
	customer_done(&p->customer);
	p->definition = NULL;
	p->result = (struct parse_result){0};
	p->customer = (struct customer){0};
	p->has_lookup = false;
}

void parsed_webhook_free(struct parsed_webhook *p)
{
	if (!p)
		return;
	parsed_webhook_strip(p);
	if (!p->is_borrowed)
		webhook_done(&p->webhook);
	free(p);
}

size_t parsed_webhook_bytes(const struct parsed_webhook *p)
{
	return sizeof(*p) + p->webhook.body_len + p->tree_bytes;
}

void parsed_webhook_add_lookup(struct parsed_webhook *p, struct customer *c)
{
	INSIST(p->has_item && !p->has_lookup);
	p->customer = *c;
	*c = (struct customer){0};
	p->has_lookup = true;
	p->context.taken = &p->customer.taken;
	parse_result_done(&p->result);
	parse_result_make(p->definition, &p->webhook, &p->context, &p->customer, &p->result);
}

bool parsed_webhook_is_setup_probe(const struct definition *d, const struct webhook *w)
{
	struct parsed_webhook p = {.webhook = *w, .definition = d};
	bool is;

	if (!d->setup_probe)
		return false;
	is = (item_context_open(&p, NULL) == 0 || w->body_len == 0) && matcher_holds(d->setup_probe, &p.context);
	item_context_close(&p);
	return is;
}

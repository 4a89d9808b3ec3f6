/* SPDX-License-Identifier: MIT */
/*
 * Fills a sample with given values, for `deskbridge sample`.
 */
#include <config.h>

#include "helpdesk/parse/samples.h"

#include <errno.h>
#include <string.h>

#include "base/percent.h"
#include "base/url.h"
#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/expr/body.h"

#define SAMPLE_MARK "deskbridge_sample"

/* One item of the sample that is being filled. */
struct sample_filler {
	const struct definition *d;
	enum transition t;
	int64_t now_ms;
	size_t item;                 /* its number in the body */
	struct sample *sample;       /* gets headers and query */
	struct eval_context context; /* headers and query of the original sample; the body that is being changed */
};

/* Writes text at the reference: into body, header or query. */
static void put(struct sample_filler *f, const struct reference *r, const char *text)
{
	if (reference_header(r))
		sample_set_header(&f->sample->headers, reference_header(r), text);
	else if (reference_query(r))
		sample_set_query(f->sample, reference_query(r), text);
	else
		(void)reference_put(r, &f->context, text);
}

static void put_value_expr(struct sample_filler *f, const struct value_expr *expr, const char *text)
{
	const struct reference *r = expr && text ? value_expr_target(expr, &f->context) : NULL;

	if (r)
		put(f, r, text);
}

/* Writes now in the format of the time at the reference; writes nothing where there is none. */
static void put_now(struct sample_filler *f, const struct reference *r)
{
	CLEANUP(mem_freep) char *like = r ? reference_scalar(r, &f->context) : NULL;
	CLEANUP(mem_freep) char *text = like ? sample_time(like, f->now_ms) : NULL;

	if (text)
		put(f, r, text);
}

static void put_time(struct sample_filler *f, const struct value_expr *expr)
{
	if (expr)
		put_now(f, value_expr_target(expr, &f->context));
}

/* ---- the delivery ------------------------------------------------------------------------------------------------ */

/* The search for a reference of the delivery that has no other meaning. To change the conversation's id would make
 * another conversation. */
struct free_reference {
	struct sample_filler *f;
	const char *text; /* of the examined reference */
	bool taken;
	const struct reference *found;
};

static void note_if_taken(void *ctx, const struct reference *r)
{
	struct free_reference *p = ctx;

	p->taken = p->taken || strcmp(reference_text(r), p->text) == 0;
}

static bool is_taken(struct free_reference *p, const struct reference *r)
{
	const struct definition *d = p->f->d;
	const struct value_expr *exprs[] = {d->conversation, d->customer, d->time, d->created, d->closed_at};

	p->text = reference_text(r);
	p->taken = false;
	for (size_t i = 0; i < sizeof(exprs) / sizeof(*exprs); i++)
		if (exprs[i])
			value_expr_references(exprs[i], note_if_taken, p);
	definition_matcher_references(d, note_if_taken, p);
	return p->taken;
}

static void note_free(void *ctx, const struct reference *r)
{
	struct free_reference *p = ctx;
	CLEANUP(mem_freep) char *there = reference_scalar(r, &p->f->context);

	if (there && !is_taken(p, r))
		p->found = r;
}

/* Makes the delivery a new one; its id is a number where the desk's ids are numbers. Where no reference is free, the
 * fresh time makes it new. */
static void put_delivery(struct sample_filler *f)
{
	const struct reference *r = f->d->delivery ? value_expr_target(f->d->delivery, &f->context) : NULL;
	struct free_reference p = {.f = f};
	CLEANUP(mem_freep) char *like = NULL;
	CLEANUP(mem_freep)
	char *fresh = f->item == 0
			      ? mem_fmt("sample-%s-%lld", transition_name(f->t), (long long)f->now_ms)
			      : mem_fmt("sample-%s-%lld-%zu", transition_name(f->t), (long long)f->now_ms, f->item);
	CLEANUP(mem_freep) char *text = NULL;

	/* Where the target has another meaning too, another part of the template takes the value. */
	if (r && is_taken(&p, r)) {
		value_expr_references(f->d->delivery, note_free, &p);
		r = p.found;
	}
	like = r ? reference_scalar(r, &f->context) : NULL;
	/* Where the body is the delivery, a member that no definition reads makes it new. */
	if (f->d->delivery && value_expr_is_body(f->d->delivery, &f->context) &&
	    json_object_is_type(f->context.item, json_type_object))
		json_set_str(f->context.item, SAMPLE_MARK, fresh);
	if (!like)
		return;
	if (strspn(like, "0123456789") == strlen(like))
		text = mem_fmt("%lld", (long long)f->now_ms * 1000 + (int)f->t * 100 + (int)(f->item % 100));
	put(f, r, text ? text : fresh);
}

/* ---- the address ------------------------------------------------------------------------------------------------- */

/* Replaces the address. Where a URL stands there, the last part of its path is replaced. */
static void put_email(struct sample_filler *f, const char *email)
{
	const struct reference *r = email_refs_target(&f->d->emails, &f->context);
	CLEANUP(mem_freep) char *url = r ? reference_scalar(r, &f->context) : NULL;
	CLEANUP(mem_freep) char *text = NULL;
	size_t path, before;
	struct buf b;

	if (!r)
		return;
	if (url && url_scheme(url) > 0) {
		path = before = strcspn(url, "?#");
		while (before > 0 && url[before - 1] != '/')
			before--;
		buf_init(&b, strlen(url) + 3 * strlen(email));
		buf_add(&b, url, before);
		percent_add(&b, email, PERCENT_SEGMENT);
		buf_adds(&b, url + path);
		text = buf_take(&b);
	}
	put(f, r, text ? text : email);
}

/* ---- the whole sample -------------------------------------------------------------------------------------------- */

/* Delivery and times come first: where one place has two meanings, the given value stays. */
static void fill_item(struct sample_filler *f, const struct sample_values *values)
{
	put_delivery(f);
	if (f->t == TRANSITION_OPENED)
		put_time(f, f->d->created);
	if (f->t == TRANSITION_CLOSED)
		put_time(f, f->d->closed_at);
	put_time(f, f->d->time);
	put_value_expr(f, f->d->customer, values->customer);
	if (values->email)
		put_email(f, values->email);
	put_value_expr(f, f->d->conversation, values->conversation);
}

static void fill(struct sample_filler *f, const struct sample_values *values)
{
	struct values lists;

	if (!f->d->each) {
		fill_item(f, values);
		return;
	}
	reference_values(f->d->each, &f->context, &lists);
	for (size_t i = 0; i < lists.n; i++) {
		struct json_object *list = lists.items[i];

		for (size_t k = 0; json_object_is_type(list, json_type_array) && k < json_object_array_length(list);
		     k++, f->item++) {
			f->context.item = json_object_array_get_idx(list, k);
			fill_item(f, values);
		}
	}
	values_done(&lists);
}

int definition_sample_fill(const struct definition *d, enum transition t, const struct sample_values *values,
			   struct sample *ret)
{
	const struct sample *sample = definition_sample(d, t);
	CLEANUP(json_putp) struct json_object *body = NULL;
	CLEANUP(pairs_done) struct pairs query = {0};
	struct sample_filler f = {.d = d, .t = t, .now_ms = values->now_ms, .sample = ret};

	if (!sample || body_read(d->body, sample->body, strlen(sample->body), &body, NULL, NULL) < 0)
		return -ENOENT;
	sample_copy(ret, sample);
	percent_read_query(sample->query, &query);
	f.context = (struct eval_context){
		.item = body, .root = body, .headers = &sample->headers, .query = &query, .names = &d->names};
	put_now(&f, proof_about(d->proof)->body_timestamp);
	fill(&f, values);
	free(ret->body);
	ret->body = body_write(d->body, sample->body, body);
	return 0;
}

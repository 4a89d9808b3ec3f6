/* SPDX-License-Identifier: MIT */
/*
 * One POST's items. What says nothing of interest is counted only; what does, and what cannot be read, is one
 * submission: the pipeline commits all of it or nothing, so that a helpdesk that hears 503 may send the whole again and
 * one that hears 200 never has to.
 *
 * Counted is what became of each item, when that is known: a POST that is refused counts as many refusals as it has
 * items.
 */
#include <config.h>

#include "intake/intake_submission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/known_secrets.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/percent.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "intake/answer.h"

#define TREE_BYTES_MAX (1024 * 1024) /* of one item that is kept with its tree for its pass */

struct intake_submission {
	struct submission submission;
	struct http_exchange *exchange; /* once it is submitted */
	const struct source *source;
	struct unknown_states *unknown;
	struct reservation *reservation; /* NULL: given back */
	size_t body_bytes;               /* of the reservation, for the body, while it is taken apart */
	size_t bytes;                    /* what the items take, with the trees that are kept; */
	size_t trees;                    /* and these alone */
	bool is_tight;    /* no tree is kept: the pipeline is behind, or an item had no room beside the trees */
	bool full;        /* there is no room for them */
	unsigned refused; /* how many there were then */
	bool several;     /* the POST carried more than one item */
	bool has_signal;
	unsigned pongs, ignored; /* items that are not kept */
	unsigned unreadable;     /* the same, as anybody may have sent them */
};

static void count(const struct source *s, const char *result, unsigned n)
{
	if (n > 0)
		metrics_add(METRIC_WEBHOOKS, s->name, result, NULL, n);
}

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

char *redact_query(const char *query, const char *secret_name)
{
	char *kept = mem_new(strlen(query) + 1, 1), *to = kept;

	if (!secret_name) {
		memcpy(kept, query, strlen(query));
		return kept;
	}
	for (const char *at = query; *at != '\0';) {
		size_t len = strcspn(at, "&");
		CLEANUP(mem_freep) char *parameter = mem_strn(at, len);
		CLEANUP(pairs_done) struct pairs decoded = {0};

		/* By its decoded name, so that an escaped letter in it hides nothing. */
		percent_read_query(parameter, &decoded);
		if (decoded.n == 0 || !text_same(decoded.items[0].name, secret_name)) {
			if (to != kept)
				*to++ = '&';
			memcpy(to, at, len);
			to += len;
		}
		at += len;
		if (*at == '&')
			at++;
	}
	*to = '\0';
	return kept;
}

void redact_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		    size_t body_len, struct webhook *ret)
{
	const struct proof *proof = definition_proof(s->definition);

	*ret = (struct webhook){
		.source = mem_str(s->name),
		.received_ms = x->received_ms,
		.path = mem_str(x->path),
		.query = redact_query(x->query, proof_about(proof)->secret_query),
		.body = body,
		.body_len = body_len,
	};
	for (size_t i = 0; i < headers->n; i++) {
		const struct pair *h = &headers->items[i];

		if (source_stores_header(s, h->name))
			pairs_add(&ret->headers, h->name, h->value);
	}
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static size_t text_bytes(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static size_t item_bytes(const struct submission_item *item)
{
	const struct webhook *w = &item->parsed->webhook;
	size_t n = sizeof(*item) + sizeof(*item->parsed) + w->body_len + 1;

	n += text_bytes(w->source) + text_bytes(w->path) + text_bytes(w->query);
	n += text_bytes(w->conversation) + text_bytes(w->customer) + text_bytes(item->dead_reason);
	for (size_t i = 0; i < w->headers.n; i++)
		n += sizeof(w->headers.items[i]) + text_bytes(w->headers.items[i].name) +
		     text_bytes(w->headers.items[i].value);
	return n;
}

static void items_drop(struct intake_submission *p)
{
	for (size_t i = 0; i < p->submission.n; i++) {
		parsed_webhook_free(p->submission.items[i].parsed);
		free(p->submission.items[i].dead_reason);
	}
	free(p->submission.items);
	p->submission.items = NULL;
	p->submission.n = 0;
	p->bytes = 0;
	p->trees = 0;
}

/* What the submission takes while the body is still there. */
static size_t larger(const struct intake_submission *p, size_t bytes)
{
	return bytes > p->body_bytes ? bytes : p->body_bytes;
}

/* For the pass that follows the tree is kept, where there is room to spare; else the pass parses anew. */
static void bound_tree(struct intake_submission *p, struct parsed_webhook *parsed)
{
	size_t bytes = p->bytes + parsed->tree_bytes;

	if (p->is_tight || parsed_webhook_bytes(parsed) > TREE_BYTES_MAX ||
	    !reservation_resize_spare(p->reservation, larger(p, bytes))) {
		parsed_webhook_strip(parsed);
		return;
	}
	p->trees += parsed->tree_bytes;
	p->bytes = bytes;
}

/* Takes over parsed, and dead_reason. The body is still there: the reservation is of the larger of the two. */
static struct submission_item *item_add(struct intake_submission *p, struct parsed_webhook *parsed, char *dead_reason)
{
	struct submission *s = &p->submission;
	struct submission_item *item = &s->items[s->n++];

	*item = (struct submission_item){.parsed = parsed, .kept = true, .dead_reason = dead_reason};
	p->bytes += item_bytes(item);
	if (reservation_resize(p->reservation, larger(p, p->bytes)))
		return item;
	/* Without the trees there may be room. */
	for (size_t i = 0; i < s->n; i++)
		parsed_webhook_strip(s->items[i].parsed);
	p->bytes -= p->trees;
	p->trees = 0;
	p->is_tight = true;
	if (!reservation_resize(p->reservation, larger(p, p->bytes)))
		p->full = true;
	return item;
}

/* Takes over parsed. Of what anybody may have sent nothing is kept; the request is refused for it only where nothing
 * else was in it. */
static void take_unreadable(struct intake_submission *p, struct parsed_webhook *parsed, const char *reason)
{
	if (proof_about(definition_proof(p->source->definition))->needs_secret) {
		char *struck = known_secrets_redact(reason);

		parsed_webhook_strip(parsed);
		(void)item_add(p, parsed, struck);
	} else {
		p->unreadable++;
		parsed_webhook_free(parsed);
	}
}

/* Takes what is in w, where it is to be kept, and tree (parsed_webhook_new). */
static void take_item(struct intake_submission *p, struct webhook *w, struct json_object *tree, size_t tree_bytes)
{
	CLEANUP(parsed_webhook_freep)
	struct parsed_webhook *item = parsed_webhook_new(p->source->definition, w, tree, tree_bytes);
	const char *reason;

	unknown_states_note(p->unknown, p->source, &item->result);
	switch (item->result.kind) {
	case PARSE_SIGNAL:
		parse_result_save(&item->result, &item->webhook);
		bound_tree(p, item);
		(void)item_add(p, TAKE(item), NULL);
		p->has_signal = true;
		break;
	case PARSE_PING:
		p->pongs++;
		break;
	case PARSE_IGNORED:
		if (p->source->keep_all) {
			parsed_webhook_strip(item);
			item_add(p, TAKE(item), NULL)->ignored = true;
		} else {
			p->ignored++;
		}
		break;
	case PARSE_UNREADABLE:
		reason = item->result.reason;
		take_unreadable(p, TAKE(item), reason);
		break;
	}
}

static void take_batch(struct intake_submission *p, struct batch *batch, const struct http_exchange *x,
		       const struct pairs *headers)
{
	size_t n = batch_items(batch);

	p->several = n > 1;
	p->submission.items = n > 0 ? mem_new(n, sizeof(*p->submission.items)) : NULL;
	if (n == 0)
		p->ignored++; /* an empty list says nothing */
	for (size_t i = 0; i < n && !p->full; i++) {
		struct webhook w;
		size_t len, tree_bytes;
		char *body = batch_item(batch, i, &len);
		struct json_object *tree = batch_take_tree(batch, &tree_bytes);

		redact_webhook(p->source, x, headers, body, len, &w);
		take_item(p, &w, tree, tree_bytes);
	}
}

/* What cannot be taken apart is one webhook. */
static void take_whole(struct intake_submission *p, const struct http_exchange *x, const struct pairs *headers,
		       const struct err *reason)
{
	struct webhook w;

	p->submission.items = mem_new(1, sizeof(*p->submission.items));
	redact_webhook(p->source, x, headers, mem_dup(x->body, x->body_len), x->body_len, &w);
	take_unreadable(p, parsed_webhook_unparsed(&w), reason->text);
}

/* What could never be held is no reason to have the helpdesk send it for ever. */
static void take_too_much(struct intake_submission *p, const struct http_exchange *x, const struct pairs *headers)
{
	struct err reason = {0};
	char most[AMOUNT_MAX];

	(void)err_set(&reason, -EMSGSIZE,
		      "its items, each with the rest of the body, take more than the %s that listen.max_memory "
		      "allows one request",
		      amount_size(most, (int64_t)reservation_max(p->reservation)));
	items_drop(p);
	p->pongs = p->ignored = p->unreadable = 0;
	p->several = p->has_signal = p->full = false;
	take_whole(p, x, headers, &reason);
}

struct intake_submission *intake_submission_new(const struct source *s, const struct http_exchange *x,
						const struct pairs *headers, struct unknown_states *unknown,
						struct reservation *reservation, bool caches_parsed)
{
	struct intake_submission *p = mem_new(1, sizeof(*p));
	struct batch *batch = NULL;
	struct err reason = {0};
	size_t items = 1;

	p->source = s;
	p->unknown = unknown;
	p->reservation = reservation;
	p->body_bytes = reservation->bytes;
	p->is_tight = !caches_parsed;
	if (batch_open(s->definition, pairs_get(headers, "Content-Type"), x->body, x->body_len, &batch, &reason) < 0) {
		take_whole(p, x, headers, &reason);
	} else {
		items = batch_items(batch);
		take_batch(p, batch, x, headers);
		batch_close(batch);
		if (p->full && items > 1 && p->bytes > reservation_max(reservation))
			take_too_much(p, x, headers);
	}
	if (p->full) {
		items_drop(p);
		p->refused = (unsigned)items;
	}
	INSIST(reservation_resize(reservation, p->bytes));
	return p;
}

bool intake_submission_is_empty(const struct intake_submission *p)
{
	return p->submission.n == 0;
}

bool intake_submission_has_signal(const struct intake_submission *p)
{
	return p->has_signal;
}

bool intake_submission_has_room(const struct intake_submission *p)
{
	return !p->full;
}

/* ---- its end ----------------------------------------------------------------------------------------------------- */

void intake_submission_discard(struct intake_submission *p)
{
	items_drop(p);
	if (p->reservation)
		reservation_release(p->reservation);
	free(p);
}

static void count_rest(const struct intake_submission *p)
{
	count(p->source, "pong", p->pongs);
	count(p->source, "ignored", p->ignored);
	count(p->source, "unreadable", p->unreadable);
}

static void count_refused(const struct intake_submission *p)
{
	count(p->source, "refused",
	      p->full ? p->refused : (unsigned)p->submission.n + p->pongs + p->ignored + p->unreadable);
}

void intake_submission_answer(struct intake_submission *p, struct http_exchange *x)
{
	enum answer a = ANSWER_IGNORED;

	count_rest(p);
	if (p->unreadable > 0)
		a = ANSWER_UNREADABLE;
	else if (p->ignored == 0)
		a = ANSWER_PONG;
	answer_send(x, a, NULL);
	intake_submission_discard(p);
}

void intake_submission_refuse(struct intake_submission *p, struct http_exchange *x)
{
	count_refused(p);
	answer_send(x, ANSWER_UNAVAILABLE, NULL);
	intake_submission_discard(p);
}

/* A dead letter that nobody hears of would be a lost webhook. One line a POST. */
static void tell_dead(const struct intake_submission *p)
{
	const struct submission_item *first = NULL;
	struct log_about about;
	size_t n = 0;

	for (size_t i = 0; i < p->submission.n; i++) {
		const struct submission_item *item = &p->submission.items[i];

		if (!item->dead_reason || item->result != SUBMISSION_ACCEPTED)
			continue;
		if (n++ == 0)
			first = item;
	}
	if (!first)
		return;
	about = (struct log_about){
		.source = first->parsed->webhook.source,
		.conversation = first->parsed->webhook.conversation,
		.webhook = first->id,
		.reason = first->dead_reason,
	};
	if (n == 1)
		log_warning(&about, "a webhook cannot be read and became a dead letter");
	else
		log_warning(&about,
			    "%zu webhooks of one request cannot be read and became dead letters; this is the first", n);
}

/* On the pipeline's thread. */
static void answered(struct submission *s)
{
	static const char *const results[] = {
		[SUBMISSION_ACCEPTED] = "accepted",
		[SUBMISSION_DUPLICATE] = "duplicate",
		[SUBMISSION_IGNORED] = "ignored",
	};
	struct intake_submission *p = s->user;

	if (s->refused) {
		count_refused(p);
	} else {
		count_rest(p);
		for (size_t i = 0; i < s->n; i++) {
			const struct submission_item *item = &s->items[i];
			bool is_dead = item->dead_reason && item->result == SUBMISSION_ACCEPTED;

			count(p->source, is_dead ? "unreadable" : results[item->result], 1);
		}
		tell_dead(p);
	}
	/* Before the answer goes out, so that a client that sends its next webhook after it finds the room free. Once
	 * it is out, the reservation may be gone with its exchange. */
	for (size_t i = 0; i < s->n; i++)
		parsed_webhook_free(TAKE(s->items[i].parsed));
	reservation_release(TAKE(p->reservation));
	answer_submission(p->exchange, s, p->several);
	intake_submission_discard(p);
}

void intake_submission_post(struct intake_submission *p, struct http_exchange *x, struct pipeline *pipeline)
{
	p->submission.answered = answered;
	p->submission.user = p;
	p->exchange = x;
	http_suspend(x);
	pipeline_submit(pipeline, &p->submission);
}

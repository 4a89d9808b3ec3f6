/* SPDX-License-Identifier: MIT */
/*
 * The items of one POST. Signals and unreadable items form one submission. The other items (pings, ignored webhooks)
 * are only counted; with `keep: all` ignored ones are stored, too. The pipeline commits the whole submission or
 * nothing, so a helpdesk that gets 503 may send the whole POST again, and one that gets 200 never has to.
 *
 * The result of each item is counted once it is known. A refused POST counts as many refusals as it has items.
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

#define TREE_BYTES_MAX (1024 * 1024) /* a larger item (parsed_webhook_bytes) keeps no tree for its pass */

struct intake_submission {
	struct submission submission;
	struct submission_item item;    /* where the POST has one item, as most have: the memory of submission.items */
	struct http_exchange *exchange; /* set when it is submitted */
	const struct source *source;
	struct unknown_states *unknown;
	struct reservation *reservation;
	size_t body_bytes; /* size of the reservation for the body, before it is read */
	size_t bytes;      /* size of the items, including the trees that are kept */
	size_t trees;      /* size of the trees that are kept */
	bool drops_trees;  /* no tree is kept: the pipeline's cache is full, or the trees left no memory for an item */
	bool no_room;      /* there was no memory for the items, which were dropped */
	unsigned refused_items; /* where no_room: the number of items that were dropped */
	bool several;           /* the POST had more than one item */
	bool has_signal;
	unsigned pongs, ignored; /* numbers of items that are only counted */
	unsigned unreadable; /* number of unreadable items that are only counted, because no secret proves the sender */
};

static void count(const struct source *s, const char *result, unsigned n)
{
	if (n > 0)
		metrics_add(METRIC_WEBHOOKS, s->name, result, NULL, n);
}

/* ---- the stored webhook ------------------------------------------------------------------------------------------ */

char *stored_query(const char *query, const char *secret_name)
{
	char *kept = mem_new(strlen(query) + 1, 1);
	char *to = kept;

	if (!secret_name) {
		memcpy(kept, query, strlen(query));
		return kept;
	}
	for (const char *at = query; *at != '\0';) {
		size_t len = strcspn(at, "&");
		CLEANUP(mem_freep) char *parameter = mem_strn(at, len);
		CLEANUP(pairs_done) struct pairs decoded = {0};

		/* Compares the decoded name, so that an escaped letter hides nothing. */
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

void stored_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		    size_t body_len, struct webhook *ret)
{
	const struct proof *proof = definition_proof(s->definition);

	*ret = (struct webhook){
		.source = mem_str(s->name),
		.received_ms = x->received_ms,
		.path = mem_str(x->path),
		.query = stored_query(x->query, proof_about(proof)->secret_query),
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

static void drop_items(struct intake_submission *sub)
{
	for (size_t i = 0; i < sub->submission.n; i++) {
		parsed_webhook_free(sub->submission.items[i].parsed);
		free(sub->submission.items[i].dead_reason);
	}
	if (sub->submission.items != &sub->item)
		free(sub->submission.items);
	sub->submission.items = NULL;
	sub->submission.n = 0;
	sub->bytes = 0;
	sub->trees = 0;
}

/* Returns the size to reserve for items of `bytes` bytes while the body is still there: the larger of the two. */
static size_t bytes_to_reserve(const struct intake_submission *sub, size_t bytes)
{
	return bytes > sub->body_bytes ? bytes : sub->body_bytes;
}

/* Keeps the tree for the coming pass if there is spare memory. Otherwise the pass parses the body again. */
static void limit_tree(struct intake_submission *sub, struct parsed_webhook *parsed)
{
	size_t bytes = sub->bytes + parsed->tree_bytes;

	if (sub->drops_trees || parsed_webhook_bytes(parsed) > TREE_BYTES_MAX ||
	    !reservation_resize_spare(sub->reservation, bytes_to_reserve(sub, bytes))) {
		parsed_webhook_strip(parsed);
		return;
	}
	sub->trees += parsed->tree_bytes;
	sub->bytes = bytes;
}

/* Appends an item to the submission and reserves memory for it. Takes ownership of parsed and dead_reason. */
static struct submission_item *append_item(struct intake_submission *sub, struct parsed_webhook *parsed,
					   char *dead_reason)
{
	struct submission *s = &sub->submission;
	struct submission_item *item = &s->items[s->n++];

	*item = (struct submission_item){.parsed = parsed, .dead_reason = dead_reason};
	sub->bytes += item_bytes(item);
	if (reservation_resize(sub->reservation, bytes_to_reserve(sub, sub->bytes)))
		return item;
	/* Without the trees the memory may suffice. */
	for (size_t i = 0; i < s->n; i++)
		parsed_webhook_strip(s->items[i].parsed);
	sub->bytes -= sub->trees;
	sub->trees = 0;
	sub->drops_trees = true;
	if (!reservation_resize(sub->reservation, bytes_to_reserve(sub, sub->bytes)))
		sub->no_room = true;
	return item;
}

/* Takes ownership of parsed. An unreadable item becomes a dead letter. Without a secret the sender is unknown, so
 * nothing of the item is stored; the request gets 400 if none of its items is stored. */
static void add_unreadable(struct intake_submission *sub, struct parsed_webhook *parsed, const char *reason)
{
	if (proof_about(definition_proof(sub->source->definition))->needs_secret) {
		char *redacted = known_secrets_redact(reason);

		parsed_webhook_strip(parsed);
		(void)append_item(sub, parsed, redacted);
	} else {
		sub->unreadable++;
		parsed_webhook_free(parsed);
	}
}

/* Reads one item and adds or counts it. Takes ownership of w's members and of tree (as parsed_webhook_new() does). */
static void add_item(struct intake_submission *sub, struct webhook *w, struct json_object *tree, size_t tree_bytes)
{
	CLEANUP(parsed_webhook_freep)
	struct parsed_webhook *item = parsed_webhook_new(sub->source->definition, w, tree, tree_bytes);
	const char *reason;

	unknown_states_note(sub->unknown, sub->source, &item->result);
	switch (item->result.kind) {
	case PARSE_SIGNAL:
		parse_result_save(&item->result, &item->webhook);
		limit_tree(sub, item);
		(void)append_item(sub, TAKE(item), NULL);
		sub->has_signal = true;
		break;
	case PARSE_PING:
		sub->pongs++;
		break;
	case PARSE_IGNORED:
		if (sub->source->keep_all) {
			parsed_webhook_strip(item);
			append_item(sub, TAKE(item), NULL)->store_as_ignored = true;
		} else {
			sub->ignored++;
		}
		break;
	case PARSE_UNREADABLE:
		reason = item->result.reason;
		add_unreadable(sub, TAKE(item), reason);
		break;
	}
}

static void add_batch(struct intake_submission *sub, struct batch *batch, const struct http_exchange *x,
		      const struct pairs *headers, struct request_body *whole)
{
	size_t n = batch_items(batch);

	sub->several = n > 1;
	sub->submission.items = n > 1 ? mem_new(n, sizeof(*sub->submission.items)) : &sub->item;
	if (n == 0)
		sub->ignored++; /* an empty list has no signal */
	for (size_t i = 0; i < n && !sub->no_room; i++) {
		struct webhook w;
		size_t len, tree_bytes;
		struct json_object *tree;
		char *body;

		/* The only item is the body itself. */
		len = whole->len;
		body = n == 1 ? TAKE(whole->text) : batch_item(batch, i, &len);
		tree = batch_take_tree(batch, &tree_bytes);
		stored_webhook(sub->source, x, headers, body, len, &w);
		add_item(sub, &w, tree, tree_bytes);
	}
}

/* Adds the body as the only item. */
static void add_body(struct intake_submission *sub, const struct http_exchange *x, const struct pairs *headers,
		     struct request_body *body)
{
	struct webhook w;

	sub->submission.items = &sub->item;
	stored_webhook(sub->source, x, headers, TAKE(body->text), body->len, &w);
	add_item(sub, &w, NULL, 0);
}

/* Makes one unreadable webhook of a body that cannot be split. */
static void add_whole_body(struct intake_submission *sub, const struct http_exchange *x, const struct pairs *headers,
			   struct request_body *body, const struct err *reason)
{
	struct webhook w;

	sub->submission.items = &sub->item;
	stored_webhook(sub->source, x, headers, TAKE(body->text), body->len, &w);
	add_unreadable(sub, parsed_webhook_unparsed(&w), reason->text);
}

/* A batch that never fits becomes one unreadable webhook, so that the helpdesk does not send it again for ever. */
static void replace_by_whole_body(struct intake_submission *sub, const struct http_exchange *x,
				  const struct pairs *headers, struct request_body *body)
{
	struct err reason = {0};
	char most[AMOUNT_MAX];

	(void)err_set(&reason, -EMSGSIZE,
		      "its items, each with the rest of the body, take more than the %s that listen.max_memory "
		      "allows one request",
		      amount_size(most, (int64_t)reservation_max(sub->reservation)));
	drop_items(sub);
	sub->pongs = sub->ignored = sub->unreadable = 0;
	sub->several = sub->has_signal = sub->no_room = false;
	add_whole_body(sub, x, headers, body, &reason);
}

struct intake_submission *intake_submission_new(const struct source *s, const struct http_exchange *x,
						const struct pairs *headers, struct request_body *body,
						struct unknown_states *unknown, struct reservation *reservation,
						bool caches_parsed)
{
	struct intake_submission *sub = mem_new(1, sizeof(*sub));
	struct batch *batch = NULL;
	struct err reason = {0};
	size_t items = 1;

	sub->source = s;
	sub->unknown = unknown;
	sub->reservation = reservation;
	sub->body_bytes = reservation->bytes;
	sub->drops_trees = !caches_parsed;
	if (!batch_may_split(s->definition)) {
		add_body(sub, x, headers, body);
	} else if (batch_open(s->definition, pairs_get(headers, "Content-Type"), body->text, body->len, &batch,
			      &reason) < 0) {
		add_whole_body(sub, x, headers, body, &reason);
	} else {
		items = batch_items(batch);
		add_batch(sub, batch, x, headers, body);
		batch_close(batch);
		if (sub->no_room && items > 1 && sub->bytes > reservation_max(reservation))
			replace_by_whole_body(sub, x, headers, body);
	}
	if (sub->no_room) {
		drop_items(sub);
		sub->refused_items = (unsigned)items;
	}
	free(TAKE(body->text));
	INSIST(reservation_resize(reservation, sub->bytes));
	return sub;
}

bool intake_submission_is_empty(const struct intake_submission *sub)
{
	return sub->submission.n == 0;
}

bool intake_submission_has_signal(const struct intake_submission *sub)
{
	return sub->has_signal;
}

bool intake_submission_has_room(const struct intake_submission *sub)
{
	return !sub->no_room;
}

/* ---- its end ----------------------------------------------------------------------------------------------------- */

void intake_submission_discard(struct intake_submission *sub)
{
	drop_items(sub);
	reservation_release(sub->reservation);
	free(sub);
}

static void count_rest(const struct intake_submission *sub)
{
	count(sub->source, "pong", sub->pongs);
	count(sub->source, "ignored", sub->ignored);
	count(sub->source, "unreadable", sub->unreadable);
}

static void count_refused(const struct intake_submission *sub)
{
	count(sub->source, "refused",
	      sub->no_room ? sub->refused_items
			   : (unsigned)sub->submission.n + sub->pongs + sub->ignored + sub->unreadable);
}

void intake_submission_answer(struct intake_submission *sub, struct http_exchange *x)
{
	enum answer a = ANSWER_IGNORED;

	count_rest(sub);
	if (sub->unreadable > 0)
		a = ANSWER_UNREADABLE;
	else if (sub->ignored == 0)
		a = ANSWER_PONG;
	answer_send(x, a, NULL);
	intake_submission_discard(sub);
}

void intake_submission_refuse(struct intake_submission *sub, struct http_exchange *x)
{
	count_refused(sub);
	answer_send(x, ANSWER_UNAVAILABLE, NULL);
	intake_submission_discard(sub);
}

/* Logs the dead letters of a POST in one line, because an operator must learn of them. */
static void log_dead(const struct intake_submission *sub)
{
	const struct submission_item *first = NULL;
	size_t n = 0;
	struct log_about about;

	for (size_t i = 0; i < sub->submission.n; i++) {
		const struct submission_item *item = &sub->submission.items[i];

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

void intake_submission_finish(struct intake_submission *sub, struct http_exchange *x)
{
	static const char *const results[] = {
		[SUBMISSION_ACCEPTED] = "accepted",
		[SUBMISSION_DUPLICATE] = "duplicate",
		[SUBMISSION_IGNORED] = "ignored",
	};
	const struct submission *s = &sub->submission;

	if (s->refused) {
		count_refused(sub);
	} else {
		count_rest(sub);
		for (size_t i = 0; i < s->n; i++) {
			const struct submission_item *item = &s->items[i];
			bool is_dead = item->dead_reason && item->result == SUBMISSION_ACCEPTED;

			count(sub->source, is_dead ? "unreadable" : results[item->result], 1);
		}
		log_dead(sub);
	}
	if (x)
		answer_submission(x, s, sub->several);
	/* http_answer() only notes the answer, so the memory is free before the client gets it and sends its next
	 * webhook. */
	intake_submission_discard(sub);
}

/* Called by the pipeline, on its thread or another one. */
static void answered(struct submission *s)
{
	const struct intake_submission *sub = s->user;

	http_wake(sub->exchange);
}

void intake_submission_post(struct intake_submission *sub, struct http_exchange *x, struct pipeline *pipeline)
{
	sub->submission.answered = answered;
	sub->submission.user = sub;
	sub->exchange = x;
	http_suspend(x);
	pipeline_submit(pipeline, &sub->submission);
}

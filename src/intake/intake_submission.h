/* SPDX-License-Identifier: MIT */
/*
 * intake_submission: the submission of one POST. Splits its body, removes secrets, reads each webhook, submits them
 * together and answers once.
 *
 * Created, answered and freed on the thread of its exchange. From its posting until the exchange is woken it belongs to
 * the pipeline.
 */
#ifndef INTAKE_INTAKE_SUBMISSION_H
#define INTAKE_INTAKE_SUBMISSION_H

#include "conf/conf.h"
#include "http/budget.h"
#include "http/server.h"
#include "intake/unknown_states.h"
#include "pipeline/pipeline.h"

struct intake_submission;

struct request_body {
	char *text; /* NUL-terminated behind len bytes */
	size_t len;
};

/*
 * Reads the body of a complete exchange whose proof is good. caches_parsed: the result of pipeline_caches_parsed(). s
 * must outlive the submission.
 *
 * The reservation covers the body, and this function changes it to the submission's size. It takes the body's text: a
 * body with one item becomes that item's, another one is freed. The submission may need more memory than the body,
 * because each item repeats the rest of the body. If that memory is not free now, intake_submission_has_room() is
 * false. If it is more than one request may ever have, the body becomes one unreadable webhook.
 *
 * Unknown states are logged and counted at once. The caller owns the result until it is answered, refused, finished or
 * discarded. The result owns the reservation meanwhile, and releases it before the answer.
 */
struct intake_submission *intake_submission_new(const struct source *s, const struct http_exchange *x,
						const struct pairs *headers, struct request_body *body,
						struct unknown_states *unknown, struct reservation *reservation,
						bool caches_parsed) MUSTCHECK;
/* True where no item has to be stored: there is nothing to submit. */
bool intake_submission_is_empty(const struct intake_submission *sub);
/* True where an item is a signal. */
bool intake_submission_has_signal(const struct intake_submission *sub);
/* Returns false if there was no memory for the items. Then only intake_submission_refuse() or
 * intake_submission_discard() may be called. */
bool intake_submission_has_room(const struct intake_submission *sub);

/* Counts the items of an empty submission, answers, and frees it. */
void intake_submission_answer(struct intake_submission *sub, struct http_exchange *x);
/* Counts the items as refused, answers 503, and frees the submission. */
void intake_submission_refuse(struct intake_submission *sub, struct http_exchange *x);
/* Frees the submission without an answer or a count. */
void intake_submission_discard(struct intake_submission *sub);
/* Suspends the exchange and submits. After the commit or its failure the exchange is woken, and the caller calls
 * intake_submission_finish(). */
void intake_submission_post(struct intake_submission *sub, struct http_exchange *x, struct pipeline *pipeline);
/* Counts the items of a submission whose exchange was woken, logs dead letters, answers, and frees the submission. x
 * NULL: the client is gone, and nobody is answered. */
void intake_submission_finish(struct intake_submission *sub, struct http_exchange *x);

/* ---- the stored webhook, without secrets. Pure. ------------------------------------------------------------------ */

/* Returns the raw query without the parameter secret_name (NULL: the whole query). The caller owns it. */
char *stored_query(const char *query, const char *secret_name) MUSTCHECK;

/*
 * Makes a webhook of one item of a complete request, with the headers that its source reads. body: the item's,
 * NUL-terminated behind body_len; the webhook takes ownership. The caller owns *ret. For intake_submission_new(),
 * and for tests.
 */
void stored_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		    size_t body_len, struct webhook *ret);

#endif

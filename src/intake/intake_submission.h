/* SPDX-License-Identifier: MIT */
/*
 * intake_submission: the webhooks of one POST on their way: taken out of its body, kept without secrets and read,
 * handed to the pipeline together, answered together.
 *
 * Made and submitted on the server's pool, answered on the pipeline's thread; one thread at a time.
 */
#ifndef INTAKE_INTAKE_SUBMISSION_H
#define INTAKE_INTAKE_SUBMISSION_H

#include "conf/conf.h"
#include "http/budget.h"
#include "http/server.h"
#include "intake/unknown_states.h"
#include "pipeline/pipeline.h"

struct intake_submission;

/*
 * Reads the body of a complete exchange whose proof is good. caches_parsed: as pipeline_caches_parsed() says. s must
 * outlive the submission. The reservation holds what the body takes; it becomes what the submission takes, so the
 * caller drops the body right after. A small item repeats what stands beside the array of a large body, so this may be
 * more: where there is no room for it now, the submission has none (intake_submission_has_room); where there could
 * never be, the whole becomes one webhook that cannot be read. Unknown states are noted at once. The caller owns the
 * submission until it is answered, refused, submitted or dropped. The reservation is the submission's as long, and
 * released before the answer goes out.
 */
struct intake_submission *intake_submission_new(const struct source *s, const struct http_exchange *x,
						const struct pairs *headers, struct unknown_states *unknown,
						struct reservation *reservation, bool caches_parsed) MUSTCHECK;
/* Whether any of its items says something, or cannot be read: an empty one has nothing for the pipeline. */
bool intake_submission_is_empty(const struct intake_submission *sub);
/* Whether any item is a signal. */
bool intake_submission_has_signal(const struct intake_submission *sub);
/* False: it holds nothing, and intake_submission_refuse or intake_submission_discard is all that it is good for. */
bool intake_submission_has_room(const struct intake_submission *sub);

/* Ends an empty one: counts and answers. */
void intake_submission_answer(struct intake_submission *sub, struct http_exchange *x);
/* Ends it with 503. */
void intake_submission_refuse(struct intake_submission *sub, struct http_exchange *x);
/* Ends it without a trace. */
void intake_submission_discard(struct intake_submission *sub);
/* Suspends the exchange and hands it over. Once it is committed it is counted and answered, and ends. */
void intake_submission_post(struct intake_submission *sub, struct http_exchange *x, struct pipeline *pipeline);

/* ---- the stored webhook: never a secret. Pure. ------------------------------------------------------------------- */

/* The raw query without the parameter of that name (NULL: whole). The caller owns it. */
char *redact_query(const char *query, const char *secret_name) MUSTCHECK;

/*
 * For intake_submission_new, and for tests: one item of a complete request as a webhook; of the headers only those that
 * its source looks at. body: the item's, NUL-terminated behind body_len; the webhook owns it from now on. *ret is the
 * caller's.
 */
void redact_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		    size_t body_len, struct webhook *ret);

#endif

/*
 * passage: the webhooks of one POST on their way: taken out of its body, kept without secrets and read, handed to the
 * pipeline together, answered together.
 *
 * Made and submitted on the server's pool, answered on the pipeline's thread; one thread at a time.
 */
#ifndef INTAKE_PASSAGE_H
#define INTAKE_PASSAGE_H

#include "conf/conf.h"
#include "http/budget.h"
#include "http/server.h"
#include "intake/unknown_states.h"
#include "pipeline/pipeline.h"

struct passage;

/*
 * Reads the body of a complete exchange whose proof is good. caches_parsed: as pipeline_caches_parsed() says. s must
 * outlive the passage. The reservation holds what the body takes; it becomes what the passage takes, so the caller
 * drops the body right after. A small item repeats what stands beside the array of a large body, so this may be more:
 * where there is no room for it now, the passage has none (passage_has_room); where there could never be, the whole
 * becomes one webhook that cannot be read. Unknown states are noted at once. The caller owns the passage until it is
 * answered, refused, submitted or dropped. The reservation is the passage's as long, and released before the answer
 * goes out.
 */
struct passage *passage_new(const struct source *s, const struct http_exchange *x, const struct pairs *headers,
			    struct unknown_states *unknown, struct reservation *reservation,
			    bool caches_parsed) MUSTCHECK;
/* Whether any of its items says something, or cannot be read: an empty one has nothing for the pipeline. */
bool passage_is_empty(const struct passage *p);
/* Whether any item is a signal. */
bool passage_has_signal(const struct passage *p);
/* False: it holds nothing, and passage_refuse or passage_drop is all that it is good for. */
bool passage_has_room(const struct passage *p);

/* Ends an empty one: counts and answers. */
void passage_answer(struct passage *p, struct http_exchange *x);
/* Ends it with 503. */
void passage_refuse(struct passage *p, struct http_exchange *x);
/* Ends it without a trace. */
void passage_drop(struct passage *p);
/* Suspends the exchange and hands it over. Once it is committed it is counted and answered, and ends. */
void passage_submit(struct passage *p, struct http_exchange *x, struct pipeline *pipeline);

/* ---- the stored webhook: never a secret. Pure. */

/* The raw query without the parameter of that name (NULL: whole). The caller owns it. */
char *keep_query(const char *query, const char *secret_name) MUSTCHECK;

/*
 * For passage_new, and for tests: one item of a complete request as a webhook; of the headers only those that its
 * source looks at. body: the item's, NUL-terminated behind body_len; the webhook owns it from now on. *ret is the
 * caller's.
 */
void keep_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		  size_t body_len, struct webhook *ret);

#endif

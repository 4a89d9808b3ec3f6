/*
 * passage: the webhooks of one POST on their way: taken out of its body and read, handed to the pipeline together,
 * answered together.
 *
 * Made and submitted on the server's pool, answered on the pipeline's thread; one thread at a time.
 */
#ifndef INTAKE_PASSAGE_H
#define INTAKE_PASSAGE_H

#include <stdatomic.h>

#include "config/config.h"
#include "http/server.h"
#include "pipeline/pipeline.h"

struct passage;

/* What all passages under way may hold beyond the bodies that came: a small item repeats what stands beside the array
 * of a large body. More are refused with 503. */
#define PASSAGES_BYTES_MAX (256 * 1024 * 1024)

/*
 * Reads the body of a complete exchange whose proof is good. s must outlive the passage. held: the bytes that all
 * passages hold; counted up here, down when the passage ends. The caller owns the passage until it is answered,
 * submitted or dropped.
 */
struct passage *passage_new(const struct source *s, const struct http_exchange *x, const struct pairs *headers,
			    atomic_size_t *held) MUSTCHECK;
/* Whether any of its items says something, or cannot be read: an empty one has nothing for the pipeline. */
bool passage_is_empty(const struct passage *p);
/* Whether any item is a signal. */
bool passage_has_signal(const struct passage *p);
/* Whether there is room for it beside the others that are under way. */
bool passage_has_room(const struct passage *p);

/* Ends an empty one: counts and answers. */
void passage_answer(struct passage *p, struct http_exchange *x);
/* Ends it with 503. */
void passage_refuse(struct passage *p, struct http_exchange *x);
/* Ends it without a trace. */
void passage_drop(struct passage *p);
/* Suspends the exchange and hands it over. Once it is committed it is counted and answered, and ends. */
void passage_submit(struct passage *p, struct http_exchange *x, struct pipeline *pipeline);

#endif

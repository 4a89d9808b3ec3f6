/*
 * readings: parsed webhooks that wait in memory for their next pass, so that it need not parse them again.
 *
 * Only a cache: a webhook that is not here is loaded and parsed. Bounded by number and estimated bytes. It holds what a
 * turn that is not committed yet has inserted, and ids of a turn that is rolled back are given again: then, and with a
 * new generation, it must be cleared. Owned by the pipeline's thread; only readings_are_full() is for all.
 */
#ifndef PIPELINE_READINGS_H
#define PIPELINE_READINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "helpdesk/parse/parsed_webhook.h"

#define READINGS_MAX 64
#define READINGS_BYTES_MAX (8 * 1024 * 1024) /* of all together, by parsed_webhook_bytes() */

struct readings;

struct readings *readings_new(void);
void readings_free(struct readings *r);

/*
 * Takes p over, in the place of an older one of its id; frees it where there is no room, where it was told something,
 * or where its source in c has another definition than it was read by. has_waited: a pass has left it waiting. Such
 * ones make room for others, the one that came first before all: passes come in order of receipt, so a fresh one is
 * needed sooner.
 */
void readings_keep(struct readings *r, const struct config *c, struct parsed_webhook *p, bool has_waited);
/* The webhook of that id, which is the caller's from now on, or NULL. */
struct parsed_webhook *readings_take(struct readings *r, int64_t id) MUSTCHECK;
/*
 * True from the moment that one finds no room until fresh ones take half of the room at most. Under load single places
 * become free, and each turn brings many webhooks: nearly all of their trees would be handed over only to be freed.
 * Any thread.
 */
bool readings_are_full(const struct readings *r);
/* The webhook has come to its end. */
void readings_forget(struct readings *r, int64_t id);
void readings_clear(struct readings *r);

#endif

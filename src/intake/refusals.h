/*
 * refusals: the log of requests that were turned away: a line a source and reason, and a second; the rest is counted.
 * Any thread; one lock.
 */
#ifndef INTAKE_REFUSALS_H
#define INTAKE_REFUSALS_H

#include <stdint.h>

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);
/* reason: static text. peer: who asked. */
void refusals_note(struct refusals *r, const char *source, const char *reason, const char *peer, int64_t now_ms);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * refusals: the log of requests that were turned away: a line a source and reason, and a second; how many came between
 * is told by the next line, and in all by the counter deskbridge_webhooks_total, which `status` shows.
 * Any thread; one lock.
 */
#ifndef INTAKE_REFUSALS_H
#define INTAKE_REFUSALS_H

#include <stdint.h>

#include "conf/conf.h"

#define REFUSED_PATH "unknown path" /* the reason of refusals_note_path */

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);
/* source: NULL: the path names none, or could not be read. reason: static text. advice: what to do, or NULL. peer: who
 * asked. */
void refusals_note(struct refusals *r, const char *source, const char *reason, const char *advice, const char *peer,
		   int64_t now_ms);
/* One to a path that no source of c has. The line shows of the path only what resembles the configured ones, as it may
 * hold a secret, and the paths that there are. */
void refusals_note_path(struct refusals *r, const struct config *c, const char *path, const char *peer, int64_t now_ms);
/* A connection that was cut off or refused, before there was a webhook: a line in ten seconds for each reason. */
void refusals_note_connection(struct refusals *r, const char *reason, const char *peer, int64_t now_ms);

#endif

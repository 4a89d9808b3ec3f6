/* SPDX-License-Identifier: MIT */
/*
 * refusals: logs refused requests. It writes at most one line per source, reason and second; the next line says how
 * many were left out. All are counted by deskbridge_webhooks_total, which `status` shows. Any thread; one lock.
 */
#ifndef INTAKE_REFUSALS_H
#define INTAKE_REFUSALS_H

#include <stdint.h>

#include "conf/conf.h"

#define REFUSED_PATH "unknown path" /* the reason of refusals_note_path */

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);
/* Logs a refused request. source NULL: the path names no source, or is unreadable. reason: static text. advice: the
 * remedy, or NULL. peer: the client's address. */
void refusals_note(struct refusals *r, const char *source, const char *reason, const char *advice, const char *peer,
		   int64_t now_ms);
/* Logs a request to an unknown path. The line shows only the parts that resemble configured paths (the rest may be a
 * secret), and the configured paths. */
void refusals_note_path(struct refusals *r, const struct config *c, const char *path, const char *peer, int64_t now_ms);
/* Logs a connection that was cut off or refused before a webhook, one line in ten seconds for each reason. */
void refusals_note_connection(struct refusals *r, const char *reason, const char *peer, int64_t now_ms);

#endif

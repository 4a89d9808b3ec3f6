/* SPDX-License-Identifier: MIT */
/*
 * access: the checks that Klaviyo makes before it reads a body: key, scopes, revision, quota, media type. Pure.
 *
 * The sandbox accepts any key that begins with "pk_", with all scopes, except:
 *   pk_bad…, pk_revoked…            unknown: 401
 *   pk_only_SCOPES_…                only these scopes, "+" between them, "-" for the colon:
 *                                   pk_only_events-write_1, pk_only_events-read+metrics-read_1
 * The keys pk_sandbox_NAME_REST and pk_only_SCOPES_NAME_REST belong to the account NAME. Every other key, such as
 * pk_sandbox_REST, belongs to the account "default".
 */
#ifndef SANDBOX_ACCESS_H
#define SANDBOX_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/answer.h"

#define ACCESS_NAME_MAX 64
#define ACCESS_SCOPES_MAX 256
#define ACCESS_REVISION_MAX 11
#define ACCESS_REVISION_NEWEST "2026-10-15" /* Klaviyo's newest; the daemon asks for an older, tested one */

struct access {
	char account[ACCESS_NAME_MAX];
	char scopes[ACCESS_SCOPES_MAX]; /* as written in the key; "": all scopes */
};

/*
 * True where Cloudflare, in front of Klaviyo, refuses this header value with an HTML page: it holds control characters
 * or bytes beyond ASCII. value may be NULL.
 */
bool access_header_is_garbage(const char *value);

/* authorization: the header's value, or NULL. True where the key is known; else adds the 401. */
bool access_key(const char *authorization, struct access *ret, struct complaints *c);
/* True where the key has the scope ("events:write"); else adds the 403. */
bool access_scope(const struct access *a, const char *scope, struct complaints *c);
/*
 * revision: the header's value, or NULL. A revision is supported for two years. An older one falls forward to the
 * oldest that is supported, or is refused (410) where opt_out, the value of X-Klaviyo-Revision-Fall-Forward-Opt-Out, is
 * "1". ret receives the revision that applies. False after adding the 400 or 410.
 */
bool access_revision(const char *revision, const char *opt_out, int64_t now_ms, char ret[ACCESS_REVISION_MAX],
		     struct complaints *c);
/*
 * Klaviyo limits each endpoint by two fixed windows: a burst window of one second and a steady window of one minute. A
 * window begins at a whole second or minute of the clock. A clock that was set back begins new windows. Throttled
 * requests do not count.
 */
struct throttle {
	int64_t second, minute; /* numbers of the current windows */
	unsigned in_second, in_minute;
};

struct throttle_answer {
	bool taken;
	unsigned remaining; /* of the steady window */
	unsigned reset_s;   /* until the steady window ends; at least 1 */
	unsigned retry_s;   /* where not taken */
};

struct throttle_answer throttle_take(struct throttle *t, unsigned burst, unsigned steady, int64_t now_ms);

/* Checks the Content-Type and Content-Encoding of a body. False after adding the 415. */
bool access_media_type(const char *type, const char *encoding, struct complaints *c);

#endif

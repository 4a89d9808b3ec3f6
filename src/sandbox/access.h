/* SPDX-License-Identifier: MIT */
/*
 * access: what Klaviyo checks before it looks at a body: the key, its scopes, the revision, the quota, the media type.
 * Pure.
 *
 * Keys of the sandbox. Any key that begins with "pk_" is good, and carries all scopes, but for:
 *   pk_bad…, pk_revoked…            unknown: 401
 *   pk_only_SCOPES_…                only these scopes, "+" between them, "-" for the colon:
 *                                   pk_only_events-write_1, pk_only_events-read+metrics-read_1
 * The account: pk_sandbox_NAME_REST (and pk_only_SCOPES_NAME_REST) belongs to the account NAME; every other key, so
 * also pk_sandbox_REST, to the account "default".
 */
#ifndef SANDBOX_ACCESS_H
#define SANDBOX_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/answer.h"

#define ACCESS_NAME_MAX 64
#define ACCESS_SCOPES_MAX 256
#define ACCESS_REVISION_MAX 11
#define ACCESS_REVISION_NEWEST "2026-10-15" /* Klaviyo's; the daemon asks for an older one that was tested */

struct access {
	char account[ACCESS_NAME_MAX];
	char scopes[ACCESS_SCOPES_MAX]; /* as in the key; "" for all */
};

/*
 * Whether Cloudflare in front would already refuse these headers' values: control characters or bytes beyond ASCII. It
 * answers in HTML. NULL is fine.
 */
bool access_header_is_garbage(const char *value);

/* The Authorization header's value, or NULL. Returns whether the key is known; otherwise adds the 401. */
bool access_key(const char *authorization, struct access *ret, struct complaints *c);
/* Adds the 403 where the key does not have the scope ("events:write"). */
bool access_scope(const struct access *a, const char *scope, struct complaints *c);
/*
 * The revision header's value, or NULL. A revision lives for two years; an older one falls forward to the oldest that
 * lives, or is refused (410) where X-Klaviyo-Revision-Fall-Forward-Opt-Out is set. Adds the 400 or 410.
 */
bool access_revision(const char *revision, const char *opt_out, int64_t now_ms, char ret[ACCESS_REVISION_MAX],
		     struct complaints *c);
/*
 * Klaviyo's two fixed windows of an endpoint: a burst of one second and a steady minute. A window begins at a whole
 * second or minute of the clock; a time that goes back begins new ones. Requests that were throttled do not count.
 */
struct throttle {
	int64_t second, minute; /* the windows' numbers */
	unsigned in_second, in_minute;
};

struct throttle_answer {
	bool taken;
	unsigned remaining; /* of the steady window */
	unsigned reset_s;   /* until the steady window ends, at least 1 */
	unsigned retry_s;   /* where not taken */
};

struct throttle_answer throttle_take(struct throttle *t, unsigned burst, unsigned steady, int64_t now_ms);

/* The Content-Type and Content-Encoding of a body. Adds the 415. */
bool access_media_type(const char *type, const char *encoding, struct complaints *c);

#endif

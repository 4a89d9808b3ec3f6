/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"

#define TEXTS_USUAL_BYTES 1024 /* most unique_ids are of less text */

static const char *const state_names[] = {
	[EVENT_READY] = "ready",
	[EVENT_DELIVERED] = "delivered",
	[EVENT_DEAD] = "dead",
};

const char *event_state_name(enum event_state s)
{
	return state_names[s];
}

int event_state_parse(const char *s, enum event_state *ret)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++)
		if (strcmp(s, state_names[i]) == 0) {
			*ret = (enum event_state)i;
			return 0;
		}
	return -EINVAL;
}

void event_done(struct event *e)
{
	if (e->texts) {
		free(e->texts);
	} else {
		free(e->account);
		free(e->url);
		free(e->email);
		free(e->metric);
		free(e->source);
		free(e->conversation);
		free(e->properties);
		free(e->profile);
	}
	free(e->reason);
	*e = (struct event){0};
}

/* Writes the SHA-256 of the texts. Each but the last has its NUL in the digest, so that no part can move from one text
 * to the next. */
static void digest_texts(const char *const *texts, size_t n, unsigned char out[DIGEST_SHA256_BYTES])
{
	char usual[TEXTS_USUAL_BYTES];
	struct digest *d;
	size_t bytes = 0;
	bool fit = true;

	for (size_t i = 0; i < n && fit; i++) {
		const size_t len = strlen(texts[i]) + (i + 1 < n);

		fit = len <= sizeof(usual) - bytes;
		if (fit)
			memcpy(usual + bytes, texts[i], len);
		bytes += len;
	}
	if (fit) {
		digest_sha256(usual, bytes, out);
		return;
	}
	d = digest_new();
	for (size_t i = 0; i < n; i++)
		digest_add(d, texts[i], strlen(texts[i]) + (i + 1 < n));
	digest_end(d, out);
}

void event_unique_id(char out[EVENT_UNIQUE_ID_LEN + 1], const char *source, const char *conversation,
		     enum transition transition, bool has_time, int64_t time_ms, const char *metric, const char *email)
{
	char time[32];
	const char *const texts[] = {source, conversation, transition_name(transition), time, metric, email};
	unsigned char sum[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	(void)snprintf(time, sizeof(time), "%s%" PRId64, has_time ? "" : "#", time_ms);
	digest_texts(texts, sizeof(texts) / sizeof(*texts), sum);
	hex_write(sum, sizeof(sum), hex);
	memcpy(out, hex, EVENT_UNIQUE_ID_LEN);
	out[EVENT_UNIQUE_ID_LEN] = '\0';
}

bool event_is_backfill(const struct event *e, int64_t now_ms)
{
	int64_t age_ms;

	if (e->backfill)
		return true;
	if (e->late_ms == CLOCK_NEVER_MS || __builtin_sub_overflow(now_ms, e->time_ms, &age_ms))
		return false;
	return age_ms > e->late_ms;
}

bool event_changes_profile(const char *profile_before, const char *profile_after)
{
	struct json_object *before = NULL;
	struct json_object *after = NULL;
	bool changes = true;

	if (text_is(profile_before, profile_after))
		return false;
	if (!profile_before || !profile_after)
		return true;
	/* The same members in another order change nothing. Text that is not JSON counts as a change: to wait is the
	 * safe side. */
	if (json_read(profile_before, strlen(profile_before), &before, NULL) == 0 &&
	    json_read(profile_after, strlen(profile_after), &after, NULL) == 0)
		changes = !json_object_equal(before, after);
	json_object_put(before);
	json_object_put(after);
	return changes;
}

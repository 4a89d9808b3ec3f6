/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "intake/refusals.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/text.h"

#define CONNECTION_INTERVAL_MS (10 * CLOCK_SECOND_MS)
#define PATHS_MAX 400      /* bytes of configured paths in a line */
#define PATH_SHOWN_MAX 200 /* bytes of an unknown path in a line */
#define SLASHES_MAX 3      /* slashes in a row that a line shows */

struct refusal {
	struct refusal *next;
	char *source; /* NULL: unknown */
	const char *reason;
	struct ratelimit limit;
};

struct refusals {
	struct lock lock;    /* protects all below */
	struct refusal *all; /* bounded by configured sources and a few reasons */
};

struct refusals *refusals_new(void)
{
	struct refusals *r = mem_new(1, sizeof(*r));

	lock_init(&r->lock);
	return r;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	for (struct refusal *x = r->all, *next; x; x = next) {
		next = x->next;
		free(x->source);
		free(x);
	}
	lock_done(&r->lock);
	free(r);
}

/* True where this refusal is to be logged. *ret_more: the number of refusals that were left out before it. */
static bool refusal_is_due(struct refusals *r, const char *source, const char *reason, int64_t now_ms,
			   int64_t interval_ms, unsigned *ret_more)
{
	struct refusal *x;
	bool due;

	lock_acquire(&r->lock);
	for (x = r->all; x; x = x->next)
		if (text_is(x->source, source) && text_is(x->reason, reason))
			break;
	if (!x) {
		x = mem_new(1, sizeof(*x));
		x->source = mem_str(source);
		x->reason = reason;
		x->next = r->all;
		r->all = x;
	}
	due = ratelimit_passes(&x->limit, now_ms, interval_ms, ret_more);
	lock_release(&r->lock);
	return due;
}

void refusals_note(struct refusals *r, const char *source, const char *reason, const char *advice, const char *peer,
		   int64_t now_ms)
{
	const struct log_about about = {.source = source, .reason = reason};
	char text[RATELIMIT_MORE_MAX];
	unsigned more;

	if (refusal_is_due(r, source, reason, now_ms, CLOCK_SECOND_MS, &more))
		log_warning(&about, "a webhook from %s was refused%s%s%s", peer, ratelimit_suffix(more, text),
			    advice ? ": " : "", advice ? advice : "");
}

void refusals_note_connection(struct refusals *r, const char *reason, const char *peer, int64_t now_ms)
{
	const struct log_about about = {.reason = reason};
	char text[RATELIMIT_MORE_MAX];
	unsigned more;

	if (refusal_is_due(r, NULL, reason, now_ms, CONNECTION_INTERVAL_MS, &more))
		log_warning(&about, "a connection from %s was cut off%s", peer, ratelimit_suffix(more, text));
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */

/* True where the len bytes at segment are a segment of a configured path, or a typo of one. */
static bool is_like_configured(const struct config *c, const char *segment, size_t len)
{
	CLEANUP(mem_freep) char *word = mem_strn(segment, len);

	for (size_t i = 0; i < c->sources_n; i++) {
		const char *at = c->sources[i].path;
		const char *name;

		for (; *at != '\0'; at += strcspn(at, "/")) {
			CLEANUP(mem_freep) char *one = NULL;

			at += strspn(at, "/");
			one = mem_strn(at, strcspn(at, "/"));
			name = one;
			if (*one != '\0' && (strcmp(word, one) == 0 || text_nearest(word, &name, 1)))
				return true;
		}
	}
	return false;
}

/*
 * Returns the path as a log may show it. Any client can send a path, and a desk whose proof is in the URL may send its
 * secret in it, in any encoding. So only slashes are shown, and segments that are, or nearly are, segments of
 * configured paths, up to their first character that usual paths do not have. "…" replaces anything else. The caller
 * owns it.
 */
static char *shown_path(const struct config *c, const char *path)
{
	struct buf to;

	buf_init(&to, PATH_SHOWN_MAX + SLASHES_MAX + sizeof("…"));
	while (*path != '\0') {
		size_t slashes = strspn(path, "/");
		size_t len, good;

		buf_add(&to, path, slashes < SLASHES_MAX ? slashes : SLASHES_MAX);
		path += slashes;
		len = strcspn(path, "/");
		good = strspn(path, PERCENT_UNRESERVED);
		good = good < len ? good : len;
		if (good > 0 && to.len + good <= PATH_SHOWN_MAX && is_like_configured(c, path, good))
			buf_add(&to, path, good);
		else
			good = 0;
		path += len;
		/* A hidden segment ends the shown path: the rest helps nobody. */
		if (good < len) {
			path = "";
			buf_adds(&to, "…");
		}
	}
	return buf_take(&to);
}

/* Returns "/webhooks/gladly, /webhooks/shop". The caller owns it. */
static char *configured_paths(const struct config *c)
{
	struct buf all;
	size_t i;

	buf_init(&all, PATHS_MAX + 32);
	for (i = 0; i < c->sources_n && all.len + strlen(c->sources[i].path) + 2 < PATHS_MAX; i++)
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", c->sources[i].path);
	if (i < c->sources_n)
		buf_addf(&all, "%s%zu more", i > 0 ? " and " : "", c->sources_n - i);
	return buf_take(&all);
}

void refusals_note_path(struct refusals *r, const struct config *c, const char *path, const char *peer, int64_t now_ms)
{
	const struct log_about about = {.reason = REFUSED_PATH};
	CLEANUP(mem_freep) char *paths = NULL;
	CLEANUP(mem_freep) char *shown = NULL;
	char text[RATELIMIT_MORE_MAX];
	unsigned more;

	if (!refusal_is_due(r, NULL, about.reason, now_ms, CLOCK_SECOND_MS, &more))
		return;
	paths = configured_paths(c);
	shown = shown_path(c, path);
	log_warning(&about, "a request from %s to %s was refused%s: no source has that path; configured: %s", peer,
		    shown, ratelimit_suffix(more, text), paths);
}

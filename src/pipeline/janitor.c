/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/janitor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "klaviyo/retry_after.h"
#include "pipeline/decide_and_save.h"
#include "pipeline/dispatch.h"
#include "pipeline/gauges.h"

#define CAP_BATCH 256   /* due times in a turn */
#define EXPIRE_BATCH 16 /* expiries in a turn, of all sources */
#define EXPIRE_PAUSE_MS CLOCK_MINUTE_MS
#define CLEAN_ROWS 64 /* in a turn */
#define CLEAN_EVERY_MS CLOCK_MINUTE_MS
#define CHECKPOINT_QUIET_MS 1000
#define GAUGES_EVERY_MS 1000
#define GAUGES_WAITING_MS (10 * CLOCK_SECOND_MS) /* interval of updated ages while an event waits */
#define NEARLY_FULL_EVERY_MS 100                 /* shortest interval of the check, which costs system calls */

_Static_assert(RETRY_AFTER_MAX_MS >= BACKOFF_LAST_MS, "the longest of what retries wait");

/* One for each source whose expiry failed once. */
struct expiry_pause {
	struct expiry_pause *next;
	char *source;
	int64_t until_ms; /* no expiry of this source before this (clock_mono_ms); 0: its last expiry succeeded */
};

struct janitor {
	struct gauges *gauges;
	/* times are clock_mono_ms */
	int64_t clean_ms;      /* time of the next deletion */
	int64_t checkpoint_ms; /* CLOCK_NEVER_MS: nothing was written since the last one */
	int64_t gauges_ms;     /* CLOCK_NEVER_MS: nothing changed since they were set */
	int64_t gauges_done_ms;
	int64_t revisions_ms;
	int64_t nearly_full_ms; /* time of the check behind nearly_full */
	bool nearly_full;
	bool clean_failed; /* was logged */
	struct expiry_pause *expiry_pauses;

	bool wake_sources;    /* the generation's sources have not been woken yet */
	size_t cap_next;      /* the next due times to check: 0: webhooks; then each account; beyond: none */
	int64_t cap_retry_ms; /* an event's due time later than this from now becomes now */
	bool recheck_held;    /* the clock stepped back, or `settle` may differ: check held webhooks again */
	bool recheck_retries; /* the clock stepped back: check those that wait for a lookup's next try, too */
};

struct janitor *janitor_new(int64_t mono_ms)
{
	struct janitor *j = mem_new(1, sizeof(*j));

	j->gauges = gauges_new();
	j->clean_ms = j->gauges_ms = j->revisions_ms = mono_ms;
	j->checkpoint_ms = CLOCK_NEVER_MS;
	j->wake_sources = true;
	return j;
}

void janitor_free(struct janitor *j)
{
	if (!j)
		return;
	for (struct expiry_pause *pause = j->expiry_pauses, *next; pause; pause = next) {
		next = pause->next;
		free(pause->source);
		free(pause);
	}
	gauges_free(j->gauges);
	free(j);
}

void janitor_configured(struct janitor *j)
{
	j->gauges_ms = j->revisions_ms = j->clean_ms = 0; /* settings of ages may differ */
	j->wake_sources = true;
	j->recheck_held = true;
	j->cap_next = 0;
}

void janitor_clock(struct janitor *j, enum wall_clock_change change)
{
	switch (change) {
	case WALL_CLOCK_SAME:
		return;
	case WALL_CLOCK_SET:
	case WALL_CLOCK_SET_BEHIND:
		j->cap_next = 0;
		j->cap_retry_ms = RETRY_AFTER_MAX_MS;
		break;
	case WALL_CLOCK_AHEAD:
	case WALL_CLOCK_BACK:
		j->gauges_ms = j->revisions_ms = j->clean_ms = 0; /* ages differ */
		break;
	}
	if (change != WALL_CLOCK_SET_BEHIND && change != WALL_CLOCK_BACK)
		return;
	/* A due time from a Retry-After looks like one from a back-off, so it is capped, too, once. */
	j->recheck_held = j->recheck_retries = true;
	j->cap_next = 0;
	j->cap_retry_ms = BACKOFF_LAST_MS;
}

/* ---- waking and due times ---------------------------------------------------------------------------------------- */

int janitor_wake_sources(struct janitor *j, struct turn_context *tc, struct err *reterr)
{
	for (size_t i = 0; j->wake_sources && i < tc->config->sources_n; i++) {
		const struct source *s = &tc->config->sources[i];
		int r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_UNCONFIGURED, NULL, reterr);

		/* The new configuration may fix the fault behind a lookup's next try. */
		if (r == 0)
			r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_RETRY, NULL, reterr);
		if (r == 0 &&
		    definition_about(s->definition)->steps_n == 0) { /* without lookups no slot becomes free */
			r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_SLOT, NULL, reterr);
			if (r == 0)
				r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_PARKED, NULL, reterr);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int64_t max_ms(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int recheck(struct turn_context *tc, bool *wanted, enum store_wait why, struct err *reterr)
{
	int r;

	if (!*wanted)
		return 0;
	r = store_webhooks_recheck(tc->store, why, reterr);
	if (r < 0)
		return r;
	*wanted = false; /* the store continues with it, even if the turn fails */
	tc->changed = true;
	return 0;
}

int janitor_cap_due_times(struct janitor *j, struct turn_context *tc, struct err *reterr)
{
	int64_t longest_ms = RETRY_AFTER_MAX_MS; /* the longest wait of a webhook */
	int r = recheck(tc, &j->recheck_held, STORE_WAIT_TIME, reterr);

	if (r == 0)
		r = recheck(tc, &j->recheck_retries, STORE_WAIT_RETRY, reterr);
	if (r < 0)
		return r;
	if (j->cap_next > tc->config->accounts_n) {
		j->cap_retry_ms = RETRY_AFTER_MAX_MS;
		return 0;
	}
	if (j->cap_next == 0) {
		for (size_t i = 0; i < tc->config->sources_n; i++) {
			const struct source_policy *s = &tc->config->sources[i].policy;

			longest_ms = max_ms(longest_ms, max_ms(s->settle_open_ms, s->settle_close_ms));
		}
		r = store_webhooks_cap_due(tc->store, tc->now_ms + longest_ms, CAP_BATCH, reterr);
	} else {
		const struct account *a = &tc->config->accounts[j->cap_next - 1];

		r = store_events_cap_due(tc->store, a->name, tc->now_ms + max_ms(j->cap_retry_ms, a->person_gap_ms),
					 tc->now_ms, CAP_BATCH, reterr);
		if (r > 0)
			dispatch_mark_dirty(tc->dispatch, a->name);
	}
	if (r < 0)
		return r;
	if (r == 0)
		j->cap_next++;
	else
		tc->changed = true;
	tc->more = true;
	return 0;
}

/* ---- conversations that expire ----------------------------------------------------------------------------------- */

struct expiry {
	struct turn_context *tc;
	const struct source *source;
	const char *conversation;
	struct ledger_entry entry;
	struct reached_list reached;
};

static int close_with_events(struct expiry *x, struct err *reterr)
{
	const struct decide_input in = {
		.source = &x->source->policy,
		.conversation = x->conversation,
		.entry = &x->entry,
		.reached = &x->reached,
	};
	CLEANUP(decision_done) struct decision d = {0};
	int r = decide_and_save(x->tc, &in, NULL, &d, reterr);

	if (r < 0)
		return r;
	if (d.entry.state == LEDGER_OPEN)
		return err_set(reterr, -EBADMSG, "its deadline has passed, but it is still open");
	return 0;
}

/* Closes a conversation that cannot be decided, so that later ones can expire. */
static int close_silently(struct expiry *x, const struct err *why, struct err *reterr)
{
	struct log_about about = {.source = x->source->name, .conversation = x->conversation, .reason = why->text};
	struct ledger_verdict verdict;
	int r = turn_context_savepoint(x->tc, reterr);

	if (r < 0)
		return r;
	if (!ledger_expire(&x->entry, x->source->policy.expire_after_ms, x->tc->now_ms, &verdict)) {
		x->entry.state = LEDGER_CLOSED;
		x->entry.closed_ms = x->tc->now_ms;
	}
	r = store_conversation_save(x->tc->store, x->source->name, x->conversation, &x->entry, &x->reached, NULL,
				    reterr);
	if (r == 0)
		pending_log(x->tc->pending, LOG_ERR, &about, "an expired conversation was closed without an event");
	return turn_context_savepoint_end(x->tc, r, reterr);
}

static int expire_one(struct turn_context *tc, const struct source *s, const char *conversation, struct err *reterr)
{
	struct expiry x = {.tc = tc, .source = s, .conversation = conversation};
	struct err why = {0};
	int r = store_conversation_load(tc->store, s->name, conversation, &x.entry, &x.reached, NULL, &why);

	if (r == 0)
		r = turn_context_savepoint(tc, &why);
	if (r == 0)
		r = turn_context_savepoint_end(tc, close_with_events(&x, &why), &why);
	if (r < 0 && !store_error_ends_turn(r))
		r = close_silently(&x, &why, reterr);
	else if (r < 0 && reterr)
		*reterr = why;
	reached_clear(&x.reached);
	return r;
}

/* Returns the number of conversations that were closed or repaired, or an error. */
static int expire_source(struct turn_context *tc, const struct source *s, unsigned max, struct err *reterr)
{
	int64_t opened_before_ms;
	unsigned n;

	if (__builtin_sub_overflow(tc->now_ms, s->policy.expire_after_ms, &opened_before_ms))
		opened_before_ms = INT64_MIN;
	for (n = 0; n < max; n++) {
		CLEANUP(mem_freep) char *conversation = NULL;
		int found, r;

		if (!store_conversation_may_be_open(tc->store, s->name, opened_before_ms))
			break;
		r = turn_context_savepoint(tc, reterr);
		if (r < 0)
			return r;
		/* In a savepoint, because it may repair a row, and expire() continues if that fails. */
		found = store_conversation_oldest_open(tc->store, s->name, opened_before_ms, &conversation, reterr);
		r = turn_context_savepoint_end(tc, found == -ENOENT ? 0 : found, reterr);
		if (r >= 0 && found == -ENOENT)
			break;
		if (r == 0 && conversation)
			r = expire_one(tc, s, conversation, reterr);
		if (r < 0)
			return r;
	}
	return (int)n;
}

/* NULL: no expiry of the source has failed. */
static struct expiry_pause *pause_find(const struct janitor *j, const char *source)
{
	struct expiry_pause *pause = j->expiry_pauses;

	while (pause && !text_is(pause->source, source))
		pause = pause->next;
	return pause;
}

static int64_t paused_until_ms(const struct janitor *j, const char *source)
{
	const struct expiry_pause *pause = pause_find(j, source);

	return pause ? pause->until_ms : 0;
}

/* Logs the first failure of several in a row. */
static void pause_expiry(struct janitor *j, struct turn_context *tc, const char *source, const struct err *why)
{
	struct expiry_pause *pause = pause_find(j, source);

	if (!pause) {
		pause = mem_new(1, sizeof(*pause));
		pause->source = mem_str(source);
		pause->next = j->expiry_pauses;
		j->expiry_pauses = pause;
	}
	if (pause->until_ms == 0)
		pending_log(tc->pending, LOG_ERR, &((struct log_about){.source = source, .reason = why->text}),
			    "conversations that have been open for too long cannot be closed: it is tried again");
	pause->until_ms = tc->mono_ms + EXPIRE_PAUSE_MS;
}

static void resume_expiry(struct janitor *j, const char *source)
{
	struct expiry_pause *pause = pause_find(j, source);

	if (pause)
		pause->until_ms = 0;
}

/* Closes conversations that have been open longer than `expire_after` since their receipt, each in a savepoint; not
 * while the clock may be wrong. Returns their number, or the store's error. A conversation that cannot be closed stops
 * the expiry of its source for a minute. */
static int expire(struct janitor *j, struct turn_context *tc, struct err *reterr)
{
	unsigned n = 0;

	for (size_t i = 0; i < tc->config->sources_n && n < EXPIRE_BATCH; i++) {
		const struct source *s = &tc->config->sources[i];
		struct err why = {0};
		int r;

		if (s->policy.expire_after_ms == CLOCK_NEVER_MS ||
		    turn_context_age_wait_ms(tc, s->policy.expire_after_ms) > 0 ||
		    tc->mono_ms < paused_until_ms(j, s->name))
			continue;
		r = expire_source(tc, s, EXPIRE_BATCH - n, &why);
		if (store_error_ends_turn(r)) {
			*reterr = why;
			return r;
		}
		if (r < 0) {
			pause_expiry(j, tc, s->name, &why);
			continue;
		}
		resume_expiry(j, s->name);
		n += (unsigned)r;
	}
	return (int)n;
}

/* Returns the time (clock_mono_ms) of the next expiry; CLOCK_NEVER_MS: none. */
static int64_t expire_next_ms(const struct janitor *j, struct turn_context *tc)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < tc->config->sources_n; i++) {
		const struct source *s = &tc->config->sources[i];
		int64_t received_ms, due_ms, judged_ms, pause_ms;

		if (s->policy.expire_after_ms == CLOCK_NEVER_MS)
			continue;
		received_ms = store_conversation_oldest_received_ms(tc->store, s->name);
		if (received_ms == CLOCK_NEVER_MS ||
		    __builtin_add_overflow(received_ms, s->policy.expire_after_ms, &due_ms))
			continue;
		due_ms = turn_context_mono_at_ms(tc, due_ms);
		judged_ms = tc->mono_ms + turn_context_age_wait_ms(tc, s->policy.expire_after_ms);
		if (due_ms < judged_ms)
			due_ms = judged_ms;
		pause_ms = paused_until_ms(j, s->name);
		if (due_ms < pause_ms)
			due_ms = pause_ms;
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	return next_ms;
}

/* ---- deletions --------------------------------------------------------------------------------------------------- */

/* Deletes old rows. A failure that does not concern the whole store is logged and tried again later. Returns the number
 * of deleted rows, or the store's error. */
static int clean_whole(struct janitor *j, struct turn_context *tc, size_t max, struct err *reterr)
{
	struct err e = {0};
	int r = turn_context_savepoint(tc, reterr);

	if (r < 0)
		return r;
	r = store_clean(tc->store, tc->config->store.retention_ms, tc->config->store.remember_ms, tc->now_ms, max, &e);
	r = turn_context_savepoint_end(tc, r, &e);
	if (r >= 0)
		return r;
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	if (!j->clean_failed)
		log_error(&((struct log_about){.reason = e.text}), "rows past their time cannot be deleted");
	j->clean_failed = true;
	return 0;
}

int janitor_clean(struct janitor *j, struct turn_context *tc, const struct disk_budget *budget, struct err *reterr)
{
	size_t rows = disk_budget_clean_rows(budget, CLEAN_ROWS + 2 * (size_t)tc->inserted);
	bool due = !tc->more && tc->mono_ms >= j->clean_ms;
	int r = expire(j, tc, reterr);

	if (r < 0)
		return r;
	tc->changed = tc->changed || r > 0;
	if (tc->inserted > 0 && tc->mono_ms - j->nearly_full_ms >= NEARLY_FULL_EVERY_MS) {
		j->nearly_full_ms = tc->mono_ms;
		j->nearly_full = store_is_nearly_full(tc->store);
	}
	if (rows == 0 || !(due || budget->full || (tc->inserted > 0 && j->nearly_full)))
		return 0;
	r = clean_whole(j, tc, rows, reterr);
	if (r < 0)
		return r;
	if (due)
		j->clean_ms = r > 0 ? tc->mono_ms : tc->mono_ms + CLEAN_EVERY_MS;
	tc->changed = tc->changed || r > 0;
	tc->more = tc->more || (r > 0 && budget->full); /* webhooks wait for the space */
	return 0;
}

/* ---- after the commit -------------------------------------------------------------------------------------------- */

void janitor_after(struct janitor *j, struct turn_context *tc, struct health *health)
{
	j->wake_sources = false;
	if (tc->changed) {
		/* The quiet time begins at the end of the commit, because a slow disk is busy until then. */
		j->checkpoint_ms = clock_mono_ms() + CHECKPOINT_QUIET_MS;
		if (j->gauges_ms > j->gauges_done_ms + GAUGES_EVERY_MS)
			j->gauges_ms = j->gauges_done_ms + GAUGES_EVERY_MS;
	}
	if (tc->mono_ms >= j->checkpoint_ms) {
		store_checkpoint(tc->store);
		j->checkpoint_ms = CLOCK_NEVER_MS;
	}
	if (tc->mono_ms >= j->gauges_ms) {
		bool waiting = gauges_refresh(j->gauges, tc->store, tc->config, health, tc->now_ms);

		j->gauges_done_ms = tc->mono_ms;
		j->gauges_ms = waiting ? tc->mono_ms + GAUGES_WAITING_MS : CLOCK_NEVER_MS;
	}
	if (tc->mono_ms >= j->revisions_ms) {
		gauges_revisions(tc->config, tc->now_ms);
		j->revisions_ms = tc->mono_ms + CLOCK_DAY_MS;
	}
}

int64_t janitor_next_ms(const struct janitor *j, struct turn_context *tc)
{
	int64_t times[] = {j->clean_ms, j->checkpoint_ms, j->gauges_ms, j->revisions_ms, expire_next_ms(j, tc)};
	int64_t next_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] < next_ms)
			next_ms = times[i];
	return next_ms;
}

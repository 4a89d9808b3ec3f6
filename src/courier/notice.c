#include <config.h>

#include "courier/notice.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "klaviyo/reason.h"
#include "klaviyo/retry_after.h"

/* From so many retry outcomes in a row, or after so long of them, Klaviyo counts as out of reach: for people only. */
#define TROUBLE_RETRIES 5
#define TROUBLE_MS (30 * 1000)

void notice_done(struct notice *n)
{
	free(n->parked);
	free(n->pause);
}

char *notice_text(const struct notice *n)
{
	if (n->parked && n->pause)
		return mem_fmt("%s; %s", n->parked, n->pause);
	return mem_str(n->parked ? n->parked : n->pause);
}

/* ---- parking ----------------------------------------------------------------------------------------------------- */

/* The price of a change of klaviyo.url: pipeline/turn_release.c. */
#define OTHER_URL " (events queued for the former url become dead letters where klaviyo.url changes)"

/* The advice to the operator; the caller owns it. */
static char *advice(const struct outcome_verdict *v, const char *key_mend)
{
	if (v->odd)
		return mem_str("three people's events in a row were answered so: look for a notice at Klaviyo, check "
			       "klaviyo.url and what stands between here and Klaviyo, then reload" OTHER_URL);
	switch (v->status) {
	case 0:
	case 400:
	case 401:
		return mem_fmt("put the right key in %s", key_mend);
	case 403:
		return mem_fmt("put a key with the scope events:write (a key's scopes cannot be changed later) in %s",
			       key_mend);
	default:
		return mem_str("check klaviyo.url, klaviyo.revision and what stands between here and Klaviyo, then "
			       "reload" OTHER_URL);
	}
}

/* One line when it begins or has another reason, one when it ends; slow probes in between are not news. */
void notice_parked(struct notice *n, const struct outcome_verdict *v, const char *key_mend)
{
	char label[sizeof(n->label)];

	if (v->status > 0)
		(void)snprintf(label, sizeof(label), "%u", v->status);
	else
		(void)snprintf(label, sizeof(label), "key");
	if (!n->parked || !text_is(label, n->label)) {
		CLEANUP(mem_freep) char *todo = advice(v, key_mend);

		if (n->parked)
			metrics_set(METRIC_ACCOUNT_PARKED, n->account, n->label, NULL, 0);
		metrics_set(METRIC_ACCOUNT_PARKED, n->account, label, NULL, 1);
		log_warning(&((struct log_about){.account = n->account, .reason = v->reason}),
			    "the account is parked, its events wait: %s; deskbridge asks again by itself within %d "
			    "minutes",
			    todo, UPSTREAM_PROBE_LAST_MS / 60000);
	}
	memcpy(n->label, label, sizeof(label));
	free(n->parked);
	n->parked = mem_str(v->reason);
	n->changed = true;
}

static void unparked(struct notice *n)
{
	if (!n->parked)
		return;
	metrics_set(METRIC_ACCOUNT_PARKED, n->account, n->label, NULL, 0);
	free(TAKE(n->parked));
	n->changed = true;
}

void notice_opened(struct notice *n)
{
	log_notice(&((struct log_about){.account = n->account}), "Klaviyo takes events again");
	n->trouble = false;
	unparked(n);
}

void notice_renewed(struct notice *n)
{
	unparked(n);
	n->retries = 0;
	n->trouble = false;
}

/* ---- pauses ------------------------------------------------------------------------------------------------------ */

static const char pause_label[] = "paused";

/* One line when a pause begins that is longer than a minute; how long it lasts is shown as long as it does. */
void notice_pause(struct notice *n, const struct pace *p, int64_t mono_ms)
{
	static const char *const names[] = {
		[QUOTA_PAUSE_THROTTLED] = "Retry-After", [QUOTA_PAUSE_TOLD] = "RateLimit-Reset"};
	int64_t until_ms = p->upstream.paused_until_ms > mono_ms ? p->upstream.paused_until_ms : 0;
	int64_t was_ms = n->pause_until_ms;
	char time[CLOCK_ISO_MAX];

	if (until_ms == was_ms)
		return;
	n->pause_until_ms = until_ms;
	if (until_ms != 0 && (n->pause || until_ms - mono_ms > NOTICE_LONG_MS)) {
		bool begins = !n->pause;

		clock_iso(clock_now_ms() + (until_ms - mono_ms), time);
		free(n->pause);
		n->pause = mem_fmt("paused by Klaviyo's %s until %s", names[p->paused_by], time);
		if (begins)
			log_warning(&((struct log_about){.account = n->account, .reason = n->pause}),
				    "the account's events wait until %s%s", time,
				    until_ms - mono_ms >= QUOTA_PAUSE_TOLD_LAST_MS
					    ? ", an hour: longer waits are cut to it"
					    : "");
	} else if (n->pause) {
		if (was_ms > mono_ms)
			log_notice(&((struct log_about){.account = n->account, .reason = n->pause}),
				   "the pause ends early, by a reload or a change of the account");
		free(TAKE(n->pause));
	} else {
		return;
	}
	metrics_set(METRIC_ACCOUNT_PARKED, n->account, pause_label, NULL, n->pause != NULL);
	n->changed = true;
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

/* A 503 may ask for a wait of its event alone. */
static void see_wait(struct notice *n, const struct event *e, struct outcome_verdict *v, int64_t mono_ms)
{
	char time[CLOCK_ISO_MAX], reason[OUTCOME_REASON_MAX];
	struct log_about about = {e->source, n->account, e->conversation, v->reason, e->webhook, e->id};

	if (v->outcome != OUTCOME_RETRY || v->throttled || v->retry_after_ms <= NOTICE_LONG_MS)
		return;
	clock_iso(clock_now_ms() + v->retry_after_ms, time);
	memcpy(reason, v->reason, sizeof(reason));
	reason_text(v->reason, sizeof(v->reason), NULL, "Retry-After until %s: %s", time, reason);
	if (mono_ms < n->wait_told_ms)
		return;
	n->wait_told_ms = mono_ms + v->retry_after_ms;
	log_warning(&about, "an event waits until %s%s", time,
		    v->retry_after_ms >= RETRY_AFTER_MAX_MS ? ", an hour: longer waits are cut to it" : "");
}

/* One line when Klaviyo has been out of reach for a while, one when it takes events again. */
static void see_trouble(struct notice *n, const struct outcome_verdict *v, int64_t mono_ms)
{
	struct log_about about = {.account = n->account};

	if (v->outcome == OUTCOME_DELIVERED) {
		if (n->trouble)
			log_notice(&about, "Klaviyo takes events again");
		n->trouble = false;
		n->retries = 0;
	}
	if (v->outcome != OUTCOME_RETRY || v->throttled)
		return;
	if (n->retries == 0)
		n->first_retry_ms = mono_ms;
	if (n->retries < TROUBLE_RETRIES)
		n->retries++;
	if (n->trouble || (n->retries < TROUBLE_RETRIES && mono_ms - n->first_retry_ms < TROUBLE_MS))
		return;
	n->trouble = true;
	about.reason = v->reason;
	log_warning(&about, "Klaviyo %s; events wait and are tried again",
		    v->status > 0 ? "answers, but takes no events" : "cannot be reached");
}

void notice_outcome(struct notice *n, const struct event *e, struct outcome_verdict *v, int64_t mono_ms)
{
	see_trouble(n, v, mono_ms);
	see_wait(n, e, v, mono_ms);
}

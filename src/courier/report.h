/* SPDX-License-Identifier: MIT */
/*
 * report: what people are told of an upstream: the one place of the courier that writes the log and counts. An upstream
 * that is parked, paused or in trouble is a line of the log when that begins, a line when it ends, a gauge as long as
 * it lasts, and a reason beside the window (`status`) as long as it lasts.
 *
 * On the courier's thread. now_ms is clock_mono_ms(). The line comes first, then the gauge.
 */
#ifndef COURIER_REPORT_H
#define COURIER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/upstream.h"
#include "decision/event.h"
#include "klaviyo/outcome.h"

struct courier_sink;

#define REPORT_LONG_MS (60 * 1000) /* a wait that an upstream asks for is told where it is longer */

enum report_kind {
	REPORT_ACCOUNT,
	REPORT_LOOKUPS, /* of a source */
};

/* One an upstream. All zero at first, but for kind and name. */
struct report {
	enum report_kind kind;
	char *name;              /* owned */
	char *parked;            /* why; NULL: not parked */
	char label[16];          /* the same, of the gauge */
	char *paused;            /* until when; NULL: not, or not for long */
	int64_t paused_until_ms; /* of the pause that was looked at last; 0: none */
	unsigned failures;       /* in a row, without an answer of use between them */
	int64_t first_failure_ms;
	bool trouble;           /* the operator was told of them */
	int64_t wait_logged_ms; /* up to here waits of single events were told */
	/* the window that was told last */
	bool published; /* since the last generation */
	unsigned published_window;
	bool published_for_new;
	char *published_reason;
};

void report_done(struct report *r);

/* ---- parked ------------------------------------------------------------------------------------------------------ */

struct report_park {
	const char *why;      /* for people */
	unsigned status;      /* of the answer; 0: there was none */
	bool odd;             /* an account: three people's events were answered oddly */
	bool credentials;     /* a source: they are wrong or not there; else its URL is more likely */
	const char *fix_hint; /* where other credentials go (secret_fix_hint) */
};
/* It is parked, anew or still. A line where it begins; of an account also where the label becomes another one. */
void report_parked(struct report *r, const struct report_park *park);
/* An answer of use: it is no longer parked. A line. */
void report_opened(struct report *r);
/* It is no longer parked, as its credentials changed or it is not configured any more. No line. */
void report_unparked(struct report *r);
/* An account's key, URL, revision or quota changed: what was told of it is over. No line. */
void report_renewed(struct report *r);

/* ---- trouble ----------------------------------------------------------------------------------------------------- */

enum report_trouble {
	REPORT_UNREACHED, /* no answer */
	REPORT_NO_USE,    /* an answer, as a 5xx */
	REPORT_REMEDY,    /* no answer, and the reason tells what mends it */
};
/* A request failed, and will be tried again. A line at the fifth in a row, or of an account after half a minute. */
void report_failed(struct report *r, enum report_trouble trouble, const char *why, int64_t now_ms);
/* One had an answer of use. A line where there was trouble. */
void report_answered(struct report *r);

/* ---- single requests --------------------------------------------------------------------------------------------- */

/* A request to Klaviyo took so long. */
void report_took(int64_t took_us);
/* A 503 asked for a wait of that event alone: where it is long it is added to the reason, and told once at a time. */
void report_event_waits(struct report *r, const struct event *e, struct outcome_verdict *v, int64_t now_ms);
/* An attempt to deliver that event ended. */
void report_attempt(const struct report *r, const struct event *e, const struct outcome_verdict *v);
/* A question was answered; outcome: lookup_outcome_name. */
void report_lookup(const char *source, const char *outcome);

/* ---- pause and window -------------------------------------------------------------------------------------------- */

/*
 * Tells what changed since it was called last. A pause: a line where one of more than REPORT_LONG_MS begins, and where
 * it ends before its time; header: what asked for it. The window and the reason beside it: to the sink. why_closed: why
 * there is no window, whatever else is known ("on hold"); NULL: what is told of parking and pause.
 */
void report_upstream(struct report *r, const struct upstream *u, const char *why_closed, const char *header,
		     const struct courier_sink *sink, int64_t now_ms);

#endif

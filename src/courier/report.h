/* SPDX-License-Identifier: MIT */
/*
 * report: the courier's log lines, metrics and status texts about an upstream. The begin of a park, a long pause or
 * trouble is logged, and its end unless it was expected: a pause's time is over, or the configuration changed. While a
 * park or a long pause lasts, a gauge is set, and the window is reported with a reason, which `status` shows.
 *
 * Runs on the courier's thread. now_ms is clock_mono_ms(). The log line comes first, then the gauge.
 */
#ifndef COURIER_REPORT_H
#define COURIER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/upstream.h"
#include "decision/event.h"
#include "klaviyo/outcome.h"

struct courier_sink;

#define REPORT_LONG_MS (60 * 1000) /* longer waits are reported */

enum report_kind {
	REPORT_ACCOUNT,
	REPORT_LOOKUPS, /* of a source */
};

/* One for each upstream. Zeroed at first, except kind and name. */
struct report {
	enum report_kind kind;
	char *name;              /* owned */
	char *parked;            /* the reason; NULL: not parked */
	char label[16];          /* the gauge's label while parked */
	char *paused;            /* the text with the end; NULL: no pause, or a short one */
	int64_t paused_until_ms; /* the end of the latest pause; 0: none */
	unsigned failures;       /* in a row, without a useful answer between them */
	int64_t first_failure_ms;
	bool trouble;           /* the failures were logged */
	int64_t wait_logged_ms; /* waits of single events are not logged before this time */
	/* the window that was reported last */
	bool published; /* since the last generation */
	unsigned published_window;
	bool published_for_new;
	char *published_reason;
};

void report_done(struct report *r);

/* ---- parked ------------------------------------------------------------------------------------------------------ */

struct report_park {
	const char *why;      /* for people */
	unsigned status;      /* of the answer; 0: no answer */
	bool odd;             /* accounts: odd answers to three people's events */
	bool credentials;     /* sources: the credentials are wrong or missing; false: suspect the URL */
	const char *fix_hint; /* where to put other credentials (secret_fix_hint) */
};
/* Reports a park. Logs its begin, and for an account also a change of the label. */
void report_parked(struct report *r, const struct report_park *park);
/* Reports a useful answer that ends a park. Logs a line. */
void report_park_ended(struct report *r);
/* Clears the park after changed credentials or a removed configuration. Logs nothing. */
void report_unparked(struct report *r);
/* Clears park and trouble of an account whose key, URL, revision or quota changed. Logs nothing. */
void report_renewed(struct report *r);

/* ---- trouble ----------------------------------------------------------------------------------------------------- */

enum report_trouble {
	REPORT_UNREACHED, /* no answer */
	REPORT_NO_USE,    /* an answer, as a 5xx */
	REPORT_REMEDY,    /* no answer; the reason contains the remedy */
};
/* Reports a failed request, which will be repeated. Logs the fifth in a row; for an account also the first after half a
 * minute of failures. */
void report_failed(struct report *r, enum report_trouble trouble, const char *why, int64_t now_ms);
/* Reports a useful answer. Logs a line if there was trouble. */
void report_answered(struct report *r);

/* ---- single requests --------------------------------------------------------------------------------------------- */

/* Records the duration of a request to Klaviyo. */
void report_took(int64_t took_us);
/* Reports an answer (a 503 with Retry-After) that asks for a wait of this event alone. A long wait is added to the
 * reason, and logged once at a time. */
void report_event_waits(struct report *r, const struct event *e, struct outcome_verdict *v, int64_t now_ms);
/* Logs an attempt that took the event partially or did not deliver it. Counts partial failures. */
void report_attempt(const struct report *r, const struct event *e, const struct outcome_verdict *v);
/* Counts an answered lookup. outcome: lookup_outcome_name(). */
void report_lookup(const char *source, const char *outcome);

/* ---- pause and window -------------------------------------------------------------------------------------------- */

/*
 * Reports changes since the last call. For a pause longer than REPORT_LONG_MS it logs the begin and an early end.
 * header: the header that asked for the pause. Passes a changed window and reason to the sink. why_closed: a reason
 * that closes the window ("on hold"); NULL: the reason is that of park or pause.
 */
void report_upstream(struct report *r, const struct upstream *u, const char *why_closed, const char *header,
		     const struct courier_sink *sink, int64_t now_ms);

#endif

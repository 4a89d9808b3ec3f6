/*
 * notice: what the operator is told of one account: parked, paused, out of reach. Each is a line of the log when it
 * begins and a text for `status` as long as it lasts. On the courier's thread.
 */
#ifndef COURIER_NOTICE_H
#define COURIER_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/pace.h"
#include "decision/event.h"
#include "klaviyo/outcome.h"

#define NOTICE_LONG_MS (60 * 1000) /* a wait that Klaviyo asks for is told where it is longer */

struct notice {
	const char *account;    /* borrowed, as long as the notice lives */
	bool changed;           /* `parked` or `pause` did; whoever tells it resets it */
	char *parked;           /* Klaviyo's reason; NULL: not parked */
	char label[16];         /* the same, for metrics */
	char *pause;            /* until when Klaviyo asks to stay away; NULL: not, or not for long */
	int64_t pause_until_ms; /* of the pause that was last looked at, clock_mono_ms; 0: none */
	int64_t wait_told_ms;   /* up to here waits of single events were told, clock_mono_ms */
	/* retry outcomes without a 2xx between them */
	unsigned retries;
	int64_t first_retry_ms; /* clock_mono_ms */
	bool trouble;           /* the operator was told */
};

void notice_done(struct notice *n);
/* "reason", "reason; paused by …": the caller owns it; NULL: nothing to tell. */
char *notice_text(const struct notice *n) MUSTCHECK;

/* The account is parked, once more or anew, by that answer. key_mend: where another key goes (secret_mend). */
void notice_parked(struct notice *n, const struct outcome_verdict *v, const char *key_mend);
/* It takes events again. */
void notice_opened(struct notice *n);
/* Its key, URL or revision changed: what was told is over. */
void notice_renewed(struct notice *n);
/* Looks at the pause that holds the account back now. */
void notice_pause(struct notice *n, const struct pace *p, int64_t mono_ms);
/* Looks at the outcome of one event; a long wait that a 503 asks for is added to its reason. */
void notice_outcome(struct notice *n, const struct event *e, struct outcome_verdict *v, int64_t mono_ms);

#endif

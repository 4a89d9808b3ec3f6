/* SPDX-License-Identifier: MIT */
/*
 * metrics: counters, gauges and histograms, written by any thread and rendered as Prometheus text.
 *
 * The table in metrics.c has a row for each metric: name, type, help, label names. The documentation check reads it. A
 * series exists from its first use until the process ends. An update holds one lock for a few nanoseconds; rendering
 * copies the values under it and formats them without it.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"

#define METRICS_BOUNDED_MAX 200 /* values of a bounded label with their own series; all others count as "other" */

enum metric {
	METRIC_WEBHOOKS,             /* source, result */
	METRIC_WEBHOOK_RESULTS,      /* source, result */
	METRIC_EVENTS,               /* account, metric */
	METRIC_DELIVERIES,           /* account, lane, outcome */
	METRIC_PARTIAL_FAILURES,     /* account */
	METRIC_QUEUE_EVENTS,         /* account, state */
	METRIC_QUEUE_OLDEST_SECONDS, /* account */
	METRIC_WEBHOOKS_PENDING,     /* source, reason */
	METRIC_COMMIT_SECONDS,       /* histogram */
	METRIC_DELIVERY_SECONDS,     /* histogram */
	METRIC_LAG_SECONDS,          /* histogram */
	METRIC_OPEN_CONVERSATIONS,   /* source */
	METRIC_ACCOUNT_PARKED,       /* account, reason */
	METRIC_LOOKUPS,              /* source, outcome */
	METRIC_LOOKUPS_PARKED,       /* source, reason */
	METRIC_REVISION_DAYS_LEFT,   /* account */
	METRIC_STORE_BYTES,
	METRIC_UNKNOWN_STATES,    /* source */
	METRIC_ADDRESSES_REFUSED, /* source, reason */
	METRIC_CONFIG_RELOADS,    /* result */
	METRIC_CONNECTIONS_CUT,   /* reason */
	METRIC_JSON_READS,
	METRIC_MAX_
};

/* Add to a counter or gauge, or set a gauge. Labels are given in the order of the table; NULL for labels that the
 * metric does not have. A label may hold any text. It is cleaned as in the log: addresses are masked (even with
 * log.personal_data), secrets redacted, controls escaped; then it is cut. */
void metrics_add(enum metric m, const char *label1, const char *label2, const char *label3, double n);
void metrics_set(enum metric m, const char *label1, const char *label2, const char *label3, double value);
void metrics_observe(enum metric m, double seconds); /* adds an observation to a histogram */
/* Calls fn for every series of a counter or gauge, in order of first use, without the lock. Labels that the metric does
 * not have are NULL. */
void metrics_each(enum metric m, void (*fn)(void *ctx, const char *const labels[3], double value), void *ctx);
/* Adds all metrics as Prometheus text. */
void metrics_render(struct buf *to);
/* For tests and the documentation check: describes the n-th metric. Returns 1 where there is one, 0 past the end. The
 * texts are static. */
int metrics_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_help);

/* For tests. metrics_get() returns the value of a counter or gauge, 0 for an unknown series; metrics_reset() removes
 * all series. */
double metrics_get(enum metric m, const char *label1, const char *label2, const char *label3);
void metrics_reset(void);

#endif

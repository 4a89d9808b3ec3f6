/* SPDX-License-Identifier: MIT */
/*
 * metrics: counters, gauges and histograms as data, written by any thread, rendered as Prometheus text.
 *
 * The table in metrics.c names each metric once: name, type, help, label names; the documentation check reads it. A
 * series comes into being with its first use and stays. Updates take one lock for a few nanoseconds; rendering copies.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"

#define METRICS_NAMES_MAX 200 /* names of Klaviyo metrics with a series of their own; the others are "other" */

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

/* Label values in the order of the table; NULL for labels the metric does not have. A label may hold anything: it is
 * shown as the log shows a text, addresses masked (whatever log.personal_data says), secrets struck, controls escaped,
 * and cut. */
void metrics_add(enum metric m, const char *label1, const char *label2, const char *label3, double n);
void metrics_set(enum metric m, const char *label1, const char *label2, const char *label3, double value);
void metrics_observe(enum metric m, double seconds); /* histograms */
/* Calls fn for every series of a counter or gauge, in order of first use, without the lock. Labels that the metric does
 * not have are NULL. */
void metrics_each(enum metric m, void (*fn)(void *ctx, const char *const labels[3], double value), void *ctx);
void metrics_render(struct buf *to);
/* For tests, of the documentation too: the n-th name, type and help, or 0 past the end. */
int metrics_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_help);

/* For tests: a counter's or gauge's value, 0 where it is unknown; and all as at the start. */
double metrics_get(enum metric m, const char *label1, const char *label2, const char *label3);
void metrics_reset(void);

#endif

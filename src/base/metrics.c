/* SPDX-License-Identifier: MIT */
/*
 * One lock protects all series. A series is not freed and its labels do not change, so that rendering takes pointers
 * and values under the lock and writes the text without it (metrics_reset() is for tests).
 *
 * Labels may come from outside (the metric of a rule is a template). A series has cleaned labels only, so that two
 * series are never written alike. Their number is bounded: of a metric's bounded label, the first METRICS_BOUNDED_MAX
 * values have their own series; other values, and all labels beyond SERIES_MAX series, are counted as "other".
 */
#include <config.h>

#include "base/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/known_secrets.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/text.h"

#define LABELS_MAX 3
#define BOUNDS_MAX 16
#define LABEL_LENGTH_MAX 256 /* bytes */
#define OTHER "other"
#define SERIES_MAX 4096
#define SLOTS 16384 /* a power of two, never more than a third full */

enum metric_type {
	TYPE_COUNTER,
	TYPE_GAUGE,
	TYPE_HISTOGRAM,
};

static const char *const type_names[] = {
	[TYPE_COUNTER] = "counter",
	[TYPE_GAUGE] = "gauge",
	[TYPE_HISTOGRAM] = "histogram",
};

static const struct metric_spec {
	const char *name;
	enum metric_type type;
	const char *help;
	const char *labels[LABELS_MAX];
	double bounds[BOUNDS_MAX]; /* of a histogram: ascending, in seconds; 0 ends the list */
	unsigned bounded_label;    /* number (from 1) of the label with at most METRICS_BOUNDED_MAX values; 0: none */
} specs[METRIC_MAX_] = {
	[METRIC_WEBHOOKS] = {"deskbridge_webhooks_total",
			     TYPE_COUNTER,
			     "Webhooks received, by what was answered or why they were refused.",
			     {"source", "result"}},
	[METRIC_WEBHOOK_RESULTS] = {"deskbridge_webhook_results_total",
				    TYPE_COUNTER,
				    "Webhooks that were stored and are done, by result.",
				    {"source", "result"}},
	[METRIC_UNKNOWN_STATES] = {"deskbridge_unknown_states_total",
				   TYPE_COUNTER,
				   "Webhooks with a state that the source's definition does not know.",
				   {"source"}},
	[METRIC_EVENTS] = {"deskbridge_events_total",
			   TYPE_COUNTER,
			   "Events made for Klaviyo, by the name of the metric.",
			   {"account", "metric"},
			   .bounded_label = 2},
	[METRIC_DELIVERIES] = {"deskbridge_deliveries_total",
			       TYPE_COUNTER,
			       "Outcomes of attempts at delivery, counted per event.",
			       {"account", "lane", "outcome"}},
	[METRIC_PARTIAL_FAILURES] = {"deskbridge_partial_failures_total",
				     TYPE_COUNTER,
				     "Events that Klaviyo accepted without a part of their profile.",
				     {"account"}},
	[METRIC_QUEUE_EVENTS] = {"deskbridge_queue_events",
				 TYPE_GAUGE,
				 "Events kept now, by state.",
				 {"account", "state"}},
	[METRIC_QUEUE_OLDEST_SECONDS] = {"deskbridge_queue_oldest_seconds",
					 TYPE_GAUGE,
					 "Age of the oldest event that is neither delivered nor a dead letter.",
					 {"account"}},
	[METRIC_WEBHOOKS_PENDING] = {"deskbridge_webhooks_pending",
				     TYPE_GAUGE,
				     "Webhooks accepted and not processed yet, by what they wait for.",
				     {"source", "reason"}},
	[METRIC_COMMIT_SECONDS] = {"deskbridge_commit_seconds",
				   TYPE_HISTOGRAM,
				   "Time that the store took to commit a turn.",
				   {NULL},
				   {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}},
	[METRIC_DELIVERY_SECONDS] = {"deskbridge_delivery_seconds",
				     TYPE_HISTOGRAM,
				     "Time that Klaviyo took to answer a request.",
				     {NULL},
				     {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30}},
	[METRIC_LAG_SECONDS] = {"deskbridge_lag_seconds",
				TYPE_HISTOGRAM,
				"Time from the change in the helpdesk to Klaviyo's 202 for its event.",
				{NULL},
				{0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 43200, 86400}},
	[METRIC_OPEN_CONVERSATIONS] = {"deskbridge_open_conversations",
				       TYPE_GAUGE,
				       "Conversations that are open now.",
				       {"source"}},
	[METRIC_ACCOUNT_PARKED] = {"deskbridge_account_parked",
				   TYPE_GAUGE,
				   "1 while an account is parked: its events wait for another key or configuration.",
				   {"account", "reason"}},
	[METRIC_LOOKUPS] = {"deskbridge_lookups_total",
			    TYPE_COUNTER,
			    "Lookups of customers at helpdesks, by outcome.",
			    {"source", "outcome"}},
	[METRIC_LOOKUPS_PARKED] = {"deskbridge_lookups_parked",
				   TYPE_GAUGE,
				   "1 while a source's lookups wait for other credentials or configuration.",
				   {"source", "reason"}},
	[METRIC_REVISION_DAYS_LEFT] = {"deskbridge_revision_days_left",
				       TYPE_GAUGE,
				       "Days until Klaviyo ends the API revision that is configured.",
				       {"account"}},
	[METRIC_STORE_BYTES] = {"deskbridge_store_bytes", TYPE_GAUGE, "Size of the store, as max_size counts it."},
	[METRIC_ADDRESSES_REFUSED] =
		{"deskbridge_addresses_refused_total",
		 TYPE_COUNTER,
		 "Texts in the place of an address that are none, and addresses beyond the limit of one webhook, "
		 "by reason.",
		 {"source", "reason"}},
	[METRIC_CONFIG_RELOADS] = {"deskbridge_config_reloads_total",
				   TYPE_COUNTER,
				   "Reloads of the configuration, by result.",
				   {"result"}},
	[METRIC_CONNECTIONS_CUT] = {"deskbridge_connections_cut_total",
				    TYPE_COUNTER,
				    "Connections for webhooks that were cut off or refused, by reason.",
				    {"reason"}},
	[METRIC_JSON_READS] =
		{"deskbridge_json_reads_total", TYPE_COUNTER,
		 "JSON texts that were parsed: webhooks, answers of helpdesks and of Klaviyo, rows of the store."},
};

struct series {
	enum metric metric;
	char *labels[LABELS_MAX]; /* NULL where the metric has no such label; never changed */
	double value;             /* of a histogram: the sum */
	uint64_t *buckets;        /* of a histogram: one for each bound and one for larger values, not cumulated */
	struct series *next;      /* of the same metric, in order of first use */
};

static struct lock lock = LOCK_INIT; /* over all below */
static struct series *slots[SLOTS];
static struct series *first[METRIC_MAX_], *last[METRIC_MAX_];
static unsigned n_series;
/* The values of the bounded label that have their own series. */
static char *bounded_values[METRIC_MAX_][METRICS_BOUNDED_MAX];
static unsigned n_bounded_values[METRIC_MAX_];

static unsigned bounds_of(enum metric m)
{
	unsigned n = 0;

	while (n < BOUNDS_MAX && specs[m].bounds[n] > 0)
		n++;
	return n;
}

static bool unlabelled(enum metric m)
{
	return !specs[m].labels[0];
}

/* Returns the slot of the series, or the empty slot where it belongs. */
static struct series **slot_of(enum metric m, const char *const labels[LABELS_MAX])
{
	uint32_t hash = 2166136261u ^ (uint32_t)m;

	for (unsigned i = 0; i < LABELS_MAX && labels[i]; i++) {
		for (const char *c = labels[i]; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 16777619u;
		hash = (hash ^ 0xffu) * 16777619u;
	}
	for (;; hash++) {
		struct series **slot = &slots[hash % SLOTS];
		struct series *s = *slot;

		if (!s)
			return slot;
		if (s->metric == m && text_is(s->labels[0], labels[0]) && text_is(s->labels[1], labels[1]) &&
		    text_is(s->labels[2], labels[2]))
			return slot;
	}
}

static struct series *series_make(enum metric m, const char *const labels[LABELS_MAX])
{
	struct series *s = mem_new(1, sizeof(*s));

	s->metric = m;
	for (unsigned i = 0; i < LABELS_MAX; i++)
		s->labels[i] = mem_str(labels[i]);
	if (specs[m].type == TYPE_HISTOGRAM)
		s->buckets = mem_new(bounds_of(m) + 1, sizeof(*s->buckets));
	if (last[m])
		last[m]->next = s;
	else
		first[m] = s;
	last[m] = s;
	n_series++;
	return s;
}

/* Returns a cleaned copy of a label, which the caller owns; NULL: the label is clean. */
static char *label_clean(const char *label)
{
	char *clean = known_secrets_clean(label);
	size_t len = strlen(clean);

	if (strcmp(clean, label) == 0 && len <= LABEL_LENGTH_MAX) {
		free(clean);
		return NULL;
	}
	if (len > LABEL_LENGTH_MAX) {
		for (len = LABEL_LENGTH_MAX; len > 0 && ((unsigned char)clean[len] & 0xc0) == 0x80;)
			len--;
		clean[len] = '\0';
	}
	return clean;
}

/* Cleaned label values. values[i] points to owned[i] or to the caller's text. */
struct labels {
	const char *values[LABELS_MAX];
	char *owned[LABELS_MAX];
};

/* Called without the lock, because cleaning takes longer than counting. */
static void labels_make(enum metric m, const char *l1, const char *l2, const char *l3, struct labels *ret)
{
	const char *labels[LABELS_MAX] = {l1, l2, l3};

	*ret = (struct labels){0};
	for (unsigned i = 0; i < LABELS_MAX && specs[m].labels[i]; i++) {
		ret->owned[i] = label_clean(labels[i] ? labels[i] : "");
		ret->values[i] = ret->owned[i] ? ret->owned[i] : labels[i] ? labels[i] : "";
	}
}

static void labels_done(struct labels *l)
{
	for (unsigned i = 0; i < LABELS_MAX; i++)
		free(l->owned[i]);
}

/* Returns the value if it has its own series or may get one; else "other". */
static const char *bounded_value(enum metric m, const char *value)
{
	INSIST(lock_is_mine(&lock));
	for (unsigned i = 0; i < n_bounded_values[m]; i++)
		if (strcmp(bounded_values[m][i], value) == 0)
			return value;
	if (n_bounded_values[m] == METRICS_BOUNDED_MAX)
		return OTHER;
	bounded_values[m][n_bounded_values[m]++] = mem_str(value);
	return value;
}

/* Returns the series; makes it where it does not exist. */
static struct series *series_get(enum metric m, const struct labels *l)
{
	const char *labels[LABELS_MAX] = {l->values[0], l->values[1], l->values[2]};
	struct series **slot = slot_of(m, labels);
	unsigned bounded = specs[m].bounded_label;

	INSIST(lock_is_mine(&lock));
	if (!*slot && bounded > 0) {
		labels[bounded - 1] = bounded_value(m, labels[bounded - 1]);
		slot = slot_of(m, labels);
	}
	if (!*slot && n_series >= SERIES_MAX && !unlabelled(m)) {
		for (unsigned i = 0; i < LABELS_MAX; i++)
			labels[i] = specs[m].labels[i] ? OTHER : NULL;
		slot = slot_of(m, labels);
	}
	if (!*slot)
		*slot = series_make(m, labels);
	return *slot;
}

/* Returns the value of the series. Acquires the lock; the caller releases it. Labels of an existing series are clean,
 * so only labels that are not found are cleaned, which takes ten times as long as the look-up. */
static double *value_acquire(enum metric m, const char *l1, const char *l2, const char *l3)
{
	CLEANUP(labels_done) struct labels clean = {0};
	const char *labels[LABELS_MAX] = {l1, l2, l3};
	struct series *s;

	for (unsigned i = 0; i < LABELS_MAX; i++)
		labels[i] = !specs[m].labels[i] ? NULL : labels[i] ? labels[i] : "";
	lock_acquire(&lock);
	s = *slot_of(m, labels);
	if (s)
		return &s->value;
	lock_release(&lock);
	labels_make(m, l1, l2, l3, &clean);
	lock_acquire(&lock);
	return &series_get(m, &clean)->value;
}

void metrics_add(enum metric m, const char *label1, const char *label2, const char *label3, double n)
{
	*value_acquire(m, label1, label2, label3) += n;
	lock_release(&lock);
}

void metrics_set(enum metric m, const char *label1, const char *label2, const char *label3, double value)
{
	*value_acquire(m, label1, label2, label3) = value;
	lock_release(&lock);
}

void metrics_observe(enum metric m, double seconds)
{
	unsigned bucket = 0;
	unsigned n = bounds_of(m);
	struct series *s;

	INSIST(specs[m].type == TYPE_HISTOGRAM);
	if (!(seconds >= 0))
		seconds = 0;
	while (bucket < n && seconds > specs[m].bounds[bucket])
		bucket++;
	lock_acquire(&lock);
	s = series_get(m, &(struct labels){0});
	s->buckets[bucket]++;
	s->value += seconds;
	lock_release(&lock);
}

double metrics_get(enum metric m, const char *label1, const char *label2, const char *label3)
{
	CLEANUP(labels_done) struct labels l;
	const struct series *s;
	double value;

	labels_make(m, label1, label2, label3, &l);
	lock_acquire(&lock);
	s = *slot_of(m, l.values);
	value = s ? s->value : 0;
	lock_release(&lock);
	return value;
}

/* ---- the text ---------------------------------------------------------------------------------------------------- */

/* A series' values at the time of the request. */
struct metric_sample {
	const struct series *series;
	double value;
	uint64_t buckets[BOUNDS_MAX + 1];
};

static void put_number(struct buf *to, double value)
{
	char text[40];

	if (value == floor(value) && fabs(value) < 1e15) {
		buf_addf(to, "%.0f", value);
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_adds(to, text);
}

static void put_plain(struct buf *to, const struct metric_sample *sample)
{
	const struct metric_spec *spec = &specs[sample->series->metric];

	buf_adds(to, spec->name);
	for (unsigned i = 0; i < LABELS_MAX && spec->labels[i]; i++) {
		buf_addf(to, "%c%s=\"", i == 0 ? '{' : ',', spec->labels[i]);
		for (const char *value = sample->series->labels[i]; *value != '\0'; value++) {
			if (*value == '"' || *value == '\\')
				buf_addc(to, '\\');
			buf_addc(to, *value);
		}
		buf_addc(to, '"');
	}
	buf_adds(to, unlabelled(sample->series->metric) ? " " : "} ");
	put_number(to, sample->value);
	buf_addc(to, '\n');
}

static void put_histogram(struct buf *to, const struct metric_sample *sample)
{
	const struct metric_spec *spec = &specs[sample->series->metric];
	unsigned n = bounds_of(sample->series->metric);
	uint64_t count = 0;

	for (unsigned i = 0; i < n; i++) {
		count += sample->buckets[i];
		buf_addf(to, "%s_bucket{le=\"", spec->name);
		put_number(to, spec->bounds[i]);
		buf_addf(to, "\"} %llu\n", (unsigned long long)count);
	}
	count += sample->buckets[n];
	buf_addf(to, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", spec->name, (unsigned long long)count, spec->name);
	put_number(to, sample->value);
	buf_addf(to, "\n%s_count %llu\n", spec->name, (unsigned long long)count);
}

/* Copies all series, grouped by metric, in the table's order. The caller frees the array. */
static struct metric_sample *read_all(size_t *ret_n)
{
	size_t n = 0;
	struct metric_sample *all;

	lock_acquire(&lock);
	for (unsigned m = 0; m < METRIC_MAX_; m++)
		if (unlabelled(m))
			(void)series_get(m, &(struct labels){0});
	all = mem_new(n_series, sizeof(*all));
	for (unsigned m = 0; m < METRIC_MAX_; m++) {
		for (const struct series *s = first[m]; s; s = s->next, n++) {
			all[n].series = s;
			all[n].value = s->value;
			if (s->buckets)
				memcpy(all[n].buckets, s->buckets, (bounds_of(m) + 1) * sizeof(*s->buckets));
		}
	}
	lock_release(&lock);
	*ret_n = n;
	return all;
}

void metrics_each(enum metric m, void (*fn)(void *ctx, const char *const labels[3], double value), void *ctx)
{
	CLEANUP(mem_freep) struct metric_sample *all = NULL;
	size_t n;

	INSIST(specs[m].type != TYPE_HISTOGRAM);
	all = read_all(&n);
	for (size_t i = 0; i < n; i++) {
		const struct series *s = all[i].series;
		const char *const labels[LABELS_MAX] = {s->labels[0], s->labels[1], s->labels[2]};

		if (s->metric == m)
			fn(ctx, labels, all[i].value);
	}
}

void metrics_render(struct buf *to)
{
	CLEANUP(mem_freep) struct metric_sample *all = NULL;
	size_t at = 0;
	size_t n;

	all = read_all(&n);
	for (unsigned m = 0; m < METRIC_MAX_; m++) {
		buf_addf(to, "# HELP %s %s\n# TYPE %s %s\n", specs[m].name, specs[m].help, specs[m].name,
			 type_names[specs[m].type]);
		for (; at < n && all[at].series->metric == m; at++) {
			if (specs[m].type == TYPE_HISTOGRAM)
				put_histogram(to, &all[at]);
			else
				put_plain(to, &all[at]);
		}
	}
}

int metrics_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_help)
{
	if (n >= METRIC_MAX_)
		return 0;
	*ret_name = specs[n].name;
	*ret_type = type_names[specs[n].type];
	*ret_help = specs[n].help;
	return 1;
}

void metrics_reset(void)
{
	lock_acquire(&lock);
	for (unsigned m = 0; m < METRIC_MAX_; m++) {
		for (struct series *s = first[m], *next; s; s = next) {
			next = s->next;
			for (unsigned i = 0; i < LABELS_MAX; i++)
				free(s->labels[i]);
			free(s->buckets);
			free(s);
		}
		first[m] = last[m] = NULL;
		while (n_bounded_values[m] > 0)
			free(bounded_values[m][--n_bounded_values[m]]);
	}
	memset(slots, 0, sizeof(slots));
	n_series = 0;
	lock_release(&lock);
}

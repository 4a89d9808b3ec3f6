/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/gauges.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"
#include "klaviyo/request.h"

#define REVISION_WARN_DAYS 90
#define NOT_CONFIGURED "not configured"

/* A series that was set once. It is set to 0 when its subject is gone. Series are never deleted all at once, because a
 * scrape at that moment would find none. */
struct gauge {
	struct gauge *next;
	enum metric metric;
	char *label1, *label2;
	bool seen;
};

struct gauges {
	struct gauge *all;
	/* during a refresh */
	struct store *store;
	const struct config *config;
	struct health *health;
	int64_t now_ms;
	bool waiting;
};

struct gauges *gauges_new(void)
{
	return mem_new(1, sizeof(struct gauges));
}

void gauges_free(struct gauges *g)
{
	if (!g)
		return;
	for (struct gauge *x = g->all, *next; x; x = next) {
		next = x->next;
		free(x->label1);
		free(x->label2);
		free(x);
	}
	free(g);
}

static void show(struct gauges *g, enum metric m, const char *label1, const char *label2, double value)
{
	struct gauge *x;

	for (x = g->all; x; x = x->next)
		if (x->metric == m && text_is(x->label1, label1) && text_is(x->label2, label2))
			break;
	if (!x) {
		x = mem_new(1, sizeof(*x));
		x->metric = m;
		x->label1 = mem_str(label1);
		x->label2 = mem_str(label2);
		x->next = g->all;
		g->all = x;
	}
	x->seen = true;
	metrics_set(m, label1, label2, NULL, value);
}

static void count_events(void *ctx, const char *account, enum event_state state, int64_t n)
{
	struct gauges *g = ctx;

	show(g, METRIC_QUEUE_EVENTS, account, event_state_name(state), (double)n);
	if (state != EVENT_READY)
		return;
	if (n > 0) {
		int64_t oldest_ms = store_events_oldest_ms(g->store, account);

		g->waiting = true;
		show(g, METRIC_QUEUE_OLDEST_SECONDS, account, NULL,
		     oldest_ms == 0 || oldest_ms > g->now_ms ? 0 : (double)(g->now_ms - oldest_ms) / 1000);
	}
	if (!config_account(g->config, account)) {
		health_park(g->health, "account", account, n > 0 ? NOT_CONFIGURED : NULL);
		show(g, METRIC_ACCOUNT_PARKED, account, NOT_CONFIGURED, n > 0);
	}
}

static void count_conversations(void *ctx, const char *source, int64_t open)
{
	show(ctx, METRIC_OPEN_CONVERSATIONS, source, NULL, (double)open);
}

static void count_webhooks(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
			   int64_t n)
{
	if (state == STORE_WEBHOOK_PENDING)
		show(ctx, METRIC_WEBHOOKS_PENDING, source, store_wait_name(why), (double)n);
}

bool gauges_refresh(struct gauges *g, struct store *s, const struct config *c, struct health *health, int64_t now_ms)
{
	g->store = s;
	g->config = c;
	g->health = health;
	g->now_ms = now_ms;
	g->waiting = false;
	for (struct gauge *x = g->all; x; x = x->next)
		x->seen = false;
	for (size_t i = 0; i < c->accounts_n; i++)
		show(g, METRIC_QUEUE_OLDEST_SECONDS, c->accounts[i].name, NULL, 0);
	store_event_counts(s, count_events, g);
	store_conversation_counts(s, count_conversations, g);
	store_webhook_counts(s, count_webhooks, g);
	for (struct gauge *x = g->all; x; x = x->next)
		if (!x->seen)
			metrics_set(x->metric, x->label1, x->label2, NULL, 0);
	metrics_set(METRIC_STORE_BYTES, NULL, NULL, NULL, (double)store_size(s));
	return g->waiting;
}

void gauges_revisions(const struct config *c, int64_t now_ms)
{
	for (size_t i = 0; i < c->accounts_n; i++) {
		const struct account *a = &c->accounts[i];
		struct log_about about = {.account = a->name};
		char end[REQUEST_END_MAX];
		long days;

		if (request_revision_days_left(a->revision, now_ms, &days) < 0)
			continue;
		metrics_set(METRIC_REVISION_DAYS_LEFT, a->name, NULL, NULL, (double)days);
		if (days < REVISION_WARN_DAYS)
			log_warning(&about, "Klaviyo's API revision %s %s: set a newer klaviyo.revision", a->revision,
				    request_revision_end(days, end));
	}
}

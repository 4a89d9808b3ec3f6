/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "courier/destination.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "courier/sender.h"

void destinations_init(struct destinations *r, struct http_client *client, const struct courier_sink *sink,
		       const struct courier_options *options)
{
	struct courier_options *o = &r->shared.options;

	*r = (struct destinations){.shared = {.client = client, .sink = *sink}};
	if (options)
		*o = *options;
	if (o->connect_ms <= 0)
		o->connect_ms = COURIER_CONNECT_MS;
	if (o->timeout_ms <= 0)
		o->timeout_ms = COURIER_TIMEOUT_MS;
	if (o->lookup.connect_ms <= 0)
		o->lookup.connect_ms = LOOKUP_CONNECT_MS;
	if (o->lookup.timeout_ms <= 0)
		o->lookup.timeout_ms = LOOKUP_TIMEOUT_MS;
}

static struct destination *find(const struct destinations *r, enum report_kind kind, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->all[i]->report.kind == kind && text_is(r->all[i]->report.name, name))
			return r->all[i];
	return NULL;
}

static void make(struct destinations *r, enum report_kind kind, const char *name)
{
	if (find(r, kind, name))
		return;
	MEM_ROOM(r->all, r->n);
	r->all[r->n++] = kind == REPORT_ACCOUNT ? sender_new(&r->shared, name, clock_mono_ms())
						: lookup_client_new(&r->shared, name);
}

void destinations_generation(struct destinations *r, struct generation *g)
{
	/* Changed secrets come with the same configuration. */
	bool reloaded = !r->generation || r->generation->config != g->config;
	size_t kept = 0;

	for (size_t i = 0; i < g->config->accounts_n; i++)
		make(r, REPORT_ACCOUNT, g->config->accounts[i].name);
	for (size_t i = 0; i < g->config->sources_n; i++)
		if (definition_about(g->config->sources[i].definition)->steps_n > 0)
			make(r, REPORT_LOOKUPS, g->config->sources[i].name);
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->ops->configure(r->all[i], g, reloaded);
	/* A route that is gone is freed once its last transfer is back. */
	for (size_t i = 0; i < r->n; i++) {
		struct destination *one = r->all[i];

		if (one->configured || one->upstream->in_flight > 0)
			r->all[kept++] = one;
		else
			one->ops->free(one);
	}
	r->n = kept;
	generation_unref(r->generation);
	r->generation = generation_ref(g);
}

void destinations_send(struct destinations *r, struct event *e)
{
	struct destination *account = find(r, REPORT_ACCOUNT, e->account);

	if (account)
		sender_take(account, e);
	else
		r->shared.sink.delivered(r->shared.sink.ctx, delivery_new(e, NULL));
}

void destinations_lookup(struct destinations *r, struct lookup_request *q)
{
	struct destination *source = find(r, REPORT_LOOKUPS, q->source);

	if (source)
		lookup_client_start(source, q);
	else
		lookup_client_return(&r->shared.sink, q, LOOKUP_RETURNED, "the source has no lookup configured");
}

int64_t destinations_run(struct destinations *r, bool sending, int64_t now_ms)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < r->n; i++) {
		int64_t again_ms = r->all[i]->ops->run(r->all[i], sending, now_ms);

		if (again_ms < next_ms)
			next_ms = again_ms;
	}
	return next_ms;
}

void destinations_close(struct destinations *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->ops->close(r->all[i]);
}

void destinations_done(struct destinations *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->ops->free(r->all[i]);
	free(r->all);
	generation_unref(r->generation);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "courier/destination.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "courier/sender.h"

void destinations_init(struct destinations *d, struct http_client *client, const struct courier_sink *sink,
		       const struct courier_options *options)
{
	struct courier_options *o = &d->shared.options;

	*d = (struct destinations){.shared = {.client = client, .sink = *sink}};
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

static struct destination *find(const struct destinations *d, enum report_kind kind, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->report.kind == kind && text_is(d->all[i]->report.name, name))
			return d->all[i];
	return NULL;
}

static void make(struct destinations *d, enum report_kind kind, const char *name)
{
	if (find(d, kind, name))
		return;
	MEM_ROOM(d->all, d->n);
	d->all[d->n++] = kind == REPORT_ACCOUNT ? sender_new(&d->shared, name, clock_mono_ms())
						: lookup_client_new(&d->shared, name);
}

void destinations_generation(struct destinations *d, struct generation *g)
{
	/* Where only secrets changed, the configuration is the same object. */
	bool reloaded = !d->generation || d->generation->config != g->config;
	size_t kept = 0;

	for (size_t i = 0; i < g->config->accounts_n; i++)
		make(d, REPORT_ACCOUNT, g->config->accounts[i].name);
	for (size_t i = 0; i < g->config->sources_n; i++)
		if (definition_about(g->config->sources[i].definition)->steps_n > 0)
			make(d, REPORT_LOOKUPS, g->config->sources[i].name);
	for (size_t i = 0; i < d->n; i++)
		d->all[i]->ops->configure(d->all[i], g, reloaded);
	/* A former destination with transfers in flight is freed by a later generation, or at the end. */
	for (size_t i = 0; i < d->n; i++) {
		struct destination *one = d->all[i];

		if (one->configured || one->upstream->in_flight > 0)
			d->all[kept++] = one;
		else
			one->ops->free(one);
	}
	d->n = kept;
	generation_unref(d->generation);
	d->generation = generation_ref(g);
}

void destinations_send(struct destinations *d, struct event *e)
{
	struct destination *account = find(d, REPORT_ACCOUNT, e->account);

	if (account)
		sender_take(account, e);
	else
		d->shared.sink.delivered(d->shared.sink.ctx, delivery_new(e, NULL));
}

void destinations_lookup(struct destinations *d, struct lookup_request *request)
{
	struct destination *source = find(d, REPORT_LOOKUPS, request->source);

	if (source)
		lookup_client_start(source, request);
	else
		lookup_client_return(&d->shared.sink, request, LOOKUP_RETURNED, "the source has no lookup configured");
}

int64_t destinations_run(struct destinations *d, bool sending, int64_t now_ms)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < d->n; i++) {
		int64_t again_ms = d->all[i]->ops->run(d->all[i], sending, now_ms);

		if (again_ms < next_ms)
			next_ms = again_ms;
	}
	return next_ms;
}

void destinations_close(struct destinations *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->all[i]->ops->close(d->all[i]);
}

void destinations_done(struct destinations *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->all[i]->ops->free(d->all[i]);
	free(d->all);
	generation_unref(d->generation);
}

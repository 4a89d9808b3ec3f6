#include <config.h>

#include "lookup/place.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"

struct place *places_find(const struct places *all, const char *name)
{
	struct place *p;

	for (p = all->first; p && !text_is(p->name, name); p = p->next)
		;
	return p;
}

struct place *places_get(struct places *all, const char *name)
{
	struct place *p = places_find(all, name);

	if (p)
		return p;
	p = mem_new(1, sizeof(*p));
	p->name = mem_str(name);
	gate_init(&p->gate);
	p->next = all->first;
	all->first = p;
	return p;
}

static void place_free(struct place *p)
{
	free(p->name);
	free(p->parked);
	free(p);
}

void places_sweep(struct places *all)
{
	for (struct place **at = &all->first; *at;) {
		struct place *p = *at;

		if (p->configured || p->walking > 0) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		place_free(p);
	}
}

void places_free(struct places *all)
{
	for (struct place *p = all->first, *next; p; p = next) {
		next = p->next;
		place_free(p);
	}
	all->first = NULL;
}

void place_tell(struct place *p, const struct lookup_sink *sink, int64_t now_ms)
{
	unsigned window = p->configured ? gate_window(&p->gate, LOOKUP_WINDOW, now_ms) : 0;

	if (p->told && p->told_window == window && p->told_parked == (p->parked != NULL))
		return;
	p->told = true;
	p->told_window = window;
	p->told_parked = p->parked != NULL;
	sink->window(sink->ctx, p->name, window, p->configured ? p->parked : "not configured");
}

static const char *place_where(const struct source *s)
{
	const struct secret *secret = s->lookup_password ? s->lookup_password : s->lookup_token;

	return secret ? secret_where(secret) : "the source's `lookup`";
}

void place_park(struct place *p, const struct source *s, unsigned status, const char *why)
{
	/* Slow probes between the first refusal and the end are not news. */
	if (!p->parked)
		log_warning(&((struct log_about){.source = p->name}),
			    "lookups are parked, webhooks that need one wait: %s. Put the right credentials in %s: a "
			    "changed file is seen at once; deskbridge asks again by itself within %d minutes",
			    why, place_where(s), GATE_PROBE_LAST_MS / 60000);
	if (p->label[0] != '\0')
		metrics_set(METRIC_LOOKUPS_PARKED, p->name, p->label, NULL, 0);
	if (status > 0)
		(void)snprintf(p->label, sizeof(p->label), "%u", status);
	else
		(void)snprintf(p->label, sizeof(p->label), "secret");
	metrics_set(METRIC_LOOKUPS_PARKED, p->name, p->label, NULL, 1);
	free(p->parked);
	p->parked = mem_str(why);
}

void place_unpark(struct place *p)
{
	if (!p->parked)
		return;
	metrics_set(METRIC_LOOKUPS_PARKED, p->name, p->label, NULL, 0);
	p->label[0] = '\0';
	free(TAKE(p->parked));
}

/* A single one that fails is not news: it is asked again within seconds. */
void place_failed(struct place *p, const char *why)
{
	if (p->failures == PLACE_FAILURES || ++p->failures < PLACE_FAILURES)
		return;
	log_warning(
		&((struct log_about){.source = p->name}),
		"the helpdesk answers no lookup, webhooks that need one wait: %s. They are asked again by themselves; "
		"see that base_url is right and the helpdesk can be reached from here",
		why);
}

void place_answered(struct place *p)
{
	if (p->failures >= PLACE_FAILURES)
		log_notice(&((struct log_about){.source = p->name}), "the helpdesk answers lookups again");
	p->failures = 0;
}

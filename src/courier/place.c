#include <config.h>

#include "courier/place.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/metrics.h"

static const struct upstream_kind kind = {
	.window = LOOKUP_WINDOW,
	.window_parked = 1,
	.pause_shuts = true,
	.renewed = UPSTREAM_READY, /* a question costs nobody anything */
};

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
	upstream_init(&p->upstream, &kind);
	p->next = all->first;
	all->first = p;
	return p;
}

static void place_free(struct place *p)
{
	free(p->name);
	free(p->parked);
	free(p->paused);
	free(p->told_reason);
	free(p);
}

void places_sweep(struct places *all)
{
	for (struct place **at = &all->first; *at;) {
		struct place *p = *at;

		if (p->configured || p->upstream.in_flight > 0) {
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

/* ---- the mark ---------------------------------------------------------------------------------------------------- */

/* With its end, so that two values never read as one. */
static void mark_add(struct digest *d, const char *value)
{
	digest_add(d, value ? "+" : "-", 1);
	if (value)
		digest_add(d, value, strlen(value) + 1);
}

static void mark_add_name(void *ctx, const char *name, const char *value)
{
	mark_add(ctx, name);
	mark_add(ctx, value);
}

static const char *secret_text(const struct generation *g, const struct secret *secret)
{
	return secret ? secret_value(g->secrets, secret) : NULL;
}

void place_mark(struct place *p, const struct source *s, const struct generation *g)
{
	struct lookup_mark mark = {.is_set = true};
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();

	mark_add(d, s->lookup_user);
	mark_add(d, secret_text(g, s->lookup_password));
	mark_add(d, secret_text(g, s->lookup_token));
	definition_parameters(s->definition, mark_add_name, d);
	digest_end(d, sha);
	memcpy(mark.bytes, sha, sizeof(mark.bytes));
	if (p->mark.is_set && memcmp(p->mark.bytes, mark.bytes, sizeof(mark.bytes)) == 0)
		return;
	p->mark = mark;
	p->worked = false;
}

void place_recall(struct place *p, const struct lookup_mark *kept)
{
	if (kept->is_set && p->mark.is_set && memcmp(kept->bytes, p->mark.bytes, sizeof(kept->bytes)) == 0)
		p->worked = true;
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

void place_tell(struct place *p, const struct lookup_sink *sink, int64_t now_ms)
{
	unsigned window = p->configured ? upstream_window(&p->upstream, now_ms) : 0;
	CLEANUP(mem_freep) char *both = p->parked && p->paused ? mem_fmt("%s; %s", p->parked, p->paused) : NULL;
	const char *reason = !p->configured ? "not configured" : both ? both : p->parked ? p->parked : p->paused;
	bool for_new = upstream_is_for_new(&p->upstream);

	if (p->told && p->told_window == window && p->told_for_new == for_new && text_is(p->told_reason, reason))
		return;
	p->told = true;
	p->told_window = window;
	p->told_for_new = for_new;
	free(p->told_reason);
	p->told_reason = mem_str(reason);
	sink->window(sink->ctx, p->name, window, for_new, reason);
}

/* The end of a message: where new credentials are written. */
static const char *place_mend(const struct source *s)
{
	const struct secret *secret = s->lookup_password ? s->lookup_password : s->lookup_token;

	return secret ? secret_mend(secret) : "the source's `lookup`, then reload";
}

static void place_warn(const struct place *p, const struct source *s, enum place_trouble trouble, const char *why)
{
	const struct log_about about = {.source = p->name, .reason = why};
	const int minutes = UPSTREAM_PROBE_LAST_MS / 60000;

	if (trouble == PLACE_CREDENTIALS)
		log_warning(&about,
			    "lookups are parked, webhooks that need one wait: put the right credentials in %s; "
			    "deskbridge asks again by itself within %d minutes",
			    place_mend(s), minutes);
	else
		log_warning(&about,
			    "lookups are parked, webhooks that need one wait: see that the source's `lookup` is right, "
			    "base_url first; a reload asks again at once, deskbridge asks again by itself within %d "
			    "minutes, and at once about a customer whom it has not asked about yet",
			    minutes);
}

void place_park(struct place *p, const struct source *s, enum place_trouble trouble, unsigned status, const char *why)
{
	/* Slow probes between the first refusal and the end are not news. */
	if (!p->parked)
		place_warn(p, s, trouble, why);
	if (p->label[0] != '\0')
		metrics_set(METRIC_LOOKUPS_PARKED, p->name, p->label, NULL, 0);
	if (status > 0)
		(void)snprintf(p->label, sizeof(p->label), "%u", status);
	else
		(void)snprintf(p->label, sizeof(p->label), "%s", trouble == PLACE_CREDENTIALS ? "secret" : "answer");
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

static const char pause_label[] = "paused";

void place_pause(struct place *p, int64_t now_ms)
{
	const struct log_about about = {.source = p->name};
	int64_t wait_ms = p->upstream.paused_until_ms - now_ms;
	char iso[CLOCK_ISO_MAX];

	if (wait_ms <= 0 && p->paused) {
		if (p->upstream.paused_until_ms == 0)
			log_notice(&about, "the lookups' pause ends early, by a reload or a change of the source");
		metrics_set(METRIC_LOOKUPS_PARKED, p->name, pause_label, NULL, 0);
		free(TAKE(p->paused));
	}
	if (p->paused || wait_ms <= CLOCK_MINUTE_MS)
		return;
	clock_iso(clock_now_ms() + wait_ms, iso); /* that time is not the wall's */
	p->paused = mem_fmt("paused until %s by Retry-After", iso);
	metrics_set(METRIC_LOOKUPS_PARKED, p->name, pause_label, NULL, 1);
	log_warning(&about, "lookups are %s%s: the helpdesk was asked too often", p->paused,
		    wait_ms >= UPSTREAM_PAUSE_MAX_MS ? ", an hour, to which longer waits are cut" : "");
}

/* A single one that fails is not news: it is asked again within seconds. */
void place_failed(struct place *p, const char *why, bool tells)
{
	if (p->failures == PLACE_FAILURES || ++p->failures < PLACE_FAILURES)
		return;
	log_warning(&((struct log_about){.source = p->name, .reason = why}),
		    "the helpdesk answers no lookup, webhooks that need one wait and are asked again by themselves: %s",
		    tells ? "the reason tells what mends it"
			  : "see that base_url is right and the helpdesk can be reached from here");
}

void place_answered(struct place *p)
{
	if (p->failures >= PLACE_FAILURES)
		log_notice(&((struct log_about){.source = p->name}), "the helpdesk answers lookups again");
	p->failures = 0;
}

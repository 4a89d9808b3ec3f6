/*
 * Owns the questions under way and the state of each source. All on the thread that runs the HTTP client's loop. A
 * question walks through its steps one transfer at a time and ends with exactly one answer to the sink; questions of
 * one source end in any order. Nothing survives a crash: the webhook that wanted to know is still pending then.
 */
#include <config.h>

#include "courier/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/known.h"
#include "helpdesk/parse/parsed.h"
#include "helpdesk/plan/inquiry.h"
#include "klaviyo/reason.h"
#include "klaviyo/retry_after.h"
#include "courier/place.h"

#define REASON_MAX 512
#define HEADER_SHOWN_MAX 4096 /* bytes of a header that are looked at for a reason */

/* One question on its way. */
struct walk {
	struct walk *prev, *next;
	struct lookup *owner; /* NULL: answered already, waits for its transfer to end */
	struct place *place;
	struct generation *g; /* by which it is asked to its end */
	const struct source *source;
	struct lookup_question *q;
	struct parsed *parsed; /* the webhook, for the inquiry */
	struct inquiry *inquiry;
	struct upstream_stamp asked;
	uint64_t customer; /* a digest of whom it is about */
};

struct lookup {
	struct http_client *client;
	struct lookup_sink sink;
	struct lookup_options options;
	struct generation *g;
	struct places places;
	struct walk *walks;
	unsigned under_way;
};

/* What ends a walk. */
struct ending {
	enum lookup_outcome outcome;
	enum upstream_word word;
	unsigned status; /* 0: no answer */
	int64_t retry_after_ms;
	bool secret; /* not asked, for want of a secret */
	bool tells;  /* the reason tells what mends it */
};

const char *lookup_outcome_name(enum lookup_outcome o)
{
	static const char *const names[] = {
		[LOOKUP_FOUND] = "found",   [LOOKUP_GONE] = "gone", [LOOKUP_RETRY] = "retry",
		[LOOKUP_PARKED] = "parked", [LOOKUP_ODD] = "odd",   [LOOKUP_RETURNED] = "returned",
		[LOOKUP_LATE] = "late",
	};

	return names[o];
}

void lookup_answer_done(struct lookup_answer *a)
{
	free(a->source);
	free(a->key);
	customer_done(&a->found);
	*a = (struct lookup_answer){0};
}

static void question_free(struct lookup_question *q)
{
	free(q->source);
	free(q->key);
	webhook_done(&q->webhook);
	free(q);
}

/* ---- the end of a walk ------------------------------------------------------------------------------------------- */

static void walk_unlink(struct walk *w)
{
	struct lookup *l = w->owner;

	if (w->prev)
		w->prev->next = w->next;
	else
		l->walks = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->prev = w->next = NULL;
	w->owner = NULL;
	upstream_back(&w->place->upstream);
	l->under_way--;
}

static void walk_free(struct walk *w)
{
	inquiry_free(w->inquiry);
	parsed_free(w->parsed);
	if (w->q)
		question_free(w->q);
	generation_unref(w->g);
	free(w);
}

static void answer(struct lookup *l, const struct lookup_question *q, const struct ending *end,
		   const struct inquiry *found, const struct lookup_mark *worked, const char *why)
{
	struct lookup_answer a = {
		.source = mem_str(q->source),
		.key = mem_str(q->key),
		.outcome = end->outcome,
		.retry_after_ms = end->retry_after_ms,
	};

	if (worked)
		a.worked = *worked;
	if (end->outcome == LOOKUP_FOUND)
		inquiry_result(found, &a.found);
	else
		(void)err_set(&a.reason, -EIO, "%s", why);
	report_lookup(q->source, lookup_outcome_name(end->outcome));
	l->sink.answer(l->sink.ctx, &a);
	lookup_answer_done(&a);
}

/* Before the source's lookups have worked once, "no such customer" is more likely a wrong URL. */
static void weigh_gone(const struct place *p, struct ending *end, char *why, size_t size)
{
	CLEANUP(mem_freep) char *said = NULL;

	if (end->outcome != LOOKUP_GONE || p->worked)
		return;
	end->outcome = LOOKUP_PARKED;
	end->word = UPSTREAM_REFUSED;
	said = mem_str(why);
	reason_text(why, size, NULL, "%s, and no lookup of this source has worked yet: the base_url may be wrong",
		    said);
}

/* The end of a message: where new credentials are written. */
static const char *mend_of(const struct source *s)
{
	const struct secret *secret = s->lookup_password ? s->lookup_password : s->lookup_token;

	return secret ? secret_mend(secret) : "the source's `lookup`, then reload";
}

/* parks: how often it had been parked before. */
static void place_heard(struct place *p, const struct walk *w, const struct ending *end, unsigned parks,
			const char *why, int64_t now_ms)
{
	const struct report_park park = {.why = why,
					 .status = end->status,
					 .credentials = end->status == 401 || end->secret,
					 .mend = mend_of(w->source)};

	if (p->upstream.parks != parks)
		report_parked(&p->report, &park);
	if (end->word == UPSTREAM_USEFUL) {
		if (p->report.parked && w->asked.epoch == p->upstream.epoch)
			report_opened(&p->report);
		report_answered(&p->report);
	} else if (end->outcome == LOOKUP_RETRY && end->word == UPSTREAM_TROUBLE) {
		report_failed(&p->report, end->tells ? REPORT_REMEDY : REPORT_UNREACHED, why, now_ms);
	}
}

static void place_look_at_pause(struct place *p, int64_t now_ms)
{
	report_pause(&p->report, p->upstream.paused_until_ms, "Retry-After", now_ms);
}

static void place_tell(struct place *p, const struct lookup_sink *sink, int64_t now_ms)
{
	unsigned window = p->configured ? upstream_window(&p->upstream, now_ms) : 0;
	struct report *r = &p->report;

	if (report_window(r, window, upstream_is_for_new(&p->upstream), p->configured ? NULL : "not configured"))
		sink->window(sink->ctx, r->name, r->told_window, r->told_for_new, r->told_reason);
}

/* The state first, then the window, then the answer: whoever is freed by the answer must know the window. */
static void walk_end(struct walk *w, struct ending end, const char *reason)
{
	struct lookup *l = w->owner;
	struct place *p = w->place;
	unsigned parks = p->upstream.parks;
	CLEANUP(strikes_unrefp) struct strikes *secrets = known_secrets();
	int64_t now_ms = clock_mono_ms();
	char why[REASON_MAX];

	reason_text(why, sizeof(why), secrets, "%s", reason ? reason : "");
	if (w->asked.epoch == p->upstream.epoch && w->inquiry && inquiry_was_heard(w->inquiry))
		p->worked = true;
	weigh_gone(p, &end, why, sizeof(why));
	if (end.outcome == LOOKUP_PARKED && w->asked.epoch != p->upstream.epoch)
		end.outcome = LOOKUP_RETRY; /* other credentials were refused, not the present ones */
	upstream_answered(&p->upstream, w->asked, end.word, w->customer, end.retry_after_ms, now_ms);
	place_heard(p, w, &end, parks, why, now_ms);
	place_look_at_pause(p, now_ms);
	walk_unlink(w);
	place_tell(p, &l->sink, now_ms);
	answer(l, w->q, &end, w->inquiry, p->worked ? &p->mark : NULL, why);
	walk_free(w);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void walk_step(struct walk *w);

static struct ending ended(enum lookup_outcome outcome, enum upstream_word word)
{
	return (struct ending){.outcome = outcome, .word = word, .retry_after_ms = -1};
}

/* No usable answer. True where the step may fail, and is left behind. */
static bool walk_skips(struct walk *w)
{
	if (!inquiry_step_is_optional(w->inquiry))
		return false;
	inquiry_skip(w->inquiry);
	return true;
}

static void walk_failed(struct walk *w, const struct http_reply *reply)
{
	struct ending end = ended(LOOKUP_RETRY, UPSTREAM_TROUBLE);
	char reason[HTTP_WHY_MAX];

	if (reply->failure == HTTP_ABORTED) {
		walk_end(w, ended(LOOKUP_RETURNED, UPSTREAM_TROUBLE), "stopped before the answer came");
		return;
	}
	if (walk_skips(w)) {
		walk_step(w);
		return;
	}
	if (reply->failure == HTTP_TOO_LONG) {
		(void)snprintf(reason, sizeof(reason), "the answer is longer than %d KiB", LOOKUP_ANSWER_MAX / 1024);
		walk_end(w, ended(LOOKUP_ODD, UPSTREAM_ODD), reason);
		return;
	}
	end.tells = http_why_tells_remedy(reply->failure);
	walk_end(w, end,
		 http_why(reply,
			  w->source->lookup_ca ? "no authority in the source's `lookup.ca` signed it"
					       : "no authority that is trusted signed it: name its file in the "
						 "source's `lookup.ca`, or add it to the system's store",
			  reason));
}

static char *struck_or_null(const char *text)
{
	CLEANUP(mem_freep) char *part = text ? mem_strn(text, strnlen(text, HEADER_SHOWN_MAX)) : NULL;

	return part ? known_strike(part) : NULL;
}

static void walk_answered(struct walk *w, const struct http_reply *reply)
{
	CLEANUP(mem_freep) char *location = struck_or_null(pairs_get(&reply->headers, "Location"));
	CLEANUP(mem_freep) char *type = struck_or_null(reply->type);
	struct ending end = {.status = reply->status, .retry_after_ms = -1};
	struct err reason = {0};

	/* Their words stand cut in the reason, where a part of a secret is not recognised any more. */
	inquiry_location(w->inquiry, location);
	switch (inquiry_answer(w->inquiry, reply->status, type, reply->body.data, reply->body.len, &reason)) {
	case INQUIRY_ON:
	case INQUIRY_MOVED:
		walk_step(w);
		return;
	case INQUIRY_GONE:
		end.outcome = LOOKUP_GONE;
		end.word = UPSTREAM_USEFUL;
		break;
	case INQUIRY_PARK:
		end.outcome = LOOKUP_PARKED;
		end.word = UPSTREAM_REFUSED;
		break;
	case INQUIRY_RETRY:
		end.outcome = LOOKUP_RETRY;
		end.word = reply->status == 429 ? UPSTREAM_THROTTLED : UPSTREAM_TROUBLE;
		end.retry_after_ms = retry_after_ms(&reply->headers);
		break;
	case INQUIRY_ODD:
		end.outcome = LOOKUP_ODD;
		end.word = UPSTREAM_ODD;
		break;
	}
	walk_end(w, end, reason.text);
}

/* Of an error page that is too long, the status says all. */
static bool tells_enough(const struct http_reply *reply)
{
	return reply->failure == HTTP_OK ||
	       (reply->failure == HTTP_TOO_LONG && (reply->status < 200 || reply->status > 299));
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct walk *w = ctx;

	if (!w->owner)
		walk_free(w);
	else if (tells_enough(reply))
		walk_answered(w, reply);
	else
		walk_failed(w, reply);
}

static int walk_ask(struct walk *w, const char *url, const struct pairs *headers, struct err *reterr)
{
	struct http_ask ask = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.connect_timeout_ms = w->owner->options.connect_ms,
		.timeout_ms = w->owner->options.timeout_ms,
		.max_answer = LOOKUP_ANSWER_MAX,
		.authorities = w->source->lookup_ca,
	};

	return http_client_start(w->owner->client, &ask, on_reply, w, reterr);
}

/* r: why no step is asked any more; 1: all were. */
static void walk_is_over(struct walk *w, int r, struct err *why)
{
	struct ending end = ended(LOOKUP_FOUND, UPSTREAM_USEFUL);

	if (r > 0 && inquiry_is_in_vain(w->inquiry, why)) {
		end.outcome = LOOKUP_GONE;
	} else if (r == -EACCES) {
		end = ended(LOOKUP_PARKED, UPSTREAM_REFUSED);
		end.secret = true;
	} else if (r == -ENOENT && inquiry_was_heard(w->inquiry)) {
		end.outcome = LOOKUP_GONE; /* the helpdesk named nobody to ask on about */
	} else if (r == -ENOENT) {
		end = ended(LOOKUP_ODD, UPSTREAM_TROUBLE); /* the webhook's own lack */
	} else if (r < 0) {
		end = ended(LOOKUP_ODD, UPSTREAM_ODD);
	}
	walk_end(w, end, why->text);
}

/* Asks the next step; ends the walk where there is none. Steps that cannot be asked and may fail are left behind. */
static void walk_step(struct walk *w)
{
	const struct inquiry_secrets secrets = {
		.user = w->source->lookup_user,
		.password = w->source->lookup_password ? secret_value(w->g->secrets, w->source->lookup_password) : NULL,
		.token = w->source->lookup_token ? secret_value(w->g->secrets, w->source->lookup_token) : NULL,
	};
	struct err why = {0};
	int r;

	do {
		CLEANUP(mem_freep) char *url = NULL;
		struct pairs headers = {0};

		r = inquiry_next(w->inquiry, &secrets, &url, &headers, &why);
		if (r == 0)
			r = walk_ask(w, url, &headers, &why);
		pairs_done(&headers);
	} while (r < 0 && walk_skips(w));

	if (r != 0)
		walk_is_over(w, r, &why);
}

/* ---- the face ---------------------------------------------------------------------------------------------------- */

struct lookup *lookup_new(struct http_client *client, const struct lookup_sink *sink,
			  const struct lookup_options *options)
{
	struct lookup *l = mem_new(1, sizeof(*l));

	l->client = client;
	l->sink = *sink;
	l->options = (struct lookup_options){LOOKUP_CONNECT_MS, LOOKUP_TIMEOUT_MS};
	if (options && options->connect_ms > 0)
		l->options.connect_ms = options->connect_ms;
	if (options && options->timeout_ms > 0)
		l->options.timeout_ms = options->timeout_ms;
	return l;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	/* Transfers cannot be called back: each walk waits for its own and is freed there. */
	while (l->walks) {
		struct walk *w = l->walks;
		struct ending end;

		walk_unlink(w);
		end = ended(LOOKUP_RETURNED, UPSTREAM_TROUBLE);
		answer(l, w->q, &end, NULL, NULL, "stopped before the answer came");
	}
	places_free(&l->places);
	generation_unref(l->g);
	free(l);
}

static bool has_lookup(const struct source *s)
{
	return s && definition_has_lookup(s->definition);
}

static bool secret_changed(const struct generation *old, const struct generation *g, const struct secret *secret)
{
	return secret && !text_is(secret_value(old->secrets, secret), secret_value(g->secrets, secret));
}

/* A reload asks again at once, as what was mended may be over there; other credentials are a new beginning. */
static void place_configure(struct place *p, const struct source *s, const struct generation *old,
			    const struct generation *g)
{
	bool reloaded = !old || old->config != g->config; /* changed secrets come with the same configuration */

	p->configured = true;
	place_mark(p, s, g);
	if (reloaded) {
		upstream_renew(&p->upstream);
	} else if (secret_changed(old, g, s->lookup_password) || secret_changed(old, g, s->lookup_token)) {
		upstream_renew(&p->upstream);
		report_unparked(&p->report);
	}
}

void lookup_generation(struct lookup *l, struct generation *g)
{
	int64_t now_ms = clock_mono_ms();
	struct generation *old = l->g;

	l->g = generation_ref(g);
	for (struct place *p = l->places.first; p; p = p->next)
		p->configured = p->report.told = false;
	for (size_t i = 0; i < g->config->sources_n; i++) {
		const struct source *s = &g->config->sources[i];

		if (has_lookup(s))
			place_configure(places_get(&l->places, s->name), s, old, g);
	}
	for (struct place *p = l->places.first; p; p = p->next) {
		if (!p->configured)
			report_unparked(&p->report);
		place_look_at_pause(p, now_ms);
		place_tell(p, &l->sink, now_ms);
	}
	places_sweep(&l->places);
	generation_unref(old);
}

/* A question that came too late for the window is given back. */
static bool turned_away(struct lookup *l, const struct lookup_question *q, struct place *p)
{
	struct ending end = ended(LOOKUP_RETURNED, UPSTREAM_TROUBLE);
	const char *why = "the source has no lookup configured";

	if (p && p->configured) {
		if (p->upstream.in_flight < upstream_window(&p->upstream, clock_mono_ms()) &&
		    (q->is_new || !upstream_is_for_new(&p->upstream)))
			return false;
		end.outcome = LOOKUP_LATE;
		why = p->report.parked ? p->report.parked : "the helpdesk is not to be asked now";
	}
	answer(l, q, &end, NULL, NULL, why);
	return true;
}

static uint64_t digest_of(const char *text)
{
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();
	uint64_t n;

	digest_add(d, text, strlen(text));
	digest_end(d, sha);
	memcpy(&n, sha, sizeof(n));
	return n;
}

void lookup_ask(struct lookup *l, struct lookup_question *q)
{
	struct place *p = places_find(&l->places, q->source);
	struct walk *w;
	struct err why;

	if (p)
		place_recall(p, &q->worked);
	if (turned_away(l, q, p)) {
		question_free(q);
		return;
	}
	w = mem_new(1, sizeof(*w));
	w->owner = l;
	w->place = p;
	w->g = generation_ref(l->g);
	w->source = config_source(l->g->config, q->source);
	w->q = q;
	w->asked = upstream_sent(&p->upstream);
	w->customer = digest_of(q->webhook.customer ? q->webhook.customer : q->key);
	w->next = l->walks;
	if (l->walks)
		l->walks->prev = w;
	l->walks = w;
	l->under_way++;
	w->parsed = parsed_new(w->source->definition, &q->webhook, NULL);
	if (!w->parsed->is_open)
		walk_end(w, ended(LOOKUP_ODD, UPSTREAM_TROUBLE), w->parsed->reading.reason.text);
	else if (inquiry_new(w->source->definition, &w->parsed->scope, &w->inquiry, &why) < 0)
		walk_end(w, ended(LOOKUP_ODD, UPSTREAM_TROUBLE), why.text);
	else
		walk_step(w);
}

int64_t lookup_tick(struct lookup *l, int64_t now_ms)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (struct place *p = l->places.first; p; p = p->next) {
		int64_t again_ms = p->configured ? upstream_tick(&p->upstream, now_ms) : CLOCK_NEVER_MS;

		if (again_ms < next_ms)
			next_ms = again_ms;
		place_look_at_pause(p, now_ms);
		place_tell(p, &l->sink, now_ms);
	}
	return next_ms;
}

unsigned lookup_under_way(const struct lookup *l)
{
	return l->under_way;
}

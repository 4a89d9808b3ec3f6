/*
 * A sample with values of one's own: what `deskbridge sample` sends.
 */
#include <config.h>

#include "helpdesk/definition_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* now_ms as the sample writes it: ISO 8601, or the seconds or milliseconds since 1970. */
static char *sample_time(const char *like, int64_t now_ms)
{
	char iso[CLOCK_ISO_MAX];
	const char *point;

	if (strspn(like, "0123456789.") != strlen(like)) {
		clock_iso(now_ms, iso);
		return mem_fmt("%.19s.%03dZ", iso, (int)(now_ms % 1000));
	}
	point = strchr(like, '.');
	if ((point ? (size_t)(point - like) : strlen(like)) >= 12)
		return mem_fmt("%lld", (long long)now_ms);
	if (point)
		return mem_fmt("%lld.%03d", (long long)(now_ms / 1000), (int)(now_ms % 1000));
	return mem_fmt("%lld", (long long)(now_ms / 1000));
}

static void sample_put_time(const struct definition *d, struct json_object *body, const struct scope *s, int64_t now_ms)
{
	CLEANUP(mem_freep) char *like = d->time ? fact_text(d->time, s) : NULL;
	CLEANUP(mem_freep) char *text = NULL;

	if (!like)
		return;
	text = sample_time(like, now_ms);
	(void)fact_put(d->time, body, text);
}

/* A number where the desk's ids are numbers: reference_put keeps them so. */
static void sample_put_delivery(const struct definition *d, struct json_object *body, const struct scope *s,
				enum transition t, int64_t now_ms)
{
	CLEANUP(mem_freep) char *like = d->delivery ? fact_text(d->delivery, s) : NULL;
	CLEANUP(mem_freep) char *text = NULL;

	if (!like)
		return;
	if (strspn(like, "0123456789") == strlen(like))
		text = mem_fmt("%lld", (long long)(now_ms * 10 + (int)t));
	else
		text = mem_fmt("sample-%s-%lld", transition_name(t), (long long)now_ms);
	(void)fact_put(d->delivery, body, text);
}

int definition_sample_fill(const struct definition *d, enum transition t, const struct sample_wish *wish,
			   struct sample *ret)
{
	const struct sample *sample = t < TRANSITION_EXPIRED && d->samples[t].body ? &d->samples[t] : NULL;
	CLEANUP(json_putp) struct json_object *body = NULL;
	struct scope s = {0};

	if (!sample || json_read(sample->body, strlen(sample->body), &body, NULL) < 0)
		return -ENOENT;
	s = (struct scope){.item = body, .root = body, .headers = &sample->headers};
	/* Delivery and time first: where one place says both, what was asked for stays. */
	sample_put_delivery(d, body, &s, t, wish->now_ms);
	sample_put_time(d, body, &s, wish->now_ms);
	if (wish->customer && d->customer)
		(void)fact_put(d->customer, body, wish->customer);
	if (wish->email && d->emails)
		(void)reference_put(d->emails, body, wish->email);
	if (wish->conversation)
		(void)fact_put(d->conversation, body, wish->conversation);
	*ret = (struct sample){.body = json_text(body), .query = mem_str(sample->query)};
	for (size_t i = 0; i < sample->headers.n; i++)
		pairs_add(&ret->headers, sample->headers.items[i].name, sample->headers.items[i].value);
	return 0;
}

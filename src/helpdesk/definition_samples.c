/*
 * A definition's own samples: compiled, and read by the very code that reads webhooks.
 */
#include <config.h>

#include "helpdesk/definition_reader.h"

#include <string.h>

#include "helpdesk/keys.h"
#include "helpdesk/signal.h"

/* When a sample counts as received: later than any time in it. */
#define SAMPLE_RECEIVED_MS INT64_C(253402300799000)

static void run_sample(struct reader *r, const struct node *n, enum transition t)
{
	const struct sample *s = &r->d->samples[t];
	struct webhook w = {.query = s->query,
			    .headers = s->headers,
			    .body = s->body,
			    .body_len = strlen(s->body),
			    .received_ms = SAMPLE_RECEIVED_MS};
	struct reading reading;

	reading_make(r->d, &w, NULL, &reading);
	if (reading.kind == READING_UNREADABLE)
		problems_error(r->problems, n, "this sample is not readable: %s", reading.reason.text);
	else if (reading.kind != READING_SIGNAL)
		problems_error(r->problems, n, "this sample should read as %s, but says nothing (%s)",
			       transition_name(t), reading.kind == READING_PING ? "a ping" : "no matcher holds");
	else if (reading.signal.transition != t)
		problems_error(r->problems, n, "this sample should read as %s, but reads as %s", transition_name(t),
			       transition_name(reading.signal.transition));
	reading_done(&reading);
}

void reader_read_samples(struct reader *r)
{
	static const char *const known[] = {"opened", "reopened", "closed", NULL};
	const struct node *samples = node_get(r->n, "samples");
	size_t errors = r->problems->errors;
	enum transition t;

	if (!samples)
		return;
	if (samples->type != NODE_MAP) {
		problems_error(r->problems, samples, "expected a mapping from transitions to bodies, not %s",
			       node_kind(samples));
		return;
	}
	keys_check(samples, known, r->problems);
	for (size_t i = 0; i < samples->n && r->problems->errors == errors; i++) {
		if (transition_parse(samples->items[i]->key, &t) < 0)
			continue;
		sample_compile(&r->d->samples[t], samples->items[i], r->problems);
		if (r->d->samples[t].body)
			run_sample(r, samples->items[i], t);
	}
}

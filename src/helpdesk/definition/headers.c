/*
 * Which headers belong to a stored webhook: those that some part of the definition looks at.
 */
#include <config.h>

#include "helpdesk/definition/definition_reader.h"

#include <string.h>

static void keep_header(void *ctx, const struct reference *reference)
{
	struct reader *r = ctx;
	const char *name = reference_header(reference);

	if (!name || pairs_get(&r->d->headers, name))
		return;
	if (text_same(name, proof_secret_header(r->d->proof)))
		problems_error(r->problems, r->n, "\"header:%s\" carries the secret, so no webhook keeps it", name);
	pairs_add(&r->d->headers, name, "");
}

void reader_read_headers(struct reader *r)
{
	const struct definition *d = r->d;
	const struct fact *facts[] = {d->conversation, d->delivery, d->customer, d->time, d->created, d->closed_at};

	definition_matcher_references(d, keep_header, r);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (facts[i])
			fact_references(facts[i], keep_header, r);
	email_places_references(&d->emails, keep_header, r);
	for (size_t i = 0; i < d->steps_n; i++)
		step_references(&d->steps[i], keep_header, r);
	attributes_references(d->attributes, keep_header, r);
	links_references(d->conversation_url, keep_header, r);
}

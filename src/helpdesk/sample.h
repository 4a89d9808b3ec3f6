/*
 * sample: one example of a helpdesk's webhook, as a definition's `samples` give it. Pure.
 *
 * Either the body (a block of JSON text, or YAML that becomes JSON), or {body, headers, query} where headers or the
 * query say something too.
 */
#ifndef HELPDESK_SAMPLE_H
#define HELPDESK_SAMPLE_H

#include <stdint.h>

#include "base/node.h"
#include "base/problems.h"
#include "base/text.h"

struct sample {
	char *body; /* NULL: there is none */
	struct pairs headers;
	char *query; /* "" where none */
};

/* What a sample is to say instead of its own values. */
struct sample_wish {
	const char *conversation, *customer, *email; /* NULL: as in the sample */
	int64_t now_ms;
};

void sample_compile(struct sample *s, const struct node *n, struct problems *problems);
void sample_done(struct sample *s);

#endif

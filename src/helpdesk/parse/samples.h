/* SPDX-License-Identifier: MIT */
/*
 * samples: a definition's own examples of webhooks: read as tests when it is compiled, sent by `deskbridge sample`.
 * Pure.
 */
#ifndef HELPDESK_PARSE_SAMPLES_H
#define HELPDESK_PARSE_SAMPLES_H

#include <stdint.h>

#include "helpdesk/definition/definition.h"

/*
 * definition_compile, and then the samples, read by the same code that reads webhooks: each must say what it should,
 * together they must reach every transition, and every reference must find something in one of them. NULL where there
 * were errors.
 */
struct definition *definition_read(const struct node *n, const struct definition_binding *binding,
				   struct problems *problems);

/* What a sample is to say instead of its own values. */
struct sample_values {
	const char *conversation, *customer, *email; /* NULL: as in the sample */
	int64_t now_ms;
};

/*
 * The sample of that transition with what values says (conversation, customer, email: NULL: as in the sample), a
 * fresh delivery id and the time now_ms in the sample's own form, wherever the definition reads them: body, header or
 * query. Where the body is the delivery, a member "deskbridge_sample" makes it another one. The body is one line. *ret
 * is the caller's (sample_done). -ENOENT where there is no sample.
 */
int definition_sample_fill(const struct definition *d, enum transition t, const struct sample_values *values,
			   struct sample *ret) MUSTCHECK;

#endif

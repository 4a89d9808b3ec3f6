/* SPDX-License-Identifier: MIT */
/*
 * samples: a definition's own examples of webhooks. They are read as tests when it is compiled, and sent by `deskbridge
 * sample`. Pure.
 */
#ifndef HELPDESK_PARSE_SAMPLES_H
#define HELPDESK_PARSE_SAMPLES_H

#include <stdint.h>

#include "helpdesk/definition/definition.h"

/*
 * As definition_compile, and reads the samples with the code that reads webhooks: each must read as what its key in
 * `samples` says, together they must reach every transition, and every reference must find a value in one of them.
 * Returns NULL with errors in problems.
 */
struct definition *definition_read(const struct node *n, const struct definition_binding *binding,
				   struct problems *problems);

/* Values that replace those of a sample. */
struct sample_values {
	const char *conversation, *customer, *email; /* NULL: as in the sample */
	int64_t now_ms;
};

/*
 * Fills *ret with the sample of that transition, with the given values, a fresh delivery id, and now_ms in the sample's
 * own time format, wherever the definition reads them: body, header or query. Where the body is the delivery, a member
 * "deskbridge_sample" makes it a new one. The body is one line. The caller owns *ret (sample_done). -ENOENT: no such
 * sample.
 */
int definition_sample_fill(const struct definition *d, enum transition t, const struct sample_values *values,
			   struct sample *ret) MUSTCHECK;

#endif

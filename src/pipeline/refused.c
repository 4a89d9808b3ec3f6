#include <config.h>

#include "pipeline/refused.h"

#include <stdio.h>

/* " (3 of them)", or nothing. out: 32 bytes. */
static const char *of_them(size_t n, char *out)
{
	out[0] = '\0';
	if (n > 1)
		(void)snprintf(out, 32, " (%zu of them)", n);
	return out;
}

void refused_note(struct tally *t, const struct log_about *about, const struct addresses *a)
{
	struct log_about line = *about;
	char many[32];

	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++) {
		const struct addresses_refused *r = &a->refused[f];

		if (r->n == 0)
			continue;
		line.reason = email_fault_name(f);
		tally_add_many(t, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, r->n);
		tally_log_rare(t, LOG_NOTICE, &line, "a text is no address and was passed over: %s%s", r->shown,
			       of_them(r->n, many));
	}
	if (a->left_out == 0)
		return;
	line.reason = ADDRESSES_TOO_MANY;
	tally_add_many(t, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, a->left_out);
	tally_log_rare(t, LOG_WARNING, &line, "%zu address%s left out: a customer has at most %d here", a->left_out,
		       a->left_out == 1 ? " was" : "es were", ADDRESSES_MAX);
}

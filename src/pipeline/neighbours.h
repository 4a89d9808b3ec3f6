/*
 * neighbours: the other pending webhooks of a conversation, as settle's rule (decision/settle.h) meets them.
 */
#ifndef PIPELINE_NEIGHBOURS_H
#define PIPELINE_NEIGHBOURS_H

#include "decision/settle.h"
#include "helpdesk/parse/parsed.h"
#include "pipeline/work.h"

/* Inside the webhook's savepoint. Ends those that are over, changes *e and saves the conversation where it did.
 * ret_until_ms: of SETTLE_HELD. */
int neighbours_settle(struct work *w, const struct source *s, const struct webhook *webhook,
		      const struct signal *signal, struct ledger_entry *e, const struct reached_list *reached,
		      enum settle_verdict *ret, int64_t *ret_until_ms, struct err *reterr) MUSTCHECK;

#endif

/*
 * settle: a transition counts only once it has lasted so long (DESIGN section 10).
 *
 * A signal that would change the state is held until its time + settle. An opposite one that comes within that time
 * ends it (`settled`: its time is taken as seen, nothing else), and itself where the state says so already. A signal
 * that is older than a held one goes to the ledger before it.
 */
#ifndef PIPELINE_SETTLE_H
#define PIPELINE_SETTLE_H

#include "helpdesk/parse/parsed.h"
#include "pipeline/work.h"

enum settle_verdict {
	SETTLE_ON,     /* goes to the ledger now */
	SETTLE_HELD,   /* waits until *ret_until_ms */
	SETTLE_BEHIND, /* an earlier one of its conversation must go first */
	SETTLE_ENDED,  /* is over: `settled` */
};

/* Whether this source holds anything at all. */
bool settle_applies(const struct source *s);

/* Inside the webhook's savepoint. Ends older ones, changes *e and saves the conversation where it did. */
int settle_run(struct work *w, const struct source *s, const struct webhook *webhook, const struct signal *signal,
	       struct ledger_entry *e, const struct reached_list *reached, enum settle_verdict *ret,
	       int64_t *ret_until_ms, struct err *reterr) MUSTCHECK;

#endif

#include <config.h>

#include "pipeline/turn_parts.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "pipeline/lookups.h"
#include "pipeline/refused.h"

_Static_assert(STORE_MARK_BYTES == LOOKUP_MARK_BYTES, "the store keeps marks as they are");

/* An answer that cannot be kept is asked for again: by the webhook that waits for it. */
static int keep_customer(struct work *w, const struct lookup_answer *a, struct err *reterr)
{
	struct err e = {0};
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = store_customer_save(w->store, a->source, a->key, &a->found, w->now_ms, &e);
	if (r == 0) {
		refused_note(w->tally, &(struct log_about){.source = a->source}, &a->found.addresses);
		return work_savepoint_keep(w, reterr);
	}
	work_savepoint_undo(w);
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	log_error(&(struct log_about){.source = a->source, .reason = e.text}, "a lookup's answer cannot be kept");
	return 0;
}

/* That the source's lookups work, where that is news. */
static int keep_worked(struct work *w, const struct lookup_answer *a, struct err *reterr)
{
	unsigned char kept[STORE_MARK_BYTES];
	struct err why;
	int r;

	if (!a->worked.is_set)
		return 0;
	r = store_lookups_worked(w->store, a->source, kept, &why);
	if (r < 0 && r != -ENOENT)
		return err_set(reterr, r, "%s", why.text);
	if (r == 0 && memcmp(kept, a->worked.bytes, sizeof(kept)) == 0)
		return 0;
	return store_lookups_save_worked(w->store, a->source, a->worked.bytes, reterr);
}

static int apply_answer(struct work *w, struct lookup_answer *a, struct err *reterr)
{
	const char *customer;
	int r = keep_worked(w, a, reterr);

	if (r == 0 && a->outcome == LOOKUP_FOUND)
		r = keep_customer(w, a, reterr);
	if (r < 0)
		return r;
	if (a->outcome == LOOKUP_FOUND || a->outcome == LOOKUP_GONE)
		lookups_were_useful(w->lookups, a->source, w->now_ms);
	customer = lookups_answered(w->lookups, a);
	if (a->parsed)
		readings_keep(w->readings, w->config, TAKE(a->parsed), false);
	return store_webhooks_release(w->store, a->source, STORE_WAIT_LOOKUP, customer, reterr);
}

int turn_apply_answers(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct mail *m = t->answers.first; m; m = m->next) {
		int r = apply_answer(w, ((struct answer_mail *)m)->answer, reterr);

		if (r < 0)
			return r;
		w->changed = true;
	}
	return 0;
}

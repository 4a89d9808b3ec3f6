#include <config.h>

#include "pipeline/turn_parts.h"

#include "pipeline/dispatch.h"
#include "pipeline/lookups.h"
#include "pipeline/results.h"

int turn_apply_deliveries(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct mail *m = t->deliveries.first; m; m = m->next) {
		int r = results_apply(w, ((struct delivery_mail *)m)->delivery, reterr);

		if (r < 0)
			return r;
		t->changed = true;
	}
	return 0;
}

void turn_return_deliveries(struct turn *t)
{
	struct mail *m;

	while ((m = mails_take(&t->deliveries))) {
		const struct delivery *d = ((struct delivery_mail *)m)->delivery;

		dispatch_returned(t->dispatch, d->account, d->event);
		mails_free(m);
	}
}

static int apply_answer(struct work *w, const struct lookup_answer *a, struct err *reterr)
{
	const char *customer;

	if (a->outcome == LOOKUP_FOUND) {
		int r = store_customer_save(w->store, a->source, a->key, &a->found, w->now_ms, reterr);

		if (r < 0)
			return r;
	}
	customer = lookups_answered(w->lookups, a);
	return store_webhooks_release(w->store, a->source, STORE_WAIT_LOOKUP, customer, reterr);
}

int turn_apply_answers(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct mail *m = t->answers.first; m; m = m->next) {
		int r = apply_answer(w, ((struct answer_mail *)m)->answer, reterr);

		if (r < 0)
			return r;
		t->changed = true;
	}
	return 0;
}

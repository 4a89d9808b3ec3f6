#include <config.h>

#include "pipeline/turn_parts.h"

#include "base/log.h"

static int insert_item(struct turn *t, struct intake_item *item, struct err *reterr)
{
	int r;

	if (!item->kept) {
		item->result = INTAKE_IGNORED;
		return 0;
	}
	r = store_webhook_insert(t->store, &item->webhook, item->dead_reason, item->ignored ? "ignored" : NULL, reterr);
	if (r < 0)
		return r;
	item->result = r > 0 ? INTAKE_DUPLICATE : item->ignored ? INTAKE_IGNORED : INTAKE_ACCEPTED;
	t->inserted += r == 0;
	t->changed = true;
	return 0;
}

/* All of one POST, or nothing of it: then it alone is refused. */
static int insert_submission(struct turn *t, struct intake_submission *s, struct err *reterr)
{
	struct err e = {0};
	int r = store_savepoint(t->store, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = insert_item(t, &s->items[i], &e);
	if (r == 0)
		return store_savepoint_keep(t->store, reterr);
	store_savepoint_undo(t->store);
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	log_error(NULL, "a webhook cannot be kept and was refused: %s", e.text);
	s->refused = true;
	return 0;
}

static void show_full(struct turn *t, const struct err *why)
{
	t->full = why != NULL;
	if (!standing_set_ready(t->standing, why))
		return;
	if (why)
		log_error(NULL, "webhooks are refused with 503: %s", why->text);
	else
		log_notice(NULL, "webhooks are taken again");
}

int turn_insert_submissions(struct turn *t, struct err *reterr)
{
	struct err why = {0};
	bool full = store_may_take(t->store, &why) < 0;

	show_full(t, full ? &why : NULL);
	for (struct mail *m = t->submissions.first; m; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;
		int r = 0;

		s->refused = full;
		if (!full)
			r = insert_submission(t, s, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

void turn_answer_submissions(struct turn *t, bool refused)
{
	struct mail *m;

	while ((m = mails_take(&t->submissions))) {
		struct intake_submission *s = (struct intake_submission *)m;

		s->refused = s->refused || refused;
		s->answered(s);
	}
}

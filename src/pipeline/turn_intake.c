#include <config.h>

#include "pipeline/turn_parts.h"

#include "base/log.h"
#include "decision/settle.h"

/* What settle looks at of a webhook that waits. */
static int keep_time(struct work *w, const struct webhook *webhook, struct err *reterr)
{
	const struct source *s = config_source(w->config, webhook->source);

	if (!s || !settle_applies(&s->policy))
		return 0;
	return store_webhook_time_save(w->store, webhook->id, webhook->time_ms, webhook->undated, reterr);
}

static int insert_item(struct work *w, struct intake_item *item, struct err *reterr)
{
	int r;

	if (!item->kept) {
		item->result = INTAKE_IGNORED;
		return 0;
	}
	r = store_webhook_insert(w->store, &item->parsed->webhook, item->dead_reason, item->ignored ? "ignored" : NULL,
				 reterr);
	if (r < 0)
		return r;
	item->id = item->parsed->webhook.id;
	item->result = r > 0 ? INTAKE_DUPLICATE : item->ignored ? INTAKE_IGNORED : INTAKE_ACCEPTED;
	w->inserted += r == 0;
	w->changed = true;
	if (r == 0 && (item->dead_reason || item->ignored)) /* it has come to its end already */
		tally_add(w->tally, METRIC_WEBHOOK_RESULTS, item->parsed->webhook.source,
			  item->dead_reason ? WORK_DEAD : WORK_IGNORED, NULL);
	return item->result == INTAKE_ACCEPTED && !item->dead_reason ? keep_time(w, &item->parsed->webhook, reterr) : 0;
}

/* What was stored is ready for its pass. */
static void keep_parsed(struct work *w, struct intake_submission *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct intake_item *item = &s->items[i];

		if (item->kept && item->result == INTAKE_ACCEPTED && !item->dead_reason)
			readings_keep(w->readings, w->config, TAKE(item->parsed), false);
	}
}

/* All of one POST, or nothing of it: then it alone is refused. */
static int insert_submission(struct work *w, struct intake_submission *s, struct err *reterr)
{
	struct err e = {0};
	int r = work_savepoint(w, reterr);
	size_t i;

	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < s->n; i++)
		r = insert_item(w, &s->items[i], &e);
	if (r == 0) {
		r = work_savepoint_keep(w, reterr);
		if (r == 0)
			keep_parsed(w, s);
		return r;
	}
	work_savepoint_undo(w);
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	log_error(&((struct log_about){.source = s->items[i - 1].parsed->webhook.source,
				       .conversation = s->items[i - 1].parsed->webhook.conversation,
				       .reason = e.text}),
		  "a webhook cannot be kept and was refused");
	s->refused = true;
	return 0;
}

int turn_insert_submissions(struct turn *t, struct work *w, struct err *reterr)
{
	bool room = room_look(&t->room, t->retry_ms != 0);

	for (struct mail *m = t->submissions.first; m; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;
		int r = 0;

		s->refused = !room || !room_has(&t->room, s);
		if (!s->refused)
			r = insert_submission(w, s, reterr);
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

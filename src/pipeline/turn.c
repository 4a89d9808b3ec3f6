/*
 * Order inside a turn: new webhooks, outcomes of deliveries, answers of helpdesks, what a new configuration lets go,
 * pending webhooks in order of receipt, expiries, cleaning; commit; then, and only then, whatever others see:
 * metrics, questions to helpdesks, the answers to suspended connections, events to the courier.
 *
 * A turn that fails is rolled back whole. Its webhooks are refused (their senders try again), its results stay in line
 * and go into the next turn; the courier is stalled until a commit works again.
 *
 * Runs on the pipeline's thread. Nothing here survives a crash but what was committed.
 */
#include <config.h>

#include "pipeline/turn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "decision/settle.h"
#include "pipeline/commit.h"
#include "pipeline/dispatch.h"
#include "pipeline/janitor.h"
#include "pipeline/lookups.h"
#include "pipeline/pass.h"
#include "pipeline/readings.h"
#include "pipeline/recovery.h"
#include "pipeline/wall.h"

#define PENDING_US 5000       /* of pending webhooks a turn where nobody waits for its commit; */
#define PENDING_LEAST_US 1000 /* where somebody does, a fifth of the turn, but not less than this */
#define PENDING_SHARE 4       /* a fifth of a turn is a quarter of what the rest takes */
#define RETRY_FIRST_MS 250    /* after a commit that failed; doubles */
#define RETRY_LAST_MS 5000
#define FULL_RECHECK_MS 1000
#define SLOW_COMMIT_US 250000

struct turn {
	struct store *store;
	struct courier *courier;
	struct health *health;
	struct generation *generation;
	struct lookups *lookups;
	struct readings *readings;
	struct dispatch *dispatch;
	struct janitor *janitor;
	struct tally tally;
	struct recovery recovery;
	struct room room;
	struct wall wall;
	struct message_list submissions, deliveries, answers;

	int64_t retry_ms; /* after a failure: not before (clock_mono_ms); 0: the last turn was good */
	int64_t retry_wait_ms;
	bool stopping;
	int64_t commit_us; /* how long the last commit took that wrote something */
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct turn *turn_new(struct store *s, struct generation *g, struct courier *c, struct health *health)
{
	struct turn *t = mem_new(1, sizeof(*t));

	t->store = s;
	t->courier = c;
	t->health = health;
	t->generation = generation_ref(g);
	t->lookups = lookups_new();
	t->readings = readings_new();
	t->dispatch = dispatch_new();
	t->janitor = janitor_new(clock_mono_ms());
	t->recovery = (struct recovery){.until = store_webhook_last_id(s)};
	t->room = (struct room){.store = s, .health = health};
	(void)room_look(&t->room, false); /* /readyz is asked before the first turn */
	janitor_clock(t->janitor, wall_start(&t->wall, s, health));
	return t;
}

static void drop_all(struct message_list *l)
{
	struct message *m;

	while ((m = message_list_take(l)))
		message_free(m);
}

void turn_free(struct turn *t)
{
	if (!t)
		return;
	INSIST(!t->submissions.first);
	drop_all(&t->deliveries);
	drop_all(&t->answers);
	tally_done(&t->tally);
	janitor_free(t->janitor);
	dispatch_free(t->dispatch);
	readings_free(t->readings);
	lookups_free(t->lookups);
	generation_unref(t->generation);
	free(t);
}

static struct work work_of(struct turn *t)
{
	struct work w = {
		.store = t->store,
		.courier = t->courier,
		.commit_us = &t->commit_us,
		.generation = t->generation,
		.config = t->generation->config,
		.lookups = t->lookups,
		.readings = t->readings,
		.dispatch = t->dispatch,
		.tally = &t->tally,
		.guard = &t->wall.guard,
	};

	clock_both_ms(&w.now_ms, &w.mono_ms);
	return w;
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */

void turn_take(struct turn *t, struct message *m)
{
	struct generation_message *generation;
	const struct window_message *window;

	switch ((enum pipeline_message_kind)m->kind) {
	case MESSAGE_SUBMISSION:
		message_list_add(&t->submissions, m);
		return;
	case MESSAGE_DELIVERY:
		message_list_add(&t->deliveries, m);
		return;
	case MESSAGE_ANSWER:
		message_list_add(&t->answers, m);
		return;
	case MESSAGE_WINDOW: /* the courier has logged what is parked, and why */
		window = (const struct window_message *)m;
		if (window->kind == REPORT_ACCOUNT)
			dispatch_window(t->dispatch, window->name, window->window);
		else
			lookups_window(t->lookups, window->name, window->window, window->for_new);
		health_park(t->health, window->kind == REPORT_ACCOUNT ? "account" : "lookups", window->name,
			    window->reason);
		break;
	case MESSAGE_GENERATION:
		generation = (struct generation_message *)m;
		readings_clear(t->readings); /* they were read by the former one's definitions */
		generation_unref(t->generation);
		t->generation = TAKE(generation->generation);
		dispatch_configured(t->dispatch);
		janitor_configured(t->janitor);
		courier_generation(t->courier, t->generation);
		break;
	case MESSAGE_PING:
		health_alive(t->health, HEALTH_PIPELINE, ((struct ping_message *)m)->token);
		break;
	case MESSAGE_LOOK:
		dispatch_stir(t->dispatch, NULL);
		break;
	case MESSAGE_STOP:
		t->stopping = true;
		break;
	}
	message_free(m);
}

/* ---- the beginning of the transaction ---------------------------------------------------------------------------- */

/* After a failure the next commit must show that the disk takes something: an empty one would not. */
static int probe(struct turn *t, struct err *reterr)
{
	int64_t id = store_webhook_last_id(t->store);
	unsigned tries;
	int r;

	if (t->retry_ms == 0 || id == 0)
		return 0;
	r = store_webhook_tries(t->store, id, &tries, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries + 1, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries, reterr);
	return work_is_stores(r) ? r : 0; /* a row that does not read shows nothing of the disk */
}

/* ---- what senders brought ---------------------------------------------------------------------------------------- */

/* True for an item that was inserted and that a pass follows. */
static bool is_pending(const struct intake_item *item)
{
	return item->kept && item->result == INTAKE_ACCEPTED && !item->dead_reason;
}

static int insert_item(struct work *w, struct intake_item *item, struct err *reterr)
{
	const struct webhook *webhook;
	const struct source *s;
	int r;

	if (!item->kept) {
		item->result = INTAKE_IGNORED;
		return 0;
	}
	r = store_webhook_insert(w->store, &item->parsed->webhook, item->dead_reason, item->ignored ? "ignored" : NULL,
				 reterr);
	if (r < 0)
		return r;
	webhook = &item->parsed->webhook;
	item->id = webhook->id;
	item->result = r > 0 ? INTAKE_DUPLICATE : item->ignored ? INTAKE_IGNORED : INTAKE_ACCEPTED;
	w->inserted += r == 0;
	w->changed = true;
	if (r == 0 && (item->dead_reason || item->ignored)) /* it has come to its end already */
		tally_add(w->tally, METRIC_WEBHOOK_RESULTS, webhook->source,
			  item->dead_reason ? WORK_DEAD : WORK_IGNORED, NULL);
	if (!is_pending(item))
		return 0;
	s = config_source(w->config, webhook->source); /* settle looks at the time of a webhook that waits */
	if (!s || !settle_applies(&s->policy))
		return 0;
	return store_webhook_time_save(w->store, webhook->id, webhook->time_ms, webhook->undated, reterr);
}

/*
 * Inserts the submissions from first up to end (NULL: all that follow), or none of them. Those that are refused already
 * are left out. *ret_failed (borrowed): on failure the webhook that cannot be kept, or NULL where none is to blame.
 */
static int insert_range(struct work *w, struct message *first, const struct message *end,
			const struct webhook **ret_failed, struct err *reterr)
{
	unsigned inserted = w->inserted;
	int r = work_savepoint(w, reterr);

	*ret_failed = NULL;
	if (r < 0)
		return r;
	for (struct message *m = first; r == 0 && m != end; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;

		for (size_t i = 0; r == 0 && !s->refused && i < s->n; i++) {
			*ret_failed = &s->items[i].parsed->webhook;
			r = insert_item(w, &s->items[i], reterr);
		}
	}
	r = work_savepoint_end(w, r, reterr);
	if (r < 0) {
		w->inserted = inserted;
		return r;
	}
	*ret_failed = NULL;
	for (struct message *m = first; m != end; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;

		for (size_t i = 0; !s->refused && i < s->n; i++)
			if (is_pending(&s->items[i]))
				readings_keep(w->readings, w->config, TAKE(s->items[i].parsed), false);
	}
	return 0;
}

/* All of one POST, or nothing of it: then it alone is refused. */
static int insert_alone(struct work *w, struct message *m, struct err *reterr)
{
	struct intake_submission *s = (struct intake_submission *)m;
	const struct webhook *failed;
	struct err e = {0};
	int r = insert_range(w, m, m->next, &failed, &e);

	if (r == 0)
		return 0;
	if (!failed || work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	log_error(
		&((struct log_about){.source = failed->source, .conversation = failed->conversation, .reason = e.text}),
		"a webhook cannot be kept and was refused");
	s->refused = true;
	return 0;
}

static int insert_submissions(struct turn *t, struct work *w, struct err *reterr)
{
	bool room = room_look(&t->room, t->retry_ms != 0);
	const struct webhook *failed;
	struct err e = {0};
	int r;

	for (struct message *m = t->submissions.first; m; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;

		s->refused = !room || !room_has(&t->room, s);
	}
	if (!t->submissions.first)
		return 0;
	/* One savepoint for all: SQLite copies each page before a savepoint changes it for the first time. */
	r = insert_range(w, t->submissions.first, NULL, &failed, &e);
	if (r == 0)
		return 0;
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	for (struct message *m = t->submissions.first; m; m = m->next) {
		r = insert_alone(w, m, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what came back ---------------------------------------------------------------------------------------------- */

static int apply_deliveries(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct message *m = t->deliveries.first; m; m = m->next) {
		int r = dispatch_apply(w, ((struct delivery_message *)m)->delivery, reterr);

		if (r < 0)
			return r;
		w->changed = true;
	}
	return 0;
}

/* ---- pending webhooks -------------------------------------------------------------------------------------------- */

static int pass_pending(struct turn *t, struct work *w, int64_t turn_began_us, struct err *reterr)
{
	int64_t began_us = clock_mono_us(), budget_us = (began_us - turn_began_us + t->commit_us) / PENDING_SHARE;
	size_t n = 0, max = room_passes(&t->room);
	int64_t id;
	int r;

	if (budget_us < PENDING_LEAST_US)
		budget_us = PENDING_LEAST_US;
	if (!t->submissions.first)
		budget_us = PENDING_US;
	/* One by one: what a pass ends or lets go changes which is next. */
	while ((r = store_webhooks_ready(w->store, &id, 1, reterr)) > 0) {
		if (recovery_has(&t->recovery, id) || clock_mono_us() - began_us >= budget_us || n >= max) {
			w->more = w->more || max > 0; /* without room they wait until there is some */
			return 0;
		}
		r = pass_run(w, id, reterr);
		if (r < 0)
			return r;
		w->changed = true;
		n++;
	}
	return r;
}

/* ---- after the commit -------------------------------------------------------------------------------------------- */

static void answer_submissions(struct turn *t, bool refused)
{
	struct message *m;

	while ((m = message_list_take(&t->submissions))) {
		struct intake_submission *s = (struct intake_submission *)m;

		s->refused = s->refused || refused;
		s->answered(s);
	}
}

static void return_deliveries(struct turn *t)
{
	struct message *m;

	while ((m = message_list_take(&t->deliveries))) {
		dispatch_returned(t->dispatch, ((struct delivery_message *)m)->delivery);
		message_free(m);
	}
}

/* ---- one transaction --------------------------------------------------------------------------------------------- */

static int transaction(struct turn *t, struct work *w, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	const struct message *answer = t->answers.first;
	int r = store_begin(t->store, reterr);

	if (r == 0)
		r = probe(t, reterr);
	if (r == 0)
		r = store_webhooks_due(w->store, w->now_ms, reterr);
	if (r == 0)
		r = insert_submissions(t, w, reterr);
	if (r == 0)
		r = apply_deliveries(t, w, reterr);
	for (; r == 0 && answer; answer = answer->next) {
		r = lookups_apply(w, ((const struct answer_message *)answer)->answer, reterr);
		w->changed = true;
	}
	if (r == 0)
		r = janitor_release_sources(t->janitor, w, reterr);
	if (r == 0)
		r = lookups_release_slots(w, reterr);
	if (r == 0)
		r = dispatch_set_aside_other_urls(t->dispatch, w, reterr);
	if (r == 0)
		r = janitor_bring_near(t->janitor, w, reterr);
	if (r == 0)
		r = pass_pending(t, w, began_us, reterr);
	if (r == 0)
		r = janitor_clean(t->janitor, w, &t->room, reterr);
	r = commit_end(w, r, reterr);
	if (r < 0)
		return r;
	answer_submissions(t, false);
	return_deliveries(t);
	drop_all(&t->answers);
	room_turn_ended(&t->room, 0);
	return 0;
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

static void fail(struct turn *t, const struct err *why)
{
	bool first = t->retry_ms == 0;

	answer_submissions(t, true);
	room_turn_ended(&t->room, why->code);
	t->retry_wait_ms = first ? RETRY_FIRST_MS : 2 * t->retry_wait_ms;
	if (t->retry_wait_ms > RETRY_LAST_MS)
		t->retry_wait_ms = RETRY_LAST_MS;
	t->retry_ms = clock_mono_ms() + t->retry_wait_ms;
	health_set(t->health, HEALTH_COMMIT, why);
	if (!first)
		return;
	courier_stall(t->courier, true);
	log_error(&((struct log_about){.reason = why->text}),
		  "the store cannot commit: webhooks are refused with 503 and deliveries wait until it can again");
}

/* When there is something to do without anything having come: clock_mono_ms time, or CLOCK_NEVER_MS. */
static int64_t next_ms(const struct turn *t, struct work *w)
{
	const int64_t times[] = {
		janitor_next_ms(t->janitor, w),
		work_mono_at_ms(w, store_webhooks_next_due_ms(t->store)),
		work_mono_at_ms(w, dispatch_next_ms(t->dispatch)),
		t->room.full ? w->mono_ms + FULL_RECHECK_MS : CLOCK_NEVER_MS,
	};
	int64_t first_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		if (times[i] < first_ms)
			first_ms = times[i];
	return first_ms;
}

int64_t turn_run(struct turn *t)
{
	struct work w = work_of(t);
	struct err e = {0};
	enum wall_change change;
	int r;

	if (!wall_look(&t->wall, &w, &change)) {
		answer_submissions(t, true);
		return wall_next_ms(&t->wall, &w);
	}
	janitor_clock(t->janitor, change);
	if (change == WALL_AHEAD || change == WALL_BACK) /* due times were noted by the former time */
		dispatch_stir(t->dispatch, NULL);
	if (w.mono_ms < t->retry_ms) {
		answer_submissions(t, true);
		return t->retry_ms;
	}

	health_disk(t->health, true);
	r = recovery_run(&t->recovery, &w, &t->room, t->submissions.first ? PENDING_LEAST_US : PENDING_US, &e);
	if (r == 0)
		r = transaction(t, &w, &e);
	health_disk(t->health, false);
	if (r < 0) {
		fail(t, &e);
		return t->retry_ms;
	}
	if (t->retry_ms != 0) {
		t->retry_ms = 0;
		courier_stall(t->courier, false);
		health_set(t->health, HEALTH_COMMIT, NULL);
		log_notice(NULL, "the store commits again");
	}

	health_disk(t->health, true);
	if (dispatch_hand_over(t->dispatch, &w, &e) < 0)
		fail(t, &e);
	commit_tell_losses(t->store);
	if (!t->stopping) /* it waits for the disk more than once */
		janitor_after(t->janitor, &w, t->health);
	health_disk(t->health, false);

	if (t->retry_ms != 0)
		return t->retry_ms;
	if (w.more || lookups_slots_are_wanted(t->lookups, w.config))
		return w.mono_ms;
	return next_ms(t, &w);
}

void turn_last(struct turn *t)
{
	struct work w = work_of(t);
	struct err e = {0};
	int r;

	answer_submissions(t, true);
	if (t->deliveries.first) {
		w.courier = NULL; /* it has stopped; nothing here asks a question */
		r = store_begin(t->store, &e);
		if (r == 0)
			r = apply_deliveries(t, &w, &e);
		r = commit_end(&w, r, &e);
		if (r == 0)
			return_deliveries(t);
		else
			log_error(&((struct log_about){.reason = e.text}),
				  "what came of the last deliveries cannot be kept: they will be sent again");
	}
	/* Writing the WAL back waits for the disk more than once, and a stop has its time. */
	if (t->commit_us > SLOW_COMMIT_US)
		store_leave_wal(t->store);
}

bool turn_keeps_parsed(const struct turn *t)
{
	return !readings_are_full(t->readings);
}

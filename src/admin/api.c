/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "admin/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/metrics.h"
#include "klaviyo/request.h"
#include "store/store.h"

#define PAUSED_SHOWN 20     /* where the request names no number */
#define DEAD_LOOKED_AT 100  /* dead webhooks read to find the latest reason of each source */
#define WAITS_LOOKED_AT 100 /* webhooks read of each kind of wait */
#define WAITS_SHOWN 3       /* webhooks returned for each source */

static int open_reader(const struct api_request *r, struct store **ret, struct err *reterr)
{
	struct store_options options = {.path = r->generation->config->store.path, .read_limit_ms = API_READ_MS};

	return store_open(&options, STORE_READ, ret, reterr);
}

static unsigned status_of(int code)
{
	return code == -EINVAL ? 400 : 503;
}

static void set_id(struct json_object *row, const char *key, int64_t id)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, (uint64_t)id);
	json_set_str(row, key, text);
}

static void set_or_null(struct json_object *row, const char *key, const char *value)
{
	json_object_object_add(row, key, value ? json_object_new_string(value) : NULL);
}

static void set_time(struct json_object *row, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(ms, text);
	json_set_str(row, key, text);
}

/* Parses the number of rows that a request asks for. */
static int limit_read(const char *text, int64_t *ret)
{
	uint64_t n;
	int r = text_digits(text, strlen(text), API_PAGE_MAX, &n);

	if (r < 0 || n < 1)
		return -EINVAL;
	*ret = (int64_t)n;
	return 0;
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

/* Each configured account and source has a row, made first; then the rows are filled from counters and the store. */
struct status {
	struct json_object *accounts, *sources, *paused; /* owned */
	struct store *store;
	struct json_object *elsewhere; /* NULL: none; owned */
	int64_t unknown_path;
};

static void status_done(struct status *s)
{
	json_object_put(s->accounts);
	json_object_put(s->sources);
	json_object_put(s->paused);
	json_object_put(s->elsewhere);
	store_close(s->store);
}

static const char *const account_counts[] = {"ready", "delivered", "dead", NULL};
static const char *const source_counts[] = {"open_conversations", "without_address", "pending", "dead", NULL};

static struct json_object *row_find(struct json_object *rows, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		if (text_is(json_member_str(row, "name"), name))
			return row;
	}
	return NULL;
}

/* Returns the row of that name; appends one with zero counts where there is none, so that the queue of an account
 * that is no longer configured is shown too. */
static struct json_object *row_named(struct json_object *rows, const char *const *counts, const char *name)
{
	struct json_object *row = row_find(rows, name);

	if (row)
		return row;
	row = json_object_new_object();
	json_set_str(row, "name", name);
	json_set_bool(row, "configured", false);
	for (size_t i = 0; counts[i]; i++)
		json_set_int(row, counts[i], 0);
	json_object_array_add(rows, row);
	return row;
}

static struct json_object *account_row(struct status *s, const char *name)
{
	return row_named(s->accounts, account_counts, name);
}

static struct json_object *source_row(struct status *s, const char *name)
{
	return row_named(s->sources, source_counts, name);
}

static void add_to(struct json_object *row, const char *key, int64_t n)
{
	json_set_int(row, key, json_member_int(row, key, 0) + n);
}

static void on_event_count(void *ctx, const char *account, enum event_state state, int64_t n)
{
	add_to(account_row(ctx, account), event_state_name(state), n);
}

static void on_conversation_count(void *ctx, const char *source, int64_t open)
{
	add_to(source_row(ctx, source), "open_conversations", open);
}

static void on_unaddressed_count(void *ctx, const char *source, int64_t open)
{
	add_to(source_row(ctx, source), "without_address", open);
}

/* Returns the object or list of that name in a row; makes it where there is none. */
static struct json_object *member_of(struct json_object *row, const char *key, struct json_object *(*make)(void))
{
	struct json_object *member = json_member(row, key);

	if (!member) {
		member = make();
		json_object_object_add(row, key, member);
	}
	return member;
}

/* Counts the requests since the daemon's start. A source that is not configured has no row, nor has the name that
 * collects excess sources. Without a source: a refused request whose path belongs to no source, or could not be
 * read. */
static void on_received(void *ctx, const char *const labels[3], double n)
{
	struct status *s = ctx;
	struct json_object *row;

	if (labels[0][0] != '\0') {
		row = row_find(s->sources, labels[0]);
		if (row)
			add_to(member_of(row, "received", json_object_new_object), labels[1], (int64_t)n);
	} else if (text_is(labels[1], "unknown path")) {
		s->unknown_path += (int64_t)n;
	} else {
		if (!s->elsewhere)
			s->elsewhere = json_object_new_object();
		add_to(s->elsewhere, labels[1], (int64_t)n);
	}
}

static void on_unknown_states(void *ctx, const char *const labels[3], double n)
{
	struct status *s = ctx;
	struct json_object *row = row_find(s->sources, labels[0]);

	if (row)
		json_set_int(row, "unknown_states", (int64_t)n);
}

static void on_webhook_count(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
			     int64_t n)
{
	struct json_object *row = source_row(ctx, source);

	if (state == STORE_WEBHOOK_DEAD)
		add_to(row, "dead", n);
	if (state != STORE_WEBHOOK_PENDING || n == 0)
		return;
	add_to(row, "pending", n);
	add_to(member_of(row, "waiting", json_object_new_object), store_wait_name(why), n);
}

static void on_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	json_set_str(text_is(kind, "account") ? account_row(ctx, name) : source_row(ctx, name), "parked", reason);
}

static int on_paused(void *ctx, const struct store_paused_person *p)
{
	struct status *s = ctx;
	struct json_object *row = json_object_new_object();

	json_set_str(row, "source", p->source);
	json_set_str(row, "account", p->account);
	json_set_str(row, "email", p->email);
	json_set_str(row, "flag", p->flag);
	json_set_str(row, "conversation", p->conversation);
	set_time(row, "since", p->opened_ms);
	set_or_null(row, "refused", p->refused);
	json_object_array_add(s->paused, row);
	return 0;
}

static void add_configured(struct status *s, const struct config *c, int64_t now_ms)
{
	for (size_t i = 0; i < c->accounts_n; i++) {
		const struct account *a = &c->accounts[i];
		struct json_object *row = account_row(s, a->name);
		long days;
		json_set_bool(row, "configured", true);
		json_set_str(row, "url", a->url);
		json_set_bool(row, "hold", a->hold);
		if (request_revision_days_left(a->revision, now_ms, &days) == 0)
			json_set_int(row, "revision_days_left", days);
	}
	for (size_t i = 0; i < c->sources_n; i++) {
		struct json_object *row = source_row(s, c->sources[i].name);
		json_set_bool(row, "configured", true);
		json_set_str(row, "path", c->sources[i].path);
	}
}

/* Adds the time of the oldest waiting event, and since when and why events are retried. */
static void add_ages(struct status *s)
{
	for (size_t i = 0; i < json_object_array_length(s->accounts); i++) {
		struct json_object *row = json_object_array_get_idx(s->accounts, i);
		const char *name = json_member_str(row, "name");
		int64_t oldest_ms = store_events_oldest_ms(s->store, name);
		CLEANUP(mem_freep) char *reason = NULL;

		if (oldest_ms > 0)
			set_time(row, "oldest", oldest_ms);
		if (store_events_retrying(s->store, name, &oldest_ms, &reason) <= 0)
			continue;
		json_set_str(row, "retrying", reason ? reason : "no reason is known");
		set_time(row, "retrying_since", oldest_ms);
	}
}

/* Newest first: a source's first webhook is its latest. */
static int on_dead_webhook(void *ctx, const struct store_webhook_row *w)
{
	struct json_object *row = source_row(ctx, w->source);

	if (!json_member(row, "dead_reason"))
		json_set_str(row, "dead_reason", w->reason);
	return 0;
}

static void set_wait(struct json_object *row, const struct store_webhook_row *w)
{
	json_set_str(row, "wait", store_wait_name(w->wait));
	json_set_int(row, "asked", w->asked);
	if (w->not_before_ms > 0)
		set_time(row, "not_before", w->not_before_ms);
	else
		json_object_object_add(row, "not_before", NULL);
	set_or_null(row, "reason", w->reason);
}

/* Adds the newest webhooks that wait for their lookup with a reason. */
static int on_waiting(void *ctx, const struct store_webhook_row *w)
{
	struct json_object *waits = member_of(source_row(ctx, w->source), "waits", json_object_new_array);
	struct json_object *one;

	if (json_object_array_length(waits) >= WAITS_SHOWN)
		return 0;
	one = json_object_new_object();
	set_id(one, "webhook", w->id);
	set_wait(one, w);
	json_object_array_add(waits, one);
	return 0;
}

/* Sets the absolute path: the daemon may have been started in any folder. */
static void set_file(struct json_object *o, const char *key, const char *path)
{
	CLEANUP(mem_freep) char *whole = realpath(path, NULL);

	json_set_str(o, key, whole ? whole : path);
}

/* Adds everything that the store holds. */
static int add_stored(struct status *s, size_t shown, int64_t *ret_total, struct err *reterr)
{
	static const enum store_wait waits[] = {STORE_WAIT_PARKED, STORE_WAIT_RETRY};
	int64_t dead = 0;
	int code = 0;

	store_event_counts(s->store, on_event_count, s);
	store_conversation_counts(s->store, on_conversation_count, s);
	store_unaddressed_counts(s->store, on_unaddressed_count, s);
	store_webhook_counts(s->store, on_webhook_count, s);
	add_ages(s);
	for (size_t i = 0; i < json_object_array_length(s->sources); i++)
		dead += json_member_int(json_object_array_get_idx(s->sources, i), "dead", 0);
	if (dead > 0)
		code = store_webhooks_page(s->store, STORE_WEBHOOK_DEAD, 0, DEAD_LOOKED_AT, on_dead_webhook, s, reterr);
	for (size_t i = 0; code >= 0 && i < sizeof(waits) / sizeof(*waits); i++)
		code = store_webhooks_waiting_page(s->store, waits[i], WAITS_LOOKED_AT, on_waiting, s, reterr);
	if (code >= 0)
		code = store_paused_page(s->store, shown, on_paused, s, reterr);
	if (code >= 0 && store_paused_count(s->store, ret_total, NULL) < 0)
		*ret_total = -1; /* too many to count in time */
	return code;
}

/* Unknown counts are null, not zero. */
static void clear_counts(struct json_object *rows, const char *const *counts)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		for (size_t n = 0; counts[n]; n++)
			json_object_object_add(json_object_array_get_idx(rows, i), counts[n], NULL);
}

unsigned api_status(const struct api_request *r, struct json_object **ret, struct err *reterr)
{
	CLEANUP(status_done)
	struct status s = {
		.accounts = json_object_new_array(),
		.sources = json_object_new_array(),
		.paused = json_object_new_array(),
	};
	const char *wanted = pairs_get(r->query, "paused");
	int64_t shown = PAUSED_SHOWN;
	int64_t total = -1;

	if (wanted && limit_read(wanted, &shown) < 0)
		return status_of(err_set(reterr, -EINVAL, "paused: expected a number from 1 to %d", API_PAGE_MAX));
	int code = open_reader(r, &s.store, reterr);
	if (code < 0 && code != -ENOENT) /* the file was deleted: the rest of the status is returned all the same */
		return status_of(code);
	add_configured(&s, r->generation->config, clock_now_ms());
	pipeline_parked(r->pipeline, on_parked, &s);
	metrics_each(METRIC_WEBHOOKS, on_received, &s);
	metrics_each(METRIC_UNKNOWN_STATES, on_unknown_states, &s);
	code = s.store ? add_stored(&s, (size_t)shown, &total, reterr) : 0;
	if (code < 0)
		return status_of(code);
	if (!s.store) {
		clear_counts(s.accounts, account_counts);
		clear_counts(s.sources, source_counts);
	}

	struct json_object *status = json_object_new_object();
	json_set_str(status, "version", PACKAGE_VERSION);
	set_file(status, "config", r->generation->config->file);
	set_file(status, "store", r->generation->config->store.path);
	set_time(status, "started", r->started_ms);
	struct err why = {0};
	bool ready = pipeline_readiness(r->pipeline, &why);
	json_set_bool(status, "ready", ready);
	if (!ready)
		json_set_str(status, "not_ready", why.text);
	if (s.store)
		json_set_int(status, "store_bytes", store_size(s.store));
	else
		json_object_object_add(status, "store_bytes", NULL);
	json_object_object_add(status, "accounts", TAKE(s.accounts));
	json_object_object_add(status, "sources", TAKE(s.sources));
	json_object_object_add(status, "paused", TAKE(s.paused));
	if (total >= 0)
		json_set_int(status, "paused_total", total);
	else
		json_object_object_add(status, "paused_total", NULL);
	json_set_int(status, "unknown_path", s.unknown_path);
	if (s.elsewhere)
		json_object_object_add(status, "elsewhere", TAKE(s.elsewhere));
	*ret = status;
	return 200;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int on_event(void *ctx, const struct event *e)
{
	struct json_object *rows = ctx;
	struct json_object *row = json_object_new_object();

	set_id(row, "id", e->id);
	json_set_str(row, "state", event_state_name(e->state));
	json_set_str(row, "account", e->account);
	json_set_str(row, "source", e->source);
	set_or_null(row, "conversation", e->conversation);
	json_set_str(row, "metric", e->metric);
	json_set_str(row, "email", e->email);
	json_set_str(row, "unique_id", e->unique_id);
	set_time(row, "created", e->created_ms);
	json_set_int(row, "attempts", (int64_t)e->attempts);
	if (e->state == EVENT_READY && e->due_ms < CLOCK_NEVER_MS)
		set_time(row, "next_attempt", e->due_ms);
	else
		json_object_object_add(row, "next_attempt", NULL);
	set_or_null(row, "reason", e->reason);
	json_set_str(row, "kind", "event");
	json_object_array_add(rows, row);
	return 0;
}

/* The query of a page; state: -1: all. */
struct page {
	int state;
	int64_t limit, before;
};

static int page_read(const struct api_request *r, const char *const states[3], const char *of_what, struct page *ret,
		     struct err *reterr)
{
	const char *state = pairs_get(r->query, "state");
	const char *limit = pairs_get(r->query, "limit");
	const char *before = pairs_get(r->query, "before");
	uint64_t n;

	*ret = (struct page){.state = -1, .limit = 50};
	for (int i = 0; state && i < 3; i++)
		if (text_is(states[i], state))
			ret->state = i;
	if (state && ret->state < 0)
		return err_set(reterr, -EINVAL, "state: expected %s, %s or %s", states[0], states[1], states[2]);
	if (limit && limit_read(limit, &ret->limit) < 0)
		return err_set(reterr, -EINVAL, "limit: expected a number from 1 to %d", API_PAGE_MAX);
	if (before) {
		if (hex_number(before, strlen(before), &n) < 0 || n < 1 || n > INT64_MAX)
			return err_set(reterr, -EINVAL, "before: expected the id of %s, in hexadecimal", of_what);
		ret->before = (int64_t)n;
	}
	return 0;
}

/* The rows, or the status of what failed. */
static unsigned page_end(struct store *store, int code, struct json_object *rows, struct json_object **ret)
{
	store_close(store);
	if (code < 0) {
		json_object_put(rows);
		return status_of(code);
	}
	*ret = rows;
	return 200;
}

unsigned api_events(const struct api_request *r, struct json_object **ret, struct err *reterr)
{
	const char *const states[3] = {event_state_name(EVENT_READY), event_state_name(EVENT_DELIVERED),
				       event_state_name(EVENT_DEAD)};
	struct page page;
	struct store *store;

	int code = page_read(r, states, "an event", &page, reterr);
	if (code == 0)
		code = open_reader(r, &store, reterr);
	if (code < 0)
		return status_of(code);
	struct json_object *rows = json_object_new_array();
	code = store_events_page(store, page.state, page.before, (size_t)page.limit, on_event, rows, reterr);
	return page_end(store, code, rows, ret);
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

static const char *const webhook_states[] = {
	[STORE_WEBHOOK_PENDING] = "pending", [STORE_WEBHOOK_DONE] = "done", [STORE_WEBHOOK_DEAD] = "dead"};

static int on_webhook(void *ctx, const struct store_webhook_row *w)
{
	struct json_object *rows = ctx;
	struct json_object *row = json_object_new_object();

	set_id(row, "id", w->id);
	json_set_str(row, "source", w->source);
	json_set_str(row, "state", webhook_states[w->state]);
	json_set_str(row, "transition", transition_name(w->transition));
	set_or_null(row, "conversation", w->conversation);
	set_time(row, "received", w->received_ms);
	set_wait(row, w);
	if (w->state != STORE_WEBHOOK_PENDING)
		set_or_null(row, "wait", NULL);
	json_object_array_add(rows, row);
	return 0;
}

unsigned api_webhooks(const struct api_request *r, struct json_object **ret, struct err *reterr)
{
	struct page page;
	struct store *store;

	int code = page_read(r, webhook_states, "a webhook", &page, reterr);
	if (code == 0)
		code = open_reader(r, &store, reterr);
	if (code < 0)
		return status_of(code);
	struct json_object *rows = json_object_new_array();
	code = store_webhooks_page(store, page.state, page.before, (size_t)page.limit, on_webhook, rows, reterr);
	return page_end(store, code, rows, ret);
}

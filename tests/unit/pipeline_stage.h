/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the pipeline share: a configuration and a store in a directory of their own, a courier that only
 * remembers what it was handed (it takes the real one's place when the test is linked), and short ways to fill the
 * store and to look into it. Included by one program each.
 */
#ifndef PIPELINE_STAGE_H
#define PIPELINE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "courier/courier.h"
#include "with_parse_result.h"
#include "pipeline/dispatch.h"
#include "pipeline/lookup_table.h"
#include "pipeline/turn_context.h"

#define NOW INT64_C(1795276800000)
#define SECOND CLOCK_SECOND_MS
#define CUT __attribute__((unused)) static

#define MUST(call)                                                             \
	do {                                                                   \
		struct err must_err_ = {0};                                    \
		struct err *err = &must_err_;                                  \
		int must_r_ = (call);                                          \
		if (must_r_ < 0)                                               \
			fail_msg("%s: %d %s", #call, must_r_, must_err_.text); \
	} while (0)

/* ---- the courier ------------------------------------------------------------------------------------------------- */

#define HANDED_MAX 256
static struct {
	int64_t sent[HANDED_MAX]; /* events, in order */
	size_t sent_n;
	char *asked[HANDED_MAX]; /* keys, in order */
	size_t asked_n;
	bool stalled;
	unsigned generations;
} handed;

void courier_send(struct courier *c, struct event *e)
{
	(void)c;
	assert_true(handed.sent_n < HANDED_MAX);
	handed.sent[handed.sent_n++] = e->id;
	event_done(e);
	free(e);
}

void courier_lookup(struct courier *c, struct lookup_request *q)
{
	(void)c;
	assert_true(handed.asked_n < HANDED_MAX);
	handed.asked[handed.asked_n++] = TAKE(q->key);
	lookup_request_free(q);
}

void courier_generation(struct courier *c, struct generation *g)
{
	(void)c;
	(void)g;
	handed.generations++;
}

void courier_stall(struct courier *c, bool stalled)
{
	(void)c;
	handed.stalled = stalled;
}

/* ---- configuration and store ------------------------------------------------------------------------------------- */

struct stage {
	char dir[64];
	struct generation *generation;
	struct store *store;
	struct pending_metrics pending;
	struct turn_context work;
};

#define STAGE_DESK                                                                                            \
	"label: Desk, opened: {/s: open}, reopened: {/s: reopened}, closed: {/s: closed}, conversation: /c, " \
	"customer: /p, "                                                                                      \
	"emails: /e, time: /t, delivery: /d, authenticate: {method: none}"

/* desk: addresses come with the webhook. asked: a lookup. settled: held for a minute. */
#define STAGE_SOURCES                                                                                      \
	"  desk: {definition: {" STAGE_DESK "}}\n"                                                         \
	"  asked: {definition: {" STAGE_DESK ", lookup: [{url: \"{base_url}/{/p}\", authenticate: basic, " \
	"emails: /mail}]}, lookup: {base_url: \"http://127.0.0.1:9\", user: u, password: secret}}\n"       \
	"  settled: {settle: {open: 60s, close: 60s}, definition: {" STAGE_DESK "}}\n"

#define STAGE_KLAVIYO "klaviyo: {api_key: pk_test, url: \"http://127.0.0.1:9\", person_gap: 0s, max_age: 14d}\n"

CUT struct generation *stage_configure(struct stage *s, const char *yaml)
{
	struct problems problems = {0};
	struct generation *g;
	char file[96];
	FILE *to;

	(void)snprintf(file, sizeof(file), "%s/deskbridge.yaml", s->dir);
	to = fopen(file, "we");
	assert_non_null(to);
	assert_true(fprintf(to, "version: 1\nlisten: 127.0.0.1:0\nstore: \"sqlite:%s/deskbridge.db\"\n%s", s->dir,
			    yaml) > 0);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(file, 0600), 0);
	g = generation_load(file, &problems);
	if (!g)
		problems_print(&problems, stderr);
	assert_non_null(g);
	problems_done(&problems);
	return g;
}

CUT int stage_setup(void **state)
{
	struct stage *s = mem_new(1, sizeof(*s));
	struct store_options options;
	char path[96];

	memset(&handed, 0, sizeof(handed));
	strcpy(s->dir, "/tmp/deskbridge-unit-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->generation = stage_configure(s, STAGE_KLAVIYO "sources:\n" STAGE_SOURCES);
	(void)snprintf(path, sizeof(path), "%s/deskbridge.db", s->dir);
	options = (struct store_options){.path = path};
	MUST(store_open(&options, STORE_WRITE, &s->store, err));
	s->work = (struct turn_context){
		.store = s->store,
		.generation = s->generation,
		.config = s->generation->config,
		.lookups = lookup_table_new(),
		.cache = parsed_cache_new(),
		.dispatch = dispatch_new(),
		.pending = &s->pending,
		.now_ms = NOW,
	};
	*state = s;
	return 0;
}

CUT int stage_teardown(void **state)
{
	struct stage *s = *state;
	char command[128];

	parsed_cache_free(s->work.cache);
	lookup_table_free(s->work.lookups);
	dispatch_free(s->work.dispatch);
	pending_metrics_done(&s->pending);
	store_close(s->store);
	generation_unref(s->generation);
	for (size_t i = 0; i < handed.asked_n; i++)
		free(handed.asked[i]);
	(void)snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

/* ---- filling ----------------------------------------------------------------------------------------------------- */

struct post {
	const char *source, *kind, *conversation, *customer, *email;
	int64_t time_ms;     /* 0: NOW */
	int64_t received_ms; /* 0: NOW */
	const char *delivery;
	const char *body; /* instead of all above but source */
};

/* As intake makes it: read and marked, or dead where it does not read. */
CUT void stage_webhook(struct stage *s, const struct post *p, struct webhook *ret)
{
	const struct source *source = config_source(s->generation->config, p->source);
	struct json_object *o = json_object_new_object();
	struct parse_result reading;

	*ret = (struct webhook){.source = mem_str(p->source), .path = mem_str("/"), .query = mem_str("")};
	ret->received_ms = p->received_ms ? p->received_ms : NOW;
	json_set_str(o, "s", p->kind);
	json_set_str(o, "c", p->conversation);
	json_set_str(o, "p", p->customer);
	json_set_str(o, "e", p->email);
	json_set_str(o, "d", p->delivery);
	json_set_int(o, "t", p->time_ms ? p->time_ms : NOW);
	ret->body = p->body ? mem_str(p->body) : json_text(o);
	ret->body_len = strlen(ret->body);
	json_object_put(o);
	if (!source)
		return;
	with_parse_result(source->definition, ret, NULL, &reading);
	if (reading.kind == PARSE_SIGNAL)
		parse_result_save(&reading, ret);
	parse_result_done(&reading);
}

/* The same, parsed as intake does. */
CUT struct parsed_webhook *stage_parsed(struct stage *s, const struct post *p)
{
	const struct source *source = config_source(s->generation->config, p->source);
	struct webhook w;

	stage_webhook(s, p, &w);
	return source ? parsed_webhook_new(source->definition, &w, NULL, 0) : parsed_webhook_unparsed(&w);
}

CUT int64_t stage_put(struct stage *s, struct post p)
{
	struct webhook w;
	int64_t id;

	stage_webhook(s, &p, &w);
	MUST(store_begin(s->store, err));
	MUST(store_webhook_insert(s->store, &w, NULL, NULL, err));
	MUST(store_commit(s->store, err));
	id = w.id;
	webhook_done(&w);
	return id;
}
#define PUT(s, ...) stage_put(s, (struct post){__VA_ARGS__})

/* Behind the store's back: rows as a disk or another program may leave them. */
CUT void stage_spoil(struct stage *s, const char *sql)
{
	char path[96];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/deskbridge.db", s->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The one number that the statement gives, as another program sees it. */
CUT int64_t stage_count(struct stage *s, const char *sql_text)
{
	char path[96];
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t n;

	(void)snprintf(path, sizeof(path), "%s/deskbridge.db", s->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql_text, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

struct seen {
	int64_t id;
	struct store_webhook_row row;
	char reason[512];
};

static int see_webhook(void *ctx, const struct store_webhook_row *row)
{
	struct seen *seen = ctx;

	if (row->id != seen->id)
		return 0;
	seen->row = *row;
	(void)snprintf(seen->reason, sizeof(seen->reason), "%s", row->reason ? row->reason : "");
	seen->row.reason = seen->reason;
	return 1;
}

CUT struct seen stage_see(struct stage *s, int64_t id)
{
	struct seen seen = {.id = id, .row.id = 0};

	MUST(store_webhooks_page(s->store, -1, 0, 500, see_webhook, &seen, err));
	assert_int_equal(seen.row.id, id);
	return seen;
}

CUT void assert_waits(struct stage *s, int64_t id, enum store_wait why)
{
	struct seen seen = stage_see(s, id);

	if (seen.row.state != STORE_WEBHOOK_PENDING || seen.row.wait != why)
		fail_msg("webhook %lld: state %d, waits for %s (%s)", (long long)id, (int)seen.row.state,
			 store_wait_name(seen.row.wait), seen.reason);
}

CUT void assert_done(struct stage *s, int64_t id, const char *result)
{
	struct seen seen = stage_see(s, id);

	if (seen.row.state != STORE_WEBHOOK_DONE || strncmp(seen.reason, result, strlen(result)) != 0)
		fail_msg("webhook %lld: state %d, %s: %s", (long long)id, (int)seen.row.state,
			 store_wait_name(seen.row.wait), seen.reason);
}

CUT void assert_dead(struct stage *s, int64_t id, const char *part)
{
	struct seen seen = stage_see(s, id);

	assert_int_equal(seen.row.state, STORE_WEBHOOK_DEAD);
	if (!strstr(seen.reason, part))
		fail_msg("webhook %lld: dead with \"%s\", not \"%s\"", (long long)id, seen.reason, part);
}

/* "metric email state[ backfill]; …", oldest first. */
struct event_list {
	char text[4096];
	unsigned n;
};

static int see_event(void *ctx, const struct event *e)
{
	struct event_list *l = ctx;
	char line[512];
	size_t line_len, len = strlen(l->text);

	(void)snprintf(line, sizeof(line), "%.40s %s %s%s; ", e->metric, e->email, event_state_name(e->state),
		       e->backfill ? " backfill" : "");
	line_len = strlen(line);
	assert_true(len + line_len < sizeof(l->text));
	memmove(l->text + line_len, l->text, len + 1);
	memcpy(l->text, line, line_len);
	l->n++;
	return 0;
}

/* The event as the courier was handed it, coming back. */
CUT struct delivery *stage_delivery(struct stage *s, int64_t event)
{
	struct delivery *d = mem_new(1, sizeof(*d));

	d->event = mem_new(1, sizeof(*d->event));
	MUST(store_event_load(s->store, event, d->event, err));
	return d;
}

CUT struct event_list stage_events(struct stage *s)
{
	struct event_list l = {.n = 0};

	MUST(store_events_page(s->store, -1, 0, 500, see_event, &l, err));
	return l;
}

CUT void assert_events(struct stage *s, const char *text)
{
	struct event_list l = stage_events(s);

	assert_string_equal(l.text, text);
}

#endif

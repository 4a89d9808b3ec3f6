/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the store share: a store in a directory of its own, and short ways to fill it.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "store/connection.h"
#include "store/store_internal.h"
#include "store/query.h"
#include "store/tables.h"
#include "store/transaction.h"

#define NOW INT64_C(1795276800000)
#define URL "https://a.klaviyo.com"

struct fixture {
	char dir[64];
	char path[96];
	struct store *s;
};

/* Fails the test with the text that a person would get. */
#define MUST(call)                                                             \
	do {                                                                   \
		struct err must_err_ = {0};                                    \
		struct err *err = &must_err_;                                  \
		int must_r_ = (call);                                          \
		if (must_r_ < 0)                                               \
			fail_msg("%s: %d %s", #call, must_r_, must_err_.text); \
	} while (0)

static inline void fixture_open(struct fixture *f)
{
	struct store_options o = {.path = f->path};

	MUST(store_open(&o, STORE_WRITE, &f->s, err));
}

static inline void fixture_reopen(struct fixture *f)
{
	store_close(f->s);
	f->s = NULL;
	fixture_open(f);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));

	strcpy(f->dir, "store-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/deskbridge.db", f->dir);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(f->s);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline void begin(struct fixture *f)
{
	MUST(store_begin(f->s, err));
}

static inline void commit(struct fixture *f)
{
	MUST(store_commit(f->s, err));
}

/* ---- a second connection, as an operator's shell would be: to break rows, and to count what is there ------------- */

static inline int64_t sql(struct fixture *f, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t n = 0;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	for (const char *rest = text; *rest;) {
		int rc;

		if (sqlite3_prepare_v2(db, rest, -1, &stmt, &rest) != SQLITE_OK)
			fail_msg("%s: %s", text, sqlite3_errmsg(db));
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			n = sqlite3_column_int64(stmt, 0);
		else if (rc != SQLITE_DONE)
			fail_msg("%s: %s", text, sqlite3_errmsg(db));
		sqlite3_finalize(stmt);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* Runs `text`, which puts a value of another type into that column: of such a row SQLite changes nothing. */
static inline void mistype(struct fixture *f, const char *table, const char *column, const char *text)
{
	char *loose = sqlite3_mprintf("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(replace(sql,"
				      " ') STRICT', ')'), ' %s INTEGER', ' %s BLOB') WHERE name = %Q",
				      column, column, table);
	char *strict = sqlite3_mprintf("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql,"
				       " ' %s BLOB', ' %s INTEGER') || ' STRICT' WHERE name = %Q",
				       column, column, table);

	store_close(f->s);
	f->s = NULL;
	sql(f, loose);
	sql(f, text);
	sql(f, strict);
	sqlite3_free(loose);
	sqlite3_free(strict);
	fixture_open(f);
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

/* delivery: 0: none. Puts it in outside a transaction of the caller. Returns its id, or 0 for a duplicate. */
static inline int64_t put(struct fixture *f, const char *source, const char *conversation, const char *customer,
			  unsigned char delivery, int64_t received_ms)
{
	struct webhook w = {
		.source = (char *)(uintptr_t)source,
		.conversation = (char *)(uintptr_t)conversation,
		.customer = (char *)(uintptr_t)customer,
		.path = (char *)(uintptr_t) "/webhooks/gladly",
		.query = (char *)(uintptr_t) "",
		.body = (char *)(uintptr_t) "{}",
		.body_len = 2,
		.read = true,
		.transition = TRANSITION_OPENED,
		.received_ms = received_ms,
		.has_delivery = delivery != 0,
	};
	bool own = !f->s->in_transaction;
	struct err e = {0};
	int r;

	memset(w.delivery, delivery, sizeof(w.delivery));
	if (own)
		begin(f);
	r = store_webhook_insert(f->s, &w, NULL, NULL, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	if (own)
		commit(f);
	return r == 0 ? w.id : 0;
}

static inline enum store_wait wait_of(struct fixture *f, int64_t id)
{
	char text[96];

	snprintf(text, sizeof(text), "SELECT wait FROM webhooks WHERE id = %" PRId64 " AND state = 0", id);
	return (enum store_wait)sql(f, text);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

#define FLAG_TRUE "{\"In Gladly Conversation\":true}"
#define FLAG_FALSE "{\"In Gladly Conversation\":false}"

/* n makes the unique_id. Returns its id, or 0 where it was there. The caller has the transaction. */
static inline int64_t queue_to(struct fixture *f, const char *account, const char *url, const char *email, unsigned n,
			       bool flag, int64_t gap_ms, int64_t now_ms)
{
	struct event e = {
		.account = (char *)(uintptr_t)account,
		.url = (char *)(uintptr_t)url,
		.email = (char *)(uintptr_t)email,
		.metric = (char *)(uintptr_t) "started conversation in Gladly",
		.source = (char *)(uintptr_t) "gladly",
		.conversation = (char *)(uintptr_t) "c-1",
		.transition = TRANSITION_OPENED,
		.time_ms = now_ms,
		.received_ms = now_ms,
		.properties = (char *)(uintptr_t) "{\"Channel\":\"CHAT\"}",
		.profile = (char *)(uintptr_t)(flag ? FLAG_TRUE : FLAG_FALSE),
		.late_ms = CLOCK_NEVER_MS,
	};
	struct err err = {0};
	int r;

	snprintf(e.unique_id, sizeof(e.unique_id), "%032x", n);
	r = store_event_insert(f->s, &e, gap_ms, now_ms, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	return r == 0 ? e.id : 0;
}

static inline int64_t queue(struct fixture *f, const char *email, unsigned n, int64_t now_ms)
{
	return queue_to(f, "default", URL, email, n, true, 0, now_ms);
}

struct seen {
	int64_t ids[512];
	size_t n;
};

static inline int see(void *ctx, struct event *e)
{
	struct seen *seen = ctx;

	assert_true(seen->n < 512);
	seen->ids[seen->n++] = e->id;
	return 0;
}

static inline struct seen due(struct fixture *f, const char *account, int64_t now_ms)
{
	struct seen seen = {.n = 0};

	MUST(store_events_due(f->s, account, now_ms, 512, NULL, see, &seen, err));
	return seen;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * query: runs one SQL statement with a sticky error: open, bind in order, step, read in order, close.
 *
 * A store prepares each statement once and finds it again by the address of its text, so `sql` must be a literal. The
 * first failure stays in `status` and reterr; later calls do nothing. Bound values are not copied and must live until
 * the query is closed. A query is closed at the end of its scope and before the same text is used again. Only for
 * src/store.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/err.h"
#include "base/mem.h"

struct store;

struct query {
	struct store *store;
	sqlite3_stmt *stmt; /* NULL: closed, or not prepared */
	int status;         /* 0, or the first failure: a negative errno */
	int parameter;      /* number of parameters bound so far */
	int column;         /* number of columns read so far of this row */
	const char *bad;    /* the first column of this row with a wrong type or value; NULL: none */
	struct err *reterr;
};

/* A changing statement outside a transaction is a bug and aborts. */
struct query query_open(struct store *s, const char *sql, struct err *reterr);
void query_close(struct query *q);
#define QUERY(name, s, sql, reterr) CLEANUP(query_close) struct query name = query_open(s, sql, reterr)

/* Runs BEGIN, COMMIT, SAVEPOINT or RELEASE, which begin and end what other statements belong to. */
int query_control(struct store *s, const char *sql, struct err *reterr) MUSTCHECK;

void query_bind_int(struct query *q, int64_t v);
void query_bind_real(struct query *q, double v);
void query_bind_null(struct query *q);
void query_bind_text(struct query *q, const char *v);           /* NULL: null */
void query_bind_blob(struct query *q, const void *v, size_t n); /* NULL: an empty one */

/* Returns 1: there is a row; 0: there are no more rows; otherwise the error. */
int query_step(struct query *q) MUSTCHECK;
/* Runs a statement without result rows. Returns the number of changed rows, or the error. */
int query_run(struct query *q) MUSTCHECK;

/* Each returns the row's next column. A column of the wrong type sets `bad` and returns 0, NULL or an empty value. */
int64_t query_int(struct query *q);
int query_enum(struct query *q, int end); /* 0 … end - 1; anything else is bad, and 0 */
double query_real(struct query *q);
bool query_is_null(const struct query *q); /* looks at the next column without consuming it */
void query_skip(struct query *q);
char *query_text(struct query *q);                      /* owned; never NULL: a null is bad, and "" */
char *query_text_or_null(struct query *q);              /* owned */
const void *query_blob(struct query *q, size_t *ret_n); /* borrowed until the next step; never NULL */

/* A list of ids. Iterations collect ids before the first callback, so that a callback may change the table. */
struct ids {
	int64_t *items;
	size_t n, alloc;
};
void ids_add(struct ids *ids, int64_t id);
void ids_done(struct ids *ids);
/* Appends the first column of all rows. */
int query_ids(struct query *q, struct ids *ids) MUSTCHECK;
/* As query_ids, and appends the second column to seconds. */
int query_id_pairs(struct query *q, struct ids *ids, struct ids *seconds) MUSTCHECK;

/* Steps once and reads one integer. Returns 1; 0: there is no row, or its column is NULL, and *ret is unchanged. */
int query_one_int(struct query *q, int64_t *ret) MUSTCHECK;

#endif

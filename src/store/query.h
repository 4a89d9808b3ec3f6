/* SPDX-License-Identifier: MIT */
/*
 * query: one use of one SQL statement, with a sticky error: open, bind in order, step, read in order, close.
 *
 * Statements are prepared once a store and found again by the address of their text, so `sql` must be a literal.
 * The first failure stays in `status` and is told in reterr; all later calls do nothing. What is bound must live until
 * the query is closed; it is not copied. A query is closed at the end of its scope and before the same text is used
 * again. Only for src/store.
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
	sqlite3_stmt *stmt; /* NULL where it could not be prepared */
	int status;         /* 0 or the first failure, a negative errno */
	int parameter;      /* bound so far */
	int column;         /* read so far of this row */
	const char *bad;    /* the first column of this row that is not what it must be; NULL: none */
	struct err *reterr;
};

/* A changing statement outside a transaction is a mistake of the program and aborts. */
struct query query_open(struct store *s, const char *sql, struct err *reterr);
void query_close(struct query *q);
#define QUERY(name, s, sql, reterr) CLEANUP(query_close) struct query name = query_open(s, sql, reterr)

void query_bind_int(struct query *q, int64_t v);
void query_bind_real(struct query *q, double v);
void query_bind_null(struct query *q);
void query_bind_text(struct query *q, const char *v);           /* NULL: null */
void query_bind_blob(struct query *q, const void *v, size_t n); /* NULL: an empty one */

/* 1: a row is there; 0: there is none (any more); else the error. */
int query_step(struct query *q) MUSTCHECK;
/* Steps through a statement without rows. How many rows it changed, or the error. */
int query_run(struct query *q) MUSTCHECK;

/* The next column of the row. One of a wrong type sets `bad` and gives 0, NULL or nothing. */
int64_t query_int(struct query *q);
int query_enum(struct query *q, int end); /* 0 … end - 1; anything else is bad, and 0 */
double query_real(struct query *q);
bool query_is_null(const struct query *q); /* asks about the next column and stays before it */
void query_skip(struct query *q);
char *query_text(struct query *q);                      /* owned; never NULL: a null is bad, and "" */
char *query_text_or_null(struct query *q);              /* owned */
const void *query_blob(struct query *q, size_t *ret_n); /* borrowed until the next step; never NULL */

/* Ids, as an iteration collects them before anyone is called: so that what is called may change what was iterated. */
struct ids {
	int64_t *items;
	size_t n, alloc;
};
void ids_add(struct ids *ids, int64_t id);
void ids_done(struct ids *ids);
/* Appends the first column of all rows. */
int query_ids(struct query *q, struct ids *ids) MUSTCHECK;

/* The same with the second column. */
int query_id_pairs(struct query *q, struct ids *ids, struct ids *seconds) MUSTCHECK;

/* Runs `sql` with one id bound and reads one integer; 0 without a row leaves *ret. 1: there was one. */
int query_one_int(struct query *q, int64_t *ret) MUSTCHECK;

#endif

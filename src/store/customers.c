/* SPDX-License-Identifier: MIT */
/*
 * The cache of looked-up customers, and the marks with which the lookups of a source have worked. An unreadable
 * customer counts as unknown and is looked up again.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"
#include "store/query.h"

int store_customer_load(struct store *s, const char *source, const char *customer, int64_t not_older_than_ms,
			struct customer *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = NULL;
	struct customer c = {0};
	/* A customer with a time in the future (by a wrong clock) would stay fresh until that time. */
	int64_t newest_ms = not_older_than_ms > 0 && s->now_ms > 0 ? s->now_ms + CLOCK_MINUTE_MS : INT64_MAX;
	int r;

	QUERY(q, s, "SELECT text FROM customers WHERE source = ?1 AND customer = ?2 AND saved >= ?3 AND saved <= ?4",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, customer);
	query_bind_int(&q, not_older_than_ms);
	query_bind_int(&q, newest_ms);
	r = query_step(&q);
	if (r < 0)
		return r;
	if (r > 0)
		text = query_text(&q);
	if (!text || customer_read(text, &c, NULL) < 0)
		return err_set(reterr, -ENOENT, "the customer is not known");
	*ret = c;
	return 0;
}

int store_customer_save(struct store *s, const char *source, const char *customer, const struct customer *c,
			int64_t now_ms, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = customer_text(c);
	int r;

	QUERY(q, s,
	      "INSERT INTO customers (source, customer, saved, text) VALUES (?1, ?2, ?3, ?4)"
	      " ON CONFLICT (source, customer) DO UPDATE SET saved = excluded.saved, text = excluded.text",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, customer);
	query_bind_int(&q, now_ms);
	query_bind_text(&q, text);
	r = query_run(&q);
	return r < 0 ? r : 0;
}

int store_lookups_worked(struct store *s, const char *source, unsigned char ret[STORE_MARK_BYTES], struct err *reterr)
{
	const void *mark = NULL;
	size_t n = 0;
	int r;

	QUERY(q, s, "SELECT mark FROM lookups_worked WHERE source = ?1", reterr);
	query_bind_text(&q, source);
	r = query_step(&q);
	if (r < 0)
		return r;
	if (r > 0)
		mark = query_blob(&q, &n);
	if (n != STORE_MARK_BYTES)
		return err_set(reterr, -ENOENT, "the lookups of %s have not worked yet", source);
	memcpy(ret, mark, n);
	return 0;
}

int store_lookups_save_worked(struct store *s, const char *source, const unsigned char mark[STORE_MARK_BYTES],
			      struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "INSERT INTO lookups_worked (source, mark) VALUES (?1, ?2)"
	      " ON CONFLICT (source) DO UPDATE SET mark = excluded.mark",
	      reterr);
	query_bind_text(&q, source);
	query_bind_blob(&q, mark, STORE_MARK_BYTES);
	r = query_run(&q);
	return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: MIT */
/* The table `deliveries` of schema 4 and older: it takes no digest any more, and is searched while it has rows. */
#include <config.h>

#include <errno.h>

#include "store/tables.h"
#include "store/transaction.h"

bool old_delivery_is_known(struct change *c, const struct webhook *w)
{
	CHANGE(q, c, "SELECT 1 FROM deliveries WHERE source = ?1 AND digest = ?2");
	query_bind_text(&q, w->source);
	query_bind_blob(&q, w->delivery, sizeof(w->delivery));
	return change_step(c, &q);
}

void old_deliveries_look(struct change *c)
{
	struct change part = change_part(c, NULL);
	int64_t id;

	CHANGE(q, &part, "SELECT max(id) FROM deliveries");
	c->store->deliveries->now.old_has = change_one_int(&part, &q, &id) || change_part_failed(c, &part, -EUCLEAN);
}

/* Ids are in order of receipt, so the oldest come first and need no index on the time. A time in the future was written
 * by a wrong clock: such a digest is as old as its neighbours and is deleted with them. */
size_t old_deliveries_delete(struct change *c, int64_t until_ms, int64_t now_ms, size_t max)
{
	int64_t last = 0;
	size_t seen = 0;
	size_t done;

	CHANGE(q, c, "SELECT id, received FROM deliveries WHERE id > 0 ORDER BY id");
	while (seen < max && change_step(c, &q)) {
		int64_t id = query_int(&q);
		int64_t received_ms = query_int(&q);

		if (received_ms > now_ms)
			continue;
		if (received_ms > until_ms)
			break;
		last = id;
		seen++;
	}
	query_close(&q);
	if (last == 0)
		return 0;
	CHANGE(gone, c,
	       "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id <= ?1 ORDER BY id LIMIT ?2)");
	query_bind_int(&gone, last);
	query_bind_int(&gone, (int64_t)max);
	done = (size_t)change_run(c, &gone);
	old_deliveries_look(c);
	return done;
}

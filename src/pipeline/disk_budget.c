/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/disk_budget.h"

#include <errno.h>

#include "base/text.h"
#include "base/log.h"

#define PASS_BYTES (128 << 10) /* what one pass writes: pages of rows and indexes; with room for a few events */
#define CLEAN_BYTES (64 << 10) /* what it takes to delete a row and its text */
#define ITEM_BYTES (8 << 10)   /* what one webhook takes beside its body */
#define CAUTIOUS_TURNS 64

bool disk_budget_check(struct disk_budget *r, bool failing)
{
	struct err why = {0};
	bool was = r->full;

	r->left = store_free_bytes(r->store);
	r->full = store_can_accept(r->store, &why) < 0;
	health_set(r->health, HEALTH_STORE_SIZE, r->full ? &why : NULL);
	if (r->full && !was)
		log_error(&((struct log_about){.reason = why.text}), "webhooks are refused with 503");
	else if (was && !r->full && !failing)
		log_notice(NULL, "webhooks are taken again");
	return !r->full;
}

bool disk_budget_fits(struct disk_budget *r, const struct submission *s)
{
	int64_t bytes = 0;
	char size[AMOUNT_MAX];

	if (r->left == INT64_MAX)
		return true;
	for (size_t i = 0; i < s->n; i++)
		bytes += (int64_t)s->items[i].parsed->webhook.body_len + ITEM_BYTES;
	if (bytes <= r->left) {
		r->left -= bytes;
		r->refused_large = false;
		return true;
	}
	if (!r->refused_large)
		log_error(&((struct log_about){.source = s->items[0].parsed->webhook.source,
					       .conversation = s->items[0].parsed->webhook.conversation}),
			  "a webhook of %s was refused with 503: the store's disk has no room for it, make some",
			  amount_size(size, bytes));
	r->refused_large = true;
	return false;
}

static size_t bounded(const struct disk_budget *r, int64_t bytes, size_t max)
{
	int64_t n = store_free_bytes(r->store) / bytes;

	if (r->cautious > 0 || n < 1)
		return 1;
	return n < (int64_t)max ? (size_t)n : max;
}

size_t disk_budget_passes(const struct disk_budget *r)
{
	return store_can_process(r->store) ? bounded(r, PASS_BYTES, SIZE_MAX / 2) : 0;
}

/* Deleting writes too: what is deleted is written over with zeros. */
size_t disk_budget_clean_rows(const struct disk_budget *r, size_t max)
{
	return r->starved > 1 ? 0 : bounded(r, CLEAN_BYTES, max);
}

void disk_budget_turn_ended(struct disk_budget *r, int code)
{
	r->starved = code == -ENOSPC ? r->starved + 1 : 0;
	if (code == -ENOSPC)
		r->cautious = CAUTIOUS_TURNS;
	else if (code == 0 && r->cautious > 0)
		r->cautious--;
}

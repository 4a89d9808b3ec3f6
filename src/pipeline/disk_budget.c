/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/disk_budget.h"

#include <errno.h>

#include "base/text.h"
#include "base/log.h"

#define PASS_BYTES (128 << 10) /* written by one pass: pages of rows and indexes, also of a few events */
#define CLEAN_BYTES (64 << 10) /* written to delete a row and its text */
#define ITEM_BYTES (8 << 10)   /* written for one webhook in addition to its body */
#define CAUTIOUS_TURNS 64

bool disk_budget_check(struct disk_budget *b, bool failing)
{
	struct err why = {0};
	bool was = b->full;

	b->left = store_free_bytes(b->store);
	b->full = store_can_accept(b->store, &why) < 0;
	health_set(b->health, HEALTH_STORE_SIZE, b->full ? &why : NULL);
	if (b->full && !was)
		log_error(&((struct log_about){.reason = why.text}), "webhooks are refused with 503");
	else if (was && !b->full && !failing)
		log_notice(NULL, "webhooks are taken again");
	return !b->full;
}

bool disk_budget_fits(struct disk_budget *b, const struct submission *s)
{
	int64_t bytes = 0;
	char size[AMOUNT_MAX];

	if (b->left == INT64_MAX)
		return true;
	for (size_t i = 0; i < s->n; i++)
		bytes += (int64_t)s->items[i].parsed->webhook.body_len + ITEM_BYTES;
	if (bytes <= b->left) {
		b->left -= bytes;
		b->refused_large = false;
		return true;
	}
	if (!b->refused_large)
		log_error(&((struct log_about){.source = s->items[0].parsed->webhook.source,
					       .conversation = s->items[0].parsed->webhook.conversation}),
			  "a webhook of %s was refused with 503: the store's disk has no room for it, make room there",
			  amount_size(size, bytes));
	b->refused_large = true;
	return false;
}

static size_t bounded(const struct disk_budget *b, int64_t bytes, size_t max)
{
	int64_t n = store_free_bytes(b->store) / bytes;

	if (b->cautious > 0 || n < 1)
		return 1;
	return n < (int64_t)max ? (size_t)n : max;
}

size_t disk_budget_passes(const struct disk_budget *b)
{
	return store_can_process(b->store) ? bounded(b, PASS_BYTES, SIZE_MAX / 2) : 0;
}

/* A deletion writes too: it overwrites the deleted bytes with zeros. */
size_t disk_budget_clean_rows(const struct disk_budget *b, size_t max)
{
	return b->starved > 1 ? 0 : bounded(b, CLEAN_BYTES, max);
}

void disk_budget_turn_ended(struct disk_budget *b, int code)
{
	b->starved = code == -ENOSPC ? b->starved + 1 : 0;
	if (code == -ENOSPC)
		b->cautious = CAUTIOUS_TURNS;
	else if (code == 0 && b->cautious > 0)
		b->cautious--;
}

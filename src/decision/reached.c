#include <config.h>

#include "decision/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Bounded by what an opening brings (ADDRESSES_MAX addresses, the source's flags) times the late addresses of one
 * opening: a list, not a table. */
static void append(struct reached_list *l, const char *account, const char *email, const char *flag)
{
	MEM_ROOM(l->items, l->n);
	l->items[l->n++] = (struct reached){mem_str(account), mem_str(email), mem_str(flag)};
}

bool reached_has(const struct reached_list *l, const char *account, const char *email, const char *flag)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct reached *r = &l->items[i];

		if (strcmp(r->account, account) == 0 && strcmp(r->email, email) == 0 && strcmp(r->flag, flag) == 0)
			return true;
	}
	return false;
}

void reached_add(struct reached_list *l, const char *account, const char *email, const char *flag)
{
	if (!reached_has(l, account, email, flag))
		append(l, account, email, flag);
}

void reached_clear(struct reached_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].account);
		free(l->items[i].email);
		free(l->items[i].flag);
	}
	free(l->items);
	*l = (struct reached_list){0};
}

void reached_copy(struct reached_list *to, const struct reached_list *from)
{
	*to = (struct reached_list){0};
	for (size_t i = 0; i < from->n; i++)
		append(to, from->items[i].account, from->items[i].email, from->items[i].flag);
}

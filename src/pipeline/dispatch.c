#include <config.h>

#include "pipeline/dispatch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "courier/pace.h"

#define ASKED_MAX 64 /* events that are passed over when a probe is chosen */

struct dispatch_account {
	struct dispatch_account *next;
	char *name;
	unsigned window;
	bool stirred;              /* the store may hold more than was seen when it was last asked */
	int64_t next_due_ms;       /* as of then */
	int64_t lent[PACE_WINDOW]; /* ids, in no order */
	unsigned lent_n;
	/* the last events that came back parked since the window was last whole, in no order */
	int64_t asked[ASKED_MAX];
	unsigned asked_n; /* how many there were; the array holds the last of them */
};

struct dispatch {
	struct dispatch_account *accounts;
};

struct dispatch *dispatch_new(void)
{
	return mem_new(1, sizeof(struct dispatch));
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	for (struct dispatch_account *a = d->accounts, *next; a; a = next) {
		next = a->next;
		free(a->name);
		free(a);
	}
	free(d);
}

static struct dispatch_account *account_find(const struct dispatch *d, const char *name)
{
	for (struct dispatch_account *a = d->accounts; a; a = a->next)
		if (text_is(a->name, name))
			return a;
	return NULL;
}

void dispatch_window(struct dispatch *d, const char *account, unsigned window)
{
	struct dispatch_account *a = account_find(d, account);

	if (!a) {
		a = mem_new(1, sizeof(*a));
		a->name = mem_str(account);
		a->next_due_ms = CLOCK_NEVER_MS;
		a->next = d->accounts;
		d->accounts = a;
	}
	a->window = window < PACE_WINDOW ? window : PACE_WINDOW;
	a->stirred = true;
	if (a->window == PACE_WINDOW)
		a->asked_n = 0;
}

static bool is_asked(const struct dispatch_account *a, int64_t event)
{
	for (unsigned i = 0; i < a->asked_n && i < ASKED_MAX; i++)
		if (a->asked[i] == event)
			return true;
	return false;
}

static int64_t *lent_find(struct dispatch_account *a, int64_t event)
{
	for (unsigned i = 0; i < a->lent_n; i++)
		if (a->lent[i] == event)
			return &a->lent[i];
	return NULL;
}

bool dispatch_is_lent(const struct dispatch *d, const char *account, int64_t event)
{
	struct dispatch_account *a = account_find(d, account);

	return a && lent_find(a, event);
}

void dispatch_returned(struct dispatch *d, const char *account, int64_t event, bool parked)
{
	struct dispatch_account *a = account_find(d, account);
	int64_t *lent = a ? lent_find(a, event) : NULL;

	if (!lent)
		return;
	*lent = a->lent[--a->lent_n];
	a->stirred = true;
	if (parked && a->window < PACE_WINDOW && !is_asked(a, event))
		a->asked[a->asked_n++ % ASKED_MAX] = event;
}

void dispatch_stir(struct dispatch *d, const char *account)
{
	for (struct dispatch_account *a = d->accounts; a; a = a->next)
		if (!account || text_is(a->name, account))
			a->stirred = true;
}

struct hand_over {
	struct dispatch_account *account;
	const struct account *config;
	struct courier *courier;
	bool fresh; /* only what was not asked by in vain */
};

/* What is lent is due too. */
static bool is_wanted(void *ctx, int64_t event)
{
	const struct hand_over *h = ctx;

	return !lent_find(h->account, event) && !(h->fresh && is_asked(h->account, event));
}

static int hand_over_event(void *ctx, struct event *e)
{
	struct hand_over *h = ctx;
	struct dispatch_account *a = h->account;
	struct event *own;

	/* Of another url: about to become a dead letter. Without one: its account was not configured then. */
	if (e->url && e->url[0] != '\0' && !text_is(e->url, h->config->url))
		return 0;
	a->lent[a->lent_n++] = e->id;
	own = mem_new(1, sizeof(*own));
	*own = *e;
	*e = (struct event){0};
	courier_send(h->courier, own);
	return a->lent_n >= a->window;
}

/* Returns as store_events_due does. Events that are lent or passed over may come first: so many more are asked for. */
static int lend(struct hand_over *h, struct store *s, int64_t now_ms, struct err *reterr)
{
	struct dispatch_account *a = h->account;
	size_t max = a->lent_n + a->window, passed = a->asked_n < ASKED_MAX ? a->asked_n : ASKED_MAX;
	unsigned before = a->lent_n;
	int r;

	h->fresh = passed > 0;
	r = store_events_due(s, a->name, now_ms, max + passed, is_wanted, hand_over_event, h, reterr);
	if (r != 0 || a->lent_n != before || !h->fresh)
		return r;
	h->fresh = false;
	return store_events_due(s, a->name, now_ms, max, is_wanted, hand_over_event, h, reterr);
}

int dispatch_hand_over(struct dispatch *d, struct store *s, const struct config *c, struct courier *courier,
		       int64_t now_ms, struct err *reterr)
{
	for (struct dispatch_account *a = d->accounts; a; a = a->next) {
		struct hand_over h = {a, config_account(c, a->name), courier, false};
		int r;

		if (!h.config) /* its events wait; a generation that has it again stirs */
			a->next_due_ms = CLOCK_NEVER_MS;
		if (!h.config || a->lent_n >= a->window || (!a->stirred && now_ms < a->next_due_ms))
			continue;
		r = lend(&h, s, now_ms, reterr);
		if (r < 0)
			return r;
		a->stirred = r > 0;
		a->next_due_ms = r > 0 ? now_ms : store_events_next_due_ms(s, a->name, now_ms);
	}
	return 0;
}

int64_t dispatch_next_ms(const struct dispatch *d)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (const struct dispatch_account *a = d->accounts; a; a = a->next) {
		if (a->lent_n >= a->window)
			continue;
		if (a->next_due_ms < next_ms)
			next_ms = a->next_due_ms;
	}
	return next_ms;
}

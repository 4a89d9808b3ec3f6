#include <config.h>

#include "intake/refusals.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

struct refusal {
	struct refusal *next;
	char *source;
	const char *reason;
	int64_t logged_ms;
	unsigned since; /* not logged since then */
};

struct refusals {
	pthread_mutex_t lock; /* over all below */
	struct refusal *all;  /* configured sources and a few reasons: bounded */
};

struct refusals *refusals_new(void)
{
	struct refusals *r = mem_new(1, sizeof(*r));

	INSIST(pthread_mutex_init(&r->lock, NULL) == 0);
	return r;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	for (struct refusal *x = r->all, *next; x; x = next) {
		next = x->next;
		free(x->source);
		free(x);
	}
	INSIST(pthread_mutex_destroy(&r->lock) == 0);
	free(r);
}

/* With the lock held. */
static struct refusal *refusal_get(struct refusals *r, const char *source, const char *reason)
{
	struct refusal *x;

	for (x = r->all; x; x = x->next)
		if (text_is(x->source, source) && text_is(x->reason, reason))
			return x;
	x = mem_new(1, sizeof(*x));
	x->source = mem_str(source);
	x->reason = reason;
	x->logged_ms = INT64_MIN / 2;
	x->next = r->all;
	r->all = x;
	return x;
}

void refusals_note(struct refusals *r, const char *source, const char *reason, const char *peer, int64_t now_ms)
{
	struct log_about about = {.source = source, .reason = reason};
	struct refusal *x;
	unsigned more = 0;
	bool due;

	INSIST(pthread_mutex_lock(&r->lock) == 0);
	x = refusal_get(r, source, reason);
	due = now_ms - x->logged_ms >= CLOCK_SECOND_MS;
	if (due) {
		more = x->since;
		x->since = 0;
		x->logged_ms = now_ms;
	} else {
		x->since++;
	}
	INSIST(pthread_mutex_unlock(&r->lock) == 0);
	if (!due)
		return;
	if (more > 0)
		log_warning(&about, "a webhook from %s was refused (and %u more before it)", peer, more);
	else
		log_warning(&about, "a webhook from %s was refused", peer);
}

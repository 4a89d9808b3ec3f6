/* SPDX-License-Identifier: MIT */
/*
 * reload: POST /api/reload. The request is suspended and handed to whoever owns the configuration; the verdict answers
 * it.
 */
#ifndef ADMIN_RELOAD_H
#define ADMIN_RELOAD_H

#include <stdint.h>

#include "base/problems.h"
#include "base/thread.h"

/* One request that waits for its verdict. */
struct admin_reload {
	struct message message; /* for the owner's mailbox */
				/* private members follow in reload.c */
};

/* The one that reloads. ask is called on the admin's threads and does not block: it hands `asked` on, or answers it at
 * once. */
struct admin_reloader {
	void (*ask)(void *ctx, struct admin_reload *asked);
	void *ctx;
};

enum admin_verdict_kind {
	ADMIN_RELOAD_TAKEN,    /* 200 */
	ADMIN_RELOAD_WRONG,    /* 422: the configuration has errors */
	ADMIN_RELOAD_RESTART,  /* 409: it changes what only a restart can change */
	ADMIN_RELOAD_STOPPING, /* 503: the daemon stops */
};

struct admin_verdict {
	enum admin_verdict_kind kind;
	const char *config;              /* the file */
	uint64_t generation;             /* the one in use now */
	const struct problems *problems; /* of the reading; NULL: none */
	const char *error;               /* where it was not taken: why, for a person */
};

/*
 * Answers, once, from any thread; asked is gone afterwards. The body is {taken, config, generation, error, reason,
 * problems: [{file, line, column, path, text, warning}], more: N}; error and reason ("configuration", "restart" or
 * "stopping") where it was not taken; more: problems beyond those that are listed.
 */
void admin_reload_answer(struct admin_reload *asked, const struct admin_verdict *verdict);

/* ---- for src/admin ----------------------------------------------------------------------------------------------- */

struct http_exchange;
/* In complete: suspends the exchange and asks. */
void admin_reload_begin(const struct admin_reloader *reloader, struct http_exchange *x);

#endif

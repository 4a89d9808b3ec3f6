/* SPDX-License-Identifier: MIT */
/*
 * reload: POST /api/reload. The request is suspended and passed to the owner of the configuration, who answers it with
 * a verdict.
 */
#ifndef ADMIN_RELOAD_H
#define ADMIN_RELOAD_H

#include <stdint.h>

#include "base/problems.h"
#include "base/thread.h"

/* A request that waits for its verdict. */
struct admin_reload {
	struct message message; /* for the owner's mailbox */
				/* private members follow in reload.c */
};

/* The owner of the configuration. ask runs on the threads of admin and does not block: it passes `asked` to another
 * thread, or answers it at once. */
struct admin_reloader {
	void (*ask)(void *ctx, struct admin_reload *asked);
	void *ctx;
};

enum admin_verdict_kind {
	ADMIN_RELOAD_TAKEN,    /* 200 */
	ADMIN_RELOAD_WRONG,    /* 422: the configuration has errors */
	ADMIN_RELOAD_RESTART,  /* 409: it changes settings that need a restart */
	ADMIN_RELOAD_STOPPING, /* 503: the daemon stops */
};

struct admin_verdict {
	enum admin_verdict_kind kind;
	const char *config;              /* the file */
	uint64_t generation;             /* the current one */
	const struct problems *problems; /* of the reading; NULL: none */
	const char *error;               /* why the configuration was not applied, for a person; NULL: it was */
};

/*
 * Answers the request, once; asked is freed. Any thread. The body is {taken, config, generation, error, reason,
 * problems: [{file, line, column, path, text, warning, notice}], more: N}.
 *   error, reason ("configuration", "restart" or "stopping"): where the configuration was not applied
 *   more: the number of problems that are not listed
 */
void admin_reload_answer(struct admin_reload *asked, const struct admin_verdict *verdict);

/* ---- for src/admin ----------------------------------------------------------------------------------------------- */

struct http_exchange;
/* In the handler's `complete`: suspends the exchange and calls the reloader. */
void admin_reload_begin(const struct admin_reloader *reloader, struct http_exchange *x);

#endif

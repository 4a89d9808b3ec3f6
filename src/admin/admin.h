/*
 * admin: the operator's HTTP address: /healthz, /readyz, /metrics, /api/… (DESIGN section 15).
 *
 * Two libmicrohttpd threads, each request with a read-only store of its own; /healthz, /readyz and /metrics read
 * counters only. Where a token is configured every path but /healthz and /readyz needs `Authorization: Bearer TOKEN`.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/err.h"
#include "base/mem.h"
#include "config/generation.h"
#include "pipeline/pipeline.h"

struct admin;

int admin_start(struct pipeline *p, const struct config *c, int listen_fd, struct admin **ret,
		struct err *reterr) MUSTCHECK;
const char *admin_address(const struct admin *a);
void admin_stop(struct admin *a);

#endif

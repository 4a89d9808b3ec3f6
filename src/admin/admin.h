/* SPDX-License-Identifier: MIT */
/*
 * admin: the operator's HTTP address: /healthz, /readyz, /metrics, /api/….
 *
 * Two libmicrohttpd threads, each request with a read-only store of its own; /healthz, /readyz and /metrics read
 * counters only, and are open. /api/… needs `Authorization: Bearer TOKEN`, but on a unix socket; a Host that is neither
 * loopback nor in admin.hosts, and the Origin of a foreign page, get 403 there. Changes are POSTs.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/reload.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/generation.h"
#include "http/server.h"
#include "pipeline/pipeline.h"

struct admin;

/* reloader is copied; it is asked until admin_stop, before which every reload that was asked for must be answered. */
int admin_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed,
		const struct admin_reloader *reloader, struct admin **ret, struct err *reterr) MUSTCHECK;
const char *admin_address(const struct admin *a);
void admin_stop(struct admin *a);

#endif

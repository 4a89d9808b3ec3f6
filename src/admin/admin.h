/* SPDX-License-Identifier: MIT */
/*
 * admin: the operator's HTTP listener: /healthz, /readyz, /metrics, /api/….
 *
 * It runs two threads of libmicrohttpd. /healthz, /readyz and /metrics read counters only, and need no authorisation.
 * Each GET of /api/… opens a read-only store of its own. A request to /api/… needs `Authorization: Bearer TOKEN`,
 * except on a unix socket that is closed to other accounts. It gets 403 where its Host is neither loopback nor in
 * admin.hosts, or where its Origin is a foreign page. Changes are POSTs.
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

/* reloader is copied. It is called until admin_stop. Each reload that it was asked for must be answered before
 * admin_stop. */
int admin_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed,
		const struct admin_reloader *reloader, struct admin **ret, struct err *reterr) MUSTCHECK;
const char *admin_address(const struct admin *a);
void admin_stop(struct admin *a);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * intake: what the listener does with a request: path, method, limits, proof, reading; then the connection
 * is suspended and its webhooks go to the pipeline; the answer is given when they are committed.
 *
 * Runs on the HTTP server's threads; holds nothing but counters and the way to the pipeline.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "base/err.h"
#include "base/mem.h"
#include "conf/generation.h"
#include "http/server.h"
#include "pipeline/pipeline.h"

struct intake;

/* passed: sockets passed by systemd, if any. Requests are judged by generation_current(). */
int intake_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed, struct intake **ret,
		 struct err *reterr) MUSTCHECK;
const char *intake_address(const struct intake *i);
/* No new connections; once it returns, 503 to every request. The pipeline answers the suspended ones. Requests on
 * connections that were accepted already are taken for a fifth of a second at most, so that a client of a socket that
 * systemd holds does not hear of a restart. Blocks as long. */
void intake_quiesce(struct intake *i);
/* After the pipeline has answered everything. Frees i. */
void intake_stop(struct intake *i);

#endif

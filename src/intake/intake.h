/* SPDX-License-Identifier: MIT */
/*
 * intake: handles a webhook request: path, method, limits, proof, reading. It suspends the connection, submits the
 * webhooks to the pipeline, and answers after their commit.
 *
 * Runs on the HTTP server's threads. Its own state is a memory budget, counters, and the limits of log lines.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "base/err.h"
#include "base/mem.h"
#include "conf/generation.h"
#include "http/server.h"
#include "pipeline/pipeline.h"

struct intake;

/* passed: sockets passed by systemd, if any. Each request uses generation_current(). */
int intake_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed, struct intake **ret,
		 struct err *reterr) MUSTCHECK;
const char *intake_address(const struct intake *i);
/* Stops accepting. After it returns every new request gets 503. The pipeline answers suspended requests. Requests on
 * accepted connections are still taken for at most 0.2 s, so that clients of a systemd socket do not notice a restart.
 * Blocks for that time. */
void intake_quiesce(struct intake *i);
/* Call after the pipeline has answered all requests. Frees i. */
void intake_stop(struct intake *i);

#endif

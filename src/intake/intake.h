/* SPDX-License-Identifier: MIT */
/*
 * intake: receives webhooks. For each request it
 *
 * - checks path, method, limits and proof, and reads the webhooks in the body;
 * - submits them to the pipeline, and suspends the connection;
 * - answers after their commit.
 *
 * Runs on the HTTP server's threads; after the commit another thread only wakes the connection. All requests share a memory budget, counters, and the limits of log lines.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "base/err.h"
#include "base/mem.h"
#include "conf/generation.h"
#include "http/server.h"
#include "pipeline/pipeline.h"

struct intake;

/* Starts the listener. passed: sockets passed by systemd, if any. Each request uses generation_current(). */
int intake_start(struct pipeline *p, const struct config *c, const struct http_sockets *passed, struct intake **ret,
		 struct err *reterr) MUSTCHECK;
const char *intake_address(const struct intake *i); /* as http_server_address(); borrowed */
/* Accepts no more connections. Requests on accepted connections are still taken for up to 0.2 s, so that clients of a
 * systemd socket get no error during a restart; it blocks until they are done or that time is over. After it returns,
 * every new request gets 503. The pipeline still answers suspended requests. */
void intake_quiesce(struct intake *i);
/* Stops the listener and frees i. Call it after the pipeline has answered all requests. Waits up to 2 s
 * until the last answers are sent. */
void intake_stop(struct intake *i);

#endif

/*
 * serve_status: the line that `systemctl status` shows.
 */
#ifndef COMMAND_SERVE_STATUS_H
#define COMMAND_SERVE_STATUS_H

#include "base/mem.h"
#include "pipeline/pipeline.h"

/* "account default: Missing or invalid private key. (401); listening on …": what is wrong now, then `listening`. One
 * line; the caller owns it. */
char *serve_status(struct pipeline *p, const char *listening) MUSTCHECK;

#endif

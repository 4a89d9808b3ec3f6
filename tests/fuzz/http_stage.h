/* SPDX-License-Identifier: MIT */
/*
 * http_stage: the real listeners (intake and admin, with their HTTP server and the shipped definitions) in this
 * process, and a client that plays one input against them and looks at everything that comes back. fuzz_http and
 * heap_http share it.
 *
 * The pipeline is a stand-in: a thread that answers what intake submits (the suspending and resuming are real), accepts
 * what it is given, and aborts where a webhook comes in whose proof the client did not send.
 */
#ifndef HTTP_STAGE_H
#define HTTP_STAGE_H

#include "http_client.h"
#include "http_script.h"

/* Starts the listeners; once. DESKBRIDGE_PRESETS says where the definitions are. */
void stage_start(void);
/* Ends them. */
void stage_stop(void);

/* Plays it and returns when the server has forgotten the connection. Aborts, with a line that says what does not hold,
 * where an answer is malformed or says what it must not, a secret is in an answer or in the log, an unproven webhook
 * was taken, or the server does not end. */
struct played stage_play(const struct script *s);

#endif

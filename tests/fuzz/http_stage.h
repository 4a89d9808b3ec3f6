/* SPDX-License-Identifier: MIT */
/*
 * http_stage: the real listeners (intake and admin, with their HTTP server and the shipped definitions) in this
 * process, and a client that plays one input against them and looks at everything that comes back. fuzz_http and
 * heap_http share it.
 *
 * The pipeline is a stand-in: a thread that answers and accepts submissions, with real suspending and resuming. It
 * aborts where it gets a webhook whose proof the client did not send.
 */
#ifndef HTTP_STAGE_H
#define HTTP_STAGE_H

#include "http_client.h"
#include "http_script.h"

/* Starts the listeners; call it once. DESKBRIDGE_PRESETS names the folder of the definitions. */
void stage_start(void);
/* Ends the listeners. */
void stage_stop(void);

/* Plays a script and returns when nothing of the connection is left in the server. Prints the failed condition and
 * aborts where an answer is malformed or not allowed, a secret is in an answer or in the log, an unproven webhook was
 * accepted, or the server does not end the connection. */
struct played stage_play(const struct script *s);

#endif

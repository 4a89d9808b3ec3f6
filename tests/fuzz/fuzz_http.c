/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on raw HTTP: what a client sends to the listeners (http_script.h says how an input stands for that).
 *
 * Beyond not crashing: each answer is well-formed HTTP with a status that http_client.c names; no webhook comes in
 * whose proof the client did not send; no secret is in an answer or in the log; afterwards no connection and no
 * exchange is left.
 */
#include <config.h>

#include <stdint.h>

#include "http_stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct script script;

	if (!started)
		stage_start();
	started = true;
	script_make(data, size, &script);
	(void)stage_play(&script);
	script_done(&script);
	return 0;
}

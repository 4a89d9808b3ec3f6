/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on raw HTTP: clients' requests to the listeners. http_script.h describes the form of an input.
 *
 * In addition to crashes, the fuzzer finds:
 *
 * - an answer that is no well-formed HTTP, or has a status that http_client.c does not list
 * - a webhook that is accepted without a proof from the client
 * - a secret in an answer or in the log
 * - a connection or an exchange that is left afterwards
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

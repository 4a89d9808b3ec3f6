/* SPDX-License-Identifier: MIT */
/*
 * deskbridge sandbox: replaces this process by the program deskbridge-sandbox (src/sandbox), so that the daemon holds
 * none of its code.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"
#include "base/path.h"
#include "command/command.h"

#define PROGRAM "deskbridge-sandbox"

/* Starts the sandbox's program from the folder of this program, whose links are followed. "--" makes the sandbox
 * read all arguments as its own. */
static int run(const struct command_context *ctx, int argc, char **argv)
{
	char self[PATH_MAX] = "";
	CLEANUP(mem_freep) char *folder = NULL;
	CLEANUP(mem_freep) char *program = NULL;
	CLEANUP(mem_freep) const char **words = mem_new((size_t)argc + 4, sizeof(*words));
	size_t n = 0;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
		out_error("deskbridge sandbox: cannot start " PROGRAM
			  ": where it stands cannot be read from /proc/self/exe: %s\n",
			  strerror(errno));
		return COMMAND_FAILED;
	}
	folder = path_folder(self);
	program = path_join(folder, PROGRAM);
	words[n++] = PROGRAM;
	if (ctx->config_given) {
		words[n++] = "-c";
		words[n++] = ctx->config_file;
	}
	words[n++] = "--";
	memcpy(words + n, argv + 1, (size_t)argc * sizeof(*words)); /* with the final NULL */
	(void)execv(program, (char **)words);
	out_error("deskbridge sandbox: cannot start %s: %s: it belongs beside the program deskbridge\n", program,
		  strerror(errno));
	return COMMAND_FAILED;
}

const struct command command_sandbox = {
	.name = "sandbox",
	.summary = COMMAND_SANDBOX_SUMMARY,
	.run = run,
};

/*
 * load: what several commands begin with: the configuration read and its problems shown; the running daemon asked.
 */
#ifndef COMMAND_LOAD_H
#define COMMAND_LOAD_H

#include "base/json.h"
#include "command/command.h"
#include "config/generation.h"

/*
 * Reads the configuration; problems go to stderr: all of them, or (quiet_warnings) the errors only. The caller owns the
 * reference. NULL after a message.
 */
struct generation *load_generation(const struct command_context *ctx, bool quiet_warnings);

/* The source of that name; NULL after a message that names those there are. */
const struct source *load_source(const struct generation *g, const char *name);

/*
 * GET path from the running daemon's admin address (or `address`, where not NULL), token included. The caller owns
 * *ret. Returns COMMAND_GOOD, or the exit status after a message.
 */
int load_from_daemon(const struct command_context *ctx, const char *address, const char *path,
		     struct json_object **ret);

/* A whole file, or standard input for "-"; at most max bytes. The caller owns *ret. 0 or -errno with reterr. */
int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr) MUSTCHECK;

#endif

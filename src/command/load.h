/* SPDX-License-Identifier: MIT */
/*
 * load: reads the configuration and other files for several commands. Messages go to stderr.
 */
#ifndef COMMAND_LOAD_H
#define COMMAND_LOAD_H

#include <stdio.h>

#include "command/command.h"
#include "conf/generation.h"

/*
 * Reads the configuration, and prints its problems on stderr. *ret_warnings: the number of warnings, notices not
 * counted. ret_warnings NULL: problems are printed only where the configuration does not load. NULL after a message.
 * The caller owns the reference.
 */
struct generation *load_generation(const struct command_context *ctx, size_t *ret_warnings);

/* Prints advice where the default configuration did not load because it does not exist or may not be read. */
void load_note(const struct command_context *ctx, bool loaded, FILE *to);

/* Returns the source of that name; NULL after a message that names the sources. */
const struct source *load_source(const struct generation *g, const char *name);

/*
 * Returns the URL of path at a listening address, for a program on this machine: an address for all interfaces becomes
 * loopback. *ret_unix_socket: the socket to connect to instead of the URL's host, borrowed from address; NULL: none.
 * The caller owns the URL.
 */
char *load_url(const char *address, const char *path, const char **ret_unix_socket) MUSTCHECK;

/* Reads a whole file, or standard input for "-". max: the limit in bytes. Returns 0 or a negative errno with reterr.
 * The caller owns *ret. */
int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr) MUSTCHECK;

#endif

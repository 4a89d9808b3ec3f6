/* SPDX-License-Identifier: MIT */
/*
 * load: the configuration, and files, as several commands read them. Messages go to stderr.
 */
#ifndef COMMAND_LOAD_H
#define COMMAND_LOAD_H

#include <stdio.h>

#include "command/command.h"
#include "conf/generation.h"

/*
 * Reads the configuration. Its problems go to stderr, and the number of warnings among them goes into *ret_warnings.
 * ret_warnings NULL: problems are printed only where the configuration does not load. The caller owns the reference.
 * NULL after a message.
 */
struct generation *load_generation(const struct command_context *ctx, size_t *ret_warnings);

/* Prints the advice for an installed configuration that did not load because it is not there or may not be read. */
void load_note(const struct command_context *ctx, bool loaded, FILE *to);

/* The source of that name; NULL after a message that names those there are. */
const struct source *load_source(const struct generation *g, const char *name);

/*
 * The URL by which a program on this machine reaches path at an address to listen on: an address that stands for all
 * becomes loopback. *ret_unix_socket: where to connect instead of the URL's host, or NULL; borrowed from address. The
 * caller owns the URL.
 */
char *load_url(const char *address, const char *path, const char **ret_unix_socket) MUSTCHECK;

/* A whole file, or standard input for "-"; at most max bytes. The caller owns *ret. 0 or -errno with reterr. */
int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr) MUSTCHECK;

#endif

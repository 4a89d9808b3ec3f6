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

/* Where the running daemon is asked. */
struct daemon_door {
	struct generation *generation; /* NULL: the configuration does not load */
	const char *address;           /* borrowed */
	const char *config_file;       /* borrowed */
};

/*
 * The admin address of the configuration, or `address` where not NULL; then a configuration that does not load is told
 * and no more: the token is missing, that is all. door_close in any case. Returns COMMAND_GOOD, or the exit status
 * after a message.
 */
int door_open(const struct command_context *ctx, const char *address, struct daemon_door *ret);
void door_close(struct daemon_door *d);

/*
 * GET path from the running daemon, token included. The answer is of the wanted type. The caller owns *ret. Returns
 * COMMAND_GOOD, or the exit status after a message.
 */
int load_from_daemon(const struct daemon_door *door, const char *path, enum json_type wanted, struct json_object **ret);

/*
 * The URL by which a program on this machine reaches path at an address to listen on: an address that stands for all
 * becomes loopback. *ret_unix_socket: where to connect instead of the URL's host, or NULL; borrowed from address. The
 * caller owns the URL.
 */
char *load_url(const char *address, const char *path, const char **ret_unix_socket) MUSTCHECK;

/* A whole file, or standard input for "-"; at most max bytes. The caller owns *ret. 0 or -errno with reterr. */
int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr) MUSTCHECK;

#endif

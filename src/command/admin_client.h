/* SPDX-License-Identifier: MIT */
/*
 * admin_client: how commands ask the running daemon through its admin address.
 */
#ifndef COMMAND_ADMIN_CLIENT_H
#define COMMAND_ADMIN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "command/command.h"
#include "conf/admin_settings.h"
#include "http/client.h"

/* Options about the daemon to be asked; every command that asks it takes both. NULL: the configuration's. */
struct admin_client_options {
	const char *address;    /* --admin */
	const char *token_file; /* --token-file */
};
#define ADMIN_CLIENT_SPECS(options)                                 \
	{"--admin", OPTION_TEXT, &(options)->address},              \
	{                                                           \
		"--token-file", OPTION_FILE, &(options)->token_file \
	}
#define ADMIN_CLIENT_ARGUMENTS "[--admin ADDRESS:PORT] [--token-file FILE]"
#define ADMIN_CLIENT_HELP                                                                        \
	"  --admin ADDRESS:PORT, --admin unix:PATH\n"                                            \
	"                     the daemon's admin address, where it is not the configuration's\n" \
	"  --token-file FILE  the admin token stands there, and not where the configuration says\n"

/* Where the running daemon is asked. */
struct admin_client {
	struct admin_settings settings;
	const char *address; /* borrowed */
	const struct command_context *context;
	const char *command; /* the command's name, for advice */
	bool given;          /* the address is not the configuration's */
	bool token_given;    /* the token is not the configuration's */
};

/*
 * The admin address and token: the options', else those of the configuration; of a file that is broken or cannot be
 * read what can be read of `admin` and `store`, else the defaults, which is told. COMMAND_GOOD, or the exit status
 * after a message: --admin is no address (wrong usage, before anything is read), --token-file cannot be read.
 * admin_client_close in any case.
 */
int admin_client_open(const struct command_context *ctx, const struct command *command,
		      const struct admin_client_options *options, struct admin_client *ret);
void admin_client_close(struct admin_client *d);

/* One request to the running daemon, token included. Returns COMMAND_GOOD with *ret, which may tell a failure and is
 * the caller's (http_response_done), or the exit status after a message. */
int admin_client_ask(const struct admin_client *client, const char *method, const char *path, int64_t timeout_ms,
		     struct http_response *ret);
/* Says on stderr why there was no good answer, and what to do. Returns the exit status: COMMAND_CONFIG where nobody
 * answers at the address of a configuration that does not load, so that it may not be the daemon's. */
int admin_client_print_failure(const struct admin_client *client, const struct http_response *reply);

/*
 * GET path from the running daemon, token included. The answer is of the wanted type. The caller owns *ret. Returns
 * COMMAND_GOOD, or the exit status after a message.
 */
int admin_client_get(const struct admin_client *client, const char *path, enum json_type wanted,
		     struct json_object **ret);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * admin_client: sends the requests of commands to the running daemon's admin address. Messages go to stderr.
 */
#ifndef COMMAND_ADMIN_CLIENT_H
#define COMMAND_ADMIN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "command/command.h"
#include "conf/admin_settings.h"
#include "http/client.h"

/* The options of each command that asks the daemon. NULL: the configuration's value. */
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
	"  --token-file FILE  the file of the admin token, where it is not the configuration's\n"

/* The address and token for requests to the running daemon. */
struct admin_client {
	struct admin_settings settings;
	const char *address; /* borrowed */
	const struct command_context *context;
	const char *command; /* the command's name, for advice */
	bool given;          /* the address is from --admin */
	bool token_given;    /* the token is from --token-file */
};

/*
 * Sets the admin address and token: those of the options, else those of the configuration. Where the configuration is
 * broken or cannot be read, `admin` and `store` are read as far as possible; other values are the defaults, and a note
 * is printed. Returns COMMAND_GOOD, or the exit status after a message: --admin is not an address (wrong usage, before
 * any file is read), or --token-file cannot be read. Call admin_client_close in any case.
 */
int admin_client_open(const struct command_context *ctx, const struct command *command,
		      const struct admin_client_options *options, struct admin_client *ret);
void admin_client_close(struct admin_client *client);

/* Sends one request with the token. Returns COMMAND_GOOD with *ret, which may hold a failure and is the caller's
 * (http_response_done); or the exit status after a message. */
int admin_client_ask(const struct admin_client *client, const char *method, const char *path, int64_t timeout_ms,
		     struct http_response *ret);
/* Prints why there was no good answer, and what to do. Returns the exit status: COMMAND_CONFIG where nothing answers
 * at the address of a configuration that does not load, as this address may not be the daemon's. */
int admin_client_print_failure(const struct admin_client *client, const struct http_response *response);

/*
 * Sends a GET with the token, and expects JSON of the wanted type. Returns COMMAND_GOOD with *ret, which the caller
 * owns; or the exit status after a message.
 */
int admin_client_get(const struct admin_client *client, const char *path, enum json_type wanted,
		     struct json_object **ret);

#endif

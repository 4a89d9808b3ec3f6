/* SPDX-License-Identifier: MIT */
/*
 * command: the interface of a sub-command, and functions for all of them. Each sub-command has a file cmd_NAME.c; the
 * table is in main.c.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>

/* Exit statuses, as in man/deskbridge.8. */
enum {
	COMMAND_GOOD = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
	COMMAND_CONFIG = 78,
};

#define CONFIG_DEFAULT DESKBRIDGE_SYSCONFDIR "/deskbridge.yaml"

struct command_context {
	const char *config_file; /* -c FILE, or the installed default */
	bool config_given;
};

struct command {
	const char *name;
	const char *arguments; /* "SOURCE [FILE]" */
	const char *summary;   /* one line */
	const char *help;      /* printed by --help below the usage line: options, examples, exit statuses */
	/* argv[0] is the command's name; a NULL follows the last word. --help only prints. */
	int (*run)(const struct command_context *ctx, int argc, char **argv);
};

/* The sandbox's line in `deskbridge --help`, and in the help of its own program. */
#define COMMAND_SANDBOX_SUMMARY "answer like Klaviyo, and like your helpdesk, for tests, and show what arrived"

extern const struct command command_serve, command_check, command_explain, command_sample, command_sandbox,
	command_presets, command_queue, command_reload, command_status;

/* "deskbridge queue: unknown option --lmit (did you mean --limit?)" on stderr; returns COMMAND_USAGE. */
int command_usage_error(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the help of a command to standard output. */
void command_print_help(const struct command *c);

/*
 * The begin and end of a program.
 *
 * command_begin, before any file is opened, gives each closed standard stream a file that accepts and holds nothing.
 * Without it, the next opened file would get the stream's number, and log lines would be written to that file.
 *
 * command_end returns the status to exit with: COMMAND_FAILED instead of success where standard output could not be
 * written, as on a full disk or after the reader closed it.
 */
void command_begin(void);
int command_end(int status);

/*
 * Sets the advice on unreadable files for a user who is neither root nor the daemon's user: it then names who can run
 * the command. The usual advice, a chgrp to this user's group, would take the daemon's access away. Does nothing for
 * root and the daemon's user. Once, before there are threads. Blocks on files.
 */
void command_note_bystander(const char *command);

#endif

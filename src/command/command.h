/* SPDX-License-Identifier: MIT */
/*
 * command: what a sub-command is, and what all of them share. Each has a file cmd_NAME.c; the table is in main.c.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>

/* Exit statuses, as man/deskbridge.8 has them. */
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
	const char *help;      /* what --help prints below the usage line: options, examples, exit statuses */
	/* argv[0] is the command's name; NULL stands behind the last word. --help does nothing but print. */
	int (*run)(const struct command_context *ctx, int argc, char **argv);
};

/* The sandbox's line in `deskbridge --help`, and in its own help, which its program holds. */
#define COMMAND_SANDBOX_SUMMARY "answer like Klaviyo, and like your helpdesk, for tests, and show what arrived"

extern const struct command command_serve, command_check, command_explain, command_sample, command_sandbox,
	command_presets, command_queue, command_reload, command_status;

/* "deskbridge queue: unknown option --lmit (did you mean --limit?)" on stderr; returns COMMAND_USAGE. */
int command_usage_error(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints what --help shows to standard output. */
void command_print_help(const struct command *c);

/*
 * How a program begins and ends. command_begin, before any file is opened, gives each closed standard stream a file
 * that takes and holds nothing: else a file that is opened later would get its number, and lines of the log would be
 * written to it. command_end returns the status to exit with: a status of success becomes COMMAND_FAILED where standard
 * output could not be written, as on a full disk or where the reader went away.
 */
void command_begin(void);
int command_end(int status);

/*
 * Where a bystander runs the command of that name, a user who is neither root nor the daemon's, advice on files that
 * cannot be read names who can run the command instead of a chgrp, which would lock the daemon out: rights that this
 * user lacks are no fault of the installation. Once, before there are threads. Blocks on files.
 */
void command_note_bystander(const char *command);

#endif

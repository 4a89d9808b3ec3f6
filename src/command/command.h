/*
 * command: the sub-commands: one file each, one table (command.c) that --help is printed from.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses (DESIGN section 14). */
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
	const char *source; /* the commit that the program was built from, for --version; "": not known */
};

struct command {
	const char *name;
	const char *arguments; /* "SOURCE [FILE]" */
	const char *summary;   /* one line */
	const char *help;      /* what --help prints below the usage line: options, examples, exit statuses */
	/* argv[0] is the command's name. */
	int (*run)(const struct command_context *ctx, int argc, char **argv);
};

extern const struct command command_serve, command_check, command_explain, command_sample, command_sandbox,
	command_presets, command_queue, command_reload, command_status;

/* main.c's whole work: finds the sub-command and runs it. source: as in struct command_context. */
int command_main(int argc, char **argv, const char *source);

/* "deskbridge queue: unknown option --lmit (did you mean --limit?)" on stderr; returns COMMAND_USAGE. */
int command_usage_error(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void command_print_help(const struct command *c);

#endif

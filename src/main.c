/* SPDX-License-Identifier: MIT */
/*
 * deskbridge: finds the sub-command and runs it.
 */
#include <config.h>

#include <getopt.h>
#include <gnutls/gnutls.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/out.h"
#include "base/text.h"
#include "build-source.h"
#include "command/command.h"
#include "http/client.h"
#include "http/server.h"

static const struct command *const commands[] = {
	&command_serve,   &command_reload,  &command_check,  &command_explain, &command_sample,
	&command_presets, &command_sandbox, &command_status, &command_queue,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *to)
{
	out_to(to, "Usage: deskbridge [-c FILE] COMMAND [ARGUMENT]…\n"
		   "\n"
		   "Takes a helpdesk's webhooks and tells Klaviyo who has an open conversation.\n"
		   "\n"
		   "Commands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		out_to(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	out_to(to,
	       "\n"
	       "Options:\n"
	       "  -c, --config FILE  the configuration file (default: %s)\n"
	       "  -h, --help         this text; \"deskbridge COMMAND --help\" for each command\n"
	       "  -V, --version      versions of the program and its libraries\n"
	       "\n"
	       "Exit status: 0 good, 1 failed, 2 wrong usage, 78 configuration error.\n",
	       CONFIG_DEFAULT);
}

static void print_version(void)
{
	out_print("deskbridge %s\n"
		  "libmicrohttpd %s, libcurl %s (%s), json-c %s, SQLite %s, GnuTLS %s\n"
		  "configuration %s, definitions %s\n"
		  "compiler %s%s\n",
		  PACKAGE_VERSION, http_server_library(), http_client_library(), http_tls_library(), json_c_version(),
		  sqlite3_libversion(), gnutls_check_version(NULL), CONFIG_DEFAULT, DESKBRIDGE_PRESETDIR, __VERSION__,
#ifdef DESKBRIDGE_SANITIZED
		  ", sanitizers"
#else
		  ""
#endif
	);
	if (*DESKBRIDGE_SOURCE != '\0') /* the commit of the build; "" where it is not known */
		out_print("source %s\n", DESKBRIDGE_SOURCE);
}

static int unknown(const char *what, const char *word, const char *const *names, size_t n)
{
	CLEANUP(mem_freep) char *meant = text_suggestion(" (", ")", word, names, n);

	out_error("deskbridge: unknown %s \"%.100s\"%s\nTry \"deskbridge --help\".\n", what, word, meant);
	return COMMAND_USAGE;
}

static int unknown_command(const char *word)
{
	const char *names[COMMANDS];

	for (size_t i = 0; i < COMMANDS; i++)
		names[i] = commands[i]->name;
	return unknown("command", word, names, COMMANDS);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* Runs "deskbridge help" and "deskbridge help COMMAND", which is "deskbridge COMMAND --help". */
static int help(const struct command_context *ctx, int argc, char **argv)
{
	char ask[] = "--help";
	char *asked[] = {argv[1], ask, NULL};
	const struct command *c;

	if (argc < 2) {
		print_usage(stdout);
		return COMMAND_GOOD;
	}
	c = command_find(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	return c->run(ctx, 2, asked);
}

#define GO_ON (-1)

/* True for an option that is written in full: getopt_long also accepts the beginning of a name, and letters joined
 * in one word. */
static bool is_whole(const char *word, int option)
{
	switch (option) {
	case 'c':
		return word[1] == 'c' || strcmp(word, "--config") == 0 || strncmp(word, "--config=", 9) == 0;
	case 'h':
		return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
	case 'V':
		return strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0;
	default:
		return false;
	}
}

/* Reads the options before the command. Returns GO_ON with the command's index in *ret_at, or the exit status. */
static int read_options(struct command_context *ctx, int argc, char **argv, int *ret_at)
{
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {NULL}};
	static const char *const names[] = {"--config", "--help", "--version"};

	opterr = 0;
	for (const char *word = argv[1]; word && *word == '-'; word = argv[optind]) {
		int got = getopt_long(argc, argv, "+:hVc:", known, NULL);

		if (!is_whole(word, got == ':' ? optopt : got))
			return unknown("option", word, names, sizeof(names) / sizeof(names[0]));
		if (got == 'h') {
			print_usage(stdout);
			return COMMAND_GOOD;
		}
		if (got == 'V') {
			print_version();
			return COMMAND_GOOD;
		}
		if (got == ':' || *optarg == '\0') {
			out_error("deskbridge: %s needs a file\nTry \"deskbridge --help\".\n", word);
			return COMMAND_USAGE;
		}
		ctx->config_file = optarg;
		ctx->config_given = true;
	}
	if (optind >= argc) {
		print_usage(stderr);
		return COMMAND_USAGE;
	}
	*ret_at = optind;
	return GO_ON;
}

int main(int argc, char **argv)
{
	struct command_context ctx = {.config_file = CONFIG_DEFAULT};
	int at = 0;
	const struct command *c;
	int status;

	command_begin();
	status = read_options(&ctx, argc, argv, &at);
	if (status == GO_ON && strcmp(argv[at], "help") == 0) {
		status = help(&ctx, argc - at, argv + at);
	} else if (status == GO_ON) {
		c = command_find(argv[at]);
		/* Not for serve, which is the daemon, nor for the sandbox, whose program does this itself. */
		if (c && c != &command_serve && c != &command_sandbox)
			command_note_bystander(c->name);
		status = c ? c->run(&ctx, argc - at, argv + at) : unknown_command(argv[at]);
	}
	return command_end(status);
}

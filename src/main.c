/*
 * deskbridge: finds the sub-command and runs it. --help is printed from the table of commands.
 */
#include <config.h>

#include <gnutls/gnutls.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/out.h"
#include "base/text.h"
#include "build-source.h"
#include "command/bystander.h"
#include "command/command.h"
#include "http/version.h"

static const struct command *const commands[] = {
	&command_serve,   &command_reload,  &command_check,  &command_explain, &command_sample,
	&command_presets, &command_sandbox, &command_status, &command_queue,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *const options[] = {"--config", "--help", "--version"};

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
	if (*DESKBRIDGE_SOURCE != '\0') /* the commit that it was built from; "" where that is not known */
		out_print("source %s\n", DESKBRIDGE_SOURCE);
}

static int unknown(const char *what, const char *word, const char *const *names, size_t n)
{
	CLEANUP(mem_freep) char *meant = text_meant(" (", ")", word, names, n);

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

/* "deskbridge help", "deskbridge help COMMAND", which is "deskbridge COMMAND --help". */
static int help(const struct command_context *ctx, int argc, char **argv)
{
	char ask[] = "--help", *asked[] = {argv[1], ask, NULL};
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

/* The value of -c and --config, in any way of writing it; NULL where *i is another option. */
static const char *config_value(int argc, char **argv, int *i, bool *ret_missing)
{
	const char *word = argv[*i];

	*ret_missing = false;
	if (strncmp(word, "--config=", 9) == 0)
		return word + 9;
	if (strncmp(word, "-c", 2) == 0 && word[2] != '\0')
		return word + 2;
	if (strcmp(word, "-c") != 0 && strcmp(word, "--config") != 0)
		return NULL;
	if (*i + 1 == argc) {
		*ret_missing = true;
		return NULL;
	}
	return argv[++*i];
}

/* The options before the command. GO_ON with the command's place in *ret_at, or the exit status. */
static int read_options(struct command_context *ctx, int argc, char **argv, int *ret_at)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *file;
		bool missing;

		if (word[0] != '-') {
			*ret_at = i;
			return GO_ON;
		}
		if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
			print_usage(stdout);
			return COMMAND_GOOD;
		}
		if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
			print_version();
			return COMMAND_GOOD;
		}
		file = config_value(argc, argv, &i, &missing);
		if (missing || (file && *file == '\0')) {
			out_error("deskbridge: %s needs a file\nTry \"deskbridge --help\".\n", word);
			return COMMAND_USAGE;
		}
		if (!file)
			return unknown("option", word, options, sizeof(options) / sizeof(options[0]));
		ctx->config_file = file;
		ctx->config_given = true;
	}
	print_usage(stderr);
	return COMMAND_USAGE;
}

int main(int argc, char **argv)
{
	struct command_context ctx = {.config_file = CONFIG_DEFAULT};
	const struct command *c;
	int at = 0, status;

	command_begin();
	status = read_options(&ctx, argc, argv, &at);
	if (status == GO_ON && strcmp(argv[at], "help") == 0) {
		status = help(&ctx, argc - at, argv + at);
	} else if (status == GO_ON) {
		c = command_find(argv[at]);
		if (c && c != &command_serve) /* serve is the daemon, whoever runs it */
			bystander_note(c->name);
		status = c ? c->run(&ctx, argc - at, argv + at) : unknown_command(argv[at]);
	}
	return command_end(status);
}

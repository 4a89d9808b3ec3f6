#include <config.h>

#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/out.h"
#include "base/text.h"
#include "command/bystander.h"
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

/* source: the commit that it was built from, "" where that is not known. */
static void print_version(const char *source)
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
	if (*source != '\0')
		out_print("source %s\n", source);
}

void command_print_help(const struct command *c)
{
	CLEANUP(mem_freep)
	char *usage =
		mem_fmt("Usage: deskbridge [-c FILE] %s%s%s\n\n%s\n", c->name,
			c->arguments && *c->arguments != '\0' ? " " : "", c->arguments ? c->arguments : "", c->summary);

	out_lines(stdout, usage);
	if (c->help && *c->help != '\0') {
		out_print("\n");
		out_lines(stdout, c->help);
	}
}

int command_usage_error(const struct command *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_error("deskbridge %s: %s\nTry \"deskbridge %s --help\".\n", c->name, text, c->name);
	return COMMAND_USAGE;
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

/* "deskbridge help", "deskbridge help COMMAND". */
static int help(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		print_usage(stdout);
		return COMMAND_GOOD;
	}
	c = command_find(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	command_print_help(c);
	return COMMAND_GOOD;
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
			print_version(ctx->source);
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

/* No file that is opened may get the number of a closed standard stream: lines of the log would be written to it. Each
 * is opened the wrong way round, so that using it fails as before. */
static void occupy_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int command_main(int argc, char **argv, const char *source)
{
	struct command_context ctx = {.config_file = CONFIG_DEFAULT, .source = source};
	const struct command *c;
	int at = 0, status;

	occupy_standard_streams();
	status = read_options(&ctx, argc, argv, &at);
	if (status == GO_ON && strcmp(argv[at], "help") == 0) {
		status = help(argc - at, argv + at);
	} else if (status == GO_ON) {
		c = command_find(argv[at]);
		if (c && c != &command_serve) /* serve is the daemon, whoever runs it */
			bystander_note(c->name);
		status = c ? c->run(&ctx, argc - at, argv + at) : unknown_command(argv[at]);
	}
	/* What was printed and could not be is a failure: a full disk, a reader that went away. */
	if (fflush(stdout) != 0 && status == COMMAND_GOOD)
		status = COMMAND_FAILED;
	return status;
}

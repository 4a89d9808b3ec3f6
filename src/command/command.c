#include <config.h>

#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"

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

void command_begin(void)
{
	/* Each is opened the wrong way round, so that using it fails as before. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int command_end(int status)
{
	return fflush(stdout) != 0 && status == COMMAND_GOOD ? COMMAND_FAILED : status;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"
#include "command/daemon_unit.h"
#include "conf/access.h"

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
	/* Each is opened for the wrong direction, so that its use fails as before. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void command_note_bystander(const char *command)
{
	struct daemon_unit unit;
	bool has_unit = daemon_unit_read(&unit);
	const char *user = has_unit ? unit.user : DAEMON_USER_DEFAULT;
	const struct passwd *entry = user ? getpwnam(user) : NULL;

	if (geteuid() != 0 && (!entry || entry->pw_uid != geteuid())) {
		CLEANUP(mem_freep) char *how = NULL;

		if (entry && entry->pw_uid != 0)
			how = mem_fmt(" (sudo -u %s deskbridge %s)", user, command);
		CLEANUP(mem_freep)
		char *advice = mem_fmt("run it as root or as the daemon's user%s", how ? how : "");
		access_set_advice(advice);
	}
	if (has_unit)
		daemon_unit_done(&unit);
}

int command_end(int status)
{
	return fflush(stdout) != 0 && status == COMMAND_GOOD ? COMMAND_FAILED : status;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/out.h"
#include "base/text.h"

void load_note(const struct command_context *ctx, bool loaded, FILE *to)
{
	/* A file that was read needs a correction, not another name. */
	if (!loaded && !ctx->config_given && access(ctx->config_file, R_OK) < 0)
		out_to(to, "deskbridge: this is the installed default; name another file with -c FILE\n");
}

struct generation *load_generation(const struct command_context *ctx, size_t *ret_warnings)
{
	struct problems problems = {0};
	struct generation *g = generation_load(ctx->config_file, &problems);

	if (!g || ret_warnings)
		problems_print(&problems, stderr);
	if (ret_warnings)
		*ret_warnings = problems.warnings;
	for (size_t i = 0; ret_warnings && i < problems.n; i++)
		*ret_warnings -= problems.items[i].notice; /* notices are counted as warnings */
	load_note(ctx, g != NULL, stderr);
	problems_done(&problems);
	return g;
}

const struct source *load_source(const struct generation *g, const char *name)
{
	const struct source *s = config_source(g->config, name);
	CLEANUP(mem_freep) const char **names = NULL;
	CLEANUP(mem_freep) char *meant = NULL;

	if (s)
		return s;
	names = mem_new(g->config->sources_n, sizeof(*names));
	for (size_t i = 0; i < g->config->sources_n; i++)
		names[i] = g->config->sources[i].name;
	meant = text_suggestion(" ", "", name, names, g->config->sources_n);
	out_error("deskbridge: no source \"%s\" in %s;%s there are:", name, g->config->file, meant);
	for (size_t i = 0; i < g->config->sources_n; i++)
		out_error(" %s", g->config->sources[i].name);
	out_error("\n");
	return NULL;
}

char *load_url(const char *address, const char *path, const char **ret_unix_socket)
{
	static const char *const all[] = {"", "0.0.0.0", "[::]"};
	const char *port = strrchr(address, ':');
	const char *host = NULL;

	*ret_unix_socket = NULL;
	if (strncmp(address, "unix:", 5) == 0) {
		*ret_unix_socket = address + 5;
		return mem_fmt("http://localhost%s", path);
	}
	for (size_t i = 0; port && i < sizeof(all) / sizeof(*all); i++)
		if (strlen(all[i]) == (size_t)(port - address) && strncmp(all[i], address, strlen(all[i])) == 0)
			host = i == 2 ? "[::1]" : "127.0.0.1";
	return host ? mem_fmt("http://%s%s%s", host, port, path) : mem_fmt("http://%s%s", address, path);
}

int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(reterr, -errno, "%s: %s", path, strerror(errno));
	/* No time limit: a person types the text, or a pipe delivers it. */
	r = file_read_fd(fd, max, CLOCK_NEVER_MS, ret, ret_len);
	if (!is_stdin)
		(void)close(fd);
	if (r < 0)
		return r == -EFBIG ? err_set(reterr, r, "%s: it is longer than a webhook may be", path)
				   : err_set(reterr, r, "%s: it cannot be read to its end: %s", path, strerror(-r));
	return 0;
}

#include <config.h>

#include "command/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/client.h"

#define ANSWER_MAX (4 * 1024 * 1024)
#define ASK_TIMEOUT_MS 10000

struct generation *load_generation(const struct command_context *ctx, bool quiet_warnings)
{
	struct problems problems = {0};
	struct generation *g = generation_load(ctx->config_file, &problems);

	if (!g || !quiet_warnings)
		problems_print(&problems, stderr);
	if (!g && !ctx->config_given)
		fprintf(stderr, "deskbridge: this is the installed default; name another file with -c FILE\n");
	problems_done(&problems);
	return g;
}

const struct source *load_source(const struct generation *g, const char *name)
{
	const struct source *s = config_source(g->config, name);

	if (s)
		return s;
	fprintf(stderr, "deskbridge: no source \"%s\" in %s; there are:", name, g->config->file);
	for (size_t i = 0; i < g->config->sources_n; i++)
		fprintf(stderr, " %s", g->config->sources[i].name);
	fputc('\n', stderr);
	return NULL;
}

char *load_url(const char *address, const char *path, const char **ret_unix_socket)
{
	static const char *const all[] = {"", "0.0.0.0", "[::]"};
	const char *port = strrchr(address, ':'), *host = NULL;

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

static void tell_failure(const struct http_reply *reply, const char *address)
{
	CLEANUP(json_putp) struct json_object *tree = NULL;

	if (reply->failure != HTTP_OK)
		fprintf(stderr,
			"deskbridge: the daemon does not answer at %s: %s\n"
			"Does it run? \"systemctl status deskbridge\" tells. If its admin address is another one: "
			"--admin "
			"ADDRESS\n",
			address, reply->error);
	else if (json_read(reply->body.data, reply->body.len, &tree, NULL) == 0 && json_member_str(tree, "error"))
		fprintf(stderr, "deskbridge: the daemon at %s says: %s (%u)\n", address, json_member_str(tree, "error"),
			reply->status);
	else
		fprintf(stderr,
			"deskbridge: what answers at %s is not deskbridge's admin address (status %u). Its own: "
			"--admin "
			"ADDRESS\n",
			address, reply->status);
}

static int ask_daemon(const char *address, const char *path, const char *token, struct http_reply *ret,
		      struct err *reterr)
{
	struct http_ask ask = {.method = "GET", .timeout_ms = ASK_TIMEOUT_MS, .max_answer = ANSWER_MAX};
	CLEANUP(mem_freep) char *url = load_url(address, path, &ask.unix_socket);
	struct pairs headers = {0};

	if (token) {
		CLEANUP(mem_freep) char *bearer = mem_fmt("Bearer %s", token);
		pairs_add(&headers, "Authorization", bearer);
	}
	ask.url = url;
	ask.headers = &headers;
	int r = http_fetch(&ask, "deskbridge/" PACKAGE_VERSION, ret, reterr);
	pairs_done(&headers);
	return r;
}

int door_open(const struct command_context *ctx, const char *address, struct daemon_door *ret)
{
	struct problems problems = {0};

	*ret = (struct daemon_door){.address = address, .config_file = ctx->config_file};
	if (!address) {
		ret->generation = load_generation(ctx, true);
		if (!ret->generation)
			return COMMAND_CONFIG;
		ret->address = ret->generation->config->admin.address;
		return COMMAND_GOOD;
	}
	ret->generation = generation_load(ctx->config_file, &problems);
	if (!ret->generation)
		fprintf(stderr,
			"deskbridge: note: the configuration %s does not load (\"deskbridge check\" tells why); "
			"%s is asked without a token\n",
			ctx->config_file, address);
	problems_done(&problems);
	return COMMAND_GOOD;
}

void door_close(struct daemon_door *d)
{
	generation_unref(d->generation);
}

int load_from_daemon(const struct daemon_door *door, const char *path, enum json_type wanted, struct json_object **ret)
{
	const struct generation *g = door->generation;
	CLEANUP(json_putp) struct json_object *tree = NULL;
	struct http_reply reply;
	struct err error = {0};

	const char *token = g && g->config->admin.token ? secret_value(g->secrets, g->config->admin.token) : NULL;
	if (ask_daemon(door->address, path, token, &reply, &error) < 0) {
		fprintf(stderr, "deskbridge: %s: %s\n", door->address, error.text);
		return COMMAND_FAILED;
	}
	bool good = reply.failure == HTTP_OK && reply.status == 200 &&
		    json_read(reply.body.data, reply.body.len, &tree, NULL) == 0 && json_object_is_type(tree, wanted);
	if (good)
		*ret = TAKE(tree);
	else
		tell_failure(&reply, door->address);
	if (!g && reply.failure == HTTP_OK && reply.status == 401)
		fprintf(stderr, "deskbridge: the token stands in %s, which does not load: mend that first\n",
			door->config_file);
	http_reply_done(&reply);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

int load_file(const char *path, size_t max, char **ret, size_t *ret_len, struct err *reterr)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	char piece[16384];
	struct buf text;
	size_t n;

	if (!f)
		return err_set(reterr, -errno, "%s: %s", path, strerror(errno));
	buf_init(&text, max);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	int failed = ferror(f) ? EIO : 0;
	if (!is_stdin)
		fclose(f);
	if (failed || text.error) {
		int code = failed ? -failed : text.error;
		buf_done(&text);
		return err_set(reterr, code, "%s: %s", path,
			       failed ? "it cannot be read to its end" : "it is longer than a webhook may be");
	}
	*ret_len = text.len;
	*ret = buf_take(&text);
	return 0;
}

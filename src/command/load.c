#include <config.h>

#include "command/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/out.h"
#include "config/access.h"

#define ANSWER_MAX (4 * 1024 * 1024)
#define ASK_TIMEOUT_MS 10000

void load_note(const struct command_context *ctx, bool loaded, FILE *to)
{
	if (!loaded && !ctx->config_given)
		out_to(to, "deskbridge: this is the installed default; name another file with -c FILE\n");
}

struct generation *load_generation(const struct command_context *ctx, bool quiet_warnings)
{
	struct problems problems = {0};
	struct generation *g = generation_load(ctx->config_file, &problems);

	if (!g || !quiet_warnings)
		problems_print(&problems, stderr);
	load_note(ctx, g != NULL, stderr);
	problems_done(&problems);
	return g;
}

const struct source *load_source(const struct generation *g, const char *name)
{
	const struct source *s = config_source(g->config, name);

	if (s)
		return s;
	out_error("deskbridge: no source \"%s\" in %s; there are:", name, g->config->file);
	for (size_t i = 0; i < g->config->sources_n; i++)
		out_error(" %s", g->config->sources[i].name);
	out_error("\n");
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
		out_error("deskbridge: the daemon does not answer at %s: %s\n"
			  "Does it run? \"systemctl status deskbridge\" tells. If its admin address is another one: "
			  "--admin "
			  "ADDRESS\n",
			  address, reply->error);
	else if (json_read(reply->body.data, reply->body.len, &tree, NULL) == 0 && json_member_str(tree, "error"))
		out_error("deskbridge: the daemon at %s says: %s (%u)\n", address, json_member_str(tree, "error"),
			  reply->status);
	else
		out_error("deskbridge: what answers at %s is not deskbridge's admin address (status %u). Its own: "
			  "--admin "
			  "ADDRESS\n",
			  address, reply->status);
}

void door_open(const struct command_context *ctx, const char *address, struct daemon_door *ret)
{
	*ret = (struct daemon_door){.context = ctx, .given = address != NULL};
	admin_settings_read(ctx->config_file, &ret->settings);
	ret->address = address ? address : ret->settings.address;
	if (ret->settings.file_is_closed) {
		CLEANUP(mem_freep) char *user = access_user();
		out_error("deskbridge: note: the user %s may not read the configuration %s; %s is asked without a "
			  "token\n",
			  user, ctx->config_file, ret->address);
	} else if (!ret->settings.file_is_whole) {
		out_error("deskbridge: note: the configuration %s does not load (\"deskbridge check\" tells why); "
			  "%s is asked%s\n",
			  ctx->config_file, ret->address, ret->settings.token ? "" : " without a token");
	}
}

void door_close(struct daemon_door *d)
{
	admin_settings_done(&d->settings);
}

int door_ask(const struct daemon_door *door, const char *method, const char *path, int64_t timeout_ms,
	     struct http_reply *ret)
{
	struct http_ask ask = {.method = method, .timeout_ms = timeout_ms, .max_answer = ANSWER_MAX};
	CLEANUP(mem_freep) char *url = load_url(door->address, path, &ask.unix_socket);
	struct pairs headers = {0};
	struct err error = {0};

	if (door->settings.token) {
		CLEANUP(mem_freep) char *bearer = mem_fmt("Bearer %s", door->settings.token);
		pairs_add(&headers, "Authorization", bearer);
	}
	ask.url = url;
	ask.headers = &headers;
	int r = http_fetch(&ask, "deskbridge/" PACKAGE_VERSION, ret, &error);
	pairs_done(&headers);
	if (r == 0)
		return COMMAND_GOOD;
	out_error("deskbridge: %s: %s\n", door->address, error.text);
	return COMMAND_FAILED;
}

int door_tell_failure(const struct daemon_door *door, const struct http_reply *reply)
{
	CLEANUP(generation_unrefp) struct generation *g = NULL;
	const char *file = door->context->config_file;

	if (reply->failure != HTTP_OK && !door->given) {
		g = load_generation(door->context, true);
		tell_failure(reply, door->address);
		return g ? COMMAND_FAILED : COMMAND_CONFIG;
	}
	tell_failure(reply, door->address);
	if (reply->failure != HTTP_OK || reply->status != 401)
		return COMMAND_FAILED;
	if (door->settings.token_fault)
		out_error("deskbridge: the token that %s names has no value here: %s\n", file,
			  door->settings.token_fault);
	else if (door->settings.file_is_closed)
		out_error("deskbridge: the token stands in %s, which this user may not read: ask as root or as the "
			  "daemon's user\n",
			  file);
	else if (!door->settings.token && !door->settings.file_is_whole)
		out_error("deskbridge: the token stands in %s, which does not load: mend that first\n", file);
	return COMMAND_FAILED;
}

int load_from_daemon(const struct daemon_door *door, const char *path, enum json_type wanted, struct json_object **ret)
{
	CLEANUP(json_putp) struct json_object *tree = NULL;
	struct http_reply reply;
	int status = COMMAND_GOOD;

	if (door_ask(door, "GET", path, ASK_TIMEOUT_MS, &reply) != COMMAND_GOOD)
		return COMMAND_FAILED;
	bool good = reply.failure == HTTP_OK && reply.status == 200 &&
		    json_read(reply.body.data, reply.body.len, &tree, NULL) == 0 && json_object_is_type(tree, wanted);
	if (good)
		*ret = TAKE(tree);
	else
		status = door_tell_failure(door, &reply);
	http_reply_done(&reply);
	return status;
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
	while (!text.error && (n = fread(piece, 1, sizeof(piece), f)) > 0)
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

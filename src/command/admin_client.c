/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/admin_client.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/out.h"
#include "base/text.h"
#include "command/load.h"
#include "conf/access.h"
#include "conf/generation.h"

#define ANSWER_MAX (4 * 1024 * 1024)
#define ASK_TIMEOUT_MS 10000

/* error: the daemon's text; NULL: the answer is not that of an admin address. */
static void print_no_answer(const struct http_response *response, const char *address, const char *error)
{
	if (response->failure != HTTP_OK)
		out_error("deskbridge: the daemon does not answer at %s: %s\n"
			  "Does it run? See \"systemctl status deskbridge\". If its admin address is another one: "
			  "--admin ADDRESS:PORT\n",
			  address, response->error);
	else if (error)
		out_error("deskbridge: the daemon at %s says: %s (%u)\n", address, error, response->status);
	else
		out_error("deskbridge: what answers at %s is not deskbridge's admin address (status %u). Its own: "
			  "--admin ADDRESS:PORT\n",
			  address, response->status);
}

/* Notes that the configuration could not be read, or only in part. */
static void note_guesses(const struct admin_client *client)
{
	const struct admin_settings *settings = &client->settings;
	const char *file = client->context->config_file;
	const char *without = settings->token ? "" : " without a token";

	if (settings->file_is_closed) {
		CLEANUP(mem_freep) char *user = access_user();
		out_error("deskbridge: note: the user %s may not read the configuration %s; %s is asked%s\n", user,
			  file, client->address, without);
	} else if (settings->file_is_missing) {
		out_error("deskbridge: note: the configuration %s is not there (another one: deskbridge -c FILE %s; to "
			  "make one: deskbridge presets NAME --config); %s is asked%s\n",
			  file, client->command, client->address, without);
	} else if (!settings->file_is_yaml) {
		out_error("deskbridge: note: the configuration %s does not load (see \"deskbridge check\"); %s "
			  "is asked%s\n",
			  file, client->address, without);
	}
}

/* Returns what is wrong with --admin, or NULL. Names are allowed: a tunnel may lead to the daemon. */
static const char *address_wrong(const char *address)
{
	const char *colon = strrchr(address, ':');
	CLEANUP(mem_freep) char *host = NULL;
	uint16_t port;

	if (strncmp(address, "unix:", 5) == 0)
		return address[5] == '\0' ? "this names no socket: write unix:PATH" : NULL;
	if (strstr(address, "://"))
		return "this is a URL: write ADDRESS:PORT alone, such as 127.0.0.1:8086, or unix:PATH";
	if (strpbrk(address, "/@?# "))
		return "expected ADDRESS:PORT, such as 127.0.0.1:8086, or unix:PATH";
	host = mem_strn(address, colon ? (size_t)(colon - address) : 0);
	if (colon && host[0] != '[' && strchr(host, ':'))
		return "an IPv6 address stands in brackets: write [ADDRESS]:PORT, such as [::1]:8086";
	if (!colon || (host[0] == '[' && host[strlen(host) - 1] != ']'))
		return "the port is missing: write ADDRESS:PORT, such as 127.0.0.1:8086, or unix:PATH";
	return port_read(colon + 1, &port) == 0 ? NULL : "the port is no number from 1 to 65535: write ADDRESS:PORT";
}

int admin_client_open(const struct command_context *ctx, const struct command *command,
		      const struct admin_client_options *options, struct admin_client *ret)
{
	const char *wrong = options->address ? address_wrong(options->address) : NULL;

	*ret = (struct admin_client){.context = ctx, .command = command->name, .given = options->address != NULL};
	if (wrong)
		return command_usage_error(command, "--admin: %s", wrong);
	ret->token_given = options->token_file != NULL;
	admin_settings_read(ctx->config_file, &ret->settings);
	ret->address = options->address ? options->address : ret->settings.address;
	if (options->token_file) {
		admin_settings_take_token(&ret->settings, options->token_file);
		if (!ret->settings.token) {
			out_error("deskbridge: --token-file: %s\n", ret->settings.token_fault);
			return COMMAND_FAILED;
		}
	}
	if (!options->address || !options->token_file)
		note_guesses(ret);
	return COMMAND_GOOD;
}

void admin_client_close(struct admin_client *client)
{
	admin_settings_done(&client->settings);
}

int admin_client_ask(const struct admin_client *client, const char *method, const char *path, int64_t timeout_ms,
		     struct http_response *ret)
{
	struct http_request request = {.method = method, .timeout_ms = timeout_ms, .max_answer = ANSWER_MAX};
	CLEANUP(mem_freep) char *url = load_url(client->address, path, &request.unix_socket);
	CLEANUP(mem_freep) char *host = host_without_port(client->address);
	struct pairs headers = {0};
	struct err error = {0};
	struct ip ip;

	if (client->settings.token) {
		CLEANUP(mem_freep) char *bearer = mem_fmt("Bearer %s", client->settings.token);
		pairs_add(&headers, "Authorization", bearer);
	}
	/* The daemon accepts loopback and admin.hosts as its names; an address is not the name of a virtual host. */
	if (host && ip_read(host, &ip))
		pairs_add(&headers, "Host", "localhost");
	request.url = url;
	request.headers = &headers;
	int r = http_fetch(&request, "deskbridge/" PACKAGE_VERSION, ret, &error);
	pairs_done(&headers);
	if (r == 0)
		return COMMAND_GOOD;
	out_error("deskbridge: %s: %s\n", client->address, error.text);
	return COMMAND_FAILED;
}

/* Returns advice that names the group whose members may read the file, and the command that adds this user to it.
 * The caller owns it. */
static char *readers_advice(const struct admin_client *client, const char *path)
{
	CLEANUP(mem_freep) char *group = access_group_of(path);
	CLEANUP(mem_freep) char *user = access_user();

	return group ? mem_fmt("sudo deskbridge %s, or be in the group %s: sudo usermod -aG %s %s, then log in again",
			       client->command, group, group, user)
		     : mem_fmt("sudo deskbridge %s", client->command);
}

/* True where this user may not use the unix socket; says so. */
static bool print_closed_socket(const struct admin_client *client)
{
	const char *path = strncmp(client->address, "unix:", 5) == 0 ? client->address + 5 : NULL;
	CLEANUP(mem_freep) char *user = NULL;
	CLEANUP(mem_freep) char *advice = NULL;

	if (!path || access(path, R_OK | W_OK) == 0 || errno != EACCES)
		return false;
	user = access_user();
	advice = readers_advice(client, path);
	out_error("deskbridge: the user %s may not use the admin socket %s: %s\n", user, path, advice);
	return true;
}

/* 401: prints what the operator can do. */
static void print_token_fault(const struct admin_client *client)
{
	const struct admin_settings *s = &client->settings;
	CLEANUP(mem_freep) char *user = access_user();
	CLEANUP(mem_freep) char *advice = NULL;

	if (s->token) {
		out_error("deskbridge: the admin token is not the one that the daemon at %s takes; another one: "
			  "--token-file FILE\n",
			  client->address);
	} else if (s->token_file && s->token_code == -EACCES) {
		advice = readers_advice(client, s->token_file);
		out_error("deskbridge: the user %s may not read the admin token %s: %s\n", user, s->token_file, advice);
	} else if (s->token_file) {
		out_error("deskbridge: the daemon at %s wants its admin token, and %s; where it is another one: "
			  "--token-file FILE\n",
			  client->address, s->token_fault);
	} else {
		out_error("deskbridge: the token that %s names has no value here: %s\n", client->context->config_file,
			  s->token_fault);
	}
}

/* The running daemon keeps the address and the token of its start. */
static void print_restart_hint(void)
{
	out_error("If `admin` or `store` was changed in the configuration since the daemon's start, restart the daemon "
		  "(systemctl restart deskbridge).\n");
}

int admin_client_print_failure(const struct admin_client *client, const struct http_response *response)
{
	CLEANUP(generation_unrefp) struct generation *g = NULL;
	CLEANUP(json_putp) struct json_object *tree = NULL;
	bool reached = response->failure == HTTP_OK;
	bool by_file = !client->given && !client->settings.file_is_missing; /* the address is the configuration's */
	const char *error = NULL;

	if (!reached && print_closed_socket(client))
		return COMMAND_FAILED;
	if (reached && json_read(response->body.data, response->body.len, &tree, NULL) == 0)
		error = json_member_str(tree, "error");
	if (error && response->status == 401) {
		print_token_fault(client);
		/* The token is wrong or missing. One that this user may not read may be right. */
		if (!client->token_given && client->settings.token_code != -EACCES)
			print_restart_hint();
		return COMMAND_FAILED;
	}
	if (!reached && by_file)
		g = load_generation(client->context, NULL);
	print_no_answer(response, client->address, error);
	if (by_file && (response->failure == HTTP_CONNECT || (reached && !error)))
		print_restart_hint();
	return reached || client->given || g ? COMMAND_FAILED : COMMAND_CONFIG;
}

int admin_client_get(const struct admin_client *client, const char *path, enum json_type wanted,
		     struct json_object **ret)
{
	CLEANUP(json_putp) struct json_object *tree = NULL;
	int status = COMMAND_GOOD;
	struct http_response response;

	if (admin_client_ask(client, "GET", path, ASK_TIMEOUT_MS, &response) != COMMAND_GOOD)
		return COMMAND_FAILED;
	bool good = response.failure == HTTP_OK && response.status == 200 &&
		    json_read(response.body.data, response.body.len, &tree, NULL) == 0 &&
		    json_object_is_type(tree, wanted);
	if (good)
		*ret = TAKE(tree);
	else
		status = admin_client_print_failure(client, &response);
	http_response_done(&response);
	return status;
}

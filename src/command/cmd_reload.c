/* SPDX-License-Identifier: MIT */
/*
 * deskbridge reload: asks the running daemon to read its configuration again, and prints the result. The daemon reads
 * with its own rights and environment, so only its result counts.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/out.h"
#include "command/admin_client.h"
#include "command/options.h"

#define WAIT_MS 60000 /* below the 90 s that systemd gives a reload */

static const char *text_of(struct json_object *o, const char *key)
{
	const char *text = json_member_str(o, key);

	return text ? text : "";
}

/* As problems_print(). Prints nothing where stderr is systemd's journal (ExecReload=): there the daemon has logged
 * each problem. */
static void print_problems(struct json_object *verdict)
{
	struct json_object *problems = json_member(verdict, "problems");
	size_t n = json_object_is_type(problems, json_type_array) ? json_object_array_length(problems) : 0;
	int64_t more = json_member_int(verdict, "more", 0);

	if (log_stderr_is_journal())
		return;
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(problems, i);
		const char *file = text_of(p, "file");
		const char *path = text_of(p, "path");
		long long line = (long long)json_member_int(p, "line", 0);

		if (line > 0)
			out_error("%s:%lld:%lld: ", file, line, (long long)json_member_int(p, "column", 0));
		else if (*file)
			out_error("%s: ", file);
		out_error("%s%s%s%s\n", path, *path ? ": " : "",
			  json_member_bool(p, "notice", false)    ? "notice: "
			  : json_member_bool(p, "warning", false) ? "warning: "
								  : "",
			  text_of(p, "text"));
	}
	if (more > 0)
		out_error("and %lld more\n", (long long)more);
}

/* Returns the exit status of a verdict; -1: the answer is not a verdict. */
static int status_of(unsigned answered, struct json_object *verdict)
{
	const char *reason = json_member_str(verdict, "reason");
	bool taken = json_member_bool(verdict, "taken", false);

	if (!json_object_is_type(json_member(verdict, "taken"), json_type_boolean) || taken != (answered == 200))
		return -1;
	if (taken)
		return COMMAND_GOOD;
	return text_is(reason, "configuration") ? COMMAND_CONFIG : COMMAND_FAILED;
}

/* Prints a note where the daemon's configuration, which is the one it was started with, is not the one of -c. */
static void note_other_file(const struct command_context *ctx, struct json_object *verdict)
{
	const char *config = text_of(verdict, "config");
	CLEANUP(mem_freep) char *ours = NULL;
	CLEANUP(mem_freep) char *its = NULL;

	if (!ctx->config_given || strcmp(config, ctx->config_file) == 0)
		return;
	ours = realpath(ctx->config_file, NULL);
	its = realpath(config, NULL);
	if (!ours || !its || strcmp(ours, its) != 0)
		out_error("deskbridge: note: the daemon reads %s, not %s\n", config, ctx->config_file);
}

static int print_verdict(const struct command_context *ctx, const struct admin_client *client,
			 const struct http_response *response, bool json)
{
	CLEANUP(json_putp) struct json_object *verdict = NULL;
	int status = -1;

	if (response->failure == HTTP_OK && json_read(response->body.data, response->body.len, &verdict, NULL) == 0 &&
	    json_object_is_type(verdict, json_type_object))
		status = status_of(response->status, verdict);
	if (status >= 0) {
		note_other_file(ctx, verdict);
		if (json) {
			CLEANUP(mem_freep) char *text = json_printable(verdict, true);
			out_lines(stdout, text);
			out_print("\n");
			return status;
		}
		print_problems(verdict);
		if (json_member_bool(verdict, "taken", false))
			out_print("the daemon took %s (generation %lld)\n", text_of(verdict, "config"),
				  (long long)json_member_int(verdict, "generation", 0));
		else
			out_error("deskbridge: the daemon did not take %s: %s; the former configuration stays\n",
				  text_of(verdict, "config"), text_of(verdict, "error"));
		return status;
	}
	if (response->failure == HTTP_TIMEOUT)
		out_error(
			"deskbridge: the daemon at %s did not answer within %d s; it may still take the configuration: "
			"see \"journalctl -u deskbridge\"\n",
			client->address, WAIT_MS / 1000);
	else
		(void)admin_client_print_failure(client, response);
	return COMMAND_FAILED;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct admin_client_options options = {0};
	bool json = false;
	const struct option_spec specs[] = {
		{"--json", OPTION_FLAG, &json}, ADMIN_CLIENT_SPECS(&options), {NULL, OPTION_FLAG, NULL}};
	size_t n;
	struct admin_client client;
	struct http_response response;

	int status = options_parse(&command_reload, specs, argc, argv, NULL, 0, &n);
	if (status != OPTIONS_GO)
		return status;
	status = admin_client_open(ctx, &command_reload, &options, &client);
	if (status == COMMAND_GOOD)
		status = admin_client_ask(&client, "POST", "/api/reload", WAIT_MS, &response);
	if (status == COMMAND_GOOD) {
		status = print_verdict(ctx, &client, &response, json);
		http_response_done(&response);
	}
	admin_client_close(&client);
	return status;
}

const struct command command_reload = {
	.name = "reload",
	.arguments = "[--json] " ADMIN_CLIENT_ARGUMENTS,
	.summary = "let the running daemon take a changed configuration",
	.help = "Asks the running daemon through its admin address and waits for its verdict, a minute at most. The "
		"daemon\n"
		"reads its own file, with the rights of its own user; it takes all of it, or keeps the former one. "
		"Every\n"
		"error is printed as the daemon sees it. `systemctl reload` runs this command.\n"
		"\n"
		"  --json             the verdict as JSON\n" ADMIN_CLIENT_HELP "\n"
		"Exit status: 0 taken, 78 the configuration has errors, 1 no answer, or not taken for another "
		"reason.\n",
	.run = run,
};

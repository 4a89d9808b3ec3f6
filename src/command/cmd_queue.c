/*
 * deskbridge queue list: the events that wait, were delivered or are dead, newest first.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command/load.h"
#include "command/options.h"
#include "klaviyo/event.h"

#define LIMIT_DEFAULT 50
#define PAGE_MAX 500 /* what one answer of the daemon holds */

static const char *cell(struct json_object *row, const char *key)
{
	const char *text = json_member_str(row, key);

	return text ? text : "-";
}

/* The reason in a line of its own: Klaviyo's words are long. */
static void print_row(struct json_object *row)
{
	const char *reason = json_member_str(row, "reason");

	printf("%-16s  %-9s  %-12s  %-20s  %8lld  %-20s  %-32s  %s\n", cell(row, "id"), cell(row, "state"),
	       cell(row, "account"), cell(row, "created"), (long long)json_member_int(row, "attempts", 0),
	       cell(row, "next_attempt"), cell(row, "email"), cell(row, "metric"));
	if (reason)
		printf("%-16s  reason: %s\n", "", reason);
}

static void print_table(struct json_object *rows, const char *state, long limit)
{
	size_t n = json_object_array_length(rows);

	if (n == 0) {
		printf("no %s%sevents\n", state ? state : "", state ? " " : "");
		return;
	}
	printf("%-16s  %-9s  %-12s  %-20s  %8s  %-20s  %-32s  %s\n", "ID", "STATE", "ACCOUNT", "CREATED", "ATTEMPTS",
	       "NEXT ATTEMPT", "EMAIL", "METRIC");
	for (size_t i = 0; i < n; i++)
		print_row(json_object_array_get_idx(rows, i));
	if (n == (size_t)limit)
		printf("the newest %zu; more of them: --limit N\n", n);
}

/* Page after page until `limit` rows are there or the daemon has no more. */
static int collect(const struct daemon_door *door, const char *state, long limit, struct json_object *rows)
{
	CLEANUP(mem_freep) char *before = NULL;

	while (limit > 0) {
		long page = limit < PAGE_MAX ? limit : PAGE_MAX;
		struct json_object *part = NULL;
		CLEANUP(mem_freep)
		char *path = mem_fmt("/api/events?limit=%ld%s%s%s%s", page, state ? "&state=" : "", state ? state : "",
				     before ? "&before=" : "", before ? before : "");
		int status = load_from_daemon(door, path, json_type_array, &part);
		if (status != COMMAND_GOOD)
			return status;
		size_t n = json_object_array_length(part);
		for (size_t i = 0; i < n; i++)
			json_object_array_add(rows, json_object_get(json_object_array_get_idx(part, i)));
		if (n > 0) {
			free(before);
			before = mem_str(cell(json_object_array_get_idx(part, n - 1), "id"));
		}
		json_object_put(part);
		if ((long)n < page)
			break;
		limit -= page;
	}
	return COMMAND_GOOD;
}

/* Webhooks of which no event was made: else nobody would see them where dead letters are looked for. */
static int print_dead_webhooks(const struct daemon_door *door, long limit)
{
	CLEANUP(json_putp) struct json_object *rows = NULL;
	CLEANUP(mem_freep)
	char *path = mem_fmt("/api/webhooks?state=dead&limit=%ld", limit < PAGE_MAX ? limit : PAGE_MAX);

	int status = load_from_daemon(door, path, json_type_array, &rows);
	if (status != COMMAND_GOOD)
		return status;
	size_t n = json_object_array_length(rows);
	if (n > 0)
		printf("\n%zu dead webhook%s (newest first):\n%-16s  %-12s  %-20s  %s\n", n, n == 1 ? "" : "s", "ID",
		       "SOURCE", "RECEIVED", "REASON");
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		printf("%-16s  %-12s  %-20s  %s\n", cell(row, "id"), cell(row, "source"), cell(row, "received"),
		       cell(row, "reason"));
	}
	return COMMAND_GOOD;
}

static int list(const struct daemon_door *door, const char *state, long limit, bool json)
{
	CLEANUP(json_putp) struct json_object *rows = json_object_new_array();

	int status = collect(door, state, limit, rows);
	if (status != COMMAND_GOOD)
		return status;
	if (json) {
		CLEANUP(mem_freep) char *text = json_pretty(rows);
		puts(text);
		return COMMAND_GOOD;
	}
	print_table(rows, state, limit);
	return !state || text_is(state, event_state_name(EVENT_DEAD)) ? print_dead_webhooks(door, limit) : COMMAND_GOOD;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	const char *state = NULL, *admin = NULL, *words[1];
	long limit = LIMIT_DEFAULT;
	bool json = false;
	enum event_state parsed;
	size_t n;
	const struct option_spec specs[] = {
		{"--state", OPTION_TEXT, &state}, {"--limit", OPTION_COUNT, &limit}, {"--json", OPTION_FLAG, &json},
		{"--admin", OPTION_TEXT, &admin}, {NULL, OPTION_FLAG, NULL},
	};

	int end = options_parse(&command_queue, specs, argc, argv, words, 1, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0 || strcmp(words[0], "list") != 0)
		return command_usage_error(&command_queue, "expected: list");
	if (state && event_state_parse(state, &parsed) < 0)
		return command_usage_error(&command_queue, "--state %s: expected ready, delivered or dead", state);

	struct daemon_door door;
	int status = door_open(ctx, admin, &door);
	if (status == COMMAND_GOOD)
		status = list(&door, state, limit, json);
	door_close(&door);
	return status;
}

const struct command command_queue = {
	.name = "queue",
	.arguments = "list [--state ready|delivered|dead] [--limit N] [--json] [--admin ADDRESS]",
	.summary = "show the events that wait, were delivered, or are dead letters",
	.help = "Asks the running daemon through its admin address. Newest first.\n"
		"\n"
		"  --state STATE    only ready (waiting), delivered, or dead (set aside with a reason)\n"
		"                   Below the dead, or all, stand the dead webhooks: those that gave no event.\n"
		"  --limit N        at most N events (default 50)\n"
		"  --json           one array of {id, state, account, metric, email, unique_id, created,\n"
		"                   attempts, next_attempt, reason}\n"
		"  --admin ADDRESS  the daemon's admin address, where it is not the configuration's\n"
		"\n"
		"Example: why did nothing arrive?\n"
		"  deskbridge queue list --state dead\n",
	.run = run,
};

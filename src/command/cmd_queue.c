/* SPDX-License-Identifier: MIT */
/*
 * deskbridge queue list: waiting, delivered and dead events, and waiting and dead webhooks, newest first.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "base/text.h"
#include "command/admin_client.h"
#include "command/options.h"
#include "decision/event.h"

#define LIMIT_DEFAULT 50
#define PAGE_MAX 500 /* rows of one answer of the daemon */

static const char *cell(struct json_object *row, const char *key)
{
	const char *text = json_member_str(row, key);

	return text ? text : "-";
}

/*
 * Returns the next attempt of a waiting event, as its account allows it: "parked", "on hold", the end of the account's
 * pause, or the event's own time. accounts: rows of the daemon's status.
 */
static const char *next_attempt(struct json_object *row, struct json_object *accounts)
{
	const char *own = cell(row, "next_attempt");
	const char *name = json_member_str(row, "account");
	const char *until = NULL;
	struct json_object *account = NULL;

	if (!text_is(json_member_str(row, "state"), event_state_name(EVENT_READY)))
		return own;
	for (size_t i = 0; !account && i < json_object_array_length(accounts); i++)
		if (text_is(json_member_str(json_object_array_get_idx(accounts, i), "name"), name))
			account = json_object_array_get_idx(accounts, i);
	if (json_member_bool(account, "hold", false)) /* `parked` is set as well */
		return "on hold";
	const char *parked = json_member_str(account, "parked");
	if (!json_member_bool(account, "configured", true) || (parked && strncmp(parked, "paused ", 7) != 0))
		return "parked";
	if (parked)
		until = strrchr(parked, ' ') + 1;
	return until && strcmp(own, until) < 0 ? until : own;
}

static void print_table(struct json_object *rows, struct json_object *accounts, const char *state, long limit)
{
	size_t n = json_object_array_length(rows);

	if (n == 0) {
		out_print("no %s%sevents\n", state ? state : "", state ? " " : "");
		return;
	}
	out_print("%-16s  %-9s  %-12s  %-20s  %8s  %-20s  %-32s  %s\n", "ID", "STATE", "ACCOUNT", "CREATED", "ATTEMPTS",
		  "NEXT ATTEMPT", "EMAIL", "METRIC");
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *reason = json_member_str(row, "reason");
		out_print("%-16s  %-9s  %-12s  %-20s  %8lld  %-20s  %-32s  %s\n", cell(row, "id"), cell(row, "state"),
			  cell(row, "account"), cell(row, "created"), (long long)json_member_int(row, "attempts", 0),
			  next_attempt(row, accounts), cell(row, "email"), cell(row, "metric"));
		if (reason) /* in its own line: Klaviyo's texts are long */
			out_print("%-16s  reason: %s\n", "", reason);
	}
	if (n == (size_t)limit)
		out_print("the newest %zu; more of them: --limit N\n", n);
}

/* Collects pages of events or webhooks until there are `limit` rows or the daemon has no more. */
static int collect(const struct admin_client *client, const char *what, const char *state, long limit,
		   struct json_object *rows)
{
	CLEANUP(mem_freep) char *before = NULL;

	while (limit > 0) {
		long page = limit < PAGE_MAX ? limit : PAGE_MAX;
		struct json_object *part = NULL;
		CLEANUP(mem_freep)
		char *path = mem_fmt("/api/%s?limit=%ld%s%s%s%s", what, page, state ? "&state=" : "",
				     state ? state : "", before ? "&before=" : "", before ? before : "");
		int status = admin_client_get(client, path, json_type_array, &part);
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

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

/* Dead and waiting webhooks have no event, so the list of events does not show them. */

static void print_dead_webhooks(struct json_object *rows)
{
	size_t n = json_object_array_length(rows);
	char webhooks[AMOUNT_MAX];

	if (n > 0)
		out_print("\n%s (newest first):\n%-16s  %-12s  %-20s  %s\n",
			  amount_of(webhooks, (long long)n, "dead webhook"), "ID", "SOURCE", "RECEIVED", "REASON");
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		out_print("%-16s  %-12s  %-20s  %s\n", cell(row, "id"), cell(row, "source"), cell(row, "received"),
			  cell(row, "reason"));
	}
}

static void copy(struct json_object *to, const char *key, struct json_object *from, const char *name)
{
	json_object_object_add(to, key, json_object_get(json_member(from, name)));
}

/* Prints the waiting webhooks: why, until when, and the number of their lookups. */
static void print_waiting_webhooks(struct json_object *rows)
{
	size_t n = json_object_array_length(rows);
	char webhooks[AMOUNT_MAX];

	if (n > 0)
		out_print("\n%s (newest first):\n%-16s  %-12s  %-20s  %-14s  %8s  %-20s\n",
			  amount_of(webhooks, (long long)n, "waiting webhook"), "ID", "SOURCE", "RECEIVED", "WAITS",
			  "ASKED", "NOT BEFORE");
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *reason = json_member_str(row, "reason");
		out_print("%-16s  %-12s  %-20s  %-14s  %8lld  %-20s\n", cell(row, "id"), cell(row, "source"),
			  cell(row, "received"), cell(row, "wait"), (long long)json_member_int(row, "asked", 0),
			  cell(row, "not_before"));
		if (reason)
			out_print("%-16s  reason: %s\n", "", reason);
	}
}

/* Returns webhooks as rows of events. Members that only events have are null. The attempts are those of the lookup,
 * as a webhook itself is never sent to Klaviyo. Owned. */
static struct json_object *as_events(struct json_object *webhooks)
{
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(webhooks); i++) {
		struct json_object *webhook = json_object_array_get_idx(webhooks, i);
		struct json_object *row = json_object_new_object();

		copy(row, "id", webhook, "id");
		copy(row, "state", webhook, "state");
		json_object_object_add(row, "account", NULL);
		copy(row, "source", webhook, "source");
		copy(row, "conversation", webhook, "conversation");
		json_object_object_add(row, "metric", NULL);
		json_object_object_add(row, "email", NULL);
		json_object_object_add(row, "unique_id", NULL);
		copy(row, "created", webhook, "received");
		copy(row, "attempts", webhook, "asked");
		copy(row, "next_attempt", webhook, "not_before");
		copy(row, "reason", webhook, "reason");
		json_set_str(row, "kind", "webhook");
		if (json_member_str(webhook, "wait"))
			copy(row, "wait", webhook, "wait");
		json_object_array_add(rows, row);
	}
	return rows;
}

/* Merges both lists, newest first, to at most limit rows. Times in one form compare as text. Owned. */
static struct json_object *merge(struct json_object *a, struct json_object *b, long limit)
{
	struct json_object *rows = json_object_new_array();
	size_t i = 0;
	size_t j = 0;

	while ((long)(i + j) < limit) {
		struct json_object *of_a = json_object_array_get_idx(a, i);
		struct json_object *of_b = json_object_array_get_idx(b, j);
		bool takes_a = of_a && (!of_b || strcmp(cell(of_a, "created"), cell(of_b, "created")) >= 0);

		if (!of_a && !of_b)
			break;
		json_object_array_add(rows, json_object_get(takes_a ? of_a : of_b));
		if (takes_a)
			i++;
		else
			j++;
	}
	return rows;
}

static void print_json(struct json_object *events, struct json_object *waiting, struct json_object *dead, long limit)
{
	CLEANUP(json_putp) struct json_object *waiting_rows = as_events(waiting);
	CLEANUP(json_putp) struct json_object *dead_rows = as_events(dead);
	CLEANUP(json_putp) struct json_object *webhooks = merge(waiting_rows, dead_rows, limit);
	CLEANUP(json_putp) struct json_object *rows = merge(events, webhooks, limit);
	CLEANUP(mem_freep) char *text = json_printable(rows, true);

	out_lines(stdout, text);
	out_print("\n");
}

static int list(const struct admin_client *client, const char *state, long limit, bool json)
{
	CLEANUP(json_putp) struct json_object *events = json_object_new_array();
	CLEANUP(json_putp) struct json_object *waiting = json_object_new_array();
	CLEANUP(json_putp) struct json_object *dead = json_object_new_array();

	int status = collect(client, "events", state, limit, events);
	if (status == COMMAND_GOOD && (!state || text_is(state, event_state_name(EVENT_READY))))
		status = collect(client, "webhooks", "pending", limit, waiting);
	if (status == COMMAND_GOOD && (!state || text_is(state, event_state_name(EVENT_DEAD))))
		status = collect(client, "webhooks", "dead", limit, dead);
	if (status != COMMAND_GOOD)
		return status;
	if (json) {
		print_json(events, waiting, dead, limit);
		return COMMAND_GOOD;
	}
	CLEANUP(json_putp) struct json_object *daemon = NULL;
	status = admin_client_get(client, "/api/status?paused=1", json_type_object, &daemon);
	if (status != COMMAND_GOOD)
		return status;
	print_table(events, json_member(daemon, "accounts"), state, limit);
	print_waiting_webhooks(waiting);
	print_dead_webhooks(dead);
	return COMMAND_GOOD;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	static const char *const states[] = {"ready", "delivered", "dead", NULL};
	const char *state = NULL;
	struct admin_client_options options = {0};
	long limit = LIMIT_DEFAULT;
	bool json = false;
	const struct option_spec specs[] = {
		{"--state", OPTION_TEXT, &state}, {"--limit", OPTION_COUNT, &limit}, {"--json", OPTION_FLAG, &json},
		ADMIN_CLIENT_SPECS(&options),     {NULL, OPTION_FLAG, NULL},
	};
	const char *words[1];
	enum event_state parsed;
	size_t n;

	int end = options_parse(&command_queue, specs, argc, argv, words, 1, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0 || strcmp(words[0], "list") != 0)
		return command_usage_error(&command_queue, "expected: list");
	if (state && event_state_parse(state, &parsed) < 0)
		return options_expected(&command_queue, "--state ", state, states);

	struct admin_client client;
	int status = admin_client_open(ctx, &command_queue, &options, &client);
	if (status == COMMAND_GOOD)
		status = list(&client, state, limit, json);
	admin_client_close(&client);
	return status;
}

const struct command command_queue = {
	.name = "queue",
	.arguments = "list [--state ready|delivered|dead] [--limit N] [--json]\n"
		     "                                  " ADMIN_CLIENT_ARGUMENTS,
	.summary = "show the events that wait, were delivered, or are dead letters",
	.help = "Asks the running daemon through its admin address. Newest first.\n"
		"\n"
		"  --state STATE      only ready (waiting), delivered, or dead (set aside with a reason).\n"
		"                     Below the ready, or all, stand the webhooks that wait: why, until when, and\n"
		"                     how often their lookup was asked. Below the dead, or all, stand the dead\n"
		"                     webhooks: those that gave no event.\n"
		"                     NEXT ATTEMPT of an event that waits: its time, the end of its account's pause,\n"
		"                     or that the account is parked or on hold\n"
		"  --limit N          at most N of each kind, as JSON N in all (default 50)\n"
		"  --json             one array of {id, state, account, source, conversation, metric, email,\n"
		"                     unique_id, created, attempts, next_attempt, reason, kind}, newest first;\n"
		"                     kind: event, or webhook for one that waits (state pending, with wait) or is\n"
		"                     dead; account, metric, email and unique_id are null there, attempts and\n"
		"                     next_attempt those of its lookup\n" ADMIN_CLIENT_HELP "\n"
		"Example: why did nothing arrive?\n"
		"  deskbridge queue list --state dead\n",
	.run = run,
};

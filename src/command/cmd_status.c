/* SPDX-License-Identifier: MIT */
/*
 * deskbridge status: who is paused now, what waits, what is parked; written for people first.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/out.h"
#include "command/admin_client.h"
#include "command/options.h"

#define PAUSED_SHOWN 20 /* rows for people */
#define PAUSED_MAX 500  /* rows for programs: one answer of the daemon */

/* Returns the time since an ISO time, or until it, "4 h"; at least 0. "?" where the time cannot be read. */
static const char *span_of(const char *iso, bool until, char out[CLOCK_ISO_MAX])
{
	int64_t ms, span_ms;

	if (!iso || clock_parse(iso, strlen(iso), &ms) < 0) {
		snprintf(out, CLOCK_ISO_MAX, "?");
		return out;
	}
	span_ms = until ? ms - clock_now_ms() : clock_now_ms() - ms;
	clock_age(span_ms > 0 ? span_ms : 0, out);
	return out;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

/* Prints the number of open conversations of each source that has any: "gladly 3, shop 1". */
static void print_open(struct json_object *sources)
{
	const char *between = "";

	for (size_t i = 0; i < json_object_array_length(sources); i++) {
		struct json_object *s = json_object_array_get_idx(sources, i);
		int64_t n = json_member_int(s, "open_conversations", 0);
		if (n > 0)
			out_print("%s%s %lld", between, or_dash(json_member_str(s, "name")), (long long)n);
		if (n > 0)
			between = ", ";
	}
}

/* Prints the number of events that Klaviyo has not got yet. */
static void print_events_waiting(struct json_object *accounts)
{
	int64_t n = 0;
	char events[AMOUNT_MAX];

	for (size_t i = 0; i < json_object_array_length(accounts); i++)
		n += json_member_int(json_object_array_get_idx(accounts, i), "ready", 0);
	if (n > 0)
		out_print("%s that %s for Klaviyo.\n", amount_of(events, n, "event"),
			  n == 1 ? "changes this still waits" : "change this still wait");
	out_print("\n");
}

/* The columns of the paused people, each as wide as its longest text. */
static const struct {
	const char *title, *key;
} columns[] = {
	{"FOR", "since"},
	{"SOURCE", "source"},
	{"EMAIL", "email"},
	{"PROPERTY", "flag"},
	{"CONVERSATION", "conversation"},
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static const char *column_of(struct json_object *person, size_t column, char age[CLOCK_ISO_MAX])
{
	const char *text = json_member_str(person, columns[column].key);

	return column == 0 ? span_of(text, false, age) : or_dash(text);
}

static void measure_columns(struct json_object *paused, int widths[COLUMNS])
{
	char age[CLOCK_ISO_MAX];

	for (size_t c = 0; c < COLUMNS; c++) {
		widths[c] = (int)out_width(columns[c].title);
		for (size_t i = 0; i < json_object_array_length(paused); i++) {
			int width = (int)out_width(column_of(json_object_array_get_idx(paused, i), c, age));
			if (width > widths[c])
				widths[c] = width;
		}
	}
	widths[COLUMNS - 1] = 0; /* no column follows the last */
}

static void print_paused(struct json_object *status, struct json_object *paused, struct json_object *sources)
{
	int64_t n = (int64_t)json_object_array_length(paused);
	int64_t total = json_member_int(status, "paused_total", -1);
	char age[CLOCK_ISO_MAX];
	int widths[COLUMNS];

	if (n == 0) {
		out_print("Nobody is paused now: no open conversation has reached anyone.\n");
		return;
	}
	out_print("Paused now, the longest first (open conversations: ");
	print_open(sources);
	out_print(")\n  ");
	measure_columns(paused, widths);
	for (size_t c = 0; c < COLUMNS; c++)
		out_print(c + 1 < COLUMNS ? "%-*s  " : "%-*s\n", widths[c], columns[c].title);
	for (int64_t i = 0; i < n; i++) {
		struct json_object *person = json_object_array_get_idx(paused, (size_t)i);
		const char *refused = json_member_str(person, "refused");

		out_print("  ");
		for (size_t c = 0; c < COLUMNS; c++)
			out_print(c + 1 < COLUMNS ? "%-*s  " : "%-*s\n", widths[c], column_of(person, c, age));
		if (refused)
			out_print("    ! not paused in Klaviyo, the opening is a dead letter: %s\n", refused);
	}
	if (total > n)
		out_print("  and %lld more\n", (long long)(total - n));
	else if (n == PAUSED_SHOWN && total < 0)
		out_print("  and more\n");
}

#define COUNT_MAX 24

/* The counts are null where the store cannot be read. */
static const char *count_of(struct json_object *row, const char *key, char out[COUNT_MAX])
{
	if (json_member(row, key))
		snprintf(out, COUNT_MAX, "%lld", (long long)json_member_int(row, key, 0));
	else
		snprintf(out, COUNT_MAX, "-");
	return out;
}

static void print_accounts(struct json_object *accounts)
{
	char age[CLOCK_ISO_MAX], ready[COUNT_MAX], delivered[COUNT_MAX], dead[COUNT_MAX];

	out_print("Klaviyo accounts\n  %-20s %10s %10s %10s  %-12s %s\n", "ACCOUNT", "READY", "DELIVERED", "DEAD",
		  "OLDEST", "STATE");
	for (size_t i = 0; i < json_object_array_length(accounts); i++) {
		struct json_object *a = json_object_array_get_idx(accounts, i);
		const char *oldest = json_member_str(a, "oldest"), *parked = json_member_str(a, "parked");
		const char *retrying = json_member_str(a, "retrying");
		out_print("  %-20s %10s %10s %10s  %-12s ", or_dash(json_member_str(a, "name")),
			  count_of(a, "ready", ready), count_of(a, "delivered", delivered), count_of(a, "dead", dead),
			  oldest ? span_of(oldest, false, age) : "-");
		if (!json_member_bool(a, "configured", true))
			out_print("parked: not configured\n");
		else if (json_member_bool(a, "hold", false)) /* `parked` says so, too */
			out_print("on hold\n");
		else if (parked)
			out_print("%s%s\n", strncmp(parked, "paused ", 7) == 0 ? "" : "parked: ", parked);
		else if (retrying)
			out_print("retrying since %s: %s\n", span_of(json_member_str(a, "retrying_since"), false, age),
				  retrying);
		else
			out_print("sending\n");
	}
	out_print("\n");
}

/* Returns the name of a wait in words for people. */
static const char *waiting_text(const char *why)
{
	static const struct {
		const char *why, *text;
	} texts[] = {
		{"ready", "to be taken up"},
		{"settle", "to settle"},
		{"retry", "to be looked up again"},
		{"lookup", "for the answer of a lookup"},
		{"slot", "for their lookup"},
		{"behind", "behind an earlier one"},
		{"not configured", "for their source to be configured"},
		{"parked", "for their source's lookups to work again"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (text_is(texts[i].why, why))
			return texts[i].text;
	return why;
}

/* ready: the daemon takes webhooks; else each source answers 503. */
static void print_source_state(struct json_object *s, bool ready)
{
	struct json_object *waiting = json_member(s, "waiting");
	const char *parked = json_member_str(s, "parked");
	const char *reason = json_member_str(s, "dead_reason");
	const char *between = "; waiting ";
	int64_t unaddressed = json_member_int(s, "without_address", 0);
	int64_t unknown = json_member_int(s, "unknown_states", 0);
	int64_t dead = json_member_int(s, "dead", 0);
	char conversations[AMOUNT_MAX], webhooks[AMOUNT_MAX];

	if (!json_member_bool(s, "configured", true))
		out_print("parked: not configured");
	else if (parked)
		out_print("lookups %s%s", strncmp(parked, "paused ", 7) == 0 ? "" : "parked: ", parked);
	else
		out_print(ready ? "taking webhooks" : "not taking webhooks");
	if (unaddressed > 0)
		out_print("; %s without an address yet", amount_of(conversations, unaddressed, "conversation"));
	if (json_object_is_type(waiting, json_type_object)) {
		json_object_object_foreach(waiting, why, count)
		{
			out_print("%s%s: %lld", between, waiting_text(why), (long long)json_object_get_int64(count));
			between = ", ";
		}
	}
	if (unknown > 0)
		out_print("; %s with a state that the definition does not know (the log names it)",
			  amount_of(webhooks, unknown, "webhook"));
	if (dead > 0)
		out_print("; %s%s%s (deskbridge queue list --state dead)", amount_of(webhooks, dead, "dead webhook"),
			  reason ? ", the latest: " : "", reason ? reason : "");
	out_print("\n");
}

static void print_sources(struct json_object *sources, bool ready)
{
	char open[COUNT_MAX], pending[COUNT_MAX], dead[COUNT_MAX];

	out_print("Sources\n  %-20s %10s %10s %10s  %s\n", "SOURCE", "OPEN", "PENDING", "DEAD", "STATE");
	for (size_t i = 0; i < json_object_array_length(sources); i++) {
		struct json_object *s = json_object_array_get_idx(sources, i);
		struct json_object *waits = json_member(s, "waits");
		size_t n = json_object_is_type(waits, json_type_array) ? json_object_array_length(waits) : 0;

		out_print("  %-20s %10s %10s %10s  ", or_dash(json_member_str(s, "name")),
			  count_of(s, "open_conversations", open), count_of(s, "pending", pending),
			  count_of(s, "dead", dead));
		print_source_state(s, ready);
		/* The newest webhooks that wait for their lookup, and why. */
		for (size_t k = 0; k < n; k++) {
			struct json_object *w = json_object_array_get_idx(waits, k);
			const char *not_before = json_member_str(w, "not_before");
			char wait[CLOCK_ISO_MAX], times[AMOUNT_MAX];

			out_print("  %-20s webhook %s, asked %s, %s%s: %s\n", "",
				  or_dash(json_member_str(w, "webhook")),
				  amount_of(times, json_member_int(w, "asked", 0), "time"),
				  not_before ? "again in " : "waits", not_before ? span_of(not_before, true, wait) : "",
				  or_dash(json_member_str(w, "reason")));
		}
	}
	out_print("\n");
}

/* Results of requests, in this order and in these words; others follow under the daemon's name for them. */
static const struct {
	const char *result, *text;
} results[] = {
	{"accepted", "accepted"},
	{"duplicate", "duplicate"},
	{"ignored", "ignored"},
	{"pong", "answered as a test"},
	{"unreadable", "unreadable"},
	{"empty", "empty"},
	{"missing proof", "missing proof"},
	{"wrong proof", "wrong proof"},
	{"stale proof", "stale proof"},
	{"refused", "refused for the time being"},
	{"too long", "too long"},
	{"unsupported", "of an unsupported kind"},
	{"method", "not by POST"},
	{"malformed", "malformed"},
};
#define RESULTS (sizeof(results) / sizeof(*results))

static const char *print_count(const char *between, int64_t n, const char *text)
{
	if (n <= 0)
		return between;
	out_print("%s%lld %s", between, (long long)n, text);
	return ", ";
}

/* Continues a line that names the source. between: the text before the first count. received: counts by result, or
 * NULL. */
static void print_received(struct json_object *received, const char *between)
{
	if (!received)
		return;
	for (size_t i = 0; i < RESULTS; i++)
		between = print_count(between, json_member_int(received, results[i].result, 0), results[i].text);
	json_object_object_foreach(received, result, count)
	{
		size_t i = 0;

		while (i < RESULTS && !text_is(results[i].result, result))
			i++;
		if (i == RESULTS)
			between = print_count(between, json_object_get_int64(count), result);
	}
}

/* Prints the requests since the start, also those that the store does not hold. Prints nothing where there were
 * none. */
static void print_since_start(struct json_object *status, struct json_object *sources)
{
	int64_t unknown = json_member_int(status, "unknown_path", 0);
	struct json_object *elsewhere = json_member(status, "elsewhere");
	bool any = unknown > 0 || elsewhere;

	for (size_t i = 0; i < json_object_array_length(sources); i++)
		any = any || json_object_is_type(json_member(json_object_array_get_idx(sources, i), "received"),
						 json_type_object);
	if (!any)
		return;
	out_print("Webhooks since the start\n");
	for (size_t i = 0; i < json_object_array_length(sources); i++) {
		struct json_object *s = json_object_array_get_idx(sources, i);
		struct json_object *received = json_member(s, "received");

		if (!json_object_is_type(received, json_type_object))
			continue;
		out_print("  %-20s ", or_dash(json_member_str(s, "name")));
		print_received(received, "");
		out_print("\n");
	}
	if (unknown > 0 || elsewhere) {
		out_print("  %-20s ", "-");
		print_received(elsewhere, print_count("", unknown, "to a path that no source has"));
		out_print("\n");
	}
	out_print("\n");
}

static int print_status(struct json_object *status, const char *address)
{
	struct json_object *paused = json_member(status, "paused");
	struct json_object *accounts = json_member(status, "accounts");
	struct json_object *sources = json_member(status, "sources");
	bool ready = json_member_bool(status, "ready", false);
	char age[CLOCK_ISO_MAX], size[AMOUNT_MAX];

	if (!json_object_is_type(paused, json_type_array) || !json_object_is_type(accounts, json_type_array) ||
	    !json_object_is_type(sources, json_type_array)) {
		out_error("deskbridge status: the answer is not this program's; is the daemon of another version?\n");
		return COMMAND_FAILED;
	}
	if (json_member(status, "store_bytes")) {
		print_paused(status, paused, sources);
		print_events_waiting(accounts);
	} else {
		out_print("The store cannot be read: who is paused and what waits is not known.\n\n");
	}
	print_accounts(accounts);
	print_sources(sources, ready);
	print_since_start(status, sources);
	out_print("deskbridge %s at %s, up for %s, configuration %s, store %s (%s), %s%s\n",
		  or_dash(json_member_str(status, "version")), address,
		  span_of(json_member_str(status, "started"), false, age), or_dash(json_member_str(status, "config")),
		  or_dash(json_member_str(status, "store")),
		  amount_size(size, json_member_int(status, "store_bytes", 0)),
		  ready ? "ready" : "NOT READY: ", ready ? "" : or_dash(json_member_str(status, "not_ready")));
	return ready ? COMMAND_GOOD : COMMAND_FAILED;
}

static int show(const struct admin_client *client, bool json)
{
	CLEANUP(json_putp) struct json_object *status = NULL;

	CLEANUP(mem_freep)
	char *path = mem_fmt("/api/status?paused=%d", json ? PAUSED_MAX : PAUSED_SHOWN);
	int failed = admin_client_get(client, path, json_type_object, &status);
	if (failed != COMMAND_GOOD)
		return failed;
	if (!json)
		return print_status(status, client->address);
	CLEANUP(mem_freep) char *text = json_printable(status, true);
	out_lines(stdout, text);
	out_print("\n");
	return json_member_bool(status, "ready", false) ? COMMAND_GOOD : COMMAND_FAILED;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct admin_client_options options = {0};
	bool json = false;
	const struct option_spec specs[] = {
		{"--json", OPTION_FLAG, &json}, ADMIN_CLIENT_SPECS(&options), {NULL, OPTION_FLAG, NULL}};
	size_t n;

	int end = options_parse(&command_status, specs, argc, argv, NULL, 0, &n);
	if (end != OPTIONS_GO)
		return end;
	struct admin_client client;
	end = admin_client_open(ctx, &command_status, &options, &client);
	if (end == COMMAND_GOOD)
		end = show(&client, json);
	admin_client_close(&client);
	return end;
}

const struct command command_status = {
	.name = "status",
	.arguments = "[--json] " ADMIN_CLIENT_ARGUMENTS,
	.summary = "show who is paused now, what waits and what is parked",
	.help = "Asks the running daemon through its admin address. Begins with the people who are paused now, the\n"
		"longest first, and how many more there are. An ! below one: that person is not paused in Klaviyo,\n"
		"the event that was to do it is a dead letter. Ends with what came in since the daemon's start, also\n"
		"what was refused and is kept nowhere.\n"
		"Exit status 1 where the daemon does not answer or cannot take webhooks.\n"
		"\n"
		"  --json             the same as JSON; `paused` holds at most 500 people, `paused_total` is how many\n"
		"                     there are\n" ADMIN_CLIENT_HELP,
	.run = run,
};

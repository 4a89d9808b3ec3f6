/* SPDX-License-Identifier: MIT */
/*
 * deskbridge-sandbox: a stand-in for Klaviyo and for the helpdesks that lookups ask. It writes its activity feed to
 * standard output. `deskbridge sandbox` starts it (command/cmd_sandbox.c); its messages name that command.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "command/options.h"
#include "conf/conf.h"
#include "conf/yaml.h"
#include "helpdesk/parse/samples.h"
#include "http/address.h"
#include "sandbox/desk.h"
#include "sandbox/faults.h"
#include "sandbox/sandbox.h"

#define LISTEN_DEFAULT "127.0.0.1:8181"

static int serve(const struct sandbox_options *o)
{
	struct sandbox *sandbox;
	struct err err;
	sigset_t ends;
	int r, number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a reader of the feed that goes away does not end the sandbox */

	r = sandbox_start(o, &sandbox, &err);
	if (r < 0) {
		out_error("deskbridge sandbox: %s\n", err.text);
		return COMMAND_FAILED;
	}
	out_print("sandbox on http://%s\n", sandbox_address(sandbox));
	(void)fflush(stdout);
	sandbox_feed(sandbox);
	/* The signals were blocked before the threads started, so no other thread can take them. */
	while (sigwait(&ends, &number) != 0)
		;
	sandbox_stop(sandbox);
	return COMMAND_GOOD;
}

/* ---- the helpdesks ----------------------------------------------------------------------------------------------- */

/* The definitions of the helpdesks to imitate: those of all presets, and those of the configuration that -c names. */
struct definition_set {
	const struct definition **all;
	size_t n;
	struct definition **own; /* the presets' */
	struct node **trees;     /* the documents from which they were compiled */
	size_t own_n;
	struct config *config; /* NULL: no -c */
};

static void definition_set_add(struct definition_set *set, const struct definition *d)
{
	MEM_ROOM(set->all, set->n);
	set->all[set->n++] = d;
}

/* A preset with errors is left out; `deskbridge presets NAME` reports its errors. */
static void definition_set_add_preset(void *ctx, const char *name, const char *file)
{
	struct definition_set *set = ctx;
	struct problems problems = {0};
	struct definition *d = NULL;
	struct node *tree = NULL;

	if (yaml_load_file(file, &tree, &problems) == 0 && problems.errors == 0)
		d = definition_read(tree, NULL, &problems);
	problems_done(&problems);
	if (!d) {
		node_free(tree);
		out_error("deskbridge sandbox: note: the preset %s does not read, so its lookups are not answered "
			  "(\"deskbridge presets %s\" tells why)\n",
			  name, name);
		return;
	}
	MEM_ROOM(set->own, set->own_n);
	MEM_ROOM(set->trees, set->own_n);
	set->own[set->own_n] = d;
	set->trees[set->own_n++] = tree;
	definition_set_add(set, d);
}

/* Returns COMMAND_GOOD, or the exit status after a message. The configuration's definitions come first, as they have
 * the values of their parameters. */
static int definition_set_load(const struct command_context *ctx, struct definition_set *set)
{
	struct problems problems = {0};

	if (ctx->config_given) {
		set->config = config_load(ctx->config_file, &problems);
		if (!set->config)
			problems_print(&problems, stderr);
		problems_done(&problems);
		if (!set->config)
			return COMMAND_CONFIG;
		for (size_t i = 0; i < set->config->sources_n; i++)
			definition_set_add(set, set->config->sources[i].definition);
	}
	if (config_presets(ctx->config_file, definition_set_add_preset, set) == 0)
		out_error("deskbridge sandbox: note: there is no preset, so their helpdesks' lookups are not answered: "
			  "are they installed (%s)?\n",
			  DESKBRIDGE_PRESETDIR);
	return COMMAND_GOOD;
}

static void definition_set_done(struct definition_set *set)
{
	for (size_t i = 0; i < set->own_n; i++) {
		definition_free(set->own[i]);
		node_free(set->trees[i]);
	}
	free(set->own);
	free(set->trees);
	free(set->all);
	config_free(set->config);
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static const struct command command = {
	.name = "sandbox",
	.arguments = "[--listen ADDRESS] [--customer ID=EMAIL]… [--fault SPEC]… [--no-quota] [--quiet] [--events N]",
	.summary = COMMAND_SANDBOX_SUMMARY,
	.help = "Keeps Klaviyo's documented rules: shape and limits of requests, keys and scopes, revisions, quotas,\n"
		"duplicates by unique_id. Point klaviyo.url at it. The first line on standard output is its address, "
		"then\n"
		"one line for each event. Everything is in memory and gone when it ends (SIGTERM, SIGINT).\n"
		"\n"
		"  --listen ADDRESS  where to listen (default: " LISTEN_DEFAULT "; port 0: any free one)\n"
		"  --customer ID=EMAIL[,EMAIL…]\n"
		"                    a customer of the helpdesk that lookups ask, and the addresses, the first of "
		"them\n"
		"                    the primary one; can be given several times\n"
		"  --fault SPEC      scripted trouble, see below; can be given several times\n"
		"  --no-quota        no rate limits\n"
		"  --quiet           no activity feed\n"
		"  --events N        how many events are held (default: 1000000); the oldest go first\n"
		"\n"
		"It also stands in for the helpdesks that lookups ask: those of all presets, and of the sources of -c "
		"FILE\n"
		"where that is given. Point the source's lookup.base_url here. The answers are the definition's own\n"
		"examples. The customer of an example gets the example, a customer of --customer the given addresses,\n"
		"and every other customer 404. Any credentials of the kind that the helpdesk demands will do.\n"
		"\n"
		"Keys: any that begins with pk_ has all rights, but pk_bad… and pk_revoked… are unknown (401), and\n"
		"pk_only_events-write_… has only the scopes named (several: events-write+metrics-read). "
		"pk_sandbox_NAME_…\n"
		"belongs to the account NAME, every other key to the account \"default\".\n"
		"\n"
		"What it holds, as JSON: GET /sandbox/events, /sandbox/profiles, /sandbox/stats, /sandbox/faults. "
		"While it\n"
		"runs: POST /sandbox/faults with one SPEC a line, DELETE /sandbox/faults, DELETE /sandbox/events,\n"
		"POST /sandbox/customers with one ID=EMAIL[,EMAIL…] a line.\n"
		"\n" FAULTS_HELP,
};

/* Reports a wrong value as wrong usage, before anything is read or started. */
static int check_values(const char *address, const struct option_list *faults, const struct option_list *customers)
{
	struct faults parsed_faults = {0};
	struct desk desk = {0};
	struct http_address parsed_address;
	struct err err;
	int r = http_address_parse(address, &parsed_address, &err);

	if (r < 0)
		(void)err_prefix(&err, "--listen");
	for (size_t i = 0; i < faults->n && r == 0; i++)
		r = faults_add(&parsed_faults, faults->items[i], 0, &err);
	faults_clear(&parsed_faults);
	for (size_t i = 0; i < customers->n && r == 0; i++) {
		r = desk_add(&desk, customers->items[i], &err);
		if (r < 0)
			(void)err_prefix(&err, "--customer");
	}
	desk_done(&desk);
	return r < 0 ? command_usage_error(&command, "%s", err.text) : OPTIONS_GO;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct sandbox_options o = {.address = LISTEN_DEFAULT};
	struct option_list faults = {.n = 0};
	struct option_list customers = {.n = 0};
	long events = SANDBOX_EVENTS_DEFAULT;
	const struct option_spec specs[] = {
		{"--listen", OPTION_TEXT, &o.address},
		{"--fault", OPTION_LIST, &faults},
		{"--no-quota", OPTION_FLAG, &o.no_quota},
		{"--quiet", OPTION_FLAG, &o.quiet},
		{"--events", OPTION_COUNT, &events},
		{"--customer", OPTION_LIST, &customers},
		{NULL},
	};
	struct definition_set set = {0};
	size_t words;
	int status;

	status = options_parse(&command, specs, argc, argv, NULL, 0, &words);
	if (status == OPTIONS_GO)
		status = check_values(o.address, &faults, &customers);
	if (status != OPTIONS_GO)
		return status;
	o.faults = faults.items;
	o.faults_n = faults.n;
	o.customers = customers.items;
	o.customers_n = customers.n;
	o.max_events = (size_t)events;
	status = definition_set_load(ctx, &set);
	o.definitions = set.all;
	o.definitions_n = set.n;
	if (status == COMMAND_GOOD)
		status = serve(&o);
	definition_set_done(&set);
	return status;
}

/*
 * deskbridge-sandbox [-c FILE] [--] ARGUMENT…
 *
 * -c comes first, as with deskbridge. "--" ends such options, so that `deskbridge sandbox` can pass on a misplaced -c,
 * which is then reported.
 */
int main(int argc, char **argv)
{
	struct command_context ctx = {.config_file = CONFIG_DEFAULT};
	int at = 0;

	command_begin();
	command_note_bystander(command.name);
	if (argc > 2 && strcmp(argv[1], "-c") == 0) {
		if (*argv[2] == '\0')
			return command_usage_error(&command, "-c needs a file");
		ctx.config_file = argv[2];
		ctx.config_given = true;
		at = 2;
	}
	if (argc > at + 1 && strcmp(argv[at + 1], "--") == 0)
		at++;
	return command_end(run(&ctx, argc - at, argv + at));
}

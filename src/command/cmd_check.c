/* SPDX-License-Identifier: MIT */
/*
 * deskbridge check: reads everything that the daemon would read, and prints what is wrong. --key also asks Klaviyo
 * about the keys.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/path.h"
#include "base/text.h"
#include "command/check_as_user.h"
#include "command/load.h"
#include "command/options.h"
#include "conf/access.h"
#include "http/client.h"
#include "klaviyo/outcome.h"
#include "klaviyo/reason.h"
#include "klaviyo/request.h"

#define EVENTS_SCOPE "events:write"
#define REVISION_WARN_DAYS 90

/* ctx: the source's definition. Without a matcher `reopened`, an opening after a closing is a reopening. */
static void print_metric(void *ctx, const char *metric, enum transition t)
{
	const struct definition *d = ctx;

	out_print("    %-9s sends  %s%s\n", transition_name(t), metric,
		  t == TRANSITION_REOPENED && !definition_matches(d, t)
			  ? " (only where `opened` comes after a closing: the definition has no `reopened`)"
			  : "");
}

static void print_lookup(void *ctx, enum definition_url kind, const char *outline, bool optional)
{
	size_t *n = ctx;

	if (kind != DEFINITION_LOOKUP || strstr(outline, "{base_url}"))
		return;
	++*n;
	out_print("    lookup    GET %s%s\n", outline, optional ? " (optional)" : "");
}

static void print_lookups(const struct source *s)
{
	size_t n = 0;

	if (definition_about(s->definition)->steps_n == 0)
		return;
	/* Without its secrets no lookup is sent; those of an optional lookup may be missing. */
	if (text_is(definition_about(s->definition)->lookup_authenticate, "basic")
		    ? !s->lookup_user || !s->lookup_password
		    : !s->lookup_token)
		return;
	definition_urls(s->definition, print_lookup, &n);
	if (n > 0 && s->lookup_ca_file)
		out_print("    lookup    trusts the certificates in %s\n", s->lookup_ca_file);
}

static void print_summary(const struct config *c)
{
	for (size_t i = 0; i < c->accounts_n; i++)
		out_print("account %s: %s, revision %s, key: %s%s\n", c->accounts[i].name, c->accounts[i].url,
			  c->accounts[i].revision, secret_where(c->accounts[i].api_key),
			  c->accounts[i].hold ? ", ON HOLD: nothing is sent" : "");
	for (size_t i = 0; i < c->sources_n; i++) {
		const struct source *s = &c->sources[i];
		out_print("source %s: POST %s, proof %s, definition %s\n", s->name, s->path,
			  proof_about(definition_proof(s->definition))->method, s->preset ? s->preset : "in place");
		rules_metrics(s->policy.rules, s->policy.label, print_metric, s->definition);
		for (size_t j = 0; j < s->policy.flags.n; j++)
			out_print("    property  \"%s\" true while a conversation is open\n", s->policy.flags.items[j]);
		print_lookups(s);
	}
	out_print("listen %s, admin %s, store %s\n", c->listen.address, c->admin.address, c->store.url);
}

static int send_request(const struct account *a, const char *key, const char *method, const char *path,
			const char *body, struct http_response *response, struct err *reterr)
{
	CLEANUP(mem_freep) char *url = request_url(a->url, path);
	struct pairs headers = {0};

	request_headers(&headers, key, a->revision);
	struct http_request request = {.method = method,
				       .url = url,
				       .headers = &headers,
				       .body = mem_str(body),
				       .body_len = body ? strlen(body) : 0};
	int r = http_fetch(&request, "deskbridge/" PACKAGE_VERSION, response, reterr);
	pairs_done(&headers);
	return r;
}

/* True where Klaviyo refused the request itself: its answer names a parameter and no place in the event. *out is
 * then Klaviyo's reason. */
static bool refuses_request(const struct http_response *response, char *out, size_t size)
{
	CLEANUP(json_putp) struct json_object *body = NULL;

	if (json_read(response->body.data, response->body.len, &body, NULL) < 0)
		return false;
	struct json_object *errors = json_member(body, "errors");
	if (!json_object_is_type(errors, json_type_array) || json_object_array_length(errors) == 0)
		return false;
	struct json_object *source = json_member(json_object_array_get_idx(errors, 0), "source");
	reason_of_refusal(out, size, NULL, response->status, body); /* out_print() redacts the key */
	return !json_member_str(source, "pointer") && json_member_str(source, "parameter");
}

/* Prints whether the key may send events, from the answer to an invalid event. 400 is the good answer: the event was
 * refused only for its shape. */
static bool print_key_verdict(const struct account *a, const struct http_response *response)
{
	bool json = response->type && strstr(response->type, "json");
	char reason[OUTCOME_REASON_MAX], why[HTTP_WHY_MAX];

	if (response->failure != HTTP_OK)
		out_print("account %s: Klaviyo does not answer at %s: %s\n", a->name, a->url,
			  http_why(response, REASON_ISSUER, why));
	else if (response->status == 401)
		out_print("account %s: Klaviyo does not know this key (401): is it whole, of the right account, not "
			  "deleted? The key: %s\n",
			  a->name, secret_where(a->api_key));
	else if (response->status == 403 && json)
		out_print("account %s: the key may not send events (403): it lacks the scope " EVENTS_SCOPE
			  ". A key's scopes cannot be changed later: make a new one\n",
			  a->name);
	else if (response->status == 403 || response->status == 429 || response->status >= 500)
		out_print("account %s: Klaviyo cannot say now (status %u); try again in a minute\n", a->name,
			  response->status);
	else if (response->status == 410)
		out_print("account %s: Klaviyo has ended revision %s (410): leave klaviyo.revision out, or name a "
			  "newer one\n",
			  a->name, a->revision);
	else if (response->status != 400 || !json)
		out_print("account %s: unexpected answer %u from %s: is klaviyo.url right?\n", a->name,
			  response->status, a->url);
	else if (refuses_request(response, reason, sizeof(reason)))
		out_print("account %s: Klaviyo refuses every request: %s\n", a->name, reason);
	else {
		out_print("account %s: the key may send events\n", a->name);
		return true;
	}
	return false;
}

/* Warns of a key that may read data: if it is lost, more is lost. */
static void warn_of_excess_scopes(const struct account *a, const char *key, struct check_as_user *as_user)
{
	static const struct {
		const char *path, *scope;
	} probes[] = {
		{"/api/profiles?page[size]=1", "profiles:read"},
		{"/api/events", "events:read"},
		{"/api/lists", "lists:read"},
		{"/api/metrics", "metrics:read"},
		{"/api/accounts", "accounts:read"},
	};
	const char *scopes[sizeof(probes) / sizeof(*probes)];
	CLEANUP(mem_freep) char *excess = NULL, *place = mem_fmt("account %s", a->name);
	size_t n = 0;

	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
		struct http_response response;

		if (send_request(a, key, "GET", probes[i].path, NULL, &response, NULL) < 0)
			continue;
		if (response.status == 200) /* also of an answer that is too long to be kept */
			scopes[n++] = probes[i].scope;
		http_response_done(&response);
	}
	excess = text_join(scopes, n, ", ");
	if (n > 0)
		check_warn(as_user, place,
			   "the key may do more than it needs (%s); one that may send events only loses less when it "
			   "is lost",
			   excess);
}

static bool check_key(const struct generation *g, const struct account *a, struct check_as_user *as_user)
{
	const char *key = secret_value(g->secrets, a->api_key);
	CLEANUP(mem_freep) char *page = request_key_page(EVENTS_SCOPE);
	struct err error = {0};
	struct http_response response;

	if (!key || send_request(a, key, "POST", KLAVIYO_PATH_EVENTS, REQUEST_PROBE, &response, &error) < 0) {
		out_print("account %s: %s\n", a->name, key ? error.text : "no key");
		return false;
	}
	bool good = print_key_verdict(a, &response);
	http_response_done(&response);
	if (good)
		warn_of_excess_scopes(a, key, as_user);
	out_print("account %s: a key with the right scopes and no more: %s\n", a->name, page);
	return good;
}

static void note_fixed(void *ctx, const char *path, bool fixed)
{
	(void)path;
	*(bool *)ctx |= fixed;
}

/* systemd copies its credentials when the unit starts. */
static void print_fixed_secrets(const struct generation *g)
{
	bool fixed = false;

	secrets_files(g->secrets, note_fixed, &fixed);
	if (fixed)
		out_print("secrets: some are systemd's credentials; a changed one is taken with a restart only\n");
}

static void warn_of_revisions(const struct config *c, struct check_as_user *as_user)
{
	for (size_t i = 0; i < c->accounts_n; i++) {
		const struct account *a = &c->accounts[i];
		CLEANUP(mem_freep) char *place = mem_fmt("account %s", a->name);
		char end[REQUEST_END_MAX];
		long days;
		if (request_revision_days_left(a->revision, clock_now_ms(), &days) < 0 || days >= REVISION_WARN_DAYS)
			continue;
		check_warn(as_user, place, "Klaviyo's revision %s %s; the newest tested one is %s (klaviyo.revision)",
			   a->revision, request_revision_end(days, end), KLAVIYO_REVISION_TESTED);
	}
}

/* The daemon makes the store's file, not its folder. systemd makes the folder that the unit names at each start;
 * where it belongs to another user, systemd gives it with its content to the unit's user. */
static void warn_of_store(const struct config *c, struct check_as_user *as_user)
{
	CLEANUP(mem_freep) char *folder = path_folder(c->store.path);
	CLEANUP(mem_freep) char *folder_word = shell_quote(folder);
	CLEANUP(mem_freep) char *file_word = shell_quote(c->store.path);
	const char *user = as_user->user;
	bool made_by_unit = as_user->for_unit && daemon_unit_makes(&as_user->unit, folder);

	if (made_by_unit && (!user || as_user->findings.folder_closed || !as_user->findings.store_closed))
		return;
	if (access(folder, F_OK) < 0)
		check_warn(as_user, "store",
			   "%s is not there: mkdir -p %s; serve will not start (under systemd, "
			   "StateDirectory= may make it)",
			   folder, folder_word);
	else if (user && as_user->findings.folder_closed)
		check_warn(as_user, "store", "%s is not writable for the user %s: chown %s %s", folder, user, user,
			   folder_word);
	else if (user && as_user->findings.store_closed)
		check_warn(as_user, "store", "%s is not writable for the user %s: chown %s %s*", c->store.path, user,
			   user, file_word);
	else if (access(folder, W_OK | X_OK) < 0)
		check_warn(as_user, "store",
			   "%s is not writable for the user who runs this check; for the user who runs "
			   "serve it must be",
			   folder);
}

static void warn_of_token_file(void *ctx, const char *path)
{
	CLEANUP(mem_freep) char *word = shell_quote(path);
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0)
		check_warn(ctx, "admin",
			   "every account of this machine can read the token %s, and ask the daemon for "
			   "customers' addresses with it: chmod o= %s",
			   path, word);
}

/* A generated token that does not exist yet, or in a folder that this user may not enter, gets no warning. */
static void print_token(const struct config *c, struct check_as_user *as_user)
{
	if (strncmp(c->admin.address, "unix:", 5) == 0)
		; /* the socket's mode replaces the token */
	else if (c->admin.token_file)
		out_print("admin token: %s, which the daemon makes where it is not there\n", c->admin.token_file);
	else
		out_print("admin token: %s\n", secret_where(c->admin.token));
	secret_paths(c->admin.token ? c->admin.token : c->admin.generated, warn_of_token_file, as_user);
}

/* Klaviyo's refusal of such a key (400) would only mention the event. */
static bool keys_are_plain(const struct generation *g)
{
	bool good = true;

	for (size_t i = 0; i < g->config->accounts_n; i++) {
		const struct account *a = &g->config->accounts[i];
		const char *key = secret_value(g->secrets, a->api_key);

		while (key && *key > ' ' && *key < 127 && *key != '"' && *key != '\'')
			key++;
		if (!key || *key == '\0')
			continue;
		out_print("account %s: the key holds a character that no key has: paste it whole, without quotes or "
			  "blanks. The key: %s\n",
			  a->name, secret_where(a->api_key));
		good = false;
	}
	return good;
}

struct hidden_check {
	const struct check_as_user *as_user;
	bool good;
};

/* Prints a file that may be read, but is hidden in the daemon's view of the file system. */
static void print_hidden(void *ctx, const char *path, bool fixed)
{
	struct hidden_check *s = ctx;
	CLEANUP(mem_freep) char *whole = realpath(path, NULL);
	const char *by = whole && !fixed ? daemon_unit_hides(&s->as_user->unit, whole) : NULL;

	if (!by)
		return;
	out_print("files: %s is hidden from the daemon by %s in deskbridge.service: put it elsewhere\n", path, by);
	s->good = false;
}

/* Warns where the unit or a drop-in names the program's former place, a link that the next release removes. */
static void warn_of_former_place(struct check_as_user *as_user)
{
	const char *start = as_user->unit.former_start;
	const char *path = start ? start : as_user->unit.former_reload;

	if (as_user->for_unit && path)
		check_warn(as_user, "unit",
			   "%s= in deskbridge.service or a drop-in names %s, which goes with the next "
			   "release: name %.*s/bin/deskbridge there",
			   start ? "ExecStart" : "ExecReload", path, (int)(strlen(path) - strlen("/sbin/deskbridge")),
			   path);
}

static int check(const struct command_context *ctx, struct check_as_user *as_user, bool key)
{
	CLEANUP(generation_unrefp) struct generation *g = load_generation(ctx, &as_user->warnings);
	struct hidden_check hidden = {.as_user = as_user, .good = true};
	char warnings[AMOUNT_MAX];
	bool good;

	if (!g)
		return COMMAND_CONFIG;
	print_summary(g->config);
	print_fixed_secrets(g);
	warn_of_revisions(g->config, as_user);
	warn_of_store(g->config, as_user);
	check_as_user_sockets(as_user, g->config);
	print_token(g->config, as_user);
	warn_of_former_place(as_user);
	if (as_user->for_unit) { /* only the unit says which files the daemon does not see */
		secrets_files(g->secrets, print_hidden, &hidden);
		print_hidden(&hidden, g->config->file, false);
	}
	good = keys_are_plain(g) && hidden.good;
	if (key && good)
		for (size_t i = 0; i < g->config->accounts_n; i++)
			good &= check_key(g, &g->config->accounts[i], as_user);
	if (as_user->note)
		out_print("files: %s\n", as_user->note);
	if (good && as_user->warnings > 0)
		out_print("%s: good, but for %s (above)\n", g->config->file,
			  amount_of(warnings, (long long)as_user->warnings, "warning"));
	else if (good)
		out_print("%s: good\n", g->config->file);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	const char *user = NULL;
	bool key = false;
	const struct option_spec specs[] = {
		{"--key", OPTION_FLAG, &key}, {"--user", OPTION_TEXT, &user}, {NULL, OPTION_FLAG, NULL}};
	struct check_as_user as_user;
	size_t n;

	int end = options_parse(&command_check, specs, argc, argv, NULL, 0, &n);
	if (end != OPTIONS_GO)
		return end;
	end = check_as_user(&command_check, ctx, user, &as_user);
	if (end == COMMAND_GOOD)
		end = check(ctx, &as_user, key);
	check_as_user_done(&as_user);
	return end;
}

const struct command command_check = {
	.name = "check",
	.arguments = "[--key] [--user NAME]",
	.summary = "read configuration, definitions and rules, and say what is wrong with them",
	.help = "Prints every error with file, line and column, and what to do; else what would be done: sources, "
		"proofs,\n"
		"metrics, profile properties. The last line says how many warnings there are.\n"
		"Exit status 78 where the configuration does not load, 1 where a key is wrong or a file is hidden\n"
		"from the daemon.\n"
		"\n"
		"  --key        also asks Klaviyo what each account's key may do, by an invalid event that has no "
		"effect,\n"
		"               and prints Klaviyo's page for a new key with the right scopes filled in\n"
		"  --user NAME  judges whether files can be read by reading them as this user, which only root can do. "
		"Where\n"
		"               root checks the file of deskbridge.service, it is the user that the service runs as\n",
	.run = run,
};

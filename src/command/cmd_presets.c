/* SPDX-License-Identifier: MIT */
/*
 * deskbridge presets: lists the known helpdesks, or prints one's definition or a configuration to paste.
 */
#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/out.h"
#include "base/text.h"
#include "command/options.h"
#include "conf/conf.h"
#include "conf/yaml.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/parse/samples.h"
#include "klaviyo/request.h"

#define ROW "%-16s %-22s %-18s %-14s %-19s %s\n"
#define MARK "# ---- what this definition rests on ----"
#define FACT_COLUMNS 100 /* of a fact's line, unless a word is longer */
#define KEY_PAGE_SCOPES "events:write"
#define HOST "https://YOUR-HOST"
#define UNCONFIRMED_MAX (2 * AMOUNT_MAX + 2)

/* ---- verification, unconfirmed facts ----------------------------------------------------------------------------- */

/* Returns the bytes of text that fit into one line: whole words, at least one. */
static size_t line_bytes(const char *text)
{
	size_t end = strcspn(text, " ");
	size_t next;

	for (next = end; text[next] == ' '; next = end) {
		next += 1 + strcspn(text + next + 1, " ");
		if (next > FACT_COLUMNS)
			break;
		end = next;
	}
	return end;
}

static void print_facts(const struct definition *d)
{
	size_t n = definition_about(d)->unconfirmed.n;
	char facts[AMOUNT_MAX];

	if (n > 0)
		out_print("# %s that no vendor document confirms:\n#\n", amount_of(facts, (long long)n, "fact"));
	for (size_t i = 0; i < n; i++) {
		const char *text = definition_about(d)->unconfirmed.items[i];

		for (const char *line = text; *line != '\0';) {
			size_t len = line_bytes(line);

			if (line == text)
				out_print("# %3zu. %.*s\n", i + 1, (int)len, line);
			else
				out_print("#      %.*s\n", (int)len, line);
			line += len + (line[len] == ' ');
		}
	}
}

static void print_verified(const struct definition *d)
{
	static const struct {
		const char *word, *means;
	} all[] = {
		{"live", "tried against the helpdesk"},
		{"documentation", "its facts rest on the vendor's own"},
		{"no", "not tested with the helpdesk yet; begin with test conversations"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i].word, definition_about(d)->verified) == 0)
			out_print("# Verified: %s (%s)\n", all[i].word, all[i].means);
}

/* ---- a configuration --------------------------------------------------------------------------------------------- */

/* The preset that is shown. */
struct preset_view {
	const char *name;
	const struct node *tree;
	const struct definition *d;
	const struct proof *proof;
};

/* Prints a text as indented comment lines. */
static void print_comment(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		out_print(len > 0 ? "#   %.*s\n" : "#\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* ---- a configuration: the source --------------------------------------------------------------------------------- */

static void print_authenticate(const struct preset_view *p)
{
	if (proof_about(p->proof)->needs_user)
		out_print("    authenticate: {user: deskbridge, password: {credential: %s-webhook}}\n", p->name);
	else if (proof_about(p->proof)->needs_secret)
		out_print("    authenticate: {secret: {credential: %s-webhook}}\n", p->name);
	else
		out_print("    authenticate: {method: none}   # every request to the URL is accepted\n");
	if (proof_about(p->proof)->signs_url)
		out_print("    public_url: " HOST
			  "/webhooks/%s   # the helpdesk signs it: exactly as it is set there\n",
			  p->name);
}

static const char *choice_name(const struct node *choice)
{
	return choice->key ? choice->key : choice->text;
}

/* Prints the default of each parameter and the other choices; in capitals, values that only the operator knows. */
static void print_with(const struct preset_view *p)
{
	const struct node *parameters = node_get(p->tree, "parameters");
	size_t n = parameters ? parameters->n : 0;

	if (n > 0)
		out_print("    with:\n");
	for (size_t i = 0; i < n; i++) {
		const struct node *one = parameters->items[i];
		CLEANUP(mem_freep) char *wanted = mem_fmt("YOUR-%s", one->key);
		CLEANUP(buf_done) struct buf quoted;

		for (char *c = wanted; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		buf_init(&quoted, SIZE_MAX);
		/* YAML's double quotes know \x1b and \u202e, too. */
		escape_add(&quoted,
			   one->n > 0  ? choice_name(one->items[0])
			   : one->text ? one->text
				       : wanted,
			   ESCAPE_QUOTED);
		out_print("      %s: \"", one->key);
		out_exact(stdout, quoted.data);
		out_print("\"");
		for (size_t k = 1; k < one->n; k++)
			out_print("%s%s", k == 1 ? "   # or " : ", ", choice_name(one->items[k]));
		out_print("\n");
	}
}

static void print_lookup(const struct preset_view *p)
{
	bool needed = definition_about(p->d)->needs_lookup;
	const char *indent = needed ? "" : "# ";

	if (definition_about(p->d)->steps_n == 0)
		return;
	if (!needed)
		out_print("    # Can be left out: asks the helpdesk for what its webhooks do not say.\n");
	out_print("    %slookup:\n", indent);
	if (definition_asks_base_url(p->d, false))
		out_print("    %s  base_url: https://YOUR-COMPANY.example   # where you use %s\n", indent,
			  definition_about(p->d)->label);
	if (text_is(definition_about(p->d)->lookup_authenticate, "basic"))
		out_print("    %s  user: YOU@example.com\n    %s  password: {credential: %s-api-token}\n", indent,
			  indent, p->name);
	else
		out_print("    %s  token: {credential: %s-api-token}\n", indent, p->name);
}

/* ---- a configuration: secrets, URLs, bodies to paste ------------------------------------------------------------- */

static void print_secrets(const struct preset_view *p)
{
	CLEANUP(mem_freep) char *page = request_key_page(KEY_PAGE_SCOPES);
	const struct step *first = definition_about(p->d)->steps;
	const char *method = proof_about(p->proof)->method;
	bool signs = text_is(method, "hmac") || text_is(method, "standard-webhooks");

	out_print("\n# Its secrets: one file each, in the folder credentials/ beside this file, readable by the daemon "
		  "alone:\n"
		  "#\n"
		  "#   credentials/klaviyo-api-key\n"
		  "#     a Klaviyo key that may send events: %s\n",
		  page);
	if (proof_about(p->proof)->needs_secret)
		out_print("#   credentials/%s-webhook\n#     %s\n", p->name,
			  proof_about(p->proof)->needs_user
				  ? "a long password that you choose, and give to the helpdesk's webhook"
			  : signs ? "the signing secret, copied from the helpdesk's settings"
				  : "a long secret that the helpdesk sends along: yours to choose, or the one that it "
				    "shows");
	if (!definition_about(p->d)->needs_lookup)
		return;
	out_print("#   credentials/%s-api-token\n", p->name);
	if (first->method != STEP_BASIC)
		out_print("#     the token of the helpdesk's API, for looking up addresses\n");
	else if (first->suffix)
		out_print("#     the token of the helpdesk's API, for looking up addresses; `user` is whose it is "
			  "(\"%s\" is added)\n",
			  first->suffix);
	else
		out_print("#     the password or token of the helpdesk's API, for looking up addresses; `user` goes "
			  "with it\n");
}

static bool matcher_reads(const struct node *matcher, const char *reference)
{
	if (node_get(matcher, reference))
		return true;
	for (size_t i = 0; matcher && matcher->type == NODE_LIST && i < matcher->n; i++)
		if (node_get(matcher->items[i], reference))
			return true;
	return false;
}

static void print_url(const struct preset_view *p, const char *transition)
{
	const char *secret = proof_about(p->proof)->secret_query;

	out_print("#   " HOST "/webhooks/%s", p->name);
	if (secret)
		out_print("?%s=THE-SECRET", secret);
	if (transition)
		out_print("%ctransition=%s", secret ? '&' : '?', transition);
	out_print("\n");
}

/* Prints the URLs. Where the URL can hold the transition, each rule of the helpdesk has its own. */
static void print_urls(const struct preset_view *p)
{
	static const char *const transitions[] = {"opened", "reopened", "closed"};
	bool headed = false;

	out_print("\n# The URL to give to the helpdesk (reachable from outside, by https):\n#\n");
	print_url(p, NULL);
	for (size_t i = 0; i < sizeof(transitions) / sizeof(*transitions); i++) {
		if (!matcher_reads(node_get(p->tree, transitions[i]), "query:transition"))
			continue;
		if (!headed)
			out_print("#\n# Where each rule of the helpdesk says one thing, one of these:\n#\n");
		headed = true;
		print_url(p, transitions[i]);
	}
}

static void print_pastes(const struct preset_view *p)
{
	const char *before = NULL;

	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++) {
		const char *text = definition_about(p->d)->paste[t];

		if (!text || (before && strcmp(before, text) == 0))
			continue;
		out_print("\n# The body to paste into its rule");
		if (node_get(node_get(p->tree, "paste"), transition_name(t)))
			out_print(" for %s", transition_name(t));
		out_print(" (deskbridge presets %s --paste prints it):\n#\n", p->name);
		print_comment(text);
		before = text;
	}
}

/* Prints a configuration in which only the words in capitals must be filled in. tree: the tree that d was compiled
 * from. */
static void print_config(const char *name, const struct node *tree, const struct definition *d)
{
	const struct preset_view p = {.name = name, .tree = tree, .d = d, .proof = definition_proof(d)};

	out_print("# deskbridge with %s: a whole configuration. Fill in what is in capitals. Where there is one "
		  "already, add what\n"
		  "# stands below `sources:`. Then: deskbridge check --key\n"
		  "version: 1\n"
		  "klaviyo:\n"
		  "  api_key: {credential: klaviyo-api-key}\n"
		  "sources:\n"
		  "  %s:\n"
		  "    preset: %s\n",
		  definition_about(d)->label, name, name);
	print_authenticate(&p);
	print_with(&p);
	print_lookup(&p);
	print_secrets(&p);
	print_urls(&p);
	if (definition_about(d)->setup) {
		out_print("\n# In the helpdesk:\n#\n");
		print_comment(definition_about(d)->setup);
	}
	print_pastes(&p);
	if (definition_about(d)->documentation)
		out_print("\n# The vendor's documentation: %s\n", definition_about(d)->documentation);
	out_print("\n");
	print_verified(d);
	print_facts(d);
}

/* ---- the list, a definition, a body ------------------------------------------------------------------------------ */

static void count_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	size_t *n = ctx;

	(void)name;
	(void)shows;
	*n += shape == SHAPE_NOBODY || shape == SHAPE_UNSAID;
}

/* Returns the text of the column UNCONFIRMED, "5 facts, 9 samples": the number of facts that no document confirms,
 * and of samples whose shape has no source. "-": none; "?": the definition does not compile. */
static void unconfirmed_count(const struct node *tree, char out[UNCONFIRMED_MAX])
{
	struct problems problems = {0};
	struct definition *d = definition_read(tree, NULL, &problems);
	size_t facts = d ? definition_about(d)->unconfirmed.n : 0;
	size_t samples = 0;
	char of_facts[AMOUNT_MAX] = "";
	char of_samples[AMOUNT_MAX] = "";

	if (d)
		definition_samples(d, count_sample, &samples);
	if (facts > 0)
		amount_of(of_facts, (long long)facts, "fact");
	if (samples > 0)
		amount_of(of_samples, (long long)samples, "sample");
	(void)snprintf(out, UNCONFIRMED_MAX, "%s%s%s", of_facts, facts > 0 && samples > 0 ? ", " : "",
		       !d                           ? "?"
		       : facts == 0 && samples == 0 ? "-"
						    : of_samples);
	definition_free(d);
	problems_done(&problems);
}

/* Prints a row of the list, and the titles above the first. A preset that does not compile is listed too: `presets
 * NAME --config` says why. */
static void print_row(void *ctx, const char *name, const char *file)
{
	struct problems problems = {0};
	struct node *tree = NULL;
	bool *headed = ctx;

	if (!*headed)
		out_print(ROW, "NAME", "HELPDESK", "PROOF", "VERIFIED", "UNCONFIRMED", "FILE");
	*headed = true;
	if (yaml_load_file(file, &tree, &problems) == 0 && problems.errors == 0) {
		const char *label = node_text(tree, "label");
		const char *verified = node_text(tree, "verified");
		const char *method = node_text(node_get(tree, "authenticate"), "method");
		char unconfirmed[UNCONFIRMED_MAX];

		unconfirmed_count(tree, unconfirmed);
		out_print(ROW, name, label ? label : "-", method ? method : "-", verified ? verified : "no",
			  unconfirmed, file);
	} else {
		out_print(ROW, name, "(does not read)", "-", "-", "-", file);
	}
	node_free(tree);
	problems_done(&problems);
}

/* print_problems: on stderr. *ret_tree: also set where the file does not compile. */
static struct definition *compile(const char *file, bool print_problems, struct node **ret_tree)
{
	struct problems problems = {0};
	struct definition *d = NULL;

	if (yaml_load_file(file, ret_tree, &problems) == 0)
		d = definition_read(*ret_tree, NULL, &problems);
	if (!d && print_problems)
		problems_print(&problems, stderr);
	problems_done(&problems);
	return d;
}

static void print_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	bool *any = ctx;

	if (!*any)
		out_print("#\n# Its samples, and where their shapes come from:\n#\n");
	*any = true;
	out_print("#   %-10s  %-19s %s%s\n", name, sample_shape_text(shape),
		  strncmp(name, "lookup", 6) == 0 ? "the answer of " : "", shows);
}

/* Returns the bytes of a definition's file before the comments that `presets NAME` adds: a copy of its output ends
 * with them. */
static size_t own_text_length(const char *text)
{
	size_t whole = strlen(text);
	size_t begin = whole;

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len == strlen(MARK) && strncmp(line, MARK, len) == 0)
			begin = (size_t)(line - text);
		else if (!strchr("#\n", line[strspn(line, " \t\r")])) /* neither a comment nor empty */
			begin = whole;
		line += len + (line[len] == '\n');
	}
	while (begin < whole && begin > 1 && text[begin - 1] == '\n' && text[begin - 2] == '\n')
		begin--;
	return begin;
}

/* Prints the file unchanged, to be copied. If it compiles, YAML comments follow, after a line that marks their
 * beginning: the facts that no document confirms, and the sources of the samples' shapes. */
static void print_definition(const char *file, char *text)
{
	CLEANUP(node_freep) struct node *tree = NULL;
	struct definition *d = compile(file, false, &tree);
	bool any_sample = false;

	if (d)
		text[own_text_length(text)] = '\0';
	out_exact(stdout, text);
	if (!d)
		return;
	out_print("\n" MARK "\n#\n");
	print_verified(d);
	if (definition_about(d)->unconfirmed.n > 0)
		out_print("#\n");
	print_facts(d);
	definition_samples(d, print_sample, &any_sample);
	definition_free(d);
}

/* Prints the body to paste for a transition; TRANSITION_NONE: the one for all transitions. */
static int print_paste(const char *name, const struct definition *d, enum transition wanted)
{
	const char *text = NULL;

	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++) {
		const char *one = wanted == TRANSITION_NONE || wanted == t ? definition_about(d)->paste[t] : NULL;

		if (text && one && strcmp(text, one) != 0)
			return command_usage_error(
				&command_presets,
				"%s has a body for each transition: --paste opened, reopened or closed", name);
		text = one ? one : text;
	}
	if (!text) {
		out_error("deskbridge presets: %s has no body to paste%s%s: its webhooks have one of their own\n", name,
			  wanted == TRANSITION_NONE ? "" : " for ",
			  wanted == TRANSITION_NONE ? "" : transition_name(wanted));
		return COMMAND_FAILED;
	}
	out_exact(stdout, text);
	if (text[0] != '\0' && text[strlen(text) - 1] != '\n')
		out_print("\n");
	return COMMAND_GOOD;
}

/* Checks the arguments before any file is read. *ret: the transition in the second word. */
static int check_words(const char *const *words, size_t n, bool config, bool paste, enum transition *ret)
{
	*ret = TRANSITION_NONE;
	if (n == 0 && (config || paste))
		return command_usage_error(&command_presets, "%s needs the NAME of a preset",
					   config ? "--config" : "--paste");
	if (config && paste)
		return command_usage_error(&command_presets, "--config and --paste: one of them");
	if (n < 2)
		return OPTIONS_GO;
	if (!paste)
		return command_usage_error(&command_presets, "\"%s\" is one word too many", words[1]);
	return options_transition(&command_presets, words[1], ret);
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(node_freep) struct node *tree = NULL;
	struct err error = {0};
	bool config = false;
	bool paste = false;
	bool headed = false;
	const struct option_spec specs[] = {
		{"--config", OPTION_FLAG, &config}, {"--paste", OPTION_FLAG, &paste}, {NULL, OPTION_FLAG, NULL}};
	const char *words[2];
	enum transition transition;
	size_t n;

	int end = options_parse(&command_presets, specs, argc, argv, words, 2, &n);
	if (end == OPTIONS_GO)
		end = check_words(words, n, config, paste, &transition);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0) {
		if (config_presets(ctx->config_file, print_row, &headed) > 0)
			return COMMAND_GOOD;
		out_error("deskbridge presets: there is no preset: are they installed (%s)?\n", DESKBRIDGE_PRESETDIR);
		return COMMAND_FAILED;
	}
	if (config_preset_read(ctx->config_file, words[0], &file, &text, &error) < 0) {
		out_error("deskbridge presets: %s\n", error.text);
		return COMMAND_FAILED;
	}
	if (!config && !paste) {
		print_definition(file, text);
		return COMMAND_GOOD;
	}
	struct definition *d = compile(file, true, &tree);
	if (!d)
		return COMMAND_FAILED;
	end = COMMAND_GOOD;
	if (paste)
		end = print_paste(words[0], d, transition);
	else
		print_config(words[0], tree, d);
	definition_free(d);
	return end;
}

const struct command command_presets = {
	.name = "presets",
	.arguments = "[NAME [--config | --paste [TRANSITION]]]",
	.summary = "list the helpdesks it knows, or print one's definition",
	.help = "Without NAME: every preset, with how its webhooks are proven, what its facts rest on (live,\n"
		"documentation, no), and how many facts and shapes of samples nobody confirms. With NAME: its\n"
		"definition file, to read or to copy; below it, as comments, these facts, and who shows the shape of\n"
		"each sample.\n"
		"\n"
		"  --config  a whole configuration instead, where its secrets go, and the clicks in the helpdesk\n"
		"  --paste   only the body to paste into the helpdesk's rule, where its rules post a body of one's "
		"own\n"
		"            (TRANSITION: opened, reopened or closed, where each has another)\n"
		"\n"
		"Example, into a new file; where there is no configuration yet, save it as\n" CONFIG_DEFAULT ":\n"
		"  deskbridge presets gladly --config >gladly.yaml.new\n",
	.run = run,
};

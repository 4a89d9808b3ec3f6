/*
 * deskbridge presets: the helpdesks that it knows; one's definition; a configuration ready to paste.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "command/load.h"
#include "command/options.h"
#include "config/yaml.h"
#include "klaviyo/request.h"

/* One row of the list; a preset that does not read is named too: its own check tells why. */
static void print_row(void *ctx, const char *name, const char *file)
{
	struct problems problems = {0};
	struct node *tree = NULL;

	(void)ctx;
	if (yaml_load_file(file, &tree, &problems) == 0 && problems.errors == 0) {
		const char *label = node_text(tree, "label");
		const char *verified = node_text(tree, "verified");
		printf("%-16s %-22s %-14s %s\n", name, label ? label : "-", verified ? verified : "no", file);
	} else {
		printf("%-16s %-22s %-14s %s\n", name, "(does not read)", "-", file);
	}
	node_free(tree);
	problems_done(&problems);
}

static struct definition *compile(const char *file, struct node **ret_tree)
{
	struct definition_binding binding = {.base_url = "https://example.com"};
	struct problems problems = {0};
	struct definition *d = NULL;

	if (yaml_load_file(file, ret_tree, &problems) == 0)
		d = definition_compile(*ret_tree, &binding, &problems);
	if (!d)
		problems_print(&problems, stderr);
	problems_done(&problems);
	return d;
}

#define KEY_PAGE_SCOPES "events:write"

/* Behind # lines, each indented. */
static void print_comment(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		printf(len > 0 ? "#   %.*s\n" : "#\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void print_source(const char *name, const struct definition *d)
{
	const struct proof *proof = definition_proof(d);
	const char *lookup = definition_lookup_authenticate(d);

	printf("sources:\n  %s:\n    preset: %s\n", name, name);
	if (proof_needs_user(proof))
		printf("    authenticate: {user: deskbridge, password: {credential: %s-webhook}}\n", name);
	else if (proof_needs_secret(proof))
		printf("    authenticate: {secret: {credential: %s-webhook}}\n", name);
	else
		printf("    authenticate: {method: none}   # whoever knows the URL is believed\n");
	if (!lookup)
		return;
	printf("    lookup:\n      base_url: https://YOUR-COMPANY.example   # where you use %s\n", definition_label(d));
	if (strcmp(lookup, "basic") == 0)
		printf("      user: YOU@example.com\n      password: {credential: %s-api-token}\n", name);
	else
		printf("      token: {credential: %s-api-token}\n", name);
}

static void print_secrets(const char *name, const struct definition *d)
{
	const struct proof *proof = definition_proof(d);
	CLEANUP(mem_freep) char *page = request_key_page(KEY_PAGE_SCOPES);

	printf("# Its secrets: one file each, in the folder credentials/ beside this file, readable by the daemon "
	       "alone:\n"
	       "#\n"
	       "#   credentials/klaviyo-api-key\n"
	       "#     a Klaviyo key that may send events: %s\n",
	       page);
	if (proof_needs_secret(proof))
		printf("#   credentials/%s-webhook\n#     %s\n", name,
		       proof_needs_user(proof) ? "a long password that you choose, and give to the helpdesk's webhook"
					       : "the secret that the helpdesk signs or sends with");
	if (definition_has_lookup(d))
		printf("#   credentials/%s-api-token\n#     the helpdesk's API token, for looking up addresses\n",
		       name);
}

static void print_config(const char *name, const struct definition *d)
{
	printf("# deskbridge with %s: a whole configuration. Fill in what is in capitals. Where there is one already, "
	       "add what\n"
	       "# stands below `sources:`. Then: deskbridge check --key\n"
	       "version: 1\n"
	       "klaviyo:\n"
	       "  api_key: {credential: klaviyo-api-key}\n",
	       definition_label(d));
	print_source(name, d);
	printf("\n");
	print_secrets(name, d);
	if (definition_setup(d)) {
		printf("\n# In the helpdesk:\n#\n");
		print_comment(definition_setup(d));
	}
	if (definition_documentation(d))
		printf("\n# The vendor's documentation: %s\n", definition_documentation(d));
	printf("\n# What is known of this helpdesk rests on: %s\n", definition_verified(d));
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(node_freep) struct node *tree = NULL;
	struct err error = {0};
	const char *words[1];
	bool config = false;
	size_t n;
	const struct option_spec specs[] = {{"--config", OPTION_FLAG, &config}, {NULL, OPTION_FLAG, NULL}};

	int end = options_parse(&command_presets, specs, argc, argv, words, 1, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0 && config)
		return command_usage_error(&command_presets, "--config needs the NAME of a preset");
	if (n == 0) {
		printf("%-16s %-22s %-14s %s\n", "NAME", "HELPDESK", "VERIFIED", "FILE");
		config_presets(ctx->config_file, print_row, NULL);
		return COMMAND_GOOD;
	}
	if (config_preset_read(ctx->config_file, words[0], &file, &text, &error) < 0) {
		fprintf(stderr, "deskbridge presets: %s\n", error.text);
		return COMMAND_FAILED;
	}
	if (!config) {
		fputs(text, stdout);
		return COMMAND_GOOD;
	}
	struct definition *d = compile(file, &tree);
	if (!d)
		return COMMAND_FAILED;
	print_config(words[0], d);
	definition_free(d);
	return COMMAND_GOOD;
}

const struct command command_presets = {
	.name = "presets",
	.arguments = "[NAME [--config]]",
	.summary = "list the helpdesks it knows, or print one's definition",
	.help = "Without NAME: every preset, with what its facts rest on (live, documentation, no).\n"
		"With NAME: its definition file, to read or to copy.\n"
		"\n"
		"  --config  a whole configuration instead, where its secrets go, and the clicks in the helpdesk\n"
		"\n"
		"Example:\n"
		"  deskbridge presets gladly --config >/etc/deskbridge/deskbridge.yaml\n",
	.run = run,
};

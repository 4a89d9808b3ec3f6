/*
 * deskbridge presets: the helpdesks that it knows; one's definition; a configuration ready to paste.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "command/load.h"
#include "command/options.h"
#include "config/yaml.h"

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

static void print_secret_step(const char *preset, const char *suffix, const char *what)
{
	printf("#   credentials/%s-%-16s %s\n", preset, suffix, what);
}

static void print_config(const char *name, const struct definition *d)
{
	const struct proof *proof = definition_proof(d);
	const char *lookup = definition_lookup_authenticate(d);
	const char *setup = definition_setup(d);
	bool secret = proof_needs_secret(proof);
	bool basic = lookup && strcmp(lookup, "basic") == 0;

	printf("# %s: put this into the configuration file, below its klaviyo: part.\n", definition_label(d));
	printf("sources:\n  %s:\n    preset: %s\n", name, name);
	if (proof_needs_user(proof))
		printf("    authenticate: {user: deskbridge, password: {credential: %s-webhook}}\n", name);
	else if (secret)
		printf("    authenticate: {secret: {credential: %s-webhook}}\n", name);
	if (basic)
		printf("    lookup: {base_url: \"https://YOUR-COMPANY.example\", user: YOU@example.com, "
		       "password: {credential: %s-api-token}}\n",
		       name);
	else if (lookup)
		printf("    lookup: {base_url: \"https://YOUR-COMPANY.example\", token: {credential: %s-api-token}}\n",
		       name);

	if (secret || lookup)
		printf("\n# Its secrets, one file each in the folder credentials/ beside the configuration file (chmod "
		       "0640):\n");
	if (secret)
		print_secret_step(name, "webhook",
				  proof_needs_user(proof)
					  ? "the password that you choose and give to the helpdesk's webhook"
					  : "the secret that the helpdesk signs or sends with");
	if (lookup)
		print_secret_step(name, "api-token", "the helpdesk's API token, for looking up addresses");
	if (setup) {
		printf("\n# In the helpdesk:\n");
		for (const char *line = setup; *line;) {
			size_t len = strcspn(line, "\n");
			printf("#   %.*s\n", (int)len, line);
			line += len + (line[len] == '\n');
		}
	}
	if (definition_documentation(d))
		printf("\n# The vendor's documentation: %s\n", definition_documentation(d));
	printf("# What these facts rest on: %s\n", definition_verified(d));
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
		"  --config  a configuration to paste instead, where its secrets go, and the clicks in the helpdesk\n"
		"\n"
		"Example:\n"
		"  deskbridge presets gladly --config\n",
	.run = run,
};

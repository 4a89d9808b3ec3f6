/*
 * deskbridge presets: the helpdesks that it knows; one's definition; a configuration ready to paste.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/out.h"
#include "command/options.h"
#include "command/preset_print.h"
#include "conf/conf.h"
#include "conf/yaml.h"
#include "helpdesk/parse/samples.h"

#define ROW "%-16s %-22s %-18s %-14s %-19s %s\n"

/* The column UNCONFIRMED: "5 facts, 9 samples"; "?" where the definition does not compile. */
static const char *open_questions(const struct node *tree, char out[PRESET_GROUNDS_WORD_MAX])
{
	struct problems problems = {0};
	struct definition *d = definition_read(tree, NULL, &problems);
	const char *word = d ? preset_grounds_word(d, out) : "?";

	definition_free(d);
	problems_done(&problems);
	return word;
}

/* One row of the list; a preset that does not read is named too: its own check tells why. */
static void print_row(void *ctx, const char *name, const char *file)
{
	struct problems problems = {0};
	struct node *tree = NULL;

	(void)ctx;
	if (yaml_load_file(file, &tree, &problems) == 0 && problems.errors == 0) {
		const char *label = node_text(tree, "label");
		const char *verified = node_text(tree, "verified");
		const char *method = node_text(node_get(tree, "authenticate"), "method");
		char open[PRESET_GROUNDS_WORD_MAX];

		out_print(ROW, name, label ? label : "-", method ? method : "-", verified ? verified : "no",
			  open_questions(tree, open), file);
	} else {
		out_print(ROW, name, "(does not read)", "-", "-", "-", file);
	}
	node_free(tree);
	problems_done(&problems);
}

static struct definition *compile(const char *file, struct node **ret_tree)
{
	struct problems problems = {0};
	struct definition *d = NULL;

	if (yaml_load_file(file, ret_tree, &problems) == 0)
		d = definition_read(*ret_tree, NULL, &problems);
	if (!d)
		problems_print(&problems, stderr);
	problems_done(&problems);
	return d;
}

/* The file as it stands, for a copy, and below it as comments what it rests on, where it compiles. */
static void print_definition(const char *file, char *text)
{
	CLEANUP(node_freep) struct node *tree = NULL;
	struct problems problems = {0};
	struct definition *d = NULL;

	if (yaml_load_file(file, &tree, &problems) == 0)
		d = definition_read(tree, NULL, &problems);
	if (d)
		text[preset_grounds_begin(text)] = '\0';
	out_exact(stdout, text);
	if (d)
		preset_grounds_print(d);
	definition_free(d);
	problems_done(&problems);
}

/* The body to paste for that transition (NONE: the one for all) on standard output. */
static int print_paste(const char *name, const struct definition *d, enum transition wanted)
{
	const char *text = NULL;

	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++) {
		const char *one = wanted == TRANSITION_NONE || wanted == t ? definition_paste(d, t) : NULL;

		if (text && one && strcmp(text, one) != 0)
			return command_usage_error(&command_presets,
						   "%s has a body for each transition: --paste opened, reopened or "
						   "closed",
						   name);
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

/* What cannot be, told before anything is read. *ret: the second word. */
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
	const char *words[2];
	bool config = false, paste = false;
	enum transition transition;
	size_t n;
	const struct option_spec specs[] = {
		{"--config", OPTION_FLAG, &config}, {"--paste", OPTION_FLAG, &paste}, {NULL, OPTION_FLAG, NULL}};

	int end = options_parse(&command_presets, specs, argc, argv, words, 2, &n);
	if (end == OPTIONS_GO)
		end = check_words(words, n, config, paste, &transition);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0) {
		out_print(ROW, "NAME", "HELPDESK", "PROOF", "VERIFIED", "UNCONFIRMED", "FILE");
		config_presets(ctx->config_file, print_row, NULL);
		return COMMAND_GOOD;
	}
	if (config_preset_read(ctx->config_file, words[0], &file, &text, &error) < 0) {
		out_error("deskbridge presets: %s\n", error.text);
		return COMMAND_FAILED;
	}
	if (!config && !paste) {
		print_definition(file, text);
		return COMMAND_GOOD;
	}
	struct definition *d = compile(file, &tree);
	if (!d)
		return COMMAND_FAILED;
	end = COMMAND_GOOD;
	if (paste)
		end = print_paste(words[0], d, transition);
	else
		preset_config_print(words[0], tree, d);
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

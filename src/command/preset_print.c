#include <config.h>

#include "command/preset_print.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/out.h"
#include "klaviyo/request.h"

#define MARK "# ---- what this definition rests on ----"
#define FACT_COLUMNS 100 /* of a fact's line, but for a word that is longer */
#define KEY_PAGE_SCOPES "events:write"
#define HOST "https://YOUR-HOST"

/* ---- facts ------------------------------------------------------------------------------------------------------- */

/* The bytes of text that stand in one line: whole words, one at least. */
static size_t line_bytes(const char *text)
{
	size_t end = strcspn(text, " "), next;

	for (next = end; text[next] == ' '; next = end) {
		next += 1 + strcspn(text + next + 1, " ");
		if (next > FACT_COLUMNS)
			break;
		end = next;
	}
	return end;
}

static void print_fact(size_t number, const char *text)
{
	const char *line = text;

	while (*line != '\0') {
		size_t len = line_bytes(line);

		if (line == text)
			out_print("# %3zu. %.*s\n", number, (int)len, line);
		else
			out_print("#      %.*s\n", (int)len, line);
		line += len + (line[len] == ' ');
	}
}

static void print_facts(const struct definition *d)
{
	size_t n = definition_unconfirmed(d);

	if (n > 0)
		out_print("# %zu fact%s that no vendor document confirms:\n#\n", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++)
		print_fact(i + 1, definition_unconfirmed_at(d, i));
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void print_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	bool *any = ctx;

	if (!*any)
		out_print("#\n# Its samples, and where their shapes come from:\n#\n");
	*any = true;
	out_print("#   %-10s  %-19s %s%s\n", name, sample_shape_text(shape),
		  strncmp(name, "lookup", 6) == 0 ? "the answer of " : "", shows);
}

static void print_verified(const struct definition *d)
{
	static const struct {
		const char *word, *means;
	} all[] = {
		{"live", "tried against the helpdesk"},
		{"documentation", "its facts rest on the vendor's own"},
		{"no", "nobody has tried it against the helpdesk; begin with test conversations"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i].word, definition_verified(d)) == 0)
			out_print("# Verified: %s (%s)\n", all[i].word, all[i].means);
}

void preset_grounds_print(const struct definition *d)
{
	bool any = false;

	out_print("\n" MARK "\n#\n");
	print_verified(d);
	if (definition_unconfirmed(d) > 0)
		out_print("#\n");
	print_facts(d);
	definition_samples(d, print_sample, &any);
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t\r");
	return *line == '#' || *line == '\n' || *line == '\0';
}

size_t preset_grounds_begin(const char *text)
{
	size_t whole = strlen(text), begin = whole;

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len == strlen(MARK) && strncmp(line, MARK, len) == 0)
			begin = (size_t)(line - text);
		else if (!is_comment(line))
			begin = whole;
		line += len + (line[len] == '\n');
	}
	while (begin < whole && begin > 1 && text[begin - 1] == '\n' && text[begin - 2] == '\n')
		begin--;
	return begin;
}

/* ---- in one word ------------------------------------------------------------------------------------------------- */

static void count_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	size_t *n = ctx;

	(void)name;
	(void)shows;
	*n += shape == SHAPE_NOBODY || shape == SHAPE_UNSAID;
}

const char *preset_grounds_word(const struct definition *d, char out[PRESET_GROUNDS_WORD_MAX])
{
	size_t facts = definition_unconfirmed(d), samples = 0;

	definition_samples(d, count_sample, &samples);
	if (facts > 0 && samples > 0)
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "%zu fact%s, %zu sample%s", facts, facts == 1 ? "" : "s",
			       samples, samples == 1 ? "" : "s");
	else if (facts > 0 || samples > 0)
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "%zu %s%s", facts + samples, facts > 0 ? "fact" : "sample",
			       facts + samples == 1 ? "" : "s");
	else
		(void)snprintf(out, PRESET_GROUNDS_WORD_MAX, "-");
	return out;
}

/* ---- a configuration --------------------------------------------------------------------------------------------- */

/* The preset that is shown. */
struct shown {
	const char *name;
	const struct node *tree;
	const struct definition *d;
	const struct proof *proof;
};

/* Behind # lines, each indented. */
static void print_comment(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		out_print(len > 0 ? "#   %.*s\n" : "#\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* As YAML's double quotes want it. */
static void print_quoted(const char *text)
{
	CLEANUP(buf_done) struct buf quoted;

	buf_init(&quoted, SIZE_MAX);
	escape_add(&quoted, text, ESCAPE_QUOTED); /* \x1b and \u202e are YAML's, too */
	out_print("\"");
	out_exact(stdout, quoted.data);
	out_print("\"");
}

/* ---- a configuration: the source --------------------------------------------------------------------------------- */

static void print_authenticate(const struct shown *p)
{
	if (proof_needs_user(p->proof))
		out_print("    authenticate: {user: deskbridge, password: {credential: %s-webhook}}\n", p->name);
	else if (proof_needs_secret(p->proof))
		out_print("    authenticate: {secret: {credential: %s-webhook}}\n", p->name);
	else
		out_print("    authenticate: {method: none}   # whoever knows the URL is believed\n");
	if (proof_signs_url(p->proof))
		out_print("    public_url: " HOST
			  "/webhooks/%s   # the helpdesk signs it: exactly as it is set there\n",
			  p->name);
}

static const char *choice_name(const struct node *choice)
{
	return choice->key ? choice->key : choice->text;
}

/* The default, and what else can be chosen; in capitals what only the operator knows. */
static void print_parameter(const struct node *parameter)
{
	CLEANUP(mem_freep) char *wanted = mem_fmt("YOUR-%s", parameter->key);

	for (char *c = wanted; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	out_print("      %s: ", parameter->key);
	print_quoted(parameter->n > 0 ? choice_name(parameter->items[0]) : parameter->text ? parameter->text : wanted);
	for (size_t i = 1; i < parameter->n; i++)
		out_print("%s%s", i == 1 ? "   # or " : ", ", choice_name(parameter->items[i]));
	out_print("\n");
}

static void print_with(const struct shown *p)
{
	const struct node *parameters = node_get(p->tree, "parameters");

	if (!parameters || parameters->n == 0)
		return;
	out_print("    with:\n");
	for (size_t i = 0; i < parameters->n; i++)
		print_parameter(parameters->items[i]);
}

/* indent: "" or "# ", for a lookup that can be left out. */
static void print_lookup_lines(const struct shown *p, const char *indent)
{
	out_print("    %slookup:\n", indent);
	if (definition_uses_base_url(p->d))
		out_print("    %s  base_url: https://YOUR-COMPANY.example   # where you use %s\n", indent,
			  definition_label(p->d));
	if (text_is(definition_lookup_authenticate(p->d), "basic"))
		out_print("    %s  user: YOU@example.com\n    %s  password: {credential: %s-api-token}\n", indent,
			  indent, p->name);
	else
		out_print("    %s  token: {credential: %s-api-token}\n", indent, p->name);
}

static void print_lookup(const struct shown *p)
{
	if (definition_needs_lookup(p->d)) {
		print_lookup_lines(p, "");
	} else if (definition_has_lookup(p->d)) {
		out_print("    # Can be left out: asks the helpdesk for what its webhooks do not say.\n");
		print_lookup_lines(p, "# ");
	}
}

/* ---- a configuration: what belongs to it ------------------------------------------------------------------------- */

static const char *webhook_secret(const struct shown *p)
{
	const char *method = proof_method(p->proof);

	if (proof_needs_user(p->proof))
		return "a long password that you choose, and give to the helpdesk's webhook";
	if (text_is(method, "hmac") || text_is(method, "standard-webhooks"))
		return "the secret with which the helpdesk signs, as it stands in its settings";
	return "a long secret that the helpdesk sends along: yours to choose, or the one that it shows";
}

static void print_secrets(const struct shown *p)
{
	CLEANUP(mem_freep) char *page = request_key_page(KEY_PAGE_SCOPES);
	const struct step *first = definition_steps(p->d) > 0 ? definition_step_at(p->d, 0) : NULL;

	out_print("\n# Its secrets: one file each, in the folder credentials/ beside this file, readable by the daemon "
		  "alone:\n"
		  "#\n"
		  "#   credentials/klaviyo-api-key\n"
		  "#     a Klaviyo key that may send events: %s\n",
		  page);
	if (proof_needs_secret(p->proof))
		out_print("#   credentials/%s-webhook\n#     %s\n", p->name, webhook_secret(p));
	if (!definition_needs_lookup(p->d))
		return;
	out_print("#   credentials/%s-api-token\n", p->name);
	if (first->method != STEP_BASIC)
		out_print("#     the token of the helpdesk's API, for looking up addresses\n");
	else if (first->suffix)
		out_print("#     the token of the helpdesk's API, for looking up addresses; `user` is whose it is "
			  "(\"%s\" "
			  "is added)\n",
			  first->suffix);
	else
		out_print(
			"#     the password or token of the helpdesk's API, for looking up addresses; `user` goes with "
			"it\n");
}

static bool matcher_asks(const struct node *matcher, const char *reference)
{
	if (node_get(matcher, reference))
		return true;
	for (size_t i = 0; matcher && matcher->type == NODE_LIST && i < matcher->n; i++)
		if (node_get(matcher->items[i], reference))
			return true;
	return false;
}

static void print_url(const struct shown *p, const char *transition)
{
	const char *secret = proof_secret_query(p->proof);

	out_print("#   " HOST "/webhooks/%s", p->name);
	if (secret)
		out_print("?%s=THE-SECRET", secret);
	if (transition)
		out_print("%ctransition=%s", secret ? '&' : '?', transition);
	out_print("\n");
}

/* Where the URL may say the transition, a rule of the desk for each of them has a URL of its own. */
static void print_urls(const struct shown *p)
{
	static const char *const transitions[] = {"opened", "reopened", "closed"};
	bool told = false;

	out_print("\n# The URL to give to the helpdesk (reachable from outside, by https):\n#\n");
	print_url(p, NULL);
	for (size_t i = 0; i < sizeof(transitions) / sizeof(*transitions); i++) {
		if (!matcher_asks(node_get(p->tree, transitions[i]), "query:transition"))
			continue;
		if (!told)
			out_print("#\n# Where each rule of the helpdesk says one thing, one of these:\n#\n");
		told = true;
		print_url(p, transitions[i]);
	}
}

static void print_pastes(const struct shown *p)
{
	const char *before = NULL;

	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++) {
		const char *text = definition_paste(p->d, t);

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

void preset_config_print(const char *name, const struct node *tree, const struct definition *d)
{
	const struct shown p = {.name = name, .tree = tree, .d = d, .proof = definition_proof(d)};

	out_print(
		"# deskbridge with %s: a whole configuration. Fill in what is in capitals. Where there is one already, "
		"add what\n"
		"# stands below `sources:`. Then: deskbridge check --key\n"
		"version: 1\n"
		"klaviyo:\n"
		"  api_key: {credential: klaviyo-api-key}\n"
		"sources:\n"
		"  %s:\n"
		"    preset: %s\n",
		definition_label(d), name, name);
	print_authenticate(&p);
	print_with(&p);
	print_lookup(&p);
	print_secrets(&p);
	print_urls(&p);
	if (definition_setup(d)) {
		out_print("\n# In the helpdesk:\n#\n");
		print_comment(definition_setup(d));
	}
	print_pastes(&p);
	if (definition_documentation(d))
		out_print("\n# The vendor's documentation: %s\n", definition_documentation(d));
	out_print("\n");
	print_verified(d);
	print_facts(d);
}

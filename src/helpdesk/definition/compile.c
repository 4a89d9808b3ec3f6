/* SPDX-License-Identifier: MIT */
/*
 * Compiles a node tree to a definition. The keys are compiled in a fixed order (names first, as templates need them),
 * and all errors are reported together.
 */
#include <config.h>

#include "helpdesk/definition/compile_internal.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "helpdesk/expr/keys.h"

static const char *const definition_keys[] = {
	"label",      "documentation",
	"verified",   "unconfirmed",
	"setup",      "authenticate",
	"challenge",  "body",
	"each",       "delivery",
	"ping",       "opened",
	"reopened",   "closed",
	"identified", "conversation",
	"time",       "created",
	"closed_at",  "customer",
	"emails",     "primary",
	"base_url",   "lookup",
	"attributes", "conversation_url",
	"reports",    "parameters",
	"samples",    "paste",
	"states",     NULL,
};

/* ---- texts and names --------------------------------------------------------------------------------------------- */

static const struct node *compile_required(struct definition_compiler *dc, const char *key)
{
	const struct node *n = node_get(dc->n, key);

	if (!n)
		problems_error(dc->problems, dc->n, "expected `%s`: a definition needs it", key);
	return n;
}

static char *compile_text(struct definition_compiler *dc, const struct node *n)
{
	if (!n)
		return NULL;
	if (n->type != NODE_SCALAR || n->text[0] == '\0') {
		problems_error(dc->problems, n, "expected text, not %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return NULL;
	}
	return mem_str(n->text);
}

/* Returns the word at a key; the first of words is the default. */
static const char *compile_word(struct definition_compiler *dc, const char *key, const char *const *words)
{
	const struct node *n = node_get(dc->n, key);

	if (!n)
		return words[0];
	for (size_t i = 0; words[i]; i++)
		if (n->type == NODE_SCALAR && strcmp(n->text, words[i]) == 0)
			return words[i];
	keys_error(n, key, n->type == NODE_SCALAR ? n->text : node_kind(n), words, dc->problems);
	return words[0];
}

/* `unconfirmed`: facts that no document of the vendor confirms, each on one line. */

static bool is_blank(char c)
{
	return strchr(" \t\r\n", c) != NULL;
}

/* Adds the gathered fact and empties the buffer. */
static void add_unconfirmed(struct definition *d, struct buf *gathered)
{
	if (gathered->len > 0)
		strings_add(&d->about.unconfirmed, gathered->data);
	buf_done(gathered);
	buf_init(gathered, SIZE_MAX);
}

/* Adds the facts of a text. several: a fact ends at a line that ends a sentence, or at an empty line; else the text is
 * one fact. */
static void compile_unconfirmed_text(struct definition *d, const char *text, bool several)
{
	struct buf gathered;

	buf_init(&gathered, SIZE_MAX);
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		size_t end = len;

		while (end > 0 && is_blank(line[end - 1]))
			end--;
		/* Copies the words of the line, with one blank between them. */
		for (size_t i = 0; i < end; i++) {
			if (is_blank(line[i]))
				continue;
			if (gathered.len > 0 && (i == 0 || is_blank(line[i - 1])))
				buf_addc(&gathered, ' ');
			buf_addc(&gathered, line[i]);
		}
		if (several && (end == 0 || strchr(".!?", line[end - 1])))
			add_unconfirmed(d, &gathered);
		line += len + (line[len] == '\n');
	}
	add_unconfirmed(d, &gathered);
	buf_done(&gathered);
}

static void compile_unconfirmed(struct definition_compiler *dc)
{
	const struct node *n = node_get(dc->n, "unconfirmed");

	if (n && n->type != NODE_LIST && (n->type != NODE_SCALAR || n->text[0] == '\0')) {
		problems_error(dc->problems, n, "expected a list of facts, each a text, not %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return;
	}
	if (n && n->type == NODE_SCALAR)
		compile_unconfirmed_text(dc->d, n->text, true);
	for (size_t i = 0; n && n->type == NODE_LIST && i < n->n; i++) {
		const struct node *fact = n->items[i];

		if (fact->type == NODE_SCALAR && fact->text[0] != '\0')
			compile_unconfirmed_text(dc->d, fact->text, false);
		else
			problems_error(dc->problems, fact, "expected a fact as text, not %s",
				       fact->type == NODE_SCALAR ? "nothing" : node_kind(fact));
	}
}

static void compile_texts(struct definition_compiler *dc)
{
	static const char *const verified[] = {"no", "documentation", "live", NULL};
	static const char *const reports[] = {"change", "state", NULL};

	dc->d->about.label = compile_text(dc, compile_required(dc, "label"));
	dc->d->about.documentation = compile_text(dc, node_get(dc->n, "documentation"));
	dc->d->about.setup = compile_text(dc, node_get(dc->n, "setup"));
	compile_unconfirmed(dc);
	dc->d->about.verified = mem_str(compile_word(dc, "verified", verified));
	dc->d->about.reports_state = strcmp(compile_word(dc, "reports", reports), "state") == 0;
}

/* `paste`: one text for all transitions, or one for each. */
static void compile_paste(struct definition_compiler *dc)
{
	static const char *const known[] = {"opened", "reopened", "closed", NULL};
	const struct node *n = node_get(dc->n, "paste");
	enum transition t;

	if (n && n->type == NODE_MAP)
		keys_check(n, known, dc->problems);
	for (size_t i = 0; n && known[i]; i++) {
		INSIST(transition_parse(known[i], &t) == 0);
		dc->d->about.paste[t] = compile_text(dc, n->type == NODE_MAP ? node_get(n, known[i]) : n);
		if (n->type != NODE_MAP && !dc->d->about.paste[t])
			return;
	}
}

/* ---- the body's form --------------------------------------------------------------------------------------------- */

static void compile_each(struct definition_compiler *dc)
{
	const struct node *n = node_get(dc->n, "each");
	struct err e;

	if (!n)
		return;
	if (n->type != NODE_SCALAR)
		problems_error(
			dc->problems, n,
			"expected a JSON Pointer to the list of items (\"/…\", or \"\" for the whole body), not %s",
			node_kind(n));
	else if (reference_compile_array(n->text, &dc->d->each, &e) < 0)
		problems_error(dc->problems, n, "%s", e.text);
	else if (dc->d->body == BODY_FORM)
		problems_error(dc->problems, n, "a form holds no list of items: `each` needs `body: json`");
}

/* `challenge`: {header: NAME}, {when: MATCHER}, or both. */
static void compile_challenge(struct definition_compiler *dc)
{
	static const char *const known[] = {"header", "when", NULL};
	const struct node *n = node_get(dc->n, "challenge");
	const struct node *header = node_get(n, "header");
	const struct node *when = node_get(n, "when");

	if (!n)
		return;
	if (n->type == NODE_MAP)
		keys_check(n, known, dc->problems);
	if (header && (header->type != NODE_SCALAR || !reference_header_is_good(header->text)))
		problems_error(dc->problems, header, "expected the name of a header");
	else if (header && dc->d->proof && text_same(header->text, proof_about(dc->d->proof)->secret_header))
		problems_error(dc->problems, header, "\"%s\" carries the secret, which is never sent back",
			       header->text);
	else if (header)
		dc->d->about.challenge = mem_str(header->text);
	if (when)
		dc->d->setup_probe = matcher_compile(when, REFERENCE_NO_NAMES, dc->problems);
	dc->d->about.has_setup_probe = dc->d->setup_probe != NULL;
	if (!header && !when)
		problems_error(dc->problems, n,
			       "expected {header: NAME}: the header whose value the helpdesk wants back; or {when: "
			       "MATCHER}: what it tries the URL with");
}

/* ---- proof and matchers ------------------------------------------------------------------------------------------ */

static void compile_proof(struct definition_compiler *dc)
{
	static const char *const secrets[] = {"user", "password", "secret", NULL};
	const struct node *own = compile_required(dc, "authenticate");
	const struct node *given = dc->binding ? dc->binding->authenticate : NULL;
	CLEANUP(node_freep) struct node *both = NULL;

	for (size_t i = 0; secrets[i]; i++)
		if (node_get(own, secrets[i]))
			problems_error(dc->problems, node_get(own, secrets[i]),
				       "a definition holds no secret: `%s` belongs to the source's `authenticate`",
				       secrets[i]);
	if (!own)
		return;
	if (given && given->type == NODE_MAP && !node_get(given, "method")) {
		both = node_overlay(own, given);
		given = both;
	}
	dc->d->proof = proof_compile(given ? given : own, dc->problems);
}

static struct matcher *compile_matcher(struct definition_compiler *dc, const struct node *n)
{
	size_t errors = dc->problems->errors;
	CLEANUP(node_freep) struct node *spelled = NULL;

	if (!n)
		return NULL;
	spelled = states_spell(dc->d->states, n, dc->n->file, dc->problems);
	return dc->problems->errors == errors ? matcher_compile(spelled, REFERENCE_NO_NAMES, dc->problems) : NULL;
}

static void digest_node(struct digest *digest, const struct node *n)
{
	const char *texts[] = {node_kind(n), n->key ? n->key : "", n->text ? n->text : ""};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		digest_add(digest, texts[i], strlen(texts[i]) + 1);
	for (size_t i = 0; i < n->n; i++)
		digest_node(digest, n->items[i]);
	digest_add(digest, "", 1);
}

static void compile_matchers(struct definition_compiler *dc)
{
	static const char *const of_states[] = {"states", "ping", "closed", "reopened", "opened", "identified"};
	struct digest *mark = digest_new();
	const struct node *states = node_get(dc->n, "states");
	size_t errors = dc->problems->errors;
	const struct matcher *matchers[DEFINITION_MATCHERS];

	dc->d->states = states_compile(states, dc->problems);
	dc->d->ping = compile_matcher(dc, node_get(dc->n, "ping"));
	dc->d->transitions[TRANSITION_OPENED] = compile_matcher(dc, compile_required(dc, "opened"));
	dc->d->transitions[TRANSITION_REOPENED] = compile_matcher(dc, node_get(dc->n, "reopened"));
	dc->d->transitions[TRANSITION_CLOSED] = compile_matcher(dc, compile_required(dc, "closed"));
	dc->d->identified = compile_matcher(dc, node_get(dc->n, "identified"));
	definition_matchers(dc->d, matchers);
	if (dc->problems->errors == errors)
		states_check(dc->d->states, states, matchers, DEFINITION_MATCHERS, dc->n->file, dc->problems);
	for (size_t i = 0; i < sizeof(of_states) / sizeof(*of_states); i++)
		if (node_get(dc->n, of_states[i]))
			digest_node(mark, node_get(dc->n, of_states[i]));
	digest_end(mark, dc->d->about.states_mark);
}

/* ---- values, attributes, headers --------------------------------------------------------------------------------- */

static struct value_expr *compile_value_expr(struct definition_compiler *dc, const struct node *n,
					     enum value_expr_kind kind)
{
	struct name_check c = {.dc = dc, .at = n};
	struct value_expr *f = n ? value_expr_compile(n, kind, dc->problems) : NULL;

	if (f)
		value_expr_references(f, name_check_one, &c);
	return f;
}

static void note_item(void *ctx, const struct reference *reference)
{
	bool *of_item = ctx;

	*of_item = *of_item || reference_text(reference)[0] == '/';
}

static void compile_value_exprs(struct definition_compiler *dc)
{
	struct definition *d = dc->d;
	bool of_item = true; /* the delivery differs between items */

	d->conversation = compile_value_expr(dc, compile_required(dc, "conversation"), VALUE_EXPR_ONE);
	d->delivery = compile_value_expr(dc, node_get(dc->n, "delivery"), VALUE_EXPR_DELIVERY);
	if (d->each && d->delivery) {
		of_item = value_expr_may_be_body(d->delivery);
		value_expr_references(d->delivery, note_item, &of_item);
	}
	/* A value outside the list is the same for all its items: all but the first would count as repeats. */
	if (!of_item)
		problems_error(dc->problems, node_get(dc->n, "delivery"),
			       "the same for every item of `each`: expected something of the item in it, as in "
			       "\"{root:/id}-{/id}\"");
	d->customer = compile_value_expr(dc, node_get(dc->n, "customer"), VALUE_EXPR_ONE);
	d->time = compile_value_expr(dc, node_get(dc->n, "time"), VALUE_EXPR_ONE);
	d->created = compile_value_expr(dc, node_get(dc->n, "created"), VALUE_EXPR_ONE);
	d->closed_at = compile_value_expr(dc, node_get(dc->n, "closed_at"), VALUE_EXPR_ONE);
	email_refs_compile(&d->emails, node_get(dc->n, "emails"), node_get(dc->n, "primary"), false, dc->problems);
}

/* Marks the steps that take the name as displayed. ctx: the definition. */
static void mark_displayed(void *ctx, const struct reference *reference)
{
	struct definition *d = ctx;
	const char *name = reference_name(reference);

	for (size_t i = 0; name && i < d->steps_n; i++)
		d->steps[i].is_displayed = d->steps[i].is_displayed || step_takes(&d->steps[i], name);
}

static void compile_attributes(struct definition_compiler *dc)
{
	const struct node *n = node_get(dc->n, "attributes");
	const struct node *url = node_get(dc->n, "conversation_url");
	struct name_check c = {.dc = dc};

	dc->d->attributes = n ? attributes_compile(n, dc->problems) : NULL;
	for (size_t i = 0; dc->d->attributes && i < n->n; i++) {
		c.at = n->items[i];
		attributes_references_of(dc->d->attributes, i, name_check_one, &c);
	}
	if (url) {
		c.at = url;
		dc->d->conversation_url = links_compile(url, dc->problems);
		links_references(dc->d->conversation_url, name_check_one, &c);
	}
	attributes_references(dc->d->attributes, mark_displayed, dc->d);
	links_references(dc->d->conversation_url, mark_displayed, dc->d);
}

static void keep_header(void *ctx, const struct reference *reference)
{
	struct definition_compiler *dc = ctx;
	const char *name = reference_header(reference);

	if (!name || pairs_get(&dc->d->headers, name))
		return;
	if (text_same(name, proof_about(dc->d->proof)->secret_header))
		problems_error(dc->problems, dc->n, "\"header:%s\" carries the secret, so no webhook keeps it", name);
	pairs_add(&dc->d->headers, name, "");
}

/* Lists the headers that a stored webhook keeps: those that any part of the definition refers to. Only without errors,
 * as all parts must be there. */
static void compile_headers(struct definition_compiler *dc)
{
	const struct definition *d = dc->d;
	const struct value_expr *exprs[] = {d->conversation, d->delivery, d->customer,
					    d->time,         d->created,  d->closed_at};

	definition_matcher_references(d, keep_header, dc);
	for (size_t i = 0; i < sizeof(exprs) / sizeof(*exprs); i++)
		if (exprs[i])
			value_expr_references(exprs[i], keep_header, dc);
	email_refs_references(&d->emails, keep_header, dc);
	for (size_t i = 0; i < d->steps_n; i++)
		step_references(&d->steps[i], keep_header, dc);
	attributes_references(d->attributes, keep_header, dc);
	links_references(d->conversation_url, keep_header, dc);
}

struct definition *definition_compile(const struct node *n, const struct definition_binding *binding,
				      struct problems *problems)
{
	struct definition_compiler dc = {.n = n, .binding = binding, .problems = problems};
	size_t errors = problems->errors;

	if (n->type != NODE_MAP) {
		problems_error(problems, n, "expected a helpdesk's definition (a mapping), not %s", node_kind(n));
		return NULL;
	}
	dc.d = mem_new(1, sizeof(*dc.d));
	keys_check(n, definition_keys, problems);
	compile_texts(&dc);
	compile_paste(&dc);
	compile_names(&dc);
	compile_base_url(&dc);
	compile_proof(&dc);
	dc.d->body = body_form_compile(node_get(n, "body"), problems);
	compile_each(&dc);
	compile_challenge(&dc);
	compile_matchers(&dc);
	compile_value_exprs(&dc);
	compile_lookup(&dc);
	compile_attributes(&dc);
	if (problems->errors == errors)
		compile_headers(&dc);
	pairs_done(&dc.known);
	if (problems->errors == errors)
		return dc.d;
	definition_free(dc.d);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * From a node tree to a compiled definition. Every key of the language is looked at in a fixed order (names first, as
 * templates need them), and all mistakes are told at once.
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

static const struct node *reader_required(struct reader *r, const char *key)
{
	const struct node *n = node_get(r->n, key);

	if (!n)
		problems_error(r->problems, r->n, "expected `%s`: a definition needs it", key);
	return n;
}

static char *reader_text(struct reader *r, const struct node *n)
{
	if (!n)
		return NULL;
	if (n->type != NODE_SCALAR || n->text[0] == '\0') {
		problems_error(r->problems, n, "expected text, not %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return NULL;
	}
	return mem_str(n->text);
}

/* One of a few words; the first is the default. */
static const char *reader_word(struct reader *r, const char *key, const char *const *words)
{
	const struct node *n = node_get(r->n, key);

	if (!n)
		return words[0];
	for (size_t i = 0; words[i]; i++)
		if (n->type == NODE_SCALAR && strcmp(n->text, words[i]) == 0)
			return words[i];
	keys_error(n, key, n->type == NODE_SCALAR ? n->text : node_kind(n), words, r->problems);
	return words[0];
}

/* `unconfirmed`: the facts that no document of the vendor confirms, each on one line. */

static bool is_blank(char c)
{
	return strchr(" \t\r\n", c) != NULL;
}

/* Takes over what was gathered. */
static void add_fact(struct definition *d, struct buf *gathered)
{
	if (gathered->len > 0)
		strings_add(&d->about.unconfirmed, gathered->data);
	buf_done(gathered);
	buf_init(gathered, SIZE_MAX);
}

/* A fact of a text ends where a line ends with a sentence, or at an empty line. A list's text is one fact. */
static void read_value_expr_text(struct definition *d, const char *text, bool several)
{
	struct buf gathered;

	buf_init(&gathered, SIZE_MAX);
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n"), end = len;

		while (end > 0 && is_blank(line[end - 1]))
			end--;
		/* The words of the line, with one blank between them. */
		for (size_t i = 0; i < end; i++) {
			if (is_blank(line[i]))
				continue;
			if (gathered.len > 0 && (i == 0 || is_blank(line[i - 1])))
				buf_addc(&gathered, ' ');
			buf_addc(&gathered, line[i]);
		}
		if (several && (end == 0 || strchr(".!?", line[end - 1])))
			add_fact(d, &gathered);
		line += len + (line[len] == '\n');
	}
	add_fact(d, &gathered);
	buf_done(&gathered);
}

static void read_unconfirmed(struct reader *r)
{
	const struct node *n = node_get(r->n, "unconfirmed");

	if (n && n->type != NODE_LIST && (n->type != NODE_SCALAR || n->text[0] == '\0')) {
		problems_error(r->problems, n, "expected a list of facts, each a text, not %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return;
	}
	if (n && n->type == NODE_SCALAR)
		read_value_expr_text(r->d, n->text, true);
	for (size_t i = 0; n && n->type == NODE_LIST && i < n->n; i++) {
		const struct node *fact = n->items[i];

		if (fact->type == NODE_SCALAR && fact->text[0] != '\0')
			read_value_expr_text(r->d, fact->text, false);
		else
			problems_error(r->problems, fact, "expected a fact as text, not %s",
				       fact->type == NODE_SCALAR ? "nothing" : node_kind(fact));
	}
}

static void read_texts(struct reader *r)
{
	static const char *const verified[] = {"no", "documentation", "live", NULL};
	static const char *const reports[] = {"change", "state", NULL};

	r->d->about.label = reader_text(r, reader_required(r, "label"));
	r->d->about.documentation = reader_text(r, node_get(r->n, "documentation"));
	r->d->about.setup = reader_text(r, node_get(r->n, "setup"));
	read_unconfirmed(r);
	r->d->about.verified = mem_str(reader_word(r, "verified", verified));
	r->d->about.reports_state = strcmp(reader_word(r, "reports", reports), "state") == 0;
}

/* One text for all transitions, or one each. */
static void read_paste(struct reader *r)
{
	static const char *const known[] = {"opened", "reopened", "closed", NULL};
	const struct node *n = node_get(r->n, "paste");
	enum transition t;

	if (n && n->type == NODE_MAP)
		keys_check(n, known, r->problems);
	for (size_t i = 0; n && known[i]; i++) {
		INSIST(transition_parse(known[i], &t) == 0);
		r->d->about.paste[t] = reader_text(r, n->type == NODE_MAP ? node_get(n, known[i]) : n);
		if (n->type != NODE_MAP && !r->d->about.paste[t])
			return;
	}
}

/* ---- the body's form --------------------------------------------------------------------------------------------- */

static void read_each(struct reader *r)
{
	const struct node *n = node_get(r->n, "each");
	struct err e;

	if (!n)
		return;
	if (n->type != NODE_SCALAR)
		problems_error(
			r->problems, n,
			"expected a JSON Pointer to the list of items (\"/…\", or \"\" for the whole body), not %s",
			node_kind(n));
	else if (reference_compile_array(n->text, &r->d->each, &e) < 0)
		problems_error(r->problems, n, "%s", e.text);
	else if (r->d->body == BODY_FORM)
		problems_error(r->problems, n, "a form holds no list of items: `each` needs `body: json`");
}

/* {header: NAME}, {when: MATCHER}, or both. */
static void read_challenge(struct reader *r)
{
	static const char *const known[] = {"header", "when", NULL};
	const struct node *n = node_get(r->n, "challenge"), *header = node_get(n, "header"),
			  *when = node_get(n, "when");

	if (!n)
		return;
	if (n->type == NODE_MAP)
		keys_check(n, known, r->problems);
	if (header && (header->type != NODE_SCALAR || !reference_header_is_good(header->text)))
		problems_error(r->problems, header, "expected the name of a header");
	else if (header && r->d->proof && text_same(header->text, proof_about(r->d->proof)->secret_header))
		problems_error(r->problems, header, "\"%s\" carries the secret, which is never sent back",
			       header->text);
	else if (header)
		r->d->about.challenge = mem_str(header->text);
	if (when)
		r->d->setup_probe = matcher_compile(when, REFERENCE_NO_NAMES, r->problems);
	r->d->about.has_setup_probe = r->d->setup_probe != NULL;
	if (!header && !when)
		problems_error(r->problems, n,
			       "expected {header: NAME}: the header whose value the helpdesk wants back; or {when: "
			       "MATCHER}: what it tries the URL with");
}

/* ---- proof and matchers ------------------------------------------------------------------------------------------ */

static void read_proof(struct reader *r)
{
	static const char *const secrets[] = {"user", "password", "secret", NULL};
	const struct node *own = reader_required(r, "authenticate");
	const struct node *given = r->binding ? r->binding->authenticate : NULL;
	CLEANUP(node_freep) struct node *both = NULL;

	for (size_t i = 0; secrets[i]; i++)
		if (node_get(own, secrets[i]))
			problems_error(r->problems, node_get(own, secrets[i]),
				       "a definition holds no secret: `%s` belongs to the source's `authenticate`",
				       secrets[i]);
	if (!own)
		return;
	if (given && given->type == NODE_MAP && !node_get(given, "method")) {
		both = node_overlay(own, given);
		given = both;
	}
	r->d->proof = proof_compile(given ? given : own, r->problems);
}

static struct matcher *read_matcher(struct reader *r, const struct node *n)
{
	size_t errors = r->problems->errors;
	CLEANUP(node_freep) struct node *spelled = NULL;

	if (!n)
		return NULL;
	spelled = states_spell(r->d->states, n, r->n->file, r->problems);
	return r->problems->errors == errors ? matcher_compile(spelled, REFERENCE_NO_NAMES, r->problems) : NULL;
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

static void read_matchers(struct reader *r)
{
	static const char *const of_states[] = {"states", "ping", "closed", "reopened", "opened", "identified"};
	struct digest *mark = digest_new();
	const struct node *states = node_get(r->n, "states");
	const struct matcher *matchers[DEFINITION_MATCHERS];
	size_t errors = r->problems->errors;

	r->d->states = states_compile(states, r->problems);
	r->d->ping = read_matcher(r, node_get(r->n, "ping"));
	r->d->says[TRANSITION_OPENED] = read_matcher(r, reader_required(r, "opened"));
	r->d->says[TRANSITION_REOPENED] = read_matcher(r, node_get(r->n, "reopened"));
	r->d->says[TRANSITION_CLOSED] = read_matcher(r, reader_required(r, "closed"));
	r->d->identified = read_matcher(r, node_get(r->n, "identified"));
	definition_matchers(r->d, matchers);
	if (r->problems->errors == errors)
		states_check(r->d->states, states, matchers, DEFINITION_MATCHERS, r->n->file, r->problems);
	for (size_t i = 0; i < sizeof(of_states) / sizeof(*of_states); i++)
		if (node_get(r->n, of_states[i]))
			digest_node(mark, node_get(r->n, of_states[i]));
	digest_end(mark, r->d->about.states_mark);
}

/* ---- what is read ------------------------------------------------------------------------------------------------ */

static struct value_expr *read_value_expr(struct reader *r, const struct node *n, enum value_expr_kind kind)
{
	struct name_check c = {.r = r, .at = n};
	struct value_expr *f = n ? value_expr_compile(n, kind, r->problems) : NULL;

	if (f)
		value_expr_references(f, name_check_one, &c);
	return f;
}

static void see_item(void *ctx, const struct reference *reference)
{
	bool *of_item = ctx;

	*of_item = *of_item || reference_text(reference)[0] == '/';
}

static void read_value_exprs(struct reader *r)
{
	struct definition *d = r->d;
	bool of_item = true; /* the delivery is not the same for all items */

	d->conversation = read_value_expr(r, reader_required(r, "conversation"), VALUE_EXPR_ONE);
	d->delivery = read_value_expr(r, node_get(r->n, "delivery"), VALUE_EXPR_DELIVERY);
	if (d->each && d->delivery) {
		of_item = value_expr_may_be_body(d->delivery);
		value_expr_references(d->delivery, see_item, &of_item);
	}
	/* A value beside the list is the same for all its items: all but the first would count as repeats. */
	if (!of_item)
		problems_error(r->problems, node_get(r->n, "delivery"),
			       "the same for every item of `each`: expected something of the item in it, as in "
			       "\"{root:/id}-{/id}\"");
	d->customer = read_value_expr(r, node_get(r->n, "customer"), VALUE_EXPR_ONE);
	d->time = read_value_expr(r, node_get(r->n, "time"), VALUE_EXPR_ONE);
	d->created = read_value_expr(r, node_get(r->n, "created"), VALUE_EXPR_ONE);
	d->closed_at = read_value_expr(r, node_get(r->n, "closed_at"), VALUE_EXPR_ONE);
	email_refs_compile(&d->emails, node_get(r->n, "emails"), node_get(r->n, "primary"), false, r->problems);
}

/* Marks the steps that take the name. ctx: the definition. */
static void see_shown(void *ctx, const struct reference *reference)
{
	struct definition *d = ctx;
	const char *name = reference_name(reference);

	for (size_t i = 0; name && i < d->steps_n; i++)
		d->steps[i].shown = d->steps[i].shown || step_takes(&d->steps[i], name);
}

static void read_attributes(struct reader *r)
{
	const struct node *n = node_get(r->n, "attributes"), *url = node_get(r->n, "conversation_url");
	struct name_check c = {.r = r};

	r->d->attributes = n ? attributes_compile(n, r->problems) : NULL;
	for (size_t i = 0; r->d->attributes && i < n->n; i++) {
		c.at = n->items[i];
		attributes_references_of(r->d->attributes, i, name_check_one, &c);
	}
	if (url) {
		c.at = url;
		r->d->conversation_url = links_compile(url, r->problems);
		links_references(r->d->conversation_url, name_check_one, &c);
	}
	attributes_references(r->d->attributes, see_shown, r->d);
	links_references(r->d->conversation_url, see_shown, r->d);
}

static void keep_header(void *ctx, const struct reference *reference)
{
	struct reader *r = ctx;
	const char *name = reference_header(reference);

	if (!name || pairs_get(&r->d->headers, name))
		return;
	if (text_same(name, proof_about(r->d->proof)->secret_header))
		problems_error(r->problems, r->n, "\"header:%s\" carries the secret, so no webhook keeps it", name);
	pairs_add(&r->d->headers, name, "");
}

/* Which headers a stored webhook keeps: those that some part of the definition looks at. Only of one without mistakes:
 * all parts are there. */
static void read_headers(struct reader *r)
{
	const struct definition *d = r->d;
	const struct value_expr *facts[] = {d->conversation, d->delivery, d->customer,
					    d->time,         d->created,  d->closed_at};

	definition_matcher_references(d, keep_header, r);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (facts[i])
			value_expr_references(facts[i], keep_header, r);
	email_refs_references(&d->emails, keep_header, r);
	for (size_t i = 0; i < d->steps_n; i++)
		step_references(&d->steps[i], keep_header, r);
	attributes_references(d->attributes, keep_header, r);
	links_references(d->conversation_url, keep_header, r);
}

struct definition *definition_compile(const struct node *n, const struct definition_binding *binding,
				      struct problems *problems)
{
	struct reader r = {.n = n, .binding = binding, .problems = problems};
	size_t errors = problems->errors;

	if (n->type != NODE_MAP) {
		problems_error(problems, n, "expected a helpdesk's definition (a mapping), not %s", node_kind(n));
		return NULL;
	}
	r.d = mem_new(1, sizeof(*r.d));
	keys_check(n, definition_keys, problems);
	read_texts(&r);
	read_paste(&r);
	reader_read_names(&r);
	reader_read_base_url(&r);
	read_proof(&r);
	r.d->body = body_form_compile(node_get(n, "body"), problems);
	read_each(&r);
	read_challenge(&r);
	read_matchers(&r);
	read_value_exprs(&r);
	reader_read_lookup(&r);
	read_attributes(&r);
	if (problems->errors == errors)
		read_headers(&r);
	pairs_done(&r.known);
	if (problems->errors == errors)
		return r.d;
	definition_free(r.d);
	return NULL;
}

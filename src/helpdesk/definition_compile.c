/*
 * From a node tree to a compiled definition. Every key of the language is looked at in a fixed order (names first, as
 * templates need them), all mistakes are told at once; the samples are read last, by the same code that reads webhooks.
 */
#include <config.h>

#include "helpdesk/definition_parts.h"

#include <string.h>

#include "base/clock.h"
#include "helpdesk/keys.h"
#include "helpdesk/signal.h"

#define LOOKUP_CACHE_DEFAULT_MS (10 * CLOCK_MINUTE_MS)
/* When a sample counts as received: later than any time in it. */
#define SAMPLE_RECEIVED_MS INT64_C(253402300799000)

/* A definition in the making. */
struct reader {
	struct definition *d;
	const struct node *n;
	const struct definition_binding *binding; /* or NULL */
	struct problems *problems;
	struct pairs known; /* every name that a template may use; no values */
};

static const char *const definition_keys[] = {
	"label",     "documentation", "verified", "setup",      "authenticate", "delivery",   "ping",
	"opened",    "reopened",      "closed",   "identified", "conversation", "time",       "created",
	"closed_at", "customer",      "emails",   "primary",    "lookup",       "attributes", "conversation_url",
	"reports",   "parameters",    "samples",  "each",       "body",         "challenge",  NULL,
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

static void read_texts(struct reader *r)
{
	static const char *const verified[] = {"no", "documentation", "live", NULL};
	static const char *const reports[] = {"change", "state", NULL};

	r->d->label = reader_text(r, reader_required(r, "label"));
	r->d->documentation = reader_text(r, node_get(r->n, "documentation"));
	r->d->setup = reader_text(r, node_get(r->n, "setup"));
	r->d->verified = mem_str(reader_word(r, "verified", verified));
	r->d->reports_state = strcmp(reader_word(r, "reports", reports), "state") == 0;
}

static void read_later_keys(struct reader *r)
{
	static const char *const later[] = {"each", "challenge", NULL};
	const struct node *body = node_get(r->n, "body");

	for (size_t i = 0; later[i]; i++)
		if (node_get(r->n, later[i]))
			problems_error(r->problems, node_get(r->n, later[i]), "`%s` is not supported by this version",
				       later[i]);
	if (!body || text_is(node_text(r->n, "body"), "json"))
		return;
	if (text_is(node_text(r->n, "body"), "form"))
		problems_error(r->problems, body, "`body: form` is not supported by this version");
	else
		problems_error(r->problems, body, "expected json or form");
}

static void reader_add_name(struct reader *r, const struct node *at, const char *name, const char *value)
{
	if (pairs_get(&r->known, name))
		problems_error(r->problems, at, "the name \"%.64s\" is there already", name);
	pairs_add(&r->known, name, "");
	if (value)
		pairs_add(&r->d->names, name, value);
}

/* The choice that the source made, or the first; NULL where there is none of that name. */
static const struct node *parameter_choice(struct reader *r, const struct node *parameter, const struct node *with)
{
	CLEANUP(mem_freep) const char **names = NULL;

	if (!with)
		return parameter->items[0];
	names = mem_new(parameter->n + 1, sizeof(*names));
	for (size_t i = 0; i < parameter->n; i++) {
		const struct node *choice = parameter->items[i];

		names[i] = choice->key ? choice->key : choice->text;
		if (with->type == NODE_SCALAR && text_is(names[i], with->text))
			return choice;
	}
	keys_error(with, parameter->key, with->type == NODE_SCALAR ? with->text : node_kind(with), names, r->problems);
	return NULL;
}

/* {us: {api: …, app: …}, eu: {…}}: the name is the choice, the choice's members are names of their own. */
static void read_parameter_mapping(struct reader *r, const struct node *parameter, const struct node *choice)
{
	reader_add_name(r, parameter, parameter->key, choice->type == NODE_SCALAR ? choice->text : choice->key);
	for (size_t i = 0; choice->type == NODE_MAP && i < choice->n; i++) {
		const struct node *member = choice->items[i];

		if (member->type != NODE_SCALAR)
			problems_error(r->problems, member, "expected text, not %s", node_kind(member));
		reader_add_name(r, member, member->key, member->text);
	}
}

static void read_parameter(struct reader *r, const struct node *parameter, const struct node *with)
{
	const struct node *choice;
	const char *text = parameter->text;

	for (size_t i = 0; i < parameter->n; i++) {
		choice = parameter->items[i];
		if (choice->type != NODE_SCALAR && (parameter->type == NODE_LIST || choice->type != NODE_MAP)) {
			problems_error(r->problems, choice, "expected text%s, not %s",
				       parameter->type == NODE_MAP ? " or a mapping from names to texts" : "",
				       node_kind(choice));
			return;
		}
	}
	if (parameter->n > 0) {
		choice = parameter_choice(r, parameter, with);
		if (choice)
			read_parameter_mapping(r, parameter, choice);
		return;
	}
	if (with && with->type != NODE_SCALAR)
		problems_error(r->problems, with, "expected text, not %s", node_kind(with));
	else if (with)
		text = with->text;
	else if (r->binding && !text)
		problems_error(r->problems, parameter, "this parameter has no default: set it by `with`, as in {%s: …}",
			       parameter->key);
	reader_add_name(r, parameter, parameter->key, text);
}

static void read_with(struct reader *r, const struct node *parameters, const struct node *with)
{
	if (with->type != NODE_MAP) {
		problems_error(r->problems, with, "expected a mapping from parameters to values, not %s",
			       node_kind(with));
		return;
	}
	for (size_t i = 0; i < with->n; i++)
		if (!node_get(parameters, with->items[i]->key))
			problems_error(r->problems, with->items[i], "this definition has no parameter \"%.64s\"",
				       with->items[i]->key);
}

static void read_names(struct reader *r)
{
	const struct node *parameters = node_get(r->n, "parameters");
	const struct node *with = r->binding ? r->binding->with : NULL;
	CLEANUP(mem_freep) char *base = mem_str(r->binding ? r->binding->base_url : NULL);

	for (size_t len = base ? strlen(base) : 0; len > 0 && base[len - 1] == '/'; len--)
		base[len - 1] = '\0';
	reader_add_name(r, r->n, "base_url", base);
	if (with)
		read_with(r, parameters, with);
	if (!parameters)
		return;
	if (parameters->type != NODE_MAP) {
		problems_error(r->problems, parameters, "expected a mapping, not %s", node_kind(parameters));
		return;
	}
	for (size_t i = 0; i < parameters->n; i++)
		read_parameter(r, parameters->items[i], node_get(with, parameters->items[i]->key));
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
	return n ? matcher_compile(n, REFERENCE_NO_NAMES, r->problems) : NULL;
}

static void read_matchers(struct reader *r)
{
	r->d->ping = read_matcher(r, node_get(r->n, "ping"));
	r->d->says[TRANSITION_OPENED] = read_matcher(r, reader_required(r, "opened"));
	r->d->says[TRANSITION_REOPENED] = read_matcher(r, node_get(r->n, "reopened"));
	r->d->says[TRANSITION_CLOSED] = read_matcher(r, reader_required(r, "closed"));
	r->d->identified = read_matcher(r, node_get(r->n, "identified"));
}

/* ---- what is read ------------------------------------------------------------------------------------------------ */

struct name_check {
	struct reader *r;
	const struct node *at;
	bool shows_taken;
};

static bool step_takes(const struct definition *d, const char *name)
{
	for (size_t i = 0; i < d->steps_n; i++)
		for (size_t j = 0; j < d->steps[i].take_n; j++)
			if (text_same(d->steps[i].take[j].name, name))
				return true;
	return false;
}

/* A name that nobody fills is a typo: the template would never have a value. */
static void name_check_one(void *ctx, const struct reference *reference)
{
	struct name_check *c = ctx;
	const char *name = reference_name(reference), *known[64];
	size_t n = 0;

	if (!name)
		return;
	c->shows_taken = c->shows_taken || step_takes(c->r->d, name);
	if (pairs_get(&c->r->known, name))
		return;
	for (; n < c->r->known.n && n < 63; n++)
		known[n] = c->r->known.items[n].name;
	known[n] = NULL;
	keys_error(c->at, "name", name, known, c->r->problems);
}

static struct fact *read_fact(struct reader *r, const struct node *n)
{
	struct name_check c = {.r = r, .at = n};
	struct fact *f = n ? fact_compile(n, r->problems) : NULL;

	if (f)
		fact_references(f, name_check_one, &c);
	return f;
}

static struct reference *read_reference(struct reader *r, const struct node *n)
{
	struct reference *reference = NULL;
	struct err e;

	if (!n)
		return NULL;
	if (n->type != NODE_SCALAR)
		problems_error(r->problems, n, "expected a reference (\"/…\"), not %s", node_kind(n));
	else if (reference_compile(n->text, REFERENCE_NO_NAMES, &reference, &e) < 0)
		problems_error(r->problems, n, "%s", e.text);
	return reference;
}

static void read_facts(struct reader *r)
{
	struct definition *d = r->d;

	d->conversation = read_fact(r, reader_required(r, "conversation"));
	d->delivery = read_fact(r, node_get(r->n, "delivery"));
	d->customer = read_fact(r, node_get(r->n, "customer"));
	d->time = read_fact(r, node_get(r->n, "time"));
	d->created = read_fact(r, node_get(r->n, "created"));
	d->closed_at = read_fact(r, node_get(r->n, "closed_at"));
	d->emails = read_reference(r, node_get(r->n, "emails"));
	d->primary = read_reference(r, node_get(r->n, "primary"));
	if (d->primary && (!d->emails || reference_stars(d->primary) != reference_stars(d->emails)))
		problems_error(r->problems, node_get(r->n, "primary"),
			       "expected a reference beside `emails`, with as many *");
}

static void read_step_names(struct reader *r, const struct node *n, const struct step *s)
{
	struct name_check c = {.r = r, .at = node_get(n, "url")};

	if (s->url)
		template_references(s->url, name_check_one, &c);
	for (size_t i = 0; i < s->headers_n; i++) {
		c.at = node_get(node_get(n, "headers"), s->headers[i].name);
		if (s->headers[i].value)
			template_references(s->headers[i].value, name_check_one, &c);
	}
	for (size_t i = 0; i < s->take_n; i++)
		reader_add_name(r, node_get(node_get(n, "take"), s->take[i].name), s->take[i].name, NULL);
}

static void read_lookup(struct reader *r)
{
	const struct node *n = node_get(r->n, "lookup");
	struct definition *d = r->d;

	if (!n)
		return;
	d->cache_ms = -1;
	d->steps_n = steps_compile(n, d->steps, r->problems);
	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];

		read_step_names(r, n->items[i], s);
		/* One entry holds what all steps told: it is as fresh as the most demanding of them. */
		if (s->cache_ms >= 0 && (d->cache_ms < 0 || s->cache_ms < d->cache_ms))
			d->cache_ms = s->cache_ms;
		if (s->moved && (!d->customer || fact_written(d->customer)[0] != '/'))
			problems_error(r->problems, node_get(n->items[i], "moved"),
				       "expected `customer` to be a JSON Pointer: the new id takes its place");
	}
	if (d->cache_ms < 0)
		d->cache_ms = LOOKUP_CACHE_DEFAULT_MS;
}

static void read_attribute_names(struct reader *r, const struct node *n, struct name_check *c)
{
	c->at = n;
	attributes_references(r->d->attributes, name_check_one, c);
}

static void read_attributes(struct reader *r)
{
	const struct node *n = node_get(r->n, "attributes"), *url = node_get(r->n, "conversation_url");
	struct name_check c = {.r = r};

	if (n) {
		r->d->attributes = attributes_compile(n, r->problems);
		read_attribute_names(r, n, &c);
	}
	if (url) {
		c.at = url;
		r->d->conversation_url = template_compile(url, r->problems);
		if (r->d->conversation_url)
			template_references(r->d->conversation_url, name_check_one, &c);
	}
	r->d->taken_is_shown = c.shows_taken;
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static void keep_header(void *ctx, const struct reference *reference)
{
	struct reader *r = ctx;
	const char *name = reference_header(reference);

	if (!name || pairs_get(&r->d->headers, name))
		return;
	if (text_same(name, proof_secret_header(r->d->proof)))
		problems_error(r->problems, r->n, "\"header:%s\" carries the secret, so no webhook keeps it", name);
	pairs_add(&r->d->headers, name, "");
}

/* Only of a definition without mistakes: all parts are there. */
static void read_kept_headers(struct reader *r)
{
	const struct definition *d = r->d;
	const struct matcher *matchers[] = {d->ping, d->identified, d->says[TRANSITION_OPENED],
					    d->says[TRANSITION_REOPENED], d->says[TRANSITION_CLOSED]};
	const struct fact *facts[] = {d->conversation, d->delivery, d->customer, d->time, d->created, d->closed_at};

	for (size_t i = 0; i < sizeof(matchers) / sizeof(*matchers); i++)
		if (matchers[i])
			matcher_references(matchers[i], keep_header, r);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (facts[i])
			fact_references(facts[i], keep_header, r);
	if (d->emails)
		keep_header(r, d->emails);
	if (d->primary)
		keep_header(r, d->primary);
	for (size_t i = 0; i < d->steps_n; i++) {
		template_references(d->steps[i].url, keep_header, r);
		for (size_t j = 0; j < d->steps[i].headers_n; j++)
			template_references(d->steps[i].headers[j].value, keep_header, r);
	}
	attributes_references(d->attributes, keep_header, r);
	if (d->conversation_url)
		template_references(d->conversation_url, keep_header, r);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void run_sample(struct reader *r, const struct node *n, enum transition t)
{
	const struct sample *s = &r->d->samples[t];
	struct webhook w = {.query = s->query,
			    .headers = s->headers,
			    .body = s->body,
			    .body_len = strlen(s->body),
			    .received_ms = SAMPLE_RECEIVED_MS};
	struct reading reading;

	reading_make(r->d, &w, NULL, &reading);
	if (reading.kind == READING_UNREADABLE)
		problems_error(r->problems, n, "this sample is not readable: %s", reading.reason.text);
	else if (reading.kind != READING_SIGNAL)
		problems_error(r->problems, n, "this sample should read as %s, but says nothing (%s)",
			       transition_name(t), reading.kind == READING_PING ? "a ping" : "no matcher holds");
	else if (reading.signal.transition != t)
		problems_error(r->problems, n, "this sample should read as %s, but reads as %s", transition_name(t),
			       transition_name(reading.signal.transition));
	reading_done(&reading);
}

static void read_samples(struct reader *r)
{
	static const char *const known[] = {"opened", "reopened", "closed", NULL};
	const struct node *samples = node_get(r->n, "samples");
	size_t errors = r->problems->errors;
	enum transition t;

	if (!samples)
		return;
	if (samples->type != NODE_MAP) {
		problems_error(r->problems, samples, "expected a mapping from transitions to bodies, not %s",
			       node_kind(samples));
		return;
	}
	keys_check(samples, known, r->problems);
	for (size_t i = 0; i < samples->n && r->problems->errors == errors; i++) {
		if (transition_parse(samples->items[i]->key, &t) < 0)
			continue;
		sample_compile(&r->d->samples[t], samples->items[i], r->problems);
		if (r->d->samples[t].body)
			run_sample(r, samples->items[i], t);
	}
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
	read_later_keys(&r);
	read_texts(&r);
	read_names(&r);
	read_proof(&r);
	read_matchers(&r);
	read_facts(&r);
	read_lookup(&r);
	read_attributes(&r);
	if (problems->errors == errors)
		read_kept_headers(&r);
	if (problems->errors == errors)
		read_samples(&r);
	pairs_done(&r.known);
	if (problems->errors == errors)
		return r.d;
	definition_free(r.d);
	return NULL;
}

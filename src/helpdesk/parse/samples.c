/* SPDX-License-Identifier: MIT */
/*
 * Compiles a definition's samples and reads them with the code that reads webhooks. Each must read as what its key in
 * `samples` says, together they must reach every transition, and every reference must find a value in one of them.
 */
#include <config.h>

#include "helpdesk/parse/samples.h"

#include <string.h>

#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/parse/samples_internal.h"

/* The receipt of every sample: later than any time in it. */
#define SAMPLE_RECEIVED_MS INT64_C(253402300799000)
#define SAMPLE_WHY_MAX 1024
#define SAMPLES_ALSO_MAX 100

static const struct {
	const char *word;
	enum parse_result_kind kind;
	enum transition transition;
} transition_words[] = {
	{"opened", PARSE_SIGNAL, TRANSITION_OPENED}, {"reopened", PARSE_SIGNAL, TRANSITION_REOPENED},
	{"closed", PARSE_SIGNAL, TRANSITION_CLOSED}, {"identified", PARSE_SIGNAL, TRANSITION_NONE},
	{"ignored", PARSE_IGNORED, TRANSITION_NONE}, {"ping", PARSE_PING, TRANSITION_NONE},
	{NULL, PARSE_UNREADABLE, TRANSITION_NONE},
};

/* A definition that cannot read what the desk sends turns every webhook into a dead letter: an error, also over a
 * preset. */
static void sample_test_unreadable(const struct sample_tests *all, const struct node *at, const char *why)
{
	problems_error(all->problems, at, "this sample is not readable: %s%s", why,
		       all->overlaid ? "; where webhooks look otherwise here, the definition that "
				       "is laid over the preset gives `samples` of them"
				     : "");
}

/* ---- one sample -------------------------------------------------------------------------------------------------- */

static const char *transition_word(enum parse_result_kind kind, enum transition transition)
{
	size_t i = 0;

	while (transition_words[i].word &&
	       (transition_words[i].kind != kind || transition_words[i].transition != transition))
		i++;
	return transition_words[i].word ? transition_words[i].word : "unreadable";
}

/* Explains why the right matcher does not hold: "closed: /status: there is "open"". */
static void sample_test_why(const struct definition *d, const struct sample_test *s, const struct eval_context *context,
			    struct buf *to)
{
	const char *word = transition_word(s->kind, s->transition);
	const struct matcher *m = d->transitions[s->transition];

	if (s->kind == PARSE_PING)
		m = d->ping;
	else if (s->transition == TRANSITION_NONE)
		m = d->identified;
	buf_addf(to, "%s: ", word);
	if (m)
		matcher_explain_no(m, context, to);
	else
		buf_adds(to, "the definition has no such matcher");
}

/* True where a missing conversation was reported already, because its reference finds nothing in any sample. Over a
 * preset that was only a warning, so the first sample reports it again. */
static bool is_reported(struct sample_tests *all, const struct sample_test_item *item)
{
	CLEANUP(mem_freep) char *text = NULL;
	bool reported = all->reported_unreadable;

	if (!all->conversation_unresolved || !item->parsed->has_item)
		return false;
	text = value_expr_text(all->d->conversation, &item->parsed->context);
	if (text)
		return false;
	all->reported_unreadable = true;
	return reported || !all->overlaid;
}

/* Reads one item and reports where it does not read as the sample should. True where it does. One of several items may
 * be ignored. */
static bool sample_test_read(struct sample_tests *all, struct sample_test *s, const struct sample_test_item *item)
{
	const struct parse_result *result = &item->parsed->result;
	char shown[PROPERTY_SHOWN_MAX];
	struct buf why;
	bool good;

	/* A desk that reports states sends the same state at a reopening: the ledger knows that the conversation was
	 * closed. */
	good = result->kind == s->kind && (s->kind != PARSE_SIGNAL || result->signal.transition == s->transition ||
					   (all->d->about.reports_state && s->transition == TRANSITION_REOPENED &&
					    result->signal.transition == TRANSITION_OPENED));
	buf_init(&why, SAMPLE_WHY_MAX);
	if (result->kind == PARSE_UNREADABLE) {
		if (!is_reported(all, item))
			sample_test_unreadable(all, s->at, result->reason);
	} else if (!good && result->kind == PARSE_IGNORED && s->n == 1) {
		sample_test_why(all->d, s, &item->parsed->context, &why);
		sample_test_report(all, s->at, "this sample should read as %s, but no matcher holds (%s)",
				   transition_word(s->kind, s->transition), why.data);
	} else if (!good && result->kind != PARSE_IGNORED) {
		sample_test_report(all, s->at, "this sample should read as %s, but reads as %s",
				   transition_word(s->kind, s->transition),
				   transition_word(result->kind, result->signal.transition));
	}
	if (result->unknown_state.text && !result->unknown_state.has_wildcard)
		problems_warn(all->problems, s->at,
			      "the state \"%s\" of this sample is not one that `states` names at %s: add it",
			      property_value_shown(result->unknown_state.text, shown), result->unknown_state.reference);
	if (good)
		s->actual = result->signal.transition;
	/* This webhook would be answered without a proof, and lost. */
	if (result->kind == PARSE_SIGNAL && parsed_webhook_is_setup_probe(all->d, &item->webhook))
		sample_test_report(
			all, s->at,
			"`challenge: {when: …}` holds for this sample, which says %s: expected it to hold for "
			"nothing that opens or closes",
			transition_word(result->kind, result->signal.transition));
	buf_done(&why);
	return good;
}

/* Splits a sample as intake does. An empty array has no item. */
static void sample_test_open(const struct sample_tests *all, struct sample_test *s)
{
	struct batch *batch = NULL;
	struct err e;

	if (batch_open(all->d, pairs_get(&s->sample.headers, "Content-Type"), s->sample.body, strlen(s->sample.body),
		       &batch, &e) < 0) {
		sample_test_unreadable(all, s->at, e.text);
		return;
	}
	s->is_split = true;
	s->items = mem_new(batch_items(batch), sizeof(*s->items));
	for (; s->n < batch_items(batch); s->n++) {
		struct sample_test_item *item = &s->items[s->n];

		item->webhook = (struct webhook){
			.query = s->sample.query, .headers = s->sample.headers, .received_ms = SAMPLE_RECEIVED_MS};
		item->webhook.body = batch_item(batch, s->n, &item->webhook.body_len);
		item->parsed = parsed_webhook_borrow(all->d, &item->webhook);
	}
	batch_close(batch);
}

/* True where the sample reads as it should. */
static bool sample_test_run(struct sample_tests *all, struct sample_test *s)
{
	bool good = false;

	if (!s->is_split)
		return false;
	for (size_t i = 0; i < s->n; i++)
		good = sample_test_read(all, s, &s->items[i]) || good;
	if (s->n != 1 && !good && s->kind != PARSE_IGNORED)
		sample_test_report(all, s->at, "this sample should read as %s, but none of its %zu items says that",
				   transition_word(s->kind, s->transition), s->n);
	return good;
}

static void sample_tests_done(struct sample_tests *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct sample_test *s = &all->items[i];

		for (size_t k = 0; k < s->n; k++) {
			parsed_webhook_free(s->items[k].parsed);
			free(s->items[k].webhook.body);
		}
		free(s->items);
		free(s->name);
		sample_done(&s->sample);
	}
	free(all->items);
}

/* ---- all samples ------------------------------------------------------------------------------------------------- */

static struct sample_test *sample_tests_add(struct sample_tests *all, const struct node *at, const char *name,
					    enum parse_result_kind kind, enum transition t)
{
	struct definition *d = all->d;
	struct sample_test *s;

	MEM_ROOM(all->items, all->n);
	s = &all->items[all->n++];
	*s = (struct sample_test){.at = at, .name = mem_str(name), .kind = kind, .transition = t};
	sample_compile(&s->sample, at, d->body, all->problems);
	/* For definition_samples(). */
	MEM_ROOM(d->sample_infos, d->sample_infos_n);
	d->sample_infos[d->sample_infos_n++] = (struct definition_sample_info){
		.name = mem_str(name), .shows = transition_word(kind, t), .shape = s->sample.shape};
	return s;
}

static void read_further(struct sample_tests *all, const struct node *list)
{
	const char *words[sizeof(transition_words) / sizeof(*transition_words)];

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		words[i] = transition_words[i].word;
	if (list->type != NODE_LIST || list->n > SAMPLES_ALSO_MAX) {
		problems_error(all->problems, list, "expected a list of at most %d {says: …, body: …}",
			       SAMPLES_ALSO_MAX);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct node *n = list->items[i];
		const struct node *says = node_get(n, "says");
		CLEANUP(mem_freep) char *name = mem_fmt("also[%zu]", i);
		size_t word = 0;

		if (!says || says->type != NODE_SCALAR || !node_get(n, "body")) {
			problems_error(all->problems, n,
				       "expected {says: …, body: …, headers: …, query: …, shape_from: …}; `says` is "
				       "one of opened, reopened, closed, identified, ignored, ping");
			continue;
		}
		while (transition_words[word].word && strcmp(transition_words[word].word, says->text) != 0)
			word++;
		if (!transition_words[word].word) {
			keys_error(says, "says", says->text, words, all->problems);
			continue;
		}
		(void)sample_tests_add(all, n, name, transition_words[word].kind, transition_words[word].transition);
	}
}

static void read_all(struct sample_tests *all, const struct node *samples)
{
	static const char *const known[] = {"opened", "reopened", "closed", "also", NULL};

	keys_check(samples, known, all->problems);
	for (size_t i = 0; i < samples->n; i++) {
		const struct node *n = samples->items[i];
		struct sample_test *s;
		enum transition t;

		if (strcmp(n->key, "also") == 0)
			read_further(all, n);
		else if (transition_parse(n->key, &t) == 0 && t > TRANSITION_NONE && t < TRANSITION_EXPIRED) {
			if (node_get(n, "says"))
				problems_error(all->problems, node_get(n, "says"),
					       "`says` belongs to those below `also`");
			s = sample_tests_add(all, n, n->key, PARSE_SIGNAL, t);
			sample_done(&all->d->samples[t]);
			sample_copy(&all->d->samples[t], &s->sample);
		}
	}
}

/* The values that a value map leaves out silently; each once. */
struct unmapped {
	struct problems *problems;
	const struct sample_test *test;
	struct pairs reported; /* attribute and value */
};

static void warn_of_unmapped(void *ctx, const char *name, const struct value_expr *from, const char *value)
{
	struct unmapped *u = ctx;
	char shown[PROPERTY_SHOWN_MAX];

	for (size_t i = 0; i < u->reported.n; i++)
		if (strcmp(u->reported.items[i].name, name) == 0 && text_same(u->reported.items[i].value, value))
			return;
	pairs_add(&u->reported, name, value);
	problems_warn(u->problems, u->test->at,
		      "%s is \"%s\", which the map of %s does not name: it is left out; add it, or \"*\"",
		      value_expr_written(from), property_value_shown(value, shown), name);
}

/* Warns of values that no value map names. Checks samples of signals only: the attributes of other webhooks are not
 * read. */
static void check_value_maps(const struct sample_tests *all)
{
	struct unmapped u = {.problems = all->problems};

	for (size_t i = 0; i < all->n; i++) {
		u.test = &all->items[i];
		for (size_t k = 0; u.test->kind == PARSE_SIGNAL && k < u.test->n; k++)
			if (u.test->items[k].parsed->has_item)
				attributes_unmapped(all->d->attributes, &u.test->items[k].parsed->context,
						    warn_of_unmapped, &u);
	}
	pairs_done(&u.reported);
}

/* Runs all tests. References come first: one that finds nothing explains why samples fail. */
static void test_all(struct sample_tests *all, const struct node *samples)
{
	const struct node at = node_at_key(samples);
	bool reached[TRANSITION_EXPIRED] = {false};

	for (size_t i = 0; i < all->n; i++)
		sample_test_open(all, &all->items[i]);
	sample_tests_find_unresolved(all);
	for (size_t i = 0; i < all->n; i++) {
		struct sample_test *s = &all->items[i];

		/* A sample that failed has been reported already. */
		reached[sample_test_run(all, s) ? s->actual : s->transition] = true;
	}
	/* Reports transitions that the definition has and no sample reaches. */
	for (enum transition t = TRANSITION_OPENED; t < TRANSITION_EXPIRED; t++)
		if (all->d->transitions[t] && !reached[t])
			sample_test_report(all, &at, "no sample reads as %s, which this definition can say: add one",
					   transition_name(t));
	check_value_maps(all);
}

struct definition *definition_read(const struct node *n, const struct definition_binding *binding,
				   struct problems *problems)
{
	const struct node *samples = node_get(n, "samples");
	struct sample_tests all = {.root = n, .overlaid = binding && binding->overlaid, .problems = problems};
	size_t errors = problems->errors;

	all.d = definition_compile(n, binding, problems);
	if (!all.d || !samples)
		return all.d;
	if (samples->type == NODE_MAP)
		read_all(&all, samples);
	else
		problems_error(problems, samples, "expected a mapping from transitions to bodies, not %s",
			       node_kind(samples));
	if (problems->errors == errors)
		test_all(&all, samples);
	sample_tests_done(&all);
	if (problems->errors == errors)
		return all.d;
	definition_free(all.d);
	return NULL;
}

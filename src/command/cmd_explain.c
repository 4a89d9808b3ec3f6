/* SPDX-License-Identifier: MIT */
/*
 * deskbridge explain: shows what the daemon would do with a webhook, without a request, the store or an event. It calls
 * the functions that the daemon calls, with an empty ledger. A request with several items is explained item by item.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/out.h"
#include "command/explain_internal.h"
#include "command/load.h"
#include "helpdesk/parse/batch.h"
#include "intake/answer.h"
#include "intake/intake_submission.h"

static void explain_unreadable(const struct source *s, const struct webhook *w, const char *reason)
{
	if (proof_about(definition_proof(s->definition))->needs_secret)
		out_print("Result: accepted with 200, and a dead letter: %s\n", reason);
	else
		out_print("Result: refused with 400, because the source has no proof: %s\n", reason);
	if (definition_body(s->definition) == BODY_EITHER && !pairs_get(&w->headers, "Content-Type"))
		out_print("Not given: the header Content-Type, by which JSON is told from a form: --header "
			  "'Content-Type: application/json'\n");
}

/* Explains how an item is read, and what a signal leads to. */
static void explain_item(const struct generation *g, const struct source *s, struct parsed_webhook *item,
			 struct explain_answers *a)
{
	CLEANUP(customer_done) struct customer customer = {0};
	CLEANUP(buf_done) struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	parsed_webhook_explain(item, &lines);
	explain_block("Reading", &lines);
	if (item->result.unknown_state.text) {
		buf_clear(&lines);
		parse_result_describe_unknown_state(&item->result, s->name, &lines);
		out_print("Unknown state: %s\n\n", lines.data);
	}
	if (item->result.kind == PARSE_SIGNAL && item->result.signal.wants_lookup &&
	    explain_lookup(s, &item->webhook, a, &customer)) {
		parsed_webhook_add_lookup(item, &customer);
		/* A part of the conversation's URL may come from the lookup; the first reading printed the other
		 * parts. */
		buf_clear(&lines);
		parsed_webhook_explain_url(item, &lines);
		if (lines.len > 0)
			explain_block("With the lookup", &lines);
	}
	switch (item->result.kind) {
	case PARSE_PING:
		out_print("Result: the helpdesk's own test; answered with 200, nothing is kept\n");
		break;
	case PARSE_IGNORED:
		out_print("Result: ignored: it says nothing of interest; answered with 200, counted%s\n",
			  s->keep_all ? ", kept" : ", not kept");
		break;
	case PARSE_UNREADABLE:
		explain_unreadable(s, &item->webhook, item->result.reason);
		break;
	case PARSE_SIGNAL:
		explain_signal(g, s, item);
		break;
	}
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

/* Returns the request with the body of one of its items, parsed. */
static struct parsed_webhook *item_parsed(const struct source *s, const struct webhook *w, const struct batch *b,
					  size_t i)
{
	struct webhook item;

	webhook_copy(&item, w);
	free(item.body);
	item.body = batch_item(b, i, &item.body_len);
	return parsed_webhook_new(s->definition, &item, NULL, 0);
}

static void explain_items(const struct generation *g, const struct source *s, const struct webhook *w,
			  const struct batch *b, struct explain_answers *a)
{
	size_t n = batch_items(b);

	if (n == 0)
		out_print("Result: ignored: the list of its items is empty; answered with 200, counted, not kept\n");
	for (size_t i = 0; i < n; i++) {
		CLEANUP(parsed_webhook_freep) struct parsed_webhook *item = item_parsed(s, w, b, i);

		if (n > 1)
			out_print(i > 0 ? "\nItem %zu of %zu\n\n" : "Item %zu of %zu\n\n", i + 1, n);
		explain_item(g, s, item, a);
	}
}

static bool has_signal(const struct source *s, const struct webhook *w, const struct batch *b)
{
	bool found = false;

	for (size_t i = 0; i < batch_items(b) && !found; i++) {
		CLEANUP(parsed_webhook_freep) struct parsed_webhook *item = item_parsed(s, w, b, i);

		found = item->result.kind == PARSE_SIGNAL;
	}
	return found;
}

/* True where the vendor only wants a value echoed, or tests the URL; explains that. b: NULL: there are no items. */
static bool explain_challenge(const struct source *s, const struct webhook *w, const struct batch *b,
			      enum proof_verdict proof)
{
	const char *name = definition_about(s->definition)->challenge;
	bool setup_probe = proof != PROOF_GOOD && parsed_webhook_is_setup_probe(s->definition, w);

	if (!setup_probe && (!name || !answer_echo(pairs_get(&w->headers, name))))
		return false;
	if (!setup_probe && b && proof == PROOF_GOOD && has_signal(s, w, b))
		return false;
	out_print("Result: the helpdesk sets its webhook up; answered with 200%s%s, nothing is kept\n",
		  setup_probe ? "" : " and the value of ", setup_probe ? "" : name);
	return true;
}

static void print_missing_header(void *ctx, const char *name)
{
	const struct webhook *w = ctx;

	if (!pairs_get(&w->headers, name))
		out_print("Not given: the header %s, which the definition looks at: --header '%s: …'\n\n", name, name);
}

/* query: as received. The query in w is without its secret, as the daemon stores it. */
static void explain(const struct generation *g, const struct source *s, const struct webhook *w, const char *query,
		    struct explain_answers *a)
{
	struct batch *batch = NULL;
	struct err reason = {0};
	int r = -EINVAL;
	enum proof_verdict proof;
	char bytes[AMOUNT_MAX];

	out_print("Webhook: POST %s%s%s, %s\n\n", w->path, *w->query ? "?" : "", w->query,
		  amount_of(bytes, (long long)w->body_len, "byte"));
	proof = explain_proof(g, s, w, query);
	definition_headers(s->definition, print_missing_header, (void *)w);
	if (w->body_len > 0)
		r = batch_open(s->definition, pairs_get(&w->headers, "Content-Type"), w->body, w->body_len, &batch,
			       &reason);
	if (explain_challenge(s, w, batch, w->body_len > 0 ? proof : PROOF_MISSING))
		; /* explained */
	else if (w->body_len == 0)
		out_print("Result: refused with 400: the body is empty\n");
	else if (r < 0)
		explain_unreadable(s, w, reason.text);
	else
		explain_items(g, s, w, batch, a);
	for (; a->used < a->n; a->used++)
		out_print("Not used: %s. No further question is asked here\n", a->files[a->used]);
	if (batch)
		batch_close(batch);
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static int read_answers(const struct option_list *files, struct explain_answers *ret)
{
	struct err error = {0};

	for (size_t i = 0; i < files->n; i++) {
		if (load_file(files->items[i], EXPLAIN_MAX, &ret->texts[i], &ret->lens[i], &error) < 0) {
			out_error("deskbridge explain: --customer: %s\n", error.text);
			return COMMAND_FAILED;
		}
		ret->files[i] = files->items[i];
		ret->n++;
	}
	return OPTIONS_GO;
}

/* Parses the options --header. Returns OPTIONS_GO, or COMMAND_USAGE after a message. */
static int take_headers(const struct option_list *headers, struct pairs *to)
{
	for (size_t i = 0; i < headers->n; i++) {
		const char *text = headers->items[i];
		const char *colon = strchr(text, ':');

		if (!colon || colon == text)
			return command_usage_error(&command_explain, "--header '%s': expected 'NAME: VALUE'", text);
		CLEANUP(mem_freep) char *name = mem_strn(text, (size_t)(colon - text));
		CLEANUP(mem_freep) char *value = mem_str(colon + 1);
		pairs_add(to, name, text_trim(value)); /* as in HTTP */
	}
	return OPTIONS_GO;
}

/* Fills the webhook as if it were received now; its headers are set already. */
static int read_webhook(const struct config *c, const struct source *s, const char *file, const char *query,
			struct webhook *ret)
{
	struct err error = {0};

	if (load_file(file, c->listen.max_body, &ret->body, &ret->body_len, &error) < 0) {
		out_error("deskbridge explain: %s\n", error.text);
		return COMMAND_FAILED;
	}
	ret->source = mem_str(s->name);
	ret->path = mem_str(s->path);
	ret->query = stored_query(query, proof_about(definition_proof(s->definition))->secret_query);
	ret->received_ms = clock_now_ms();
	return OPTIONS_GO;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct option_list headers = {0};
	struct option_list customers = {0};
	CLEANUP(explain_answers_done) struct explain_answers answers = {0};
	CLEANUP(webhook_done) struct webhook w = {0};
	const char *query = "";
	const struct option_spec specs[] = {
		{"--header", OPTION_LIST, &headers},
		{"--query", OPTION_TEXT, &query},
		{"--customer", OPTION_FILES, &customers},
		{NULL, OPTION_FLAG, NULL},
	};
	const char *words[2];
	size_t n;

	int end = options_parse(&command_explain, specs, argc, argv, words, 2, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0)
		return command_usage_error(&command_explain, "expected the name of a SOURCE");
	if (n == 2 && *words[1] == '\0')
		return command_usage_error(&command_explain, "FILE is empty: name a file, or - for standard input");
	end = take_headers(&headers, &w.headers);
	if (end != OPTIONS_GO)
		return end;
	query += *query == '?';
	CLEANUP(generation_unrefp) struct generation *g = load_generation(ctx, NULL);
	if (!g)
		return COMMAND_CONFIG;
	const struct source *s = load_source(g, words[0]);
	if (!s)
		return COMMAND_FAILED;
	end = read_webhook(g->config, s, n == 2 ? words[1] : "-", query, &w);
	if (end == OPTIONS_GO)
		end = read_answers(&customers, &answers);
	if (end != OPTIONS_GO)
		return end;
	explain(g, s, &w, query, &answers);
	return COMMAND_GOOD;
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "SOURCE [FILE] [--header 'NAME: VALUE']… [--query QUERY] [--customer FILE]…",
	.summary = "show, dry, what one webhook would do: proof, reading, rules, the exact request",
	.help = "Reads the webhook's body from FILE, or from standard input. Nothing is asked, stored or sent.\n"
		"\n"
		"  --header 'NAME: VALUE'  a header that came with it; repeat for more\n"
		"  --query QUERY           the part of its URL after the ?\n"
		"  --customer FILE         the helpdesk's answer about the customer; repeat for further questions, in "
		"the\n"
		"                          order in which they are asked\n"
		"\n"
		"Example:\n"
		"  deskbridge explain gladly closed.json --customer customer.json\n",
	.run = run,
};

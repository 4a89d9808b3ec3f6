/* SPDX-License-Identifier: MIT */
/*
 * deskbridge sample: makes a webhook as the helpdesk would send it, with a valid proof. Prints it as a curl command, or
 * posts it.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/percent.h"
#include "base/url.h"
#include "command/load.h"
#include "command/options.h"
#include "conf/check.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/plan/lookup_plan.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "helpdesk/parse/samples.h"
#include "http/client.h"

#define ESCAPED_MAX 4096 /* bytes of a conversation's id in a URL */
#define REFUSED_MAX 1024 /* bytes of the parts of --email in a note */

/* The request that the helpdesk would make. */
struct sample_request {
	char *url; /* with the proof in the query, where it is there */
	const char *unix_socket;
	struct sample sample;
	struct pairs headers; /* those of the sample and of the proof */
};

/* Prints the text in single quotes for a POSIX shell. */
static void print_quoted(const char *text)
{
	CLEANUP(buf_done) struct buf quoted;

	buf_init(&quoted, SIZE_MAX);
	buf_addc(&quoted, '\'');
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			buf_adds(&quoted, "'\\''");
		else
			buf_addc(&quoted, *c);
	}
	buf_addc(&quoted, '\'');
	out_exact(stdout, quoted.data); /* exact, with the proof in it */
}

static void print_curl(const struct sample_request *p)
{
	out_print("curl -sS ");
	if (p->unix_socket) {
		out_print("--unix-socket ");
		print_quoted(p->unix_socket);
		out_print(" ");
	}
	print_quoted(p->url);
	for (size_t i = 0; i < p->headers.n; i++) {
		CLEANUP(mem_freep) char *line = mem_fmt("%s: %s", p->headers.items[i].name, p->headers.items[i].value);
		out_print(" \\\n  -H ");
		print_quoted(line);
	}
	out_print(" \\\n  --data-binary ");
	print_quoted(p->sample.body);
	out_print("\n");
}

static int post(const struct sample_request *p)
{
	struct http_request request = {.method = "POST",
				       .url = p->url,
				       .headers = &p->headers,
				       .body = mem_str(p->sample.body),
				       .body_len = strlen(p->sample.body),
				       .unix_socket = p->unix_socket};
	struct err error = {0};
	struct http_response response;

	if (http_fetch(&request, "deskbridge/" PACKAGE_VERSION, &response, &error) < 0) {
		out_error("deskbridge sample: %s\n", error.text);
		return COMMAND_FAILED;
	}
	bool good = response.failure == HTTP_OK && response.status / 100 == 2;
	if (response.failure != HTTP_OK)
		out_error("deskbridge sample: the daemon does not answer: %s\n"
			  "Does it run? See \"systemctl status deskbridge\". If it listens elsewhere: --url URL\n",
			  response.error);
	else
		out_print("%u %s\n", response.status, response.body.data);
	http_response_done(&response);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

/* Makes URL, headers and proof. base: --url; NULL: the configuration's address. */
static void sample_request_make(const struct generation *g, const struct source *s, const char *base,
				struct sample_request *p)
{
	size_t len = base ? strlen(base) : 0;
	CLEANUP(mem_freep) char *address = NULL;
	const struct pairs *headers = &p->sample.headers;
	struct proof_secrets secrets = {.user = s->auth_user};
	CLEANUP(pairs_done) struct pairs proof_headers = {0};
	CLEANUP(pairs_done) struct pairs parameters = {0};
	CLEANUP(mem_freep) char *proof_query = NULL;

	while (len > 0 && base[len - 1] == '/')
		len--;
	address = base ? mem_fmt("%.*s%s", (int)len, base, s->path)
		       : load_url(g->config->listen.address, s->path, &p->unix_socket);
	for (size_t i = 0; i < headers->n; i++)
		pairs_add(&p->headers, headers->items[i].name, headers->items[i].value);
	if (!pairs_get(&p->headers, "Content-Type"))
		pairs_add(&p->headers, "Content-Type", body_type(definition_body(s->definition), p->sample.body));
	if (s->auth_secret)
		secrets.secrets = secret_values(g->secrets, s->auth_secret, &secrets.n);
	struct proof_request request = {.method = "POST",
					.url = s->public_url,
					.headers = &p->headers,
					.query = p->sample.query,
					.body = p->sample.body,
					.body_len = strlen(p->sample.body),
					.now_ms = clock_now_ms()};
	proof_make(definition_proof(s->definition), &secrets, &request, &proof_headers, &proof_query);
	/* A sample may hold a proof of the helpdesk, which is replaced. */
	for (size_t i = 0; i < proof_headers.n; i++)
		sample_set_header(&p->headers, proof_headers.items[i].name, proof_headers.items[i].value);
	percent_read_query(proof_query, &parameters);
	for (size_t i = 0; i < parameters.n; i++)
		sample_set_query(&p->sample, parameters.items[i].name, parameters.items[i].value);
	p->url = mem_fmt("%s%s%s", address, p->sample.query[0] != '\0' ? "?" : "", p->sample.query);
}

/* True where posting makes no real event: each account that the source can use is a sandbox on this machine. */
static bool is_harmless(const struct source_policy *s)
{
	for (size_t i = 0; i < s->accounts_n; i++)
		if (s->accounts[i].account && !url_is_loopback(s->accounts[i].account->url))
			return false;
	return true;
}

/* ---- notes ------------------------------------------------------------------------------------------------------- */

/* Returns the first item of the webhook, as if it were received. False: there is none. */
static bool first_webhook(const struct source *s, const struct sample_request *p, struct webhook *ret)
{
	const struct webhook w = {.source = s->name,
				  .received_ms = clock_now_ms(),
				  .path = s->path,
				  .query = p->sample.query,
				  .headers = p->headers};
	struct batch *batch = NULL;
	bool any;

	if (batch_open(s->definition, pairs_get(&p->headers, "Content-Type"), p->sample.body, strlen(p->sample.body),
		       &batch, NULL) < 0)
		return false;
	*ret = w;
	any = batch_items(batch) > 0;
	if (any)
		ret->body = batch_item(batch, 0, &ret->body_len);
	batch_close(batch);
	return any;
}

/* True where the first lookup request holds the conversation's id. */
static bool asks_by_conversation(const struct source *s, const struct parsed_webhook *w)
{
	const struct lookup_plan_secrets secrets = {.user = "", .password = "", .token = ""};
	CLEANUP(pairs_done) struct pairs headers = {0};
	CLEANUP(mem_freep) char *url = NULL;
	struct lookup_plan *q = NULL;
	bool found = false;
	struct buf escaped;

	if (lookup_plan_new(s->definition, &w->context, &q, NULL) < 0)
		return false;
	buf_init(&escaped, ESCAPED_MAX);
	percent_add(&escaped, w->result.signal.conversation, "");
	if (lookup_plan_next(q, &secrets, &url, &headers, NULL) == 0)
		found = strstr(url, escaped.data) != NULL;
	buf_done(&escaped);
	lookup_plan_free(q);
	return found;
}

/* Notes the parts of --email that the daemon would read as addresses and that are not. True where there are any. */
static bool note_refused(const struct signal *signal, const struct sample_values *wanted)
{
	char email[EMAIL_MAX + 1];
	struct buf refused;
	bool any;

	if (!wanted->email || email_normalise(wanted->email, email) == 0)
		return false;
	buf_init(&refused, REFUSED_MAX);
	addresses_describe_refused(&signal->addresses, &refused);
	any = refused.len > 0;
	if (any)
		out_error("note: the daemon passes over what is no address in --email: %s\n", refused.data);
	buf_done(&refused);
	return any;
}

/* Notes where the address comes from if the webhook has none. refused: --email is in the webhook, and is not an
 * address. */
static void note_lookup(const struct source *s, const struct parsed_webhook *w, const struct sample_values *wanted,
			bool refused)
{
	const struct signal *signal = &w->result.signal;
	const char *own = definition_about(s->definition)->base_url;

	if (refused)
		out_error("note: this webhook holds no address. ");
	else
		out_error("note: %s's webhooks hold no address%s. ", s->policy.label,
			  wanted->email ? ", so --email has no place in them" : "");
	out_error("The daemon asks %s for ", s->lookup_base_url ? s->lookup_base_url : own ? own : "the helpdesk");
	if (signal->customer)
		out_error("that of customer %s; another one: --customer ID\n", signal->customer);
	else if (asks_by_conversation(s, w))
		out_error("that of conversation %s; another one: --conversation ID\n", signal->conversation);
	else
		out_error("it\n");
}

static bool holds_email(const struct signal *signal, const char *wanted)
{
	char email[EMAIL_MAX + 1];

	if (email_normalise(wanted, email) < 0)
		return true; /* not for lack of a place in the webhook */
	for (size_t i = 0; i < signal->addresses.n; i++)
		if (strcmp(signal->addresses.items[i].email, email) == 0)
			return true;
	return false;
}

/* Notes the options that this webhook has no place for, and where the address comes from. */
static void note_unused(const struct source *s, const struct sample_request *p, const struct sample_values *wanted)
{
	struct webhook w = {0};
	const struct signal *signal;
	struct parsed_webhook *parsed;
	bool asks, refused;

	if (!first_webhook(s, p, &w))
		return;
	parsed = parsed_webhook_borrow(s->definition, &w);
	signal = &parsed->result.signal;
	if (parsed->result.kind == PARSE_SIGNAL) {
		asks = signal->wants_lookup && signal->addresses.n == 0;
		refused = note_refused(signal, wanted);
		if (asks)
			note_lookup(s, parsed, wanted, refused);
		if (wanted->customer && !text_is(signal->customer, wanted->customer))
			out_error("note: --customer has no place in this webhook: the definition reads %s%s there\n",
				  signal->customer ? "customer " : "no customer",
				  signal->customer ? signal->customer : "");
		if (wanted->email && !asks && !holds_email(signal, wanted->email))
			out_error("note: --email has no place in this webhook: the definition reads %s there\n",
				  signal->addresses.n > 0 ? "another one" : "no address");
	}
	parsed_webhook_free(parsed);
	free(w.body);
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct sample_values wanted = {0};
	const char *url = NULL;
	bool do_post = false;
	bool yes = false;
	struct sample_request request = {0};
	const struct option_spec specs[] = {
		{"--email", OPTION_TEXT, &wanted.email},
		{"--conversation", OPTION_TEXT, &wanted.conversation},
		{"--customer", OPTION_TEXT, &wanted.customer},
		{"--url", OPTION_TEXT, &url},
		{"--post", OPTION_FLAG, &do_post},
		{"--yes", OPTION_FLAG, &yes},
		{NULL, OPTION_FLAG, NULL},
	};
	const char *words[2];
	enum transition transition;
	struct err wrong;
	size_t n;

	int end = options_parse(&command_sample, specs, argc, argv, words, 2, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n != 2)
		return command_usage_error(&command_sample, "expected a SOURCE and a TRANSITION");
	end = options_transition(&command_sample, words[1], &transition);
	if (end != OPTIONS_GO)
		return end;
	if (url && check_base_url(url, &wrong) < 0)
		return command_usage_error(&command_sample, "--url: %s", wrong.text);
	CLEANUP(generation_unrefp) struct generation *g = load_generation(ctx, NULL);
	if (!g)
		return COMMAND_CONFIG;
	const struct source *s = load_source(g, words[0]);
	if (!s)
		return COMMAND_FAILED;
	if (do_post && !yes && !is_harmless(&s->policy)) {
		out_error("deskbridge sample: this would make a real event in Klaviyo: the account's url is not on "
			  "this machine. To post it all the same: --yes\n");
		return COMMAND_FAILED;
	}
	wanted.now_ms = clock_now_ms();
	if (definition_sample_fill(s->definition, transition, &wanted, &request.sample) < 0) {
		out_error("deskbridge sample: the definition of %s has no sample for %s\n", s->name, words[1]);
		return COMMAND_FAILED;
	}
	sample_request_make(g, s, url, &request);
	note_unused(s, &request, &wanted);
	end = COMMAND_GOOD;
	if (do_post)
		end = post(&request);
	else
		print_curl(&request);
	free(request.url);
	pairs_done(&request.headers);
	sample_done(&request.sample);
	return end;
}

const struct command command_sample = {
	.name = "sample",
	.arguments = "SOURCE TRANSITION [--email E] [--conversation ID] [--customer ID]\n"
		     "       [--url URL] [--post [--yes]]",
	.summary = "print a ready curl command that posts a webhook with a right proof, or post it",
	.help = "TRANSITION is opened, reopened or closed. The printed command holds a valid proof: keep it "
		"secret.\n"
		"\n"
		"  --email E          the customer's address, where the helpdesk's webhooks hold it\n"
		"  --conversation ID  the conversation's id; the same for opened and closed\n"
		"  --customer ID      the customer's id, for helpdesks that are asked for the address\n"
		"  --url URL          where the daemon listens (default http:// and `listen` of the configuration)\n"
		"  --post             post it and print the answer\n"
		"  --yes              post even where Klaviyo's URL is not loopback: that makes a real event\n"
		"\n"
		"Example:\n"
		"  deskbridge sample gladly opened --conversation c-1 --post\n",
	.run = run,
};

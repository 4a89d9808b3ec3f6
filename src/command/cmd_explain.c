/*
 * deskbridge explain: the whole way of one webhook, dry: nothing is asked, stored or sent. It runs the very functions
 * that the daemon runs, on a ledger that knows nothing yet.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "command/load.h"
#include "command/options.h"
#include "helpdesk/inquiry.h"
#include "helpdesk/signal.h"
#include "intake/keep.h"
#include "klaviyo/request.h"
#include "pipeline/decide.h"

#define EXPLAIN_MAX (1024 * 1024)

static void print_block(const char *title, const struct buf *lines)
{
	printf("%s\n", title);
	for (const char *line = lines->data; *line;) {
		size_t len = strcspn(line, "\n");
		printf("  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	printf("\n");
}

/* The helpdesk's answers about the customer, in the order of the questions. */
struct answers {
	const char *files[OPTION_LIST_MAX];
	char *texts[OPTION_LIST_MAX];
	size_t lens[OPTION_LIST_MAX];
	size_t n;
	size_t used;
};

static void answers_done(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->texts[i]);
}

static const char *verdict_text(enum proof_verdict v)
{
	switch (v) {
	case PROOF_GOOD:
		return "good";
	case PROOF_STALE:
		return "stale: its time is too far from now; the daemon would answer 401";
	case PROOF_MISSING:
		return "missing: the daemon would answer 401";
	case PROOF_WRONG:
		break;
	}
	return "wrong: the daemon would answer 401";
}

/* How to have the proof checked. */
static void tell_proof(const struct proof *proof)
{
	const char *header = proof_secret_header(proof), *query = proof_secret_query(proof);

	printf("  not shown here, so not checked; without it the daemon answers 401\n  to have it checked: ");
	if (header)
		printf("--header '%s: …'\n\n", header);
	else if (query)
		printf("--query '%s=…'\n\n", query);
	else
		printf("--header 'NAME: VALUE' for each header that came\n\n");
}

/* query: as it came, the secret still in it. */
static void explain_proof(const struct generation *g, const struct source *s, const struct webhook *w,
			  const char *query)
{
	const struct proof *proof = definition_proof(s->definition);
	struct proof_secrets secrets = {.user = s->auth_user};
	struct proof_request request = {.method = "POST",
					.url = s->public_url,
					.headers = &w->headers,
					.query = query,
					.body = w->body,
					.body_len = w->body_len,
					.now_ms = w->received_ms};

	printf("Proof: %s\n", proof_method(proof));
	if (!proof_needs_secret(proof)) {
		printf("  none is asked for: whoever reaches the address is believed\n\n");
		return;
	}
	if (!proof_is_shown(proof, &w->headers, query)) {
		tell_proof(proof);
		return;
	}
	if (s->auth_secret)
		secrets.secrets = secret_values(g->secrets, s->auth_secret, &secrets.n);
	printf("  %s\n\n", verdict_text(proof_check(proof, &secrets, &request)));
}

/* One given answer. A file tells no status: one that names the merged customer's new id was a 301, any other a 200. */
static bool take_answer(struct inquiry *q, struct answers *a)
{
	size_t i = a->used++;
	enum inquiry_verdict v = INQUIRY_REFUSED;
	struct err error = {0};

	if (!inquiry_step_is_optional(q))
		v = inquiry_answer(q, 301, "application/json", a->texts[i], a->lens[i], NULL);
	if (v == INQUIRY_MOVED) {
		printf("  %s: the customer has another id now\n", a->files[i]);
		return true;
	}
	v = inquiry_answer(q, 200, "application/json", a->texts[i], a->lens[i], &error);
	if (v != INQUIRY_ON)
		printf("  %s: %s\n", a->files[i], error.text);
	return v == INQUIRY_ON;
}

/* Walks the lookup's steps over the given answers. Whether it came to its end. */
static bool walk(struct inquiry *q, const struct source *s, struct answers *a)
{
	const struct inquiry_secrets secrets = {
		.user = s->lookup_user ? s->lookup_user : "", .password = "", .token = ""};
	struct err error = {0};

	for (;;) {
		CLEANUP(mem_freep) char *url = NULL;
		struct pairs headers = {0};
		int r = inquiry_next(q, &secrets, &url, &headers, &error);
		if (r < 0)
			printf("  %s\n", error.text);
		if (r != 0)
			return r == 1;
		pairs_done(&headers);
		printf("  GET %s\n", url);
		if (a->used == a->n) {
			printf("  not asked here; its answer can be given with --customer FILE. What follows is as if "
			       "it held "
			       "no address\n");
			return false;
		}
		if (!take_answer(q, a))
			return false;
	}
}

/* Whether *ret is filled with what the answers say. */
static bool explain_lookup(const struct source *s, const struct webhook *w, struct answers *a, struct customer *ret)
{
	struct inquiry *q = NULL;
	struct err error = {0};

	printf("Lookup\n");
	if (inquiry_new(s->definition, w, &q, &error) < 0) {
		printf("  nobody to ask about: %s\n\n", error.text);
		return false;
	}
	bool found = walk(q, s, a);
	if (found)
		inquiry_result(q, ret);
	for (size_t i = 0; i < ret->addresses.n; i++)
		printf("  found %s%s\n", ret->addresses.items[i].email,
		       ret->addresses.items[i].primary ? " (primary)" : "");
	if (found && ret->addresses.n == 0)
		printf("  found no address\n");
	printf("\n");
	inquiry_free(q);
	return found;
}

static void explain_request(const struct generation *g, const struct event *e, int64_t now_ms)
{
	const struct account *a = config_account(g->config, e->account);
	struct pairs headers = {0};
	struct err error = {0};
	char *body = NULL;

	printf("Event: %s for %s\n", e->metric, e->email);
	printf("  account %s, unique_id %s%s%s\n", e->account, e->unique_id,
	       event_is_backfill(e, now_ms) ? ", as backfill: recorded, no metric-triggered flow fires" : "",
	       a && a->hold ? "; the account is ON HOLD: it would wait" : "");
	if (request_single(e, now_ms, &body, &error) < 0) {
		printf("  %s\n", error.text);
		return;
	}
	printf("\n  POST %s%s\n", e->url, KLAVIYO_PATH_EVENTS);
	request_headers(&headers, "(not shown)", a ? a->revision : KLAVIYO_REVISION_TESTED);
	for (size_t i = 0; i < headers.n; i++)
		printf("  %s: %s\n", headers.items[i].name, headers.items[i].value);
	pairs_done(&headers);
	struct json_object *tree = NULL;
	if (json_read(body, strlen(body), &tree, NULL) == 0) {
		CLEANUP(mem_freep) char *pretty = json_pretty(tree);
		printf("\n%s\n\n", pretty);
	}
	json_object_put(tree);
	free(body);
}

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	(void)ctx;
	(void)account;
	(void)email;
	(void)flag;
	(void)reterr;
	*ret = 0;
	return 0;
}

static int explain_decision(const struct generation *g, const struct source *s, const struct webhook *w,
			    const struct reading *reading, const struct customer *customer)
{
	struct ledger_entry entry = {0};
	struct reached_list reached = {0};
	struct decision decision = {0};
	struct err error = {0};
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	struct decide_input in = {.source = s,
				  .config = g->config,
				  .conversation = reading->signal.conversation,
				  .webhook = w,
				  .signal = &reading->signal,
				  .customer = customer,
				  .entry = &entry,
				  .reached = &reached,
				  .now_ms = w->received_ms,
				  .view = {.flag_count = flag_count},
				  .explain = &lines};
	int r = decide(&in, &decision, &error);
	print_block("Ledger and rules, as for a conversation that is not known yet", &lines);
	buf_done(&lines);
	if (r < 0) {
		printf("Dead letter: %s\n", error.text);
		return COMMAND_GOOD;
	}
	printf("Result: %s%s%s\n\n", decide_result_name(decision.result), decision.detail ? ": " : "",
	       decision.detail ? decision.detail : "");
	for (size_t i = 0; i < decision.events_n; i++)
		explain_request(g, &decision.events[i], w->received_ms);
	decision_done(&decision);
	return COMMAND_GOOD;
}

/* What the pipeline does before the ledger sees it. */
static void explain_settle(const struct source *s, const struct signal *signal)
{
	int64_t settle_ms = signal->transition == TRANSITION_CLOSED ? s->settle_close_ms
			    : signal->transition == TRANSITION_NONE ? 0
								    : s->settle_open_ms;
	char age[CLOCK_ISO_MAX];

	if (settle_ms <= 0)
		return;
	clock_age(settle_ms, age);
	printf("Settle\n  it counts once it has lasted %s: held back until then, and gone where its opposite comes "
	       "before\n\n",
	       age);
}

static void explain_unreadable(const struct source *s, const struct reading *reading)
{
	if (proof_needs_secret(definition_proof(s->definition)))
		printf("Result: accepted with 200, and a dead letter: %s\n", reading->reason.text);
	else
		printf("Result: refused with 400, as anybody may have sent it: %s\n", reading->reason.text);
}

static int explain_reading(const struct generation *g, const struct source *s, const struct webhook *w,
			   struct answers *a)
{
	struct reading reading = {0};
	struct customer customer = {0};
	int status = COMMAND_GOOD;

	reading_make(s->definition, w, NULL, &reading);
	bool asked =
		reading.kind == READING_SIGNAL && reading.signal.wants_lookup && explain_lookup(s, w, a, &customer);
	if (asked) {
		reading_done(&reading);
		reading_make(s->definition, w, &customer, &reading);
	}
	if (a->used < a->n)
		printf("Not used: %s. Nobody is asked about a customer here\n\n", a->files[a->used]);
	if (reading.kind == READING_SIGNAL)
		explain_settle(s, &reading.signal);
	switch (reading.kind) {
	case READING_PING:
		printf("Result: the helpdesk's own test; answered with 200, nothing is kept\n");
		break;
	case READING_IGNORED:
		printf("Result: ignored: it says nothing of interest; answered with 200, counted%s\n",
		       s->keep_all ? ", kept" : ", not kept");
		break;
	case READING_UNREADABLE:
		explain_unreadable(s, &reading);
		break;
	case READING_SIGNAL:
		status = explain_decision(g, s, w, &reading, asked ? &customer : NULL);
		break;
	}
	reading_done(&reading);
	customer_done(&customer);
	return status;
}

/* query: as it came; that of w is without its secret, as the daemon keeps it. */
static int explain(const struct generation *g, const struct source *s, const struct webhook *w, const char *query,
		   struct answers *a)
{
	struct buf lines;

	printf("Webhook: POST %s%s%s, %zu bytes\n\n", w->path, *w->query ? "?" : "", w->query, w->body_len);
	explain_proof(g, s, w, query);
	if (w->body_len == 0) {
		printf("Result: refused with 400: the body is empty\n");
		return COMMAND_GOOD;
	}
	buf_init(&lines, EXPLAIN_MAX);
	reading_explain(s->definition, w, &lines);
	print_block("Reading", &lines);
	buf_done(&lines);
	return explain_reading(g, s, w, a);
}

/* "Name: value" into the webhook's headers. */
static int add_header(struct webhook *w, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text)
		return command_usage_error(&command_explain, "--header '%s': expected 'NAME: VALUE'", text);
	CLEANUP(mem_freep) char *name = mem_strn(text, (size_t)(colon - text));
	pairs_add(&w->headers, name, colon + 1 + strspn(colon + 1, " "));
	return OPTIONS_GO;
}

static int read_answers(const struct option_list *files, struct answers *ret)
{
	struct err error = {0};

	for (size_t i = 0; i < files->n; i++) {
		if (load_file(files->items[i], EXPLAIN_MAX, &ret->texts[i], &ret->lens[i], &error) < 0) {
			fprintf(stderr, "deskbridge explain: --customer: %s\n", error.text);
			return COMMAND_FAILED;
		}
		ret->files[i] = files->items[i];
		ret->n++;
	}
	return OPTIONS_GO;
}

/* The webhook as it would be received now. */
static int read_webhook(const struct config *c, const struct source *s, const char *file, const char *query,
			const struct option_list *headers, struct webhook *ret)
{
	struct err error = {0};
	int end = OPTIONS_GO;

	if (load_file(file, c->listen.max_body, &ret->body, &ret->body_len, &error) < 0) {
		fprintf(stderr, "deskbridge explain: %s\n", error.text);
		return COMMAND_FAILED;
	}
	ret->source = mem_str(s->name);
	ret->path = mem_str(s->path);
	ret->query = keep_query(query, proof_secret_query(definition_proof(s->definition)));
	ret->received_ms = clock_now_ms();
	for (size_t i = 0; i < headers->n && end == OPTIONS_GO; i++)
		end = add_header(ret, headers->items[i]);
	return end;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	struct option_list headers = {0}, customers = {0};
	CLEANUP(answers_done) struct answers answers = {0};
	CLEANUP(webhook_done) struct webhook w = {0};
	const char *query = "", *words[2];
	size_t n;
	const struct option_spec specs[] = {
		{"--header", OPTION_LIST, &headers},
		{"--query", OPTION_TEXT, &query},
		{"--customer", OPTION_LIST, &customers},
		{NULL, OPTION_FLAG, NULL},
	};

	int end = options_parse(&command_explain, specs, argc, argv, words, 2, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n == 0)
		return command_usage_error(&command_explain, "expected the name of a SOURCE");
	query += *query == '?';
	CLEANUP(generation_unrefp) struct generation *g = load_generation(ctx, true);
	if (!g)
		return COMMAND_CONFIG;
	const struct source *s = load_source(g, words[0]);
	if (!s)
		return COMMAND_FAILED;
	end = read_webhook(g->config, s, n == 2 ? words[1] : "-", query, &headers, &w);
	if (end == OPTIONS_GO)
		end = read_answers(&customers, &answers);
	return end == OPTIONS_GO ? explain(g, s, &w, query, &answers) : end;
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "SOURCE [FILE] [--header 'NAME: VALUE']… [--query QUERY] [--customer FILE]…",
	.summary = "show, dry, what one webhook would do: proof, reading, rules, the exact request",
	.help = "Reads the webhook's body from FILE, or from standard input. Nothing is asked, stored or sent.\n"
		"\n"
		"  --header 'NAME: VALUE'  a header that came with it; repeat for more\n"
		"  --query QUERY           what stood behind the ? of its URL\n"
		"  --customer FILE         the helpdesk's answer about the customer; repeat for further questions\n"
		"\n"
		"Example:\n"
		"  deskbridge explain gladly closed.json --customer customer.json\n",
	.run = run,
};

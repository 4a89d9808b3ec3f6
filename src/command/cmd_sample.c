/*
 * deskbridge sample: a webhook as the helpdesk would send it, with a right proof: as a curl command, or posted.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "command/load.h"
#include "command/options.h"
#include "helpdesk/signal.h"
#include "http/client.h"

struct sample {
	char *url; /* with the query that proves, where one does */
	const char *unix_socket;
	struct pairs headers;
	char *body;
};

static void sample_done(struct sample *s)
{
	free(s->url);
	pairs_done(&s->headers);
	free(s->body);
}

/* In single quotes for a POSIX shell. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*c);
	}
	putchar('\'');
}

static void print_curl(const struct sample *s)
{
	printf("curl -sS ");
	if (s->unix_socket) {
		printf("--unix-socket ");
		print_quoted(s->unix_socket);
		putchar(' ');
	}
	print_quoted(s->url);
	for (size_t i = 0; i < s->headers.n; i++) {
		CLEANUP(mem_freep) char *line = mem_fmt("%s: %s", s->headers.items[i].name, s->headers.items[i].value);
		printf(" \\\n  -H ");
		print_quoted(line);
	}
	printf(" \\\n  --data-binary ");
	print_quoted(s->body);
	putchar('\n');
}

static int post(const struct sample *s)
{
	struct http_ask ask = {.method = "POST",
			       .url = s->url,
			       .headers = &s->headers,
			       .body = mem_str(s->body),
			       .body_len = strlen(s->body),
			       .unix_socket = s->unix_socket};
	struct http_reply reply;
	struct err error = {0};

	if (http_fetch(&ask, "deskbridge/" PACKAGE_VERSION, &reply, &error) < 0) {
		fprintf(stderr, "deskbridge sample: %s: %s\n", s->url, error.text);
		return COMMAND_FAILED;
	}
	bool good = reply.failure == HTTP_OK && reply.status / 100 == 2;
	if (reply.failure != HTTP_OK)
		fprintf(stderr,
			"deskbridge sample: the daemon does not answer (%s). Does it run? With another address: --url "
			"URL\n",
			reply.error);
	else
		printf("%u %s\n", reply.status, reply.body.data);
	http_reply_done(&reply);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

static void make(const struct generation *g, const struct source *s, const char *base, struct sample *ret)
{
	const char *listen = g->config->listen.address;
	struct proof_secrets secrets = {.user = s->auth_user};
	struct pairs none = {0};
	char *query = NULL;

	if (!base && strncmp(listen, "unix:", 5) == 0) {
		ret->unix_socket = listen + 5;
		base = "http://localhost";
	}
	CLEANUP(mem_freep) char *address = base ? mem_str(base) : mem_fmt("http://%s", listen);
	if (s->auth_secret)
		secrets.secrets = secret_values(g->secrets, s->auth_secret, &secrets.n);
	struct proof_request request = {.method = "POST",
					.url = s->public_url,
					.headers = &none,
					.query = "",
					.body = ret->body,
					.body_len = strlen(ret->body),
					.now_ms = clock_now_ms()};
	proof_make(definition_proof(s->definition), &secrets, &request, &ret->headers, &query);
	pairs_add(&ret->headers, "Content-Type", "application/json");
	ret->url = mem_fmt("%s%s%s%s", address, s->path, query ? "?" : "", query ? query : "");
	free(query);
}

/* Posting makes a real event, unless all that the source can reach is a sandbox on this machine. */
static bool is_harmless(const struct source *s)
{
	for (size_t i = 0; i < s->accounts_n; i++)
		if (s->accounts[i].account && !s->accounts[i].account->url_is_loopback)
			return false;
	return true;
}

/* A helpdesk whose webhooks hold no address: say where it comes from instead. */
static void tell_lookup(const struct source *s, const struct sample *sample, const char *email)
{
	struct webhook w = {.source = s->name,
			    .received_ms = clock_now_ms(),
			    .path = s->path,
			    .query = mem_str(""),
			    .body = sample->body,
			    .body_len = strlen(sample->body)};
	struct reading reading = {0};

	reading_make(s->definition, &w, NULL, &reading);
	if (reading.kind == READING_SIGNAL && reading.signal.wants_lookup && reading.signal.addresses.n == 0)
		fprintf(stderr,
			"note: %s's webhooks hold no address%s; the daemon asks the helpdesk for customer %s at %s "
			"(another one: --customer ID)\n",
			s->label, email ? ", so --email has no place in them" : "",
			reading.signal.customer ? reading.signal.customer : "(none)",
			s->lookup_base_url ? s->lookup_base_url : "its lookup's address");
	reading_done(&reading);
	free(w.query);
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	const char *email = NULL, *conversation = NULL, *customer = NULL, *url = NULL, *words[2];
	bool do_post = false, yes = false;
	enum transition transition;
	struct sample sample = {0};
	size_t n;
	const struct option_spec specs[] = {
		{"--email", OPTION_TEXT, &email},
		{"--conversation", OPTION_TEXT, &conversation},
		{"--customer", OPTION_TEXT, &customer},
		{"--url", OPTION_TEXT, &url},
		{"--post", OPTION_FLAG, &do_post},
		{"--yes", OPTION_FLAG, &yes},
		{NULL, OPTION_FLAG, NULL},
	};

	int end = options_parse(&command_sample, specs, argc, argv, words, 2, &n);
	if (end != OPTIONS_GO)
		return end;
	if (n != 2)
		return command_usage_error(&command_sample, "expected a SOURCE and a TRANSITION");
	if (transition_parse(words[1], &transition) < 0 || transition == TRANSITION_NONE ||
	    transition == TRANSITION_EXPIRED)
		return command_usage_error(&command_sample, "%s: expected opened, reopened or closed", words[1]);
	CLEANUP(generation_unrefp) struct generation *g = load_generation(ctx, true);
	if (!g)
		return COMMAND_CONFIG;
	const struct source *s = load_source(g, words[0]);
	if (!s)
		return COMMAND_FAILED;
	if (do_post && !yes && !is_harmless(s)) {
		fprintf(stderr,
			"deskbridge sample: this would make a real event in Klaviyo (the account's url is not on this "
			"machine). With --yes it is posted all the same\n");
		return COMMAND_FAILED;
	}
	sample.body =
		definition_sample_filled(s->definition, transition, conversation, customer, email, clock_now_ms());
	if (!sample.body) {
		fprintf(stderr, "deskbridge sample: the definition of %s has no sample for %s\n", s->name, words[1]);
		return COMMAND_FAILED;
	}
	make(g, s, url, &sample);
	tell_lookup(s, &sample, email);
	if (do_post)
		end = post(&sample);
	else {
		print_curl(&sample);
		end = COMMAND_GOOD;
	}
	sample_done(&sample);
	return end;
}

const struct command command_sample = {
	.name = "sample",
	.arguments = "SOURCE TRANSITION [--email E] [--conversation ID] [--customer ID] [--url URL] [--post [--yes]]",
	.summary = "print a ready curl command that posts a webhook with a right proof, or post it",
	.help = "TRANSITION is opened, reopened or closed. The command that is printed holds the webhook's secret: it "
		"proves.\n"
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

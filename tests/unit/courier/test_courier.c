/* SPDX-License-Identifier: MIT */
/* The courier's thread and a scripted Klaviyo: which event is sent when, its result, and that none is lost. */
#include <config.h>

#include "courier/courier.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "courier/pace.h"
#include "fixtures/folder.h"
#include "fixtures/named_rows.h"
#include "fixtures/shop_desk.h"

#define NEWS_MAX 1024
#define TIMEOUT_MS 5000
#define JSON "application/vnd.api+json"
#define BAD_KEY "{\"errors\":[{\"code\":\"not_authenticated\",\"detail\":\"Missing or invalid private key.\"}]}"
#define BAD_EMAIL                                                                                    \
	"{\"errors\":[{\"detail\":\"Invalid email address p1@example.com\",\"source\":{\"pointer\":" \
	"\"/data/attributes/email\"}}]}"

/* The answers of the server that scripts name. */
static const struct named_answer {
	const char *name;
	struct scripted_answer answer;
} answers[] = {
	{"accepted", {.status = 202}},
	{"unauthorised", {.status = 401, .type = JSON, .body = BAD_KEY}},
	{"held", {.how = SCRIPTED_HOLD}},
	{"bad email", {.status = 400, .type = JSON, .body = BAD_EMAIL}},
	{"error page", {.status = 503, .type = "text/html", .body = "<html>sorry</html>"}},
	{"empty error", {.status = 500}},
	{"challenge",
	 {.status = 403, .type = "text/html", .body = "<html>", .header = "cf-mitigated", .value = "challenge"}},
	{"reset", {.how = SCRIPTED_RESET}},
	{"closed", {.how = SCRIPTED_CLOSE}},
	{"long 202", {.status = 202, .filler = 300000}},
	{"long 400", {.status = 400, .type = JSON, .filler = 300000}},
	{"429 for a second", {.status = 429, .header = "Retry-After", .value = "1"}},
	{"partial failure", {.status = 202, .header = "X-Klaviyo-Partial-Failure", .value = "phone_number"}},
};

/* One call of the sink. */
struct news {
	enum {
		NEWS_DELIVERED,
		NEWS_WINDOW,
		NEWS_ANSWER,
		NEWS_LOOKUP_WINDOW,
		NEWS_ALIVE
	} kind;
	char name[64]; /* account or source */
	int64_t event;
	bool returned;
	struct outcome_verdict verdict;
	unsigned window;
	char reason[256];
	enum lookup_outcome outcome;
	uint64_t token;
	size_t order; /* the number of calls before it */
};

struct post {
	struct scripted *server;
	char *folder;
	struct generation *g;
	struct courier *courier;
	size_t windows, results; /* that the script has read */
	pthread_mutex_t lock;    /* protects what follows */
	pthread_cond_t came;
	struct news news[NEWS_MAX]; /* in the order of the calls */
	size_t news_n;
};

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

static void record(struct post *p, const struct news *n)
{
	pthread_mutex_lock(&p->lock);
	if (p->news_n < NEWS_MAX) {
		p->news[p->news_n] = *n;
		p->news[p->news_n].order = p->news_n;
		p->news_n++;
	}
	pthread_cond_broadcast(&p->came);
	pthread_mutex_unlock(&p->lock);
}

static void on_delivered(void *ctx, struct delivery *d)
{
	struct news n = {.kind = NEWS_DELIVERED, .event = d->event->id, .returned = d->returned, .verdict = d->verdict};

	(void)snprintf(n.name, sizeof(n.name), "%s", d->event->account);
	record(ctx, &n);
	delivery_free(d);
}

static void on_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		      const char *reason)
{
	struct news n = {.kind = kind == REPORT_ACCOUNT ? NEWS_WINDOW : NEWS_LOOKUP_WINDOW, .window = window};

	(void)for_new;
	(void)snprintf(n.name, sizeof(n.name), "%s", name);
	(void)snprintf(n.reason, sizeof(n.reason), "%s", reason ? reason : "");
	record(ctx, &n);
}

static void on_answer(void *ctx, struct lookup_answer *a)
{
	struct news n = {.kind = NEWS_ANSWER, .outcome = a->outcome};

	(void)snprintf(n.name, sizeof(n.name), "%s", a->source);
	record(ctx, &n);
	lookup_answer_done(a);
	free(a);
}

static void on_alive(void *ctx, uint64_t token)
{
	record(ctx, &(struct news){.kind = NEWS_ALIVE, .token = token});
}

/* Waits for the n-th (from 0) news of that kind and returns it. */
static struct news nth(struct post *p, int kind, size_t n)
{
	struct news found = {0};
	bool there = false;
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SCRIPTED_PATIENCE_MS / 1000;
	pthread_mutex_lock(&p->lock);
	while (!there && r == 0) {
		size_t seen = 0;

		for (size_t i = 0; i < p->news_n && !there; i++) {
			if ((int)p->news[i].kind != kind || seen++ != n)
				continue;
			found = p->news[i];
			there = true;
		}
		if (!there)
			r = pthread_cond_timedwait(&p->came, &p->lock, &until);
	}
	pthread_mutex_unlock(&p->lock);
	if (!there)
		fail_msg("news %zu of kind %d never came", n, kind);
	return found;
}

static size_t count(struct post *p, int kind)
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->news_n; i++)
		n += (int)p->news[i].kind == kind;
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* ---- the courier ------------------------------------------------------------------------------------------------- */

/* account: YAML after the other settings of the account `name`. */
static void configure_as(struct post *p, const char *name, const char *account)
{
	CLEANUP(mem_freep)
	char *klaviyo = mem_fmt("{accounts: {%s: {api_key: {file: key}, url: \"%s\"%s}}}", name,
				scripted_url(p->server), account);
	CLEANUP(mem_freep)
	char *lookup = mem_fmt("{base_url: \"%s\", user: bot, password: {file: token}}", scripted_url(p->server));

	folder_write(p->folder, "token", "s3cret\n");
	generation_unref(p->g);
	p->g = shop_desk_load(p->folder, &(struct shop_desk){.klaviyo = klaviyo, .lookup = lookup});
}

static void start_with(struct post *p, const char *account, int64_t timeout_ms)
{
	const struct courier_options options = {.connect_ms = timeout_ms, .timeout_ms = timeout_ms};
	struct courier_sink sink = {on_delivered, on_window, on_answer, on_alive, p};

	*p = (struct post){.server = scripted_start(), .folder = folder_new()};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->came, NULL);
	metrics_reset();
	folder_write(p->folder, "key", "pk_first\n");
	configure_as(p, "shop", account);
	p->courier = courier_start(p->g, &sink, &options);
}

static void start(struct post *p)
{
	start_with(p, "", TIMEOUT_MS);
}

static void stop(struct post *p)
{
	if (p->courier)
		courier_stop(p->courier, clock_mono_ms());
	scripted_stop(p->server);
	generation_unref(p->g);
	folder_remove(p->folder);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->came);
}

static struct event *event(struct post *p, int64_t id)
{
	return shop_desk_event(id, (unsigned)id, scripted_url(p->server));
}

static void send(struct post *p, int64_t id)
{
	courier_send(courier_port(p->courier), event(p, id));
}

/* Returns after the courier has handled all messages that were posted before. */
static void settle(struct post *p)
{
	static uint64_t token;
	size_t n = count(p, NEWS_ALIVE);

	courier_ping(p->courier, ++token);
	assert_int_equal(nth(p, NEWS_ALIVE, n).token, token);
}

static void new_secret(struct post *p, const char *file, const char *text)
{
	p->g = shop_desk_secret(p->g, p->folder, file, text);
	courier_generation(courier_port(p->courier), p->g);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

static void must(bool holds, const char *line, const char *got)
{
	if (!holds)
		fail_msg("\"%s\": %s", line, got);
}

static const struct scripted_answer *answer_named(const char *name)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		if (text_is(answers[i].name, name))
			return &answers[i].answer;
	fail_msg("no answer is called \"%s\"", name);
	return NULL;
}

static void describe(const struct news *n, char *to, size_t size)
{
	if (n->kind == NEWS_WINDOW)
		(void)snprintf(to, size, "%s%s%u", text_is(n->name, "shop") ? "" : n->name,
			       text_is(n->name, "shop") ? "" : " ", n->window);
	else if (n->returned)
		(void)snprintf(to, size, "returned");
	else
		(void)snprintf(to, size, "%s%s%s", outcome_name(n->verdict.outcome),
			       n->verdict.throttled ? " throttled" : "", n->verdict.partial_failure ? " partial" : "");
}

/* expected: "WHAT", "WHAT: REASON" or "WHAT ~ PART OF THE REASON". bare: the reason that "WHAT" alone demands; NULL:
 * any. */
static void match(const char *line, const char *expected, const char *what, const char *reason, const char *bare)
{
	const char *rest = expected + strlen(what);
	bool holds = strncmp(expected, what, strlen(what)) == 0;
	char got[512];

	(void)snprintf(got, sizeof(got), "%s: %s", what, reason);
	if (holds && strncmp(rest, ": ", 2) == 0)
		holds = text_is(rest + 2, reason);
	else if (holds && strncmp(rest, " ~ ", 3) == 0)
		holds = strstr(reason, rest + 3) != NULL;
	else
		holds = holds && *rest == '\0' && (!bare || text_is(reason, bare));
	must(holds, line, got);
}

/* The next window. Without a reason in the line it must have none. */
static void expect_window(struct post *p, const char *line, const char *rest)
{
	struct news n = nth(p, NEWS_WINDOW, p->windows++);
	char what[96];

	describe(&n, what, sizeof(what));
	match(line, rest, what, n.reason, "");
}

/* The next result. A retry must have a reason. */
static void expect_result(struct post *p, const char *line, const char *rest)
{
	struct news n = nth(p, NEWS_DELIVERED, p->results++);
	char what[96];

	describe(&n, what, sizeof(what));
	match(line, rest, what, n.verdict.reason, NULL);
	must(n.returned || n.verdict.outcome != OUTCOME_RETRY || n.verdict.reason[0] != '\0', line, "no reason");
}

/* The part after the comma, or NULL. */
static const char *next_part(const char *at)
{
	const char *comma = strchr(at, ',');

	return comma ? comma + 2 : NULL;
}

/* rest: "19 returned, 1 park": the next 20 results, in any order. */
static void expect_results(struct post *p, const char *line, const char *rest)
{
	size_t first = p->results;

	for (const char *at = rest; at; at = next_part(at))
		p->results += (size_t)strtoul(at, NULL, 10);
	for (const char *at = rest; at; at = next_part(at)) {
		unsigned found = 0;
		char expected[96], what[96], got[128];
		unsigned n;

		assert_int_equal(sscanf(at, "%u %95[^,]", &n, expected), 2);
		for (size_t i = first; i < p->results; i++) {
			struct news one = nth(p, NEWS_DELIVERED, i);

			describe(&one, what, sizeof(what));
			found += text_is(what, expected);
		}
		(void)snprintf(got, sizeof(got), "%u %s", found, expected);
		must(found == n, line, got);
	}
}

static void send_range(struct post *p, const char *rest)
{
	char *end;
	long first = strtol(rest, &end, 10);
	long last = *end == '-' ? strtol(end + 1, NULL, 10) : first;

	for (long id = first; id <= last; id++)
		send(p, id);
}

/* Waits for n requests. The courier sends no more of the jobs that it has. */
static void expect_requests(struct post *p, const char *line, const char *rest)
{
	size_t n = (size_t)strtoul(rest, NULL, 10);
	char got[32];

	scripted_wait(p->server, n);
	settle(p);
	(void)snprintf(got, sizeof(got), "%zu", scripted_count(p->server));
	must(scripted_count(p->server) == n, line, got);
}

static void reload(struct post *p, const char *name, const char *account)
{
	configure_as(p, name, account);
	courier_generation(courier_port(p->courier), p->g);
}

static void expect_number(const char *line, const char *rest, double got)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%g", got);
	must(strtod(rest, NULL) == got, line, text);
}

/* Plays one line: a word and its argument. */
static void play(struct post *p, const char *line)
{
	size_t len = strcspn(line, " ");
	const char *rest = line[len] == ' ' ? line + len + 1 : "";
	CLEANUP(mem_freep) char *word = mem_strn(line, len);
	const struct scripted_request *last;

	if (text_is(word, "once")) { /* ANSWER to the next request; more than one line: in their order */
		scripted_once(p->server, *answer_named(rest));
	} else if (text_is(word, "always")) { /* ANSWER to all requests after those */
		scripted_always(p->server, *answer_named(rest));
	} else if (text_is(word, "release")) { /* ANSWER to all requests that are held */
		scripted_release(p->server, *answer_named(rest));
	} else if (text_is(word, "send")) { /* ID or FIRST-LAST */
		send_range(p, rest);
	} else if (text_is(word, "stall")) { /* yes or no */
		courier_stall(courier_port(p->courier), text_is(rest, "yes"));
	} else if (text_is(word, "key")) { /* the account's new key */
		new_secret(p, "key", rest);
	} else if (text_is(word, "token")) { /* the source's new password */
		new_secret(p, "token", rest);
	} else if (text_is(word, "reload")) { /* NAME: the account's name */
		reload(p, *rest ? rest : "shop", "");
	} else if (text_is(word, "settle")) {
		settle(p);
	} else if (text_is(word, "window")) { /* [NAME ]N[: REASON] */
		expect_window(p, line, rest);
	} else if (text_is(word, "windows")) { /* N in all so far */
		expect_number(line, rest, (double)count(p, NEWS_WINDOW));
	} else if (text_is(word, "result")) { /* OUTCOME[: REASON] */
		expect_result(p, line, rest);
	} else if (text_is(word, "results")) { /* N OUTCOME, N OUTCOME */
		expect_results(p, line, rest);
	} else if (text_is(word, "window-first")) { /* the latest window that was read came before all results */
		must(nth(p, NEWS_WINDOW, p->windows - 1).order < nth(p, NEWS_DELIVERED, 0).order, line, "after it");
	} else if (text_is(word, "requests")) { /* N in all so far */
		expect_requests(p, line, rest);
	} else if (text_is(word, "most-at-once")) { /* N requests */
		expect_number(line, rest, (double)scripted_most_at_once(p->server));
	} else if (text_is(word, "second-apart")) { /* the first two requests */
		must(scripted_request(p->server, 1)->at_ms - scripted_request(p->server, 0)->at_ms >= 1000, line,
		     "sooner");
	} else if (text_is(word, "authorization")) { /* of the latest request */
		last = scripted_request(p->server, scripted_count(p->server) - 1);
		must(text_is(last->authorization, rest), line, last->authorization);
	} else if (text_is(word, "parked-401")) { /* the gauge */
		expect_number(line, rest, metrics_get(METRIC_ACCOUNT_PARKED, "shop", "401", NULL));
	} else if (text_is(word, "partial-failures")) { /* the counter */
		expect_number(line, rest, metrics_get(METRIC_PARTIAL_FAILURES, "shop", NULL, NULL));
	} else {
		fail_msg("no such line: \"%s\"", line);
	}
}

#define REFUSED "Missing or invalid private key. (401)"

/* Each row is a case. Its script is one line after the other, separated by "; ". */
/* clang-format off */
static const struct row {
	const char *name;
	const char *script;
	const char *account; /* YAML after the other settings of the account; NULL: none */
	int64_t timeout_ms;  /* 0: TIMEOUT_MS */
} rows[] = {
	{"the first goes alone then sixteen at once",
	 "window 48; once held; send 1-40; requests 1; always held; release accepted; requests 17; most-at-once 16; "
	 "always accepted; release accepted; results 40 delivered"},
	{"one bad event is rejected and the others go on",
	 "window 48; once bad email; send 1; "
	 "result reject: Invalid email address p***@example.com (/data/attributes/email); "
	 "send 2; result delivered; windows 1"},
	/* libcurl repeats a POST where a kept connection dies: the repetition must fail, too. */
	{"trouble on the way is a retry",
	 "window 48; always error page; send 1; result retry; always empty error; send 2; result retry; "
	 "always challenge; send 3; result retry; always reset; send 4; result retry; "
	 "always closed; send 5; result retry; windows 1"},
	{"an answer that is too long counts by its status",
	 "once long 202; send 1; result delivered; once long 400; send 2; result reject"},
	{"no answer in time is a retry",
	 "always held; send 1; result retry ~ timed out", .timeout_ms = 200},
	{"a 429 pauses the account",
	 "once 429 for a second; send 1-2; result retry throttled; result delivered; second-apart; windows 1"},
	{"partial failure is delivered and counted",
	 "once partial failure; send 1; result delivered partial; partial-failures 1"},

	/* The account parks. Event 21 is sent before the pipeline knows. */
	{"a wrong key parks after one call and a new one resumes at once",
	 "window 48; once unauthorised; send 1-20; results 19 returned, 1 park; requests 1; "
	 "window 0: " REFUSED "; parked-401 1; send 21; result returned; "
	 "key pk_second; window 1; parked-401 0; send 1; result delivered; "
	 "authorization Klaviyo-API-Key pk_second; window 48"},
	{"the window closes before the outcome is told",
	 "window 48; once unauthorised; send 1-2; results 1 returned, 1 park; window 0: " REFUSED "; window-first"},
	{"a key that is still wrong parks again",
	 "window 48; always unauthorised; send 1; window 0: " REFUSED "; "
	 "key pk_second; window 1; send 1; window 0: " REFUSED "; requests 2"},
	{"the old keys refusal does not park the new key",
	 "window 48; once held; send 1; requests 1; key pk_second; settle; release unauthorised; result park; "
	 "send 1; result delivered; window 48; windows 2"},
	{"a secret of somebody else does not wake a parked account",
	 "window 48; once unauthorised; send 1; window 0: " REFUSED "; token another; window 0: " REFUSED},
	/* The reason stays until the account answers. */
	{"a reload asks for a parked account at once",
	 "window 48; once unauthorised; send 1; window 0: " REFUSED "; reload; window 1: " REFUSED "; parked-401 1; "
	 "send 1; result park; result delivered; window 48; parked-401 0"},
	{"after a reload one request goes alone",
	 "send 1; result delivered; reload; always held; send 2-10; requests 2; "
	 "always accepted; release accepted; results 9 delivered; requests 10"},

	{"an account on hold has no window",
	 "window 0: on hold; send 1; result returned; reload; window 48; send 1; result delivered",
	 .account = ", hold: true"},
	/* The event in flight still gets its answer. */
	{"an account that vanishes returns what waits",
	 "window 48; once held; send 1-2; requests 1; reload other; window 0: not configured; window other 48; "
	 "result returned; release accepted; result delivered"},
	{"a stalled courier sends nothing new",
	 "stall yes; send 1; settle; requests 0; stall no; result delivered"},
};
/* clang-format on */

static void script_holds(void **state)
{
	const struct row *row = *state;
	CLEANUP(mem_freep) char *script = mem_str(row->script);
	char *rest = script;
	char *line;
	struct post p;

	start_with(&p, row->account ? row->account : "", row->timeout_ms ? row->timeout_ms : TIMEOUT_MS);
	while ((line = strsep(&rest, ";")) != NULL)
		play(&p, text_trim(line));
	stop(&p);
}

/* ---- delivery ---------------------------------------------------------------------------------------------------- */

static void an_event_is_posted_and_delivered(void **state)
{
	const struct scripted_request *r;
	struct news window, d;
	struct post p;

	(void)state;
	start(&p);
	window = nth(&p, NEWS_WINDOW, 0);
	assert_string_equal(window.name, "shop");
	assert_int_equal(window.window, PACE_WINDOW);
	assert_string_equal(window.reason, "");
	send(&p, 7);
	d = nth(&p, NEWS_DELIVERED, 0);
	assert_int_equal(d.event, 7);
	assert_string_equal(d.name, "shop");
	assert_false(d.returned);
	assert_int_equal(d.verdict.outcome, OUTCOME_DELIVERED);
	r = scripted_request(p.server, 0);
	assert_string_equal(r->method, "POST");
	assert_string_equal(r->path, "/api/events");
	assert_string_equal(r->authorization, "Klaviyo-API-Key pk_first");
	assert_string_equal(r->type, JSON);
	assert_true(strlen(r->revision) == 10);
	assert_string_equal(r->agent, "deskbridge/" PACKAGE_VERSION);
	assert_non_null(strstr(r->body, "\"email\":\"p7@example.com\""));
	assert_non_null(strstr(r->body, "\"backfill\":false"));
	stop(&p);
}

static void backfill_is_decided_when_it_is_sent(void **state)
{
	struct post p;
	struct event *e;

	(void)state;
	start(&p);
	e = event(&p, 1);
	e->late_ms = 30 * CLOCK_SECOND_MS; /* and a minute has passed */
	courier_send(courier_port(p.courier), e);
	(void)nth(&p, NEWS_DELIVERED, 0);
	assert_non_null(strstr(scripted_request(p.server, 0)->body, "\"backfill\":true"));
	stop(&p);
}

static void an_event_that_cannot_be_read_is_rejected_without_a_request(void **state)
{
	struct event *e;
	struct post p;

	(void)state;
	start(&p);
	e = event(&p, 1);
	free(e->properties);
	e->properties = mem_str("{broken");
	courier_send(courier_port(p.courier), e);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).verdict.outcome, OUTCOME_REJECT);
	assert_int_equal(scripted_count(p.server), 0);
	send(&p, 2);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void events_of_another_url_or_account_are_returned(void **state)
{
	struct event *elsewhere, *unknown, *without;
	struct post p;

	(void)state;
	start(&p);
	elsewhere = event(&p, 1);
	free(elsewhere->url);
	elsewhere->url = mem_str("https://a.klaviyo.com");
	courier_send(courier_port(p.courier), elsewhere);
	unknown = event(&p, 2);
	free(unknown->account);
	unknown->account = mem_str("closed-down");
	courier_send(courier_port(p.courier), unknown);
	without = event(&p, 3);
	free(without->url);
	without->url = mem_str("");
	courier_send(courier_port(p.courier), without);
	(void)nth(&p, NEWS_DELIVERED, 2);
	assert_true(nth(&p, NEWS_DELIVERED, 0).returned);
	assert_true(nth(&p, NEWS_DELIVERED, 1).returned);
	assert_string_equal(nth(&p, NEWS_DELIVERED, 1).name, "closed-down");
	assert_false(nth(&p, NEWS_DELIVERED, 2).returned); /* queued before its account had a URL */
	assert_int_equal(scripted_count(p.server), 1);
	stop(&p);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

static void stopping_returns_what_waits_and_retries_what_hangs(void **state)
{
	struct post p;
	int64_t begun_ms;

	(void)state;
	start(&p);
	scripted_always(p.server, *answer_named("held"));
	send(&p, 1);
	send(&p, 2);
	scripted_wait(p.server, 1);
	begun_ms = clock_mono_ms();
	courier_stop(TAKE(p.courier), begun_ms + 300);
	assert_in_range(clock_mono_ms() - begun_ms, 300, 3000);
	assert_int_equal(count(&p, NEWS_DELIVERED), 2);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).event, 2);
	assert_true(nth(&p, NEWS_DELIVERED, 0).returned);
	assert_false(nth(&p, NEWS_DELIVERED, 1).returned);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_RETRY);
	stop(&p);
}

static void *release_later(void *arg)
{
	struct post *p = arg;

	/* The queued event is returned when the courier begins to stop. */
	(void)nth(p, NEWS_DELIVERED, 0);
	scripted_release(p->server, *answer_named("accepted"));
	return NULL;
}

static void stopping_waits_for_answers_that_come_in_time(void **state)
{
	pthread_t helper;
	struct post p;

	(void)state;
	start(&p);
	scripted_always(p.server, *answer_named("held"));
	send(&p, 1);
	send(&p, 2);
	scripted_wait(p.server, 1);
	assert_int_equal(pthread_create(&helper, NULL, release_later, &p), 0);
	courier_stop(TAKE(p.courier), clock_mono_ms() + SCRIPTED_PATIENCE_MS);
	pthread_join(helper, NULL);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void lookups_go_by_the_same_thread(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p);
	window = nth(&p, NEWS_LOOKUP_WINDOW, 0);
	assert_string_equal(window.name, "desk");
	assert_int_equal(window.window, LOOKUP_WINDOW);
	scripted_once(p.server, (struct scripted_answer){
					.status = 200, .type = JSON, .body = "{\"emails\":[\"jo@example.com\"]}"});
	courier_lookup(courier_port(p.courier), shop_desk_request("cu1", false));
	assert_int_equal(nth(&p, NEWS_ANSWER, 0).outcome, LOOKUP_FOUND);
	stop(&p);
}

static void stopping_returns_lookups_under_way(void **state)
{
	struct post p;

	(void)state;
	start(&p);
	scripted_always(p.server, *answer_named("held"));
	courier_lookup(courier_port(p.courier), shop_desk_request("cu1", false));
	scripted_wait(p.server, 1);
	courier_stop(TAKE(p.courier), clock_mono_ms() + SCRIPTED_PATIENCE_MS);
	assert_int_equal(nth(&p, NEWS_ANSWER, 0).outcome, LOOKUP_RETURNED);
	stop(&p);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(an_event_is_posted_and_delivered),
		cmocka_unit_test(backfill_is_decided_when_it_is_sent),
		cmocka_unit_test(an_event_that_cannot_be_read_is_rejected_without_a_request),
		cmocka_unit_test(events_of_another_url_or_account_are_returned),
		cmocka_unit_test(stopping_returns_what_waits_and_retries_what_hangs),
		cmocka_unit_test(stopping_waits_for_answers_that_come_in_time),
		cmocka_unit_test(lookups_go_by_the_same_thread),
		cmocka_unit_test(stopping_returns_lookups_under_way),
	};

	return NAMED_ROWS_RUN("courier", NAMED_ROWS(rows, script_holds, NULL, NULL), cases);
}

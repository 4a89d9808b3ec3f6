/* SPDX-License-Identifier: MIT */
/* The courier's thread against a scripted Klaviyo: what is sent when, what comes back, and that nothing gets lost. */
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
#include "fixtures/shop_desk.h"

#define NEWS_MAX 1024
#define JSON "application/vnd.api+json"
#define BAD_KEY "{\"errors\":[{\"code\":\"not_authenticated\",\"detail\":\"Missing or invalid private key.\"}]}"
#define BAD_EMAIL                                                                                    \
	"{\"errors\":[{\"detail\":\"Invalid email address p1@example.com\",\"source\":{\"pointer\":" \
	"\"/data/attributes/email\"}}]}"

static const struct scripted_answer accepted = {.status = 202};
static const struct scripted_answer unauthorised = {.status = 401, .type = JSON, .body = BAD_KEY};
static const struct scripted_answer held = {.how = SCRIPTED_HOLD};

/* What the sink was told, in its order. */
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
};

struct post {
	struct scripted *server;
	char *folder;
	struct generation *g;
	struct courier *courier;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t told;
	struct news news[NEWS_MAX];
	size_t news_n;
};

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

static void tell(struct post *p, const struct news *n)
{
	pthread_mutex_lock(&p->lock);
	if (p->news_n < NEWS_MAX)
		p->news[p->news_n++] = *n;
	pthread_cond_broadcast(&p->told);
	pthread_mutex_unlock(&p->lock);
}

static void on_delivered(void *ctx, struct delivery *d)
{
	struct news n = {.kind = NEWS_DELIVERED, .event = d->event->id, .returned = d->returned, .verdict = d->verdict};

	(void)snprintf(n.name, sizeof(n.name), "%s", d->event->account);
	tell(ctx, &n);
	delivery_free(d);
}

static void on_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		      const char *reason)
{
	struct news n = {.kind = kind == REPORT_ACCOUNT ? NEWS_WINDOW : NEWS_LOOKUP_WINDOW, .window = window};

	(void)for_new;
	(void)snprintf(n.name, sizeof(n.name), "%s", name);
	(void)snprintf(n.reason, sizeof(n.reason), "%s", reason ? reason : "");
	tell(ctx, &n);
}

static void on_answer(void *ctx, struct lookup_answer *a)
{
	struct news n = {.kind = NEWS_ANSWER, .outcome = a->outcome};

	(void)snprintf(n.name, sizeof(n.name), "%s", a->source);
	tell(ctx, &n);
	lookup_answer_done(a);
	free(a);
}

static void on_alive(void *ctx, uint64_t token)
{
	tell(ctx, &(struct news){.kind = NEWS_ALIVE, .token = token});
}

/* The n-th (from 0) news of that kind, waited for. */
static struct news nth(struct post *p, int kind, size_t n)
{
	struct timespec until;
	struct news found = {0};
	bool there = false;
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
			r = pthread_cond_timedwait(&p->told, &p->lock, &until);
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

/* account: YAML behind the other settings of the account, which has that name. */
static void configure_as(struct post *p, const char *name, const char *account)
{
	CLEANUP(mem_freep)
	char *klaviyo = mem_fmt("{accounts: {%s: {api_key: {file: key}, url: \"%s\"%s}}}", name,
				scripted_url(p->server), account);
	CLEANUP(mem_freep)
	char *lookup = mem_fmt("{base_url: \"%s\", user: bot, password: {file: token}}", scripted_url(p->server));

	scripted_write(p->folder, "token", "s3cret\n");
	generation_unref(p->g);
	p->g = shop_desk_load(p->folder, &(struct shop_desk){.klaviyo = klaviyo, .lookup = lookup});
}

static void configure(struct post *p, const char *account)
{
	configure_as(p, "shop", account);
}

static void start(struct post *p, const char *account)
{
	static const struct courier_options options = {.connect_ms = 5000, .timeout_ms = 5000};
	struct courier_sink sink = {on_delivered, on_window, on_answer, on_alive, p};

	*p = (struct post){.server = scripted_start(), .folder = scripted_folder()};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->told, NULL);
	metrics_reset();
	scripted_write(p->folder, "key", "pk_first\n");
	configure(p, account);
	p->courier = courier_start(p->g, &sink, &options);
}

static void stop(struct post *p)
{
	if (p->courier)
		courier_stop(p->courier, clock_mono_ms());
	scripted_stop(p->server);
	generation_unref(p->g);
	scripted_folder_remove(p->folder);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->told);
}

static struct event *event(struct post *p, int64_t id)
{
	return shop_desk_event(id, (unsigned)id, scripted_url(p->server));
}

static void hand_over(struct post *p, int64_t id)
{
	courier_send(courier_port(p->courier), event(p, id));
}

/* Whatever is done with mail posted before is done when this returns. */
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

static void new_key(struct post *p, const char *key)
{
	new_secret(p, "key", key);
}

/* ---- delivery ---------------------------------------------------------------------------------------------------- */

static void an_event_is_posted_and_delivered(void **state)
{
	const struct scripted_request *r;
	struct news window, d;
	struct post p;

	(void)state;
	start(&p, "");
	window = nth(&p, NEWS_WINDOW, 0);
	assert_string_equal(window.name, "shop");
	assert_int_equal(window.window, PACE_WINDOW);
	assert_string_equal(window.reason, "");
	hand_over(&p, 7);
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
	start(&p, "");
	e = event(&p, 1);
	e->late_ms = 30 * CLOCK_SECOND_MS; /* and a minute has passed */
	courier_send(courier_port(p.courier), e);
	(void)nth(&p, NEWS_DELIVERED, 0);
	assert_non_null(strstr(scripted_request(p.server, 0)->body, "\"backfill\":true"));
	stop(&p);
}

static void the_first_goes_alone_then_sixteen_at_once(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, held);
	for (int i = 1; i <= 40; i++)
		hand_over(&p, i);
	scripted_wait(p.server, 1);
	settle(&p);
	assert_int_equal(scripted_count(p.server), 1);
	scripted_always(p.server, held);
	scripted_release(p.server, accepted);
	scripted_wait(p.server, 1 + PACE_IN_FLIGHT_SINGLE);
	settle(&p);
	assert_int_equal(scripted_count(p.server), 1 + PACE_IN_FLIGHT_SINGLE);
	assert_int_equal(scripted_most_at_once(p.server), PACE_IN_FLIGHT_SINGLE);
	scripted_always(p.server, accepted);
	scripted_release(p.server, accepted);
	(void)nth(&p, NEWS_DELIVERED, 39);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(nth(&p, NEWS_DELIVERED, i).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void one_bad_event_is_rejected_and_the_others_go_on(void **state)
{
	struct news d;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, (struct scripted_answer){.status = 400, .type = JSON, .body = BAD_EMAIL});
	hand_over(&p, 1);
	d = nth(&p, NEWS_DELIVERED, 0);
	assert_int_equal(d.verdict.outcome, OUTCOME_REJECT);
	assert_string_equal(d.verdict.reason, "Invalid email address p***@example.com (/data/attributes/email)");
	hand_over(&p, 2);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	assert_int_equal(count(&p, NEWS_WINDOW), 1);
	stop(&p);
}

static void an_event_that_cannot_be_read_is_rejected_without_a_request(void **state)
{
	struct event *e;
	struct post p;

	(void)state;
	start(&p, "");
	e = event(&p, 1);
	free(e->properties);
	e->properties = mem_str("{broken");
	courier_send(courier_port(p.courier), e);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).verdict.outcome, OUTCOME_REJECT);
	assert_int_equal(scripted_count(p.server), 0);
	hand_over(&p, 2);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void trouble_on_the_way_is_a_retry(void **state)
{
	static const struct scripted_answer rows[] = {
		{.status = 503, .type = "text/html", .body = "<html>sorry</html>"},
		{.status = 500},
		{.status = 403, .type = "text/html", .body = "<html>", .header = "cf-mitigated", .value = "challenge"},
		{.how = SCRIPTED_RESET},
		{.how = SCRIPTED_CLOSE},
	};
	struct post p;

	(void)state;
	start(&p, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct news d;

		/* libcurl posts again by itself where a kept connection dies: that must fail too. */
		scripted_always(p.server, rows[i]);
		hand_over(&p, (int64_t)i + 1);
		d = nth(&p, NEWS_DELIVERED, i);
		if (d.verdict.outcome != OUTCOME_RETRY || d.returned || d.verdict.reason[0] == '\0')
			fail_msg("row %zu: %s: %s", i, outcome_name(d.verdict.outcome), d.verdict.reason);
	}
	assert_int_equal(count(&p, NEWS_WINDOW), 1);
	stop(&p);
}

static void an_answer_that_is_too_long_counts_by_its_status(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, (struct scripted_answer){.status = 202, .filler = 300000});
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).verdict.outcome, OUTCOME_DELIVERED);
	scripted_once(p.server, (struct scripted_answer){.status = 400, .type = JSON, .filler = 300000});
	hand_over(&p, 2);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_REJECT);
	stop(&p);
}

static void no_answer_in_time_is_a_retry(void **state)
{
	static const struct courier_options options = {.connect_ms = 200, .timeout_ms = 200};
	struct courier_sink sink;
	struct news d;
	struct post p;

	(void)state;
	start(&p, "");
	sink = (struct courier_sink){on_delivered, on_window, on_answer, on_alive, &p};
	courier_stop(p.courier, clock_mono_ms());
	p.courier = courier_start(p.g, &sink, &options);
	scripted_always(p.server, held);
	hand_over(&p, 1);
	d = nth(&p, NEWS_DELIVERED, 0);
	assert_int_equal(d.verdict.outcome, OUTCOME_RETRY);
	assert_non_null(strstr(d.verdict.reason, "timed out"));
	stop(&p);
}

static void a_429_pauses_the_account(void **state)
{
	int64_t first_ms, second_ms;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, (struct scripted_answer){.status = 429, .header = "Retry-After", .value = "1"});
	hand_over(&p, 1);
	hand_over(&p, 2);
	assert_true(nth(&p, NEWS_DELIVERED, 0).verdict.throttled);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	first_ms = scripted_request(p.server, 0)->at_ms;
	second_ms = scripted_request(p.server, 1)->at_ms;
	assert_true(second_ms - first_ms >= 1000);
	assert_int_equal(count(&p, NEWS_WINDOW), 1);
	stop(&p);
}

static void partial_failure_is_delivered_and_counted(void **state)
{
	struct news d;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, (struct scripted_answer){
					.status = 202, .header = "X-Klaviyo-Partial-Failure", .value = "phone_number"});
	hand_over(&p, 1);
	d = nth(&p, NEWS_DELIVERED, 0);
	assert_int_equal(d.verdict.outcome, OUTCOME_DELIVERED);
	assert_true(d.verdict.partial_failure);
	assert_true(metrics_get(METRIC_PARTIAL_FAILURES, "shop", NULL, NULL) == 1);
	stop(&p);
}

/* ---- parking ----------------------------------------------------------------------------------------------------- */

static void a_wrong_key_parks_after_one_call_and_a_new_one_resumes_at_once(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, unauthorised);
	for (int i = 1; i <= 20; i++)
		hand_over(&p, i);
	(void)nth(&p, NEWS_DELIVERED, 19);
	assert_int_equal(scripted_count(p.server), 1);
	window = nth(&p, NEWS_WINDOW, 1);
	assert_int_equal(window.window, 0);
	assert_string_equal(window.reason, "Missing or invalid private key. (401)");
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "shop", "401", NULL) == 1);
	for (size_t i = 0, returned = 0; i < 20; i++) {
		struct news d = nth(&p, NEWS_DELIVERED, i);

		returned += d.returned;
		assert_true(d.returned || d.verdict.outcome == OUTCOME_PARK);
		assert_true(i < 19 || returned == 19);
	}
	/* One that was on its way meanwhile comes back as well. */
	hand_over(&p, 21);
	assert_true(nth(&p, NEWS_DELIVERED, 20).returned);

	new_key(&p, "pk_second\n");
	window = nth(&p, NEWS_WINDOW, 2);
	assert_int_equal(window.window, 1);
	assert_string_equal(window.reason, "");
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "shop", "401", NULL) == 0);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 21).verdict.outcome, OUTCOME_DELIVERED);
	assert_string_equal(scripted_request(p.server, 1)->authorization, "Klaviyo-API-Key pk_second");
	assert_int_equal(nth(&p, NEWS_WINDOW, 3).window, PACE_WINDOW);
	stop(&p);
}

static void the_window_closes_before_the_outcome_is_told(void **state)
{
	size_t window = 0, outcome = 0;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, unauthorised);
	hand_over(&p, 1);
	hand_over(&p, 2);
	(void)nth(&p, NEWS_DELIVERED, 1);
	pthread_mutex_lock(&p.lock);
	for (size_t i = 0; i < p.news_n; i++) {
		if (p.news[i].kind == NEWS_WINDOW && p.news[i].window == 0)
			window = i;
		if (p.news[i].kind == NEWS_DELIVERED && outcome == 0)
			outcome = i;
	}
	pthread_mutex_unlock(&p.lock);
	assert_true(window > 0 && window < outcome);
	stop(&p);
}

static void a_key_that_is_still_wrong_parks_again(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	scripted_always(p.server, unauthorised);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_WINDOW, 1).window, 0);
	new_key(&p, "pk_second\n");
	assert_int_equal(nth(&p, NEWS_WINDOW, 2).window, 1);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_WINDOW, 3).window, 0);
	assert_int_equal(scripted_count(p.server), 2);
	stop(&p);
}

static void the_old_keys_refusal_does_not_park_the_new_key(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, held);
	hand_over(&p, 1);
	scripted_wait(p.server, 1);
	new_key(&p, "pk_second\n");
	settle(&p);
	scripted_release(p.server, unauthorised);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).verdict.outcome, OUTCOME_PARK);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	for (size_t i = 0; i < count(&p, NEWS_WINDOW); i++)
		assert_int_equal(nth(&p, NEWS_WINDOW, i).window, PACE_WINDOW);
	stop(&p);
}

static void a_secret_of_somebody_else_does_not_wake_a_parked_account(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, unauthorised);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_WINDOW, 1).window, 0);
	new_secret(&p, "token", "another\n");
	window = nth(&p, NEWS_WINDOW, 2);
	assert_int_equal(window.window, 0);
	assert_string_equal(window.reason, "Missing or invalid private key. (401)");
	stop(&p);
}

static void a_reload_asks_for_a_parked_account_at_once(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, unauthorised);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_WINDOW, 1).window, 0);
	configure(&p, "");
	courier_generation(courier_port(p.courier), p.g);
	window = nth(&p, NEWS_WINDOW, 2);
	assert_int_equal(window.window, 1);
	/* Nobody knows yet whether it is over. */
	assert_string_equal(window.reason, "Missing or invalid private key. (401)");
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "shop", "401", NULL) == 1);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	window = nth(&p, NEWS_WINDOW, 3);
	assert_int_equal(window.window, PACE_WINDOW);
	assert_string_equal(window.reason, "");
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "shop", "401", NULL) == 0);
	stop(&p);
}

static void after_a_reload_one_request_goes_alone(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	hand_over(&p, 1);
	(void)nth(&p, NEWS_DELIVERED, 0);
	configure(&p, "");
	courier_generation(courier_port(p.courier), p.g);
	scripted_always(p.server, held);
	for (int i = 2; i <= 10; i++)
		hand_over(&p, i);
	scripted_wait(p.server, 2);
	settle(&p);
	assert_int_equal(scripted_count(p.server), 2);
	scripted_always(p.server, accepted);
	scripted_release(p.server, accepted);
	(void)nth(&p, NEWS_DELIVERED, 9);
	assert_int_equal(scripted_count(p.server), 10);
	stop(&p);
}

/* ---- configuration ----------------------------------------------------------------------------------------------- */

static void an_account_on_hold_has_no_window(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p, ", hold: true");
	window = nth(&p, NEWS_WINDOW, 0);
	assert_int_equal(window.window, 0);
	assert_string_equal(window.reason, "on hold");
	hand_over(&p, 1);
	assert_true(nth(&p, NEWS_DELIVERED, 0).returned);
	configure(&p, "");
	courier_generation(courier_port(p.courier), p.g);
	assert_int_equal(nth(&p, NEWS_WINDOW, 1).window, PACE_WINDOW);
	hand_over(&p, 1);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void events_of_another_url_or_account_are_returned(void **state)
{
	struct event *elsewhere, *unknown, *without;
	struct post p;

	(void)state;
	start(&p, "");
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

static void an_account_that_vanishes_returns_what_waits(void **state)
{
	struct news window;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_once(p.server, held);
	hand_over(&p, 1);
	hand_over(&p, 2);
	scripted_wait(p.server, 1);
	/* The same file with the account under another name. */
	configure_as(&p, "other", "");
	courier_generation(courier_port(p.courier), p.g);
	window = nth(&p, NEWS_WINDOW, 1);
	assert_string_equal(window.name, "shop");
	assert_int_equal(window.window, 0);
	assert_string_equal(window.reason, "not configured");
	assert_string_equal(nth(&p, NEWS_WINDOW, 2).name, "other");
	assert_true(nth(&p, NEWS_DELIVERED, 0).returned);
	/* What was under way still comes to its end. */
	scripted_release(p.server, accepted);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 1).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

static void a_stalled_courier_sends_nothing_new(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	courier_stall(courier_port(p.courier), true);
	hand_over(&p, 1);
	settle(&p);
	settle(&p);
	assert_int_equal(scripted_count(p.server), 0);
	courier_stall(courier_port(p.courier), false);
	assert_int_equal(nth(&p, NEWS_DELIVERED, 0).verdict.outcome, OUTCOME_DELIVERED);
	stop(&p);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

static void stopping_returns_what_waits_and_retries_what_hangs(void **state)
{
	struct post p;
	int64_t begun_ms;

	(void)state;
	start(&p, "");
	scripted_always(p.server, held);
	hand_over(&p, 1);
	hand_over(&p, 2);
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

	/* The queue comes back when the courier has begun to stop. */
	(void)nth(p, NEWS_DELIVERED, 0);
	scripted_release(p->server, accepted);
	return NULL;
}

static void stopping_waits_for_answers_that_come_in_time(void **state)
{
	pthread_t helper;
	struct post p;

	(void)state;
	start(&p, "");
	scripted_always(p.server, held);
	hand_over(&p, 1);
	hand_over(&p, 2);
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
	start(&p, "");
	window = nth(&p, NEWS_LOOKUP_WINDOW, 0);
	assert_string_equal(window.name, "desk");
	assert_int_equal(window.window, LOOKUP_WINDOW);
	scripted_once(p.server, (struct scripted_answer){
					.status = 200, .type = JSON, .body = "{\"emails\":[\"jo@example.com\"]}"});
	courier_lookup(courier_port(p.courier), shop_desk_question("cu1", false));
	assert_int_equal(nth(&p, NEWS_ANSWER, 0).outcome, LOOKUP_FOUND);
	stop(&p);
}

static void stopping_returns_lookups_under_way(void **state)
{
	struct post p;

	(void)state;
	start(&p, "");
	scripted_always(p.server, held);
	courier_lookup(courier_port(p.courier), shop_desk_question("cu1", false));
	scripted_wait(p.server, 1);
	courier_stop(TAKE(p.courier), clock_mono_ms() + SCRIPTED_PATIENCE_MS);
	assert_int_equal(nth(&p, NEWS_ANSWER, 0).outcome, LOOKUP_RETURNED);
	stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_posted_and_delivered),
		cmocka_unit_test(backfill_is_decided_when_it_is_sent),
		cmocka_unit_test(the_first_goes_alone_then_sixteen_at_once),
		cmocka_unit_test(one_bad_event_is_rejected_and_the_others_go_on),
		cmocka_unit_test(an_event_that_cannot_be_read_is_rejected_without_a_request),
		cmocka_unit_test(trouble_on_the_way_is_a_retry),
		cmocka_unit_test(an_answer_that_is_too_long_counts_by_its_status),
		cmocka_unit_test(no_answer_in_time_is_a_retry),
		cmocka_unit_test(a_429_pauses_the_account),
		cmocka_unit_test(partial_failure_is_delivered_and_counted),
		cmocka_unit_test(a_wrong_key_parks_after_one_call_and_a_new_one_resumes_at_once),
		cmocka_unit_test(the_window_closes_before_the_outcome_is_told),
		cmocka_unit_test(a_key_that_is_still_wrong_parks_again),
		cmocka_unit_test(the_old_keys_refusal_does_not_park_the_new_key),
		cmocka_unit_test(a_secret_of_somebody_else_does_not_wake_a_parked_account),
		cmocka_unit_test(a_reload_asks_for_a_parked_account_at_once),
		cmocka_unit_test(after_a_reload_one_request_goes_alone),
		cmocka_unit_test(an_account_on_hold_has_no_window),
		cmocka_unit_test(events_of_another_url_or_account_are_returned),
		cmocka_unit_test(an_account_that_vanishes_returns_what_waits),
		cmocka_unit_test(a_stalled_courier_sends_nothing_new),
		cmocka_unit_test(stopping_returns_what_waits_and_retries_what_hangs),
		cmocka_unit_test(stopping_waits_for_answers_that_come_in_time),
		cmocka_unit_test(lookups_go_by_the_same_thread),
		cmocka_unit_test(stopping_returns_lookups_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

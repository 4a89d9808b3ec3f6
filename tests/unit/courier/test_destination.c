/* SPDX-License-Identifier: MIT */
/* The list of accounts and sources: which are found, made, kept and freed. The HTTP client is faked. */
#include <config.h>

#include "courier/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "fixtures/folder.h"
#include "fixtures/shop_desk.h"

/* The one request that is in flight. */
static http_done_fn flying;
static void *flying_ctx;

static struct courier_options asked_by;

int __wrap_http_client_start(struct http_client *c, const struct http_request *ask, http_done_fn done, void *ctx,
			     struct err *reterr);
int __wrap_http_client_start(struct http_client *c, const struct http_request *ask, http_done_fn done, void *ctx,
			     struct err *reterr)
{
	(void)c;
	(void)reterr;
	assert_null(flying);
	flying = done;
	flying_ctx = ctx;
	asked_by.connect_ms = ask->connect_timeout_ms;
	asked_by.timeout_ms = ask->timeout_ms;
	free(ask->body);
	return 0;
}

static void answer_after(unsigned status, const char *retry_after_or_null)
{
	struct http_response reply = {.status = status};
	http_done_fn done = flying;

	flying = NULL;
	buf_init(&reply.body, 1024);
	if (retry_after_or_null)
		pairs_add(&reply.headers, "Retry-After", retry_after_or_null);
	done(flying_ctx, &reply);
	http_response_done(&reply);
}

static void answer(unsigned status)
{
	answer_after(status, NULL);
}

struct calls {
	unsigned delivered, returned;
	enum lookup_outcome outcome;
	struct err reason;
	unsigned answers;
};

static void on_delivered(void *ctx, struct delivery *d)
{
	struct calls *t = ctx;

	t->delivered += !d->returned;
	t->returned += d->returned;
	delivery_free(d);
}

static void on_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		      const char *reason)
{
	(void)ctx;
	(void)kind;
	(void)name;
	(void)window;
	(void)for_new;
	(void)reason;
}

static void on_answer(void *ctx, struct lookup_answer *a)
{
	struct calls *t = ctx;

	t->answers++;
	t->outcome = a->outcome;
	t->reason = a->reason;
	lookup_answer_done(a);
	free(a);
}

struct world {
	char *folder;
	struct calls calls;
	struct destinations destinations;
};

/* An account and a source with this name. lookup: the source has one. */
static void configure(struct world *w, const char *name, bool lookup)
{
	CLEANUP(mem_freep)
	char *klaviyo = mem_fmt("{accounts: {%s: {api_key: {file: key}, url: \"http://127.0.0.1:9\"}}}", name);
	const struct shop_desk desk = {
		.klaviyo = klaviyo,
		.source = name,
		.lookup = lookup ? "{base_url: \"http://127.0.0.1:9\", user: u, password: secret}" : NULL,
	};
	struct generation *g;

	folder_write(w->folder, "key", "pk_test\n");
	g = shop_desk_load(w->folder, &desk);
	destinations_generation(&w->destinations, g);
	generation_unref(g);
}

static int setup(void **state)
{
	struct world *w = mem_new(1, sizeof(*w));
	const struct courier_sink sink = {on_delivered, on_window, on_answer, NULL, &w->calls};

	w->folder = folder_new();
	destinations_init(&w->destinations, NULL, &sink, &(struct courier_options){.lookup.timeout_ms = 7});
	configure(w, "desk", true);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	destinations_close(&w->destinations);
	if (flying)
		answer(202);
	destinations_done(&w->destinations);
	folder_remove(w->folder);
	free(w);
	return 0;
}

static int64_t run(struct world *w)
{
	return destinations_run(&w->destinations, true, clock_mono_ms());
}

static void send(struct world *w, const char *account)
{
	struct event *e = mem_new(1, sizeof(*e));

	e->id = 1;
	e->account = mem_str(account);
	e->url = mem_str("http://127.0.0.1:9");
	e->email = mem_str("jo@example.com");
	e->metric = mem_str("closed conversation in Desk");
	e->properties = mem_str("{}");
	e->profile = mem_str("{}");
	e->late_ms = CLOCK_NEVER_MS;
	destinations_send(&w->destinations, e);
	(void)run(w);
}

static void ask(struct world *world, const char *source)
{
	struct lookup_request *request = mem_new(1, sizeof(*request));
	struct webhook w = {.body = mem_str("{\"customer\":\"cu1\"}")};

	w.body_len = strlen(w.body);
	request->source = mem_str(source);
	request->key = mem_str("cu1");
	request->parsed = parsed_webhook_unparsed(&w);
	destinations_lookup(&world->destinations, request);
}

static void an_account_and_a_source_of_one_name_are_two_routes(void **state)
{
	struct world *w = *state;

	assert_int_equal(w->destinations.n, 2);
	assert_int_equal(w->destinations.all[0]->report.kind, REPORT_ACCOUNT);
	assert_int_equal(w->destinations.all[1]->report.kind, REPORT_LOOKUPS);
	configure(w, "desk", true); /* again */
	assert_int_equal(w->destinations.n, 2);
	configure(w, "desk", false);
	assert_int_equal(w->destinations.n, 1);
	configure(w, "shop", true);
	assert_int_equal(w->destinations.n, 2);
	assert_string_equal(w->destinations.all[0]->report.name, "shop");
}

static void what_nobody_takes_comes_back_at_once(void **state)
{
	struct world *w = *state;

	send(w, "shop");
	assert_int_equal(w->calls.returned, 1);
	ask(w, "shop");
	assert_int_equal(w->calls.outcome, LOOKUP_RETURNED);
	assert_string_equal(w->calls.reason.text, "the source has no lookup configured");
	assert_null(flying);
}

static void options_that_are_not_given_are_the_constants(void **state)
{
	struct world *w = *state;

	send(w, "desk");
	assert_int_equal(asked_by.connect_ms, COURIER_CONNECT_MS);
	assert_int_equal(asked_by.timeout_ms, COURIER_TIMEOUT_MS);
	answer(202);
	ask(w, "desk");
	assert_int_equal(asked_by.connect_ms, LOOKUP_CONNECT_MS);
	assert_int_equal(asked_by.timeout_ms, 7);
	answer(503);
	assert_int_equal(w->calls.outcome, LOOKUP_RETRY);
}

static void a_route_that_is_gone_stays_until_its_transfer_is_back(void **state)
{
	struct world *w = *state;

	send(w, "desk");
	assert_int_equal(w->destinations.shared.deliveries, 1);
	configure(w, "shop", false);
	assert_int_equal(w->destinations.n, 2);
	answer(202);
	assert_int_equal(w->calls.delivered, 1);
	assert_int_equal(w->destinations.shared.deliveries, 0);
	configure(w, "shop", false);
	assert_int_equal(w->destinations.n, 1);
}

/* True where a gauge says that it is parked or paused. */
static bool is_shown(enum report_kind kind, const char *label)
{
	return metrics_get(kind == REPORT_ACCOUNT ? METRIC_ACCOUNT_PARKED : METRIC_LOOKUPS_PARKED, "desk", label,
			   NULL) > 0;
}

static void a_route_that_is_gone_is_shown_neither_parked_nor_paused(void **state)
{
	struct world *w = *state;

	send(w, "desk");
	answer_after(429, "120");
	ask(w, "desk");
	answer_after(429, "120");
	assert_true(is_shown(REPORT_ACCOUNT, "paused"));
	assert_true(is_shown(REPORT_LOOKUPS, "paused"));
	configure(w, "shop", false);
	assert_false(is_shown(REPORT_ACCOUNT, "paused"));
	assert_false(is_shown(REPORT_LOOKUPS, "paused"));
}

static void a_late_answer_parks_and_pauses_nobody_who_is_gone(void **state)
{
	static const struct {
		unsigned status;
		const char *label;
	} rows[] = {{401, "401"}, {429, "paused"}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		configure(w, "desk", true);
		send(w, "desk");
		configure(w, "shop", false);
		answer_after(rows[i].status, "120");
		(void)run(w);
		assert_false(is_shown(REPORT_ACCOUNT, rows[i].label));

		configure(w, "desk", true);
		ask(w, "desk");
		configure(w, "shop", false);
		answer_after(rows[i].status, "120");
		(void)run(w);
		assert_false(is_shown(REPORT_LOOKUPS, rows[i].label));
	}
}

static void the_soonest_of_all_is_when_to_run_again(void **state)
{
	struct world *w = *state;
	int64_t now_ms = clock_mono_ms();

	assert_true(run(w) == CLOCK_NEVER_MS);
	send(w, "desk");
	answer(401);
	assert_in_range(run(w), now_ms + CLOCK_MINUTE_MS, now_ms + 2 * CLOCK_MINUTE_MS);
	ask(w, "desk");
	answer(429); /* a second */
	assert_in_range(run(w), now_ms, now_ms + CLOCK_MINUTE_MS);
}

static void what_comes_after_the_end_is_given_back(void **state)
{
	struct world *w = *state;

	ask(w, "desk");
	assert_int_equal(w->calls.answers, 0);
	destinations_close(&w->destinations);
	assert_int_equal(w->calls.answers, 1);
	assert_int_equal(w->calls.outcome, LOOKUP_RETURNED);
	assert_string_equal(w->calls.reason.text, "stopped before the answer came");
	answer(200); /* no work waits for it */
	assert_int_equal(w->calls.answers, 1);
	send(w, "desk");
	assert_int_equal(w->calls.returned, 1);
	ask(w, "desk");
	assert_string_equal(w->calls.reason.text, "deskbridge stops");
	assert_true(run(w) == CLOCK_NEVER_MS);
	assert_null(flying);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_account_and_a_source_of_one_name_are_two_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_takes_comes_back_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(options_that_are_not_given_are_the_constants, setup, teardown),
		cmocka_unit_test_setup_teardown(a_route_that_is_gone_stays_until_its_transfer_is_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_route_that_is_gone_is_shown_neither_parked_nor_paused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_late_answer_parks_and_pauses_nobody_who_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(the_soonest_of_all_is_when_to_run_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_after_the_end_is_given_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Lookups of customers, with a scripted helpdesk that answers well, badly or not at all. */
#include <config.h>

#include "courier/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fixtures/folder.h"
#include "fixtures/shop_desk.h"

#define ANSWERS_MAX 64
#define WINDOWS_MAX 64
#define JSON "application/json"
#define JO "{\"emails\":[{\"normalized\":\"jo@example.com\",\"primary\":true}],\"name\":\"Jo\"}"

/* All runs on the test's own thread. */
struct desk {
	struct scripted *server;
	char *folder;
	struct generation *g;
	struct http_client *client;
	struct destinations destinations;
	struct lookup_answer answers[ANSWERS_MAX];
	size_t answers_n;
	struct {
		char source[32];
		unsigned window;
		bool for_new;
		char reason[256];
	} windows[WINDOWS_MAX];
	size_t windows_n;
};

static void on_answer(void *ctx, struct lookup_answer *a)
{
	struct desk *d = ctx;

	assert_true(d->answers_n < ANSWERS_MAX);
	d->answers[d->answers_n++] = *a;
	free(a);
}

static void on_window(void *ctx, enum report_kind kind, const char *source, unsigned window, bool for_new,
		      const char *reason)
{
	struct desk *d = ctx;

	if (kind != REPORT_LOOKUPS)
		return;
	assert_true(d->windows_n < WINDOWS_MAX);
	(void)snprintf(d->windows[d->windows_n].source, 32, "%s", source);
	(void)snprintf(d->windows[d->windows_n].reason, 256, "%s", reason ? reason : "");
	d->windows[d->windows_n].for_new = for_new;
	d->windows[d->windows_n++].window = window;
}

/* Only for webhooks without a previous request. */
static bool is_for_new(const struct desk *d)
{
	return d->windows[d->windows_n - 1].for_new;
}

static const char *reason_now(const struct desk *d)
{
	return d->windows[d->windows_n - 1].reason;
}

static unsigned window_now(const struct desk *d)
{
	assert_true(d->windows_n > 0);
	return d->windows[d->windows_n - 1].window;
}

/* more_steps: YAML after the first step of the lookup. */
static void configure(struct desk *d, const char *more_steps, const char *name)
{
	CLEANUP(mem_freep)
	char *lookup =
		mem_fmt("{base_url: \"%s\", user: bot@acme.com, password: {file: token}}", scripted_url(d->server));
	CLEANUP(mem_freep)
	char *steps = mem_fmt(
		"[{url: \"{base_url}/customers/{/customer}\", authenticate: basic,\n"
		"         emails: /emails/*/normalized, primary: /emails/*/primary, moved: /errors/0/meta/new,\n"
		"         take: {name: /name}}%s]",
		more_steps);

	folder_write(d->folder, "key", "pk_test\n");
	generation_unref(d->g);
	d->g = shop_desk_load(d->folder, &(struct shop_desk){.klaviyo = "{api_key: {file: key}}",
							     .source = name,
							     .lookup = lookup,
							     .steps = steps});
	destinations_generation(&d->destinations, d->g);
}

static void open_desk(struct desk *d, const char *more_steps)
{
	static const struct courier_options options = {.lookup = {.connect_ms = 2000, .timeout_ms = 3000}};
	const struct courier_sink sink = {.window = on_window, .lookup_answered = on_answer, .ctx = d};

	*d = (struct desk){.server = scripted_start(), .folder = folder_new()};
	d->client = http_client_new("deskbridge/test");
	destinations_init(&d->destinations, d->client, &sink, &options);
	folder_write(d->folder, "token", "s3cret\n");
	configure(d, more_steps, "desk");
	assert_int_equal(window_now(d), LOOKUP_WINDOW);
}

static void close_desk(struct desk *d)
{
	destinations_close(&d->destinations);
	http_client_free(d->client);
	destinations_done(&d->destinations);
	generation_unref(d->g);
	scripted_stop(d->server);
	folder_remove(d->folder);
	for (size_t i = 0; i < d->answers_n; i++)
		lookup_answer_done(&d->answers[i]);
}

static void ask_as(struct desk *d, const char *customer, bool is_new, const struct lookup_mark *worked)
{
	struct lookup_request *request = shop_desk_request(customer, is_new);

	if (worked)
		request->worked = *worked;
	destinations_lookup(&d->destinations, request);
}

static void ask(struct desk *d, const char *customer)
{
	ask_as(d, customer, true, NULL);
}

static void wait_answers(struct desk *d, size_t n)
{
	int64_t until_ms = clock_mono_ms() + SCRIPTED_PATIENCE_MS;

	while (d->answers_n < n && clock_mono_ms() < until_ms)
		http_client_turn(d->client, until_ms);
	if (d->answers_n < n)
		fail_msg("only %zu of %zu answers came", d->answers_n, n);
}

static unsigned in_flight(const struct desk *d)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->destinations.n; i++)
		n += d->destinations.all[i]->upstream->in_flight;
	return n;
}

/* Sends one request and returns its answer. */
static const struct lookup_answer *asked(struct desk *d, struct scripted_answer a)
{
	scripted_once(d->server, a);
	ask(d, "cu1");
	wait_answers(d, d->answers_n + 1);
	assert_int_equal(in_flight(d), 0);
	return &d->answers[d->answers_n - 1];
}

static const struct lookup_answer *asked_of(struct desk *d, const char *customer, bool is_new, struct scripted_answer a)
{
	scripted_once(d->server, a);
	ask_as(d, customer, is_new, NULL);
	wait_answers(d, d->answers_n + 1);
	return &d->answers[d->answers_n - 1];
}

static struct scripted_answer json(unsigned status, const char *body)
{
	return (struct scripted_answer){.status = status, .type = JSON, .body = body};
}

static void a_customer_is_found_with_address_and_names(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	a = asked(&d, json(200, JO));
	assert_int_equal(a->outcome, LOOKUP_FOUND);
	assert_string_equal(a->source, "desk");
	assert_string_equal(a->key, "cu1");
	assert_int_equal(a->found.addresses.n, 1);
	assert_string_equal(a->found.addresses.items[0].email, "jo@example.com");
	assert_true(a->found.addresses.items[0].primary);
	assert_string_equal(pairs_get(&a->found.taken, "name"), "Jo");
	assert_string_equal(scripted_request(d.server, 0)->method, "GET");
	assert_string_equal(scripted_request(d.server, 0)->path, "/customers/cu1");
	assert_string_equal(scripted_request(d.server, 0)->authorization, "Basic Ym90QGFjbWUuY29tOnMzY3JldA==");
	close_desk(&d);
}

static void a_merged_customer_is_asked_for_by_the_new_id(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	scripted_once(d.server, json(301, "{\"errors\":[{\"meta\":{\"new\":\"cu2\"}}]}"));
	a = asked(&d, json(200, JO));
	assert_int_equal(a->outcome, LOOKUP_FOUND);
	assert_string_equal(a->key, "cu1");
	assert_string_equal(scripted_request(d.server, 1)->path, "/customers/cu2");
	close_desk(&d);
}

static void an_unknown_customer_is_gone_and_the_window_stays(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	assert_int_equal(asked(&d, json(200, JO))->outcome, LOOKUP_FOUND);
	a = asked(&d, json(404, "{}"));
	assert_int_equal(a->outcome, LOOKUP_GONE);
	assert_true(a->reason.text[0] != '\0');
	assert_int_equal(d.windows_n, 1);
	close_desk(&d);
}

static void trouble_is_tried_again_and_parks_nobody(void **state)
{
	static const struct scripted_answer rows[] = {
		{.status = 500, .type = JSON, .body = "{}"},
		{.status = 503, .type = "text/html", .body = "<html>"},
		{.status = 408},
		{.how = SCRIPTED_RESET},
		{.how = SCRIPTED_CLOSE},
	};
	struct desk d;

	(void)state;
	open_desk(&d, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct lookup_answer *a;

		/* libcurl repeats a request where a kept connection dies: the repetition must fail, too. */
		scripted_always(d.server, rows[i]);
		a = asked(&d, rows[i]);
		if (a->outcome != LOOKUP_RETRY)
			fail_msg("row %zu: %s: %s", i, lookup_outcome_name(a->outcome), a->reason.text);
		assert_true(a->reason.text[0] != '\0');
	}
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	close_desk(&d);
}

static void a_slow_answer_is_tried_again(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	d.destinations.shared.options.lookup.timeout_ms = 150;
	a = asked(&d, (struct scripted_answer){.how = SCRIPTED_HOLD});
	assert_int_equal(a->outcome, LOOKUP_RETRY);
	assert_non_null(strstr(a->reason.text, "timed out"));
	close_desk(&d);
}

static void an_endless_answer_is_odd_by_its_size(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	a = asked(&d, (struct scripted_answer){.status = 200, .type = JSON, .filler = 10 * LOOKUP_ANSWER_MAX});
	assert_int_equal(a->outcome, LOOKUP_ODD);
	assert_non_null(strstr(a->reason.text, "1024 KiB"));
	close_desk(&d);
}

static void an_endless_error_page_counts_by_its_status(void **state)
{
	static const struct {
		unsigned status;
		enum lookup_outcome outcome;
	} cases[] = {{503, LOOKUP_RETRY}, {404, LOOKUP_ODD}, {401, LOOKUP_PARKED}};
	struct desk d;

	(void)state;
	open_desk(&d, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scripted_answer page = {.status = cases[i].status, .type = "text/html"};

		page.filler = 10 * LOOKUP_ANSWER_MAX;
		assert_int_equal(asked(&d, page)->outcome, cases[i].outcome);
	}
	close_desk(&d);
}

/* As after a change of a secret's file. */
static void new_secret(struct desk *d, const char *file, const char *text)
{
	d->g = shop_desk_secret(d->g, d->folder, file, text);
	destinations_generation(&d->destinations, d->g);
}

static void wrong_credentials_park_once_and_a_new_secret_resumes(void **state)
{
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	a = asked(&d, json(401, "{}"));
	assert_int_equal(a->outcome, LOOKUP_PARKED);
	assert_int_equal(window_now(&d), 1);
	assert_true(is_for_new(&d));
	assert_non_null(strstr(d.windows[d.windows_n - 1].reason, "401"));
	/* A request that comes too late for the window is returned unsent. */
	ask_as(&d, "cu2", false, NULL);
	assert_int_equal(d.answers[d.answers_n - 1].outcome, LOOKUP_LATE);
	assert_int_equal(scripted_count(d.server), 1);

	new_secret(&d, "token", "better\n");
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_false(is_for_new(&d));
	assert_string_equal(d.windows[d.windows_n - 1].reason, "");
	a = asked(&d, json(200, JO));
	assert_int_equal(a->outcome, LOOKUP_FOUND);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_string_equal(scripted_request(d.server, 1)->authorization, "Basic Ym90QGFjbWUuY29tOmJldHRlcg==");
	close_desk(&d);
}

static void a_reload_asks_again_at_once_and_another_secret_does_not(void **state)
{
	struct desk d;

	(void)state;
	open_desk(&d, "");
	assert_int_equal(asked(&d, json(401, "{}"))->outcome, LOOKUP_PARKED);
	new_secret(&d, "key", "pk_other\n");
	assert_true(is_for_new(&d));
	assert_non_null(strstr(d.windows[d.windows_n - 1].reason, "401"));
	configure(&d, "", "desk");
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_false(is_for_new(&d));
	/* The reason stays until the helpdesk answers. */
	assert_non_null(strstr(d.windows[d.windows_n - 1].reason, "401"));
	assert_int_equal(asked(&d, json(200, JO))->outcome, LOOKUP_FOUND);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_string_equal(d.windows[d.windows_n - 1].reason, "");
	close_desk(&d);
}

static void the_old_secrets_refusal_does_not_park_the_new_one(void **state)
{
	struct desk d;

	(void)state;
	open_desk(&d, "");
	scripted_once(d.server, (struct scripted_answer){.how = SCRIPTED_HOLD});
	ask(&d, "cu1");
	while (scripted_count(d.server) < 1)
		http_client_turn(d.client, clock_mono_ms() + 20);
	new_secret(&d, "token", "better\n");
	scripted_release(d.server, json(401, "{}"));
	wait_answers(&d, 1);
	assert_int_equal(d.answers[0].outcome, LOOKUP_RETRY);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	close_desk(&d);
}

static void a_429_closes_the_window_for_retry_after(void **state)
{
	const struct lookup_answer *a;
	int64_t before_ms, now_ms, again_ms;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	before_ms = clock_mono_ms();
	a = asked(&d, (struct scripted_answer){.status = 429, .header = "Retry-After", .value = "30"});
	now_ms = clock_mono_ms();
	assert_int_equal(a->outcome, LOOKUP_RETRY);
	assert_int_equal(a->retry_after_ms, 30000);
	assert_int_equal(window_now(&d), 0);
	assert_string_equal(d.windows[d.windows_n - 1].reason, "");
	again_ms = destinations_run(&d.destinations, true, now_ms);
	assert_in_range(again_ms, before_ms + 30000, now_ms + 30000);
	ask(&d, "cu2");
	assert_int_equal(d.answers[d.answers_n - 1].outcome, LOOKUP_LATE);
	assert_int_equal(scripted_count(d.server), 1);
	(void)destinations_run(&d.destinations, true, again_ms);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	close_desk(&d);
}

static void optional_steps_may_fail_in_every_way(void **state)
{
	static const char step[] =
		", {url: \"{base_url}/more/{/customer}\", authenticate: basic, optional: true, take: {team: /team}}";
	static const struct scripted_answer rows[] = {
		{.status = 401, .type = JSON, .body = "{}"},
		{.status = 404, .type = JSON, .body = "{}"},
		{.status = 429, .header = "Retry-After", .value = "30"},
		{.status = 500},
		{.status = 200, .type = "text/html", .body = "<html>"},
		{.status = 200, .type = JSON, .filler = 2 * LOOKUP_ANSWER_MAX},
		{.how = SCRIPTED_CLOSE},
	};
	struct desk d;

	(void)state;
	open_desk(&d, step);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct lookup_answer *a;

		scripted_once(d.server, json(200, JO));
		scripted_always(d.server, rows[i]);
		a = asked(&d, rows[i]);
		if (a->outcome != LOOKUP_FOUND)
			fail_msg("row %zu: %s: %s", i, lookup_outcome_name(a->outcome), a->reason.text);
		assert_int_equal(a->found.addresses.n, 1);
		assert_null(pairs_get(&a->found.taken, "team"));
	}
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	scripted_once(d.server, json(200, JO));
	assert_string_equal(pairs_get(&asked(&d, json(200, "{\"team\":\"Blue\"}"))->found.taken, "team"), "Blue");
	close_desk(&d);
}

/* A request whose webhook was parsed by `g`, as the pipeline sends it. */
static struct parsed_webhook *ask_parsed(struct desk *d, struct generation *g)
{
	struct lookup_request *request = mem_new(1, sizeof(*request));
	struct parsed_webhook *p;
	struct webhook w = {.source = mem_str("desk"),
			    .customer = mem_str("cu1"),
			    .body = mem_str("{\"type\":\"open\",\"conversation\":\"c1\",\"customer\":\"cu1\"}")};

	w.body_len = strlen(w.body);
	request->source = mem_str("desk");
	request->key = mem_str("cu1");
	request->parsed = p = parsed_webhook_new(config_source(g->config, "desk")->definition, &w, NULL, 0);
	request->generation = generation_ref(g);
	destinations_lookup(&d->destinations, request);
	return p;
}

static void the_parsed_webhook_comes_back_with_the_answer(void **state)
{
	uint64_t before = json_reads();
	struct generation *old;
	struct parsed_webhook *p;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	old = generation_ref(d.g);
	before = json_reads();
	scripted_once(d.server, json(200, JO));
	p = ask_parsed(&d, d.g);
	wait_answers(&d, 1);
	assert_int_equal(d.answers[0].outcome, LOOKUP_FOUND);
	assert_ptr_equal(d.answers[0].parsed, p);
	assert_ptr_equal(d.answers[0].generation, d.g);
	assert_int_equal(json_reads() - before, 2); /* the webhook here, and the answer */
	/* A request with a newer configuration leaves it unchanged. */
	configure(&d, "", "desk");
	scripted_once(d.server, json(200, JO));
	p = ask_parsed(&d, old);
	wait_answers(&d, 2);
	assert_int_equal(d.answers[1].outcome, LOOKUP_FOUND);
	assert_ptr_equal(d.answers[1].parsed, p);
	assert_ptr_equal(d.answers[1].generation, old);
	/* So does a request that is returned unsent. */
	configure(&d, "", "other");
	p = ask_parsed(&d, old);
	assert_int_equal(d.answers[2].outcome, LOOKUP_RETURNED);
	assert_ptr_equal(d.answers[2].parsed, p);
	generation_unref(old);
	close_desk(&d);
}

/* Its tree has the new id, which only the lookup may see. */
static void a_webhook_whose_customer_moved_does_not_come_back(void **state)
{
	struct desk d;

	(void)state;
	open_desk(&d, "");
	scripted_once(d.server, json(301, "{\"errors\":[{\"meta\":{\"new\":\"cu2\"}}]}"));
	scripted_once(d.server, json(200, JO));
	(void)ask_parsed(&d, d.g);
	wait_answers(&d, 1);
	assert_int_equal(d.answers[0].outcome, LOOKUP_FOUND);
	assert_null(d.answers[0].parsed);
	close_desk(&d);
}

static void a_webhook_without_customer_is_not_asked_for(void **state)
{
	struct lookup_request *request = mem_new(1, sizeof(*request));
	struct webhook w = {0};
	struct desk d;

	(void)state;
	open_desk(&d, "");
	request->source = mem_str("desk");
	request->key = mem_str("");
	w.body = mem_str("{}");
	w.body_len = 2;
	request->parsed = parsed_webhook_unparsed(&w);
	destinations_lookup(&d.destinations, request);
	assert_int_equal(d.answers_n, 1);
	assert_int_equal(d.answers[0].outcome, LOOKUP_ODD);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_int_equal(scripted_count(d.server), 0);
	close_desk(&d);
}

static void a_source_that_is_gone_returns_its_questions(void **state)
{
	struct desk d;

	(void)state;
	open_desk(&d, "");
	configure(&d, "", "other");
	assert_int_equal(d.windows_n, 3);
	for (size_t i = 1; i < 3; i++) {
		bool gone = strcmp(d.windows[i].source, "desk") == 0;

		assert_int_equal(d.windows[i].window, gone ? 0 : LOOKUP_WINDOW);
		assert_string_equal(d.windows[i].reason, gone ? "not configured" : "");
	}
	ask(&d, "cu1");
	assert_int_equal(d.answers[0].outcome, LOOKUP_RETURNED);
	close_desk(&d);
}

static void stopping_returns_what_is_under_way(void **state)
{
	struct desk d;

	(void)state;
	open_desk(&d, "");
	scripted_always(d.server, (struct scripted_answer){.how = SCRIPTED_HOLD});
	ask(&d, "cu1");
	ask(&d, "cu2");
	while (scripted_count(d.server) < 2)
		http_client_turn(d.client, clock_mono_ms() + 20);
	assert_int_equal(in_flight(&d), 2);
	destinations_close(&d.destinations);
	assert_int_equal(d.answers_n, 2);
	assert_int_equal(d.answers[0].outcome, LOOKUP_RETURNED);
	assert_int_equal(d.answers[1].outcome, LOOKUP_RETURNED);
	close_desk(&d);
}

static void nobody_is_gone_before_a_lookup_has_worked(void **state)
{
	struct lookup_mark kept = {0};
	const struct lookup_answer *a;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	a = asked_of(&d, "cu1", true, json(404, "{}"));
	assert_int_equal(a->outcome, LOOKUP_PARKED);
	assert_non_null(strstr(a->reason.text, "404"));
	assert_non_null(strstr(a->reason.text, "base_url"));
	assert_false(a->worked.is_set);
	assert_true(is_for_new(&d));
	/* A webhook without a previous request is a probe at once, and a useful answer opens the source. */
	a = asked_of(&d, "cu2", true, json(200, JO));
	assert_int_equal(a->outcome, LOOKUP_FOUND);
	assert_true(a->worked.is_set);
	kept = a->worked;
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_string_equal(reason_now(&d), "");
	assert_int_equal(asked_of(&d, "cu1", false, json(404, "{}"))->outcome, LOOKUP_GONE);
	/* Other credentials have not worked yet. The former ones have, by the stored mark, when they are configured
	 * again. */
	new_secret(&d, "token", "another\n");
	assert_int_equal(asked_of(&d, "cu1", false, json(404, "{}"))->outcome, LOOKUP_PARKED);
	new_secret(&d, "token", "s3cret\n");
	scripted_once(d.server, json(404, "{}"));
	ask_as(&d, "cu1", false, &kept);
	wait_answers(&d, d.answers_n + 1);
	assert_int_equal(d.answers[d.answers_n - 1].outcome, LOOKUP_GONE);
	close_desk(&d);
}

static void odd_answers_about_three_customers_in_a_row_park(void **state)
{
	static const struct scripted_answer rows[] = {
		{.status = 200, .type = "text/html", .body = "<html>sign in</html>"},
		{.status = 200, .type = JSON, .body = ""},
		{.status = 200, .type = JSON, .body = "{\"emails\":"},
		{.status = 200, .type = JSON, .filler = 2 * LOOKUP_ANSWER_MAX},
		{.status = 302, .type = "text/html", .body = "<html>"},
		{.status = 400, .type = JSON, .body = "{}"},
		{.status = 403, .type = JSON, .body = "{}"},
		{.status = 404, .type = "text/html", .body = "<html>"},
		{.status = 405},
		{.status = 418},
	};
	struct desk d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_desk(&d, "");
		for (unsigned j = 0; j < 5; j++)
			assert_int_equal(asked_of(&d, "cu1", j == 0, rows[i])->outcome, LOOKUP_ODD);
		assert_int_equal(asked_of(&d, "cu2", true, rows[i])->outcome, LOOKUP_ODD);
		assert_int_equal(window_now(&d), LOOKUP_WINDOW);
		assert_int_equal(asked_of(&d, "cu3", true, rows[i])->outcome, LOOKUP_ODD);
		assert_int_equal(window_now(&d), 1);
		assert_true(is_for_new(&d));
		assert_string_not_equal(reason_now(&d), "");
		assert_int_equal(asked_of(&d, "cu4", true, json(200, JO))->outcome, LOOKUP_FOUND);
		assert_int_equal(window_now(&d), LOOKUP_WINDOW);
		close_desk(&d);
	}
}

static void a_long_pause_is_told_with_its_end(void **state)
{
	int64_t now_ms = clock_mono_ms();
	int64_t again_ms;
	struct desk d;

	(void)state;
	open_desk(&d, "");
	(void)asked(&d, (struct scripted_answer){.status = 429, .header = "Retry-After", .value = "99999999999"});
	assert_int_equal(window_now(&d), 0);
	assert_int_equal(strncmp(reason_now(&d), "paused until 20", 15), 0);
	again_ms = destinations_run(&d.destinations, true, clock_mono_ms());
	assert_in_range(again_ms - now_ms, CLOCK_HOUR_MS - 1000, CLOCK_HOUR_MS + SCRIPTED_PATIENCE_MS);
	(void)destinations_run(&d.destinations, true, again_ms);
	assert_int_equal(window_now(&d), LOOKUP_WINDOW);
	assert_string_equal(reason_now(&d), "");
	close_desk(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_customer_is_found_with_address_and_names),
		cmocka_unit_test(a_merged_customer_is_asked_for_by_the_new_id),
		cmocka_unit_test(an_unknown_customer_is_gone_and_the_window_stays),
		cmocka_unit_test(trouble_is_tried_again_and_parks_nobody),
		cmocka_unit_test(a_slow_answer_is_tried_again),
		cmocka_unit_test(an_endless_answer_is_odd_by_its_size),
		cmocka_unit_test(an_endless_error_page_counts_by_its_status),
		cmocka_unit_test(wrong_credentials_park_once_and_a_new_secret_resumes),
		cmocka_unit_test(a_reload_asks_again_at_once_and_another_secret_does_not),
		cmocka_unit_test(the_old_secrets_refusal_does_not_park_the_new_one),
		cmocka_unit_test(a_429_closes_the_window_for_retry_after),
		cmocka_unit_test(optional_steps_may_fail_in_every_way),
		cmocka_unit_test(the_parsed_webhook_comes_back_with_the_answer),
		cmocka_unit_test(a_webhook_whose_customer_moved_does_not_come_back),
		cmocka_unit_test(a_webhook_without_customer_is_not_asked_for),
		cmocka_unit_test(a_source_that_is_gone_returns_its_questions),
		cmocka_unit_test(stopping_returns_what_is_under_way),
		cmocka_unit_test(nobody_is_gone_before_a_lookup_has_worked),
		cmocka_unit_test(odd_answers_about_three_customers_in_a_row_park),
		cmocka_unit_test(a_long_pause_is_told_with_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

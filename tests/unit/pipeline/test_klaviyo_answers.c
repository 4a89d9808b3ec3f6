/* SPDX-License-Identifier: MIT */
/*
 * More than forty kinds of answer from Klaviyo, each for one odd person among 30 and for all 30, over 30 minutes. The
 * results of their events must equal the table below, which was written before the first run.
 *
 * The store, the turn, dispatch and delivery results of the pipeline are real, and the sender with its pace, quota and
 * outcomes. The time, the thread between them (they call each other), and the HTTP client are faked.
 */
#include <config.h>

#include "fixtures/answers_stage.h"

#include <string.h>

#include "courier/pace.h"

enum body {
	JSON,
	HTML,
	OTHER,
	EMPTY,
	CHALLENGE, /* HTML, Cloudflare's */
	BROKEN,    /* no answer */
	FAR_AWAY,  /* empty, with Retry-After: 99999999999 */
	YEAR_9999, /* empty, with a date in the year 9999 */
	NEGATIVE,  /* empty, with Retry-After: -5 */
	USED_UP,   /* empty, with RateLimit-Remaining: 0 and RateLimit-Reset: 99999999999 */
};

struct end {
	unsigned delivered, dead, waiting;
	const char *shown; /* a part of the account's reason in `status`; NULL: it sends */
};

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* clang-format off */
/* Every kind of answer has one of these results. */
#define TAKEN        {{30, 0, 0, NULL}, {30, 0, 0, NULL}}
#define REFUSED      {{29, 1, 0, NULL}, {0, 30, 0, NULL}}
#define PARKED(why)  {{29, 0, 1, why}, {0, 0, 30, why}}
#define RETRIED      {{29, 0, 1, NULL}, {0, 0, 30, NULL}}
#define UNNAMED(why) {{29, 1, 0, NULL}, {0, 0, 30, why}}
/* clang-format on */

static const struct row {
	unsigned status;
	enum body body;
	struct end one_and_all[2];
} rows[] = {
	{200, JSON, PARKED("(200)")},
	{200, HTML, PARKED("(200)")},
	{200, OTHER, PARKED("(200)")},
	{200, EMPTY, PARKED("(200)")},
	{201, JSON, PARKED("(201)")},
	{202, JSON, TAKEN},
	{202, HTML, PARKED("(202)")},
	{202, OTHER, TAKEN},
	{202, EMPTY, TAKEN},
	{204, EMPTY, PARKED("(204)")},
	{302, HTML, PARKED("(302)")},
	{302, EMPTY, PARKED("(302)")},
	{400, JSON, REFUSED},
	{400, HTML, PARKED("(400)")},
	{400, OTHER, PARKED("(400)")},
	{400, EMPTY, PARKED("(400)")},
	{401, JSON, PARKED("(401)")},
	{401, HTML, PARKED("(401)")},
	{402, JSON, UNNAMED("(402)")},
	{402, HTML, UNNAMED("(402)")},
	{402, OTHER, UNNAMED("(402)")},
	{402, EMPTY, UNNAMED("(402)")},
	{403, JSON, PARKED("(403)")},
	{403, HTML, PARKED("(403)")},
	{403, OTHER, UNNAMED("(403)")},
	{403, EMPTY, UNNAMED("(403)")},
	{403, CHALLENGE, RETRIED},
	{404, JSON, PARKED("(404)")},
	{404, HTML, PARKED("(404)")},
	{405, EMPTY, PARKED("(405)")},
	{406, JSON, UNNAMED("(406)")},
	{406, HTML, UNNAMED("(406)")},
	{407, HTML, UNNAMED("(407)")},
	{408, EMPTY, RETRIED},
	{409, JSON, UNNAMED("(409)")},
	{409, HTML, UNNAMED("(409)")},
	{410, JSON, PARKED("(410)")},
	{413, JSON, REFUSED},
	{413, HTML, REFUSED},
	{413, OTHER, REFUSED},
	{413, EMPTY, REFUSED},
	{415, JSON, PARKED("(415)")},
	{418, JSON, UNNAMED("(418)")},
	{418, EMPTY, UNNAMED("(418)")},
	{422, JSON, REFUSED},
	{422, HTML, PARKED("(422)")},
	{422, EMPTY, PARKED("(422)")},
	{425, JSON, RETRIED},
	{429, JSON, RETRIED},
	{429, EMPTY, RETRIED},
	{429, NEGATIVE, RETRIED},
	/* A 429 concerns the account, whichever event it answers. The pause is an hour at most, and it is reported. The
	 * fifteen that were in flight with it, and the one that was sent alone before, are delivered. */
	{429,
	 FAR_AWAY,
	 {{16, 0, 14, "paused by Klaviyo's Retry-After"}, {0, 0, 30, "paused by Klaviyo's Retry-After"}}},
	{429,
	 YEAR_9999,
	 {{16, 0, 14, "paused by Klaviyo's Retry-After"}, {0, 0, 30, "paused by Klaviyo's Retry-After"}}},
	{431, HTML, UNNAMED("(431)")},
	{451, JSON, UNNAMED("(451)")},
	{451, HTML, UNNAMED("(451)")},
	{451, OTHER, UNNAMED("(451)")},
	{451, EMPTY, UNNAMED("(451)")},
	{499, EMPTY, UNNAMED("(499)")},
	{500, JSON, RETRIED},
	{500, HTML, RETRIED},
	{502, HTML, RETRIED},
	{503, EMPTY, RETRIED},
	{503, FAR_AWAY, RETRIED},
	{520, HTML, RETRIED},
	{524, EMPTY, RETRIED},
	{0, BROKEN, RETRIED},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS >= 40, "fewer than forty kinds of answer");

/* ---- the world --------------------------------------------------------------------------------------------------- */

static void send_at_once(void *courier, struct event *e)
{
	(void)courier;
	destinations_send(&world.destinations, e);
}

/* Events go to the sender on this thread. Other jobs are recorded. */
static const struct courier_ops courier = {
	.send = send_at_once,
	.lookup = fake_courier_lookup,
	.generation = fake_courier_generation,
	.stall = fake_courier_stall,
};

static void answer_fill(struct http_response *to, const struct row *row)
{
	static const char *const types[] = {[JSON] = "application/vnd.api+json",
					    [HTML] = "text/html; charset=UTF-8",
					    [OTHER] = "text/plain",
					    [CHALLENGE] = "text/html; charset=UTF-8",
					    [BROKEN] = NULL};
	static const char *const bodies[] = {
		[JSON] = "{\"errors\":[{\"code\":\"x\",\"title\":\"No.\",\"detail\":\"Not like that.\"}]}",
		[HTML] = "<!doctype html><html><body>hello</body></html>",
		[OTHER] = "no",
		[CHALLENGE] = "<html><script src=\"/cdn-cgi/challenge-platform/h\"></script></html>",
		[BROKEN] = NULL};
	enum body form = row->body < BROKEN ? row->body : EMPTY;

	to->status = row->status;
	to->type = form == EMPTY ? NULL : mem_str(types[form]);
	if (form != EMPTY)
		buf_adds(&to->body, bodies[form]);
	if (row->body == BROKEN) {
		to->failure = HTTP_BROKEN;
		(void)snprintf(to->error, sizeof(to->error), "the connection was reset");
	}
	if (row->body == YEAR_9999)
		pairs_add(&to->headers, "Date", "Sat, 21 Nov 2026 16:00:00 GMT");
	if (row->body == FAR_AWAY || row->body == YEAR_9999 || row->body == NEGATIVE)
		pairs_add(&to->headers, "Retry-After",
			  row->body == FAR_AWAY    ? "99999999999"
			  : row->body == YEAR_9999 ? "Fri, 31 Dec 9999 23:59:59 GMT"
						   : "-5");
	if (row->body == USED_UP) {
		pairs_add(&to->headers, "RateLimit-Remaining", "0");
		pairs_add(&to->headers, "RateLimit-Reset", "99999999999");
	}
}

static void answer(struct http_response *to, const struct http_request *request)
{
	static const struct row taken = {202, EMPTY, TAKEN};
	char odd[32];
	bool concerned;

	(void)snprintf(odd, sizeof(odd), "\"jo-%u@", ODD);
	concerned = world.row && (world.for_all || strstr(request->body, odd));
	answer_fill(to, concerned ? world.row : &taken);
}

static void sink_delivered(void *ctx, struct delivery *d)
{
	struct delivery_message *m = mem_new(1, sizeof(*m));

	(void)ctx;
	m->delivery = d;
	answers_post(&m->message, MESSAGE_DELIVERY);
}

static void world_begin(void)
{
	answers_start(REPORT_ACCOUNT, &(struct courier_sink){.delivered = sink_delivered, .window = answers_window},
		      &courier);
	world.answer = answer;
	destinations_generation(&world.destinations, world.stage->generation);
}

/* The same configuration again. */
static void reload_all(void)
{
	struct generation *g = stage_configure(world.stage, STAGE_KLAVIYO "sources:\n" STAGE_SOURCES);

	destinations_generation(&world.destinations, g);
	generation_unref(g);
}

static void put(unsigned person, const char *conversation)
{
	char email[32];

	(void)snprintf(email, sizeof(email), "jo-%u@example.com", person);
	PUT(world.stage, .source = "desk", .kind = "open", .conversation = conversation, .email = email,
	    .received_ms = clocks.wall_ms, .time_ms = clocks.wall_ms);
}

static void put_all(void)
{
	char conversation[16];

	for (unsigned i = 0; i < PEOPLE; i++) {
		(void)snprintf(conversation, sizeof(conversation), "c%u", i);
		put(i, conversation);
	}
}

/* ---- what became of them ----------------------------------------------------------------------------------------- */

struct found {
	unsigned states[EVENT_DEAD + 1];
	char shown[512];
};

static int count_event(void *ctx, const struct event *e)
{
	struct found *f = ctx;

	f->states[e->state]++;
	/* Every event that waits or is dead has a reason. */
	assert_true(e->state == EVENT_DELIVERED || e->reason || world.requests == 0 || f->shown[0] != '\0');
	return 0;
}

static void see_reason(void *ctx, const char *kind, const char *name, const char *reason)
{
	struct found *f = ctx;

	assert_string_equal(kind, "account");
	assert_string_equal(name, "default");
	(void)snprintf(f->shown, sizeof(f->shown), "%s", reason);
}

static struct found look(void)
{
	struct found f = {.shown = ""};

	health_parked(world.health, see_reason, &f);
	MUST(store_events_page(world.stage->store, -1, 0, 500, count_event, &f, err));
	return f;
}

static bool is_as_written(const struct found *f, const struct end *e)
{
	return f->states[EVENT_DELIVERED] == e->delivered && f->states[EVENT_DEAD] == e->dead &&
	       f->states[EVENT_READY] == e->waiting &&
	       (e->shown ? strstr(f->shown, e->shown) != NULL : f->shown[0] == '\0');
}

static void must_be(const struct row *row, const struct end *e)
{
	struct found f = look();

	if (!is_as_written(&f, e))
		fail_msg("%u, body %d, for %s: %u delivered, %u dead, %u waiting, \"%s\"", row->status, (int)row->body,
			 world.for_all ? "all" : "one", f.states[EVENT_DELIVERED], f.states[EVENT_DEAD],
			 f.states[EVENT_READY], f.shown);
}

static void answers_for_one_odd_person_among_thirty(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		world_begin();
		world.row = &rows[i];
		put_all();
		answers_run(NOW + RUN_MS);
		must_be(&rows[i], &rows[i].one_and_all[0]);
		answers_end();
	}
}

/* When the answers are good again, all waiting events are delivered without help. */
static void answers_for_all_thirty(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct end *all = &rows[i].one_and_all[1];

		world_begin();
		world.row = &rows[i];
		world.for_all = true;
		put_all();
		answers_run(NOW + RUN_MS);
		must_be(&rows[i], all);
		/* Parked: at most three before the park; then probes after 1, 3, 7, 15 and 30 minutes. */
		if (all->shown)
			assert_in_range(world.requests, 1, UPSTREAM_ODD_MAX + 5);
		world.row = NULL;
		answers_run(NOW + RUN_MS + CLOCK_HOUR_MS + CLOCK_MINUTE_MS);
		must_be(&rows[i], &(struct end){PEOPLE - all->dead, all->dead, 0, NULL});
		answers_end();
	}
}

/* One person's event parks the account, or would: later people's events are delivered by the next probe. */
static void one_odd_person_does_not_keep_out_those_who_come_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (i > 0 && row->status == rows[i - 1].status) /* one form of each status */
			continue;
		if (row->body == FAR_AWAY || row->body == YEAR_9999)
			continue;
		world_begin();
		world.row = row;
		put(ODD, "first");
		answers_run(NOW + 5 * CLOCK_MINUTE_MS);
		for (unsigned n = 0; n < 5; n++) {
			char conversation[16];
			struct found f;

			(void)snprintf(conversation, sizeof(conversation), "later%u", n);
			put(100 + n, conversation);
			answers_run(clocks.wall_ms + 16 * CLOCK_MINUTE_MS);
			f = look();
			if (f.states[EVENT_DELIVERED] < n + 1)
				fail_msg("%u, body %d: number %u was not delivered: \"%s\"", row->status,
					 (int)row->body, n, f.shown);
		}
		answers_end();
	}
}

/* No other event is delivered, so nothing shows that the fault is the event's own. */
static void a_lone_event_with_odd_answers_never_dies(void **state)
{
	static const struct row payment = {402, JSON, UNNAMED(NULL)};
	struct found f;

	(void)state;
	world_begin();
	world.row = &payment;
	put(ODD, "alone");
	answers_run(NOW + 20 * CLOCK_DAY_MS); /* longer than max_age */
	f = look();
	assert_int_equal(f.states[EVENT_READY], 1);
	world.row = NULL;
	answers_run(clocks.wall_ms + CLOCK_HOUR_MS);
	f = look();
	assert_int_equal(f.states[EVENT_DELIVERED], 1);
	answers_end();
}

static void a_used_up_quota_is_told_and_ends(void **state)
{
	static const struct row used_up = {202, USED_UP, TAKEN};
	struct found f;

	(void)state;
	world_begin();
	world.row = &used_up;
	put_all();
	answers_run(NOW + CLOCK_SECOND_MS);
	f = look();
	assert_non_null(strstr(f.shown, "paused by Klaviyo's RateLimit-Reset until 2026-11-"));
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "default", "paused", NULL) == 1);
	world.row = NULL;
	answers_run(NOW + QUOTA_RESET_MAX_S * 1000 + CLOCK_SECOND_MS);
	f = look();
	assert_string_equal(f.shown, "");
	assert_int_equal(f.states[EVENT_DELIVERED], PEOPLE);
	assert_true(metrics_get(METRIC_ACCOUNT_PARKED, "default", "paused", NULL) == 0);
	answers_end();
}

static void a_pause_is_over_after_an_hour_or_with_a_reload(void **state)
{
	static const struct row far_away = {429, FAR_AWAY, TAKEN};
	struct found f;

	(void)state;
	for (unsigned reload = 0; reload < 2; reload++) {
		world_begin();
		world.row = &far_away;
		put_all();
		answers_run(NOW + CLOCK_MINUTE_MS);
		f = look();
		assert_non_null(strstr(f.shown, "paused by Klaviyo's Retry-After until 2026-11-"));
		world.row = NULL;
		if (reload)
			reload_all();
		answers_run(reload ? NOW + 2 * CLOCK_MINUTE_MS : NOW + CLOCK_HOUR_MS + CLOCK_MINUTE_MS);
		f = look();
		assert_string_equal(f.shown, "");
		assert_int_equal(f.states[EVENT_DELIVERED], PEOPLE);
		answers_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_for_one_odd_person_among_thirty),
		cmocka_unit_test(answers_for_all_thirty),
		cmocka_unit_test(one_odd_person_does_not_keep_out_those_who_come_later),
		cmocka_unit_test(a_lone_event_with_odd_answers_never_dies),
		cmocka_unit_test(a_used_up_quota_is_told_and_ends),
		cmocka_unit_test(a_pause_is_over_after_an_hour_or_with_a_reload),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_CRIT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * More than forty kinds of answer from a helpdesk, each for one odd customer among 30 and for all 30, over 30 minutes.
 * The results of their webhooks must equal the table below, which was written before the first run.
 *
 * The store, the turn and the pass of the pipeline are real, and the lookup client with its upstream and the reading of
 * answers. The time, the thread between them (they call each other), and the HTTP client are faked.
 */
#include <config.h>

#include "fixtures/answers_stage.h"

#include <string.h>

enum body {
	JSON,
	HTML,
	OTHER,
	EMPTY,
	HALF,      /* JSON that ends in the middle */
	LATIN,     /* JSON, but not in UTF-8 */
	MISSING,   /* JSON that the definition's `missing` names */
	BROKEN,    /* no answer */
	TOO_LONG,  /* more than is read */
	FAR_AWAY,  /* empty, with Retry-After: 99999999999 */
	YEAR_9999, /* empty, with a date in the year 9999 */
};

/* The results of the webhooks; none may become a dead letter. */
struct end {
	unsigned events, no_address, waiting;
	const char *shown; /* a part of the reason of the source's lookups in `status`; NULL: none */
};

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* clang-format off */
/* Every kind of answer has one of these results. */
#define NOBODY       {{29, 1, 0, NULL}, {0, 30, 0, NULL}}
/* For all: nothing has worked yet. */
#define GONE(why)    {{29, 1, 0, NULL}, {0, 0, 30, why}}
#define USELESS(why) {{29, 1, 0, NULL}, {0, 0, 30, why}}
/* For one: it waits, and all others are looked up. */
#define REFUSED(why) {{29, 0, 1, why}, {0, 0, 30, why}}
#define RETRIED      {{29, 0, 1, NULL}, {0, 0, 30, NULL}}
/* A 429 concerns the source, whichever request it answers. The seven that were answered before it or with it have
 * their events. */
#define PAUSED       {{7, 0, 23, "paused until 2026-11-"}, {0, 0, 30, "paused until"}}
/* clang-format on */

static const struct row {
	unsigned status;
	enum body body;
	struct end one_and_all[2];
} rows[] = {
	{200, JSON, NOBODY}, /* an object without an address */
	{200, HTML, USELESS("(200)")},
	{200, OTHER, USELESS("(200)")},
	{200, EMPTY, USELESS("(200)")},
	{200, HALF, USELESS("(200)")},
	{200, LATIN, USELESS("(200)")},
	{200, MISSING, NOBODY},
	{200, TOO_LONG, USELESS("longer than 1024 KiB")},
	{201, HTML, USELESS("(201)")},
	{204, EMPTY, USELESS("(204)")},
	{301, JSON, USELESS("(301)")},
	{301, HTML, USELESS("(301)")},
	{302, JSON, USELESS("(302)")},
	{302, HTML, USELESS("(302)")},
	{302, OTHER, USELESS("(302)")},
	{302, EMPTY, USELESS("(302)")},
	{304, EMPTY, USELESS("(304)")},
	{400, JSON, USELESS("(400)")},
	{400, HTML, USELESS("(400)")},
	{400, OTHER, USELESS("(400)")},
	{400, EMPTY, USELESS("(400)")},
	{400, MISSING, GONE("(400")},
	{401, JSON, REFUSED("(401)")},
	{401, HTML, REFUSED("(401)")},
	{401, OTHER, REFUSED("(401)")},
	{401, EMPTY, REFUSED("(401)")},
	{402, JSON, USELESS("(402)")},
	{403, JSON, USELESS("(403)")},
	{403, HTML, USELESS("(403)")},
	{403, OTHER, USELESS("(403)")},
	{403, EMPTY, USELESS("(403)")},
	{404, JSON, GONE("(404)")},
	{404, HTML, USELESS("404")},
	{404, OTHER, USELESS("404")},
	{404, EMPTY, USELESS("404")},
	{404, TOO_LONG, USELESS("404")},
	{405, HTML, USELESS("(405)")},
	{408, EMPTY, RETRIED},
	{410, JSON, GONE("(410)")},
	{410, HTML, USELESS("410")},
	{410, EMPTY, USELESS("410")},
	{418, JSON, USELESS("(418)")},
	{418, EMPTY, USELESS("(418)")},
	{422, JSON, USELESS("(422)")},
	{425, JSON, RETRIED},
	{429, JSON, RETRIED},
	{429, EMPTY, RETRIED},
	{429, FAR_AWAY, PAUSED},
	{429, YEAR_9999, PAUSED},
	{451, HTML, USELESS("(451)")},
	{500, JSON, RETRIED},
	{500, HTML, RETRIED},
	{502, HTML, RETRIED},
	{503, EMPTY, RETRIED},
	{503, FAR_AWAY, RETRIED},
	{520, HTML, RETRIED},
	{0, BROKEN, RETRIED},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS >= 40, "fewer than forty kinds of answer");

/* ---- the world --------------------------------------------------------------------------------------------------- */

#define WEBHOOKS_MAX 64

#define SOURCE                                                                                                \
	STAGE_KLAVIYO "sources:\n  asked: {definition: {" STAGE_DESK ", lookup: [{url: \"{base_url}/{/p}\", " \
		      "authenticate: basic, emails: /mail, missing: {/gone: true}}]}, "                       \
		      "lookup: {base_url: \"http://127.0.0.1:9\", user: u, password: secret}}\n"

static struct lookup_request *queued[WEBHOOKS_MAX]; /* requested in a turn, not sent yet */
static size_t queued_n;
static unsigned requests_for_odd;
static uint32_t chance;

/* The same in every run, because a request may be in flight at the reload otherwise. */
double __wrap_backoff_jitter(void);
double __wrap_backoff_jitter(void)
{
	chance = chance * 1664525 + 1013904223;
	return (double)(chance >> 8) / (double)((1u << 24) - 1);
}

static void queue_lookup(void *courier, struct lookup_request *request)
{
	(void)courier;
	assert_true(queued_n < WEBHOOKS_MAX);
	queued[queued_n++] = request;
}

/* Lookup requests wait until the turn has ended. Other jobs are recorded. */
static const struct courier_ops courier = {
	.send = fake_courier_send,
	.lookup = queue_lookup,
	.generation = fake_courier_generation,
	.stall = fake_courier_stall,
};

static void answer_fill(struct http_response *to, const struct row *row)
{
	static const char *const types[] = {[JSON] = "application/json",   [HTML] = "text/html; charset=UTF-8",
					    [OTHER] = "text/plain",        [EMPTY] = NULL,
					    [HALF] = "application/json",   [LATIN] = "application/json",
					    [MISSING] = "application/json"};
	static const char *const bodies[] = {[JSON] = "{\"error\":\"x\"}",
					     [HTML] = "<!doctype html><html><body>hello</body></html>",
					     [OTHER] = "no",
					     [EMPTY] = "",
					     [HALF] = "{\"mail\":\"jo@exam",
					     [LATIN] = "{\"name\":\"Jos\xe9\"}",
					     [MISSING] = "{\"gone\":true}"};
	enum body form = row->body <= MISSING ? row->body : EMPTY;

	to->status = row->status;
	to->type = mem_str(types[form]);
	buf_adds(&to->body, bodies[form]);
	if (row->body == BROKEN) {
		to->failure = HTTP_BROKEN;
		(void)snprintf(to->error, sizeof(to->error), "the connection was reset");
	}
	if (row->body == TOO_LONG)
		to->failure = HTTP_TOO_LONG;
	if (row->body == YEAR_9999)
		pairs_add(&to->headers, "Date", "Sat, 21 Nov 2026 16:00:00 GMT");
	if (row->body == FAR_AWAY || row->body == YEAR_9999)
		pairs_add(&to->headers, "Retry-After",
			  row->body == FAR_AWAY ? "99999999999" : "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void answer_found(struct http_response *to, unsigned customer)
{
	to->status = 200;
	to->type = mem_str("application/json");
	buf_addf(&to->body, "{\"mail\":\"jo-%u@example.com\"}", customer);
}

static void answer(struct http_response *to, const struct http_request *request)
{
	const char *customer = strrchr(request->url, 'p');
	unsigned n;

	assert_non_null(customer);
	n = (unsigned)atoi(customer + 1);
	if (world.row && (world.for_all || n == ODD))
		answer_fill(to, world.row);
	else
		answer_found(to, n);
	requests_for_odd += n == ODD;
}

static void sink_answer(void *ctx, struct lookup_answer *a)
{
	struct answer_message *m = mem_new(1, sizeof(*m));

	(void)ctx;
	m->answer = a;
	answers_post(&m->message, MESSAGE_ANSWER);
}

/* As at the start, and after a reload of the same configuration. */
static void configure(void)
{
	struct generation_message *m = mem_new(1, sizeof(*m));

	parsed_cache_clear(world.stage->tc.cache);
	generation_unref(world.stage->generation);
	world.stage->generation = stage_configure(world.stage, SOURCE);
	world.stage->tc.generation = world.stage->generation;
	world.stage->tc.config = world.stage->generation->config;
	m->generation = generation_ref(world.stage->generation);
	answers_post(&m->message, MESSAGE_GENERATION);
	destinations_generation(&world.destinations, world.stage->generation);
}

/* Sends the lookup requests of a turn. Returns true if there were any. */
static bool send_queued(void)
{
	size_t n = queued_n;

	queued_n = 0;
	for (size_t i = 0; i < n; i++)
		destinations_lookup(&world.destinations, queued[i]);
	return n > 0;
}

static void world_begin(void)
{
	answers_start(REPORT_LOOKUPS, &(struct courier_sink){.window = answers_window, .lookup_answered = sink_answer},
		      &courier);
	world.answer = answer;
	world.send_queued = send_queued;
	requests_for_odd = 0;
	chance = 0;
	configure();
}

static int64_t put(unsigned customer, const char *kind, const char *conversation)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "p%u", customer);
	return PUT(world.stage, .source = "asked", .kind = kind, .conversation = conversation, .customer = id,
		   .received_ms = clocks.wall_ms, .time_ms = clocks.wall_ms);
}

static void put_all(void)
{
	char conversation[16];

	for (unsigned i = 0; i < PEOPLE; i++) {
		(void)snprintf(conversation, sizeof(conversation), "c%u", i);
		(void)put(i, "open", conversation);
	}
}

/* ---- what became of them ----------------------------------------------------------------------------------------- */

struct found {
	unsigned events, no_address, waiting, others;
	char shown[512];
};

static int count_webhook(void *ctx, const struct store_webhook_row *w)
{
	struct found *f = ctx;

	if (w->state == STORE_WEBHOOK_PENDING)
		f->waiting++;
	else if (w->state == STORE_WEBHOOK_DONE && text_is(w->reason, "events"))
		f->events++;
	else if (w->state == STORE_WEBHOOK_DONE && strncmp(w->reason, "no address", 10) == 0)
		f->no_address++;
	else
		f->others++;
	/* Every waiting webhook that had a request has a reason. */
	assert_true(w->state != STORE_WEBHOOK_PENDING || w->asked == 0 || (w->reason && strlen(w->reason) > 10));
	return 0;
}

static void see_reason(void *ctx, const char *kind, const char *name, const char *reason)
{
	struct found *f = ctx;

	assert_string_equal(kind, "lookups");
	assert_string_equal(name, "asked");
	(void)snprintf(f->shown, sizeof(f->shown), "%s", reason);
}

static struct found look(void)
{
	struct found f = {.shown = ""};

	health_parked(world.health, see_reason, &f);
	MUST(store_webhooks_page(world.stage->store, -1, 0, 500, count_webhook, &f, err));
	return f;
}

static void must_be(const struct row *row, const struct end *e)
{
	struct found f = look();

	if (f.events != e->events || f.no_address != e->no_address || f.waiting != e->waiting || f.others != 0 ||
	    (e->shown ? strstr(f.shown, e->shown) == NULL : f.shown[0] != '\0'))
		fail_msg("%u, body %d, for %s: %u events, %u no address, %u waiting, %u others, \"%s\"", row->status,
			 (int)row->body, world.for_all ? "all" : "one", f.events, f.no_address, f.waiting, f.others,
			 f.shown);
}

static void answers_for_one_odd_customer_among_thirty(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		world_begin();
		world.row = &rows[i];
		put_all();
		answers_run(NOW + RUN_MS);
		must_be(&rows[i], &rows[i].one_and_all[0]);
		assert_in_range(requests_for_odd, 1, 40);
		answers_end();
	}
}

/* A reload after the fault is fixed wakes all at once. */
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
		/* Parked: one request for each, and then one by one after 1, 3, 7, 15 and 30 minutes. */
		if (all->shown)
			assert_in_range(world.requests, 1, PEOPLE + 5);
		world.row = NULL;
		configure();
		answers_run(clocks.wall_ms + CLOCK_SECOND_MS);
		must_be(&rows[i], &(struct end){PEOPLE - all->no_address, all->no_address, 0, NULL});
		answers_end();
	}
}

/* By the next probe, or by the next webhook without a previous request. */
static void what_is_mended_over_there_ends_by_itself(void **state)
{
	(void)state;
	for (unsigned by_new = 0; by_new < 2; by_new++) {
		for (size_t i = 0; i < ROWS; i++) {
			const struct end *all = &rows[i].one_and_all[1];

			if (all->no_address > 0)
				continue;
			world_begin();
			world.row = &rows[i];
			world.for_all = true;
			put_all();
			answers_run(NOW + RUN_MS);
			world.row = NULL;
			if (by_new && rows[i].status != 429) {
				(void)put(100, "open", "new");
				answers_run(clocks.wall_ms + CLOCK_SECOND_MS);
				assert_in_range(look().events, 1, PEOPLE + 1);
				if (all->shown)
					assert_int_equal(look().events, PEOPLE + 1);
			} else if (!by_new) {
				answers_run(clocks.wall_ms + CLOCK_HOUR_MS);
				must_be(&rows[i], &(struct end){PEOPLE, 0, 0, NULL});
			}
			answers_end();
		}
	}
}

/* No other request is answered, so nothing shows that the fault is this customer's own. */
static void a_lone_customer_with_odd_answers_waits_and_is_asked_ever_less(void **state)
{
	static const struct row page = {200, HTML, USELESS(NULL)};

	(void)state;
	world_begin();
	world.row = &page;
	(void)put(ODD, "open", "alone");
	answers_run(NOW + CLOCK_DAY_MS);
	must_be(&page, &(struct end){0, 0, 1, NULL});
	assert_in_range(world.requests, 200, 1200); /* every five minutes at most, at random */
	world.row = NULL;
	answers_run(clocks.wall_ms + 6 * CLOCK_MINUTE_MS);
	must_be(&page, &(struct end){1, 0, 0, NULL});
	answers_end();
}

/* A closing waits for no lookup of its own. */
static void a_closing_of_one_that_was_reached_passes_whatever_the_helpdesk_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		world_begin();
		(void)put(ODD, "open", "c");
		(void)put(1, "open", "d");
		answers_run(NOW + CLOCK_SECOND_MS);
		must_be(&rows[i], &(struct end){2, 0, 0, NULL});
		world.row = &rows[i];
		world.for_all = true;
		answers_run(NOW + CLOCK_HOUR_MS); /* the stored answers are too old */
		for (unsigned n = 10; n < 15; n++)
			(void)put(n, "open", "e");
		answers_run(clocks.wall_ms + CLOCK_SECOND_MS);
		(void)put(ODD, "closed", "c");
		(void)put(1, "closed", "d");
		answers_run(clocks.wall_ms + CLOCK_SECOND_MS);
		assert_int_equal(look().events, 4);
		answers_end();
	}
}

static void a_webhook_that_is_looked_up_is_parsed_once(void **state)
{
	uint64_t before;
	int64_t id;

	(void)state;
	world_begin();
	id = put(1, "closed", "c1");
	before = json_reads();
	answers_run(NOW + CLOCK_SECOND_MS);
	assert_done(world.stage, id, "events");
	/* Its body, the helpdesk's answer, and the customer as the store has it. */
	assert_int_equal(json_reads() - before, 3);
	answers_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_for_one_odd_customer_among_thirty),
		cmocka_unit_test(answers_for_all_thirty),
		cmocka_unit_test(what_is_mended_over_there_ends_by_itself),
		cmocka_unit_test(a_lone_customer_with_odd_answers_waits_and_is_asked_ever_less),
		cmocka_unit_test(a_closing_of_one_that_was_reached_passes_whatever_the_helpdesk_answers),
		cmocka_unit_test(a_webhook_that_is_looked_up_is_parsed_once),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_CRIT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * All output of the courier about an account and a source's lookups: log lines, metrics, windows, outcomes, as in
 * tests/data/courier_report.txt. Time and the HTTP client are faked.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/backoff.h"
#include "base/metrics.h"
#include "courier/destination.h"
#include "fixtures/clock.h"
#include "fixtures/folder.h"
#include "fixtures/log.h"
#include "fixtures/shop_desk.h"

#define NOW INT64_C(1795276800000)  /* of the wall clock at the beginning of each scene */
#define MONO_BEGIN INT64_C(5000000) /* of the monotonic clock at the same moment */
#define SECOND CLOCK_SECOND_MS
#define MINUTE CLOCK_MINUTE_MS
#define HOUR CLOCK_HOUR_MS

#define KLAVIYO_JSON "application/vnd.api+json"
#define REFUSAL "{\"errors\":[{\"code\":\"x\",\"title\":\"No.\",\"detail\":\"Not like that.\"}]}"
#define CUSTOMER "{\"emails\":[\"jo@example.com\"]}"

#define GAUGES_MAX 64

/* One request that is in flight. */
struct exchange {
	struct exchange *next;
	http_done_fn done;
	void *ctx;
};

static struct world {
	struct buf seen;    /* of all scenes */
	struct buf counted; /* not in `seen` yet */
	struct {
		char *name;
		double value;
	} gauges[GAUGES_MAX];
	size_t gauges_n;
	char *folder;
	struct generation *g;
	struct destinations destinations;
	struct exchange *calls, **calls_end; /* oldest first */
	bool impossible;                     /* no transfer can be started */
	int64_t event;                       /* the last one */
	bool quiet;                          /* output is not recorded */
	const char *password;                /* of the source, as it is written */
} world;

/* ---- what is seen ------------------------------------------------------------------------------------------------ */

static void put(struct buf *to, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void put(struct buf *to, const char *fmt, va_list ap)
{
	CLEANUP(mem_freep) char *line = NULL;
	char *folder;

	assert_true(vasprintf(&line, fmt, ap) >= 0);
	while (world.folder && (folder = strstr(line, world.folder))) {
		memmove(folder, "FOLDER", 6);
		memmove(folder + 6, folder + strlen(world.folder), strlen(folder + strlen(world.folder)) + 1);
	}
	if (world.quiet)
		return;
	buf_adds(to, line);
	buf_adds(to, "\n");
}

/* A line of the log. */
static void see_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void see_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(&world.seen, fmt, ap);
	va_end(ap);
}

/* Counters come after the log line, because their order is not visible. */
static void see_count(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void see_count(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(&world.counted, fmt, ap);
	va_end(ap);
}

static const char *metric_name(enum metric m)
{
	const char *name, *type, *help;

	assert_true(metrics_describe((unsigned)m, &name, &type, &help));
	return name + strlen("deskbridge_");
}

/* Records the gauges that changed since the last call. */
static void see_gauge(void *ctx, const char *const labels[3], double value)
{
	enum metric m = *(const enum metric *)ctx;
	CLEANUP(mem_freep) char *name = mem_fmt("%s{%s,%s}", metric_name(m), labels[0], labels[1]);
	size_t i;

	for (i = 0; i < world.gauges_n && strcmp(world.gauges[i].name, name) != 0; i++)
		;
	assert_true(i < GAUGES_MAX);
	if (i == world.gauges_n)
		world.gauges[world.gauges_n++].name = mem_str(name);
	if (world.gauges[i].value == value)
		return;
	world.gauges[i].value = value;
	see_count("  %s = %.0f", name, value);
}

/* Records calls of the sink, and the actions of the scene. */
static void see(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void see(const char *fmt, ...)
{
	static enum metric gauges[] = {METRIC_ACCOUNT_PARKED, METRIC_LOOKUPS_PARKED};
	va_list ap;

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		metrics_each(gauges[i], see_gauge, &gauges[i]);
	if (world.counted.len > 0)
		buf_add(&world.seen, world.counted.data, world.counted.len);
	buf_clear(&world.counted);
	va_start(ap, fmt);
	put(&world.seen, fmt, ap);
	va_end(ap);
}

static void add(char **text, const char *name, const char *value)
{
	CLEANUP(mem_freep) char *before = *text;

	*text = value ? mem_fmt("%s %s=\"%s\"", before, name, value) : TAKE(before);
}

static void see_log(int level, const struct log_about *about, const char *message)
{
	static const char *const levels[] = {"", "", "", "error", "warning", "notice", "info", "debug"};
	CLEANUP(mem_freep) char *text = mem_fmt("  log %s: %s", levels[level], message);

	add(&text, "source", about->source);
	add(&text, "account", about->account);
	add(&text, "conversation", about->conversation);
	add(&text, "reason", about->reason);
	see_line("%s%s%s", text, about->webhook ? " webhook" : "", about->event ? " event" : "");
}

void __wrap_metrics_add(enum metric m, const char *label1, const char *label2, const char *label3, double n);
void __wrap_metrics_add(enum metric m, const char *label1, const char *label2, const char *label3, double n)
{
	see_count("  %s{%s,%s%s} + %.0f", metric_name(m), label1, label2 ? label2 : "", label3 ? label3 : "", n);
}

void __wrap_metrics_observe(enum metric m, double seconds);
void __wrap_metrics_observe(enum metric m, double seconds)
{
	see_count("  %s: %.2f", metric_name(m), seconds);
}

static void on_delivered(void *ctx, struct delivery *d)
{
	(void)ctx;
	if (d->returned)
		see("  event %d: returned", (int)d->event->id);
	else
		see("  event %d: %s%s%s", (int)d->event->id, outcome_name(d->verdict.outcome),
		    d->verdict.reason[0] == '\0' ? "" : ": ", d->verdict.reason);
	delivery_free(d);
}

static void on_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		      const char *reason)
{
	(void)ctx;
	if (kind == REPORT_ACCOUNT && strcmp(name, "shop") != 0)
		return;
	see("  window of %s %s: %u%s%s%s", kind == REPORT_ACCOUNT ? "account" : "lookups", name, window,
	    for_new ? " for new ones" : "", reason ? ": " : "", reason ? reason : "");
}

static void on_answer(void *ctx, struct lookup_answer *a)
{
	(void)ctx;
	see("  customer %s: %s%s%s", a->key, lookup_outcome_name(a->outcome), a->outcome == LOOKUP_FOUND ? "" : ": ",
	    a->outcome == LOOKUP_FOUND ? "" : a->reason.text);
	lookup_answer_done(a);
	free(a);
}

/* ---- the world around it ----------------------------------------------------------------------------------------- */

double __wrap_backoff_jitter(void);
double __wrap_backoff_jitter(void)
{
	return 0;
}

int __wrap_http_client_start(struct http_client *c, const struct http_request *ask, http_done_fn done, void *ctx,
			     struct err *reterr);
int __wrap_http_client_start(struct http_client *c, const struct http_request *ask, http_done_fn done, void *ctx,
			     struct err *reterr)
{
	struct exchange *call;

	(void)c;
	free(ask->body);
	if (world.impossible)
		return err_set(reterr, -EINVAL, "no request can be made of that URL");
	call = mem_new(1, sizeof(*call));
	call->done = done;
	call->ctx = ctx;
	*world.calls_end = call;
	world.calls_end = &call->next;
	return 0;
}

/* Answers the oldest request that is in flight. */
struct says {
	enum http_failure failure;
	const char *error;
	unsigned status;
	const char *type, *body, *header, *value, *header2, *value2;
};
static void answer_with(struct says a)
{
	struct exchange *call = world.calls;
	struct http_response reply = {.failure = a.failure, .status = a.status, .took_us = 50000};

	assert_non_null(call);
	world.calls = call->next;
	if (!world.calls)
		world.calls_end = &world.calls;
	buf_init(&reply.body, 65536);
	reply.type = mem_str(a.type);
	if (a.body)
		buf_adds(&reply.body, a.body);
	if (a.header)
		pairs_add(&reply.headers, a.header, a.value);
	if (a.header2)
		pairs_add(&reply.headers, a.header2, a.value2);
	if (a.error)
		(void)snprintf(reply.error, sizeof(reply.error), "%s", a.error);
	call->done(call->ctx, &reply);
	free(call);
	http_response_done(&reply);
}
#define ANSWER(...) answer_with((struct says){__VA_ARGS__})

static int64_t run(void)
{
	return destinations_run(&world.destinations, true, clocks.mono_ms);
}

/* Advances the time from one moment with work to the next. */
static void pass(int64_t ms)
{
	int64_t until_ms = clocks.mono_ms + ms;

	see("%d s pass", (int)(ms / 1000));
	for (;;) {
		int64_t next_ms = run();

		if (next_ms >= until_ms)
			break;
		clocks_advance(next_ms > clocks.mono_ms ? next_ms - clocks.mono_ms : 1);
	}
	clocks_advance(until_ms - clocks.mono_ms);
	(void)run();
}

static void take_generation(struct generation *g)
{
	destinations_generation(&world.destinations, g);
	generation_unref(world.g);
	world.g = g;
}

/* account: YAML of the account, without its end. */
static void reload(const char *account, const char *source)
{
	CLEANUP(mem_freep)
	char *klaviyo =
		mem_fmt("{accounts: {%s, url: \"http://127.0.0.1:9\"}, other: {api_key: {file: other}}}}", account);
	CLEANUP(mem_freep)
	char *lookup = mem_fmt("{base_url: \"http://127.0.0.1:9\", user: bot, password: %s}", world.password);

	take_generation(shop_desk_load(
		world.folder,
		&(struct shop_desk){.klaviyo = klaviyo, .source = source, .account = "other", .lookup = lookup}));
}

static void new_secret(const char *file, const char *value)
{
	see("another secret in %s", file);
	world.g = shop_desk_secret(world.g, world.folder, file, value);
	destinations_generation(&world.destinations, world.g);
}

#define SHOP "shop: {api_key: {file: key}"
#define DESK "desk"

static void same_again(void)
{
	see("a reload");
	reload(SHOP, DESK);
}

static void scene_with(const char *name, const char *account, const char *password)
{
	static const struct courier_sink sink = {on_delivered, on_window, on_answer, NULL, NULL};

	see("== %s", name);
	metrics_reset();
	while (world.gauges_n > 0)
		free(world.gauges[--world.gauges_n].name);
	memset(world.gauges, 0, sizeof(world.gauges));
	clocks_stop(NOW, MONO_BEGIN);
	log_line = see_log;
	world.password = password;
	world.calls_end = &world.calls;
	world.folder = folder_new();
	folder_write(world.folder, "key", "pk_first\n");
	folder_write(world.folder, "other", "pk_other\n");
	folder_write(world.folder, "token", "s3cret\n");
	destinations_init(&world.destinations, NULL, &sink, &(struct courier_options){0});
	reload(account, DESK);
}

static void scene(const char *name)
{
	scene_with(name, SHOP, "{file: token}");
}

static void scene_end(void)
{
	see("the end");
	destinations_close(&world.destinations);
	while (world.calls)
		ANSWER(.failure = HTTP_ABORTED);
	destinations_done(&world.destinations);
	generation_unref(world.g);
	world.g = NULL;
	folder_remove(world.folder);
	world.folder = NULL;
	see("%s", "");
}

/* Passes the next event of that person to the courier, and runs it. */
static void send(unsigned person)
{
	struct event *e = shop_desk_event(++world.event, person, "http://127.0.0.1:9");

	see("event %d of person %u", (int)e->id, person);
	destinations_send(&world.destinations, e);
	(void)run();
}

static void sent(unsigned person, struct says a)
{
	send(person);
	answer_with(a);
}
#define SENT(person, ...) sent(person, (struct says){__VA_ARGS__})

static void ask(const char *customer, bool is_new)
{
	see("customer %s%s", customer, is_new ? ", a new one" : "");
	destinations_lookup(&world.destinations, shop_desk_request(customer, is_new));
}

static void asked(const char *customer, bool is_new, struct says a)
{
	ask(customer, is_new);
	answer_with(a);
}
#define ASKED(customer, is_new, ...) asked(customer, is_new, (struct says){__VA_ARGS__})

#define ACCEPTED .status = 202
#define UNAUTHORISED .status = 401, .type = KLAVIYO_JSON, .body = REFUSAL
#define FOUND .status = 200, .type = "application/json", .body = CUSTOMER

/* ---- scenes: an account ------------------------------------------------------------------------------------------ */

static void account_is_parked(void)
{
	scene("account: parked, probed, parked for another reason, opened");
	SENT(1, UNAUTHORISED);
	pass(MINUTE);
	SENT(1, UNAUTHORISED);
	pass(2 * MINUTE);
	SENT(1, .status = 403, .type = KLAVIYO_JSON, .body = REFUSAL);
	pass(4 * MINUTE);
	SENT(1, .status = 410, .type = KLAVIYO_JSON, .body = REFUSAL);
	same_again();
	SENT(1, UNAUTHORISED);
	same_again();
	SENT(1, ACCEPTED);
	SENT(2, ACCEPTED);
	scene_end();

	scene("account: a burst, and a new key");
	SENT(1, ACCEPTED);
	for (unsigned i = 1; i <= 4; i++)
		send(i);
	ANSWER(UNAUTHORISED);
	ANSWER(UNAUTHORISED);
	ANSWER(ACCEPTED);
	new_secret("token", "another\n");
	new_secret("key", "pk_second\n");
	ANSWER(UNAUTHORISED);
	SENT(1, ACCEPTED);
	scene_end();

	scene("account: a URL that nothing can be sent to");
	world.impossible = true;
	send(1);
	world.impossible = false;
	same_again();
	SENT(1, ACCEPTED);
	scene_end();

	scene("account: odd answers");
	for (unsigned i = 1; i <= 3; i++)
		SENT(i, .status = 402, .type = KLAVIYO_JSON, .body = REFUSAL);
	pass(MINUTE);
	SENT(1, .status = 402, .type = KLAVIYO_JSON, .body = REFUSAL);
	pass(2 * MINUTE);
	SENT(1, ACCEPTED);
	for (int i = 0; i < 11; i++) {
		world.quiet = i > 0 && i < 8;
		world.event = 99;
		SENT(9, .status = 402, .type = KLAVIYO_JSON, .body = REFUSAL);
		world.event = 200 + i;
		SENT(1, ACCEPTED);
	}
	scene_end();

	scene("account: odd answers, while a 2xx is under way");
	SENT(1, ACCEPTED);
	for (unsigned i = 1; i <= 4; i++)
		send(i);
	for (unsigned i = 1; i <= 3; i++)
		ANSWER(.status = 402);
	ANSWER(ACCEPTED);
	scene_end();
}

static void account_is_paused(void)
{
	scene("account: pauses");
	SENT(1, .status = 429, .header = "Retry-After", .value = "30");
	pass(30 * SECOND);
	SENT(1, .status = 429, .header = "Retry-After", .value = "120");
	pass(2 * MINUTE);
	SENT(1, ACCEPTED);
	SENT(1, .status = 429, .header = "Retry-After", .value = "99999999");
	same_again();
	send(1);
	send(2);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	(void)run();
	pass(2 * MINUTE);
	ANSWER(ACCEPTED);
	(void)run();
	scene_end();

	scene("account: a longer pause, and a park in it");
	SENT(1, ACCEPTED);
	for (unsigned i = 1; i <= 3; i++)
		send(i);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	pass(SECOND);
	ANSWER(.status = 429, .header = "Retry-After", .value = "600");
	ANSWER(UNAUTHORISED);
	pass(MINUTE);
	new_secret("key", "pk_second\n");
	scene_end();

	scene("account: a quota that is used up");
	SENT(1, ACCEPTED, .header = "RateLimit-Remaining", .value = "0", .header2 = "RateLimit-Reset",
	     .value2 = "99999999");
	pass(2 * HOUR);
	SENT(1, ACCEPTED);
	scene_end();

	scene("account: a 503 that asks for a wait");
	SENT(1, .status = 503, .header = "Retry-After", .value = "30");
	SENT(1, .status = 503, .header = "Retry-After", .value = "120");
	SENT(2, .status = 503, .header = "Retry-After", .value = "120");
	pass(2 * MINUTE);
	SENT(1, .status = 503, .header = "Retry-After", .value = "99999999");
	scene_end();
}

static void account_is_in_trouble(void)
{
	scene("account: trouble");
	for (unsigned i = 1; i <= 6; i++)
		SENT(i, .status = 503);
	SENT(1, ACCEPTED);
	SENT(1, ACCEPTED);
	SENT(1, .failure = HTTP_BROKEN, .error = "the connection was reset");
	pass(30 * SECOND);
	SENT(1, .failure = HTTP_ISSUER, .error = "who is that");
	SENT(1, .failure = HTTP_TOO_LONG, .status = 202);
	for (unsigned i = 1; i <= 5; i++)
		SENT(i, .status = 503);
	new_secret("key", "pk_second\n");
	SENT(1, ACCEPTED);
	scene_end();

	scene("account: trouble while it is parked");
	SENT(1, UNAUTHORISED);
	same_again();
	for (unsigned i = 1; i <= 5; i++)
		SENT(i, .status = 503);
	SENT(1, ACCEPTED);
	scene_end();
}

static void account_is_configured(void)
{
	scene("account: what comes back else");
	SENT(1, .status = 400, .type = KLAVIYO_JSON, .body = REFUSAL);
	SENT(1, ACCEPTED, .header = "X-Klaviyo-Partial-Failure", .value = "phone_number");
	scene_end();

	scene_with("account: on hold", SHOP ", hold: true", "{file: token}");
	send(1);
	same_again();
	SENT(1, ACCEPTED);
	SENT(1, UNAUTHORISED);
	see("on hold");
	reload(SHOP ", hold: true", DESK);
	see("no more");
	reload(SHOP, DESK);
	SENT(1, ACCEPTED);
	scene_end();

	scene_with("account and lookups: no value of the secrets is known", "shop: {api_key: {credential: shop}",
		   "{credential: desk}");
	send(1);
	ask("1", true);
	scene_end();

	scene("account: gone while it is parked and paused");
	SENT(1, ACCEPTED);
	for (unsigned i = 1; i <= 3; i++)
		send(i);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	ANSWER(UNAUTHORISED);
	see("gone");
	reload("shop2: {api_key: {file: key}", DESK);
	ANSWER(ACCEPTED);
	send(1);
	same_again();
	SENT(1, ACCEPTED);
	scene_end();
}

/* ---- scenes: a source's lookups ---------------------------------------------------------------------------------- */

static void lookups_are_parked(void)
{
	scene("lookups: parked, probed, parked for another reason, opened");
	ASKED("1", true, FOUND);
	ASKED("1", true, .status = 401);
	ask("2", false);
	ASKED("2", true, .status = 401);
	pass(MINUTE);
	ASKED("1", false, .status = 401);
	pass(2 * MINUTE);
	ASKED("1", false, .status = 200, .type = "text/html", .body = "<html>");
	same_again();
	ASKED("1", false, .status = 401);
	same_again();
	ASKED("1", false, FOUND);
	ASKED("2", false, .status = 404, .type = "application/json", .body = "{}");
	scene_end();

	scene("lookups: a burst, and another password");
	for (unsigned i = 1; i <= 4; i++)
		ask("1", true);
	ANSWER(.status = 401);
	ANSWER(.status = 401);
	ANSWER(FOUND);
	ANSWER(.status = 401);
	ASKED("1", true, .status = 401);
	new_secret("key", "pk_second\n");
	ask("1", true);
	new_secret("token", "another\n");
	ANSWER(.status = 401);
	ASKED("1", true, FOUND);
	scene_end();

	scene("lookups: nobody is known before anything worked");
	ASKED("1", true, .status = 404, .type = "application/json", .body = "{}");
	ASKED("2", true, FOUND);
	ASKED("1", true, .status = 404, .type = "application/json", .body = "{}");
	scene_end();

	scene("lookups: odd answers");
	for (unsigned i = 1; i <= 3; i++)
		ASKED(i == 1 ? "1" : i == 2 ? "2" : "3", true, .failure = HTTP_TOO_LONG, .status = 200);
	pass(MINUTE);
	ASKED("1", false, .status = 403, .type = "application/json", .body = "{}");
	pass(2 * MINUTE);
	ASKED("1", false, .status = 503);
	ASKED("1", false, FOUND);
	world.impossible = true;
	ask("4", true);
	world.impossible = false;
	scene_end();
}

static void lookups_are_paused(void)
{
	scene("lookups: pauses");
	ASKED("1", true, .status = 429, .header = "Retry-After", .value = "30");
	ask("1", false);
	pass(30 * SECOND);
	ASKED("1", true, .status = 429);
	pass(SECOND);
	ASKED("1", true, .status = 429, .header = "Retry-After", .value = "120");
	pass(2 * MINUTE);
	ASKED("1", true, .status = 429, .header = "Retry-After", .value = "99999999");
	same_again();
	ASKED("1", true, FOUND);
	ask("1", true);
	ask("2", true);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	pass(SECOND);
	ANSWER(.status = 429, .header = "Retry-After", .value = "600");
	pass(HOUR);
	scene_end();

	scene("lookups: parked in a pause");
	for (unsigned i = 1; i <= 3; i++)
		ask("1", true);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	ANSWER(.status = 401);
	pass(MINUTE);
	ANSWER(FOUND);
	pass(MINUTE);
	scene_end();
}

static void lookups_are_in_trouble(void)
{
	scene("lookups: trouble");
	for (int i = 0; i < 6; i++)
		ASKED("1", true, .status = 503, .header = i == 0 ? "Retry-After" : NULL, .value = "120");
	ASKED("1", true, FOUND);
	ASKED("1", true, FOUND);
	for (int i = 0; i < 4; i++)
		ASKED("1", true, .failure = HTTP_BROKEN, .error = "the connection was reset");
	ASKED("1", true, .failure = HTTP_ISSUER, .error = "who is that");
	same_again();
	ASKED("1", true, FOUND);
	scene_end();
}

static void lookups_are_configured(void)
{
	scene("lookups: the source is gone while it is parked and paused");
	ASKED("1", true, FOUND);
	for (unsigned i = 1; i <= 3; i++)
		ask("1", true);
	ANSWER(.status = 429, .header = "Retry-After", .value = "120");
	ANSWER(.status = 401);
	see("gone");
	reload(SHOP, "desk2");
	ask("1", true);
	ANSWER(FOUND);
	same_again();
	ASKED("1", true, FOUND);
	ask("1", true);
	scene_end();
}

/* ---- against what is written ------------------------------------------------------------------------------------- */

static char *written(void)
{
	const char *tests = getenv("TEST_SRCDIR");
	CLEANUP(mem_freep) char *path = mem_fmt("%s/data/courier_report.txt", tests ? tests : "tests");
	FILE *from = fopen(path, "re");
	char *text = mem_new(1, 1 << 20);

	assert_non_null(from);
	(void)fread(text, 1, (1 << 20) - 1, from);
	assert_int_equal(fclose(from), 0);
	return text;
}

/* DESKBRIDGE_TEST_SHOW=1 prints all of it, for a reader or for the file. */
static void all_that_is_given_out_is_as_written(void **state)
{
	CLEANUP(mem_freep) char *is = written();
	const char *was = is;
	unsigned line = 1;
	const char *now;

	(void)state;
	buf_init(&world.seen, 1 << 20);
	buf_init(&world.counted, 1 << 20);
	account_is_parked();
	account_is_paused();
	account_is_in_trouble();
	account_is_configured();
	lookups_are_parked();
	lookups_are_paused();
	lookups_are_in_trouble();
	lookups_are_configured();
	buf_adds(&world.seen, "");
	now = world.seen.data;
	if (getenv("DESKBRIDGE_TEST_SHOW"))
		(void)fputs(now, stderr);
	for (;; line++) {
		size_t was_len = strcspn(was, "\n");
		size_t now_len = strcspn(now, "\n");

		if (was_len != now_len || strncmp(was, now, was_len) != 0)
			fail_msg("courier_report.txt, line %u: written \"%.*s\", given out \"%.*s\"", line,
				 (int)was_len, was, (int)now_len, now);
		if (was[was_len] == '\0' || now[now_len] == '\0')
			break;
		was += was_len + 1;
		now += now_len + 1;
	}
	assert_string_equal(was + strcspn(was, "\n"), now + strcspn(now, "\n"));
	buf_done(&world.seen);
	buf_done(&world.counted);
	while (world.gauges_n > 0)
		free(world.gauges[--world.gauges_n].name);
}

int main(void)
{
	static char shop[] = "shop", desk[] = "desk";
	static const struct secret_passed passed[] = {{shop, NULL}, {desk, NULL}};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_given_out_is_as_written),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_DEBUG, false);
	secret_set_passed(passed, 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

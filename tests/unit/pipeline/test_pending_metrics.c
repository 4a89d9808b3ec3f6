/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/log.h"
#include "fixtures/yaml.h"

#include "base/buf.h"
#include "pipeline/pending_metrics.h"

static struct buf logged; /* of all lines: "LEVEL SOURCE REASON: MESSAGE\n" */

static void add_line(int level, const struct log_about *about, const char *message)
{
	buf_addf(&logged, "%s %s %s: %s\n", level == LOG_WARNING ? "warning" : "notice", about->source, about->reason,
		 message);
}

static int setup(void **state)
{
	(void)state;
	metrics_reset();
	buf_init(&logged, 1 << 16);
	log_line = add_line;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&logged);
	return 0;
}

static void note(struct pending_metrics *t, const char *source, const char *text)
{
	struct addresses a = {0};

	(void)addresses_add(&a, text, false);
	pending_log_refused(t, &(struct log_about){.source = source, .reason = "not looked at"}, &a);
	addresses_done(&a);
}

static void assert_logged(const char *lines)
{
	assert_string_equal(logged.data, lines);
	buf_clear(&logged);
}

static double counted(const char *source, const char *reason)
{
	return metrics_get(METRIC_ADDRESSES_REFUSED, source, reason, NULL);
}

static void what_is_no_address_is_counted_and_logged_by_its_reason(void **state)
{
	struct pending_metrics t = {0};

	(void)state;
	note(&t, "desk", "jo@example.com, kim@example, +49 170 1234567; al@localhost");
	assert_logged("");
	pending_metrics_publish(&t, 1000);
	assert_logged(
		"notice desk no at sign: a text is no address and was passed over: ***\n"
		"notice desk no domain dot: a text is no address and was passed over: k***@example (2 of them)\n");
	assert_float_equal(counted("desk", "no at sign"), 1, 0);
	assert_float_equal(counted("desk", "no domain dot"), 2, 0);
	assert_float_equal(counted("desk", "bad domain"), 0, 0);
	note(&t, "desk", "jo@example.com");
	note(&t, "desk", NULL);
	note(&t, "desk", " ");
	pending_metrics_publish(&t, 2000);
	assert_logged("");
	pending_metrics_done(&t);
}

static void repeats_are_counted_into_the_next_line(void **state)
{
	struct pending_metrics t = {0};

	(void)state;
	note(&t, "desk", "jo");
	note(&t, "desk", "al");
	pending_metrics_publish(&t, 1000);
	assert_logged("notice desk no at sign: a text is no address and was passed over: ***\n");
	note(&t, "desk", "x");
	note(&t, "other", "x");  /* another source */
	note(&t, "desk", "x@y"); /* another reason */
	pending_metrics_publish(&t, 1000 + PENDING_RARE_MS - 1);
	assert_logged("notice other no at sign: a text is no address and was passed over: ***\n"
		      "notice desk no domain dot: a text is no address and was passed over: x***@y\n");
	note(&t, "desk", "x");
	pending_metrics_publish(&t, 1000 + PENDING_RARE_MS);
	assert_logged("notice desk no at sign: a text is no address and was passed over: *** (and 2 more before it)\n");
	note(&t, "desk", "x");
	pending_metrics_publish(&t, 1000 + 2 * PENDING_RARE_MS);
	assert_logged("notice desk no at sign: a text is no address and was passed over: ***\n");
	assert_float_equal(counted("desk", "no at sign"), 5, 0);
	pending_metrics_done(&t);
}

/* A turn that is repeated logs once. */
static void what_is_rolled_back_is_no_repeat(void **state)
{
	struct pending_metrics t = {0};

	(void)state;
	pending_metrics_savepoint(&t);
	note(&t, "desk", "jo");
	pending_metrics_undo(&t);
	pending_metrics_publish(&t, 1000);
	note(&t, "desk", "jo");
	pending_metrics_drop(&t);
	assert_logged("");
	note(&t, "desk", "jo");
	pending_metrics_publish(&t, 1000);
	assert_logged("notice desk no at sign: a text is no address and was passed over: ***\n");
	assert_float_equal(counted("desk", "no at sign"), 1, 0);
	pending_metrics_done(&t);
}

static void addresses_beyond_the_most_are_counted_and_logged(void **state)
{
	struct pending_metrics t = {0};
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 16);
	for (int i = 0; i < ADDRESSES_MAX + 1; i++)
		buf_addf(&text, "jo%d@example.com;", i);
	note(&t, "desk", text.data);
	pending_metrics_publish(&t, 1000);
	assert_logged("warning desk too many: 1 address was left out: a customer has at most 32 here\n");
	buf_adds(&text, "x@example.com, y@example.com, jo0@example.com");
	note(&t, "other", text.data);
	pending_metrics_publish(&t, 1000);
	assert_logged("warning other too many: 3 addresses were left out: a customer has at most 32 here\n");
	assert_float_equal(counted("desk", ADDRESSES_TOO_MANY), 1, 0);
	assert_float_equal(counted("other", ADDRESSES_TOO_MANY), 3, 0);
	buf_done(&text);
	pending_metrics_done(&t);
}

/* A series may stay from turn to turn; its count does not. */
static void each_turn_counts_from_nothing(void **state)
{
	struct pending_metrics t = {0};
	char reason[16];

	(void)state;
	for (unsigned turn = 1; turn <= 3; turn++) {
		pending_metrics_add(&t, METRIC_WEBHOOK_RESULTS, "desk", "events", NULL);
		pending_metrics_savepoint(&t);
		pending_metrics_add_many(&t, METRIC_WEBHOOK_RESULTS, "desk", "events", NULL, 5);
		pending_metrics_add(&t, METRIC_WEBHOOK_RESULTS, "desk", "nothing", NULL);
		pending_metrics_undo(&t);
		pending_metrics_publish(&t, 1000);
		assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "events", NULL), turn, 0);
		assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "nothing", NULL), 0, 0);
		/* An undo before the first savepoint of a turn gives nothing. */
		pending_metrics_add(&t, METRIC_WEBHOOK_RESULTS, "desk", "events", NULL);
		pending_metrics_undo(&t);
		pending_metrics_publish(&t, 1000);
		pending_metrics_add(&t, METRIC_WEBHOOK_RESULTS, "desk", "events", NULL);
		pending_metrics_drop(&t);
		pending_metrics_publish(&t, 1000);
		assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "events", NULL), turn, 0);
	}
	/* A turn with many series leaves none behind. */
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(reason, sizeof(reason), "reason %u", i);
		pending_metrics_add(&t, METRIC_WEBHOOK_RESULTS, "desk", reason, NULL);
	}
	pending_metrics_publish(&t, 1000);
	assert_int_equal(t.counts_n, 0);
	assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "reason 99", NULL), 1, 0);
	pending_metrics_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_no_address_is_counted_and_logged_by_its_reason, setup,
						teardown),
		cmocka_unit_test_setup_teardown(repeats_are_counted_into_the_next_line, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_rolled_back_is_no_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(each_turn_counts_from_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_beyond_the_most_are_counted_and_logged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/known_secrets.h"
#include "base/metrics.h"
#include "base/thread.h"

static int reset(void **state)
{
	(void)state;
	metrics_reset();
	return 0;
}

static char *rendered(void)
{
	struct buf b;

	buf_init(&b, 4 << 20);
	metrics_render(&b);
	return buf_take(&b);
}

static void assert_has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("not there: %s\nin:\n%s", line, text);
}

static void unlabelled_metrics_and_histograms_are_there_from_the_start(void **state)
{
	char *text = rendered();

	(void)state;
	assert_has(text, "# TYPE deskbridge_webhooks_total counter\n");
	assert_has(text, "# TYPE deskbridge_queue_events gauge\n");
	assert_has(text, "# TYPE deskbridge_commit_seconds histogram\n");
	assert_has(text, "\ndeskbridge_store_bytes 0\n");
	assert_has(text, "\ndeskbridge_commit_seconds_bucket{le=\"+Inf\"} 0\n");
	assert_has(text, "\ndeskbridge_delivery_seconds_sum 0\n");
	assert_has(text, "\ndeskbridge_lag_seconds_count 0\n");
	assert_null(strstr(text, "deskbridge_webhooks_total{"));
	free(text);
}

static void every_metric_has_name_type_and_help(void **state)
{
	char *text = rendered();
	const char *name;
	const char *type;
	const char *help;
	char line[200];
	unsigned n;

	(void)state;
	for (n = 0; metrics_describe(n, &name, &type, &help); n++) {
		assert_memory_equal(name, "deskbridge_", 11);
		(void)snprintf(line, sizeof(line), "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
		assert_has(text, line);
		/* Prometheus: counters end in _total, and nothing else does. */
		assert_int_equal(strcmp(type, "counter") == 0, strstr(name, "_total") != NULL);
	}
	assert_int_equal(n, METRIC_MAX_);
	free(text);
}

static void series_count_apart_by_their_labels(void **state)
{
	char *text;

	(void)state;
	metrics_add(METRIC_DELIVERIES, "default", "single", "delivered", 2);
	metrics_add(METRIC_DELIVERIES, "default", "single", "retry", 1);
	metrics_add(METRIC_DELIVERIES, "default", "single", "delivered", 3);
	metrics_set(METRIC_STORE_BYTES, NULL, NULL, NULL, 4294967296.0);
	metrics_set(METRIC_QUEUE_OLDEST_SECONDS, "default", NULL, NULL, 0.25);
	assert_true(metrics_get(METRIC_DELIVERIES, "default", "single", "delivered") == 5);
	assert_true(metrics_get(METRIC_DELIVERIES, "default", "single", "reject") == 0);
	text = rendered();
	assert_has(text,
		   "# TYPE deskbridge_deliveries_total counter\n"
		   "deskbridge_deliveries_total{account=\"default\",lane=\"single\",outcome=\"delivered\"} 5\n"
		   "deskbridge_deliveries_total{account=\"default\",lane=\"single\",outcome=\"retry\"} 1\n# HELP");
	assert_has(text, "\ndeskbridge_store_bytes 4294967296\n");
	assert_has(text, "\ndeskbridge_queue_oldest_seconds{account=\"default\"} 0.25\n");
	free(text);
}

static void add_series(void *ctx, const char *const labels[3], double value)
{
	char *to = ctx;

	assert_null(labels[2]);
	(void)snprintf(to + strlen(to), 200 - strlen(to), "%s %s %.0f; ", labels[0], labels[1], value);
}

static void the_series_of_one_metric_are_told_in_order(void **state)
{
	char to[200] = "";

	(void)state;
	metrics_each(METRIC_WEBHOOKS, add_series, to);
	assert_string_equal(to, "");
	metrics_add(METRIC_WEBHOOKS, "gladly", "accepted", NULL, 2);
	metrics_add(METRIC_EVENTS, "default", "m", NULL, 1);
	metrics_add(METRIC_WEBHOOKS, NULL, "unknown path", NULL, 1);
	metrics_add(METRIC_WEBHOOKS, "gladly", "accepted", NULL, 1);
	metrics_each(METRIC_WEBHOOKS, add_series, to);
	assert_string_equal(to, "gladly accepted 3;  unknown path 1; ");
}

static void label_values_are_escaped(void **state)
{
	char *text;

	(void)state;
	metrics_add(METRIC_EVENTS, "a\"b", "c\\d\ne", NULL, 1);
	text = rendered();
	assert_has(text, "\ndeskbridge_events_total{account=\"a\\\"b\",metric=\"c\\\\d\\\\x0ae\"} 1\n");
	free(text);
}

static void labels_hold_no_secret_no_address_and_no_control(void **state)
{
	static const char *const secrets[] = {"the-secret-key"};
	char *text;
	char longest[1000];

	(void)state;
	known_secrets_add(secrets, 1);
	metrics_add(METRIC_EVENTS, "default", "to jane.doe@example.com", NULL, 1);
	metrics_add(METRIC_EVENTS, "default", "to jane.roe%40example.com", NULL, 1);
	metrics_add(METRIC_EVENTS, "default", "\x1b[2J \xc2\x9b \xe2\x80\xae \xff the%2dsecret%2Dkey", NULL, 1);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	metrics_add(METRIC_EVENTS, "default", longest, NULL, 1);
	text = rendered();
	/* Labels that are written alike are one series: Prometheus refuses a text with one series twice. */
	assert_has(text, "\ndeskbridge_events_total{account=\"default\",metric=\"to j***@example.com\"} 2\n");
	assert_has(text, ",metric=\"\\\\x1b[2J \\\\u009b \\\\u202e \\\\xff [secret]\"} 1\n");
	assert_null(strstr(text, "jane"));
	longest[300] = '\0';
	assert_null(strstr(text, longest));
	free(text);
	known_secrets_forget();
}

static void names_beyond_the_bound_are_counted_as_other(void **state)
{
	char *text;
	char name[64];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < METRICS_BOUNDED_MAX + 50; i++) {
			(void)snprintf(name, sizeof(name), "metric %d", i);
			metrics_add(METRIC_EVENTS, i % 2 ? "default" : "second", name, NULL, 1);
		}
	}
	metrics_add(METRIC_EVENTS, "second", "metric 1", NULL, 1); /* a known name, of another account */
	assert_true(metrics_get(METRIC_EVENTS, "second", "metric 1", NULL) == 1);
	assert_true(metrics_get(METRIC_EVENTS, "default", "other", NULL) == 50);
	assert_true(metrics_get(METRIC_EVENTS, "second", "other", NULL) == 50);
	(void)snprintf(name, sizeof(name), "\"metric %d\"", METRICS_BOUNDED_MAX - 1);
	text = rendered();
	assert_has(text, name);
	(void)snprintf(name, sizeof(name), "\"metric %d\"", METRICS_BOUNDED_MAX);
	assert_null(strstr(text, name));
	free(text);
	/* Other labels have no such bound: there are as many sources as are configured. */
	for (int i = 0; i < METRICS_BOUNDED_MAX + 50; i++) {
		(void)snprintf(name, sizeof(name), "source %d", i);
		metrics_add(METRIC_WEBHOOKS, name, "accepted", NULL, 1);
	}
	assert_true(metrics_get(METRIC_WEBHOOKS, name, "accepted", NULL) == 1);
}

static void histograms_are_cumulative_with_inclusive_bounds(void **state)
{
	char *text;

	(void)state;
	metrics_observe(METRIC_DELIVERY_SECONDS, 0.01); /* on the bound */
	metrics_observe(METRIC_DELIVERY_SECONDS, 0.011);
	metrics_observe(METRIC_DELIVERY_SECONDS, 1000);
	metrics_observe(METRIC_DELIVERY_SECONDS, -3); /* a helpdesk's clock is ahead of ours */
	text = rendered();
	assert_has(text, "\ndeskbridge_delivery_seconds_bucket{le=\"0.01\"} 2\n"
			 "deskbridge_delivery_seconds_bucket{le=\"0.025\"} 3\n");
	assert_has(text, "\ndeskbridge_delivery_seconds_bucket{le=\"30\"} 3\n"
			 "deskbridge_delivery_seconds_bucket{le=\"+Inf\"} 4\n"
			 "deskbridge_delivery_seconds_sum 1000.021\n"
			 "deskbridge_delivery_seconds_count 4\n");
	free(text);
}

static void past_the_bound_series_run_together_as_other(void **state)
{
	unsigned lines = 0;
	char *text;
	char name[32];

	(void)state;
	for (int i = 0; i < 6000; i++) {
		(void)snprintf(name, sizeof(name), "source %d", i);
		metrics_add(METRIC_WEBHOOKS, name, "accepted", NULL, 1);
	}
	metrics_observe(METRIC_LAG_SECONDS, 1); /* a metric without labels always has its series */
	text = rendered();
	for (char *at = text; (at = strstr(at, "\ndeskbridge_webhooks_total{")); at++)
		lines++;
	assert_in_range(lines, 4000, 4097);
	assert_true(metrics_get(METRIC_WEBHOOKS, "other", "other", NULL) == 6000 - (lines - 1));
	assert_has(text, "\ndeskbridge_lag_seconds_count 1\n");
	metrics_add(METRIC_WEBHOOKS, "source 0", "accepted", NULL, 1);
	assert_true(metrics_get(METRIC_WEBHOOKS, "source 0", "accepted", NULL) == 2);
	free(text);
}

static void *count_much(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		metrics_add(METRIC_WEBHOOKS, "gladly", (i & 1) ? arg : "accepted", NULL, 1);
		metrics_observe(METRIC_COMMIT_SECONDS, 0.001);
		if (i % 500 == 0)
			free(rendered());
	}
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	static char results[4][8] = {"one", "two", "three", "four"};
	pthread_t threads[4];
	char *text;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		thread_start(&threads[i], "count", count_much, results[i]);
	for (unsigned i = 0; i < 4; i++)
		thread_join(threads[i]);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "accepted", NULL) == 4000);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "three", NULL) == 1000);
	text = rendered();
	assert_has(text, "\ndeskbridge_commit_seconds_count 8000\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unlabelled_metrics_and_histograms_are_there_from_the_start, reset),
		cmocka_unit_test_setup(every_metric_has_name_type_and_help, reset),
		cmocka_unit_test_setup(series_count_apart_by_their_labels, reset),
		cmocka_unit_test_setup(the_series_of_one_metric_are_told_in_order, reset),
		cmocka_unit_test_setup(label_values_are_escaped, reset),
		cmocka_unit_test_setup(labels_hold_no_secret_no_address_and_no_control, reset),
		cmocka_unit_test_setup(names_beyond_the_bound_are_counted_as_other, reset),
		cmocka_unit_test_setup(histograms_are_cumulative_with_inclusive_bounds, reset),
		cmocka_unit_test_setup(past_the_bound_series_run_together_as_other, reset),
		cmocka_unit_test_setup(threads_lose_no_count, reset),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	metrics_reset();
	return failed;
}

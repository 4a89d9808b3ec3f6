/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/health.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/metrics.h"
#include "pipeline/pending_metrics.h"

static void alive_means_that_both_loops_answered(void **state)
{
	struct health *h = health_new();

	(void)state;
	assert_false(health_is_alive(h, 1));
	health_alive(h, HEALTH_COURIER, 1);
	assert_false(health_is_alive(h, 1));
	health_alive(h, HEALTH_PIPELINE, 1);
	assert_true(health_is_alive(h, 1));
	assert_false(health_is_alive(h, 2));
	health_free(h);
}

static void a_disk_call_counts_as_alive_for_the_pipeline_only(void **state)
{
	struct health *h = health_new();

	(void)state;
	health_disk(h, true);
	assert_false(health_is_alive(h, 1));
	health_alive(h, HEALTH_COURIER, 1);
	assert_true(health_is_alive(h, 1));
	health_disk(h, false);
	assert_false(health_is_alive(h, 1));
	health_free(h);
}

static void not_ready_says_why_and_stopping_is_never_ready(void **state)
{
	struct health *h = health_new();
	struct err why = {.code = -ENOSPC, .text = "full"};
	struct err got;

	(void)state;
	assert_true(health_is_ready(h));
	health_set(h, HEALTH_STORE_SIZE, &why);
	assert_false(health_is_ready(h));
	health_why_not(h, &got);
	assert_int_equal(got.code, -ENOSPC);
	assert_string_equal(got.text, "full");
	health_set(h, HEALTH_STORE_SIZE, NULL);
	assert_true(health_is_ready(h));
	health_stop(h);
	health_set(h, HEALTH_STORE_SIZE, NULL);
	assert_false(health_is_ready(h));
	health_why_not(h, &got);
	assert_non_null(strstr(got.text, "stopping"));
	health_free(h);
}

/* With causes set and cleared in any order: ready only without a cause, and the latest one gives the reason. */
static void it_is_ready_only_where_no_cause_stands(void **state)
{
	static const struct err whys[HEALTH_CAUSES] = {{.code = -EAGAIN, .text = "clock"},
						       {.code = -EIO, .text = "commit"},
						       {.code = -ENOSPC, .text = "room"}};
	struct health *h = health_new();
	struct err got;

	(void)state;
	for (unsigned first = 0; first < HEALTH_CAUSES; first++)
		for (unsigned step = 1; step < HEALTH_CAUSES; step++) {
			unsigned second = (first + step) % HEALTH_CAUSES;
			unsigned third = HEALTH_CAUSES - first - second;

			health_set(h, (enum health_cause)first, &whys[first]);
			health_set(h, (enum health_cause)second, &whys[second]);
			health_set(h, (enum health_cause)third, &whys[third]);
			/* Setting it again does not make it later. */
			health_set(h, (enum health_cause)first, &whys[first]);
			health_why_not(h, &got);
			assert_string_equal(got.text, whys[third].text);
			health_set(h, (enum health_cause)second, NULL);
			health_why_not(h, &got);
			assert_string_equal(got.text, whys[third].text);
			health_set(h, (enum health_cause)third, NULL);
			assert_false(health_is_ready(h));
			health_why_not(h, &got);
			assert_string_equal(got.text, whys[first].text);
			health_set(h, (enum health_cause)first, NULL);
			assert_true(health_is_ready(h));
		}
	health_free(h);
}

static bool has_news(struct health *h)
{
	struct pollfd fd = {.fd = health_news_fd(h), .events = POLLIN};
	bool has = poll(&fd, 1, 0) == 1;

	health_read_news(h);
	return has;
}

static void what_changes_is_news_and_what_stays_is_not(void **state)
{
	struct err full = {.code = -ENOSPC, .text = "full"};
	struct err gone = {.code = -EIO, .text = "gone"};
	struct health *h = health_new();

	(void)state;
	assert_false(has_news(h));
	health_set(h, HEALTH_COMMIT, NULL);
	health_park(h, "account", "default", NULL);
	assert_false(has_news(h));
	health_set(h, HEALTH_COMMIT, &full);
	assert_true(has_news(h));
	health_set(h, HEALTH_COMMIT, &full);
	assert_false(has_news(h));
	health_set(h, HEALTH_COMMIT, &gone);
	assert_true(has_news(h));
	health_set(h, HEALTH_COMMIT, NULL);
	assert_true(has_news(h));
	health_park(h, "account", "default", "401");
	assert_true(has_news(h));
	health_park(h, "account", "default", "401");
	assert_false(has_news(h));
	health_park(h, "account", "default", "403");
	assert_true(has_news(h));
	health_park(h, "account", "default", NULL);
	assert_true(has_news(h));
	health_free(h);
}

static void list_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	char *text = ctx;

	(void)snprintf(text + strlen(text), 256 - strlen(text), "%s %s: %s; ", kind, name, reason);
}

static void what_is_parked_is_there_once_with_its_latest_reason(void **state)
{
	struct health *h = health_new();
	char text[256] = "";

	(void)state;
	health_park(h, "account", "default", "401");
	health_park(h, "account", "default", "on hold");
	health_park(h, "lookups", "default", "401");
	health_park(h, "account", "other", NULL);
	health_parked(h, list_parked, text);
	assert_string_equal(text, "lookups default: 401; account default: on hold; ");
	health_park(h, "account", "default", NULL);
	health_park(h, "lookups", "default", NULL);
	text[0] = '\0';
	health_parked(h, list_parked, text);
	assert_string_equal(text, "");
	health_free(h);
}

static void a_turns_counts_are_published_once_or_dropped(void **state)
{
	struct pending_metrics t = {0};

	(void)state;
	metrics_reset();
	pending_metrics_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	pending_metrics_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	pending_metrics_add(&t, METRIC_WEBHOOKS, "gladly", "settled", NULL);
	pending_metrics_drop(&t);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "events", NULL) == 0);
	pending_metrics_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	pending_metrics_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	pending_metrics_add(&t, METRIC_EVENTS, "default", "started", NULL);
	pending_metrics_publish(&t, 0);
	pending_metrics_publish(&t, 0);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "events", NULL) == 2);
	assert_true(metrics_get(METRIC_EVENTS, "default", "started", NULL) == 1);
	pending_metrics_done(&t);
	metrics_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alive_means_that_both_loops_answered),
		cmocka_unit_test(a_disk_call_counts_as_alive_for_the_pipeline_only),
		cmocka_unit_test(it_is_ready_only_where_no_cause_stands),
		cmocka_unit_test(what_changes_is_news_and_what_stays_is_not),
		cmocka_unit_test(not_ready_says_why_and_stopping_is_never_ready),
		cmocka_unit_test(what_is_parked_is_there_once_with_its_latest_reason),
		cmocka_unit_test(a_turns_counts_are_published_once_or_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include "pipeline/tally.h"

static void alive_means_that_both_loops_answered(void **state)
{
	struct health *s = health_new();

	(void)state;
	assert_false(health_is_alive(s, 1));
	health_courier_alive(s, 1);
	assert_false(health_is_alive(s, 1));
	health_pipeline_alive(s, 1);
	assert_true(health_is_alive(s, 1));
	assert_false(health_is_alive(s, 2));
	health_free(s);
}

static void a_disk_call_counts_as_alive_for_the_pipeline_only(void **state)
{
	struct health *s = health_new();

	(void)state;
	health_disk(s, true);
	assert_false(health_is_alive(s, 1));
	health_courier_alive(s, 1);
	assert_true(health_is_alive(s, 1));
	health_disk(s, false);
	assert_false(health_is_alive(s, 1));
	health_free(s);
}

static void not_ready_says_why_and_stopping_is_never_ready(void **state)
{
	struct health *s = health_new();
	struct err why = {.code = -ENOSPC, .text = "full"}, told;

	(void)state;
	assert_true(health_is_ready(s));
	assert_true(health_set_ready(s, &why));
	assert_false(health_set_ready(s, &why));
	assert_false(health_is_ready(s));
	health_why_not(s, &told);
	assert_string_equal(told.text, "full");
	assert_true(health_set_ready(s, NULL));
	assert_true(health_is_ready(s));
	health_stop(s);
	(void)health_set_ready(s, NULL);
	assert_false(health_is_ready(s));
	health_why_not(s, &told);
	assert_non_null(strstr(told.text, "stopping"));
	health_free(s);
}

static bool has_news(struct health *s)
{
	struct pollfd fd = {.fd = health_news_fd(s), .events = POLLIN};
	bool has = poll(&fd, 1, 0) == 1;

	health_read_news(s);
	return has;
}

static void what_changes_is_news_and_what_stays_is_not(void **state)
{
	struct err full = {.code = -ENOSPC, .text = "full"}, gone = {.code = -EIO, .text = "gone"};
	struct health *s = health_new();

	(void)state;
	assert_false(has_news(s));
	(void)health_set_ready(s, NULL);
	health_park(s, "account", "default", NULL);
	assert_false(has_news(s));
	(void)health_set_ready(s, &full);
	assert_true(has_news(s));
	(void)health_set_ready(s, &full);
	assert_false(has_news(s));
	(void)health_set_ready(s, &gone);
	assert_true(has_news(s));
	(void)health_set_ready(s, NULL);
	assert_true(has_news(s));
	health_park(s, "account", "default", "401");
	assert_true(has_news(s));
	health_park(s, "account", "default", "401");
	assert_false(has_news(s));
	health_park(s, "account", "default", "403");
	assert_true(has_news(s));
	health_park(s, "account", "default", NULL);
	assert_true(has_news(s));
	health_free(s);
}

static void list_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	char *text = ctx;

	(void)snprintf(text + strlen(text), 256 - strlen(text), "%s %s: %s; ", kind, name, reason);
}

static void what_is_parked_is_there_once_with_its_latest_reason(void **state)
{
	struct health *s = health_new();
	char text[256] = "";

	(void)state;
	health_park(s, "account", "default", "401");
	health_park(s, "account", "default", "on hold");
	health_park(s, "lookups", "default", "401");
	health_park(s, "account", "other", NULL);
	health_parked(s, list_parked, text);
	assert_string_equal(text, "lookups default: 401; account default: on hold; ");
	health_park(s, "account", "default", NULL);
	health_park(s, "lookups", "default", NULL);
	text[0] = '\0';
	health_parked(s, list_parked, text);
	assert_string_equal(text, "");
	health_free(s);
}

static void a_turns_counts_are_published_once_or_dropped(void **state)
{
	struct tally t = {0};

	(void)state;
	metrics_reset();
	tally_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	tally_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	tally_add(&t, METRIC_WEBHOOKS, "gladly", "settled", NULL);
	tally_drop(&t);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "events", NULL) == 0);
	tally_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	tally_add(&t, METRIC_WEBHOOKS, "gladly", "events", NULL);
	tally_add(&t, METRIC_EVENTS, "default", "started", NULL);
	tally_publish(&t, 0);
	tally_publish(&t, 0);
	assert_true(metrics_get(METRIC_WEBHOOKS, "gladly", "events", NULL) == 2);
	assert_true(metrics_get(METRIC_EVENTS, "default", "started", NULL) == 1);
	tally_done(&t);
	metrics_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alive_means_that_both_loops_answered),
		cmocka_unit_test(a_disk_call_counts_as_alive_for_the_pipeline_only),
		cmocka_unit_test(what_changes_is_news_and_what_stays_is_not),
		cmocka_unit_test(not_ready_says_why_and_stopping_is_never_ready),
		cmocka_unit_test(what_is_parked_is_there_once_with_its_latest_reason),
		cmocka_unit_test(a_turns_counts_are_published_once_or_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

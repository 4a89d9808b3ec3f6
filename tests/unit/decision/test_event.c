/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/event.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"

#define TIME INT64_C(1795276800000)

static void unique_id_is_the_documented_digest(void **unused)
{
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	/* Computed with another program: sha256 of the parts with NUL between them. */
	event_unique_id(id, "gladly", "c-1", TRANSITION_CLOSED, true, TIME, "closed conversation in Gladly",
			"jo@example.com");
	assert_string_equal(id, "698605e58732f1753d3ef2658ddecd4b");
}

static void unique_id_without_a_time_rests_on_the_receipt(void **unused)
{
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	event_unique_id(id, "gladly", "c-1", TRANSITION_OPENED, false, TIME + 1234, "started conversation in Gladly",
			"jo@example.com");
	assert_string_equal(id, "543ca26418f90e3695c7a7a811af05bb");
}

/* A text of any length has the digest of one that is added in parts. */
static void unique_id_of_a_long_text_is_the_same_digest(void **unused)
{
	char metric[1100];

	(void)unused;
	for (size_t len = 900; len < sizeof(metric); len++) {
		struct digest *d = digest_new();
		unsigned char sum[DIGEST_SHA256_BYTES];
		char hex[2 * DIGEST_SHA256_BYTES + 1], id[EVENT_UNIQUE_ID_LEN + 1];

		memset(metric, 'm', len);
		metric[len] = '\0';
		event_unique_id(id, "s", "c", TRANSITION_OPENED, true, 7, metric, "e");
		digest_add(d, "s\0c\0opened\0\x37", 13);
		digest_add(d, metric, len + 1);
		digest_add(d, "e", 1);
		digest_end(d, sum);
		hex_write(sum, sizeof(sum), hex);
		hex[EVENT_UNIQUE_ID_LEN] = '\0';
		assert_string_equal(id, hex);
	}
}

static void unique_id_differs_with_every_part(void **unused)
{
	char ids[8][EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	event_unique_id(ids[0], "s", "c", TRANSITION_OPENED, true, 1, "m", "e");
	event_unique_id(ids[1], "sc", "", TRANSITION_OPENED, true, 1, "m", "e");
	event_unique_id(ids[2], "s", "d", TRANSITION_OPENED, true, 1, "m", "e");
	event_unique_id(ids[3], "s", "c", TRANSITION_REOPENED, true, 1, "m", "e");
	event_unique_id(ids[4], "s", "c", TRANSITION_OPENED, true, 2, "m", "e");
	event_unique_id(ids[5], "s", "c", TRANSITION_OPENED, false, 1, "m", "e");
	event_unique_id(ids[6], "s", "c", TRANSITION_OPENED, true, 1, "me", "");
	event_unique_id(ids[7], "s", "c", TRANSITION_OPENED, true, 1, "m", "f");
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	/* A second delivery makes the same id. */
	event_unique_id(ids[1], "s", "c", TRANSITION_OPENED, true, 1, "m", "e");
	assert_string_equal(ids[0], ids[1]);
}

static void an_event_is_backfill_when_it_goes_out_too_late(void **unused)
{
	static const struct {
		bool always;
		int64_t late_ms, age_ms;
		bool want;
	} cases[] = {
		{false, 900, 900, false},
		{false, 900, 901, true},
		{false, 900, -5, false}, /* the helpdesk's clock is fast */
		{false, 0, 1, true},
		{false, CLOCK_NEVER_MS, CLOCK_DAY_MS * 3650, false},
		{true, CLOCK_NEVER_MS, 0, true},
		{true, 900, 0, true},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event e = {.time_ms = TIME, .backfill = cases[i].always, .late_ms = cases[i].late_ms};

		assert_int_equal(event_is_backfill(&e, TIME + cases[i].age_ms), cases[i].want);
	}
}

static void profiles_that_set_the_same_need_no_gap(void **unused)
{
	static const struct {
		const char *before, *after;
		bool want;
	} cases[] = {
		{"{\"A\":true}", "{\"A\":true}", false},
		{"{\"A\":true,\"B\":1}", "{\"B\":1,\"A\":true}", false},
		{"{\"A\":true}", "{\"A\":false}", true},
		{"{\"A\":true}", "{\"B\":true}", true},
		{"{\"A\":true}", "{\"A\":true,\"B\":1}", true},
		{"{\"A\":true}", "no JSON", true},
		{NULL, "{\"A\":true}", true},
		{NULL, NULL, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(event_changes_profile(cases[i].before, cases[i].after), cases[i].want);
}

static void states_have_names(void **unused)
{
	enum event_state s = EVENT_DEAD;

	(void)unused;
	for (int i = EVENT_READY; i <= EVENT_DEAD; i++) {
		assert_int_equal(event_state_parse(event_state_name((enum event_state)i), &s), 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(event_state_parse("gone", &s), -EINVAL);
	assert_int_equal(s, EVENT_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_id_is_the_documented_digest),
		cmocka_unit_test(unique_id_without_a_time_rests_on_the_receipt),
		cmocka_unit_test(unique_id_of_a_long_text_is_the_same_digest),
		cmocka_unit_test(unique_id_differs_with_every_part),
		cmocka_unit_test(an_event_is_backfill_when_it_goes_out_too_late),
		cmocka_unit_test(profiles_that_set_the_same_need_no_gap),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The table of settings: its consistency, and its queries. */
#include <config.h>

#include "conf/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

static void every_row_has_a_name_of_its_own_and_help(void **state)
{
	const struct setting *s;

	(void)state;
	for (size_t i = 0; (s = settings_at(i)); i++) {
		assert_ptr_equal(settings_find(s->name), s);
		assert_true(s->help && s->help[0] != '\0');
		assert_non_null(setting_type_name(s));
		if (s->required)
			assert_non_null(s->example);
		if (s->type == SETTING_CHOICE)
			assert_true(s->choices || s->only_value);
		if (s->only_value) {
			assert_string_equal(s->only_value, s->default_text);
			assert_non_null(s->reason);
			assert_int_equal(s->owner, SETTING_OF_NONE);
		}
		if (s->type == SETTING_GROUP || s->type == SETTING_NODE)
			assert_int_equal(s->owner, SETTING_OF_NONE);
	}
	assert_true(settings_find("klaviyo.nothing") == NULL);
}

static void every_row_stands_below_a_row(void **state)
{
	const struct setting *s;

	(void)state;
	for (size_t i = 0; (s = settings_at(i)); i++) {
		CLEANUP(mem_freep) char *parent = mem_str(s->name);
		char *dot = strrchr(parent, '.');

		if (!dot)
			continue;
		*dot = '\0';
		if (!text_is(parent, "sources.NAME"))
			assert_non_null(settings_find(parent));
	}
}

/* No two rows write the same member, except the two names of a proof's secret. */
static void every_member_has_one_row(void **state)
{
	const struct setting *a, *b;

	(void)state;
	for (size_t i = 0; (a = settings_at(i)); i++) {
		for (size_t k = i + 1; (b = settings_at(k)); k++) {
			if (a->owner == SETTING_OF_NONE || a->owner != b->owner ||
			    text_is(b->name, "sources.NAME.authenticate.secret"))
				continue;
			assert_true(a->offset != b->offset);
		}
	}
}

static void describing_ends_and_names_defaults(void **state)
{
	bool gap = false;
	bool version = false;
	unsigned n = 0;
	const char *name, *type, *fallback, *help;

	(void)state;
	for (; settings_describe(n, &name, &type, &fallback, &help) == 0; n++) {
		if (text_is(name, "klaviyo.person_gap")) {
			gap = true;
			assert_string_equal(type, "duration");
			assert_string_equal(fallback, "2s");
		}
		if (text_is(name, "version")) {
			version = true;
			assert_string_equal(fallback, "required");
		}
		assert_false(text_is(name, "listen")); /* a group has no value */
	}
	assert_true(gap && version && n > 50);
	assert_int_equal(settings_describe(n, &name, &type, &fallback, &help), -ENOENT);
}

/* ---- ranges and units, by single values -------------------------------------------------------------------------- */

struct value {
	const char *name, *text;
	int64_t expected; /* -1: refused */
};

static const struct value values[] = {
	{"klaviyo.person_gap", "0s", 0},
	{"klaviyo.person_gap", "1500ms", 1500},
	{"klaviyo.person_gap", "60m", 3600000},
	{"klaviyo.person_gap", "61m", -1},
	{"klaviyo.person_gap", "1 h", 3600000},
	{"klaviyo.person_gap", "1.5s", -1},
	{"klaviyo.person_gap", "+1s", -1},
	{"klaviyo.person_gap", "0x10s", -1},
	{"klaviyo.person_gap", "never", -1},
	{"klaviyo.person_gap", "99999999999999999999d", -1},
	{"klaviyo.late.closed", "never", CLOCK_NEVER_MS},
	{"klaviyo.late.closed", "Never", -1},
	{"klaviyo.quota.single.second", "1", 1},
	{"klaviyo.quota.single.second", "1000000", 1000000},
	{"klaviyo.quota.single.second", "1000001", -1},
	{"klaviyo.quota.single.second", "0", -1},
	{"klaviyo.quota.single.second", "1e3", -1},
	{"klaviyo.quota.single.second", "350.0", -1},
	{"klaviyo.quota.single.second", "", -1},
};

static void values_are_read_with_units_and_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct setting *s = settings_find(values[i].name);
		struct node *n = node_new(NODE_SCALAR, "f", 1, 1);
		struct problems problems = {0};
		struct settings_reader r = {.problems = &problems};
		struct account a = {0};
		int64_t found = 0;
		bool good;

		n->text = mem_str(values[i].text);
		good = settings_read_one(&r, s, n, &a);
		memcpy(&found, (char *)&a + s->offset, sizeof(found));
		if (good != (values[i].expected >= 0) || (good && found != values[i].expected))
			fail_msg("%s: %s", values[i].name, values[i].text);
		assert_int_equal(problems.errors, good ? 0 : 1);
		node_free(n);
		problems_done(&problems);
	}
}

static void numbers_are_plain_decimals_in_their_range(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"0.8", true},   {"1", true},       {"0.01", true}, {"1.0", true},   {"0.009", false},
		{"1.01", false}, {"0x1p-1", false}, {"nan", false}, {"inf", false},  {".5", false},
		{"1.", false},   {"-0.5", false},   {"0,5", false}, {"1e-1", false}, {"0.8 ", false},
	};
	const struct setting *s = settings_find("klaviyo.quota_share");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node *n = node_new(NODE_SCALAR, "f", 1, 1);
		struct problems problems = {0};
		struct settings_reader r = {.problems = &problems};
		struct account a = {0};

		n->text = mem_str(rows[i].text);
		if (settings_read_one(&r, s, n, &a) != rows[i].good)
			fail_msg("%s", rows[i].text);
		node_free(n);
		problems_done(&problems);
	}
}

static void a_wrong_value_that_may_be_an_address_is_not_shown(void **state)
{
	struct node *n = node_new(NODE_SCALAR, "f", 1, 1);
	struct problems problems = {0};
	struct settings_reader r = {.problems = &problems};
	struct account a = {0};

	(void)state;
	n->text = mem_str("jo@example.com");
	assert_false(settings_read_one(&r, settings_find("klaviyo.person_gap"), n, &a));
	assert_null(strstr(problems.items[0].text, "jo@"));
	node_free(n);
	problems_done(&problems);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static void only_listen_admin_and_store_need_a_restart(void **state)
{
	const struct setting *s;

	(void)state;
	for (size_t i = 0; (s = settings_at(i)); i++) {
		bool fixed = strncmp(s->name, "listen.", 7) == 0 || strncmp(s->name, "admin.", 6) == 0 ||
			     strncmp(s->name, "store.", 6) == 0;

		assert_int_equal(s->restart, fixed);
	}
}

static void assert_restart(const struct config *old, const struct config *next, const char *names)
{
	CLEANUP(mem_freep) char *found = settings_needing_restart(old, next);

	assert_non_null(found);
	assert_string_equal(found, names);
}

static void a_changed_member_is_named(void **state)
{
	struct config a = {0};
	struct config b = {0};
	char *one[] = {mem_str("10.0.0.1")};

	(void)state;
	a.listen.address = mem_str("127.0.0.1:1");
	b.listen.address = mem_str("127.0.0.1:1");
	a.log.level = 3; /* a change needs no restart */
	assert_null(settings_needing_restart(&a, &b));
	b.store.max_size = 7;
	assert_restart(&a, &b, "store.max_size");
	b.store.max_size = 0;
	b.listen.trusted_proxies.texts = (struct strings){one, 1};
	assert_restart(&a, &b, "listen.trusted_proxies");
	b.listen.trusted_proxies.texts = (struct strings){0};
	free(b.listen.address);
	b.listen.address = mem_str("127.0.0.1:2");
	assert_restart(&a, &b, "listen.address");
	free(a.listen.address);
	free(b.listen.address);
	free(one[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_name_of_its_own_and_help),
		cmocka_unit_test(every_row_stands_below_a_row),
		cmocka_unit_test(every_member_has_one_row),
		cmocka_unit_test(describing_ends_and_names_defaults),
		cmocka_unit_test(values_are_read_with_units_and_ranges),
		cmocka_unit_test(numbers_are_plain_decimals_in_their_range),
		cmocka_unit_test(a_wrong_value_that_may_be_an_address_is_not_shown),
		cmocka_unit_test(only_listen_admin_and_store_need_a_restart),
		cmocka_unit_test(a_changed_member_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

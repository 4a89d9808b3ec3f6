/* SPDX-License-Identifier: MIT */
/* A parsed webhook: its ownership, additions, and the number of its parses. */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/webhook.h"

#include <errno.h>

#include "helpdesk/parse/batch.h"
#include "helpdesk/parse/parsed_webhook.h"

static struct webhook webhook_of(const char *body)
{
	return with_webhook(body, "a=%31", INT64_C(1763740800000));
}

static void it_takes_over_the_webhook(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "customer: query:a\n", NULL);
	struct webhook w = webhook_of("{\"type\":\"opened\",\"id\":7}");
	uint64_t before = json_reads();
	struct parsed_webhook *p = parsed_webhook_new(d, &w, NULL, 0);

	(void)state;
	assert_null(w.body);
	assert_int_equal(json_reads() - before, 1);
	assert_true(p->has_item);
	assert_int_equal(p->result.kind, PARSE_SIGNAL);
	assert_string_equal(p->result.signal.conversation, "7");
	assert_string_equal(p->result.signal.customer, "1");
	assert_string_equal(p->webhook.body, "{\"type\":\"opened\",\"id\":7}");
	parsed_webhook_free(p);
	definition_free(d);
}

static void a_lent_webhook_stays_its_owners(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION, NULL);
	struct webhook w = webhook_of("{\"type\":\"opened\",\"id\":7}");
	struct parsed_webhook *p = parsed_webhook_borrow(d, &w);

	(void)state;
	assert_int_equal(p->result.kind, PARSE_SIGNAL);
	parsed_webhook_free(p);
	assert_string_equal(w.body, "{\"type\":\"opened\",\"id\":7}");
	webhook_done(&w);
	definition_free(d);
}

static void one_that_does_not_read_says_why(void **state)
{
	static const struct {
		const char *more, *body;
		enum parse_result_kind kind;
		const char *reason;
	} cases[] = {
		{"", "{\"type\":", PARSE_UNREADABLE, "line 1 column "},
		{"", "", PARSE_UNREADABLE, "nothing there"},
		{"each: /items\n", "{\"items\":[]}", PARSE_IGNORED, "no item at /items"},
		{"each: /items\n", "{\"items\":[{},{}]}", PARSE_UNREADABLE, "2 items at /items were not taken apart"},
		{"each: /items\n", "{\"items\":{}}", PARSE_UNREADABLE, "no list of items at /items"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s", BARE_DEFINITION, cases[i].more);
		struct definition *d = with_definition(yaml, NULL);
		struct webhook w = webhook_of(cases[i].body);
		struct parsed_webhook *p = parsed_webhook_new(d, &w, NULL, 0);

		assert_false(p->has_item);
		assert_null(p->context.item);
		assert_int_equal(p->result.kind, cases[i].kind);
		if (!strstr(p->result.reason, cases[i].reason))
			fail_msg("%s", p->result.reason);
		parsed_webhook_free(p);
		definition_free(d);
	}
}

static void what_is_told_is_added_without_a_parse(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "customer: /who\nemails: /mail\nattributes: {Team: \"{team}\"}\n"
						"conversation_url: \"{base_url}/{team}/{/id}\"\n"
						"lookup: [{url: \"{base_url}/{/who}\", authenticate: bearer, "
						"emails: /e, take: {team: /t}}]\n",
				"https://x.example");
	struct webhook w = webhook_of("{\"type\":\"opened\",\"id\":7,\"who\":3}");
	struct customer c = {0};
	struct parsed_webhook *p = parsed_webhook_new(d, &w, NULL, 0);
	uint64_t before = json_reads();

	(void)state;
	assert_true(p->result.signal.wants_lookup);
	assert_true(addresses_add(&c.addresses, "jo@example.com", true));
	pairs_add(&c.taken, "team", "returns");
	parsed_webhook_add_lookup(p, &c);
	assert_int_equal(json_reads() - before, 0);
	assert_int_equal(c.addresses.n + c.taken.n, 0);
	assert_int_equal(p->result.kind, PARSE_SIGNAL);
	assert_false(p->result.signal.wants_lookup);
	assert_int_equal(p->result.signal.addresses.n, 1);
	assert_string_equal(json_member_str(p->result.signal.attributes, "Team"), "returns");
	assert_string_equal(p->result.signal.conversation_url, "https://x.example/returns/7");
	assert_string_equal(pairs_get(p->context.taken, "team"), "returns");
	parsed_webhook_free(p);
	definition_free(d);
}

static void the_only_item_of_a_batch_is_not_parsed_again(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "each: /items\n", NULL);
	struct webhook w = webhook_of("{\"items\":[{\"type\":\"opened\",\"id\":7}]}");
	struct batch *one = NULL;
	struct batch *two = NULL;
	uint64_t before = json_reads();
	size_t bytes;
	struct parsed_webhook *p;
	struct err e;

	(void)state;
	assert_int_equal(batch_open(d, NULL, w.body, w.body_len, &one, &e), 0);
	p = parsed_webhook_new(d, &w, batch_take_tree(one, &bytes), 4711);
	assert_true(bytes > 0);
	assert_int_equal(p->tree_bytes, 4711);
	assert_int_equal(json_reads() - before, 1);
	assert_int_equal(p->result.kind, PARSE_SIGNAL);
	assert_string_equal(p->result.signal.conversation, "7");
	assert_null(batch_take_tree(one, &bytes));
	parsed_webhook_free(p);
	batch_close(one);
	assert_int_equal(batch_open(d, NULL, "{\"items\":[{},{}]}", 17, &two, &e), 0);
	assert_null(batch_take_tree(two, &bytes));
	batch_close(two);
	definition_free(d);
}

static void a_trial_may_have_no_body(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "challenge: {when: {\"query:a\": \"1\"}}\n", NULL);
	struct definition *by_body = with_definition(BARE_DEFINITION "challenge: {when: {/try: true}}\n", NULL);
	struct definition *none = with_definition(BARE_DEFINITION, NULL);
	struct webhook empty = webhook_of("");
	struct webhook no_json = webhook_of("{");
	struct webhook tried = webhook_of("{\"try\":true}");

	(void)state;
	assert_true(parsed_webhook_is_setup_probe(d, &empty));
	assert_false(parsed_webhook_is_setup_probe(d, &no_json));
	assert_true(parsed_webhook_is_setup_probe(d, &tried));
	assert_false(parsed_webhook_is_setup_probe(none, &empty));
	assert_false(parsed_webhook_is_setup_probe(by_body, &empty));
	assert_true(parsed_webhook_is_setup_probe(by_body, &tried));
	webhook_done(&empty);
	webhook_done(&no_json);
	webhook_done(&tried);
	definition_free(d);
	definition_free(by_body);
	definition_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_takes_over_the_webhook),
		cmocka_unit_test(a_lent_webhook_stays_its_owners),
		cmocka_unit_test(one_that_does_not_read_says_why),
		cmocka_unit_test(what_is_told_is_added_without_a_parse),
		cmocka_unit_test(the_only_item_of_a_batch_is_not_parsed_again),
		cmocka_unit_test(a_trial_may_have_no_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

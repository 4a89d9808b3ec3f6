/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include "base/buf.h"
#include "helpdesk/expr/customer.h"

/* Returns the addresses with a blank between them, then "!" and the number refused for each reason. The caller owns it.
 */
static char *described(const struct addresses *a)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < a->n; i++)
		buf_addf(&b, "%s%s", b.len > 0 ? " " : "", a->items[i].email);
	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++)
		if (a->refused[f].n > 0)
			buf_addf(&b, "%s! %zu %s", b.len > 0 ? " " : "", a->refused[f].n, email_fault_name(f));
	return buf_take(&b);
}

static void several_addresses_in_one_text_are_read(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"jo@example.com", "jo@example.com"},
		{"jo@example.com, al@example.com", "jo@example.com al@example.com"},
		{"jo@example.com;al@example.com", "jo@example.com al@example.com"},
		{"jo@example.com ; al@example.com, x@y.de", "jo@example.com al@example.com x@y.de"},
		{"jo@example.com, jo@example.com", "jo@example.com"},
		{"jo@example.com,", "jo@example.com"},
		{";, jo@example.com;;", "jo@example.com"},
		{"\u200bjo@example.com\u00a0,\u00a0al@example.com.", "jo@example.com al@example.com"},
		{"Jo <jo@example.com>, Al <al@example.com>", "jo@example.com al@example.com"},
		{"\"Berg, Kim\" <kim@example.com>, b@example.com", "kim@example.com b@example.com"},
		{"\"Berg; Kim\" <kim@example.com>; \"Moe, A.\" <a@example.com>", "kim@example.com a@example.com"},
		{"\"jo@work, al@home\" <kim@example.com>", "kim@example.com"},
		{"Berg, Kim <kim@example.com>", "kim@example.com"},
		{"Berg, Dr., Kim <kim@example.com>, Moe, Al <al@example.com>", "kim@example.com al@example.com"},
		{"b@example.com, Berg, Kim <kim@example.com>", "b@example.com kim@example.com"},
		{"\"Berg, Kim <kim@example.com>", "kim@example.com"},
		{"O\"Hara, b@example.com", "b@example.com ! 1 no at sign"},
		{"<jo@example.com>,<al@example.com>", "jo@example.com al@example.com"},
		{"I <3 you, Al <al@example.com>", "al@example.com"},
		{"Jo <>, Al <al@example.com>", "al@example.com ! 1 no at sign"},
		{"mailto:jo@example.com,al%2Btag@example.com?subject=Hi, x@y.de", "jo@example.com al+tag@example.com"},
		{"mailto:jo%40example.com, Al <al@example.com>", "jo@example.com al@example.com"},
		{"mailto:jo@example.com, mailto:al@example.com", "jo@example.com al@example.com"},
		{"al@example.com, mailto:jo%40example.com", "al@example.com jo@example.com"},
		{"mailto:Jo <jo@example.com>", "jo@example.com"},
		{"mailto:\"Berg, Kim\" <kim%40example.com>,b@example.com", "kim@example.com b@example.com"},
		{"mailto:Jo%20%3Cjo@example.com%3E", "jo@example.com"},
		{"Kim <mailto:kim@example.com>; b@example.com", "kim@example.com b@example.com"},
		{"https://desk.example.com/a,b/c/jo@example.com", "jo@example.com"},
		{"https://desk.example.com/c/jo@example.com?x=a@b.de,c@d.de", "jo@example.com"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addresses a = {0};
		bool any = addresses_add(&a, cases[i].text, false);
		CLEANUP(mem_freep) char *all = described(&a);

		if (strcmp(all, cases[i].want) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, all, cases[i].want);
		assert_true(any);
		addresses_done(&a);
	}
}

static void what_is_no_address_is_counted_by_its_reason(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{NULL, ""},
		{"", ""},
		{" \u00a0\u200b", ""},
		{",;, ", ""},
		{"undisclosed-recipients:;", "! 1 no at sign"},
		{"+49 170 1234567", "! 1 no at sign"},
		{"jo, al", "! 2 no at sign"},
		{"jo@example, al@localhost; x@y", "! 3 no domain dot"},
		{"jo@example.com al@example.com", "! 1 bad character"},
		{"jo\r\nbcc:x@example.com", "! 1 bad character"},
		{"\"a,b\"@example.com", "! 1 bad character"},
		{"<jo@example.com><al@example.com>", "! 1 bad brackets"},
		{"jo@example.com (Jo)", "! 1 bad character"},
		{"https://desk.example.com/customers/44, jo@example.com", "! 1 bad character"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addresses a = {0};
		bool any = addresses_add(&a, cases[i].text, true);
		CLEANUP(mem_freep) char *all = described(&a);

		if (strcmp(all, cases[i].want) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, all, cases[i].want);
		assert_false(any);
		addresses_done(&a);
	}
}

static void the_first_of_each_reason_is_kept_masked(void **state)
{
	struct addresses a = {0};
	struct addresses copy;

	(void)state;
	(void)addresses_add(&a, "jo@example; al@localhost, +49 170 1234567, x@y.de", false);
	addresses_copy(&copy, &a);
	addresses_done(&a);
	assert_int_equal(copy.n, 1);
	assert_int_equal(copy.refused[EMAIL_NO_DOMAIN_DOT].n, 2);
	assert_string_equal(copy.refused[EMAIL_NO_DOMAIN_DOT].shown, "j***@example");
	assert_int_equal(copy.refused[EMAIL_NO_AT].n, 1);
	assert_string_equal(copy.refused[EMAIL_NO_AT].shown, "***");
	assert_null(copy.refused[EMAIL_BAD_DOMAIN].shown);
	addresses_done(&copy);
}

/* Texts that would take hours if the search for each part began at the start. */
static void a_huge_text_takes_one_way_through(void **state)
{
	static const char *const pieces[] = {"a,", "\"", "<", "a<", "\"a,", "@,", ";", "a@b.de,", "<>", "a,\"<"};
	const size_t size = 2 << 20;

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		CLEANUP(mem_freep) char *text = mem_new(size + 16, 1);
		struct addresses a = {0};

		for (size_t at = 0; at < size; at += strlen(pieces[i]))
			memcpy(text + at, pieces[i], strlen(pieces[i]));
		(void)addresses_add(&a, text, false);
		assert_true(a.n <= 1);
		addresses_done(&a);
	}
}

static void an_address_is_kept_once(void **state)
{
	struct addresses a = {0};
	struct addresses copy;

	(void)state;
	assert_true(addresses_add(&a, "Jo@Example.com", false));
	assert_true(addresses_add(&a, "jo <jo@example.com>", true));
	assert_true(addresses_add(&a, "al@example.com", false));
	assert_false(addresses_add(&a, "", true));
	assert_false(addresses_add(&a, NULL, true));
	assert_false(addresses_add(&a, "nobody", true));
	assert_int_equal(a.n, 2);
	assert_true(a.items[0].primary);
	assert_false(a.items[1].primary);
	addresses_copy(&copy, &a);
	assert_int_equal(copy.n, 2);
	assert_string_equal(copy.items[0].email, "jo@example.com");
	assert_true(copy.items[0].primary);
	addresses_done(&a);
	addresses_done(&copy);
}

static void so_many_addresses_and_no_more(void **state)
{
	struct addresses a = {0};

	(void)state;
	for (int i = 0; i < ADDRESSES_MAX + 5; i++) {
		CLEANUP(mem_freep) char *email = mem_fmt("jo%d@example.com", i);

		assert_int_equal(addresses_add(&a, email, false), i < ADDRESSES_MAX);
	}
	assert_true(addresses_add(&a, "jo0@example.com", false));
	assert_int_equal(a.n, ADDRESSES_MAX);
	assert_int_equal(a.left_out, 5);
	addresses_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_addresses_in_one_text_are_read),
		cmocka_unit_test(what_is_no_address_is_counted_by_its_reason),
		cmocka_unit_test(the_first_of_each_reason_is_kept_masked),
		cmocka_unit_test(a_huge_text_takes_one_way_through),
		cmocka_unit_test(an_address_is_kept_once),
		cmocka_unit_test(so_many_addresses_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <config.h>

#include "with_yaml.h"

#include <errno.h>

#include "helpdesk/email.h"

static void good_addresses_are_normalised(void **state)
{
	static const struct {
		const char *raw, *email;
	} cases[] = {
		{"jo@example.com", "jo@example.com"},
		{"  Jo@Example.COM \t\n", "jo@example.com"},
		{"Jo Doe <Jo@Example.com>", "jo@example.com"},
		{"\"Doe, Jo\" <jo@example.com> ", "jo@example.com"},
		{"<jo@example.com>", "jo@example.com"},
		{"< jo@example.com >", "jo@example.com"},
		{"I <3 you <jo@example.com>", "jo@example.com"},
		{"jo@example.com <jo@example.com>", "jo@example.com"},
		{"jo+tag@mail.example.co.uk", "jo+tag@mail.example.co.uk"},
		{"O'Hara@example.com", "o'hara@example.com"},
		{"j.o..x@docomo.ne.jp", "j.o..x@docomo.ne.jp"},
		{"j\u00f6rg@m\u00fcnchen.de", "j\u00f6rg@m\u00fcnchen.de"},
		{"a@b.c", "a@b.c"},
		{"jo@xn--mnchen-3ya.de", "jo@xn--mnchen-3ya.de"},
		{"https://desk.example.com/v1/customers/jo@example.com", "jo@example.com"},
		{" HTTP://desk.example.com/Jo%40Example.com ", "jo@example.com"},
		{"https://desk.example.com/c/jo%2Btag@example.com?x=al@example.com#y@z.de", "jo+tag@example.com"},
		{"https://desk.example.com/c/jo+tag@example.com", "jo+tag@example.com"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[EMAIL_MAX + 1] = "unchanged";

		assert_int_equal(email_normalise(cases[i].raw, out), 0);
		assert_string_equal(out, cases[i].email);
	}
}

static void everything_else_is_no_address(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"jo",
		"@",
		"@example.com",
		"jo@",
		"jo@example",
		"jo@.example.com",
		"jo@example.com.",
		"jo@example..com",
		"jo@exa mple.com",
		"jo doe@example.com",
		"jo@doe@example.com",
		"jo@example.com, al@example.com",
		"jo@example.com;al@example.com",
		"Jo <jo@example.com>, Al <al@example.com>",
		"<jo@example.com><al@example.com>",
		"jo@example.com (Jo)",
		"Jo <jo@example.com",
		"Jo jo@example.com>",
		"<>",
		"Jo <>",
		"<jo@example.com> Jo",
		"\"jo doe\"@example.com",
		"jo@[127.0.0.1]",
		"mailto:jo@example.com",
		"jo@-example.com",
		"jo@example-.com",
		"jo@exam_ple.com",
		"jo@example.com-",
		"jo\x01@example.com",
		"jo\x7f@example.com",
		"jo\xff@example.com",
		"jo\xc2\xa0@example.com",
		"jo\xe2\x80\x8b@example.com",
		"\xef\xbb\xbfjo@example.com",
		"\xef\xbf\xbd@example.com", /* U+FFFD: a letter that could not be read */
		"jo@ex\xef\xbf\xbdmple.com",
		"jo\r\nbcc:x@example.com",
		"null",
		"undefined",
		"+4917012345",
		"jo\\@example.com",
		"https://jo@example.com",
		"https://jo@example.com/",
		"https://desk.example.com/jo@example.com/",
		"https://desk.example.com/jo@example.com/tickets",
		"https://desk.example.com/customers?email=jo@example.com",
		"https://desk.example.com/c/jo%40example.com%00",
		"https://desk.example.com/c/jo%4",
		"https://desk.example.com/c/jo%ff@example.com",
		"https://desk.example.com/c/Jo%20%3Cjo@example.com%3E",
		"https://desk.example.com/c/jo%20doe@example.com",
		"ftp://desk.example.com/jo@example.com",
		"Jo <https://desk.example.com/jo@example.com>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[EMAIL_MAX + 1];

		if (email_normalise(cases[i], out) != -EINVAL)
			fail_msg("%s is taken as %s", cases[i], out);
	}
	assert_int_equal(email_normalise(NULL, (char[EMAIL_MAX + 1]){0}), -EINVAL);
}

static void the_longest_address_has_254_bytes(void **state)
{
	char raw[EMAIL_MAX + 2], out[EMAIL_MAX + 1];
	CLEANUP(mem_freep) char *huge = mem_new(1 << 20, 1);

	(void)state;
	memset(raw, 'a', sizeof(raw));
	memcpy(raw + EMAIL_MAX - 4, "@b.c", 5);
	assert_int_equal(strlen(raw), EMAIL_MAX);
	assert_int_equal(email_normalise(raw, out), 0);
	assert_int_equal(strlen(out), EMAIL_MAX);
	memcpy(raw + EMAIL_MAX - 4, "a@b.c", 6);
	assert_int_equal(email_normalise(raw, out), -EINVAL);
	memset(huge, 'a', (1 << 20) - 1);
	memcpy(huge + 100, "@b.c", 4);
	assert_int_equal(email_normalise(huge, out), -EINVAL);
}

static void a_domain_label_has_63_letters_at_most(void **state)
{
	char raw[100] = "jo@", out[EMAIL_MAX + 1];

	(void)state;
	memset(raw + 3, 'x', 63);
	memcpy(raw + 66, ".de", 4);
	assert_int_equal(email_normalise(raw, out), 0);
	memset(raw + 3, 'x', 64);
	memcpy(raw + 67, ".de", 4);
	assert_int_equal(email_normalise(raw, out), -EINVAL);
}

static void patterns_set_addresses_apart(void **state)
{
	static const struct {
		const char *pattern, *email;
		bool matches;
	} cases[] = {
		{"jo@acme.com", "jo@acme.com", true},
		{"Jo@ACME.com", "jo@acme.com", true},
		{"jo@acme.com", "joe@acme.com", false},
		{"noreply@*", "noreply@acme.com", true},
		{"NoReply@*", "noreply@acme.com", true},
		{"noreply@*", "no-reply@acme.com", false},
		{"noreply@*", "noreply2@acme.com", false},
		{"noreply@*", "xnoreply@acme.com", false},
		{"acme.com", "anyone@acme.com", true},
		{"ACME.com", "anyone@acme.com", true},
		{"acme.com", "anyone@mail.acme.com", false},
		{"acme.com", "anyone@notacme.com", false},
		{"acme.com", "acme.com", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(email_pattern_matches(cases[i].pattern, cases[i].email), cases[i].matches);
}

static void patterns_that_match_nothing_are_told(void **state)
{
	static const char *const good[] = {"jo@acme.com", "noreply@*", "acme.com", "mailer-daemon@*", "Jo@Acme.COM"};
	static const char *const bad[] = {"",    "*",       "@*",    "*@acme.com", "no*@*",     "@acme.com",    "acme",
					  "jo@", "jo@acme", "jo @*", "a@b@*",      " acme.com", "<jo@acme.com>"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(email_pattern_check(good[i]), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (email_pattern_check(bad[i]) != -EINVAL)
			fail_msg("the pattern \"%s\" is taken", bad[i]);
}

static void an_address_is_kept_once(void **state)
{
	struct addresses a = {0}, copy;

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
	addresses_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_are_normalised),
		cmocka_unit_test(everything_else_is_no_address),
		cmocka_unit_test(the_longest_address_has_254_bytes),
		cmocka_unit_test(a_domain_label_has_63_letters_at_most),
		cmocka_unit_test(patterns_set_addresses_apart),
		cmocka_unit_test(patterns_that_match_nothing_are_told),
		cmocka_unit_test(an_address_is_kept_once),
		cmocka_unit_test(so_many_addresses_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

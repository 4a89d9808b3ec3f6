/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include <errno.h>

#include "base/mask.h"
#include "helpdesk/expr/email.h"

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
		{"https://desk.example.com/c/%E2%80%8Bjo@example.com%20", "jo@example.com"},
		{"mailto:jo@example.com", "jo@example.com"},
		{" MailTo:Jo@Example.com?subject=Hi%20there&cc=al@example.com", "jo@example.com"},
		{"mailto:jo@example.com#x", "jo@example.com"},
		{"mailto:jo%2Btag%40example.com", "jo+tag@example.com"},
		{"mailto:j%C3%B6rg@m\u00fcnchen.de", "j\u00f6rg@m\u00fcnchen.de"},
		{"mailto: jo@example.com ", "jo@example.com"},
		{"Jo <mailto:jo@example.com?subject=x>", "jo@example.com"},
		{"jo@example.com<mailto:jo@example.com>", "jo@example.com"},
		{"jo@example.com.", "jo@example.com"},
		{"Jo <jo@example.com.>", "jo@example.com"},
		{"mailto:jo@example.com.?subject=x", "jo@example.com"},
		{"\u00a0jo@example.com\u00a0", "jo@example.com"},
		{"\u200bjo@example.com\u200b", "jo@example.com"},
		{"\u200c\u200djo@example.com\u200d\u200c", "jo@example.com"},
		{"\ufeffjo@example.com", "jo@example.com"},
		{"\u2060jo@example.com\u00ad", "jo@example.com"},
		{"\u202ajo@example.com\u202c", "jo@example.com"},
		{"\u2066jo@example.com\u2069", "jo@example.com"},
		{"\u200e\u061cjo@example.com\u200f", "jo@example.com"},
		{"Jo <\u200bjo@example.com\u00a0>\u200b", "jo@example.com"},
		{"jo@example.com\u200b.", "jo@example.com"},
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
		"jo@example.com..",
		"jo@.",
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
		"jo@-example.com",
		"jo@example-.com",
		"jo@exam_ple.com",
		"jo@example.com-",
		"jo\x01@example.com",
		"jo\x7f@example.com",
		"jo\xff@example.com",
		"jo\xc2\xa0@example.com",
		"jo\xe2\x80\x8b@example.com",
		"\xef\xbf\xbd@example.com", /* U+FFFD: an unreadable letter */
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
		"mailto:",
		"mailto:jo",
		"mailto:?to=jo@example.com",
		"mailto:jo%4@example.com",
		"mailto:jo%00@example.com",
		"mailto:jo%ff@example.com",
		"mailto:%22jo%22@example.com",
		"mailto:jo%2C@example.com",
		"mailto:mailto:jo@example.com",
		"j\u200bo@example.com",
		"jo@\u00a0example.com",
		"jo@exam\u00adple.com",
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

static void a_text_that_is_no_address_has_a_reason(void **state)
{
	static const struct {
		const char *raw;
		enum email_fault fault;
	} cases[] = {
		{"jo@example.com", EMAIL_GOOD},
		{"", EMAIL_ABSENT},
		{" \t\u00a0\u200b", EMAIL_ABSENT},
		{"jo", EMAIL_NO_AT},
		{"null", EMAIL_NO_AT},
		{"+49 170 1234567", EMAIL_NO_AT},
		{"Jo <>", EMAIL_NO_AT},
		{"Jo <", EMAIL_NO_AT},
		{"mailto:", EMAIL_NO_AT},
		{"jo\uff20example.com", EMAIL_NO_AT},
		{"https://desk.example.com/customers/44", EMAIL_NO_AT},
		{"@example.com", EMAIL_NO_LOCAL},
		{"jo@example", EMAIL_NO_DOMAIN_DOT},
		{"jo@", EMAIL_NO_DOMAIN_DOT},
		{"jo@localhost.", EMAIL_NO_DOMAIN_DOT},
		{"jo@example..com", EMAIL_BAD_DOMAIN},
		{"jo@exam_ple.com", EMAIL_BAD_DOMAIN},
		{"jo@-example.com", EMAIL_BAD_DOMAIN},
		{"jo@doe@example.com", EMAIL_SEVERAL_AT},
		{"jo doe@example.com", EMAIL_BAD_CHARACTER},
		{"jo@[127.0.0.1]", EMAIL_BAD_CHARACTER},
		{"\"jo\"@example.com", EMAIL_BAD_CHARACTER},
		{"jo@example.com, al@example.com", EMAIL_BAD_CHARACTER}, /* addresses_add() splits them */
		{"j\u200bo@example.com", EMAIL_BAD_CHARACTER},
		{"jo\xff@example.com", EMAIL_BAD_CHARACTER},
		{"Jo <jo@example.com", EMAIL_BAD_BRACKETS},
		{"<jo@example.com> Jo", EMAIL_BAD_BRACKETS},
		{"mailto:jo%4@example.com", EMAIL_BAD_URL},
		{"https://desk.example.com/c/jo%ff@example.com", EMAIL_BAD_URL},
		{"https://jo@example.com", EMAIL_BAD_URL},
	};
	char out[EMAIL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum email_fault fault = email_read(cases[i].raw, strlen(cases[i].raw), false, out);

		if (fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].raw, email_fault_name(fault));
	}
	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++)
		assert_true(email_fault_name(f) && email_fault_name(f)[0] != '\0');
}

static void what_was_refused_is_shown_masked(void **state)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
		{"jo@example", "j***@example"},
		{"  jo@example..com ", "j***@example..com"},
		{"\u00f6rg@exam_ple.com", "\u00f6***@exam"},
		{"jo@doe@example.com", "j***@example.com"},
		{"jo@example.com, Kim Berg lives here", "j***@example.com"},
		{"jo@ Kim Berg", "j***@"},
		{"+49 170 1234567", "***"},
		{"Kim Berg", "***"},
		{"@kim.berg", "***"},
		{" <@kim.berg> ", "***"},
		{"Kim @kim.berg", "***"},
		{"jo%40example.com", "***"},
	};
	char out[MASK_EMAIL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(email_refused(cases[i].raw, strlen(cases[i].raw), out), cases[i].shown);
}

static void the_longest_address_has_254_bytes(void **state)
{
	CLEANUP(mem_freep) char *huge = mem_new(1 << 20, 1);
	char raw[EMAIL_MAX + 2], out[EMAIL_MAX + 1];

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
	assert_int_equal(email_read(huge, strlen(huge), false, out), EMAIL_TOO_LONG);
	assert_int_equal(email_read(huge, 50, false, out), EMAIL_NO_AT);
	memset(huge, ' ', 1 << 19);
	assert_int_equal(email_read(huge, 1 << 19, false, out), EMAIL_ABSENT);
}

static void a_domain_label_has_63_letters_at_most(void **state)
{
	char raw[100] = "jo@";
	char out[EMAIL_MAX + 1];

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

/* Whatever a text is made of: the short way gives the address that email_read() gives, or leaves it to that. */
static void a_plain_address_is_read_as_any_other(void **state)
{
	static const char *const parts[] = {"a",  "Z",  "9",  "jo", ".",   "_",   "-",      "+",      "@",
					    "@x", ".c", "..", ".-", "Ex.", "com", "\u00f6", "x-1.de", "@b.c"};
	static const char *const plain[] = {"a@b.c", "Jo.Doe+tag_1@Mail-2.Example.CO.uk", "-@9.9", ".@a.b"};
	static const char *const not_plain[] = {"",        "@",      "a@",      "@b.c",        "a@b",
						"a@b.c.",  "a@b.c ", "<a@b.c>", "a@b.c,d@e.f", "mailto:a@b.c",
						"a@b@c.d", "a@-b.c", "a@b..c",  "O'H@b.c"};
	char shortcut[EMAIL_MAX + 1], whole[EMAIL_MAX + 1], text[300];
	uint32_t dice = 1;
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		text[0] = '\0';
		for (unsigned n = 0; n < 1 + i % 9; n++) {
			dice = dice * 1664525u + 1013904223u;
			strcat(text, parts[(dice >> 16) % (sizeof(parts) / sizeof(*parts))]);
		}
		if (!email_read_plain(text, shortcut))
			continue;
		found++;
		assert_int_equal(email_read(text, strlen(text), false, whole), EMAIL_GOOD);
		assert_string_equal(shortcut, whole);
	}
	assert_true(found > 1000);
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		assert_true(email_read_plain(plain[i], shortcut));
	for (size_t i = 0; i < sizeof(not_plain) / sizeof(*not_plain); i++)
		assert_false(email_read_plain(not_plain[i], shortcut));
	for (size_t len = EMAIL_MAX - 1; len <= EMAIL_MAX + 1; len++) {
		memset(text, 'a', len);
		memcpy(text + len - 4, "@b.c", 5);
		assert_true(email_read_plain(text, shortcut) == (len <= EMAIL_MAX));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_are_normalised),
		cmocka_unit_test(everything_else_is_no_address),
		cmocka_unit_test(a_plain_address_is_read_as_any_other),
		cmocka_unit_test(a_text_that_is_no_address_has_a_reason),
		cmocka_unit_test(what_was_refused_is_shown_masked),
		cmocka_unit_test(the_longest_address_has_254_bytes),
		cmocka_unit_test(a_domain_label_has_63_letters_at_most),
		cmocka_unit_test(patterns_set_addresses_apart),
		cmocka_unit_test(patterns_that_match_nothing_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

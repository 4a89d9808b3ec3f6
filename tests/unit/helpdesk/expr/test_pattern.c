/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "helpdesk/expr/pattern.h"

#define TEN(x) x x x x x x x x x x

static void compiled(const char *text)
{
	struct pattern *p = NULL;
	struct err e = {0};

	if (pattern_compile(text, &p, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	pattern_free(p);
}

static void what_people_write_is_modest(void **state)
{
	static const char *const patterns[] = {
		"",
		"^convo\\.",
		"(^|,) *refund *(,|$)",
		"^[0-9]+$",
		"[^]{]{2,5}",
		"[[:alpha:]]+@[a-z]+\\.[a-z]{2,}",
		"\\{99999\\}",
		"a\\{",
		"[[:alpha:]\\1]",
		"[]\\1]",
		"[\\1]",
		"\\\\1",
		"\\\\d",
		"[\\\\d]",
		"\\w+\\s\\S\\W\\b\\B",
		"\\<a\\>\\`\\'",
		"[\\.x-]",
		"\\(?",
		"\\.\\[\\*",
		"(a|b)*(c|d)?*",
		"((((((((((a))))))))))",
		"a{255}b{255}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		compiled(patterns[i]);
}

static void what_is_no_pattern_is_told(void **state)
{
	static const char *const patterns[] = {"{x}", "*a", "(", "[", "[^", "\\", "[[:nothing:]]", "[[.a]"};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (pattern_compile(patterns[i], &p, &e) == 0 || !strstr(e.text, "POSIX extended regular expression"))
			fail_msg("%s", patterns[i]);
}

static void a_parenthesis_alone_is_refused(void **state)
{
	static const char *const patterns[] = {")", "a)", "x)|y", "a)(b", "(a))"};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (pattern_compile(patterns[i], &p, &e) == 0 || !strstr(e.text, "without its ("))
			fail_msg("%s", patterns[i]);
}

/* "(.*)(.*)\\1" blocked the pipeline for ever. */
static void back_references_are_refused(void **state)
{
	static const char *const patterns[] = {"(.*)(.*)\\1", "(a)\\1", "\\1", "(a)[\\]\\9", "([[:alpha:]])[[.-.]]\\1"};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (pattern_compile(patterns[i], &p, &e) == 0 || !strstr(e.text, "back-reference"))
			fail_msg("%s", patterns[i]);
}

/* The C library accepts "\\d" silently and finds neither a digit nor the letter. */
static void what_other_expressions_know_is_told_with_what_to_write(void **state)
{
	static const struct {
		const char *pattern, *said;
	} table[] = {
		{"^\\d+$", "do not know \\d: write [0-9]"},
		{"\\D", "do not know \\D: write [^0-9]"},
		{"a\\tb", "write [[:blank:]]"},
		{"a\\nb", "write [[:space:]]"},
		{"\\Aab", "do not know \\A: write ^"},
		{"ab\\z", "write $"},
		{"\\x41", "do not know \\x: for the letter leave the backslash out"},
		{"\\0", "do not know \\0"},
		{"(a|\\q)", "do not know \\q"},
		{"[\\d.]+", "in [ ] a backslash is a letter of its own, and \\d is not known: write 0-9"},
		{"[^\\w]", "write [:alnum:]_"},
		{"x[[:alpha:]\\s]", "write [:space:]"},
		{"(?i)refund", "case is ignored anyway: leave it out"},
		{"(?:a|b)", "do not know (?:: write ( alone"},
		{"a(?=b)", "do not know (?"},
	};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (pattern_compile(table[i].pattern, &p, &e) == 0 || !strstr(e.text, table[i].said))
			fail_msg("%s: %s", table[i].pattern, e.text);
}

/* The fuzzer found the first one: regcomp took a gigabyte. */
static void repetitions_of_repetitions_are_not(void **state)
{
	static const char *const patterns[] = {
		"^o" TEN("+") TEN("+"),
		"(((a+b)+c)+d)" TEN("+"),
		"(a{99}){999}",
		"((a{30}){30}){30}",
		"a{32767}",
		"a{99999999999999999999}",
		"(a{200})*{200}",
		TEN("(") TEN("(") TEN("(") "((",
		"[a-z]" TEN("+") TEN("+"),
		"\\." TEN("+") TEN("+"),
	};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (pattern_compile(patterns[i], &p, &e) == 0 || !strstr(e.text, "repeats its parts too often"))
			fail_msg("%s", patterns[i]);
}

static void a_long_pattern_is_refused(void **state)
{
	char text[PATTERN_LENGTH_MAX + 2] = "[";
	struct pattern *p;
	struct err e;

	(void)state;
	memset(text + 1, 'a', PATTERN_LENGTH_MAX);
	text[PATTERN_LENGTH_MAX] = ']';
	assert_int_equal(pattern_compile(text, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "too long"));
	text[PATTERN_LENGTH_MAX - 1] = ']';
	text[PATTERN_LENGTH_MAX] = '\0';
	compiled(text);
}

static bool is_found(const char *pattern, const char *text)
{
	size_t left = PATTERN_TEXTS_MAX;
	struct pattern *p;
	struct err e;
	bool found;

	assert_int_equal(pattern_compile(pattern, &p, &e), 0);
	found = pattern_is_found(p, text, &left);
	pattern_free(p);
	return found;
}

static void extensions_of_the_c_library_hold_and_case_does_not_count(void **state)
{
	(void)state;
	assert_true(is_found("^\\w+$", "aB1_"));
	assert_false(is_found("^\\w+$", "a b"));
	assert_true(is_found("^\\W$", "-"));
	assert_true(is_found("a\\sb", "a b"));
	assert_true(is_found("^\\S$", "s"));
	assert_false(is_found("^\\S$", " "));
	assert_true(is_found("\\brefund\\b", "no refund, thanks"));
	assert_false(is_found("\\brefund\\b", "refunds"));
	assert_true(is_found("^refund$", "ReFund"));
	assert_true(is_found("^[A-Z]+$", "refund"));
}

static void a_pattern_is_found_where_the_c_library_finds_it(void **state)
{
	static const char *const patterns[] = {
		"",
		"a",
		"^a",
		"b$",
		"^$",
		"a|^b",
		"|b",
		"b|",
		"(^|,)a(,|$)",
		"^(a|b)*$",
		"a.b",
		"\\ba",
		"\\<b\\>",
		"[^a]",
		"a{2}",
		"a{,2}b",
		"(a|b)*a(a|b){3}$",
		"^^a",
		"a$|^b$",
		"a^b",
		"$a",
		"()",
		"(|a)b",
		"\\`a",
		"b\\'",
		"A",
		"[A-B]b",
		"(a*)*b",
		"a\nb",
		"[\n,]b",
		"[^\n]b",
		"a[[:space:]]*b$",
	};
	static const char letters[] = "ab,\n";
	char text[7] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		for (unsigned n = 0; n < 4 * 4 * 4 * 4 * 4; n++) {
			regex_t regex;
			int code;

			for (unsigned k = 0, rest = n; k < 5; k++, rest /= 4)
				text[k] = letters[rest % 4];
			text[n % 6] = '\0';
			assert_int_equal(regcomp(&regex, patterns[i], REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
			code = regexec(&regex, text, 0, NULL, 0);
			regfree(&regex);
			if (is_found(patterns[i], text) != (code == 0))
				fail_msg("%s in %s", patterns[i], text);
		}
	}
}

/* Each letter of the text takes the C library to a new state. */
static void a_pattern_that_explodes_costs_little_on_any_text(void **state)
{
	static const char *const patterns[] = {
		"(a|b)*a(a|b){100}c", "(.*a){20}c", "((a*)*b*)*c", "(a|b|ab)*(a|b){30}(bab|aba)*c", "(a?){99}a{99}c",
	};
	int64_t began_ms = clock_mono_ms();
	unsigned seed = 1;
	char text[PATTERN_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		struct pattern *p;
		struct err e;

		assert_int_equal(pattern_compile(patterns[i], &p, &e), 0);
		for (unsigned n = 0; n < 10; n++) {
			size_t left = PATTERN_TEXTS_MAX;

			for (size_t k = 0; k < PATTERN_TEXT_MAX; k++) {
				seed = seed * 1103515245 + 12345;
				text[k] = (seed >> 16) % 2 ? 'a' : 'b';
			}
			text[PATTERN_TEXT_MAX] = '\0';
			assert_false(pattern_is_found(p, text, &left));
			assert_int_equal(left, PATTERN_TEXTS_MAX - PATTERN_TEXT_MAX);
		}
		pattern_free(p);
	}
	/* A second or two; an hour without the bounds. */
	assert_true(clock_mono_ms() - began_ms < 60 * CLOCK_SECOND_MS);
}

static void texts_beyond_the_bound_are_not_looked_at(void **state)
{
	size_t left = PATTERN_TEXTS_MAX;
	char text[PATTERN_TEXT_MAX + 2];
	struct pattern *p;
	struct err e;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[PATTERN_TEXT_MAX] = 'b';
	text[PATTERN_TEXT_MAX + 1] = '\0';
	assert_int_equal(pattern_compile("b", &p, &e), 0);
	assert_false(pattern_is_found(p, text, &left));
	assert_true(pattern_is_found(p, text + 1, &left));
	assert_int_equal(left, 0);
	assert_false(pattern_is_found(p, "b", &left));
	pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write_is_modest),
		cmocka_unit_test(what_is_no_pattern_is_told),
		cmocka_unit_test(a_parenthesis_alone_is_refused),
		cmocka_unit_test(back_references_are_refused),
		cmocka_unit_test(what_other_expressions_know_is_told_with_what_to_write),
		cmocka_unit_test(extensions_of_the_c_library_hold_and_case_does_not_count),
		cmocka_unit_test(repetitions_of_repetitions_are_not),
		cmocka_unit_test(a_long_pattern_is_refused),
		cmocka_unit_test(a_pattern_is_found_where_the_c_library_finds_it),
		cmocka_unit_test(a_pattern_that_explodes_costs_little_on_any_text),
		cmocka_unit_test(texts_beyond_the_bound_are_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

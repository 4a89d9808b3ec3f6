#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "helpdesk/pattern.h"

#define TEN(x) x x x x x x x x x x

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
		"a{",
		"{x}",
		"(",
		")",
		"[",
		"[^",
		"\\",
		"(a|b)*(c|d)?*",
		"((((((((((a))))))))))",
		"a{255}b{255}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (!pattern_is_modest(patterns[i]))
			fail_msg("%s", patterns[i]);
}

/* The fuzzer found the first: regcomp took a gigabyte. */
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

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (pattern_is_modest(patterns[i]))
			fail_msg("%s", patterns[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write_is_modest),
		cmocka_unit_test(repetitions_of_repetitions_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

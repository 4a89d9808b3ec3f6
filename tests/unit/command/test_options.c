/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command/options.h"
#include "fixtures/capture.h"

static const struct command trial = {
	.name = "trial",
	.arguments = "WORD [--flag]",
	.summary = "tries options",
	.help = "  --flag  a flag\n",
};

/* The result of one parse, and its output. */
struct parsed {
	int end;
	bool flag;
	const char *text, *file;
	struct option_list list, files;
	long count;
	const char *words[2];
	size_t words_n;
	char out[4096], err[4096];
};

/* words: the arguments after the command's name, up to NULL. */
static struct parsed parse(size_t words_max, const char *const *words)
{
	struct parsed p = {.count = -1};
	const struct option_spec specs[] = {
		{"--flag", OPTION_FLAG, &p.flag}, {"--text", OPTION_TEXT, &p.text},
		{"--list", OPTION_LIST, &p.list}, {"--limit", OPTION_COUNT, &p.count},
		{"--file", OPTION_FILE, &p.file}, {"--files", OPTION_FILES, &p.files},
		{NULL, OPTION_FLAG, NULL},
	};
	char *argv[80] = {(char *)"trial"};
	int argc = 1;
	struct capture out, err;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)words[argc - 1];
	capture_begin(&out, stdout);
	capture_begin(&err, stderr);
	p.end = options_parse(&trial, specs, argc, argv, p.words, words_max, &p.words_n);
	capture_end(&err, p.err, sizeof(p.err));
	capture_end(&out, p.out, sizeof(p.out));
	return p;
}

/* Enough NULLs follow the given words. */
#define PARSE(...) parse(2, (const char *const[16]){__VA_ARGS__})

static void every_type_is_read_in_both_ways_of_writing(void **state)
{
	struct parsed p = PARSE("--flag", "--text", "one", "--list=a", "--limit", "12", "--list", "b");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_true(p.flag);
	assert_string_equal(p.text, "one");
	assert_int_equal(p.list.n, 2);
	assert_string_equal(p.list.items[0], "a");
	assert_string_equal(p.list.items[1], "b");
	assert_int_equal(p.count, 12);
	assert_int_equal(p.words_n, 0);

	p = PARSE("--text=one", "--text", "two", "--limit=9223372036854775807");
	assert_int_equal(p.end, OPTIONS_GO);
	assert_string_equal(p.text, "two");
	assert_true(p.count == INT64_MAX);
}

static void what_is_not_given_stays_as_it_was(void **state)
{
	struct parsed p = PARSE(NULL);

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_false(p.flag);
	assert_null(p.text);
	assert_int_equal(p.list.n, 0);
	assert_int_equal(p.count, -1);
	assert_string_equal(p.out, "");
	assert_string_equal(p.err, "");
}

static void a_value_is_taken_as_it_stands(void **state)
{
	struct parsed p = PARSE("--text", "--flag");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_string_equal(p.text, "--flag");
	assert_false(p.flag);
	p = PARSE("--text", "--");
	assert_string_equal(p.text, "--");
	p = PARSE("--text=a=b");
	assert_string_equal(p.text, "a=b");
	p = PARSE("--text=");
	assert_int_equal(p.end, OPTIONS_GO);
	assert_string_equal(p.text, "");
}

static void words_stand_anywhere_between_options(void **state)
{
	struct parsed p = PARSE("first", "--flag", "second");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_int_equal(p.words_n, 2);
	assert_string_equal(p.words[0], "first");
	assert_string_equal(p.words[1], "second");
	assert_true(p.flag);
}

static void a_dash_alone_and_all_behind_two_are_words(void **state)
{
	struct parsed p = PARSE("-", "--", "--flag");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_int_equal(p.words_n, 2);
	assert_string_equal(p.words[0], "-");
	assert_string_equal(p.words[1], "--flag");
	assert_false(p.flag);
}

static void two_dashes_alone_are_a_word_behind_two(void **state)
{
	struct parsed p = PARSE("--flag", "--", "--", "-h");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_true(p.flag);
	assert_int_equal(p.words_n, 2);
	assert_string_equal(p.words[0], "--");
	assert_string_equal(p.words[1], "-h");
}

static void what_is_wrong_first_is_told(void **state)
{
	struct parsed p = PARSE("a", "b", "c", "--lmit", "-h");

	(void)state;
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "\"c\""));
	p = PARSE("a", "--lmit", "b", "c", "-h");
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "--lmit"));
}

static void one_word_too_many_is_named(void **state)
{
	struct parsed p = PARSE("a", "b", "c");

	(void)state;
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "\"c\""));
	p = parse(0, (const char *const[]){"a", NULL});
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "\"a\""));
}

static void help_ends_with_the_commands_own_text(void **state)
{
	static const char *const ways[] = {"--help", "-h"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct parsed p = PARSE("word", ways[i], "--no-such-option");
		assert_int_equal(p.end, COMMAND_GOOD);
		assert_non_null(strstr(p.out, "Usage: deskbridge [-c FILE] trial WORD [--flag]\n"));
		assert_non_null(strstr(p.out, "tries options"));
		assert_non_null(strstr(p.out, "--flag  a flag"));
		assert_string_equal(p.err, "");
	}
}

static void a_wrong_option_names_the_nearest(void **state)
{
	static const struct {
		const char *word, *said;
		bool suggests;
	} rows[] = {
		{"--lmit", "unknown option --lmit (did you mean --limit?)", true},
		{"--lmit=5", "unknown option --lmit (did you mean --limit?)", true},
		{"--li", "(did you mean --list?)", true},
		{"--lis", "unknown option --lis (did you mean --list?)\n", true},
		{"--lis=a", "unknown option --lis (did you mean --list?)\n", true},
		{"--fla", "unknown option --fla (did you mean --flag?)\n", true},
		{"--fla=yes", "unknown option --fla (did you mean --flag?)\n", true},
		{"--te", "unknown option --te (did you mean --text?)\n", true},
		{"--te=a", "unknown option --te (did you mean --text?)\n", true},
		{"--h", "unknown option --h (did you mean --help?)\n", true},
		{"--hel", "unknown option --hel (did you mean --help?)\n", true},
		{"--help=yes", "unknown option --help (did you mean --help?)\n", true},
		{"--Flag", "(did you mean --flag?)", true},
		{"--hlep", "(did you mean --help?)", true},
		{"--flagg", "(did you mean --flag?)", true},
		{"--foo", "unknown option --foo\n", false},
		{"-x", "unknown option -x\n", false},
		{"-xh", "unknown option -xh\n", false},
		{"-hx", "unknown option -hx\n", false},
		{"-hh", "unknown option -hh\n", false},
		{"-flag", "(did you mean --flag?)", true},
		{"-c", "-c goes before the command: deskbridge -c FILE trial\n", false},
		{"-c=my.yaml", "-c goes before the command: deskbridge -c FILE trial\n", false},
		{"-cmy.yaml", "-c goes before the command: deskbridge -c FILE trial\n", false},
		{"--config=my.yaml", "--config goes before the command: deskbridge -c FILE trial\n", false},
		{"--something-else", "unknown option --something-else\n", false},
		{"--=", "unknown option --\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parsed p = PARSE(rows[i].word);
		assert_int_equal(p.end, COMMAND_USAGE);
		if (!strstr(p.err, rows[i].said))
			fail_msg("%s: %s", rows[i].word, p.err);
		assert_int_equal(strstr(p.err, "did you mean") != NULL, rows[i].suggests);
		assert_non_null(strstr(p.err, "deskbridge trial: "));
		assert_non_null(strstr(p.err, "deskbridge trial --help"));
		assert_string_equal(p.out, "");
	}
}

static void a_very_long_option_is_cut_in_the_message(void **state)
{
	char word[4000] = "--";
	struct parsed p;

	(void)state;
	memset(word + 2, 'x', sizeof(word) - 3);
	p = PARSE(word);
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_true(strlen(p.err) < 300);
}

static void counts_are_whole_numbers_from_1(void **state)
{
	static const char *const wrong[] = {"0",    "-1",  "+1",  " 1", "1 ", "1k",
					    "0x10", "1.5", "ten", "",   "-",  "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct parsed p = PARSE("--limit", wrong[i]);
		if (p.end != COMMAND_USAGE || !strstr(p.err, "--limit") ||
		    !strstr(p.err, "expected a whole number from 1"))
			fail_msg("\"%s\": %d %s", wrong[i], p.end, p.err);
		assert_int_equal(p.count, -1);
	}
}

static void a_missing_value_is_told(void **state)
{
	static const char *const names[] = {"--text", "--list", "--limit"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct parsed p = PARSE(names[i]);
		assert_int_equal(p.end, COMMAND_USAGE);
		assert_non_null(strstr(p.err, names[i]));
		assert_non_null(strstr(p.err, "needs a value"));
	}
}

static void a_files_name_is_not_empty(void **state)
{
	struct parsed p = PARSE("--file", "a", "--file=b", "--files", "c", "--files=d");

	(void)state;
	assert_int_equal(p.end, OPTIONS_GO);
	assert_string_equal(p.file, "b");
	assert_int_equal(p.files.n, 2);
	assert_string_equal(p.files.items[1], "d");
	for (size_t i = 0; i < 4; i++) {
		static const char *const words[] = {"--file", "--files", "--file=", "--files="};
		char said[100];

		p = PARSE(words[i], i < 2 ? "" : NULL);
		assert_int_equal(p.end, COMMAND_USAGE);
		(void)snprintf(said, sizeof(said), "trial: %s needs a file", i % 2 == 0 ? "--file" : "--files");
		assert_non_null(strstr(p.err, said));
	}
	p = PARSE("--text", "", "--list=");
	assert_int_equal(p.end, OPTIONS_GO);
	assert_string_equal(p.text, "");
	assert_int_equal(p.list.n, 1);
}

static void a_flag_takes_no_value(void **state)
{
	struct parsed p = PARSE("--flag=yes");

	(void)state;
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "--flag takes no value"));
	assert_false(p.flag);
}

static void lists_are_bounded(void **state)
{
	const char *words[OPTION_LIST_MAX + 2] = {NULL};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < OPTION_LIST_MAX; i++)
		words[i] = "--list=x";
	p = parse(2, words);
	assert_int_equal(p.end, OPTIONS_GO);
	assert_int_equal(p.list.n, OPTION_LIST_MAX);
	words[OPTION_LIST_MAX] = "--list=x";
	p = parse(2, words);
	assert_int_equal(p.end, COMMAND_USAGE);
	assert_non_null(strstr(p.err, "--list: at most 64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_in_both_ways_of_writing),
		cmocka_unit_test(what_is_not_given_stays_as_it_was),
		cmocka_unit_test(a_value_is_taken_as_it_stands),
		cmocka_unit_test(words_stand_anywhere_between_options),
		cmocka_unit_test(a_dash_alone_and_all_behind_two_are_words),
		cmocka_unit_test(two_dashes_alone_are_a_word_behind_two),
		cmocka_unit_test(what_is_wrong_first_is_told),
		cmocka_unit_test(one_word_too_many_is_named),
		cmocka_unit_test(help_ends_with_the_commands_own_text),
		cmocka_unit_test(a_wrong_option_names_the_nearest),
		cmocka_unit_test(a_very_long_option_is_cut_in_the_message),
		cmocka_unit_test(counts_are_whole_numbers_from_1),
		cmocka_unit_test(a_missing_value_is_told),
		cmocka_unit_test(a_files_name_is_not_empty),
		cmocka_unit_test(a_flag_takes_no_value),
		cmocka_unit_test(lists_are_bounded),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <limits.h>
#include <malloc.h>

#include "base/buf.h"
#include "base/json.h"

static int reads(const char *text, size_t len)
{
	struct json_object *o = NULL;
	int r = json_read(text, len, &o, NULL);

	json_object_put(o);
	return r;
}

static void each_reads_as(int want, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (reads(texts[i], strlen(texts[i])) != want)
			fail_msg("%s: %s", want == 0 ? "refused" : "taken", texts[i]);
}

#define EACH_READS_AS(want, texts) each_reads_as(want, texts, sizeof(texts) / sizeof((texts)[0]))

static void json_is_taken_strictly(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"null",
		"true",
		"12",
		"-1.5e3",
		"\"x\"",
		" {\"a\" : [1, {\"b\": null}]} \n",
		"\"\\u00e4\"",
		"{\"a\":\"\\u0000\"}",
		"[-9223372036854775808,18446744073709551615,1e400,0.5E-3]",
		"[\"a\nb N I '\"]",
		"18446744073709551616",
		"[-9223372036854775809]",
		"\xef\xbb\xbf{}",
		"\xef\xbb\xbf\r\n [1]",
		"[\"\x01\x1f\t\r\x7f\"]",
		"{\"a\x01\":\"\\\\\x02\"}",
	};
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{\"a\":1",
		"[1,",
		"\"x",
		"{} {}",
		"{}x",
		"1 2",
		"[1,]",
		"{\"a\":1,}",
		"{'a':1}",
		"{a:1}",
		"nul",
		"NaN",
		"[NaN]",
		"Infinity",
		"-Infinity",
		"[Infinity]",
		"/* c */ {}",
		"{} // c",
		"\xff",
		"\"\xc3\"",
		"{\"a\"}",
		"{\"a\":}",
		"[\"\xed\xa0\x80\"]",
		"tru",
		"{\"a\\u0000b\":1}",
		"TRUE",
		"[01]",
		"[-01]",
		"[-Infinity]",
		"[+1]",
		"[.5]",
		"[1.]",
		"[1.e5]",
		"[1e]",
		"[1e+]",
		"[-]",
		"[0x10]",
		"[12345678901234567890123a]",
		"[12345678901234567890123.]",
		"[012345678901234567890123]",
		"[12345678901234567890123-1]",
		"[12345678901234567890123 1]",
		"12345678901234567890123 1",
		"[\"\\\n\"]", /* a backslash before a line end is not an escape */
		"[\"\\\x01\"]",
		"[\x01]",
		"[\f1]",
		"[1]\x01",
		"{\"a\"\x01:1}",
		"\"a\n",
		"\"a\n\\",
		"]\"\n\"",
		"\xef\xbb\xbf",
		"\xef\xbb\xbf\xef\xbb\xbf{}",
		" \xef\xbb\xbf{}",
		"{}\xef\xbb\xbf",
		"\xff\xfe{\0}\0",
		"[\"\xe4\"]",
		"[nan]",
		"[\"\x01\",NaN]",
		"[12345678901234567890123,Infinity]",
	};

	(void)state;
	EACH_READS_AS(0, good);
	EACH_READS_AS(-EINVAL, bad);
	assert_int_equal(reads("{}\0{}", 5), -EINVAL);
	assert_int_equal(reads("[\"a\0b\"]", 7), -EINVAL);
	assert_int_equal(reads("12x", 2), 0);
}

static void only_keys_with_a_nul_are_refused(void **state)
{
	static const char *const good[] = {
		"[\"\\u0000\"]",
		"{\"a\":\"\\u0000:\"}",
		"{\"a\\\\u0000\":1}", /* a backslash and five letters */
		"{\"a\":\"\\u0000\",\"b\":1}",
	};
	static const char *const bad[] = {
		"{\"\\u0000\" : 1}",
		"{\"x\":\"\\\"\",\"a\\u0000\":1}",
		"[{\"b\":{\"a\\\\\\u0000\":1}}]",
	};

	(void)state;
	EACH_READS_AS(0, good);
	EACH_READS_AS(-EINVAL, bad);
}

/* Returns "[[],[],…]" with n lists or objects in total. The caller owns it. */
static char *many_branches(const char *one, size_t n)
{
	struct buf text;

	buf_init(&text, INT_MAX);
	for (size_t i = 1; i < n; i++)
		buf_addf(&text, "%s%s", i == 1 ? "[" : ",", one);
	buf_addc(&text, ']');
	return buf_take(&text);
}

/* json-c needs 800 bytes for "{}". */
static void objects_and_lists_are_bounded(void **state)
{
	static const char *const kinds[] = {"{}", "[]"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(mem_freep) char *most = many_branches(kinds[i], JSON_BRANCHES_MAX);
		CLEANUP(mem_freep) char *more = many_branches(kinds[i], JSON_BRANCHES_MAX + 1);
		struct json_object *o = NULL;
		struct err e = {0};

		assert_int_equal(json_read(most, strlen(most), &o, &e), 0);
		json_object_put(o);
		assert_int_equal(json_read(more, strlen(more), &o, &e), -EINVAL);
		assert_non_null(strstr(e.text, "more than 65536 objects and lists"));
	}
}

static void depth_is_bounded(void **state)
{
	char text[2 * (JSON_DEPTH_MAX + 1)];

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(reads(text, 2 * JSON_DEPTH_MAX), 0);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(reads(text, sizeof(text)), -EINVAL);
}

static void errors_name_line_and_column(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{"{\n  \"a\": x}", "line 2 column 8: "},
		{"{\"a\":1", "line 1 column 7: the text ends"},
		{"{}\n{}", "line 2 column 1: "},
		{"[\"\xc3\xa4\xc3\xa4\", \"\xff\"]", "line 1 column 9: not UTF-8"},
		{"[\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\", \"\xff\"]", "line 1 column 11: not UTF-8"},
		{"[\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\", \"\xff\"]", "line 1 column 10: not UTF-8"},
		{"{\"a\":1,\n \"b\\u0000\":2}", "line 2 column 2: a key with a NUL"},
		{"", "line 1 column 1: nothing there"},
		{"\xef\xbb\xbf{\n  \"a\": x}", "line 2 column 8: "},
		{"[\"\x01\x02\x03\", x]", "line 1 column 9: "},
		{"[\"\n\",\n x,\"\x01\x01\x01\"]", "line 3 column 2: "},
		{"[12345678901234567890123, 12345678901234567890123, x]", "line 1 column 52: "},
		{"[\"\x01\", 12345678901234567890123,\n \"\\q\"]", "line 2 column 3: an escape"},
		{"[\"\x01\x01\",NaN]", "line 1 column 7: NaN and Infinity"},
		{"[12345678901234567890123", "line 1 column 25: the text ends"},
	};
	struct json_object *o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(json_read(cases[i].text, strlen(cases[i].text), &o, &e), -EINVAL);
		if (strncmp(e.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("case %zu: %s", i, e.text);
	}
}

static void scalars_become_the_text_a_person_would_write(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{"\"x y\"", "x y"},
		{"\"\"", ""},
		{"12", "12"},
		{"-7", "-7"},
		{"9007199254740993", "9007199254740993"},
		{"18446744073709551615", "18446744073709551615"},
		{"1511370613.123", "1511370613.123"},
		{"1.5e9", "1500000000"},
		{"1511370613.0", "1511370613"},
		{"0.1", "0.1"},
		{"0.30", "0.3"},
		{"-2.50", "-2.5"},
		{"0.0", "0"},
		{"123456789.125", "123456789.125"},
		{"1e300", "1e+300"},
		{"-0", "0"},
		{"-0.0", "0"},
		{"1.0E+2", "100"},
		{"1.0000000000000000000000000000000000000001", "1"},
		{"9400111899223334445556", "9400111899223334445556"},
		{"-9223372036854775809", "-9223372036854775809"},
		{"18446744073709551616", "18446744073709551616"},
		{"100000000000000000000000000000000000000000", "100000000000000000000000000000000000000000"},
		{"9400111899223334445556.0", "9.400111899223335e+21"},
		{"9400111899223334445556e0", "9.400111899223335e+21"},
		{"1e400", "1e400"},
		{"-1E+400", "-1E+400"},
		{"\"a\n\x01\tb\"", "a\n\x01\tb"},
		{"\"a\\\\\n\"", "a\\\n"},
		{"true", "true"},
		{"false", "false"},
		{"null", NULL},
		{"[1]", NULL},
		{"{\"a\":1}", NULL},
		{"\"a\\u0000b\"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_object *o = NULL;
		char *text;

		assert_int_equal(json_read(cases[i].json, strlen(cases[i].json), &o, NULL), 0);
		text = json_scalar(o);
		if ((!text) != (!cases[i].text) || (text && strcmp(text, cases[i].text) != 0))
			fail_msg("%s became %s", cases[i].json, text ? text : "nothing");
		free(text);
		json_object_put(o);
	}
}

/* All digits are kept, at every place in a tree, and also in a copy. */
static void a_wide_integer_keeps_its_text(void **state)
{
	static const char text[] =
		"{\"a\":[9400111899223334445556,{\"b\":-9400111899223334445557}],"
		"\"c\":123456789012345678901234567890,\"d\":1.50,\"e\":1E3,\"c\":18446744073709551616}";
	static const char back[] = "{\"a\":[9400111899223334445556,{\"b\":-9400111899223334445557}],"
				   "\"c\":18446744073709551616,\"d\":1.50,\"e\":1E3}";
	struct json_object *o = NULL;
	struct json_object *copy = NULL;
	char *written;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	written = json_text(o);
	assert_string_equal(written, back);
	free(written);
	assert_int_equal(json_object_deep_copy(o, &copy, NULL), 0);
	written = json_text(copy);
	assert_string_equal(written, back);
	free(written);
	assert_string_equal(json_wide(json_member(o, "c")), "18446744073709551616");
	assert_null(json_wide(json_member(o, "d")));
	assert_null(json_wide(json_member(o, "a")));
	assert_null(json_wide(NULL));
	assert_int_equal(json_member_int(o, "c", -1), -1);
	json_object_put(o);
	json_object_put(copy);
}

/* Where json-c's own parser is right, the trees are written alike. */
static void the_tree_is_that_of_json_c(void **state)
{
	static const char *const texts[] = {
		"[[],{},[[[1],[2,[3]]],{}],{\"a\":{\"b\":[null,true,false,{\"c\":\"\"}]}}]",
		"{\"a\":1,\"b\":{\"c\":2},\"a\":{\"d\":[3]},\"b\":null,\"\":4,\"a\\u0062\":5,\"\\\"\":6}",
		"[0,-0,1,-1,0.0,-0.0,1.50,1e3,1E-7,2.5e+10,1e400,0.1,123456789012345.678]",
		"[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775808,"
		"999999999999999999]",
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e4\\u20ac\\uFFFF\\u0000z\",\"\\\\u0041\\\\\",\"ä€😀\"]",
		"[\"\\ud83d\\ude00\",\"\\ud83dx\",\"\\ude00\",\"\\ud83d\\ud83d\\ude00\",\"\\ud83d\\u0041\","
		"\"\\ud83d\\n\",\"\\ude00\\ud83d\"]",
		"{\"\\ud83d\\ude00\":1,\"\\ud83d\":2}",
		"\"text\"",
		" -12 ",
		"null",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct json_object *theirs = json_tokener_parse(texts[i]);
		struct json_object *ours = NULL;
		char *one, *two;

		assert_int_equal(json_read(texts[i], strlen(texts[i]), &ours, NULL), 0);
		assert_true(json_object_equal(ours, theirs));
		one = json_text(ours);
		two = json_text(theirs);
		assert_string_equal(one, two);
		free(one);
		free(two);
		json_object_put(ours);
		json_object_put(theirs);
	}
}

static void control_characters_are_in_the_texts_as_they_came(void **state)
{
	static const char text[] = "{\"k\x02\":\"one\r\ntwo\",\"e\":\"\\\"\n\\\"\",\"n\":[1,\"\x1f\"]}";
	struct json_object *o = NULL;
	char *written;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	assert_string_equal(json_member_str(o, "k\x02"), "one\r\ntwo");
	assert_string_equal(json_member_str(o, "e"), "\"\n\"");
	written = json_text(o);
	assert_string_equal(written, "{\"k\\u0002\":\"one\\r\\ntwo\",\"e\":\"\\\"\\n\\\"\",\"n\":[1,\"\\u001f\"]}");
	free(written);
	json_object_put(o);
}

static void members_of_another_type_are_not_there(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"i\":5,\"b\":true,\"n\":null,\"s\":\"last\"}";
	struct json_object *o = NULL;

	(void)state;
	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	assert_string_equal(json_member_str(o, "s"), "last");
	assert_null(json_member_str(o, "i"));
	assert_null(json_member_str(o, "n"));
	assert_int_equal(json_member_int(o, "i", -1), 5);
	assert_int_equal(json_member_int(o, "s", -1), -1);
	assert_int_equal(json_member_int(o, "absent", -1), -1);
	assert_true(json_member_bool(o, "b", false));
	assert_true(json_member_bool(o, "i", true));
	assert_null(json_member(o, "absent"));
	assert_null(json_member(NULL, "s"));
	assert_null(json_member(json_member(o, "s"), "s"));
	json_object_put(o);
}

static void trees_are_written_on_one_line_or_for_people(void **state)
{
	struct json_object *o = json_object_new_object();
	char *text;

	(void)state;
	json_set_str(o, "url", "https://x/\xc3\xa4\n");
	json_set_str(o, "absent", NULL);
	json_set_int(o, "n", INT64_MIN);
	json_set_bool(o, "b", false);
	text = json_text(o);
	assert_string_equal(text, "{\"url\":\"https://x/\xc3\xa4\\n\",\"n\":-9223372036854775808,\"b\":false}");
	free(text);
	text = json_pretty(o);
	assert_non_null(strstr(text, "\n  \"n\": -9223372036854775808,\n"));
	free(text);
	json_object_put(o);
	text = json_text(NULL);
	assert_string_equal(text, "null");
	free(text);
}

static void trees_are_counted(void **state)
{
	uint64_t before = json_reads();
	struct json_object *o = NULL;

	(void)state;
	assert_int_equal(json_read("{}", 2, &o, NULL), 0);
	json_object_put(o);
	assert_int_equal(json_read("12", 2, &o, NULL), 0); /* json-c needs two calls for it */
	json_object_put(o);
	assert_int_equal(json_read("{", 1, &o, NULL), -EINVAL); /* no tree is built */
	assert_int_equal(json_reads() - before, 2);
}

/* Under a sanitizer mallinfo2() returns nothing; then the estimate is only compared with the text's length. */
static void what_a_tree_takes_is_estimated(void **state)
{
	static const struct {
		const char *before, *each, *after;
		unsigned times;
		const char *rest; /* each: of a numbered member, after the number */
	} cases[] = {
		{"[0", ",1", "]", 2000},
		{"[[]", ",[]", "]", 2000},
		{"[{}", ",{}", "]", 2000},
		{"[{}", ",{\"a\":[{\"b\":null},true]}", "]", 500},
		{"[\"\"", ",\"a text of more than a few letters, as most texts are\"", "]", 2000},
		{"[0", ",123456789012345678901234567890", "]", 500},
		{"{\"a\":\"", "x", "\"}", 100000},
		{"{\"\":0", ",\"k", "}", 1400, "\":1"},
		{"{\"\":0", ",\"k", "}", 16, "\":true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = NULL;
		size_t bytes = 0;
		size_t before, taken;
		struct buf b;

		buf_init(&b, 1 << 20);
		buf_adds(&b, cases[i].before);
		for (unsigned k = 0; k < cases[i].times; k++)
			if (cases[i].rest)
				buf_addf(&b, "%s%u%s", cases[i].each, k, cases[i].rest);
			else
				buf_adds(&b, cases[i].each);
		buf_adds(&b, cases[i].after);
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		assert_int_equal(json_read_sized(b.data, b.len, &o, &bytes, NULL), 0);
		taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
		if (taken > bytes)
			fail_msg("%s: %zu bytes are taken, more than the %zu of the estimate", cases[i].each, taken,
				 bytes);
		if (taken > 0 && bytes > taken * 16)
			fail_msg("%s: %zu bytes are taken, far less than the %zu of the estimate", cases[i].each, taken,
				 bytes);
		assert_true(bytes > b.len);
		json_object_put(o);
		buf_done(&b);
	}
}

static void an_object_is_known_without_a_tree(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: text is one */
	} rows[] = {
		{"{}", NULL},
		{"{\"a\":[1,{\"b\":\"c/d\"}],\"wide\":123456789012345678901234567890}", NULL},
		{"{\"a\":\"\\u0001\"} ", NULL},
		{"", "line 1 column 1: nothing there"},
		{"[]", "line 1 column 1: expected an object"},
		{"null", "line 1 column 1: expected an object"},
		{"\xef\xbb\xbf{}", "line 1 column 1: expected an object"},
		{" {}", "line 1 column 1: expected an object"},
		{"{", "line 1 column 2: "},
		{"{\"a\":1}x", "line 1 column 8: "},
		{"{\"a\":\"\xff\"}", "line 1 column 7: not UTF-8"},
		{"{\"a\":\"\x01\"}", "line 1 column 7: a control character that is not escaped"},
		{"{\n\"a\":1}", "line 1 column 2: a control character that is not escaped"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		int r = json_check_object(rows[i].text, &e);

		assert_int_equal(r, rows[i].why ? -EINVAL : 0);
		if (rows[i].why && strncmp(e.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %s, expected %s", rows[i].text, e.text, rows[i].why);
	}
}

static void pieces_are_written_as_in_a_tree(void **state)
{
	static const struct {
		double value;
		const char *text;
	} numbers[] = {{9.99, "9.99"}, {-0.0, "0"}, {5, "5"}, {1e21, "1e+21"}, {1.5e9, "1500000000"}, {1e-7, "1e-07"}};
	struct json_object *o;
	char all[256] = "";
	char *tree;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		CLEANUP(mem_freep) char *text = json_number(numbers[i].value);

		assert_string_equal(text, numbers[i].text);
	}
	assert_null(json_number(NAN));
	assert_null(json_number(-INFINITY));
	buf_init(&b, 1000);
	json_add_str(&b, "a/\"b\"\\\n\x7f\xc3\xbc");
	assert_string_equal(b.data, "\"a/\\\"b\\\"\\\\\\n\x7f\xc3\xbc\"");
	buf_clear(&b);
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	json_add_str(&b, all);
	o = json_object_new_string(all);
	tree = json_text(o);
	assert_string_equal(b.data, tree);
	json_object_put(o);
	free(tree);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_taken_strictly),
		cmocka_unit_test(only_keys_with_a_nul_are_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(objects_and_lists_are_bounded),
		cmocka_unit_test(errors_name_line_and_column),
		cmocka_unit_test(scalars_become_the_text_a_person_would_write),
		cmocka_unit_test(a_wide_integer_keeps_its_text),
		cmocka_unit_test(the_tree_is_that_of_json_c),
		cmocka_unit_test(control_characters_are_in_the_texts_as_they_came),
		cmocka_unit_test(members_of_another_type_are_not_there),
		cmocka_unit_test(trees_are_written_on_one_line_or_for_people),
		cmocka_unit_test(trees_are_counted),
		cmocka_unit_test(what_a_tree_takes_is_estimated),
		cmocka_unit_test(an_object_is_known_without_a_tree),
		cmocka_unit_test(pieces_are_written_as_in_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

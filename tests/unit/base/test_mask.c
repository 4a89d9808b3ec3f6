/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mask.h"
#include "base/mem.h"

static void addresses_are_masked_in_whatever_form_they_are_written(void **state)
{
	static const struct {
		const char *text, *masked;
	} rows[] = {
		{"", ""},
		{"no address, 100 % sure & a=b \\ c", "no address, 100 % sure & a=b \\ c"},
		{"for jane.doe@example.com, and", "for j***@example.com, and"},
		{"'jane@example.com' is not valid", "'j***@example.com' is not valid"},
		{"{\"email\":\"jane@example.com\"}", "{\"email\":\"j***@example.com\"}"},
		{"<jo@a.example>, (kim@b.example)", "<j***@a.example>, (k***@b.example)"},
		/* letters of any script */
		{"jürgen.müller@example.com", "j***@example.com"},
		{"ürgen@bücher.example", "ü***@bücher.example"},
		{"山田太郎@例え.テスト", "山***@例え.テスト"},
		/* other forms of the @ */
		{"jane.doe%40example.com", "j***@example.com"},
		{"?to=x&email=jane.doe%40example.com&n=1", "?***@example.com&n=1"},
		{"jane.doe%2540example.com", "j***@example.com"},
		{"jane.doe%252540example.com", "j***@example.com"},
		{"jane%2Edoe%40example%2Ecom", "j***@example%2Ecom"},
		{"jane.doe\\u0040example.com", "j***@example.com"},
		{"jane.doe\\\\u0040example.com", "j***@example.com"},
		{"jane.doe\\u{40}example.com", "j***@example.com"},
		{"jane.doe\\x40example.com", "j***@example.com"},
		{"jane.doe%u0040example.com", "j***@example.com"},
		{"jane.doe&#64;example.com", "j***@example.com"},
		{"jane.doe&#064;example.com", "j***@example.com"},
		{"jane.doe&#64example.com", "j***@example.com"},
		{"jane.doe&#x40;example.com", "j***@example.com"},
		{"jane.doe&amp;#64;example.com", "j***@example.com"},
		{"jane.doe&commat;example.com", "j***@example.com"},
		{"jane.doe=40example.com", "j***@example.com"},
		{"jane.doe\xef\xbc\xa0"
		 "example.com",
		 "j***@example.com"},
		{"jane.doe\xef\xb9\xab"
		 "example.com",
		 "j***@example.com"},
		{"jane.doe%EF%BC%A0example.com", "j***@example.com"},
		{"j\\u00fcrgen%40example.com", "j***@example.com"},
		{"%6Aane%40example.com", "j***@example.com"},
		/* =40 is usually not an encoded @ */
		{"limit=40 of 50, x=4096", "limit=40 of 50, x=4096"},
		/* quoted, split, commented */
		{"\"jane doe\"@example.com", "\"j***@example.com"},
		{"to \"jane.doe\"@example.com!", "to \"j***@example.com!"},
		{"jane\".\"doe@example.com", "j***@example.com"},
		{"jane.doe'@example.com", "j***@example.com"},
		{"jane.doe\"@\"example.com", "j***@\"example.com"},
		{"jane.doe @ example.com", "j***@example.com"},
		{"<b>jane.doe</b>@example.com", "<b***@example.com"},
		{"jane<wbr>doe@example.com", "j***@example.com"},
		{"jane.doe(home)@example.com", "j***@example.com"},
		/* the folders of a path or URL stay, a possible local part does not */
		{"/run/credentials/deskbridge@eu.service/key", "/run/credentials/d***@eu.service/key"},
		{"GET https://desk.example/api/people?q=1&email=jane.doe@example.com&n=1: 404",
		 "GET https://desk.example/api/p***@example.com&n=1: 404"},
		{"https://desk.example/people/jane.doe%40example.com", "https://desk.example/people/j***@example.com"},
		{"/a/b%2Fc/jane%40example.com", "/a/b***@example.com"},
		{"https://example.com/@jane", "https://example.com/***@jane"},
		{"/G=jane/S=doe/@gateway.example", "/G***@gateway.example"},
		{"jane/doe@example.com", "j***@example.com"},
		{"meet us @ five", "meet us ***@ five"},
		{"{\\\"email\\\": \\\"jane\\u0040example.com\\\"}", "{\\\"email\\\": \\\"j***@example.com\\\"}"},
		/* an address inside an address, and next to each other */
		{"jane=corp.example@list.example", "j***@list.example"},
		{"jane%40corp.example@list.example", "j***@list.example"},
		{"a@b@c.example", "a***@b***@c.example"},
		{"jane@example.com;kim%40example.com,lee=40example.com",
		 "j***@example.com;k***@example.com,l***@example.com"},
		{"jane.doe%2525252525252540example.com", "j***@example.com"},
		{"a%41 jane=40example.com &amp; kim%2540b.example lee=3D40",
		 "a%41 j***@example.com &amp; k***@b.example lee=3D40"},
		{"@", "***@"},
		{"%", "%"},
		{"%4", "%4"},
		{"&#;", "&#;"},
		{"\\", "\\"},
		{"=", "="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(mem_freep) char *masked = mask_text(rows[i].text);
		CLEANUP(mem_freep) char *again = mask_text(masked);

		assert_string_equal(masked, rows[i].masked);
		assert_string_equal(again, masked);
	}
}

static size_t write_form(char *to, size_t size, unsigned form, char c)
{
	switch (form) {
	case 1:
		return (size_t)snprintf(to, size, "%%%02X", c);
	case 2:
		return (size_t)snprintf(to, size, "%%25%02x", c);
	case 3:
		return (size_t)snprintf(to, size, "\\u%04x", c);
	case 4:
		return (size_t)snprintf(to, size, "&#%d;", c);
	case 5:
		return (size_t)snprintf(to, size, "&#x%x;", c);
	case 6:
		return (size_t)snprintf(to, size, "\\x%02x", c);
	case 7:
		return (size_t)snprintf(to, size, "%%u%04X", c);
	default:
		return (size_t)snprintf(to, size, "%c", c);
	}
}

/* Encodes letters of "jane.doe@example.com" in every way: the masked text never contains the local part. */
static void no_address_gets_through(void **state)
{
	static const char address[] = "jane.doe@example.com";
	static const char *const around[] = {
		"", " ", "<", "\"", "'", "(", "email: ", "x=", "/webhooks/", "\xff", "%", "&", "\\"};
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[1000];
		size_t len;
		char *masked;

		seed = seed * 1664525 + 1013904223;
		len = (size_t)snprintf(text, sizeof(text), "%s",
				       around[(seed >> 16) % (sizeof(around) / sizeof(around[0]))]);
		for (const char *c = address; *c != '\0'; c++) {
			unsigned form;

			seed = seed * 1664525 + 1013904223;
			form = (seed >> 16) % 12;
			len += write_form(text + len, sizeof(text) - len, form, *c);
		}
		masked = mask_text(text);
		assert_null(strstr(masked, "oe@"));
		assert_null(strstr(masked, "ane"));
		assert_null(strstr(masked, "doe"));
		free(masked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_masked_in_whatever_form_they_are_written),
		cmocka_unit_test(no_address_gets_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

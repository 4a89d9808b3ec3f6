/* SPDX-License-Identifier: MIT */
/* Tests url: the parts of a URL as its text has them, and that no host is corrected or changed. */
#include <config.h>

#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"

static const struct row {
	const char *text;
	const char *authority; /* NULL: no such URL */
	const char *rest;
	const char *host; /* NULL: none */
	bool https, loopback;
} rows[] = {
	{"https://acme.example", "acme.example", "", "acme.example", true, false},
	{"https://acme.example/a?b#c", "acme.example", "/a?b#c", "acme.example", true, false},
	{"http://acme.example?b", "acme.example", "?b", "acme.example", false, false},
	{"http://acme.example#c", "acme.example", "#c", "acme.example", false, false},
	{"HttPs://ACME.example:443/A", "ACME.example:443", "/A", "ACME.example", true, false},
	{"https://user:p@acme.example/", "user:p@acme.example", "/", NULL, true, false},
	{"https://[2001:db8::1]:8/x", "[2001:db8::1]:8", "/x", "2001:db8::1", true, false},
	{"http://127.0.0.1", "127.0.0.1", "", "127.0.0.1", false, true},
	{"http://127.9.9.9:1/x", "127.9.9.9:1", "/x", "127.9.9.9", false, true},
	{"http://LocalHost:8080", "LocalHost:8080", "", "LocalHost", false, true},
	{"https://[::1]", "[::1]", "", "::1", true, true},
	{"http://[::ffff:127.0.0.1]:80/", "[::ffff:127.0.0.1]:80", "/", "::ffff:127.0.0.1", false, true},
	/* curl's URL API accepts these, and reads some as 127.0.0.1. */
	{"http://127.1", "127.1", "", "127.1", false, false},
	{"http://0x7f.1", "0x7f.1", "", "0x7f.1", false, false},
	{"http://2130706433/", "2130706433", "/", "2130706433", false, false},
	{"http://0177.0.0.1", "0177.0.0.1", "", "0177.0.0.1", false, false},
	{"http://%6cocalhost", "%6cocalhost", "", "%6cocalhost", false, false},
	{"http://localhost./", "localhost.", "/", "localhost.", false, false},
	{"http://[::1%25lo]", "[::1%25lo]", "", "::1%25lo", false, false},
	{"http://127.0.0.1.evil.example", "127.0.0.1.evil.example", "", "127.0.0.1.evil.example", false, false},
	{"http://127.0.0.1@evil.example", "127.0.0.1@evil.example", "", "127.0.0.1@evil.example", false, false},
	{"http://evil.example#@127.0.0.1", "evil.example", "#@127.0.0.1", "evil.example", false, false},
	{"http://127.0.0.1\\@evil.example", "127.0.0.1\\@evil.example", "", "127.0.0.1\\@evil.example", false, false},
	{"http://[127.0.0.1]", "[127.0.0.1]", "", NULL, false, false},
	{"http://::1", "::1", "", NULL, false, false},
	{"http://[::1]x", "[::1]x", "", NULL, false, false},
	{"http://[::1", "[::1", "", NULL, false, false},
	{"http://localhost:", "localhost:", "", NULL, false, false},
	{"http://localhost:0", "localhost:0", "", NULL, false, false},
	{"http://localhost:65536", "localhost:65536", "", NULL, false, false},
	{"http://localhost:8x", "localhost:8x", "", NULL, false, false},
	{"http:///localhost", "", "/localhost", NULL, false, false},
	{"https://:80", ":80", "", NULL, true, false},
	{"https://", "", "", NULL, true, false},
	{"https:/localhost", NULL, "", NULL, false, false},
	{"http:localhost", NULL, "", NULL, false, false},
	{"ftp://localhost", NULL, "", NULL, false, false},
	{" http://localhost", NULL, "", NULL, false, false},
	{"localhost", NULL, "", NULL, false, false},
	{"", NULL, "", NULL, false, false},
};

static void the_text_counts_as_it_stands(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(*rows); r++) {
		CLEANUP(mem_freep) char *host = url_host(r->text);
		CLEANUP(mem_freep) char *authority = NULL;
		struct url u = {0};

		if (url_split(r->text, &u))
			authority = mem_strn(u.authority, u.authority_len);
		if (!text_is(authority, r->authority) || !text_is(host, r->host) ||
		    strcmp(url_path(r->text), r->rest) != 0 || url_is_loopback(r->text) != r->loopback)
			fail_msg("misread: \"%s\"", r->text);
		if (!authority)
			assert_int_equal(url_scheme(r->text), 0);
		else
			assert_ptr_equal(u.authority, r->text + url_scheme(r->text));
		assert_int_equal(u.https, r->https);
		assert_int_equal(url_begins(r->text), authority && strchr("h", r->text[0]) && r->text[1] == 't');
		assert_int_equal(url_is_plain(r->text), authority && !r->https);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_counts_as_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

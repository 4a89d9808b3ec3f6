/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include <errno.h>

#include "helpdesk/expr/template.h"

static void only_what_may_not_stand_in_a_url_is_encoded(void **state)
{
	static const struct {
		const char *text, *link;
	} cases[] = {
		{"https://desk.example.com/tickets/7", "https://desk.example.com/tickets/7"},
		{"http://desk.example.com", "http://desk.example.com"},
		{"https://desk.example.com/my inbox?q=\"late\" mail",
		 "https://desk.example.com/my%20inbox?q=%22late%22%20mail"},
		{"https://desk.example.com/a<b>c\\d^e`f{g|h}i",
		 "https://desk.example.com/a%3Cb%3Ec%5Cd%5Ee%60f%7Bg%7Ch%7Di"},
		{"https://desk.example.com/:?#[]@!$&'()*+,;=-._~", "https://desk.example.com/:?#[]@!$&'()*+,;=-._~"},
		{"https://desk.example.com/a%20b%2fc%C3%a4", "https://desk.example.com/a%20b%2fc%C3%a4"},
		{"https://desk.example.com/100%", "https://desk.example.com/100%25"},
		{"https://desk.example.com/100%?a=%2", "https://desk.example.com/100%25?a=%252"},
		{"https://desk.example.com/%zz%4g%%41", "https://desk.example.com/%25zz%254g%25%41"},
		{"https://desk.example.com/\u00e4?\u20ac#\U0001f600",
		 "https://desk.example.com/%C3%A4?%E2%82%AC#%F0%9F%98%80"},
		{"https://desk.example.com/a\tb\nc\x01\x7f", "https://desk.example.com/a%09b%0Ac%01%7F"},
		{"https://desk.example.com/\xff\xc3", "https://desk.example.com/%FF%C3"},
		{"https://desk.example.com?a b", "https://desk.example.com?a%20b"},
		{"https://desk.example.com#a b", "https://desk.example.com#a%20b"},
		{"https://desk.example.com/a@b:c//d", "https://desk.example.com/a@b:c//d"},
		{"https://desk.example.com/?to=jo@example.com", "https://desk.example.com/?to=jo@example.com"},
		{"HTTPS://Desk.example.com/A", "https://Desk.example.com/A"},
		{"Http://desk.example.com/", "http://desk.example.com/"},
		{" \n https://desk.example.com/a \r\n", "https://desk.example.com/a"},
		{"\ufeff\u200bhttps://desk.example.com/a\u00a0\u2060", "https://desk.example.com/a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *link = NULL;
		CLEANUP(mem_freep) char *again = NULL;
		struct err e;

		if (link_make(cases[i].text, &link, &e) != 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_string_equal(link, cases[i].link);
		assert_int_equal(link_make(link, &again, &e), 0); /* a link is a link already */
		assert_string_equal(again, link);
	}
}

static void hosts_are_as_the_dns_has_them(void **state)
{
	static const struct {
		const char *host, *becomes; /* NULL: none */
	} cases[] = {
		{"desk", "desk"},
		{"desk.example.com", "desk.example.com"},
		{"desk.example.com.", "desk.example.com."},
		{"my_desk.example.com", "my_desk.example.com"},
		{"192.0.2.1", "192.0.2.1"},
		{"[2001:db8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]:8443", "[2001:db8::1]:8443"},
		{"desk.example.com:8443", "desk.example.com:8443"},
		{"desk.example.com:", "desk.example.com"},
		{"m\u00fcnchen.example", "xn--mnchen-3ya.example"},
		{"M\u00dcNCHEN.example:81", "xn--mnchen-3ya.example:81"},
		{"m%C3%BCnchen.example", "xn--mnchen-3ya.example"},
		{"xn--mnchen-3ya.example", "xn--mnchen-3ya.example"},
		{"\u4f8b\u3048.example", "xn--r8jz45g.example"},
		{"", NULL},
		{".", NULL},
		{".example.com", NULL},
		{"desk..example.com", NULL},
		{"my desk.example.com", NULL},
		{"my%20desk.example.com", NULL},
		{"desk.example.com%2Fx.example", NULL},
		{"desk%", NULL},
		{"desk%00.example", NULL},
		{"desk~.example", NULL},
		{"de\"sk.example", NULL},
		{"evil.example\\", NULL},
		{"desk.example.com:port", NULL},
		{"desk.example.com:0", NULL},
		{"desk.example.com:70000", NULL},
		{"a:b:c", NULL},
		{":80", NULL},
		{"[]", NULL},
		{"[desk]", NULL},
		{"[2001:db8::1", NULL},
		{"2001:db8::1", NULL},
		{"[192.0.2.1]", NULL},
		{"\u2100.example", NULL}, /* a/c in one letter */
		/* Without the invalid letter, each would be the name of another host. */
		{"a\u2100b.example", NULL},
		{"desk.example\uff0f\u00fc.example", NULL}, /* a wide "/" */
		{"desk.example\uff20evil.example", NULL},   /* a wide "@" */
		{"my_m\u00fcnchen.example", NULL},
		{"m\u00fcnchen\"s.example", NULL},
		{"desk\x01s.example", NULL},
		{"\xff.example", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = mem_fmt("https://%s/x y", cases[i].host);
		CLEANUP(mem_freep) char *link = NULL;
		CLEANUP(mem_freep) char *want = NULL;
		struct err e = {0};
		int r = link_make(text, &link, &e);

		if (!cases[i].becomes) {
			if (r != -EINVAL || strcmp(e.text, "a URL without a usable host") != 0)
				fail_msg("%s: %d, %s", text, r, r < 0 ? e.text : link);
			continue;
		}
		if (r != 0)
			fail_msg("%s: %s", text, e.text);
		want = mem_fmt("https://%s/x%%20y", cases[i].becomes);
		assert_string_equal(link, want);
	}
}

static void what_leads_nowhere_or_holds_credentials_is_no_link(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "no absolute http or https URL"},
		{" ", "no absolute http or https URL"},
		{"desk.example.com/a", "no absolute http or https URL"},
		{"//desk.example.com/a", "no absolute http or https URL"},
		{"/tickets/7", "no absolute http or https URL"},
		{"https:", "no absolute http or https URL"},
		{"https:/desk.example.com", "no absolute http or https URL"},
		{"https:\\\\desk.example.com", "no absolute http or https URL"},
		{"ftp://desk.example.com", "no absolute http or https URL"},
		{"javascript:alert(1)", "no absolute http or https URL"},
		{"javascript://desk.example.com/%0aalert(1)", "no absolute http or https URL"},
		{"xhttps://desk.example.com", "no absolute http or https URL"},
		{"h\u200bttps://desk.example.com", "no absolute http or https URL"},
		{"https://", "a URL without a usable host"},
		{"https:///a", "a URL without a usable host"},
		{"https://?a", "a URL without a usable host"},
		{"https://jo:geheim@desk.example.com/a", "a URL with a user or a password in it"},
		{"https://jo@desk.example.com/a", "a URL with a user or a password in it"},
		{"https://@desk.example.com/a", "a URL with a user or a password in it"},
		{"https://:geheim@desk.example.com", "a URL with a user or a password in it"},
		{"https://desk.example.com\\@evil.example/", "a URL with a user or a password in it"},
		{"https://jo%40desk.example.com/", "a URL without a usable host"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *link = NULL;
		struct err e = {0};

		if (link_make(cases[i].text, &link, &e) != -EINVAL)
			fail_msg("%s is a link", cases[i].text);
		assert_string_equal(e.text, cases[i].why);
		assert_null(strstr(e.text, "geheim"));
	}
}

static void a_link_is_whole_or_none(void **state)
{
	CLEANUP(mem_freep) char *text = mem_new(LINK_MAX + 2, 1);
	CLEANUP(mem_freep) char *link = NULL;
	struct err e = {0};

	(void)state;
	memset(text, 'a', LINK_MAX);
	memcpy(text, "https://x.example/", 18);
	assert_int_equal(link_make(text, &link, &e), 0);
	assert_string_equal(link, text);
	mem_freep(&link);
	link = NULL;
	text[LINK_MAX - 1] = ' ';
	text[LINK_MAX] = 'a';
	assert_int_equal(link_make(text, &link, &e), -EMSGSIZE);
	assert_string_equal(e.text, "a URL of more than 4096 bytes");
	text[LINK_MAX] = '\0'; /* a blank at the end is no part of the URL */
	assert_int_equal(link_make(text, &link, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_may_not_stand_in_a_url_is_encoded),
		cmocka_unit_test(hosts_are_as_the_dns_has_them),
		cmocka_unit_test(what_leads_nowhere_or_holds_credentials_is_no_link),
		cmocka_unit_test(a_link_is_whole_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

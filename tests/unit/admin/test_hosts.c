/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/auth.h"

static char names[][24] = {"bridge.example.com", "Dotted.Example.",       "10.1.2.3",
			   "2001:db8::7",        "only.example.com:8086", "[2001:db8::9]:444"};
static char *known[] = {names[0], names[1], names[2], names[3], names[4], names[5]};
static const struct strings hosts = {.items = known, .n = sizeof(known) / sizeof(*known)};

static void loopback_and_configured_hosts_are_allowed_and_nothing_else(void **state)
{
	static const struct {
		const char *host;
		bool allowed;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.0.0.1:8086", true},
		{"127.9.8.7:1", true},
		{"localhost", true},
		{"LocalHost:8086", true},
		{"[::1]", true},
		{"[::1]:8086", true},
		{"[::ffff:127.0.0.1]:8086", true},
		{"[0:0::0:1]", true},

		{"bridge.example.com", true},
		{"BRIDGE.Example.Com:8086", true},
		{"bridge.example.com.", true},
		{"bridge.example.com.:443", true},
		{"dotted.example", true},
		{"10.1.2.3:99", true},
		{"[2001:db8::7]", true},
		{"[2001:0db8:0::7]:1", true},
		{"only.example.com:8086", true},
		{"[2001:db8::9]:444", true},

		{"only.example.com", false},
		{"only.example.com:8087", false},
		{"[2001:db8::9]:445", false},
		{"", false},
		{":8086", false},
		{"evil.example", false},
		{"127.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"127.0.0.1.", false},
		{"127.1", false},
		{"0x7f.0.0.1", false},
		{"2130706433", false},
		{"0.0.0.0", false},
		{"[::]", false},
		{"::", false},
		{"10.1.2.4", false},
		{"localhost.", false},
		{"localhost.evil.example", false},
		{"x.localhost", false},
		{"localhost:", false},
		{"localhost:0", false},
		{"localhost:99999", false},
		{"localhost:80x", false},
		{"localhost@evil.example", false},
		{"evil.example:80@localhost", false},
		{"localhost, evil.example", false},
		{"localhost evil.example", false},
		{"[localhost]", false},
		{"[::1", false},
		{"[::1]x", false},
		{"[]", false},
		{"xbridge.example.com", false},
		{"bridge.example.com..", false},
	};
	static const struct strings none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (hosts_allow(rows[i].host, &hosts) != rows[i].allowed)
			fail_msg("misjudged: \"%s\"", rows[i].host);
	assert_false(hosts_allow("bridge.example.com", &none));
	assert_true(hosts_allow("localhost", &none));
}

static void only_the_page_of_the_same_host_and_port_is_our_own(void **state)
{
	static const struct {
		const char *origin, *host;
		bool own;
	} rows[] = {
		{"http://127.0.0.1:8086", "127.0.0.1:8086", true},
		{"http://localhost:8086", "LOCALHOST:8086", true},
		{"HTTP://localhost:8086", "localhost:8086", true},
		{"http://[::1]:8086", "[::1]:8086", true},
		{"http://bridge.example.com", "bridge.example.com", true},
		{"http://bridge.example.com", "bridge.example.com:80", true},
		{"http://bridge.example.com:80", "bridge.example.com", true},
		{"https://bridge.example.com", "bridge.example.com", true},
		{"https://bridge.example.com", "bridge.example.com:443", true},
		{"https://bridge.example.com:8443", "bridge.example.com:8443", true},

		{"null", "127.0.0.1:8086", false},
		{"", "127.0.0.1:8086", false},
		{"http://", "127.0.0.1:8086", false},
		{"127.0.0.1:8086", "127.0.0.1:8086", false},
		{"//127.0.0.1:8086", "127.0.0.1:8086", false},
		{"http:/127.0.0.1:8086", "127.0.0.1:8086", false},
		{"ftp://127.0.0.1:8086", "127.0.0.1:8086", false},
		{"http://127.0.0.1:3000", "127.0.0.1:8086", false},
		{"http://127.0.0.1", "127.0.0.1:8086", false},
		{"http://localhost:8086", "127.0.0.1:8086", false},
		{"http://evil.example", "127.0.0.1:8086", false},
		{"http://evil.example:8086", "127.0.0.1:8086", false},
		{"https://bridge.example.com", "bridge.example.com:80", false},
		{"http://127.0.0.1:8086/", "127.0.0.1:8086", false},
		{"http://127.0.0.1:8086 http://evil.example", "127.0.0.1:8086", false},
		{"http://user@127.0.0.1:8086", "127.0.0.1:8086", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (hosts_is_own_origin(rows[i].origin, rows[i].host) != rows[i].own)
			fail_msg("misjudged: \"%s\" at \"%s\"", rows[i].origin, rows[i].host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_and_configured_hosts_are_allowed_and_nothing_else),
		cmocka_unit_test(only_the_page_of_the_same_host_and_port_is_our_own),
	};

	return cmocka_run_group_tests_name("admin_hosts", tests, NULL, NULL);
}

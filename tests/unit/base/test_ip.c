/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"

static void only_addresses_of_loopback_and_localhost_are_this_machine(void **state)
{
	static const struct {
		const char *host;
		bool loopback;
	} cases[] = {
		{"localhost", true},
		{"LocalHost", true},
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"::1", true},
		{"[::1]", true},
		{"0:0:0:0:0:0:0:1", true},
		{"::ffff:127.0.0.1", true},
		{"[::ffff:127.9.9.9]", true},
		{"127.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"127.1", false},
		{"127", false},
		{"0177.0.0.1", false},
		{"2130706433", false},
		{"localhost.", false},
		{"x.localhost", false},
		{"localhost.evil.example", false},
		{"[127.0.0.1]", false},
		{"[localhost]", false},
		{"[::1", false},
		{"::1]", false},
		{"[]", false},
		{"", false},
		{"::", false},
		{"0.0.0.0", false},
		{"::1%lo", false},
		{"::127.0.0.1", false},
		{"::ffff:128.0.0.1", false},
		{"10.0.0.1", false},
		{"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (host_is_loopback(cases[i].host) != cases[i].loopback)
			fail_msg("misjudged: \"%s\"", cases[i].host);
}

static void ports_and_brackets_are_taken_off_a_host(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{"example.com", "example.com", 0},
		{"example.com:80", "example.com", 80},
		{"example.com:065535", "example.com", 65535},
		{"203.0.113.7:4711", "203.0.113.7", 4711},
		{"[2001:db8::1]:443", "2001:db8::1", 443},
		{"[2001:db8::1]", "2001:db8::1", 0},
		{"2001:db8::1", "2001:db8::1", 0},
		{"", NULL, 0},
		{":80", NULL, 0},
		{"[]", NULL, 0},
		{"[]:80", NULL, 0},
		{"example.com:", NULL, 0},
		{"example.com:0", NULL, 0},
		{"example.com:65536", NULL, 0},
		{"example.com:99999999999999999999", NULL, 0},
		{"example.com:8x", NULL, 0},
		{"example.com:-8", NULL, 0},
		{"[::1]x", NULL, 0},
		{"[::1]:", NULL, 0},
		{"[::1", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *host = host_without_port(cases[i].text);
		CLEANUP(mem_freep) char *same = NULL;
		uint16_t port = 77;

		same = host_and_port(cases[i].text, &port);
		if (!text_is(host, cases[i].host) || !text_is(same, host) || port != (host ? cases[i].port : 77))
			fail_msg("\"%s\" gave \"%s\"", cases[i].text, host ? host : "nothing");
	}
}

static void networks_hold_their_addresses(void **state)
{
	static const struct {
		const char *network, *address;
		bool inside;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/23", "192.0.3.0", true},
		{"0.0.0.0/0", "8.8.8.8", true},
		{"0.0.0.0/0", "::", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "11.1.2.3", false},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"192.0.2.0/33", "192.0.2.0", false},
		{"192.0.2.0/", "192.0.2.0", false},
		{"192.0.2.0/+8", "192.0.2.0", false},
		{"unix", "192.0.2.0", false},
		{"", "192.0.2.0", false},
	};
	struct ip_network network;
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(ip_read(cases[i].address, &ip));
		if ((ip_network_read(cases[i].network, &network) && ip_is_in(&ip, &network)) != cases[i].inside)
			fail_msg("misjudged: %s in %s", cases[i].address, cases[i].network);
	}
	assert_true(ip_network_read("::/0", &network));
	assert_int_equal(network.prefix, 0);
	assert_true(ip_network_read("::ffff:0:0/96", &network));
	assert_int_equal(network.base.bits, 32);
	assert_int_equal(network.prefix, 0);
	assert_false(ip_network_read("::/129", &network));
	assert_false(ip_network_read("/24", &network));
}

static void limits_count_an_ipv6_host_by_its_64(void **state)
{
	static const struct {
		const char *address, *key;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2::", "2001:db8:1:2::"},
	};
	struct ip ip, key, expected;
	char text[IP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(ip_read(cases[i].address, &ip));
		key = ip_limit_key(&ip);
		assert_string_equal(ip_text(&key, text), cases[i].key);
		assert_true(ip_read(cases[i].key, &expected) && ip_same(&key, &expected));
	}
}

static void a_socket_s_peer_is_an_address_or_none(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xc0000201)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr un = {.sa_family = AF_UNIX};
	char text[IP_TEXT_MAX];
	struct ip ip;

	(void)state;
	assert_true(ip_of_socket((struct sockaddr *)&in, &ip));
	assert_string_equal(ip_text(&ip, text), "192.0.2.1");
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	assert_true(ip_of_socket((struct sockaddr *)&in6, &ip));
	assert_string_equal(ip_text(&ip, text), "192.0.2.1");
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
	assert_true(ip_of_socket((struct sockaddr *)&in6, &ip));
	assert_string_equal(ip_text(&ip, text), "2001:db8::1");
	assert_false(ip_of_socket(&un, &ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_addresses_of_loopback_and_localhost_are_this_machine),
		cmocka_unit_test(ports_and_brackets_are_taken_off_a_host),
		cmocka_unit_test(networks_hold_their_addresses),
		cmocka_unit_test(limits_count_an_ipv6_host_by_its_64),
		cmocka_unit_test(a_socket_s_peer_is_an_address_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

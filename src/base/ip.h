/* SPDX-License-Identifier: MIT */
/*
 * ip: IP addresses and host names as they stand in texts and sockets. Pure: no name is looked up.
 *
 * An IPv4 address that is written or seen as an IPv6 one (::ffff:192.0.2.1) is the IPv4 address everywhere here: an
 * IPv6 socket that takes IPv4 connections, and some proxies, write it so.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/text.h"

#define IP_TEXT_MAX 46 /* of any address, with its NUL */

struct ip {
	unsigned char bytes[16]; /* network order; unused ones are 0, so that memcmp compares the whole */
	unsigned bits;           /* 32 or 128 */
};

/* "192.0.2.1", "2001:db8::1": no brackets, no port, no zone, no short forms ("127.1"). */
bool ip_read(const char *text, struct ip *ret);
/* The address of a socket's peer; false where it is not IP: a unix socket. */
bool ip_of_socket(const struct sockaddr *a, struct ip *ret);
const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);
bool ip_same(const struct ip *a, const struct ip *b);
uint32_t ip_hash(const struct ip *ip); /* FNV-1a, for a table in memory */
/* 127.0.0.0/8 and ::1. */
bool ip_is_loopback(const struct ip *ip);

struct ip_network {
	struct ip base;
	unsigned prefix; /* leading bits in which an address is as base; 0: every address of its kind */
};
/* "192.0.2.0/24", "2001:db8::/32"; an address alone ("192.0.2.1") is a network of one. */
bool ip_network_read(const char *text, struct ip_network *ret);
bool ip_is_in(const struct ip *ip, const struct ip_network *network);

/*
 * The address that limits per address count by: an IPv4 address itself, the /64 of an IPv6 address, because one host
 * may take as many addresses as it likes in there.
 */
struct ip ip_limit_key(const struct ip *ip);

/* The letters of a name or an IPv4 address, between its dots and with them. */
#define HOST_LABEL_LETTERS TEXT_ALNUM "-_"
#define HOST_LETTERS HOST_LABEL_LETTERS "."
#define HOST_MAX 253      /* letters of a name in the DNS */
#define HOST_LABEL_MAX 63 /* and of one of its labels */

/* A port to ask at, as text: 1 to 65535 in digits. -EINVAL, -ERANGE. */
int port_read(const char *text, uint16_t *ret);
/*
 * The host of "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT" or a bare IPv6 address, without brackets and port. NULL
 * where it is empty or the port is no number from 1 to 65535; whether the host is one is not looked at. The caller owns
 * it. *ret_port: 0 where none is written.
 */
char *host_and_port(const char *text, uint16_t *ret_port);
char *host_without_port(const char *text);
/*
 * Whether a host, with or without brackets, is this machine without anybody being asked: "localhost" and addresses of
 * loopback. Nothing else is, "localhost." and "x.localhost" neither: where they lead depends on the resolver, and
 * "127.evil.example" is a name like any other.
 */
bool host_is_loopback(const char *host);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ip: IP addresses, networks, ports and host names, as text and in sockets. Pure: no name is resolved.
 *
 * An IPv4 address in IPv6 notation (::ffff:192.0.2.1) is the IPv4 address everywhere here, because an IPv6 socket that
 * accepts IPv4 connections writes it so, and so do some proxies.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/text.h"

#define IP_TEXT_MAX 46 /* bytes of any address with its NUL */

struct ip {
	unsigned char bytes[16]; /* network order; unused bytes are 0, so that memcmp() can compare all of them */
	unsigned bits;           /* 32 or 128 */
};

/* Reads "192.0.2.1" or "2001:db8::1": no brackets, no port, no zone, no short form ("127.1"). */
bool ip_read(const char *text, struct ip *ret);
/* Takes the address out of a socket address. False: not IP (a unix socket). */
bool ip_of_socket(const struct sockaddr *a, struct ip *ret);
const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);
bool ip_same(const struct ip *a, const struct ip *b);
uint32_t ip_hash(const struct ip *ip); /* FNV-1a, for hash tables */
/* True for 127.0.0.0/8 and ::1. */
bool ip_is_loopback(const struct ip *ip);

struct ip_network {
	struct ip base;
	unsigned prefix; /* number of leading bits that must equal base's; 0: all addresses of base's version */
};
/* Reads "192.0.2.0/24" or "2001:db8::/32". A single address ("192.0.2.1") is a network with one address. */
bool ip_network_read(const char *text, struct ip_network *ret);
bool ip_is_in(const struct ip *ip, const struct ip_network *network);

/*
 * The address under which limits per address count: an IPv4 address itself; of an IPv6 address its /64 network, because
 * one host may use all addresses in it.
 */
struct ip ip_limit_key(const struct ip *ip);

/* Characters of one label of a host name, and of a whole name or IPv4 address. */
#define HOST_LABEL_LETTERS TEXT_ALNUM "-_"
#define HOST_LETTERS HOST_LABEL_LETTERS "."
#define HOST_MAX 253      /* characters of a name in the DNS */
#define HOST_LABEL_MAX 63 /* characters of one label */

/* Reads a port number, 1 to 65535. -EINVAL: not digits; -ERANGE: 0 or too large. */
int port_read(const char *text, uint16_t *ret);
/*
 * Returns the host, without brackets and port, of "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT" or a bare IPv6 address.
 * NULL: there is no host, or the port is not a number from 1 to 65535. Does not check the host. The caller owns it.
 * *ret_port: 0 where the text has no port.
 */
char *host_and_port(const char *text, uint16_t *ret_port);
char *host_without_port(const char *text);
/*
 * True where a host (with or without brackets) is certainly this machine, without a look-up: "localhost" and loopback
 * addresses. "localhost.", "x.localhost" and "127.evil.example" are not: what they resolve to depends on the resolver.
 */
bool host_is_loopback(const char *host);

#endif

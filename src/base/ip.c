/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define IPV4_BITS 32
#define IPV6_BITS 128
#define MAPPED_BITS (IPV6_BITS - IPV4_BITS) /* ::ffff:0:0/96 */
#define LIMIT_KEY_BITS 64

/* Converts an IPv4 address in IPv6 notation to the IPv4 address. Returns true where it was one. */
static bool unmap(struct ip *ip)
{
	static const unsigned char prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};
	struct ip v4 = {.bits = IPV4_BITS};

	if (ip->bits != IPV6_BITS || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
		return false;
	memcpy(v4.bytes, ip->bytes + sizeof(prefix), IPV4_BITS / 8);
	*ip = v4;
	return true;
}

/* Reads an address without unmap(). */
static bool read_as_written(const char *text, struct ip *ret)
{
	*ret = (struct ip){.bits = IPV4_BITS};
	if (inet_pton(AF_INET, text, ret->bytes) == 1)
		return true;
	*ret = (struct ip){.bits = IPV6_BITS};
	return inet_pton(AF_INET6, text, ret->bytes) == 1;
}

bool ip_read(const char *text, struct ip *ret)
{
	if (!read_as_written(text, ret))
		return false;
	(void)unmap(ret);
	return true;
}

bool ip_of_socket(const struct sockaddr *a, struct ip *ret)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	switch (a->sa_family) {
	case AF_INET:
		memcpy(&in, a, sizeof(in));
		*ret = (struct ip){.bits = IPV4_BITS};
		memcpy(ret->bytes, &in.sin_addr, sizeof(in.sin_addr));
		return true;
	case AF_INET6:
		memcpy(&in6, a, sizeof(in6));
		*ret = (struct ip){.bits = IPV6_BITS};
		memcpy(ret->bytes, &in6.sin6_addr, sizeof(in6.sin6_addr));
		(void)unmap(ret);
		return true;
	default:
		return false;
	}
}

const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX])
{
	INSIST(inet_ntop(ip->bits == IPV4_BITS ? AF_INET : AF_INET6, ip->bytes, out, IP_TEXT_MAX));
	return out;
}

bool ip_same(const struct ip *a, const struct ip *b)
{
	return a->bits == b->bits && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint32_t ip_hash(const struct ip *ip)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(ip->bytes); i++)
		hash = (hash ^ ip->bytes[i]) * 16777619u;
	return hash;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const struct ip one = {.bytes = {[15] = 1}, .bits = IPV6_BITS};

	return ip->bits == IPV4_BITS ? ip->bytes[0] == 127 : ip_same(ip, &one);
}

struct ip ip_limit_key(const struct ip *ip)
{
	struct ip key = *ip;

	if (key.bits == IPV6_BITS)
		memset(key.bytes + LIMIT_KEY_BITS / 8, 0, sizeof(key.bytes) - LIMIT_KEY_BITS / 8);
	return key;
}

/* ---- networks ---------------------------------------------------------------------------------------------------- */

bool ip_network_read(const char *text, struct ip_network *ret)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[IP_TEXT_MAX];
	uint64_t prefix;
	struct ip base;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!read_as_written(address, &base))
		return false;
	prefix = base.bits;
	if (slash && (strlen(slash + 1) > 3 || text_digits(slash + 1, strlen(slash + 1), base.bits, &prefix) < 0))
		return false;
	if (prefix >= MAPPED_BITS && unmap(&base))
		prefix -= MAPPED_BITS;
	*ret = (struct ip_network){.base = base, .prefix = (unsigned)prefix};
	return true;
}

bool ip_is_in(const struct ip *ip, const struct ip_network *network)
{
	size_t whole = network->prefix / 8;
	unsigned more = network->prefix % 8;

	if (network->base.bits != ip->bits || memcmp(ip->bytes, network->base.bytes, whole) != 0)
		return false;
	return more == 0 || ((ip->bytes[whole] ^ network->base.bytes[whole]) >> (8 - more)) == 0;
}

/* ---- hosts ------------------------------------------------------------------------------------------------------- */

int port_read(const char *text, uint16_t *ret)
{
	uint64_t n;
	int r;

	r = text_digits(text, strlen(text), UINT16_MAX, &n);
	if (r < 0 || n == 0)
		return r < 0 ? r : -ERANGE;
	*ret = (uint16_t)n;
	return 0;
}

char *host_and_port(const char *text, uint16_t *ret_port)
{
	const char *host = text;
	const char *colon = strchr(text, ':');
	size_t len = strlen(text);
	uint16_t port = 0;

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (!end || (end[1] != '\0' && (end[1] != ':' || port_read(end + 2, &port) < 0)))
			return NULL;
		host = text + 1;
		len = (size_t)(end - host);
	} else if (colon && !strchr(colon + 1, ':')) {
		if (port_read(colon + 1, &port) < 0)
			return NULL;
		len = (size_t)(colon - text);
	}
	if (len == 0)
		return NULL;
	*ret_port = port;
	return mem_strn(host, len);
}

char *host_without_port(const char *text)
{
	uint16_t port;

	return host_and_port(text, &port);
}

bool host_is_loopback(const char *host)
{
	size_t len = strlen(host);
	char bare[IP_TEXT_MAX];
	struct ip ip;

	if (text_same(host, "localhost"))
		return true;
	if (host[0] != '[')
		return ip_read(host, &ip) && ip_is_loopback(&ip);
	if (len < 3 || len - 2 >= sizeof(bare) || host[len - 1] != ']')
		return false;
	memcpy(bare, host + 1, len - 2);
	bare[len - 2] = '\0';
	return strchr(bare, ':') && ip_read(bare, &ip) && ip_is_loopback(&ip);
}

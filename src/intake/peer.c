#include <config.h>

#include "intake/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct ip {
	unsigned char bytes[16];
	unsigned bits; /* 32 or 128 */
};

static bool ip_read(const char *text, struct ip *ret)
{
	*ret = (struct ip){.bits = 32};
	if (inet_pton(AF_INET, text, ret->bytes) == 1)
		return true;
	ret->bits = 128;
	return inet_pton(AF_INET6, text, ret->bytes) == 1;
}

/* The number behind the "/", or -1 where it is none that is possible. */
static int prefix_read(const char *text, unsigned max)
{
	unsigned n = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -1;
	for (; *text >= '0' && *text <= '9'; text++)
		n = 10 * n + (unsigned)(*text - '0');
	return *text == '\0' && n <= max ? (int)n : -1;
}

static bool ip_is_in(const struct ip *ip, const char *network)
{
	char address[PEER_MAX];
	const char *slash = strchr(network, '/');
	size_t len = slash ? (size_t)(slash - network) : strlen(network);
	struct ip base;
	int prefix;

	if (len >= sizeof(address))
		return false;
	memcpy(address, network, len);
	address[len] = '\0';
	if (!ip_read(address, &base) || base.bits != ip->bits)
		return false;
	prefix = slash ? prefix_read(slash + 1, base.bits) : (int)base.bits;
	if (prefix < 0 || memcmp(ip->bytes, base.bytes, (size_t)prefix / 8) != 0)
		return false;
	return prefix % 8 == 0 || ((ip->bytes[prefix / 8] ^ base.bytes[prefix / 8]) >> (8 - prefix % 8)) == 0;
}

bool peer_is_among(const struct string_list *among, const char *address)
{
	struct ip ip;
	bool is_ip = ip_read(address, &ip);

	for (size_t i = 0; i < among->n; i++)
		if (is_ip ? ip_is_in(&ip, among->items[i]) : text_is(among->items[i], address))
			return true;
	return false;
}

/* The last element before *end, trimmed, into out; *end moves before it. Whether it is an address. */
static bool last_element(const char *list, size_t *end, char out[PEER_MAX])
{
	size_t start = *end, stop = *end;
	struct ip ip;

	while (start > 0 && list[start - 1] != ',')
		start--;
	*end = start > 0 ? start - 1 : 0;
	while (start < stop && list[start] == ' ')
		start++;
	while (stop > start && list[stop - 1] == ' ')
		stop--;
	if (stop - start >= PEER_MAX)
		return false;
	memcpy(out, list + start, stop - start);
	out[stop - start] = '\0';
	return ip_read(out, &ip);
}

const char *peer_of(const struct string_list *proxies, const char *peer, const char *forwarded, char out[PEER_MAX])
{
	size_t end = forwarded ? strlen(forwarded) : 0;
	char next[PEER_MAX];

	(void)snprintf(out, PEER_MAX, "%s", peer);
	while (end > 0 && peer_is_among(proxies, out) && last_element(forwarded, &end, next))
		memcpy(out, next, sizeof(next));
	return out;
}

#include <config.h>

#include "intake/peer.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"

bool peer_is_among(const struct strings *among, const char *address)
{
	struct ip_network network;
	struct ip ip;

	if (!ip_read(address, &ip))
		return strings_have(among, address);
	for (size_t i = 0; i < among->n; i++)
		if (ip_network_read(among->items[i], &network) && ip_is_in(&ip, &network))
			return true;
	return false;
}

/* The last element before *end, without blanks, brackets and port, into out; *end moves before it. Whether it is an
 * address. */
static bool last_element(const char *list, size_t *end, char out[PEER_MAX])
{
	CLEANUP(mem_freep) char *element = NULL, *host = NULL;
	size_t start = *end;
	struct ip ip;

	while (start > 0 && list[start - 1] != ',')
		start--;
	element = mem_strn(list + start, *end - start);
	*end = start > 0 ? start - 1 : 0;
	host = host_without_port(text_trim(element));
	if (!host || !ip_read(host, &ip))
		return false;
	(void)ip_text(&ip, out);
	return true;
}

const char *peer_of(const struct strings *proxies, const char *peer, const char *forwarded, char out[PEER_MAX])
{
	size_t end = forwarded ? strlen(forwarded) : 0;

	(void)snprintf(out, PEER_MAX, "%s", peer);
	while (end > 0 && peer_is_among(proxies, out) && last_element(forwarded, &end, out))
		;
	return out;
}

#include <config.h>

#include "admin/hosts.h"

#include <stdint.h>
#include <string.h>

#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url.h"

#define NO_PORT 0

struct place {
	char *host; /* without brackets and a dot at the end; NULL: the text is no host */
	uint16_t port;
};

static void place_done(struct place *p)
{
	free(p->host);
}

/* NULL: the text is no host. In brackets stands an IPv6 address and nothing else. */
static char *host_read(const char *text, uint16_t *ret_port)
{
	CLEANUP(mem_freep) char *host = host_and_port(text, ret_port);
	struct ip ip;

	if (host && text[0] == '[' && (!strchr(host, ':') || !ip_read(host, &ip)))
		return NULL;
	return TAKE(host);
}

static struct place place_read(const char *text, uint16_t port_else)
{
	uint16_t port = NO_PORT;
	struct place p = {.host = host_read(text, &port)};
	size_t len = p.host ? strlen(p.host) : 0;

	p.port = port != NO_PORT ? port : port_else;
	if (len > 1 && p.host[len - 1] == '.')
		p.host[len - 1] = '\0';
	return p;
}

static bool hosts_same(const struct place *a, const struct place *b)
{
	struct ip x, y;

	if (!a->host || !b->host)
		return false;
	if (ip_read(a->host, &x) && ip_read(b->host, &y))
		return ip_same(&x, &y);
	return text_same(a->host, b->host);
}

bool hosts_allow(const char *host, const struct strings *hosts)
{
	uint16_t port;
	CLEANUP(mem_freep) char *bare = host_read(host, &port);
	CLEANUP(place_done) struct place asked = place_read(host, NO_PORT);

	if (bare && host_is_loopback(bare))
		return true;
	for (size_t i = 0; i < hosts->n; i++) {
		CLEANUP(place_done) struct place known = place_read(hosts->items[i], NO_PORT);

		if (hosts_same(&asked, &known) && (known.port == NO_PORT || known.port == asked.port))
			return true;
	}
	return false;
}

bool hosts_is_own_origin(const char *origin, const char *host)
{
	struct url u;

	if (!url_split(origin, &u) || u.rest[0] != '\0')
		return false;
	CLEANUP(place_done) struct place page = place_read(u.authority, u.https ? 443 : 80);
	CLEANUP(place_done) struct place asked = place_read(host, u.https ? 443 : 80);
	return hosts_same(&page, &asked) && page.port == asked.port;
}

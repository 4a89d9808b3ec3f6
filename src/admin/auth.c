/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "admin/auth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/ip.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/url.h"
#include "http/server.h"

#define LOG_EVERY_MS (60 * CLOCK_SECOND_MS)
#define KINDS (AUTH_NO_TOKEN + 1)

/* ---- hosts ------------------------------------------------------------------------------------------------------- */

#define NO_PORT 0

struct host_port {
	char *host; /* without brackets and a final dot; NULL: the text is not a host */
	uint16_t port;
};

static void host_port_done(struct host_port *p)
{
	free(p->host);
}

/* Returns the host; NULL: the text is not a host. Brackets must hold an IPv6 address. */
static char *host_read(const char *text, uint16_t *ret_port)
{
	CLEANUP(mem_freep) char *host = host_and_port(text, ret_port);
	struct ip ip;

	if (host && text[0] == '[' && (!strchr(host, ':') || !ip_read(host, &ip)))
		return NULL;
	return TAKE(host);
}

static struct host_port host_port_read(const char *text, uint16_t port_else)
{
	uint16_t port = NO_PORT;
	struct host_port p = {.host = host_read(text, &port)};
	size_t len = p.host ? strlen(p.host) : 0;

	p.port = port != NO_PORT ? port : port_else;
	if (len > 1 && p.host[len - 1] == '.')
		p.host[len - 1] = '\0';
	return p;
}

static bool hosts_same(const struct host_port *a, const struct host_port *b)
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
	CLEANUP(host_port_done) struct host_port asked = host_port_read(host, NO_PORT);

	if (bare && host_is_loopback(bare))
		return true;
	for (size_t i = 0; i < hosts->n; i++) {
		CLEANUP(host_port_done) struct host_port known = host_port_read(hosts->items[i], NO_PORT);

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
	CLEANUP(host_port_done) struct host_port page = host_port_read(u.authority, u.https ? 443 : 80);
	CLEANUP(host_port_done) struct host_port asked = host_port_read(host, u.https ? 443 : 80);
	return hosts_same(&page, &asked) && page.port == asked.port;
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

struct auth {
	bool mode_is_proof;
	struct lock lock;
	struct ratelimit kinds[KINDS]; /* under the lock */
};

struct auth *auth_new(bool mode_is_proof)
{
	struct auth *auth = mem_new(1, sizeof(*auth));

	auth->mode_is_proof = mode_is_proof;
	lock_init(&auth->lock);
	return auth;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	lock_done(&auth->lock);
	free(auth);
}

static enum auth_verdict refuse(struct auth *auth, enum auth_verdict kind, struct http_exchange *x)
{
	static const char *const reasons[KINDS] = {
		[AUTH_HOST] = "foreign host",
		[AUTH_ORIGIN] = "foreign origin",
		[AUTH_TOKEN] = "no or wrong token",
		[AUTH_NO_TOKEN] = "there is no admin token",
	};
	const struct log_about about = {.reason = reasons[kind]};
	const char *advice = kind == AUTH_HOST ? " (admin.hosts names the hosts that may)" : "";
	unsigned more = 0;
	bool due;

	lock_acquire(&auth->lock);
	due = ratelimit_passes(&auth->kinds[kind], clock_mono_ms(), LOG_EVERY_MS, &more);
	lock_release(&auth->lock);
	if (due && more > 0)
		log_warning(&about,
			    "a request from %s to the admin address was refused%s, and %u since the last such line",
			    http_peer(x), advice, more);
	else if (due)
		log_warning(&about, "a request from %s to the admin address was refused%s", http_peer(x), advice);
	return kind;
}

enum auth_verdict auth_check_origin(struct auth *auth, struct http_exchange *x, const struct config *c)
{
	const char *host = http_header(x, "Host");
	const char *origin = http_header(x, "Origin");

	if (http_header_count(x, "Host") != 1 || !host || !hosts_allow(host, &c->admin.hosts))
		return refuse(auth, AUTH_HOST, x);
	if (http_header_count(x, "Origin") > 1 || (origin && !hosts_is_own_origin(origin, host)))
		return refuse(auth, AUTH_ORIGIN, x);
	return AUTH_OK;
}

enum auth_verdict auth_check_token(struct auth *auth, struct http_exchange *x, const struct generation *g)
{
	static const char scheme[] = "Bearer ";
	const struct config *c = g->config;
	const char *token = http_header(x, "Authorization");
	bool good = false;
	const char *const *values;
	size_t n;

	if (auth->mode_is_proof && text_is(http_peer(x), "unix"))
		return AUTH_OK;
	values = secret_values(g->secrets, c->admin.token ? c->admin.token : c->admin.generated, &n);
	if (n == 0)
		return refuse(auth, AUTH_NO_TOKEN, x);
	if (!token || strncasecmp(token, scheme, sizeof(scheme) - 1) != 0)
		return refuse(auth, AUTH_TOKEN, x);
	token += sizeof(scheme) - 1;
	for (size_t i = 0; i < n; i++)
		good |= digest_equal(token, strlen(token), values[i], strlen(values[i]));
	return good ? AUTH_OK : refuse(auth, AUTH_TOKEN, x);
}

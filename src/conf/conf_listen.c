/* SPDX-License-Identifier: MIT */
/*
 * conf_listen: checks `listen` and the admin's address against each other, and warns of values that are likely
 * mistakes.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "http/address.h"
#include "http/budget.h"

/* Less gets a warning: real webhooks, proxies and helpdesks need more. */
#define BODY_SHORT_BYTES (64 * 1024)
#define PER_ADDRESS_FEW 8
#define TIMEOUT_SHORT_MS (5 * CLOCK_SECOND_MS)
#define IDLE_SHORT_MS CLOCK_MINUTE_MS /* AWS's load balancers keep a connection this long */

/* Returns the node of a member of a top-level group; the group where it is a scalar or lacks the member; else the
 * root. */
static const struct node *node_of(const struct node *root, const char *group, const char *member)
{
	const struct node *g = node_get(root, group);
	const struct node *m = node_get(g, member);

	return m ? m : g ? g : root;
}

/* Returns the node of a setting of `listen`; NULL: it has its default. */
static const struct node *written(const struct loader *l, const char *member)
{
	return node_get(node_get(l->root, "listen"), member);
}

/* The share of one address must hold one webhook: its body, its headers and what is parsed from it. */
#define BODY_OVERHEAD_BYTES (64 * 1024)

static void check_sizes(struct loader *l)
{
	const struct config *c = l->reader.config;
	size_t least = budget_for_share(c->listen.max_body + BODY_OVERHEAD_BYTES);

	if (c->listen.max_memory < least)
		problems_error(
			l->reader.problems,
			node_of(l->root, "listen", written(l, "max_body") ? "max_body" : "max_memory"),
			"one address takes at most 3/16 of max_memory, less than a webhook of max_body bytes needs: "
			"raise max_memory to at least %zuMiB, or lower max_body",
			(least + (1 << 20) - 1) >> 20);
	if (c->listen.max_body < BODY_SHORT_BYTES)
		problems_warn(
			l->reader.problems, written(l, "max_body"),
			"helpdesks send longer webhooks, which are refused with 413 and lost then: write %dKiB or "
			"more",
			BODY_SHORT_BYTES / 1024);
}

static void check_connections(struct loader *l)
{
	const struct config *c = l->reader.config;
	const struct node *at = written(l, "per_address");

	if (at && c->listen.per_address > c->listen.max_connections)
		problems_warn(
			l->reader.problems, at,
			"is more than max_connections, so that one address may take every connection: write less than "
			"%lld",
			(long long)c->listen.max_connections);
	else if (at && c->listen.per_address < PER_ADDRESS_FEW)
		problems_warn(l->reader.problems, at,
			      "a helpdesk sends several webhooks at once from one address, of which those beyond get "
			      "503: write %d or more",
			      PER_ADDRESS_FEW);
}

/* A webhook sent on a connection that is being closed is lost, unless the sender sends it again. */
static void check_times(struct loader *l)
{
	const struct config *c = l->reader.config;
	const struct node *timeout = written(l, "timeout");
	const struct node *idle = written(l, "idle");

	if (c->listen.timeout_ms % 1000 != 0)
		problems_error(l->reader.problems, timeout, "must be whole seconds");
	else if (c->listen.timeout_ms < TIMEOUT_SHORT_MS)
		problems_warn(l->reader.problems, timeout,
			      "a helpdesk whose connection stalls for a moment is cut off: write %llds or more",
			      (long long)(TIMEOUT_SHORT_MS / CLOCK_SECOND_MS));
	if (c->listen.idle_ms % 1000 != 0)
		problems_error(l->reader.problems, idle, "must be whole seconds");
	else if (c->listen.idle_ms <= IDLE_SHORT_MS)
		problems_warn(l->reader.problems, idle,
			      "proxies and helpdesks keep their connections for a minute or two, and lose a webhook on "
			      "one that is closed just then: write more than they keep them, such as 150s");
	else if (c->listen.idle_ms < c->listen.timeout_ms)
		problems_warn(l->reader.problems, idle ? idle : timeout,
			      "idle is less than timeout, so that a proven client is kept for less time than one that "
			      "says nothing: write an idle of more than the timeout");
}

/*
 * Reads the proxies, and warns of a network that holds every address: a trusted proxy chooses the address that counts,
 * so that each client could. Walks the nodes, which know an item's place; a wrong item is not among the texts. Such an
 * item is reported already, and the configuration is refused.
 */
static void take_proxies(struct loader *l)
{
	struct proxies *to = &l->reader.config->listen.trusted_proxies;
	const struct node *list = written(l, "trusted_proxies");
	size_t n = !list ? 0 : list->type == NODE_LIST ? list->n : 1;

	to->networks = mem_new(n, sizeof(*to->networks));
	for (size_t i = 0; i < n; i++) {
		const struct node *item = list->type == NODE_LIST ? list->items[i] : list;
		struct ip_network *network = &to->networks[to->n];

		if (item->type != NODE_SCALAR)
			continue;
		to->local = to->local || text_is(item->text, "unix");
		if (!ip_network_read(item->text, network))
			continue;
		to->n++;
		if (network->prefix == 0)
			problems_warn(l->reader.problems, item,
				      "this is every address, so each client chooses its own address: write "
				      "the addresses of your proxies");
	}
}

/* ---- the admin's address ----------------------------------------------------------------------------------------- */

/* True where both addresses are the same. Port 0 is any free one, so two of it do not overlap. */
static bool addresses_overlap(const struct config *c, const struct http_address *admin)
{
	const char *colon = strrchr(c->admin.address, ':');
	struct http_address listen;

	if (http_address_parse(c->listen.address, &listen, NULL) < 0 ||
	    (!http_address_is_unix(admin) && text_is(colon, ":0")))
		return false;
	return listen.len == admin->len && memcmp(&listen.socket, &admin->socket, listen.len) == 0;
}

static void check_addresses(struct loader *l)
{
	const struct config *c = l->reader.config;
	struct http_address admin;

	if (http_address_parse(c->admin.address, &admin, NULL) < 0)
		return;
	if (!http_address_is_loopback(&admin))
		problems_warn(
			l->reader.problems, node_of(l->root, "admin", "address"),
			"this address can be reached from other machines, and the token and customers' addresses go "
			"over the net unencrypted: listen on 127.0.0.1 or a unix socket, with an HTTPS proxy before "
			"it where it is asked from elsewhere");
	if (addresses_overlap(c, &admin))
		problems_error(l->reader.problems, node_of(l->root, "admin", "address"),
			       "%s is the address of `listen` too: the two need one each", c->admin.address);
}

void config_check_listen(struct loader *l)
{
	check_sizes(l);
	check_connections(l);
	check_times(l);
	take_proxies(l);
	check_addresses(l);
}

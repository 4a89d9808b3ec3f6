/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/url.h"

static void read_account(struct loader *l, const char *name, const struct node *n, struct account *a)
{
	const struct node *url = node_get(n, "url");

	a->name = mem_str(name);
	settings_defaults(&l->reader, SETTING_OF_ACCOUNT, a);
	settings_read(&l->reader, "klaviyo", n, a);
	a->policy.name = a->name;
	a->policy.url = a->url;
	if (url && url_is_plain(a->url) && !url_is_loopback(a->url))
		problems_error(
			l->reader.problems, url,
			"the key would go over the net unencrypted: plain http is for loopback only, write https");
	if (url)
		config_check_account_url(l, url, a->url);
}

static void read_several(struct loader *l, const struct node *klaviyo, const struct node *accounts)
{
	struct config *c = l->reader.config;
	struct problems *p = l->reader.problems;

	for (size_t i = 0; i < klaviyo->n; i++) {
		struct node at = node_at_key(klaviyo->items[i]);

		if (klaviyo->items[i] != accounts)
			problems_error(p, &at, "cannot be next to `accounts`: move it into each account that needs it");
	}
	if (accounts->type != NODE_MAP || accounts->n == 0 || accounts->n > ACCOUNTS_MAX) {
		problems_error(
			p, accounts,
			"expected 1 to %d accounts by name, such as {main: {api_key: {credential: klaviyo-api-key}}}",
			ACCOUNTS_MAX);
		return;
	}
	c->accounts = mem_new(accounts->n, sizeof(*c->accounts));
	for (size_t i = 0; i < accounts->n; i++) {
		const struct node *n = accounts->items[i];
		const struct node *nested = node_get(n, "accounts");

		if (!settings_check_name(&l->reader, n))
			continue;
		if (strcmp(n->key, "none") == 0) {
			struct node at = node_at_key(n);

			problems_error(p, &at, "none means no account: choose another name");
			continue;
		}
		if (nested)
			problems_error(p, nested, "an account cannot hold accounts");
		if (n->type == NODE_MAP)
			read_account(l, n->key, n, &c->accounts[c->accounts_n++]);
		else
			problems_error(p, n, "expected a mapping such as {api_key: {credential: klaviyo-%s}}, found %s",
				       n->key, node_kind(n));
	}
}

void config_read_accounts(struct loader *l)
{
	const struct node *klaviyo = node_get(l->root, "klaviyo");
	const struct node *accounts = node_get(klaviyo, "accounts");
	struct config *c = l->reader.config;

	if (!klaviyo)
		return; /* reported as missing already */
	if (klaviyo->type != NODE_MAP) {
		problems_error(l->reader.problems, klaviyo,
			       "expected a mapping such as {api_key: {credential: klaviyo-api-key}}, found %s",
			       node_kind(klaviyo));
		return;
	}
	if (accounts) {
		read_several(l, klaviyo, accounts);
		return;
	}
	c->accounts = mem_new(1, sizeof(*c->accounts));
	c->accounts_n = 1;
	read_account(l, "default", klaviyo, &c->accounts[0]);
}

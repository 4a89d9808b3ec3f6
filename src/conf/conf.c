/* SPDX-License-Identifier: MIT */
/*
 * conf: ownership, queries and the end of a configuration. conf_load.c fills it.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <string.h>

#include "base/path.h"

/* ---- ownership --------------------------------------------------------------------------------------------------- */

void config_add_secret(struct config *c, struct secret *secret)
{
	MEM_ROOM(c->secrets, c->secrets_n);
	c->secrets[c->secrets_n++] = secret;
}

void config_add_tree(struct config *c, struct node *tree)
{
	MEM_ROOM(c->trees, c->trees_n);
	c->trees[c->trees_n++] = tree;
}

void config_resolve_store_path(struct config *c, const char *folder)
{
	free(c->store.path);
	c->store.path = path_join(folder, c->store.url + strlen("sqlite:"));
}

/* ---- queries ----------------------------------------------------------------------------------------------------- */

const struct source *config_source(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (strcmp(c->sources[i].name, name) == 0)
			return &c->sources[i];
	return NULL;
}

const struct source *config_source_at(const struct config *c, const char *path)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (strcmp(c->sources[i].path, path) == 0)
			return &c->sources[i];
	return NULL;
}

const struct account *config_account(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->accounts_n; i++)
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i];
	return NULL;
}

const struct account *account_of(const struct account_policy *policy)
{
	return (const struct account *)(const void *)((const char *)policy - offsetof(struct account, policy));
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void source_done(struct source *s)
{
	struct source_policy *p = &s->policy;

	free(s->name);
	free(s->preset);
	free(s->path);
	definition_free(s->definition);
	free(s->auth_user);
	free(s->lookup_user);
	free(s->lookup_base_url);
	free(s->lookup_ca_file);
	free(s->lookup_ca);
	free(s->public_url);
	strings_done(&s->read_headers);

	free(p->label);
	rules_free(p->rules);
	for (size_t i = 0; i < p->accounts_n; i++)
		matcher_free(p->accounts[i].when);
	free(p->accounts);
	strings_done(&p->flags);
	strings_done(&p->ignore_emails);
	strings_done(&p->test_emails);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->sources_n; i++)
		source_done(&c->sources[i]);
	free(c->sources);
	for (size_t i = 0; i < c->accounts_n; i++) {
		free(c->accounts[i].name);
		free(c->accounts[i].url);
		free(c->accounts[i].revision);
	}
	free(c->accounts);
	for (size_t i = 0; i < c->secrets_n; i++)
		secret_free(c->secrets[i]);
	free(c->secrets);
	for (size_t i = 0; i < c->trees_n; i++)
		node_free(c->trees[i]);
	free(c->trees);
	free(c->listen.address);
	strings_done(&c->listen.trusted_proxies.texts);
	free(c->listen.trusted_proxies.networks);
	free(c->admin.address);
	free(c->admin.token_file);
	strings_done(&c->admin.hosts);
	free(c->store.url);
	free(c->store.path);
	free(c->file);
	free(c);
}

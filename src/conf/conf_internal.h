/* SPDX-License-Identifier: MIT */
/*
 * conf_internal: how the files of src/conf that read the one configuration file share the work. Only for src/conf.
 */
#ifndef CONF_CONF_INTERNAL_H
#define CONF_CONF_INTERNAL_H

#include "conf/conf.h"
#include "conf/settings.h"

#define ACCOUNTS_MAX 64
#define SOURCES_MAX 256

struct loader {
	struct settings_reader reader; /* its config is the one in the making */
	const char *file;
	const struct node *root; /* a mapping */
};

/* As config_load, but a configuration with errors is returned too: it may only be asked for its secrets and freed. NULL
 * where the file could not be read at all. */
struct config *config_read(const char *file, struct problems *problems);
/* `listen` and `admin.address`: what they mean for each other, and values that can hardly be meant. Reads
 * the proxies. */
void config_check_listen(struct loader *l);
/* config->accounts, from `klaviyo`. */
void config_read_accounts(struct loader *l);
/* config->sources, from `sources`; after the accounts. */
void config_read_sources(struct loader *l);
/* The source's definition, compiled, with the secrets of its proof and lookup checked against it. */
void config_read_definition(struct loader *l, const struct node *n, struct source *s);

/* A warning at `at` where the path of klaviyo.url, or of lookup.base_url, comes before those that are put behind it. */
void config_check_account_url(struct loader *l, const struct node *at, const char *url);
void config_check_base_url(struct loader *l, const struct node *at, const struct source *s);

#define AUTHORITY_SIZE_MAX ((size_t)1024 * 1024)
/* The text of `lookup.ca`, a file in which at least one certificate (PEM) stands. The caller owns it. Blocks on the
 * file system, but not on a named pipe. */
int authority_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;

/* Problems for what rules and account choices ask for and can never get. After all sources. */
void config_check_references(struct loader *l);

/* config->store.path, of its url; a relative one is meant in that folder. */
void config_resolve_store_path(struct config *c, const char *folder);
/* The configuration owns it from now on. */
void config_add_secret(struct config *c, struct secret *secret);
void config_add_tree(struct config *c, struct node *tree);

#endif

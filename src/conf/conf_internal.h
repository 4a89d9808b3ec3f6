/* SPDX-License-Identifier: MIT */
/*
 * conf_internal: functions that the files of src/conf share while they read one configuration file. Only for src/conf.
 */
#ifndef CONF_CONF_INTERNAL_H
#define CONF_CONF_INTERNAL_H

#include "conf/conf.h"
#include "conf/settings.h"

#define ACCOUNTS_MAX 64
#define SOURCES_MAX 256

struct loader {
	struct settings_reader reader; /* reader.config is the configuration that is being read */
	const char *file;
	const struct node *root; /* a mapping */
};

/* As config_load(), but a configuration with errors is returned too: it may only be used to read its secrets, and
 * freed. NULL where the file could not be read. */
struct config *config_read(const char *file, struct problems *problems);
/* Checks `listen` and `admin.address` against each other, and warns of values that are likely mistakes. Reads the
 * proxies. */
void config_check_listen(struct loader *l);
/* Reads config->accounts from `klaviyo`. */
void config_read_accounts(struct loader *l);
/* Reads config->sources from `sources`; after the accounts. */
void config_read_sources(struct loader *l);
/* Compiles the source's definition, and checks the secrets of its proof and lookup against it. */
void config_read_definition(struct loader *l, const struct node *n, struct source *s);

/* Warns at `at` of a path in klaviyo.url, or in lookup.base_url, that the appended paths repeat, or that is likely a
 * mistake. */
void config_check_account_url(struct loader *l, const struct node *at, const char *url);
void config_check_base_url(struct loader *l, const struct node *at, const struct source *s);

#define AUTHORITY_SIZE_MAX ((size_t)1024 * 1024)
/* Reads the file of `lookup.ca`, which must hold at least one certificate (PEM). The caller owns the text. Blocks on
 * the file system, but not on a named pipe. */
int authority_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;

/* Fills source.read_headers, and reports references of rules and account choices that can never have a value. After all
 * sources. */
void config_check_references(struct loader *l);

/* Sets config->store.path from its URL; a relative path is relative to folder. */
void config_resolve_store_path(struct config *c, const char *folder);
/* The configuration takes ownership. */
void config_add_secret(struct config *c, struct secret *secret);
void config_add_tree(struct config *c, struct node *tree);

#endif

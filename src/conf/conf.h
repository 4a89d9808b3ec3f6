/* SPDX-License-Identifier: MIT */
/*
 * conf: everything that the YAML file says, read whole, checked whole, immutable.
 *
 * One table of settings (settings.h: name, type, unit, default, range, reloadable, help) feeds parser, `check`, the
 * manual page and the documentation check. A `struct config` is never changed after config_load; threads hold it
 * through a generation (generation.h).
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/problems.h"
#include "base/text.h"
#include "conf/secret.h"
#include "decision/policy.h"
#include "helpdesk/definition/definition.h"
#include "klaviyo/quota.h"

struct ip_network;

/* listen.trusted_proxies: as written, and read. */
struct proxies {
	struct strings texts;        /* the table of settings fills it, so it is the first member */
	struct ip_network *networks; /* an address alone is a network of one */
	size_t n;
	bool local; /* "unix" is among them: all clients of a unix socket */
};

struct account {
	char *name;
	struct secret *api_key;
	char *url; /* without a trailing slash */
	char *revision;
	struct quota_limits single; /* share included */
	int64_t person_gap_ms;
	int64_t max_age_ms;
	bool hold;
	struct account_policy policy;
};

struct source {
	char *name;
	char *preset; /* or NULL: a definition in place */
	char *path;
	struct definition *definition;
	char *auth_user;                /* NULL: none */
	struct secret *auth_secret;     /* NULL: none */
	char *lookup_user;              /* NULL: none */
	struct secret *lookup_password; /* NULL: none */
	struct secret *lookup_token;    /* NULL: none */
	char *lookup_base_url;          /* NULL: none */
	char *lookup_ca_file;           /* where lookup_ca stands; NULL: none */
	char *lookup_ca;                /* certificates (PEM) that stand in the file; NULL: the system's are trusted */
	char *public_url;               /* NULL: none */
	bool keep_all;
	struct source_policy policy;
};

struct config {
	char *file;
	struct {
		char *address;
		size_t max_body, max_memory; /* bytes */
		unsigned max_connections, per_address;
		int64_t timeout_ms, idle_ms;
		struct proxies trusted_proxies;
	} listen;
	struct {
		char *address;
		struct secret *token; /* NULL: none is configured */
		char *token_file; /* then: where the daemon keeps the one that it makes (admin_token.h); else NULL */
		struct secret *generated; /* what stands there; NULL where `token` is not */
		struct strings hosts;
	} admin;
	struct {
		char *url;  /* as written */
		char *path; /* of the database file */
		int64_t retention_ms, remember_ms;
		int64_t max_size; /* bytes */
	} store;
	struct {
		enum log_format format;
		int level;
		bool personal_data;
	} log;
	struct account *accounts;
	size_t accounts_n;
	struct source *sources;
	size_t sources_n;
	/* private: every secret, in order; the node trees that definitions and rules were compiled from */
	struct secret **secrets;
	size_t secrets_n;
	struct node **trees;
	size_t trees_n;
};

/* Reads and checks the file and all that it names but the secrets' values (generation_load does). NULL where there were
 * errors; problems are in the order of their places. file: as given by -c. Blocks on files. */
struct config *config_load(const char *file, struct problems *problems);
void config_free(struct config *c);

/* True for a header that the stored webhook must keep: definition, rules or account choice look at it. Never for the
 * one that carries the secret. */
bool source_stores_header(const struct source *s, const char *name);

const struct source *config_source(const struct config *c, const char *name);    /* or NULL */
const struct source *config_source_at(const struct config *c, const char *path); /* by request path, or NULL */
const struct account *config_account(const struct config *c, const char *name);  /* or NULL */
/* The account that has this policy. */
const struct account *account_of(const struct account_policy *policy);

/*
 * Presets are looked for in /etc/deskbridge/helpdesks (beside the configuration file where that is elsewhere), in the
 * directory in $DESKBRIDGE_PRESETS and in the installed one; the first wins.
 */

/* A preset's text and file by name, for `presets`; -ENOENT names the nearest. The caller owns both. */
int config_preset_read(const char *config_file, const char *name, char **ret_file, char **ret_text,
		       struct err *reterr) MUSTCHECK;
/* Calls fn for every preset there is, by name, each once; returns how many there are. */
size_t config_presets(const char *config_file, void (*fn)(void *ctx, const char *name, const char *file), void *ctx);

#endif

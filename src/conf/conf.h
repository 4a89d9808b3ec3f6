/* SPDX-License-Identifier: MIT */
/*
 * conf: the content of the YAML file, read and checked as a whole, then immutable.
 *
 * One table of settings (settings.h: name, type, default, range, need of a restart, help) is used by the reader, by
 * `check` and by the tests of the manual page and the sample file. A `struct config` does not change after config_load;
 * threads hold it through a generation (generation.h).
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

/* listen.trusted_proxies as texts and as networks. */
struct proxies {
	struct strings texts;        /* the first member, because the table of settings fills it */
	struct ip_network *networks; /* a single address is a network of one address */
	size_t n;
	bool local; /* "unix" is one of them: all clients of a unix socket are trusted */
};

struct account {
	char *name;
	struct secret *api_key;
	char *url; /* without a trailing slash */
	char *revision;
	struct quota_limits single; /* klaviyo.quota.single and klaviyo.quota_share */
	int64_t person_gap_ms;
	int64_t max_age_ms;
	bool hold;
	struct account_policy policy;
};

struct source {
	char *name;
	char *preset; /* NULL: the definition is in the configuration */
	char *path;   /* of the URL that its webhooks come to */
	struct definition *definition;
	char *auth_user;                /* NULL: none */
	struct secret *auth_secret;     /* NULL: none */
	char *lookup_user;              /* NULL: none */
	struct secret *lookup_password; /* NULL: none */
	struct secret *lookup_token;    /* NULL: none */
	char *lookup_base_url;          /* NULL: none */
	char *lookup_ca_file;           /* the path of the file of certificates; NULL: none */
	char *lookup_ca;                /* its content, PEM; NULL: the system's certificates are trusted. The table of
					   settings puts the file's name here first */
	char *public_url;               /* NULL: none */
	bool keep_all;
	struct source_policy policy;
	struct strings read_headers; /* that its rules and account choices read; for source_stores_header() */
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
		struct secret *token; /* NULL: not configured */
		/* The token that the daemon makes where admin.token is not configured; both are NULL otherwise. */
		char *token_file;         /* its file (admin_token.h) */
		struct secret *generated; /* its value */
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
	/* private: all secrets, by their index; the node trees that definitions and rules were compiled from */
	struct secret **secrets;
	size_t secrets_n;
	struct node **trees;
	size_t trees_n;
};

/* Reads and checks the file and the files that it names, except the values of secrets, which generation_load reads.
 * NULL where there are errors. Problems are sorted by their places. file: as given by -c. Blocks on files. */
struct config *config_load(const char *file, struct problems *problems);
void config_free(struct config *c);

/* True for a header that the stored webhook must keep, because the definition, the rules or the choice of the
 * account read it. Never true for the header that carries the secret. */
bool source_stores_header(const struct source *s, const char *name);

const struct source *config_source(const struct config *c, const char *name);    /* or NULL */
const struct source *config_source_at(const struct config *c, const char *path); /* by request path, or NULL */
const struct account *config_account(const struct config *c, const char *name);  /* or NULL */
/* Returns the account that this policy is a member of. */
const struct account *account_of(const struct account_policy *policy);

/*
 * Presets are searched in this order; the first one found is used:
 * - the folder helpdesks next to the configuration file, which is /etc/deskbridge/helpdesks for the installed one;
 * - the folder in $DESKBRIDGE_PRESETS;
 * - the installed folder.
 */

/* Reads a preset by its name, for `presets`. -ENOENT: reterr suggests the nearest name. The caller owns both texts. */
int config_preset_read(const char *config_file, const char *name, char **ret_file, char **ret_text,
		       struct err *reterr) MUSTCHECK;
/* Calls fn for each preset, sorted by name, each name once. Returns the number of presets. */
size_t config_presets(const char *config_file, void (*fn)(void *ctx, const char *name, const char *file), void *ctx);

#endif

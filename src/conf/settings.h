/* SPDX-License-Identifier: MIT */
/*
 * settings: the one table of all settings.
 *
 * These use a row: the reader (type, range, default, member), the suggestion for a misspelt key, the check for a needed
 * restart, and the test of the documentation. The table is in settings.c; HACKING.md, "A setting", says what else a new
 * setting needs.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/node.h"
#include "base/problems.h"
#include "conf/conf.h"

enum setting_type {
	SETTING_GROUP, /* a mapping whose members have their own rows */
	SETTING_NODE,  /* read by other code: matchers, rules, definitions */
	SETTING_INTEGER,
	SETTING_NUMBER,
	SETTING_BOOLEAN,
	SETTING_DURATION,
	SETTING_SIZE,
	SETTING_TEXT,
	SETTING_CHOICE,
	SETTING_ADDRESS,
	SETTING_URL,  /* http or https, kept without a trailing slash */
	SETTING_LIST, /* of texts; a single text is a list of one */
	SETTING_SECRET,
	SETTING_TYPE_MAX_
};

/* The struct that the member belongs to. */
enum setting_owner {
	SETTING_OF_NONE,
	SETTING_OF_CONFIG,
	SETTING_OF_ACCOUNT,
	SETTING_OF_SOURCE,
};

struct setting_choice {
	const char *name; /* NULL ends a list of choices */
	int value;
};

struct setting {
	const char *name; /* "klaviyo.person_gap", "sources.NAME.settle.open" */
	enum setting_type type;
	const char *default_text; /* the default, as YAML; NULL: none */
	const char *derived;      /* how the default is made, as text for people, where it is not a fixed value */
	const char *min, *max;    /* with units; NULL: no bound */
	/* The only accepted value of a setting that no code uses yet (such a row has no member); NULL: any value is
	 * accepted. */
	const char *only_value;
	const char *also_accepts; /* another accepted value, with a warning that it means only_value; NULL: none */
	const char *reason;       /* why there is only one value; NULL where only_value is NULL */
	const struct setting_choice *choices;               /* SETTING_CHOICE */
	const char *scalar_member;                          /* SETTING_GROUP: the member that a scalar sets */
	int (*check)(const char *text, struct err *reterr); /* an additional check of each text; NULL: none */
	bool accepts_never;                                 /* SETTING_DURATION: "never" is allowed */
	bool accepts_list;                                  /* SETTING_SECRET: a list is allowed, for rotation */
	bool required;
	bool restart; /* a change needs a restart */
	enum setting_owner owner;
	size_t offset, size; /* of the member that the setting fills */
	const char *member;  /* "config.listen.max_body", for tests/check-settings.sh; NULL: no member */
	const char *example; /* shown when a required setting is missing */
	const char *help;    /* one line for developers; no command prints it */
};

/* Returns the n-th row; NULL past the end. */
const struct setting *settings_at(size_t n);
/* Returns the row of that name, in which NAME replaces the names of accounts and sources; NULL: unknown. */
const struct setting *settings_find(const char *name);
const char *setting_type_name(const struct setting *s); /* "duration", "choice", …; static */

/* For tests and the check of the documentation: describes the n-th row that holds a value. Returns 0, or -ENOENT
 * past the end. The texts are static and never NULL. */
int settings_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_default,
		      const char **ret_help) MUSTCHECK;

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct settings_reader {
	struct config *config; /* gets the secrets that are read */
	struct secret_context secret_context;
	struct problems *problems;
};

/* Sets each member of owner that has a default. base: the struct config, account or source, zeroed before. */
void settings_defaults(struct settings_reader *r, enum setting_owner owner, void *base);
/* Reads a mapping into base. prefix: the beginning of its rows' names: "", "klaviyo", "sources.NAME". A wrong value
 * or an unknown key is a problem and leaves the default. The caller reads the SETTING_NODE rows. */
void settings_read(struct settings_reader *r, const char *prefix, const struct node *map, void *base);
/* Reads the value of a SETTING_GROUP: a mapping, or a scalar for its `scalar_member`. */
void settings_read_group(struct settings_reader *r, const struct setting *group, const struct node *n, void *base);
/* Reads one value. Returns false, with problems, if it is wrong. */
bool settings_read_one(struct settings_reader *r, const struct setting *s, const struct node *n, void *base);
/* Reports an unknown key. prefix: as for settings_read(), of the mapping that holds n. */
void settings_unknown(struct settings_reader *r, const char *prefix, const struct node *n);

/* Returns true for a key that can be the name of an account or source; else false, with a problem. */
bool settings_check_name(struct settings_reader *r, const struct node *n);

/* Returns the names of the settings that differ and need a restart: "a, b"; NULL: there are none. The caller owns
 * it. */
char *settings_needing_restart(const struct config *old, const struct config *next) MUSTCHECK;

#endif

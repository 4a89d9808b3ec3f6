/* SPDX-License-Identifier: MIT */
/*
 * settings: the one table of everything that the configuration can say.
 *
 * A row feeds the reader (type, range, default, where the value goes), the search for the known key next to a typo, the
 * question whether a change needs a restart, and the documentation check. A new setting is a row here, its line in
 * etc/deskbridge.yaml and its entry in man/deskbridge.yaml.5.
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
	SETTING_GROUP, /* a mapping whose members are rows of their own */
	SETTING_NODE,  /* read by code of its own: matchers, rules, definitions */
	SETTING_INTEGER,
	SETTING_NUMBER,
	SETTING_BOOLEAN,
	SETTING_DURATION,
	SETTING_SIZE,
	SETTING_TEXT,
	SETTING_CHOICE,
	SETTING_ADDRESS,
	SETTING_URL,  /* http or https, kept without a trailing slash */
	SETTING_LIST, /* of text; one text alone stands for a list of one */
	SETTING_SECRET,
	SETTING_TYPE_MAX_
};

/* Whose member the value is. */
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
	const char *fallback;  /* the default as YAML; NULL: none */
	const char *derived;   /* for people, where the default is made of other settings */
	const char *min, *max; /* as text with units; NULL: no bound */
	/* Of a row that fills no member: the one value that passes, because no code obeys another yet; NULL: any. */
	const char *only_value;
	const char *also_accepts; /* passes too, with a warning that it does what `only_value` does; NULL: none */
	const char *reason;       /* what this version does, or cannot do; NULL where `only_value` is NULL */
	const struct setting_choice *choices;               /* SETTING_CHOICE */
	const char *scalar_member;                          /* SETTING_GROUP: the member that a bare text stands for */
	int (*check)(const char *text, struct err *reterr); /* of each text, beyond its type; NULL: nothing more */
	bool never;                                         /* SETTING_DURATION: "never" too */
	bool many;                                          /* SETTING_SECRET: a list too, for rotation */
	bool required;
	bool restart; /* a change needs a restart */
	enum setting_owner owner;
	size_t offset, size; /* the member */
	const char *member;  /* its name in the owner's struct, for the check that some code reads it */
	const char *example; /* of what is required, for who left it out */
	const char *help;
};

/* The n-th row, NULL past the end. */
const struct setting *settings_at(size_t n);
/* By name, with NAME in place of the names of accounts and sources; NULL: unknown. */
const struct setting *settings_find(const char *name);
const char *setting_type_name(const struct setting *s); /* "duration", "choice of auto, single, bulk", …; static */

/* For tests, of the documentation too: the n-th setting that holds a value. 0, or -ENOENT past the end. All static,
 * never NULL.
 */
int settings_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_default,
		      const char **ret_help) MUSTCHECK;

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct settings_reader {
	struct config *config; /* takes the secrets that are met */
	struct secret_context secret_context;
	struct problems *problems;
};

/* Sets every member of owner that has a default. base: the struct config, account or source; zeroed before. */
void settings_defaults(struct settings_reader *r, enum setting_owner owner, void *base);
/* Reads a mapping whose rows begin with prefix ("", "klaviyo", "sources.NAME") into base. Wrong and unknown keys become
 * problems and leave the default; SETTING_NODE rows are left to the caller. */
void settings_read(struct settings_reader *r, const char *prefix, const struct node *map, void *base);
/* Reads the value of a SETTING_GROUP: a mapping, or a scalar that stands for its `scalar_member`. */
void settings_read_group(struct settings_reader *r, const struct setting *group, const struct node *n, void *base);
/* Reads one value. false where it was wrong, which stands in problems. */
bool settings_read_one(struct settings_reader *r, const struct setting *s, const struct node *n, void *base);
/* Reports a key that no row knows. prefix: as above, of the mapping that holds n. */
void settings_unknown(struct settings_reader *r, const char *prefix, const struct node *n);

/* True for a key that can be the name of an account or source. Another one becomes a problem. */
bool settings_check_name(struct settings_reader *r, const struct node *n);

/* The names of the settings that differ and need a restart, "a, b"; NULL: there are none. The caller owns it. */
char *settings_restart(const struct config *old, const struct config *next) MUSTCHECK;

#endif

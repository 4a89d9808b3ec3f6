/* SPDX-License-Identifier: MIT */
/*
 * admin_settings: the address at which commands ask the daemon, and the token that they show: `admin` and `store` of a
 * configuration file, also where the rest of the file does not load or the file cannot be read.
 */
#ifndef CONF_ADMIN_SETTINGS_H
#define CONF_ADMIN_SETTINGS_H

#include <stdbool.h>

struct admin_settings {
	char *address;    /* as configured, else the default */
	char *token;      /* NULL: there is none, see token_fault */
	char *token_file; /* the token's file that the daemon makes; NULL: admin.token is configured */
	/* The reason why there is no token, for a person, and a negative errno; NULL and 0: there is a token. */
	char *token_fault;
	int token_code;
	bool file_is_closed; /* the user of this process may not read the file */
	bool file_is_missing;
	bool file_is_yaml; /* false: the file cannot be read, or is not YAML */
};

/* Reads the settings. Never fails: a setting that cannot be read has its default. Blocks on files. Call
 * admin_settings_done in any case. */
void admin_settings_read(const char *file, struct admin_settings *ret);
/* Replaces the token by the one in this file. Blocks on the file. */
void admin_settings_take_token(struct admin_settings *a, const char *file);
void admin_settings_done(struct admin_settings *a); /* wipes the token */

#endif

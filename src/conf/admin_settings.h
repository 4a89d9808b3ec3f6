/* SPDX-License-Identifier: MIT */
/*
 * admin_settings: where commands ask the daemon and with which token: what the configuration says of `admin` and
 * `store`, also where the rest of the file does not load, or cannot be read.
 */
#ifndef CONF_ADMIN_SETTINGS_H
#define CONF_ADMIN_SETTINGS_H

#include <stdbool.h>

struct admin_settings {
	char *address;    /* as configured, else the default */
	char *token;      /* NULL: it cannot be read */
	char *token_file; /* the daemon's own one, where none is configured; NULL: one is */
	/* Why there is no token, for a person, with a negative errno; NULL and 0: there is one. */
	char *token_fault;
	int token_code;
	bool file_is_closed; /* this process's user may not read the file */
	bool file_is_missing;
	bool file_is_yaml; /* false: the file cannot be read, or is no YAML */
};

/* Never fails: what cannot be read is left at its default. Blocks on files. admin_settings_done in any case. */
void admin_settings_read(const char *file, struct admin_settings *ret);
/* The token in this file, in the place of the one that was read. */
void admin_settings_take_token(struct admin_settings *a, const char *file);
void admin_settings_done(struct admin_settings *a); /* wipes the token */

#endif

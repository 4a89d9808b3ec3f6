/*
 * admin_settings: what the configuration says of `admin`, for commands that ask the daemon: also where the rest of the
 * file does not load, or cannot be read.
 */
#ifndef CONFIG_ADMIN_SETTINGS_H
#define CONFIG_ADMIN_SETTINGS_H

#include <stdbool.h>

struct admin_settings {
	char *address;       /* as configured, else the default */
	char *token;         /* NULL: none is configured, or it cannot be read */
	char *token_fault;   /* why the token that is configured cannot be read; NULL: it can */
	bool file_is_closed; /* this process's user may not read the file */
	bool file_is_whole;  /* false: the file cannot be read, or is no YAML */
};

/* Never fails: what cannot be read is left at its default. Blocks on files. admin_settings_done in any case. */
void admin_settings_read(const char *file, struct admin_settings *ret);
void admin_settings_done(struct admin_settings *a); /* wipes the token */

#endif

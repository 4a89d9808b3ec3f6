/* SPDX-License-Identifier: MIT */
/*
 * secret: keys and passwords: their places in the configuration, and their values.
 *
 * A `struct secret` is the place, and part of the immutable configuration. A `struct secrets` is an immutable snapshot
 * of all values, made at load and again when a watched file changes. A value never gets into a log line, an error or a
 * command's output: each value that is read is added to base/known_secrets.h, which redacts it in all other text.
 * Values are wiped before their memory is freed.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/node.h"
#include "base/problems.h"

#define SECRET_VALUES_MAX 4   /* of one secret: a list, for rotation */
#define SECRET_SIZE_MAX 65536 /* bytes of a value */

struct secret; /* one place in the configuration, with an index into each snapshot */
struct secrets;

/* Returns the values of s in this snapshot, in the order of the list. *ret_n may be 0, where a file is missing.
 * Borrowed. */
const char *const *secret_values(const struct secrets *snapshot, const struct secret *s, size_t *ret_n);
/* Returns the first value, or NULL. */
const char *secret_value(const struct secrets *snapshot, const struct secret *s);
/* Describes the place without the value: "credential klaviyo-api-key (/etc/…/credentials/klaviyo-api-key)".
 * Borrowed. */
const char *secret_where(const struct secret *s);
/* Completes the sentence "put the right key in …": where a new value goes, and when it is used: "the file /k, which
 * is read again as soon as it changes", "the configuration /etc/…, then reload". Borrowed. */
const char *secret_fix_hint(const struct secret *s);

/* Calls fn once for each file that the snapshot was read from, also for a file that is gone: these are to be
 * watched. fixed: a file of systemd's, which only a restart changes. */
void secrets_files(const struct secrets *snapshot, void (*fn)(void *ctx, const char *path, bool fixed), void *ctx);

/* A credential that systemd reads as root and passes to the daemon. */
struct secret_passed {
	char *name;
	char *path; /* the file that systemd reads; NULL: there is no file, or only systemd can find or decrypt it */
};

/*
 * For `check`, to which systemd passes nothing: these credentials are read from their paths. A credential that this
 * process may not read, or that has no path, counts as present and has no value. The list is borrowed while
 * configurations are loaded. Main thread, before the first load.
 */
void secret_set_passed(const struct secret_passed *list, size_t n);

/* ---- for src/conf ------------------------------------------------------------------------------------------------ */

/* The place of a configuration's secrets. */
struct secret_context {
	const char *folder; /* of the configuration file: {file: RELATIVE} and credentials/NAME are relative to it */
	bool exposed; /* users other than the owner and this process's group can read the configuration file: a plain
			 secret gets a warning */
};

/* Makes a secret from a SECRET node, without reading its value. index: its position in every snapshot. many: a list
 * is allowed. NULL with problems where the node is wrong. */
struct secret *secret_new(const struct node *n, const struct secret_context *context, bool many, size_t index,
			  struct problems *problems);
/* Makes a secret in a file that may be missing: then it has no value, which is no problem. Its problems have no
 * place, as no configuration names the file; their texts name its path. */
struct secret *secret_new_optional(const char *path, size_t index);
void secret_free(struct secret *s); /* NULL allowed */
/* Calls fn for each file that the secret is read from. */
void secret_paths(const struct secret *s, void (*fn)(void *ctx, const char *path), void *ctx);
/* Returns the node of the secret's (first) text in the configuration, as the place of problems found later.
 * Borrowed. */
const struct node *secret_node(const struct secret *s);

/*
 * Reads all n secrets. Never NULL. before: NULL: a missing or wrong value is an error. Else a snapshot of the same
 * secrets: a missing or wrong value is a warning, and the value of `before` stays. Each fault is reported once; the log
 * says when the secret can be read again. Blocks on files. Main thread.
 */
struct secrets *secrets_read(struct secret *const *all, size_t n, const struct secrets *before,
			     struct problems *problems);
/*
 * Checks each value of s with fault, which describes what is wrong without the value ("is not hexadecimal"), or returns
 * NULL. before: as for secrets_read(): NULL: each fault is an error; else a warning, and the value of `before` stays.
 * Only before the snapshot is shared.
 */
typedef const char *secret_fault_fn(const void *ctx, const char *value);
void secrets_check(struct secrets *snapshot, struct secret *s, const struct secrets *before, secret_fault_fn *fault,
		   const void *ctx, struct problems *problems);
void secrets_free(struct secrets *snapshot); /* wipes; NULL allowed */
bool secrets_same(const struct secrets *a, const struct secrets *b);

/* Returns the fault of a value in words; NULL: none. Static. */
const char *secret_value_wrong(const char *value, size_t len);
/* Reads one value, without a byte order mark before it and line ends after it. -ENOENT, -EACCES, …; -EINVAL: the
 * content cannot be a secret. Blocks on the file. Any thread. The caller wipes and frees the value (mem_wipe_str). */
int secret_file_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;
int secret_env_read(const char *name, char **ret, struct err *reterr) MUSTCHECK;

#endif

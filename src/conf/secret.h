/* SPDX-License-Identifier: MIT */
/*
 * secret: keys and passwords: where each is written in the configuration, and what it is now.
 *
 * A `struct secret` (where) is part of the immutable configuration. A `struct secrets` (what) is an immutable snapshot
 * of all of them, made at load and again when a watched file changes. A value never reaches a log, an error or a
 * command's output: all that are read become known to base/known_secrets.h, which strikes them out of what others say.
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

#define SECRET_VALUES_MAX 4   /* a list of secrets: rotation */
#define SECRET_SIZE_MAX 65536 /* bytes of a secret's file */

struct secret; /* one place of the configuration; index into every snapshot */
struct secrets;

/* The values of s in this snapshot, in the order of the list; *ret_n may be 0 where a file is not there. Borrowed. */
const char *const *secret_values(const struct secrets *snapshot, const struct secret *s, size_t *ret_n);
/* The first value, or NULL. */
const char *secret_value(const struct secrets *snapshot, const struct secret *s);
/* How it is written, without the value: "credential klaviyo-api-key (/etc/…/credentials/klaviyo-api-key)". Borrowed. */
const char *secret_where(const struct secret *s);
/* Behind "put the right key in": where a new value goes and when it is taken, "the file /k, which is read again as soon
 * as it changes", "the configuration /etc/…, then reload". Borrowed. */
const char *secret_fix_hint(const struct secret *s);

/* Every file that a snapshot was read from, each once, also one that is gone by now: to be watched. Calls fn for each;
 * `fixed`: systemd's own, changed only by a restart. */
void secrets_files(const struct secrets *snapshot, void (*fn)(void *ctx, const char *path, bool fixed), void *ctx);

/* A credential that systemd reads as root and hands to the daemon. */
struct secret_passed {
	char *name;
	char *path; /* what systemd reads; NULL: no file, or one that only systemd can find or decrypt */
};

/*
 * For `check`, to which systemd hands nothing: these credentials are read from their paths; those that this process may
 * not read, or that have no path, are taken as there and have no value. The list is borrowed for as long as
 * configurations are loaded. Main thread, before the first load.
 */
void secret_set_passed(const struct secret_passed *list, size_t n);

/* ---- for src/conf ------------------------------------------------------------------------------------------------ */

/* Where a configuration's secrets are looked for. */
struct secret_context {
	const char *folder; /* of the configuration file: {file: RELATIVE} and credentials/NAME begin here */
	bool exposed; /* people other than its owner and this process's group can read the configuration file: a plain
			 secret is warned of */
};

/* From a SECRET node. index: its place in every snapshot. many: a list is allowed. NULL where it was wrong, which
 * stands in problems. Reads no value. */
struct secret *secret_new(const struct node *n, const struct secret_context *context, bool many, size_t index,
			  struct problems *problems);
/* A secret in a file that need not be there: without the file there is no value, and no problem. Its problems have
 * no place, as no configuration names the file; their texts name its path. */
struct secret *secret_new_optional(const char *path, size_t index);
void secret_free(struct secret *s); /* NULL allowed */
/* The files that it is read from. */
void secret_paths(const struct secret *s, void (*fn)(void *ctx, const char *path), void *ctx);
/* Where its (first) text begins in the configuration, for problems found later. Borrowed. */
const struct node *secret_node(const struct secret *s);

/*
 * Reads all n secrets. Blocks on files. before NULL: what is missing or wrong is an error; else it is a warning, and
 * the value of `before` (a snapshot of the same secrets) stays. The warning comes once for each fault; the log tells
 * when the secret can be read again. Main thread. Never NULL.
 */
struct secrets *secrets_read(struct secret *const *all, size_t n, const struct secrets *before,
			     struct problems *problems);
/*
 * Asks of every value of s whether it can be one. fault says what is wrong, without the value ("is not hexadecimal"),
 * or NULL. before as with secrets_read: NULL: an error each; else a warning, and the value of `before` stays. Only
 * while nobody else has the snapshot.
 */
typedef const char *secret_fault_fn(const void *ctx, const char *value);
void secrets_check(struct secrets *snapshot, struct secret *s, const struct secrets *before, secret_fault_fn *fault,
		   const void *ctx, struct problems *problems);
void secrets_free(struct secrets *snapshot); /* wipes; NULL allowed */
bool secrets_same(const struct secrets *a, const struct secrets *b);

/* The fault of a value, in words; NULL: it has none. Static. */
const char *secret_value_wrong(const char *value, size_t len);
/* Reads one, without the line ends behind it, and without a byte order mark before it. -ENOENT, -EACCES, …; -EINVAL:
 * what is there can be no secret. Blocks on files. Any thread. The caller wipes and frees it (mem_wipe_str). */
int secret_file_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;
int secret_env_read(const char *name, char **ret, struct err *reterr) MUSTCHECK;

#endif

/*
 * secret: keys and passwords: where each is written in the configuration, and what it is now.
 *
 * A `struct secret` (where) is part of the immutable configuration. A `struct secrets` (what) is an immutable snapshot
 * of all of them, made at load and again when a watched file changes. A value never reaches a log, an error or a
 * command's output. Values are wiped before their memory is freed.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/node.h"
#include "base/problems.h"

#define SECRET_VALUES_MAX 4   /* a list of secrets: rotation */
#define SECRET_SIZE_MAX 65536 /* bytes of a secret's file */

struct secret; /* one place of the configuration; index into every snapshot */
struct secrets;

/* The values of s in this snapshot, oldest in the list first; *ret_n may be 0 where a file is not there. Borrowed. */
const char *const *secret_values(const struct secrets *snapshot, const struct secret *s, size_t *ret_n);
/* The first value, or NULL. */
const char *secret_value(const struct secrets *snapshot, const struct secret *s);
/* How it is written, without the value: "credential klaviyo-api-key (/etc/…/credentials/klaviyo-api-key)". Borrowed. */
const char *secret_where(const struct secret *s);

/* Every file that a snapshot was read from: to be watched. Calls fn for each; `fixed`: systemd's own, changed only by a
 * restart. */
void secrets_files(const struct secrets *snapshot, void (*fn)(void *ctx, const char *path, bool fixed), void *ctx);

#endif

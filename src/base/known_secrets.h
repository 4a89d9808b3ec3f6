/* SPDX-License-Identifier: MIT */
/*
 * known_secrets: the secrets that this process has read, for all that leaves it as text.
 *
 * The code that reads secrets tells them here (conf/secret.h does it by itself), and they stay known when they are
 * replaced: an answer under way may still repeat the former one. At most KNOWN_SECRETS_FORMER_MAX former ones are kept,
 * the newest. Any thread.
 */
#ifndef BASE_KNOWN_SECRETS_H
#define BASE_KNOWN_SECRETS_H

#include <stddef.h>

#include "base/redact.h"

#define KNOWN_SECRETS_FORMER_MAX 1024

void known_secrets_add(const char *const *values, size_t n);
/* All of them as of now: one reference for the caller (redactor_unref). NULL: none. */
struct redactor *known_secrets_get(void);

/* redact() by all that is known. The caller's. */
char *known_secrets_redact(const char *text) __attribute__((warn_unused_result));
/* The text of an answer: json_printable() of o after json_redact(), which changes it. The caller's. */
struct json_object;
char *known_secrets_json(struct json_object *o) __attribute__((warn_unused_result));
/* As it may be shown to anybody in one line: struck, addresses masked, escaped. The caller's. */
char *known_secrets_clean(const char *text) __attribute__((warn_unused_result));

void known_secrets_forget(void); /* for tests */

#endif

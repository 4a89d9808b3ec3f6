/* SPDX-License-Identifier: MIT */
/*
 * known_secrets: the secrets that this process has read. They are redacted in all text that leaves it.
 *
 * Code that reads a secret adds it here; conf/secret.h does so itself. A replaced secret stays known, because an answer
 * in flight may still repeat it. Of the former ones the newest KNOWN_SECRETS_FORMER_MAX are kept. Any thread.
 */
#ifndef BASE_KNOWN_SECRETS_H
#define BASE_KNOWN_SECRETS_H

#include <stddef.h>

#include "base/redact.h"

#define KNOWN_SECRETS_FORMER_MAX 1024

/* Adds copies of n values. Those shorter than REDACT_LENGTH_MIN are ignored. */
void known_secrets_add(const char *const *values, size_t n);
/* Returns the secrets known now, with a reference for the caller (redactor_unref). NULL: none. */
struct redactor *known_secrets_get(void);

/* Redacts all known secrets. The caller owns the result. */
char *known_secrets_redact(const char *text) __attribute__((warn_unused_result));
/* Returns json_printable() of o after json_redact(), which changes o. For the text of an answer. The caller owns it. */
struct json_object;
char *known_secrets_json(struct json_object *o) __attribute__((warn_unused_result));
/* Returns the text as one line that is safe to show to anyone: secrets redacted, addresses masked, controls escaped.
 * The caller owns it. */
char *known_secrets_clean(const char *text) __attribute__((warn_unused_result));

void known_secrets_forget(void); /* for tests */

#endif

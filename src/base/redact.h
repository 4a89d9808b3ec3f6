/* SPDX-License-Identifier: MIT */
/*
 * redact: replaces known secrets in texts from outside by [secret].
 *
 * A server that gets a secret may repeat it: in the text of an error, in a path, encoded. A secret of at least
 * REDACT_LENGTH_MIN bytes is found in these forms:
 * - as it is;
 * - percent-encoded or escaped in any form that unwrap.h knows;
 * - in base64 of either alphabet, alone or with text around it, as in the header Authorization;
 * - with its end cut off where the text ends there.
 *
 * A redactor is immutable and reference-counted. Any thread.
 */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include <stddef.h>

#define REDACT_LENGTH_MIN 8
#define REDACT_MARK "[secret]"

struct redactor;

/* Makes a redactor with one reference. values: copied; those shorter than REDACT_LENGTH_MIN are left out. Never
 * NULL. */
struct redactor *redactor_new(const char *const *values, size_t n);
struct redactor *redactor_ref(struct redactor *s); /* NULL allowed */
void redactor_unref(struct redactor *s);           /* NULL allowed; the last reference wipes and frees */
static inline void redactor_unrefp(struct redactor **s)
{
	redactor_unref(*s);
}
/* The number of values, and each one in the order given. Borrowed. */
size_t redactor_count(const struct redactor *s);
const char *redactor_value(const struct redactor *s, size_t i);

/* Returns the text without secrets. s NULL: a copy. The caller owns it. */
char *redact(const struct redactor *s, const char *text) __attribute__((warn_unused_result));

#endif

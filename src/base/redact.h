/* SPDX-License-Identifier: MIT */
/*
 * redact: known secrets out of texts that somebody else wrote.
 *
 * A server that is shown a secret may repeat it: in an error's words, in a path, encoded. A secret of REDACT_LENGTH_MIN
 * bytes or more is found as it is; percent-encoded or escaped in any way that unwrap.h knows; in base64 of either
 * alphabet, alone or with other text around it, as in the header Authorization; and with its end cut off where the text
 * ends there. In its place stands [secret]. Immutable, counted: any thread.
 */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include <stddef.h>

#define REDACT_LENGTH_MIN 8
#define REDACT_MARK "[secret]"

struct redactor;

/* values: copied; those that are shorter than REDACT_LENGTH_MIN are left out. Never NULL. */
struct redactor *redactor_new(const char *const *values, size_t n);
struct redactor *redactor_ref(struct redactor *s); /* NULL allowed */
void redactor_unref(struct redactor *s);           /* NULL allowed; the last one wipes and frees */
static inline void redactor_unrefp(struct redactor **s)
{
	redactor_unref(*s);
}
/* The values in their order, borrowed. */
size_t redactor_count(const struct redactor *s);
const char *redactor_value(const struct redactor *s, size_t i);

/* The text without secrets. s NULL: a copy. The caller's. */
char *redact(const struct redactor *s, const char *text) __attribute__((warn_unused_result));

#endif

/*
 * strike: known secrets out of texts that somebody else wrote.
 *
 * A server that is shown a secret may repeat it: in an error's words, in a path, encoded. A secret of STRIKE_LENGTH_MIN
 * bytes or more is found as it is; percent-encoded or escaped in any way that unwrap.h knows; in base64 of either
 * alphabet, alone or with other text around it, as in the header Authorization; and with its end cut off where the text
 * ends there. In its place stands [secret]. Immutable, counted: any thread.
 */
#ifndef BASE_STRIKE_H
#define BASE_STRIKE_H

#include <stddef.h>

#define STRIKE_LENGTH_MIN 8
#define STRIKE_MARK "[secret]"

struct strikes;

/* values: copied; those that are shorter than STRIKE_LENGTH_MIN are left out. Never NULL. */
struct strikes *strikes_new(const char *const *values, size_t n);
struct strikes *strikes_ref(struct strikes *s); /* NULL allowed */
void strikes_unref(struct strikes *s);          /* NULL allowed; the last one wipes and frees */
static inline void strikes_unrefp(struct strikes **s)
{
	strikes_unref(*s);
}
/* The values in their order, borrowed. */
size_t strikes_count(const struct strikes *s);
const char *strikes_value(const struct strikes *s, size_t i);

/* The text without secrets. s NULL: a copy. The caller's. */
char *strike(const struct strikes *s, const char *text) __attribute__((warn_unused_result));

#endif

/*
 * reason: why Klaviyo did not take something, in words that may stand in a log. Pure.
 *
 * Whatever comes from outside is cut, made printable UTF-8, and loses its e-mail addresses but for their first letter
 * and domain: Klaviyo quotes what it was sent.
 */
#ifndef KLAVIYO_REASON_H
#define KLAVIYO_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* As printf into out, size bytes; then cleaned as above. */
void reason_text(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The first error's `detail`, else its `title`; NULL: there is none. body: an answer's, or NULL. Borrowed, unclean. */
const char *reason_detail(struct json_object *body);
/* Every error's detail and pointer: "Invalid email address (/data/attributes/email); …". */
void reason_of_refusal(char *out, size_t size, unsigned status, struct json_object *body);
/* What a status without Klaviyo's words means. location: of a redirect, or NULL. */
void reason_of_status(char *out, size_t size, unsigned status, bool challenge, const char *location);

#endif

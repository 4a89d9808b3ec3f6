/* SPDX-License-Identifier: MIT */
/*
 * reason: why Klaviyo did not take something, in words that may stand in a log. Pure.
 *
 * Text from outside loses the secrets that we know, and its e-mail addresses but for their first letter and
 * domain: Klaviyo quotes what it was sent. It is made printable UTF-8, and cut.
 */
#ifndef KLAVIYO_REASON_H
#define KLAVIYO_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/redact.h"

/* What mends it where Klaviyo's certificate is signed by an authority that is not trusted (http_why). */
#define REASON_ISSUER \
	"no authority that is trusted signed it: that of a proxy that inspects TLS belongs in the system's store"

/* As printf into out, size bytes; then cleaned as above. secrets: what is struck out of it before it is cut; NULL: the
 * text is clean already, or nothing of it comes from outside. */
void reason_text(char *out, size_t size, const struct redactor *secrets, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The first error's `detail`, else its `title`; NULL: there is none. body: an answer's, or NULL. Borrowed, unclean. */
const char *reason_detail(struct json_object *body);
/* Every error's detail and pointer: "Invalid email address (/data/attributes/email); …". */
void reason_of_refusal(char *out, size_t size, const struct redactor *secrets, unsigned status,
		       struct json_object *body);
/* What a status without Klaviyo's words means. location: of a redirect, or NULL. */
void reason_of_status(char *out, size_t size, const struct redactor *secrets, unsigned status, bool challenge,
		      const char *location);

#endif

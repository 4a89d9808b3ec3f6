/* SPDX-License-Identifier: MIT */
/*
 * reason: the reason for which Klaviyo refused something, as text that is safe for the log. Pure.
 *
 * Text from outside is cleaned: known secrets are redacted, and e-mail addresses masked but for their first letter and
 * domain, because Klaviyo quotes what it was sent. It is made printable UTF-8, and cut.
 */
#ifndef KLAVIYO_REASON_H
#define KLAVIYO_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/redact.h"

/* The remedy where the authority that signed Klaviyo's certificate is not trusted (http_why). */
#define REASON_ISSUER \
	"no authority that is trusted signed it: that of a proxy that inspects TLS belongs in the system's store"

/* Formats into out (size bytes) and cleans the text as above. secrets: redacted before the text is cut; NULL: the text
 * is clean, or no part of it comes from outside. */
void reason_text(char *out, size_t size, const struct redactor *secrets, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Returns the first error's `detail`, else its `title`; NULL: none. body: an answer's, or NULL. Borrowed and not
 * cleaned. */
const char *reason_detail(struct json_object *body);
/* Writes every error's detail and pointer: "Invalid email address (/data/attributes/email); …". */
void reason_of_refusal(char *out, size_t size, const struct redactor *secrets, unsigned status,
		       struct json_object *body);
/* Writes the meaning of a status whose answer holds no text of Klaviyo's. challenge: it is Cloudflare's bot challenge.
 * location: of a redirect, or NULL. */
void reason_of_status(char *out, size_t size, const struct redactor *secrets, unsigned status, bool challenge,
		      const char *location);

#endif

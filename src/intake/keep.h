/*
 * keep: what of a request becomes the stored webhook: never a secret. Pure.
 */
#ifndef INTAKE_KEEP_H
#define INTAKE_KEEP_H

#include "conf/conf.h"
#include "http/server.h"

/* The raw query without the parameter of that name (NULL: whole). The caller owns it. */
char *keep_query(const char *query, const char *secret_name) MUSTCHECK;

/*
 * One item of a complete request as a webhook; of the headers only those that its source looks at. body: the item's,
 * NUL-terminated behind body_len; the webhook owns it from now on. *ret is the caller's.
 */
void keep_webhook(const struct source *s, const struct http_exchange *x, const struct pairs *headers, char *body,
		  size_t body_len, struct webhook *ret);

#endif

/*
 * email: one address, normalised; and the patterns that set some apart. Pure.
 */
#ifndef HELPDESK_EMAIL_H
#define HELPDESK_EMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define EMAIL_MAX 254 /* RFC 5321, with its angle brackets off */

/*
 * Trims, takes the address out of "Name <address>" or out of the last part of an http(s) URL's path, lower-cases
 * (ASCII), and checks: one @, something before it, a domain with a dot and no empty label, no blank, control or quote
 * character. -EINVAL otherwise. out: EMAIL_MAX + 1 bytes.
 */
int email_normalise(const char *raw, char *out) MUSTCHECK;

/* "jo@acme.com" that address; "noreply@*" that local part at any domain; "acme.com" every address of that domain. */
bool email_pattern_matches(const char *pattern, const char *email);
/* 0, or -EINVAL for what can match nothing. */
int email_pattern_check(const char *pattern) MUSTCHECK;

struct address {
	char *email; /* normalised */
	bool primary;
};
struct addresses {
	struct address *items; /* no address twice */
	size_t n;
};
/* Adds what normalises; counts nothing else. Returns whether it was added or was there. At most ADDRESSES_MAX. */
#define ADDRESSES_MAX 32
bool addresses_add(struct addresses *a, const char *raw, bool primary);
void addresses_copy(struct addresses *to, const struct addresses *from);
void addresses_done(struct addresses *a);

#endif

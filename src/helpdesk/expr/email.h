/* SPDX-License-Identifier: MIT */
/*
 * email: parses and normalises one address, and matches patterns of addresses. Pure.
 */
#ifndef HELPDESK_EXPR_EMAIL_H
#define HELPDESK_EXPR_EMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define EMAIL_MAX 254 /* RFC 5321, without angle brackets */

#define EMAIL_ROOM 512      /* bytes for a text with addresses; a longer one is allocated */
#define EMAIL_TEXT_MAX 1023 /* bytes of a text with one address: a display name may stand before it */

/* The reasons why a text is no address. Their names are label values: append only. */
enum email_fault {
	EMAIL_GOOD = 0,
	EMAIL_ABSENT, /* empty, or only invisible characters: no fault, as no address was written */
	EMAIL_NO_AT,
	EMAIL_NO_LOCAL,
	EMAIL_NO_DOMAIN_DOT,
	EMAIL_BAD_DOMAIN, /* an empty or too long label, an invalid character, a hyphen at the end of a label */
	EMAIL_SEVERAL_AT,
	EMAIL_BAD_CHARACTER, /* a blank, quote, bracket, control or invisible character; or not UTF-8 */
	EMAIL_TOO_LONG,
	EMAIL_BAD_BRACKETS, /* "<" and ">" that do not pair around the end of the text */
	EMAIL_BAD_URL,      /* a URL whose last part cannot be decoded */
	EMAIL_FAULTS_
};
const char *email_fault_name(enum email_fault f); /* "no at sign", … */

/*
 * Reads one address from len bytes of raw. Each step strips the characters that text_trim_unseen() strips. The address
 * may be:
 *
 * - "Name <address>"
 * - "mailto:address?…", percent-decoded, also in the brackets
 * - the last part of an http(s) URL's path
 *
 * A dot at the end of its domain is stripped, and it is lower-cased (ASCII). It must have one @ with text before it, a
 * domain with a dot and no empty label, and no blank, control or quote character. Letters beyond ASCII and xn-- are not
 * converted: the two spellings of one domain are two addresses. out: EMAIL_MAX + 1 bytes, written on EMAIL_GOOD.
 *
 * encoded: raw is one address of a mailto: URL, with or without the scheme, and so percent-encoded. It may have a
 * display name too, as some programs write one there.
 */
enum email_fault email_read(const char *raw, size_t len, bool encoded, char *out);
/* True where the whole text is one address of letters, digits, ".", "_", "+" and "-", as most are. Then it writes what
 * email_read() would, in one pass. False: email_read() decides. */
bool email_read_plain(const char *text, char *out);
/* As email_read() over the whole text: 0, or -EINVAL. NULL: -EINVAL. */
int email_normalise(const char *raw, char *out) MUSTCHECK;

/* Returns the length of "mailto:" at text, in any case, or 0. */
size_t email_mailto(const char *text);

/*
 * Shortens a text that is no address, for logs and explain: the first letter, and the text behind the last @ as far as
 * it looks like a domain; "***" without an @, or with nothing before it, as in "@kim". out: MASK_EMAIL_MAX bytes.
 * Returns out.
 */
const char *email_refused(const char *raw, size_t len, char *out);

/* True where an address matches. "jo@acme.com" matches that address, "noreply@*" that local part at any domain,
 * "acme.com" every address of that domain. */
bool email_pattern_matches(const char *pattern, const char *email);
/* Returns 0, or -EINVAL for a pattern that matches nothing. */
int email_pattern_check(const char *pattern) MUSTCHECK;

#endif

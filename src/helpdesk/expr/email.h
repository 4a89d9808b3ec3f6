/* SPDX-License-Identifier: MIT */
/*
 * email: one address, normalised; and the patterns that set some apart. Pure.
 */
#ifndef HELPDESK_EXPR_EMAIL_H
#define HELPDESK_EXPR_EMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define EMAIL_MAX 254 /* RFC 5321, with its angle brackets off */

#define EMAIL_TEXT_MAX 1023 /* bytes around one address: a display name may stand before it */

/* Why a text is no address. The names are label values: append only. */
enum email_fault {
	EMAIL_GOOD = 0,
	EMAIL_ABSENT, /* empty, or nothing that is seen: no fault, as nobody wrote an address there */
	EMAIL_NO_AT,
	EMAIL_NO_LOCAL,
	EMAIL_NO_DOMAIN_DOT,
	EMAIL_BAD_DOMAIN, /* an empty or too long label, a character that no domain has, a hyphen at a label's end */
	EMAIL_SEVERAL_AT,
	EMAIL_BAD_CHARACTER, /* a blank, quote, bracket, control or invisible character inside of it; or not UTF-8 */
	EMAIL_TOO_LONG,
	EMAIL_BAD_BRACKETS, /* "<" and ">" that do not pair around the last thing in the text */
	EMAIL_BAD_URL,      /* a URL whose last part cannot be read */
	EMAIL_FAULTS_
};
const char *email_fault_name(enum email_fault f); /* "no at sign", … */

/*
 * Reads one address out of len bytes of raw. What text_trim_unseen() takes off goes at every step. The address is taken
 * out of "Name <address>", of "mailto:address?…" (percent-decoded), also in the brackets, or out of the last part of an
 * http(s) URL's path; a dot at the end of its domain goes; it is lower-cased (ASCII). It must have one @ with something
 * before it, a domain with a dot and no empty label, and no blank, control or quote character. Letters beyond ASCII and
 * xn-- stay as they are written: the two spellings of one domain are two addresses. out: EMAIL_MAX + 1 bytes, written
 * where it is EMAIL_GOOD.
 *
 * encoded: raw is one address of a mailto: URL, with or without the scheme, and so percent-encoded. A display name may
 * stand before it all the same: programs put one there.
 */
enum email_fault email_read(const char *raw, size_t len, bool encoded, char *out);
/* email_read() over the whole text: 0, or -EINVAL. NULL is none. */
int email_normalise(const char *raw, char *out) MUSTCHECK;

/* "mailto:", in letters of any case: its bytes at text, or 0. */
size_t email_mailto(const char *text);

/*
 * A text that is no address, as logs and explain show it: the first letter, and what stands behind the last @ as far
 * as it looks like a domain; "***" without an @, or with nothing before it, as in "@kim". out: MASK_EMAIL_MAX bytes.
 */
const char *email_refused(const char *raw, size_t len, char *out);

/* "jo@acme.com" that address; "noreply@*" that local part at any domain; "acme.com" every address of that domain. */
bool email_pattern_matches(const char *pattern, const char *email);
/* 0, or -EINVAL for what can match nothing. */
int email_pattern_check(const char *pattern) MUSTCHECK;

#endif

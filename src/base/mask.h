/* SPDX-License-Identifier: MIT */
/*
 * mask: e-mail addresses as they may be shown: the first letter and the domain, "j***@example.com". Pure.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#define MASK_EMAIL_MAX 320

/* One address; "***" where there is no @ in it, or for NULL. */
const char *mask_email(const char *email, char out[MASK_EMAIL_MAX]);
/*
 * The text with all that may be an address masked so: around an @, in whatever form it is written (%40, %2540, \u0040,
 * &#64;, =40, a full-width one), with quotes, comments and letters of any script before it. Of a path or URL before the
 * @ the folders stay. The caller's.
 */
char *mask_text(const char *s) __attribute__((warn_unused_result));

#endif

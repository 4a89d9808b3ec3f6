/* SPDX-License-Identifier: MIT */
/*
 * mask: hides e-mail addresses but for their first letter and domain: "j***@example.com". Pure.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#define MASK_EMAIL_MAX 320

/* Masks one address; "***" for NULL and a text without @. Returns out. */
const char *mask_email(const char *email, char out[MASK_EMAIL_MAX]);
/*
 * Returns the text with everything masked that may be an address: around each @ in every form of writing (%40, %2540,
 * \u0040, &#64;, =40, a full-width one), with quotes, comments and letters of any script before it. Of a path or URL
 * before the @ the folders stay. The caller owns the result.
 */
char *mask_text(const char *s) __attribute__((warn_unused_result));

#endif

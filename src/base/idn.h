/* SPDX-License-Identifier: MIT */
/*
 * idn: converts internationalised host names to the form that the DNS uses. Pure, does not block.
 */
#ifndef BASE_IDN_H
#define BASE_IDN_H

/*
 * "münchen.example" → "xn--mnchen-3ya.example" (IDNA 2008, mapped by UTS 46). A name in ASCII is copied unchecked. Of
 * other names, -EINVAL: not UTF-8, not a possible host name, or with a character that no host name has. The caller owns
 * *ret.
 */
int idn_to_ascii(const char *host, char **ret) __attribute__((warn_unused_result));

#endif

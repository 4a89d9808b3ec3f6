/* SPDX-License-Identifier: MIT */
/*
 * idn: converts internationalised host names to the form that the DNS uses. Pure, does not block.
 */
#ifndef BASE_IDN_H
#define BASE_IDN_H

/*
 * Converts "münchen.example" to "xn--mnchen-3ya.example" (IDNA 2008, mapped by UTS 46). A name in ASCII is copied, and
 * its characters are not checked. -EINVAL: a name longer than 1024 bytes; beyond ASCII also a name that is not UTF-8,
 * is not a possible host name, or has a character that no host name has. The caller owns *ret.
 */
int idn_to_ascii(const char *host, char **ret) __attribute__((warn_unused_result));

#endif

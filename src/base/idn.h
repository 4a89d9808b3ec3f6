/* SPDX-License-Identifier: MIT */
/*
 * idn: internationalised host names as the DNS has them. Pure; blocks on nothing.
 */
#ifndef BASE_IDN_H
#define BASE_IDN_H

/*
 * "münchen.example" → "xn--mnchen-3ya.example" (IDNA 2008, mapped by UTS 46). A name of ASCII alone stays as it is: the
 * caller judges its letters. -EINVAL for what can be no host name, for a letter that no name can hold beside one beyond
 * ASCII, and for what is not UTF-8. The caller owns *ret.
 */
int idn_to_ascii(const char *host, char **ret) __attribute__((warn_unused_result));

#endif

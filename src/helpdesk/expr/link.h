/*
 * link: one web address for people to follow, made out of a text that somebody else wrote. Pure.
 */
#ifndef HELPDESK_EXPR_LINK_H
#define HELPDESK_EXPR_LINK_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define LINK_MAX 4096 /* bytes; a longer one is none, as half a link leads nowhere */

/*
 * The text as a URL (RFC 3986): what text_trim_unseen() takes off goes, the scheme becomes lower case, a host beyond
 * ASCII becomes its IDNA form. In what follows the host, all that may not stand in a URL is percent-encoded: blanks,
 * quotes, controls, letters beyond ASCII (as UTF-8), a "%" without two hexadecimal digits. Reserved characters and
 * encoded ones stay as they are, so that a URL stays what it is.
 *
 * -EINVAL: no absolute http or https URL, no usable host or port, a user or a password in it; -EMSGSIZE: longer than
 * LINK_MAX. reterr completes "… gives": "a URL with a user or a password in it". It holds nothing of the text. The
 * caller owns *ret.
 */
int link_make(const char *text, char **ret, struct err *reterr) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * template: text with references in braces. Compiled once, immutable, shared by threads. Pure.
 *
 * "{/content/id}" a reference, "{base_url}" a name; "{{" and "}}" stand for braces.
 */
#ifndef HELPDESK_EXPR_TEMPLATE_H
#define HELPDESK_EXPR_TEMPLATE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"

struct template;

enum template_escape {
	TEMPLATE_PLAIN,
	TEMPLATE_URL, /* values of references and of lookups are percent-encoded; parameters and base_url are not */
	/*
	 * A URL for people to follow, as link_make() has it. Values are percent-encoded as in TEMPLATE_URL; but one
	 * that begins the text and is an http or https URL itself is taken as a URL. Never for a URL that we ask: it
	 * may lead anywhere.
	 */
	TEMPLATE_LINK,
};

struct template *template_compile(const struct node *n, struct problems *problems);
/* From plain text, for defaults of our own. */
struct template *template_compile_text(const char *text, struct err *reterr);
void template_free(struct template *t);
/*
 * -ENOENT where a part has no value (named in reterr); in a URL also where it is "." or "..", which would lead
 * elsewhere, or longer than TEMPLATE_PART_MAX, at which a plain text is cut. With several values the first counts.
 * -EINVAL, -EMSGSIZE: TEMPLATE_LINK gives no link (reterr says why, and nothing of its text). The caller owns *ret.
 */
#define TEMPLATE_PART_MAX 4096
int template_render(const struct template *t, const struct eval_context *s, enum template_escape escape, char **ret,
		    struct err *reterr) MUSTCHECK;
/* The text with what the context knows; parts without a value stay as "{Team}". For people. The caller owns it. */
char *template_outline(const struct template *t, const struct eval_context *s) MUSTCHECK;
const char *template_text(const struct template *t); /* as written */
bool template_is_fixed(const struct template *t);    /* no part but text */
/* Calls fn for every part in order: text as it stands in the result, or (text NULL) a reference. */
void template_parts(const struct template *t, void (*fn)(void *ctx, const char *text, const struct reference *r),
		    void *ctx);
void template_references(const struct template *t, void (*fn)(void *ctx, const struct reference *r), void *ctx);

/* ---- one web address for people to follow, made out of a text that somebody else wrote --------------------------- */

#define LINK_MAX 4096 /* bytes; a longer one is none, as half a link leads nowhere */

/*
 * What TEMPLATE_LINK makes of the rendered text; here for tests alone.
 *
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

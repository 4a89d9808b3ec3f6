/* SPDX-License-Identifier: MIT */
/*
 * template: text with references in braces. Compiled once, immutable, shared by threads. Pure.
 *
 * "{/content/id}" is a reference, "{base_url}" a name; "{{" and "}}" stand for braces.
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
	TEMPLATE_URL, /* values of references and lookups are percent-encoded; parameters and base_url are not */
	/*
	 * A URL for people to open, made by link_make(). Values are percent-encoded as in TEMPLATE_URL, but a value at
	 * the beginning that is an http or https URL is taken as a URL. Never for a URL that the daemon requests: it
	 * may lead anywhere.
	 */
	TEMPLATE_LINK,
};

struct template *template_compile(const struct node *n, struct problems *problems);
/* Compiles plain text, for built-in defaults. */
struct template *template_compile_text(const char *text, struct err *reterr);
void template_free(struct template *t);
/*
 * Renders. Of several values the first counts.
 *
 * - -ENOENT: a part has no value (named in reterr); in a URL also where the value is "." or "..", which would lead
 *   elsewhere, or longer than TEMPLATE_PART_MAX. A plain text is cut there instead.
 * - -EINVAL, -EMSGSIZE: TEMPLATE_LINK gives no link. reterr has the reason without the text.
 *
 * The caller owns *ret.
 */
#define TEMPLATE_PART_MAX 4096
int template_render(const struct template *t, const struct eval_context *s, enum template_escape escape, char **ret,
		    struct err *reterr) MUSTCHECK;
/* Returns the text for people: parts without a value stay as "{Team}". The caller owns it. */
char *template_outline(const struct template *t, const struct eval_context *s) MUSTCHECK;
const char *template_text(const struct template *t); /* as written */
bool template_is_fixed(const struct template *t);    /* no part but text */
/* Calls fn for every part in order: text as in the result, or (text NULL) a reference. */
void template_parts(const struct template *t, void (*fn)(void *ctx, const char *text, const struct reference *r),
		    void *ctx);
void template_references(const struct template *t, void (*fn)(void *ctx, const struct reference *r), void *ctx);

/* ---- a link for people, made of text from outside ---------------------------------------------------------------- */

#define LINK_MAX 4096 /* bytes; a longer text is no link, as half of it leads nowhere */

/*
 * Makes a link of the rendered text; public for tests only.
 *
 * Converts the text to a URL (RFC 3986). It strips the characters of text_trim_unseen(), lower-cases the scheme and
 * converts a host beyond ASCII to IDNA. Behind the host it percent-encodes all that a URL may not contain: blanks,
 * quotes, controls, letters beyond ASCII (as UTF-8), a "%" without two hexadecimal digits. Reserved and encoded
 * characters stay, so that a URL does not change.
 *
 * -EINVAL: no absolute http or https URL, no usable host or port, or a user or password in it; -EMSGSIZE: longer than
 * LINK_MAX. reterr completes "… gives": "a URL with a user or a password in it", without the text. The caller owns
 * *ret.
 */
int link_make(const char *text, char **ret, struct err *reterr) MUSTCHECK;

#endif

/*
 * template: text with references in braces. Compiled once, immutable, shared by threads. Pure.
 *
 * "{/content/id}" a reference, "{base_url}" a name; "{{" and "}}" stand for braces.
 */
#ifndef HELPDESK_TEMPLATE_H
#define HELPDESK_TEMPLATE_H

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/reference.h"

struct template;

enum template_escape {
	TEMPLATE_PLAIN,
	TEMPLATE_URL, /* values of references and of lookups are percent-encoded; parameters and base_url are not */
};

struct template *template_compile(const struct node *n, struct problems *problems);
/* From plain text, for defaults of our own. */
struct template *template_compile_text(const char *text, struct err *reterr);
void template_free(struct template *t);
/* -ENOENT where a part has no value (named in reterr). With several values the first counts. The caller owns *ret. */
int template_render(const struct template *t, const struct scope *s, enum template_escape escape, char **ret,
		    struct err *reterr) MUSTCHECK;
void template_references(const struct template *t, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif

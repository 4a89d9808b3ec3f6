/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/links.h"

#include <string.h>
#include <strings.h>

struct links {
	struct template *items[VALUE_EXPR_MAX];
	size_t n;
};

/* The first part of a template: its text; NULL: a reference. */
struct first_text {
	bool seen;
	const char *text;
};

static void note_first_text(void *ctx, const char *text, const struct reference *r)
{
	struct first_text *b = ctx;

	(void)r;
	if (!b->seen)
		b->text = text;
	b->seen = true;
}

void links_check_beginning(const struct template *t, const struct node *n, struct problems *problems)
{
	static const char *const schemes[] = {"https://", "http://"};
	struct first_text b = {0};
	bool good;

	template_parts(t, note_first_text, &b);
	good = b.seen && !b.text;
	/* Compares only as far as the text goes: a reference may stand behind "https://". */
	for (size_t i = 0; b.text && i < sizeof(schemes) / sizeof(*schemes); i++)
		good = good || strncasecmp(b.text, schemes[i], strnlen(b.text, strlen(schemes[i]))) == 0;
	if (good)
		return;
	problems_warn(problems, n,
		      "expected a URL that begins with https://, or with a reference to one; any other result "
		      "is left out of the events");
}

struct links *links_compile(const struct node *n, struct problems *problems)
{
	struct links *l = mem_new(1, sizeof(*l));
	bool is_list = n->type == NODE_LIST;
	size_t errors = problems->errors;
	size_t count = is_list ? n->n : 1;

	if (count == 0 || count > VALUE_EXPR_MAX)
		problems_error(problems, n,
			       "expected a list of 1 to %d templates, of which the first with a value counts",
			       VALUE_EXPR_MAX);
	for (size_t i = 0; i < count && count <= VALUE_EXPR_MAX; i++) {
		const struct node *one = is_list ? n->items[i] : n;
		struct template *t = template_compile(one, problems);

		if (!t)
			continue;
		links_check_beginning(t, one, problems);
		l->items[l->n++] = t;
	}
	if (problems->errors == errors)
		return l;
	links_free(l);
	return NULL;
}

void links_free(struct links *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		template_free(l->items[i]);
	free(l);
}

int links_render(const struct links *l, const struct eval_context *s, char **ret, struct err *reterr)
{
	int r = template_render(l->items[0], s, TEMPLATE_LINK, ret, reterr);

	for (size_t i = 1; r < 0 && i < l->n; i++)
		if (template_render(l->items[i], s, TEMPLATE_LINK, ret, NULL) == 0)
			return 0;
	return r;
}

char *links_outline(const struct links *l, size_t i, const struct eval_context *s)
{
	return i < l->n ? template_outline(l->items[i], s) : NULL;
}

void links_references(const struct links *l, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; l && i < l->n; i++)
		template_references(l->items[i], fn, ctx);
}

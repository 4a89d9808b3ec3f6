#include <config.h>

#include "helpdesk/links.h"

struct links {
	struct template *items[FACT_MAX];
	size_t n;
};

static void links_add(struct links *l, const struct node *n, struct problems *problems)
{
	struct template *t = template_compile(n, problems);

	if (t)
		l->items[l->n++] = t;
}

struct links *links_compile(const struct node *n, struct problems *problems)
{
	struct links *l = mem_new(1, sizeof(*l));
	size_t errors = problems->errors;

	if (n->type != NODE_LIST)
		links_add(l, n, problems);
	else if (n->n == 0 || n->n > FACT_MAX)
		problems_error(problems, n,
			       "expected a list of 1 to %d templates, of which the first with a value counts",
			       FACT_MAX);
	else
		for (size_t i = 0; i < n->n; i++)
			links_add(l, n->items[i], problems);
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

int links_render(const struct links *l, const struct scope *s, char **ret, struct err *reterr)
{
	int r = template_render(l->items[0], s, TEMPLATE_LINK, ret, reterr);

	for (size_t i = 1; r < 0 && i < l->n; i++)
		if (template_render(l->items[i], s, TEMPLATE_LINK, ret, NULL) == 0)
			return 0;
	return r;
}

char *links_outline(const struct links *l, size_t i, const struct scope *s)
{
	return i < l->n ? template_outline(l->items[i], s) : NULL;
}

void links_references(const struct links *l, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; l && i < l->n; i++)
		template_references(l->items[i], fn, ctx);
}

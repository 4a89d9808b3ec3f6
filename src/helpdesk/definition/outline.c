/*
 * The URLs of a definition as far as they are known without a webhook: for people, who judge a base_url by them.
 */
#include <config.h>

#include "helpdesk/definition/definition_parts.h"

#include "base/text.h"

struct view {
	const struct pairs *names;
	bool decided; /* the parameters alone decide */
};

static void view_one(void *ctx, const struct reference *r)
{
	struct view *v = ctx;
	const char *name = reference_name(r);

	v->decided = v->decided && name && pairs_get(v->names, name);
}

/* Whether the parameters as they were chosen keep this step from ever being asked. */
static bool is_off(const struct step *s, const struct scope *scope)
{
	struct view v = {.names = scope->names, .decided = true};

	if (!s->when)
		return false;
	matcher_references(s->when, view_one, &v);
	return v.decided && !matcher_holds(s->when, scope);
}

void definition_urls(const struct definition *d,
		     void (*fn)(void *ctx, enum definition_url kind, const char *outline, bool optional), void *ctx)
{
	const struct scope scope = {.names = &d->names};
	char *link;

	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];

		for (size_t k = 0; k < s->urls_n && !is_off(s, &scope); k++) {
			CLEANUP(mem_freep) char *outline = template_outline(s->urls[k], &scope);

			fn(ctx, DEFINITION_LOOKUP, outline, s->optional);
		}
	}
	for (size_t i = 0; d->conversation_url && (link = links_outline(d->conversation_url, i, &scope)); i++) {
		fn(ctx, DEFINITION_LINK, link, true);
		free(link);
	}
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/definition/definition_internal.h"

#include "base/text.h"

void definition_free(struct definition *d)
{
	if (!d)
		return;
	free(d->about.label);
	free(d->about.documentation);
	free(d->about.verified);
	free(d->about.setup);
	strings_done(&d->about.unconfirmed);
	for (size_t i = 0; i < TRANSITION_EXPIRED; i++)
		free(d->about.paste[i]);
	reference_free(d->each);
	free(d->about.challenge);
	matcher_free(d->setup_probe);
	free(d->about.base_url);
	proof_free(d->proof);
	pairs_done(&d->names);
	pairs_done(&d->headers);
	matcher_free(d->ping);
	matcher_free(d->identified);
	for (size_t i = 0; i < TRANSITION_EXPIRED; i++) {
		matcher_free(d->transitions[i]);
		sample_done(&d->samples[i]);
	}
	states_free(d->states);
	value_expr_free(d->conversation);
	value_expr_free(d->delivery);
	value_expr_free(d->customer);
	value_expr_free(d->time);
	value_expr_free(d->created);
	value_expr_free(d->closed_at);
	email_refs_done(&d->emails);
	for (size_t i = 0; i < d->steps_n; i++)
		step_done(&d->steps[i]);
	attributes_free(d->attributes);
	links_free(d->conversation_url);
	for (size_t i = 0; i < d->sample_infos_n; i++)
		free(d->sample_infos[i].name);
	free(d->sample_infos);
	free(d);
}

const struct definition_about *definition_about(const struct definition *d)
{
	return &d->about;
}

enum body_form definition_body(const struct definition *d)
{
	return d->body;
}

const struct proof *definition_proof(const struct definition *d)
{
	return d->proof;
}

bool definition_matches(const struct definition *d, enum transition t)
{
	return t < TRANSITION_EXPIRED && d->transitions[t];
}

bool definition_asks_base_url(const struct definition *d, bool needed)
{
	for (size_t i = 0; i < d->steps_n && !d->about.base_url; i++)
		if (d->steps[i].asks_base_url && !(needed && d->steps[i].optional))
			return true;
	return false;
}

void definition_names(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx)
{
	attributes_names(d->attributes, fn, ctx);
	for (size_t i = 0; i < d->names.n; i++)
		fn(ctx, d->names.items[i].name);
	for (size_t i = 0; i < d->steps_n; i++)
		for (size_t k = 0; k < d->steps[i].take_n; k++)
			fn(ctx, d->steps[i].take[k].name);
}

const enum transition match_order[MATCH_ORDER_N] = {TRANSITION_CLOSED, TRANSITION_REOPENED, TRANSITION_OPENED};

void definition_matchers(const struct definition *d, const struct matcher *ret[DEFINITION_MATCHERS])
{
	*ret++ = d->ping;
	for (size_t i = 0; i < MATCH_ORDER_N; i++)
		*ret++ = d->transitions[match_order[i]];
	*ret = d->identified;
}

void definition_matcher_references(const struct definition *d, void (*fn)(void *ctx, const struct reference *r),
				   void *ctx)
{
	const struct matcher *matchers[DEFINITION_MATCHERS];

	definition_matchers(d, matchers);
	for (size_t i = 0; i < DEFINITION_MATCHERS; i++)
		if (matchers[i])
			matcher_references(matchers[i], fn, ctx);
}

void definition_headers(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; i < d->headers.n; i++)
		fn(ctx, d->headers.items[i].name);
}

bool definition_stores_header(const struct definition *d, const char *name)
{
	return pairs_get(&d->headers, name) || (d->body == BODY_EITHER && text_same(name, "Content-Type"));
}

void definition_parameters(const struct definition *d, void (*fn)(void *ctx, const char *name, const char *value),
			   void *ctx)
{
	for (size_t i = 0; i < d->names.n; i++)
		fn(ctx, d->names.items[i].name, d->names.items[i].value);
}

/* ---- URLs, for messages about base_url --------------------------------------------------------------------------- */

struct decided_by_parameters {
	const struct pairs *names;
	bool decided; /* all names of the matcher are parameters */
};

static void note_reference(void *ctx, const struct reference *r)
{
	struct decided_by_parameters *v = ctx;
	const char *name = reference_name(r);

	v->decided = v->decided && name && pairs_get(v->names, name);
}

void definition_urls(const struct definition *d,
		     void (*fn)(void *ctx, enum definition_url kind, const char *outline, bool optional), void *ctx)
{
	const struct eval_context context = {.names = &d->names};
	char *link;

	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];
		struct decided_by_parameters v = {.names = &d->names, .decided = s->when != NULL};

		/* The chosen parameters may exclude a step. */
		if (s->when)
			matcher_references(s->when, note_reference, &v);
		if (v.decided && !step_applies(s, &context))
			continue;
		for (size_t k = 0; k < s->urls_n; k++) {
			CLEANUP(mem_freep) char *outline = template_outline(s->urls[k], &context);

			fn(ctx, DEFINITION_LOOKUP, outline, s->optional);
		}
	}
	for (size_t i = 0; d->conversation_url && (link = links_outline(d->conversation_url, i, &context)); i++) {
		fn(ctx, DEFINITION_LINK, link, true);
		free(link);
	}
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

const struct sample *definition_sample(const struct definition *d, enum transition t)
{
	return t < TRANSITION_EXPIRED && d->samples[t].body ? &d->samples[t] : NULL;
}

void definition_samples(const struct definition *d,
			void (*fn)(void *ctx, const char *name, const char *shows, enum sample_shape shape), void *ctx)
{
	for (size_t i = 0; i < d->sample_infos_n; i++)
		fn(ctx, d->sample_infos[i].name, d->sample_infos[i].shows, d->sample_infos[i].shape);
	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];
		CLEANUP(mem_freep) char *name = mem_fmt("lookup[%zu]", i);

		if (s->sample)
			fn(ctx, name, template_text(s->urls[0]), s->sample_shape);
	}
}

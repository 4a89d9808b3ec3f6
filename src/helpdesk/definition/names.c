/* SPDX-License-Identifier: MIT */
/*
 * Compiles the names that templates may use (base_url, the parameters as the source chose them, names taken by
 * lookups), and the steps of the lookup with these names.
 */
#include <config.h>

#include "helpdesk/definition/compile_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/url.h"
#include "helpdesk/expr/keys.h"

/* Adds a name that templates may use. value: NULL where only a lookup gives it. */
static void add_name(struct definition_compiler *dc, const struct node *at, const char *name, const char *value)
{
	if (pairs_get(&dc->known, name))
		problems_error(dc->problems, at, "the name \"%.64s\" is there already", name);
	pairs_add(&dc->known, name, "");
	if (value)
		pairs_add(&dc->d->names, name, value);
}

/* Returns the source's choice, or the first. A wrong choice is an error and gives the first too, so that its names
 * exist. */
static const struct node *parameter_choice(struct definition_compiler *dc, const struct node *parameter,
					   const struct node *with)
{
	CLEANUP(mem_freep) const char **names = NULL;

	if (!with)
		return parameter->items[0];
	names = mem_new(parameter->n + 1, sizeof(*names));
	for (size_t i = 0; i < parameter->n; i++) {
		const struct node *choice = parameter->items[i];

		names[i] = choice->key ? choice->key : choice->text;
		if (with->type == NODE_SCALAR && text_is(names[i], with->text))
			return choice;
	}
	keys_error(with, parameter->key, with->type == NODE_SCALAR ? with->text : node_kind(with), names, dc->problems);
	return parameter->items[0];
}

static void compile_parameter(struct definition_compiler *dc, const struct node *parameter, const struct node *with)
{
	const char *text = parameter->text;
	const struct node *choice;

	for (size_t i = 0; i < parameter->n; i++) {
		choice = parameter->items[i];
		if (choice->type != NODE_SCALAR && (parameter->type == NODE_LIST || choice->type != NODE_MAP)) {
			problems_error(dc->problems, choice, "expected text%s, not %s",
				       parameter->type == NODE_MAP ? " or a mapping from names to texts" : "",
				       node_kind(choice));
			return;
		}
	}
	if (parameter->n > 0) {
		/* {us: {api: …, app: …}, eu: {…}}: the parameter's value is the choice, whose members are names too. */
		choice = parameter_choice(dc, parameter, with);
		add_name(dc, parameter, parameter->key, choice->type == NODE_SCALAR ? choice->text : choice->key);
		for (size_t i = 0; choice->type == NODE_MAP && i < choice->n; i++) {
			const struct node *member = choice->items[i];

			if (member->type != NODE_SCALAR)
				problems_error(dc->problems, member, "expected text, not %s", node_kind(member));
			add_name(dc, member, member->key, member->text);
		}
		return;
	}
	if (with && with->type != NODE_SCALAR)
		problems_error(dc->problems, with, "expected text, not %s", node_kind(with));
	else if (with)
		text = with->text;
	else if (dc->binding && !text)
		problems_error(dc->problems, parameter,
			       "this parameter has no default: set it by `with`, as in {%s: …}", parameter->key);
	add_name(dc, parameter, parameter->key, text);
}

static void compile_with(struct definition_compiler *dc, const struct node *parameters, const struct node *with)
{
	CLEANUP(mem_freep) const char **names = NULL;
	size_t n = 0;

	if (with->type != NODE_MAP) {
		problems_error(dc->problems, with, "expected a mapping from parameters to values, not %s",
			       node_kind(with));
		return;
	}
	names = mem_new(parameters ? parameters->n : 0, sizeof(*names));
	for (size_t i = 0; parameters && parameters->type == NODE_MAP && i < parameters->n; i++)
		names[n++] = parameters->items[i]->key;
	for (size_t i = 0; i < with->n; i++) {
		CLEANUP(mem_freep) char *meant = NULL;

		if (node_get(parameters, with->items[i]->key))
			continue;
		meant = text_suggestion("; ", "", with->items[i]->key, names, n);
		problems_error(dc->problems, with->items[i], "this definition has no parameter \"%.64s\"%s",
			       with->items[i]->key, meant);
	}
}

void compile_names(struct definition_compiler *dc)
{
	const struct node *parameters = node_get(dc->n, "parameters");
	const struct node *with = dc->binding ? dc->binding->with : NULL;

	add_name(dc, dc->n, "base_url", NULL);
	if (with)
		compile_with(dc, parameters, with);
	if (!parameters)
		return;
	if (parameters->type != NODE_MAP) {
		problems_error(dc->problems, parameters, "expected a mapping, not %s", node_kind(parameters));
		return;
	}
	for (size_t i = 0; i < parameters->n; i++)
		compile_parameter(dc, parameters->items[i], node_get(with, parameters->items[i]->key));
}

/* ---- base_url ---------------------------------------------------------------------------------------------------- */

/* Checks a reference in the definition's `base_url`: only parameters may stand in it. */
static void base_url_check_reference(void *ctx, const struct reference *reference)
{
	struct name_check *c = ctx;
	const char *name = reference_name(reference);

	if (name && strcmp(name, "base_url") != 0)
		name_check_one(ctx, reference);
	else
		problems_error(
			c->dc->problems, c->at,
			"only parameters may stand in `base_url`, as in \"https://{subdomain}.example.com\", not "
			"{%s}",
			reference_text(reference));
}

static char *cut_slashes(char *url)
{
	for (size_t len = url ? strlen(url) : 0; len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return url;
}

void compile_base_url(struct definition_compiler *dc)
{
	const struct node *n = node_get(dc->n, "base_url");
	CLEANUP(mem_freep) char *base = cut_slashes(mem_str(dc->binding ? dc->binding->base_url : NULL));
	struct template *t = n ? template_compile(n, dc->problems) : NULL;
	const struct eval_context s = {.names = &dc->d->names};
	struct name_check c = {.dc = dc, .at = n};
	size_t errors = dc->problems->errors;
	const char *own;

	if (t)
		template_references(t, base_url_check_reference, &c);
	/* Without a source a parameter may have no value yet; base_url then has none either. */
	if (t && dc->problems->errors == errors &&
	    template_render(t, &s, TEMPLATE_URL, &dc->d->about.base_url, NULL) == 0) {
		own = cut_slashes(dc->d->about.base_url);
		/* A parameter may contain a URL where a name is expected. */
		if (!url_begins(own) || strstr(own + 7, "://") || !text_is_one_word(own))
			problems_error(dc->problems, n,
				       "expected a URL that begins with https://, without blanks, not \"%.200s\"", own);
	}
	template_free(t);
	if (base || dc->d->about.base_url)
		pairs_add(&dc->d->names, "base_url", base ? base : dc->d->about.base_url);
}

/* ---- use of names ------------------------------------------------------------------------------------------------ */

/* True where the text contains that name: "{agent}", "{ agent }". */
static bool text_asks(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
		const char *inner = at + 1 + strspn(at + 1, " \t");

		if (strncmp(inner, name, len) == 0 && inner[len + strspn(inner + len, " \t")] == '}')
			return true;
	}
	return false;
}

/* Finds the node within n with the name: a template, or the key of a matcher or a map. False: none. */
static bool name_place(const struct node *n, const char *name, struct node *ret)
{
	if (n->type == NODE_SCALAR && text_asks(n->text, name)) {
		*ret = *n;
		return true;
	}
	for (size_t i = 0; i < n->n; i++) {
		const struct node *one = n->items[i];

		if (one->key && (strcmp(one->key, name) == 0 || text_asks(one->key, name))) {
			*ret = node_at_key(one);
			return true;
		}
		if (name_place(one, name, ret))
			return true;
	}
	return false;
}

/* A name without any source is a typo: the template would never have a value. */
void name_check_one(void *ctx, const struct reference *reference)
{
	struct name_check *c = ctx;
	const char *name = reference_name(reference);
	size_t n = 0;
	const char *known[64];
	const char *near;
	struct node at;

	c->base_url = c->base_url || text_is(name, "base_url");
	if (!name || pairs_get(&c->dc->known, name))
		return;
	for (; n < c->dc->known.n && n < 64; n++)
		known[n] = c->dc->known.items[n].name;
	near = text_nearest(name, known, n);
	if (!name_place(c->at, name, &at))
		at = *c->at;
	problems_error(c->dc->problems, &at, "no parameter and no %s `take` is called \"%.64s\"; %s%s%s",
		       c->in_step ? "earlier step's" : "lookup's", name, near ? "did you mean \"" : "",
		       near ? near : "", near ? "\"?" : "a pointer begins with \"/\"");
}

/* ---- the lookup -------------------------------------------------------------------------------------------------- */

#define LOOKUP_CACHE_DEFAULT_MS (10 * CLOCK_MINUTE_MS)

/*
 * A step may use parameters and names taken by earlier steps. Several steps may take the same name; no step may take
 * the name of a parameter.
 */
static void check_names_of_step(struct definition_compiler *dc, const struct node *n, size_t step)
{
	struct step *s = &dc->d->steps[step];
	struct name_check c = {.dc = dc, .at = node_get(n, "when"), .in_step = true};

	if (s->when)
		matcher_references(s->when, name_check_one, &c);
	c.at = node_get(n, "url");
	c.base_url = false;
	for (size_t i = 0; i < s->urls_n; i++)
		template_references(s->urls[i], name_check_one, &c);
	for (size_t i = 0; i < s->headers_n; i++) {
		c.at = node_get(node_get(n, "headers"), s->headers[i].name);
		if (s->headers[i].value)
			template_references(s->headers[i].value, name_check_one, &c);
	}
	s->asks_base_url = c.base_url;
	for (size_t i = 0; i < s->take_n; i++) {
		const char *name = s->take[i].name;
		bool was_taken = false;

		for (size_t k = 0; k < step; k++)
			was_taken = was_taken || step_takes(&dc->d->steps[k], name);
		if (!was_taken)
			add_name(dc, node_get(node_get(n, "take"), name), name, NULL);
	}
}

void compile_lookup(struct definition_compiler *dc)
{
	const struct node *n = node_get(dc->n, "lookup");
	struct definition *d = dc->d;
	struct definition_about *about = &d->about;
	size_t errors = dc->problems->errors;

	if (!n)
		return;
	about->lookup_cache_ms = -1;
	d->steps_n = steps_compile(n, d->steps, dc->problems);
	about->steps = d->steps;
	about->steps_n = d->steps_n;
	about->lookup_authenticate = d->steps_n > 0 ? step_method_name(d->steps[0].method) : NULL;
	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];

		check_names_of_step(dc, n->items[i], i);
		about->needs_lookup = about->needs_lookup || !s->optional;
		/* One cache entry holds the results of all steps, so the shortest time counts. */
		if (s->cache_ms >= 0 && (about->lookup_cache_ms < 0 || s->cache_ms < about->lookup_cache_ms))
			about->lookup_cache_ms = s->cache_ms;
		if (s->moved.n > 0 && (!d->customer || value_expr_written(d->customer)[0] != '/'))
			problems_error(dc->problems, node_get(n->items[i], "moved"),
				       "expected `customer` to be a JSON Pointer: the new id takes its place");
	}
	if (about->lookup_cache_ms < 0)
		about->lookup_cache_ms = LOOKUP_CACHE_DEFAULT_MS;
	for (size_t i = 0; i < d->steps_n && dc->problems->errors == errors; i++)
		step_check_sample(&d->steps[i], n->items[i], dc->binding && dc->binding->overlaid, dc->problems);
}

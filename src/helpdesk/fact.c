#include <config.h>

#include "helpdesk/fact.h"

#include <string.h>

/* One of the two. */
struct fact {
	struct reference *reference;
	struct template *template;
};

struct fact *fact_compile_text(const struct node *at, const char *text, struct problems *problems)
{
	struct fact *f = mem_new(1, sizeof(*f));
	struct err e;

	if (text[0] != '/' && strchr(text, '{')) {
		f->template = template_compile_text(text, &e);
		if (f->template && !template_is_fixed(f->template))
			return f;
		if (f->template)
			(void)err_set(&e, 0, "\"%.64s\" has no reference in it", text);
	} else if (reference_compile(text, REFERENCE_NO_NAMES, &f->reference, &e) == 0) {
		return f;
	}
	problems_error(problems, at, "%s", e.text);
	fact_free(f);
	return NULL;
}

struct fact *fact_compile(const struct node *n, struct problems *problems)
{
	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected a reference (\"/…\") or a template (\"{/…} {/…}\"), not %s",
			       node_kind(n));
		return NULL;
	}
	return fact_compile_text(n, n->text, problems);
}

void fact_free(struct fact *f)
{
	if (!f)
		return;
	reference_free(f->reference);
	template_free(f->template);
	free(f);
}

const char *fact_written(const struct fact *f)
{
	return f->reference ? reference_text(f->reference) : template_text(f->template);
}

char *fact_text(const struct fact *f, const struct scope *s)
{
	char *text = NULL;

	if (f->reference)
		return reference_scalar(f->reference, s);
	return template_render(f->template, s, TEMPLATE_PLAIN, &text, NULL) == 0 ? text : NULL;
}

const char *fact_oddity(const struct fact *f, const struct scope *s)
{
	const char *oddity = NULL;
	struct values v;

	if (!f->reference)
		return NULL;
	reference_values(f->reference, s, &v);
	for (size_t i = 0; i < v.n && !oddity; i++) {
		if (json_object_is_type(v.items[i], json_type_object))
			oddity = "an object";
		else if (json_object_is_type(v.items[i], json_type_array))
			oddity = "a list";
	}
	values_done(&v);
	return oddity;
}

const struct reference *fact_reference(const struct fact *f)
{
	return f->reference;
}

void fact_references(const struct fact *f, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	if (f->reference)
		fn(ctx, f->reference);
	else
		template_references(f->template, fn, ctx);
}

static void keep_last(void *ctx, const struct reference *r)
{
	*(const struct reference **)ctx = r;
}

bool fact_put(const struct fact *f, struct json_object *item, const char *text)
{
	const struct reference *last = NULL;

	fact_references(f, keep_last, &last);
	return reference_put(last, item, text);
}

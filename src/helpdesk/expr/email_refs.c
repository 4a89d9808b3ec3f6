/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/email_refs.h"

#include <string.h>

#include "base/json.h"

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static struct reference *ref_compile(const struct node *n, bool only_pointers, struct problems *problems)
{
	struct reference *r = NULL;
	struct err e;

	if (n->type != NODE_SCALAR || (only_pointers && n->text[0] != '/'))
		problems_error(problems, n, "expected a %s (\"/…\"), not %s",
			       only_pointers ? "JSON Pointer into the answer" : "reference",
			       n->type == NODE_SCALAR ? n->text : node_kind(n));
	else if (reference_compile(n->text, REFERENCE_NO_NAMES, &r, &e) < 0)
		problems_error(problems, n, "%s", e.text);
	return r;
}

void email_refs_compile(struct email_refs *p, const struct node *emails, const struct node *primary, bool only_pointers,
			struct problems *problems)
{
	bool is_list = emails && emails->type == NODE_LIST;
	size_t errors = problems->errors;
	size_t n = is_list ? emails->n : emails != NULL;

	*p = (struct email_refs){0};
	if (is_list && (n == 0 || n > EMAIL_REFS_MAX)) {
		problems_error(problems, emails,
			       "expected a list of 1 to %d references, of which the first with an address counts",
			       EMAIL_REFS_MAX);
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		p->emails[p->n] = ref_compile(is_list ? emails->items[i] : emails, only_pointers, problems);
		p->n += p->emails[p->n] != NULL;
	}
	if (!primary)
		return;
	p->primary = ref_compile(primary, only_pointers, problems);
	if (problems->errors > errors)
		return;
	if (p->n > 1)
		problems_error(problems, primary, "`primary` needs a single `emails`, not a list");
	else if (p->n == 0 || !reference_is_sibling(p->primary, p->emails[0]))
		problems_error(problems, primary, "expected a pointer beside `emails`, with as many *");
}

void email_refs_done(struct email_refs *p)
{
	for (size_t i = 0; i < p->n; i++)
		reference_free(p->emails[i]);
	reference_free(p->primary);
	*p = (struct email_refs){0};
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Adds a text or a list of texts; a form's field may be either. */
static bool add_value(struct addresses *to, struct json_object *o, bool primary)
{
	bool is_list = json_object_is_type(o, json_type_array);
	bool any = false;
	size_t n = is_list ? json_object_array_length(o) : 1;

	for (size_t i = 0; i < n && i < VALUES_MAX; i++) {
		CLEANUP(mem_freep) char *own = NULL;
		const char *text = value_peek(is_list ? json_object_array_get_idx(o, i) : o, &own);

		any = (text && addresses_add(to, text, primary)) || any;
	}
	return any;
}

static bool ref_read(const struct reference *emails, const struct reference *primary, const struct eval_context *s,
		     struct addresses *to)
{
	struct values marks = {0};
	bool any = false;
	struct values found;

	if (primary)
		reference_sibling_values(emails, primary, s, &found, &marks);
	else
		reference_values(emails, s, &found);
	for (size_t i = 0; i < found.n; i++) {
		CLEANUP(mem_freep) char *mark = i < marks.n ? json_scalar(marks.items[i]) : NULL;
		bool is_primary = mark && (text_same(mark, "true") || strcmp(mark, "1") == 0);

		any = add_value(to, found.items[i], is_primary) || any;
	}
	values_done(&found);
	values_done(&marks);
	return any;
}

bool email_refs_read(const struct email_refs *p, const struct eval_context *s, struct addresses *to)
{
	for (size_t i = 0; i < p->n; i++)
		if (ref_read(p->emails[i], p->primary, s, to))
			return true;
	return false;
}

const struct reference *email_refs_target(const struct email_refs *p, const struct eval_context *s)
{
	for (size_t i = 0; i < p->n; i++) {
		struct addresses found = {0};
		bool any = ref_read(p->emails[i], NULL, s, &found);

		addresses_done(&found);
		if (any)
			return p->emails[i];
	}
	return p->n > 0 ? p->emails[0] : NULL;
}

void email_refs_references(const struct email_refs *p, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; i < p->n; i++)
		fn(ctx, p->emails[i]);
	if (p->primary)
		fn(ctx, p->primary);
}

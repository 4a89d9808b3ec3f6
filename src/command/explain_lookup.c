#include <config.h>

#include "command/explain_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/out.h"
#include "helpdesk/plan/inquiry.h"

void explain_answers_done(struct explain_answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->texts[i]);
}

/* One given answer. A file tells no status: one that names the merged customer's new id was a 301, any other a 200. */
static bool take_answer(struct inquiry *q, struct explain_answers *a)
{
	size_t i = a->used++, step = inquiry_step(q);
	bool optional = inquiry_step_is_called_optional(q);
	enum inquiry_verdict v = INQUIRY_ODD;
	struct err error = {0};

	if (!optional)
		v = inquiry_answer(q, 301, "application/json", a->texts[i], a->lens[i], NULL);
	if (v == INQUIRY_MOVED) {
		out_print("  %s: the customer has another id now\n", a->files[i]);
		return true;
	}
	v = inquiry_answer(q, 200, "application/json", a->texts[i], a->lens[i], &error);
	if (*error.text)
		out_print("  %s: %s%s\n", a->files[i], error.text,
			  optional && inquiry_step(q) > step ? "; this question is optional, so on without it" : "");
	return v == INQUIRY_ON;
}

/* Those before the one that is asked next. */
static void tell_passed(const struct source *s, const struct inquiry *q, size_t *told)
{
	size_t n = definition_steps(s->definition);

	for (; *told < inquiry_step(q) && *told < n; ++*told) {
		const char *why = inquiry_passed(q, *told);

		if (why)
			out_print("  step %zu of %zu is passed over: %s\n", *told + 1, n, why);
	}
}

/* Whether to go on without the answer. */
static bool miss_answer(struct inquiry *q)
{
	if (inquiry_step_is_optional(q)) {
		out_print("  not asked here, and optional; its answer can be given with --customer FILE\n");
		inquiry_skip(q);
		return true;
	}
	out_print("  not asked here; its answer can be given with --customer FILE. What follows is as if it held "
		  "no address\n");
	return false;
}

/* Walks the lookup's steps over the given answers. Whether it came to its end. */
static bool walk(struct inquiry *q, const struct source *s, struct explain_answers *a)
{
	const struct inquiry_secrets secrets = {
		.user = s->lookup_user ? s->lookup_user : "", .password = "", .token = ""};
	struct err error = {0};
	size_t told = 0; /* steps that were asked or told of */

	for (;;) {
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(pairs_done) struct pairs headers = {0};
		int r = inquiry_next(q, &secrets, &url, &headers, &error);

		tell_passed(s, q, &told);
		if (r < 0)
			out_print("  %s\n", error.text);
		if (r != 0)
			return r == 1;
		told = inquiry_step(q) + 1;
		out_print("  GET %s\n", url);
		if (a->used == a->n ? !miss_answer(q) : !take_answer(q, a))
			return false;
	}
}

static void tell_place(void *ctx, const struct reference *r)
{
	const char **between = ctx;

	out_print("%s %s", *between, reference_text(r));
	*between = ",";
}

static void tell_refused(const struct addresses *a)
{
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	reading_tell_refused(a, "  ", &lines);
	out_lines(stdout, lines.data);
	buf_done(&lines);
}

bool explain_lookup(const struct source *s, const struct webhook *w, struct explain_answers *a, struct customer *ret)
{
	/* Of its own: what is asked about a merged customer changes the tree. */
	CLEANUP(parsed_freep) struct parsed *asked = parsed_lent(s->definition, w);
	struct inquiry *q = NULL;
	struct err error = {0};
	bool found;

	out_print("Lookup\n");
	if (inquiry_new(s->definition, &asked->scope, &q, &error) < 0) {
		out_print("  nobody to ask about: %s\n\n", error.text);
		return false;
	}
	found = walk(q, s, a);
	if (found)
		inquiry_result(q, ret);
	for (size_t i = 0; i < ret->addresses.n; i++)
		out_print("  found %s%s\n", ret->addresses.items[i].email,
			  ret->addresses.items[i].primary ? " (primary)" : "");
	if (found && ret->addresses.n == 0) {
		const char *between = "; where answers hold it:";

		out_print("  found no address");
		inquiry_address_places(q, tell_place, &between);
		out_print("\n");
	}
	tell_refused(&ret->addresses);
	for (size_t i = 0; i < ret->taken.n; i++)
		out_print("  took %s: %s\n", ret->taken.items[i].name, ret->taken.items[i].value);
	out_print("\n");
	inquiry_free(q);
	return found;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/definition/step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/url.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"

/* The one name in `missing`: the answer's status. */
#define STEP_STATUS "status"

static const char *const step_keys[] = {"url",     "when", "authenticate", "headers", "emails", "primary", "moved",
					"missing", "take", "optional",     "cache",   "sample", NULL};
static const char *const step_methods[] = {
	[STEP_BASIC] = "basic",
	[STEP_BEARER] = "bearer",
	[STEP_HEADER] = "header",
	NULL,
};

const char *step_method_name(enum step_method m)
{
	return step_methods[m];
}

/* Compiles one pointer into the answer, or a list of them. n: NULL: none. */
static void refs_compile(struct step_refs *p, const struct node *n, struct problems *problems)
{
	bool is_list = n && n->type == NODE_LIST;
	size_t count = is_list ? n->n : n != NULL;
	struct err e;

	if (is_list && (count == 0 || count > STEP_REFS_MAX)) {
		problems_error(
			problems, n,
			"expected a list of 1 to %d JSON Pointers, of which the first that finds something counts",
			STEP_REFS_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct node *one = is_list ? n->items[i] : n;

		if (one->type != NODE_SCALAR || one->text[0] != '/')
			problems_error(problems, one, "expected a JSON Pointer into the answer (\"/…\"), not %s",
				       one->type == NODE_SCALAR ? one->text : node_kind(one));
		else if (reference_compile(one->text, REFERENCE_NO_NAMES, &p->items[p->n], &e) == 0)
			p->n++;
		else
			problems_error(problems, one, "%s", e.text);
	}
}

static char *refs_scalar(const struct step_refs *p, const struct eval_context *s)
{
	char *text = NULL;

	for (size_t i = 0; i < p->n && !text; i++)
		text = reference_scalar(p->items[i], s);
	return text;
}

static void refs_done(struct step_refs *p)
{
	for (size_t i = 0; i < p->n; i++)
		reference_free(p->items[i]);
}

/* ctx: a bool, set where a text has a blank. Values are percent-encoded, but the text around them goes out as it is
 * written. */
static void note_blank(void *ctx, const char *text, const struct reference *r)
{
	bool *blank = ctx;

	(void)r;
	*blank = *blank || (text && !text_is_one_word(text));
}

static void step_add_url(struct step *s, const struct node *n, struct problems *problems)
{
	struct template *t = template_compile(n, problems);
	bool blank = false;

	if (!t)
		return;
	s->urls[s->urls_n++] = t;
	template_parts(t, note_blank, &blank);
	if (blank)
		problems_error(problems, n, "a blank or a control character in a URL: for a blank write %%20");
	if (n->text[0] != '{' && !url_begins(n->text))
		problems_error(problems, n, "expected a URL that begins with {base_url}, a parameter, or https://");
}

/* `url`: one template, or a list of them. */
static void step_compile_url(struct step *s, const struct node *step, struct problems *problems)
{
	const struct node *n = node_get(step, "url");

	if (!n)
		problems_error(problems, step, "expected `url`, as in \"{base_url}/api/customers/{/customer/id}\"");
	else if (n->type != NODE_LIST)
		step_add_url(s, n, problems);
	else if (n->n == 0 || n->n > STEP_URLS_MAX)
		problems_error(
			problems, n,
			"expected a list of 1 to %d URLs, of which the first with a value for all of its parts counts",
			STEP_URLS_MAX);
	else
		for (size_t i = 0; i < n->n; i++)
			step_add_url(s, n->items[i], problems);
}

/* `authenticate`: `basic`, or {method: basic, suffix: /token}, {method: header, name: X-Api-Key, scheme: Token}. */
static void step_compile_authenticate(struct step *s, const struct node *step, struct problems *problems)
{
	static const char *const known[] = {"method", "name", "scheme", "suffix", NULL};
	const struct node *n = node_get(step, "authenticate");
	const struct node *name = node_get(n, "name");
	const struct node *suffix = node_get(n, "suffix");
	const struct node *method = n && n->type == NODE_MAP ? node_get(n, "method") : n;
	const char *scheme = node_text(n, "scheme");
	size_t i = 0;

	if (!n || !method) {
		problems_error(problems, n ? n : step,
			       "expected `authenticate`: basic, bearer, or {method: header, name: …}");
		return;
	}
	if (n->type == NODE_MAP)
		keys_check(n, known, problems);
	while (method->type == NODE_SCALAR && step_methods[i] && strcmp(step_methods[i], method->text) != 0)
		i++;
	if (method->type != NODE_SCALAR)
		problems_error(problems, method, "expected basic, bearer or header, not %s", node_kind(method));
	else if (step_methods[i])
		s->method = (enum step_method)i;
	else
		keys_error(method, "method", method->text, step_methods, problems);
	if (s->method == STEP_HEADER && !name)
		problems_error(problems, n, "method header needs the header's name: {method: header, name: …}");
	else if (s->method == STEP_HEADER && (name->type != NODE_SCALAR || !reference_header_is_good(name->text)))
		problems_error(problems, name, "expected the name of a header");
	else if (s->method == STEP_HEADER)
		s->header = mem_str(name->text);
	else if (name)
		problems_error(problems, name, "only method header has a name");
	if (s->method == STEP_BASIC && node_get(n, "scheme"))
		problems_error(problems, node_get(n, "scheme"), "method basic has no scheme");
	if (suffix && s->method != STEP_BASIC)
		problems_error(problems, suffix, "only method basic has a suffix, which its user ends with");
	else if (suffix && (suffix->type != NODE_SCALAR || suffix->text[0] == '\0' || strpbrk(suffix->text, ":\r\n")))
		problems_error(problems, suffix, "expected what the user ends with, as in /token");
	else if (suffix)
		s->suffix = mem_str(suffix->text);
	s->scheme = mem_str(scheme ? scheme : s->method == STEP_BEARER ? "Bearer" : "");
}

static void step_compile_headers(struct step *s, const struct node *n, struct problems *problems)
{
	if (!n)
		return;
	if (n->type != NODE_MAP || n->n > STEP_HEADERS_MAX) {
		problems_error(problems, n, "expected a mapping of at most %d headers", STEP_HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct template *value = template_compile(n->items[i], problems);

		if (!reference_header_is_good(n->items[i]->key))
			problems_error(problems, n->items[i], "expected the name of a header");
		s->headers[s->headers_n++] = (struct step_header){.name = mem_str(n->items[i]->key), .value = value};
	}
}

static void step_compile_take(struct step *s, const struct node *n, struct problems *problems)
{
	if (!n)
		return;
	if (n->type != NODE_MAP || n->n > STEP_TAKE_MAX) {
		problems_error(problems, n, "expected a mapping of at most %d names to JSON Pointers", STEP_TAKE_MAX);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		const struct node *one = n->items[i];
		struct step_take *take = &s->take[s->take_n++];

		if (one->key[0] == '\0' || strpbrk(one->key, "{}/: "))
			problems_error(problems, one, "expected a name of letters, digits, _ and -");
		take->name = mem_str(one->key);
		refs_compile(&take->from, one, problems);
	}
}

struct missing_check {
	const struct node *at;
	struct problems *problems;
};

static void missing_check_one(void *ctx, const struct reference *r)
{
	const struct missing_check *c = ctx;
	const char *name = reference_name(r);

	if (name ? text_is(name, STEP_STATUS) : reference_text(r)[0] == '/')
		return;
	problems_error(c->problems, c->at,
		       "\"%.64s\": `missing` looks at the answer: by JSON Pointers (\"/…\"), and by `" STEP_STATUS "`",
		       reference_text(r));
}

static void step_compile_answer(struct step *s, const struct node *n, struct problems *problems)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct err e;

	if (n->type != NODE_SCALAR)
		problems_error(problems, n,
			       "expected the text of an answer, in JSON, or {shape_from: …, body: …}, not %s",
			       node_kind(n));
	else if (json_read(n->text, strlen(n->text), &answer, &e) < 0)
		problems_error(problems, n, "this sample is not JSON: %s", e.text);
	else if (!json_object_is_type(answer, json_type_object) && !json_object_is_type(answer, json_type_array))
		problems_error(problems, n, "an answer is an object or a list, not a bare value");
	else
		s->sample = mem_str(n->text);
}

/* `sample`: the text of an answer, or {shape_from, body}. */
static void step_compile_sample(struct step *s, const struct node *n, struct problems *problems)
{
	static const char *const known[] = {"shape_from", "body", NULL};

	if (!node_get(n, "shape_from")) {
		if (n)
			step_compile_answer(s, n, problems);
		return;
	}
	keys_check(n, known, problems);
	s->sample_shape = sample_shape_compile(node_get(n, "shape_from"), problems);
	if (node_get(n, "body"))
		step_compile_answer(s, node_get(n, "body"), problems);
	else
		problems_error(problems, n, "expected {shape_from: …, body: …}: the body is the text of an answer");
}

static void step_compile(struct step *s, const struct node *n, struct problems *problems)
{
	struct missing_check missing = {.at = node_get(n, "missing"), .problems = problems};
	const struct node *when;
	const struct node *cache;
	long long ms;

	if (n->type != NODE_MAP) {
		problems_error(problems, n, "expected a mapping with `url` and `authenticate`, not %s", node_kind(n));
		return;
	}
	keys_check(n, step_keys, problems);
	step_compile_url(s, n, problems);
	step_compile_authenticate(s, n, problems);
	step_compile_headers(s, node_get(n, "headers"), problems);
	when = node_get(n, "when");
	s->when = when ? matcher_compile(when, REFERENCE_NAMES, problems) : NULL;
	email_refs_compile(&s->emails, node_get(n, "emails"), node_get(n, "primary"), true, problems);
	refs_compile(&s->moved, node_get(n, "moved"), problems);
	s->missing = missing.at ? matcher_compile(missing.at, REFERENCE_NAMES, problems) : NULL;
	if (s->missing)
		matcher_references(s->missing, missing_check_one, &missing);
	step_compile_take(s, node_get(n, "take"), problems);
	s->optional = keys_bool(node_get(n, "optional"), false, problems);
	cache = node_get(n, "cache");
	s->cache_ms = -1;
	if (cache && (cache->type != NODE_SCALAR || text_duration(cache->text, &ms) < 0))
		problems_error(problems, cache, "expected a duration with its unit, as in 10m");
	else if (cache)
		s->cache_ms = ms;
	step_compile_sample(s, node_get(n, "sample"), problems);
	if (!node_get(n, "emails") && !node_get(n, "take"))
		problems_error(problems, n, "a step that learns nothing: expected `emails` or `take`");
}

size_t steps_compile(const struct node *list, struct step *steps, struct problems *problems)
{
	if (list->type != NODE_LIST || list->n == 0 || list->n > STEPS_MAX) {
		problems_error(problems, list, "expected a list of 1 to %d steps, each with `url`", STEPS_MAX);
		return 0;
	}
	for (size_t i = 0; i < list->n; i++)
		step_compile(&steps[i], list->items[i], problems);
	for (size_t i = 1; i < list->n; i++)
		if (steps[i].method != steps[0].method)
			problems_error(problems, list->items[i],
				       "all steps must authenticate alike: the first does by %s",
				       step_method_name(steps[0].method));
	return list->n;
}

void step_done(struct step *s)
{
	for (size_t i = 0; i < s->urls_n; i++)
		template_free(s->urls[i]);
	free(s->header);
	free(s->scheme);
	free(s->suffix);
	matcher_free(s->when);
	matcher_free(s->missing);
	free(s->sample);
	for (size_t i = 0; i < s->headers_n; i++) {
		free(s->headers[i].name);
		template_free(s->headers[i].value);
	}
	email_refs_done(&s->emails);
	refs_done(&s->moved);
	for (size_t i = 0; i < s->take_n; i++) {
		free(s->take[i].name);
		refs_done(&s->take[i].from);
	}
}

int step_url(const struct step *s, const struct eval_context *context, char **ret)
{
	for (size_t i = 0; i < s->urls_n; i++)
		if (template_render(s->urls[i], context, TEMPLATE_URL, ret, NULL) == 0)
			return 0;
	return -ENOENT;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

bool step_takes(const struct step *s, const char *name)
{
	for (size_t i = 0; i < s->take_n; i++)
		if (text_same(s->take[i].name, name))
			return true;
	return false;
}

void step_references(const struct step *s, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	if (s->when)
		matcher_references(s->when, fn, ctx);
	for (size_t i = 0; i < s->urls_n; i++)
		template_references(s->urls[i], fn, ctx);
	for (size_t i = 0; i < s->headers_n; i++)
		template_references(s->headers[i].value, fn, ctx);
}

/* ---- reading an answer ------------------------------------------------------------------------------------------- */

void step_read_answer(const struct step *s, struct json_object *answer, struct customer *found)
{
	const struct eval_context context = {.item = answer, .root = answer};

	(void)email_refs_read(&s->emails, &context, &found->addresses);
	for (size_t i = 0; i < s->take_n; i++) {
		CLEANUP(mem_freep) char *value = NULL;

		if (pairs_get(&found->taken, s->take[i].name))
			continue;
		value = refs_scalar(&s->take[i].from, &context);
		if (!value)
			continue;
		value[property_value_cut(value, strlen(value), PROPERTY_TEXT_MAX)] = '\0';
		pairs_add(&found->taken, s->take[i].name, value);
	}
}

bool step_is_missing(const struct step *s, unsigned status, struct json_object *answer)
{
	struct pairs names = {0};
	struct eval_context context = {.item = answer, .root = answer, .names = &names};
	char text[16];
	bool missing;

	if (!s->missing)
		return false;
	(void)snprintf(text, sizeof(text), "%u", status);
	pairs_add(&names, STEP_STATUS, text);
	missing = matcher_holds(s->missing, &context);
	pairs_done(&names);
	return missing;
}

char *step_moved(const struct step *s, struct json_object *answer)
{
	const struct eval_context context = {.item = answer, .root = answer};

	return refs_scalar(&s->moved, &context);
}

/* ---- check of the sample ----------------------------------------------------------------------------------------- */

/* The sample to check, and the kind of problem for a missing value. */
struct sample_check {
	struct eval_context context;
	enum problem_kind kind;
	struct problems *problems;
};

/* A mark that is never true would leave `emails: primary` of a source without effect. */
static void check_primary(const struct sample_check *c, const struct email_refs *p, const struct node *n)
{
	CLEANUP(mem_freep) char *text = reference_scalar(p->primary, &c->context);
	struct addresses found = {0};
	bool any = false;

	(void)email_refs_read(p, &c->context, &found);
	for (size_t i = 0; i < found.n; i++)
		any = any || found.items[i].primary;
	addresses_done(&found);
	if (!text)
		problems_add(c->problems, c->kind, n, "the step's sample holds nothing at %s",
			     reference_text(p->primary));
	else if (!any)
		problems_add(c->problems, c->kind, n,
			     "the step's sample holds nothing true at %s: expected true or 1 at the main address",
			     reference_text(p->primary));
}

void step_check_sample(const struct step *s, const struct node *n, bool overlaid, struct problems *problems)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct sample_check c = {.kind = overlaid ? PROBLEM_WARNING : PROBLEM_ERROR, .problems = problems};

	if (!s->sample || json_read(s->sample, strlen(s->sample), &answer, NULL) < 0)
		return;
	c.context = (struct eval_context){.item = answer, .root = answer};
	/* A `missing` that holds for an existing customer would find none. */
	if (step_is_missing(s, 200, answer))
		problems_add(problems, c.kind, node_get(n, "missing"),
			     "this holds for the step's sample too, which shows a customer who is there");
	for (size_t i = 0; i < s->emails.n; i++) {
		const struct email_refs one = {.emails = {s->emails.emails[i]}, .n = 1};
		const struct node *at = node_get(n, "emails");
		struct addresses found = {0};

		if (!email_refs_read(&one, &c.context, &found))
			problems_add(problems, c.kind, at->type == NODE_LIST ? at->items[i] : at,
				     "the step's sample holds no address at %s", reference_text(one.emails[0]));
		addresses_done(&found);
	}
	if (s->emails.primary)
		check_primary(&c, &s->emails, node_get(n, "primary"));
	for (size_t i = 0; i < s->take_n; i++) {
		const struct step_refs *from = &s->take[i].from;
		const struct node *at = node_get(node_get(n, "take"), s->take[i].name);

		for (size_t k = 0; k < from->n; k++) {
			CLEANUP(mem_freep) char *text = reference_scalar(from->items[k], &c.context);

			if (!text)
				problems_add(problems, c.kind, at->type == NODE_LIST ? at->items[k] : at,
					     "the step's sample holds nothing at %s", reference_text(from->items[k]));
		}
	}
}

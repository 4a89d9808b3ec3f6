#include <config.h>

#include "helpdesk/step.h"

#include <string.h>

#include "base/text.h"
#include "helpdesk/keys.h"

static const char *const step_keys[] = {"url",   "authenticate", "headers",  "emails", "primary",
					"moved", "take",         "optional", "cache",  NULL};
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

/* A pointer into the answer, or NULL. */
static struct reference *step_reference(const struct node *n, struct problems *problems)
{
	struct reference *r;
	struct err e;

	if (!n)
		return NULL;
	if (n->type != NODE_SCALAR || n->text[0] != '/') {
		problems_error(problems, n, "expected a JSON Pointer into the answer (\"/…\"), not %s",
			       n->type == NODE_SCALAR ? n->text : node_kind(n));
		return NULL;
	}
	if (reference_compile(n->text, REFERENCE_NO_NAMES, &r, &e) == 0)
		return r;
	problems_error(problems, n, "%s", e.text);
	return NULL;
}

static void step_compile_url(struct step *s, const struct node *step, struct problems *problems)
{
	const struct node *n = node_get(step, "url");

	if (!n) {
		problems_error(problems, step, "expected `url`, as in \"{base_url}/api/customers/{/customer/id}\"");
		return;
	}
	s->url = template_compile(n, problems);
	if (s->url && n->text[0] != '{' && strncmp(n->text, "https://", 8) != 0 && strncmp(n->text, "http://", 7) != 0)
		problems_error(problems, n, "expected a URL that begins with {base_url}, a parameter, or https://");
}

static void step_compile_method(struct step *s, const struct node *n, struct problems *problems)
{
	size_t i = 0;

	if (n->type != NODE_SCALAR) {
		problems_error(problems, n, "expected basic, bearer or header, not %s", node_kind(n));
		return;
	}
	while (step_methods[i] && strcmp(step_methods[i], n->text) != 0)
		i++;
	if (step_methods[i])
		s->method = (enum step_method)i;
	else
		keys_error(n, "method", n->text, step_methods, problems);
}

static void step_compile_header_name(struct step *s, const struct node *n, struct problems *problems)
{
	CLEANUP(mem_freep) char *text = mem_fmt("header:%s", n->type == NODE_SCALAR ? n->text : "");
	struct reference *r = NULL;
	struct err e;

	if (reference_compile(text, REFERENCE_NO_NAMES, &r, &e) < 0)
		problems_error(problems, n, "expected the name of a header");
	else
		s->header = mem_str(reference_header(r));
	reference_free(r);
}

/* `basic`, or {method: header, name: X-Api-Key, scheme: Token}. */
static void step_compile_authenticate(struct step *s, const struct node *step, struct problems *problems)
{
	static const char *const known[] = {"method", "name", "scheme", NULL};
	const struct node *n = node_get(step, "authenticate"), *name = node_get(n, "name");
	const struct node *method = n && n->type == NODE_MAP ? node_get(n, "method") : n;
	const char *scheme = node_text(n, "scheme");

	if (!n || !method) {
		problems_error(problems, n ? n : step,
			       "expected `authenticate`: basic, bearer, or {method: header, name: …}");
		return;
	}
	if (n->type == NODE_MAP)
		keys_check(n, known, problems);
	step_compile_method(s, method, problems);
	if (s->method == STEP_HEADER && !name)
		problems_error(problems, n, "method header needs the header's name: {method: header, name: …}");
	else if (s->method == STEP_HEADER)
		step_compile_header_name(s, name, problems);
	else if (name)
		problems_error(problems, name, "only method header has a name");
	if (s->method == STEP_BASIC && node_get(n, "scheme"))
		problems_error(problems, node_get(n, "scheme"), "method basic has no scheme");
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
		CLEANUP(mem_freep) char *text = mem_fmt("header:%s", n->items[i]->key);
		struct template *value = template_compile(n->items[i], problems);
		struct reference *r = NULL;
		struct err e;

		if (reference_compile(text, REFERENCE_NO_NAMES, &r, &e) < 0)
			problems_error(problems, n->items[i], "expected the name of a header");
		reference_free(r);
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

		if (one->key[0] == '\0' || strpbrk(one->key, "{}/: "))
			problems_error(problems, one, "expected a name of letters, digits, _ and -");
		s->take[s->take_n++] =
			(struct step_take){.name = mem_str(one->key), .from = step_reference(one, problems)};
	}
}

static void step_compile_cache(struct step *s, const struct node *n, struct problems *problems)
{
	long long ms;

	s->cache_ms = -1;
	if (!n)
		return;
	if (n->type != NODE_SCALAR || text_duration(n->text, &ms) < 0)
		problems_error(problems, n, "expected a duration with its unit, as in 10m");
	else
		s->cache_ms = ms;
}

static void step_compile(struct step *s, const struct node *n, struct problems *problems)
{
	if (n->type != NODE_MAP) {
		problems_error(problems, n, "expected a mapping with `url` and `authenticate`, not %s", node_kind(n));
		return;
	}
	keys_check(n, step_keys, problems);
	step_compile_url(s, n, problems);
	step_compile_authenticate(s, n, problems);
	step_compile_headers(s, node_get(n, "headers"), problems);
	s->emails = step_reference(node_get(n, "emails"), problems);
	s->primary = step_reference(node_get(n, "primary"), problems);
	s->moved = step_reference(node_get(n, "moved"), problems);
	step_compile_take(s, node_get(n, "take"), problems);
	s->optional = keys_bool(node_get(n, "optional"), false, problems);
	step_compile_cache(s, node_get(n, "cache"), problems);
	if (!node_get(n, "emails") && !node_get(n, "take"))
		problems_error(problems, n, "a step that learns nothing: expected `emails` or `take`");
	if (s->primary && (!s->emails || reference_stars(s->primary) != reference_stars(s->emails)))
		problems_error(problems, node_get(n, "primary"), "expected a pointer beside `emails`, with as many *");
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
	template_free(s->url);
	free(s->header);
	free(s->scheme);
	for (size_t i = 0; i < s->headers_n; i++) {
		free(s->headers[i].name);
		template_free(s->headers[i].value);
	}
	reference_free(s->emails);
	reference_free(s->primary);
	reference_free(s->moved);
	for (size_t i = 0; i < s->take_n; i++) {
		free(s->take[i].name);
		reference_free(s->take[i].from);
	}
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/definition/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/percent.h"
#include "helpdesk/expr/property_value.h"
#include "helpdesk/expr/keys.h"

/* ---- shape_from -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word, *text;
} shapes[] = {
	[SHAPE_UNSAID] = {NULL, "not said"},
	[SHAPE_CAPTURE] = {"capture", "a capture"},
	[SHAPE_VENDOR_CODE] = {"vendor-code", "vendor's code"},
	[SHAPE_VENDOR_DOCUMENTS] = {"vendor-documents", "vendor's documents"},
	[SHAPE_THIRD_PARTY] = {"third-party", "third party"},
	[SHAPE_NOBODY] = {"nobody", "nobody"},
};

enum sample_shape sample_shape_compile(const struct node *n, struct problems *problems)
{
	size_t i = SHAPE_CAPTURE;

	if (!n)
		return SHAPE_UNSAID;
	while (i <= SHAPE_NOBODY && (n->type != NODE_SCALAR || strcmp(shapes[i].word, n->text) != 0))
		i++;
	if (i <= SHAPE_NOBODY)
		return (enum sample_shape)i;
	problems_error(
		problems, n,
		"expected the source of this shape: capture, vendor-code, vendor-documents, third-party or nobody, "
		"not %.64s",
		n->type == NODE_SCALAR ? n->text : node_kind(n));
	return SHAPE_UNSAID;
}

const char *sample_shape_text(enum sample_shape shape)
{
	return shapes[shape].text;
}

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static struct json_object *json_of_node(const struct node *n)
{
	struct json_object *o = NULL;

	switch (n->type) {
	case NODE_NULL:
		return NULL;
	case NODE_SCALAR:
		o = property_value_literal(n);
		return o ? o : json_object_new_string(n->text);
	case NODE_LIST:
		o = json_object_new_array();
		for (size_t i = 0; i < n->n; i++)
			json_object_array_add(o, json_of_node(n->items[i]));
		break;
	case NODE_MAP:
		o = json_object_new_object();
		for (size_t i = 0; i < n->n; i++)
			json_object_object_add(o, n->items[i]->key, json_of_node(n->items[i]));
		break;
	}
	return o;
}

/* Converts a mapping to a form: flat, texts and lists of texts. Scalars stay text as they are written. */
static struct json_object *form_of_node(const struct node *n, struct problems *problems)
{
	struct json_object *o = json_object_new_object();

	if (n->type != NODE_MAP)
		problems_error(problems, n, "expected a form's fields (a mapping), not %s", node_kind(n));
	for (size_t i = 0; n->type == NODE_MAP && i < n->n; i++) {
		const struct node *field = n->items[i];
		struct json_object *list = json_object_new_array();

		if (field->type == NODE_MAP)
			problems_error(problems, field, "a form's field holds text, not a mapping");
		else if (field->type != NODE_LIST)
			json_object_array_add(list, json_object_new_string(field->text ? field->text : ""));
		for (size_t k = 0; field->type == NODE_LIST && k < field->n; k++)
			if (field->items[k]->type == NODE_SCALAR)
				json_object_array_add(list, json_object_new_string(field->items[k]->text));
			else
				problems_error(problems, field->items[k], "a form's field holds text, not %s",
					       node_kind(field->items[k]));
		json_object_object_add(o, field->key, list);
	}
	return o;
}

static void sample_compile_body(struct sample *s, const struct node *n, enum body_form form, struct problems *problems)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	size_t errors = problems->errors;
	struct err e;

	if (n->type == NODE_NULL) {
		problems_error(problems, n, "expected a webhook's body, not nothing");
	} else if (n->type != NODE_SCALAR) {
		o = form == BODY_FORM ? form_of_node(n, problems) : json_of_node(n);
		if (problems->errors == errors)
			s->body = form == BODY_FORM ? body_write(form, "", o) : json_pretty(o);
	} else {
		CLEANUP(mem_freep) char *text = mem_str(n->text);
		const char *trimmed = text_trim(text);

		if (body_read(form, trimmed, strlen(trimmed), &o, NULL, &e) < 0)
			problems_error(problems, n, "this sample does not read: %s", e.text);
		else
			s->body = mem_str(trimmed);
	}
}

static const char *const sample_keys[] = {
	"body", "headers", "query", "says", "shape_from", NULL,
};

void sample_compile(struct sample *s, const struct node *n, enum body_form form, struct problems *problems)
{
	const struct node *body = node_get(n, "body");
	const struct node *headers = node_get(n, "headers");
	const struct node *query = node_get(n, "query");
	const struct node *shape = node_get(n, "shape_from");

	if (!shape && !(body && (headers || query || node_get(n, "says")))) {
		/* A mapping is a body written as YAML unless it is clearly more: a webhook may have a member "body". */
		sample_compile_body(s, n, form, problems);
	} else if (!body) {
		problems_error(problems, n, "expected `body`, the webhook's, beside `shape_from`");
	} else {
		keys_check(n, sample_keys, problems);
		sample_compile_body(s, body, form, problems);
		if (headers && headers->type != NODE_MAP)
			problems_error(problems, headers, "expected a mapping from names to values, not %s",
				       node_kind(headers));
		for (size_t i = 0; headers && headers->type == NODE_MAP && i < headers->n; i++) {
			const struct node *one = headers->items[i];

			if (one->type == NODE_SCALAR)
				pairs_add(&s->headers, one->key, one->text);
			else
				problems_error(problems, one, "expected text, not %s", node_kind(one));
		}
		if (query && (query->type != NODE_SCALAR || query->text[0] == '?'))
			problems_error(problems, query, "expected the query as text, as in transition=closed");
		else if (query)
			s->query = mem_str(query->text);
		s->shape = sample_shape_compile(shape, problems);
	}
	if (!s->query)
		s->query = mem_str("");
}

void sample_copy(struct sample *to, const struct sample *from)
{
	*to = (struct sample){.body = mem_str(from->body), .query = mem_str(from->query), .shape = from->shape};
	for (size_t i = 0; i < from->headers.n; i++)
		pairs_add(&to->headers, from->headers.items[i].name, from->headers.items[i].value);
}

void sample_done(struct sample *s)
{
	free(s->body);
	pairs_done(&s->headers);
	free(s->query);
	*s = (struct sample){0};
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

void sample_set_header(struct pairs *headers, const char *name, const char *value)
{
	for (size_t i = 0; i < headers->n; i++) {
		if (!text_same(headers->items[i].name, name))
			continue;
		free(headers->items[i].value);
		headers->items[i].value = mem_str(value);
		return;
	}
	pairs_add(headers, name, value);
}

void sample_set_query(struct sample *s, const char *name, const char *value)
{
	CLEANUP(pairs_done) struct pairs parameters = {0};
	bool there = false;
	struct buf b;

	percent_read_query(s->query, &parameters);
	buf_init(&b, 64 * 1024);
	for (size_t i = 0; i < parameters.n; i++) {
		bool is_it = text_same(parameters.items[i].name, name);

		buf_adds(&b, b.len > 0 ? "&" : "");
		percent_add_pair(&b, parameters.items[i].name, is_it ? value : parameters.items[i].value);
		there = there || is_it;
	}
	if (!there) {
		buf_adds(&b, b.len > 0 ? "&" : "");
		percent_add_pair(&b, name, value);
	}
	if (b.error == 0) {
		free(s->query);
		s->query = buf_take(&b);
	}
	buf_done(&b);
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* Adds the fraction of a second: none, milliseconds, or milliseconds with zeros up to `digits` digits. */
static void add_fraction(struct buf *to, char point, size_t digits, int64_t now_ms)
{
	if (digits == 0)
		return;
	buf_addf(to, "%c%03d", point, (int)(now_ms % 1000));
	for (size_t i = 3; i < digits; i++)
		buf_addc(to, '0');
}

/* Returns the minutes of the offset behind the seconds: "+05:30", " -0800", "+01"; 0 for "Z", " UTC" and nothing. */
static int offset_minutes(const char *offset)
{
	int n[4] = {0};
	int digits = 0;
	const char *sign = strpbrk(offset, "+-");

	for (const char *c = sign ? sign + 1 : ""; *c != '\0' && digits < 4; c++)
		if (*c >= '0' && *c <= '9')
			n[digits++] = *c - '0';
	return (sign && *sign == '-' ? -1 : 1) * ((n[0] * 10 + n[1]) * 60 + n[2] * 10 + n[3]);
}

/* like: "2026-11-21" + "T" + "16:00" [+ ":00" [+ ".123"]] + offset, which clock_parse accepts. */
static char *time_iso(const char *like, int64_t now_ms)
{
	const char *at = like + 16; /* behind the minutes */
	char point = '.';
	size_t digits = 0;
	char iso[CLOCK_ISO_MAX];
	struct buf b;

	if (*at == ':')
		at += 3;
	if (*at == '.' || *at == ',') {
		point = *at++;
		digits = strspn(at, "0123456789");
		at += digits;
	}
	clock_iso(now_ms + offset_minutes(at) * CLOCK_MINUTE_MS, iso);
	buf_init(&b, 256);
	buf_addf(&b, "%.10s%c%.8s", iso, like[10], iso + 11);
	add_fraction(&b, point, digits, now_ms);
	buf_adds(&b, at);
	return buf_take(&b);
}

char *sample_time(const char *like, int64_t now_ms)
{
	CLEANUP(mem_freep) char *text = mem_str(like);
	const char *trimmed = text_trim(text);
	size_t len = strlen(trimmed);
	size_t whole = strspn(trimmed, "0123456789");
	struct buf b;
	int64_t ms;

	if (clock_parse(trimmed, len, &ms) < 0)
		return NULL;
	if (len > 10 && trimmed[4] == '-')
		return time_iso(trimmed, now_ms);
	if (whole >= 12) /* as clock_parse: 1e11 and more are milliseconds */
		return mem_fmt("%lld", (long long)now_ms);
	buf_init(&b, 256);
	buf_addf(&b, "%lld", (long long)(now_ms / 1000));
	add_fraction(&b, '.', trimmed[whole] == '.' ? len - whole - 1 : 0, now_ms);
	return buf_take(&b);
}

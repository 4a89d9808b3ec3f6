/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/reference.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

#define REFERENCE_TEXT_MAX 512
#define REFERENCE_STARS_MAX 4

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/* RFC 6901: ~1 is "/", ~0 is "~". */
static int token_unescape(const char *from, size_t len, char *to)
{
	for (size_t i = 0; i < len; i++) {
		if (from[i] != '~') {
			*to++ = from[i];
			continue;
		}
		if (++i == len || (from[i] != '0' && from[i] != '1'))
			return -EINVAL;
		*to++ = from[i] == '0' ? '~' : '/';
	}
	*to = '\0';
	return 0;
}

static int pointer_compile(struct reference *r, const char *pointer, struct err *reterr)
{
	CLEANUP(json_putp) struct json_object *any = json_object_new_object(); /* only its hash function is used */

	while (*pointer == '/') {
		size_t len = strcspn(++pointer, "/");
		struct token *t = &r->tokens[r->n];
		uint64_t index = 0;

		if (r->n == REFERENCE_TOKENS_MAX)
			return err_set(reterr, -EINVAL, "\"%s\" has more than %d levels", r->text,
				       REFERENCE_TOKENS_MAX);
		r->n++;
		t->key = mem_strn(pointer, len);
		if (token_unescape(pointer, len, t->key) < 0)
			return err_set(reterr, -EINVAL, "\"%s\": after ~ only 0 (for ~) or 1 (for /) may follow",
				       r->text);
		t->star = len == 1 && *pointer == '*';
		t->is_index = !(t->key[0] == '0' && t->key[1] != '\0') &&
			      text_digits(t->key, strlen(t->key), 999999999, &index) == 0;
		t->index = (size_t)index;
		t->hash = lh_get_hash(json_object_get_object(any), t->key);
		r->stars += t->star;
		if (r->stars > REFERENCE_STARS_MAX)
			return err_set(reterr, -EINVAL, "\"%s\" has more than %d *", r->text, REFERENCE_STARS_MAX);
		pointer += len;
	}
	return 0;
}

bool reference_header_is_good(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || (unsigned char)*name >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", *name))
			return false;
	return true;
}

static int reference_parse(struct reference *r, enum reference_names names, struct err *reterr)
{
	const char *text = r->text;

	if (text[0] == '/') {
		r->kind = REFERENCE_POINTER;
		return pointer_compile(r, text, reterr);
	}
	if (strncmp(text, "root:/", 6) == 0) {
		r->kind = REFERENCE_ROOT;
		return pointer_compile(r, text + 5, reterr);
	}
	if (strncmp(text, "header:", 7) == 0) {
		r->kind = REFERENCE_HEADER;
		r->name = text + 7;
		if (!reference_header_is_good(r->name))
			return err_set(reterr, -EINVAL, "\"%s\": expected the name of a header after \"header:\"",
				       text);
		return 0;
	}
	if (strncmp(text, "query:", 6) == 0) {
		r->kind = REFERENCE_QUERY;
		r->name = text + 6;
		if (*r->name == '\0')
			return err_set(reterr, -EINVAL, "\"%s\": expected the name of a parameter after \"query:\"",
				       text);
		return 0;
	}
	if (names == REFERENCE_NO_NAMES)
		return err_set(
			reterr, -EINVAL,
			"\"%s\" is no reference: expected a JSON Pointer (\"/…\"), \"root:/…\", \"header:NAME\" or "
			"\"query:NAME\"",
			text);
	r->kind = REFERENCE_NAME;
	r->name = text;
	return 0;
}

int reference_compile(const char *text, enum reference_names names, struct reference **ret, struct err *reterr)
{
	struct reference *r;
	int code;

	if (*text == '\0')
		return err_set(reterr, -EINVAL,
			       "an empty reference: expected \"/…\", \"header:NAME\" or \"query:NAME\"");
	if (strlen(text) > REFERENCE_TEXT_MAX)
		return err_set(reterr, -EINVAL, "a reference longer than %d bytes", REFERENCE_TEXT_MAX);
	r = mem_new(1, sizeof(*r));
	r->text = mem_str(text);
	code = reference_parse(r, names, reterr);
	if (code < 0) {
		reference_free(r);
		return code;
	}
	*ret = r;
	return 0;
}

int reference_compile_array(const char *text, struct reference **ret, struct err *reterr)
{
	struct reference *r;
	int code;

	if (*text != '\0' && *text != '/')
		return err_set(reterr, -EINVAL,
			       "expected a JSON Pointer to the list of items (\"/…\", or \"\" for the whole body)");
	if (*text != '\0') {
		code = reference_compile(text, REFERENCE_NO_NAMES, &r, reterr);
		if (code < 0)
			return code;
	} else {
		r = mem_new(1, sizeof(*r));
		r->text = mem_str("");
	}
	if (r->stars > 0) {
		code = err_set(reterr, -EINVAL, "\"%s\": a list of items stands at one place, without *", r->text);
		reference_free(r);
		return code;
	}
	*ret = r;
	return 0;
}

void reference_free(struct reference *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->tokens[i].key);
	free(r->text);
	free(r);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Adds a value. Takes ownership of one reference to o. Most references find one value, which needs no list. */
static void values_add(struct values *v, struct json_object *o)
{
	if (v->n < 2)
		v->items = v->n == 0 ? &v->only : NULL;
	if (v->n > 0)
		MEM_ROOM(v->items, v->n);
	if (v->n == 1)
		v->items[0] = v->only;
	v->items[v->n++] = o;
}

void values_done(struct values *v)
{
	for (size_t i = 0; i < v->n; i++)
		json_object_put(v->items[i]);
	if (v->n > 1)
		free(v->items);
	*v = (struct values){0};
}

/* One walk down a tree. It meets each node at most once. */
struct walk {
	const struct reference *r;
	struct values *found;
	const struct reference *sibling; /* NULL: none */
	struct values *found_siblings;
	struct json_object *top;
	size_t chosen[REFERENCE_STARS_MAX]; /* the element chosen at each star until now */
};

/* Gets the child of a token that is no star; false where there is none. */
static bool token_child(const struct token *t, struct json_object *o, struct json_object **ret)
{
	const struct lh_entry *entry;

	switch (json_object_get_type(o)) {
	case json_type_object:
		entry = lh_table_lookup_entry_w_hash(json_object_get_object(o), t->key, t->hash);
		if (entry)
			*ret = lh_entry_v(entry);
		return entry != NULL;
	case json_type_array:
		if (!t->is_index || t->index >= json_object_array_length(o))
			return false;
		*ret = json_object_array_get_idx(o, t->index);
		return true;
	default:
		return false;
	}
}

/* Goes down to the next star or to the end; false where a node on the way is missing. */
static bool tokens_child(const struct reference *r, size_t *at, struct json_object **o)
{
	for (; *at < r->n && !r->tokens[*at].star; ++*at)
		if (!token_child(&r->tokens[*at], *o, o))
			return false;
	return true;
}

/* Gets the n-th child of an array or object, in order; false where there are fewer. */
static bool nth_child(struct json_object *o, size_t n, struct json_object **ret)
{
	if (json_object_is_type(o, json_type_array)) {
		if (n >= json_object_array_length(o))
			return false;
		*ret = json_object_array_get_idx(o, n);
		return true;
	}
	if (!json_object_is_type(o, json_type_object))
		return false;
	json_object_object_foreach(o, key, value)
	{
		(void)key;
		if (n-- == 0) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static struct json_object *walk_sibling(const struct walk *w)
{
	struct json_object *o = w->top;
	unsigned star = 0;

	for (size_t i = 0; i < w->sibling->n; i++) {
		const struct token *t = &w->sibling->tokens[i];

		if (t->star ? !nth_child(o, w->chosen[star++], &o) : !token_child(t, o, &o))
			return NULL;
	}
	return o;
}

static void walk_down(struct walk *w, size_t at, unsigned star, struct json_object *o)
{
	size_t n = 0;

	if (w->found->n == VALUES_MAX || !tokens_child(w->r, &at, &o))
		return;
	if (at == w->r->n) {
		values_add(w->found, json_object_get(o));
		if (w->sibling)
			values_add(w->found_siblings, json_object_get(walk_sibling(w)));
		return;
	}
	if (json_object_is_type(o, json_type_array)) {
		for (n = 0; n < json_object_array_length(o) && w->found->n < VALUES_MAX; n++) {
			w->chosen[star] = n;
			walk_down(w, at + 1, star + 1, json_object_array_get_idx(o, n));
		}
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			w->chosen[star] = n++;
			walk_down(w, at + 1, star + 1, value);
		}
	}
}

/* Adds every value of that name. A value that is not UTF-8 counts as absent: it cannot go into JSON. */
static void values_of_pairs(const struct pairs *pairs, const char *name, struct values *ret)
{
	for (size_t i = 0; pairs && i < pairs->n && ret->n < VALUES_MAX; i++) {
		const char *value = pairs->items[i].value;

		if (text_same(pairs->items[i].name, name) && value && text_is_utf8(value, strlen(value)))
			values_add(ret, json_object_new_string(value));
	}
}

void reference_values(const struct reference *r, const struct eval_context *s, struct values *ret)
{
	struct walk w = {.r = r, .found = ret};
	const struct property *property;

	*ret = (struct values){0};
	switch (r->kind) {
	case REFERENCE_POINTER:
		walk_down(&w, 0, 0, s->item);
		break;
	case REFERENCE_ROOT:
		walk_down(&w, 0, 0, s->root ? s->root : s->item);
		break;
	case REFERENCE_HEADER:
		values_of_pairs(s->headers, r->name, ret);
		break;
	case REFERENCE_QUERY:
		values_of_pairs(s->query, r->name, ret);
		break;
	case REFERENCE_NAME:
		values_of_pairs(s->names, r->name, ret);
		if (ret->n == 0)
			values_of_pairs(s->taken, r->name, ret);
		property = ret->n == 0 && s->properties ? properties_find(s->properties, r->name) : NULL;
		if (property)
			values_add(ret, property_json(property));
		break;
	}
}

bool reference_is_sibling(const struct reference *sibling, const struct reference *r)
{
	return sibling->kind == r->kind && (r->kind == REFERENCE_POINTER || r->kind == REFERENCE_ROOT) &&
	       sibling->stars == r->stars;
}

void reference_sibling_values(const struct reference *r, const struct reference *sibling, const struct eval_context *s,
			      struct values *ret, struct values *ret_siblings)
{
	struct walk w = {.r = r, .found = ret, .sibling = sibling, .found_siblings = ret_siblings};

	*ret = (struct values){0};
	*ret_siblings = (struct values){0};
	w.top = r->kind == REFERENCE_ROOT && s->root ? s->root : s->item;
	walk_down(&w, 0, 0, w.top);
}

const char *value_peek(struct json_object *o, char **own)
{
	const char *text;

	if (!json_object_is_type(o, json_type_string))
		return *own = json_scalar(o);
	text = json_object_get_string(o);
	return strlen(text) == (size_t)json_object_get_string_len(o) ? text : NULL;
}

/* Returns non-empty text, or NULL. A double stays as it was written (json-c keeps that), unless it has an exponent,
 * which no id and no time has. */
static const char *scalar_peek(struct json_object *o, char **own)
{
	const char *text; /* *own, where that is set */

	if (json_object_is_type(o, json_type_double)) {
		*own = json_text(o);
		if (!strpbrk(*own, "eE"))
			return *own;
		free(TAKE(*own));
	}
	text = value_peek(o, own);
	return text && *text != '\0' ? text : NULL;
}

static const char *property_peek(const struct property *p, char **own)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	switch (p->kind) {
	case PROPERTY_IS_TEXT:
		return *p->text != '\0' ? p->text : NULL;
	case PROPERTY_IS_JSON:
		return scalar_peek(p->json, own);
	case PROPERTY_IS_TIME:
	case PROPERTY_IS_INT:
	case PROPERTY_IS_BOOL:
		break;
	}
	o = property_json(p);
	return *own = json_scalar(o);
}

/* Returns the first non-empty value of values_of_pairs() for that name. *any: there are values. */
static const char *pairs_look(const struct pairs *pairs, const char *name, bool *any)
{
	for (size_t i = 0; pairs && i < pairs->n; i++) {
		const char *value = pairs->items[i].value;

		if (!text_same(pairs->items[i].name, name) || !value || !text_is_utf8(value, strlen(value)))
			continue;
		*any = true;
		if (*value != '\0')
			return value;
	}
	return NULL;
}

const char *reference_peek(const struct reference *r, const struct eval_context *s, char **own)
{
	struct json_object *o = s->item;
	const struct property *property;
	const char *text = NULL;
	bool any = false;
	size_t at = 0;
	struct values v;

	switch (r->kind) {
	case REFERENCE_HEADER:
		return pairs_look(s->headers, r->name, &any);
	case REFERENCE_QUERY:
		return pairs_look(s->query, r->name, &any);
	case REFERENCE_NAME:
		text = pairs_look(s->names, r->name, &any);
		if (!any)
			text = pairs_look(s->taken, r->name, &any);
		property = !any && s->properties ? properties_find(s->properties, r->name) : NULL;
		return property ? property_peek(property, own) : text;
	case REFERENCE_ROOT:
		o = s->root ? s->root : s->item;
		break;
	case REFERENCE_POINTER:
		break;
	}
	if (r->stars == 0)
		return tokens_child(r, &at, &o) ? scalar_peek(o, own) : NULL;
	/* The tree still owns the values after the list has released them. */
	reference_values(r, s, &v);
	for (size_t i = 0; i < v.n && !text; i++)
		text = scalar_peek(v.items[i], own);
	values_done(&v);
	return text;
}

char *reference_scalar(const struct reference *r, const struct eval_context *s)
{
	char *own = NULL;
	const char *text = reference_peek(r, s, &own);

	return own ? own : mem_str(text);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static struct json_object *put_value(struct json_object *there, const char *text)
{
	struct json_object *number = NULL;

	if ((json_object_is_type(there, json_type_int) || json_object_is_type(there, json_type_double)) &&
	    json_read(text, strlen(text), &number, NULL) == 0) {
		if (json_object_is_type(number, json_type_int) || json_object_is_type(number, json_type_double))
			return number;
		json_object_put(number);
	}
	return json_object_new_string(text);
}

static void put_child(struct json_object *o, const struct token *t, struct json_object *value)
{
	if (json_object_is_type(o, json_type_object))
		json_object_object_add(o, t->key, value);
	else
		json_object_array_put_idx(o, t->index, value);
}

static bool put_down(const struct reference *r, size_t at, struct json_object *o, const char *text);

/* Writes into one child that can exist: a member of an object, or an existing element. */
static bool put_into(const struct reference *r, size_t at, struct json_object *o, const struct token *t,
		     const char *text)
{
	struct json_object *child = NULL;

	(void)token_child(t, o, &child);
	if (at + 1 == r->n) {
		put_child(o, t, put_value(child, text));
		return true;
	}
	if (!child) {
		child = r->tokens[at + 1].star ? json_object_new_array() : json_object_new_object();
		put_child(o, t, child);
	}
	return put_down(r, at + 1, child, text);
}

static bool put_down(const struct reference *r, size_t at, struct json_object *o, const char *text)
{
	const struct token *t = &r->tokens[at];
	bool is_array = json_object_is_type(o, json_type_array);
	bool done = false;
	size_t n;

	if (!is_array && !json_object_is_type(o, json_type_object))
		return false;
	if (!t->star)
		return (!is_array || (t->is_index && t->index < json_object_array_length(o))) &&
		       put_into(r, at, o, t, text);
	if (!is_array)
		return false;
	n = json_object_array_length(o);
	for (size_t i = 0; i < (n > 0 ? n : 1); i++) {
		struct token element = {.is_index = true, .index = i};

		done = put_into(r, at, o, &element, text) || done;
	}
	return done;
}

bool reference_put(const struct reference *r, const struct eval_context *s, const char *text)
{
	if (r->kind == REFERENCE_ROOT)
		return put_down(r, 0, s->root ? s->root : s->item, text);
	return r->kind == REFERENCE_POINTER && put_down(r, 0, s->item, text);
}

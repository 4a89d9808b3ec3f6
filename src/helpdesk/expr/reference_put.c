/*
 * Writing where a reference points to: how samples get values of one's own, and a webhook a merged customer's new id.
 */
#include <config.h>

#include "helpdesk/expr/reference_parts.h"

#include <string.h>

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

/* One child, known to be possible: an object's member or an element that is there. */
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
	bool is_array = json_object_is_type(o, json_type_array), done = false;
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

bool reference_put(const struct reference *r, const struct scope *s, const char *text)
{
	if (r->kind == REFERENCE_ROOT)
		return put_down(r, 0, s->root ? s->root : s->item, text);
	return r->kind == REFERENCE_POINTER && put_down(r, 0, s->item, text);
}

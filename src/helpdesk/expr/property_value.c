/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/mask.h"
#include "helpdesk/expr/property_value.h"

#include <string.h>

#define PROPERTY_SHOWN_BYTES 80
#define PROPERTY_ADDRESS "a text with an at sign" /* without an at sign: the log masks the text around it */

size_t property_value_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

struct json_object *property_value_text(const char *text)
{
	if (!text || *text == '\0')
		return NULL;
	return json_object_new_string_len(text, (int)property_value_cut(text, strlen(text), PROPERTY_TEXT_MAX));
}

bool property_value_append(struct json_object **list, const char *text)
{
	CLEANUP(json_putp) struct json_object *one = property_value_text(text);

	if (!one)
		return true;
	for (size_t i = 0; *list && i < json_object_array_length(*list); i++)
		if (json_object_equal(json_object_array_get_idx(*list, i), one))
			return true;
	if (!*list)
		*list = json_object_new_array();
	if (json_object_array_length(*list) == PROPERTY_LIST_MAX)
		return false;
	json_object_array_add(*list, TAKE(one));
	return true;
}

static bool add_scalar(struct json_object **list, struct json_object *o)
{
	CLEANUP(mem_freep) char *own = NULL;

	return property_value_append(list, value_peek(o, &own));
}

struct json_object *property_value_list(const struct values *v)
{
	struct json_object *list = NULL;
	bool room = true;

	for (size_t i = 0; i < v->n && room; i++)
		room = add_scalar(&list, v->items[i]);
	return list;
}

struct json_object *property_value_of(struct json_object *o)
{
	struct json_object *list = NULL;
	bool room = true;
	const char *text;
	size_t n;

	switch (json_object_get_type(o)) {
	case json_type_string:
		text = json_object_get_string(o);
		n = strlen(text);
		if (n != (size_t)json_object_get_string_len(o))
			return NULL;
		return n > 0 && n <= PROPERTY_TEXT_MAX ? json_object_get(o) : property_value_text(text);
	case json_type_double:
		if (json_wide(o))
			return property_value_text(json_wide(o));
		return json_object_get(o);
	case json_type_boolean:
	case json_type_int:
		return json_object_get(o);
	case json_type_array:
		n = json_object_array_length(o);
		for (size_t i = 0; i < n && i < VALUES_MAX && room; i++)
			room = add_scalar(&list, json_object_array_get_idx(o, i));
		return list;
	case json_type_null:
	case json_type_object:
		break;
	}
	return NULL;
}

/* True for JSON's grammar of numbers, so that 007, 1_000 and .5 stay text. */
static bool property_value_is_number(const char *s)
{
	size_t digits;

	s += *s == '-';
	digits = strspn(s, "0123456789");
	if (digits == 0 || digits > 15 || (s[0] == '0' && digits > 1))
		return false;
	s += digits;
	if (*s == '.') {
		digits = strspn(++s, "0123456789");
		if (digits == 0 || digits > 15)
			return false;
		s += digits;
	}
	return *s == '\0';
}

struct json_object *property_value_literal(const struct node *n)
{
	struct json_object *o = NULL;

	if (n->type != NODE_SCALAR || n->quoted)
		return NULL;
	if (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0)
		return json_object_new_boolean(n->text[0] == 't');
	if (!property_value_is_number(n->text) || json_read(n->text, strlen(n->text), &o, NULL) < 0)
		return NULL;
	return o;
}

const char *property_value_name_fault(const char *name)
{
	if (*name == '\0')
		return "is empty";
	if (*name == '$')
		return "begins with \"$\", which Klaviyo keeps for its own properties";
	if (strlen(name) > PROPERTY_NAME_MAX)
		return "is longer than 128 bytes";
	return NULL;
}

const char *property_value_line(const char *text, char *out)
{
	size_t len = property_value_cut(text, strlen(text), PROPERTY_SHOWN_BYTES);
	const char *rest = text[len] != '\0' ? "…" : "";

	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	memcpy(out + len, rest, strlen(rest) + 1);
	return out;
}

const char *property_value_shown(const char *text, char *out)
{
	CLEANUP(mem_freep) char *masked = mask_text(text);

	if (strcmp(masked, text) == 0)
		return property_value_line(text, out);
	memcpy(out, PROPERTY_ADDRESS, sizeof(PROPERTY_ADDRESS));
	return out;
}

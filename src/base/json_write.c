/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/json_write.h"

#include <string.h>

#include "base/mem.h"

static void add_escaped(struct buf *to, unsigned char c)
{
	static const char letters[] = "btn\0fr"; /* of 8 to 13; 11 has none */
	char letter = c == '"' || c == '\\' ? (char)c : c >= 8 && c <= 13 ? letters[c - 8] : '\0';

	if (letter == '\0') {
		buf_addf(to, "\\u%04x", c);
		return;
	}
	buf_addc(to, '\\');
	buf_addc(to, letter);
}

void json_write_text(struct buf *to, const char *text, size_t len)
{
	size_t kept = 0; /* the beginning of what is copied as it is */

	buf_addc(to, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(to, text + kept, i - kept);
		add_escaped(to, c);
		kept = i + 1;
	}
	buf_add(to, text + kept, len - kept);
	buf_addc(to, '"');
}

static void add_digits(struct buf *to, bool negative, uint64_t value)
{
	char text[24];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	if (negative)
		text[--at] = '-';
	buf_add(to, text + at, sizeof(text) - at);
}

void json_write_int(struct buf *to, int64_t value)
{
	add_digits(to, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void add_array(struct buf *to, struct json_object *o)
{
	size_t n = json_object_array_length(o);

	buf_addc(to, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(to, ',');
		json_write_value(to, json_object_array_get_idx(o, i));
	}
	buf_addc(to, ']');
}

static void add_object(struct buf *to, struct json_object *o)
{
	bool any = false;

	buf_addc(to, '{');
	json_object_object_foreach(o, name, value)
	{
		if (any)
			buf_addc(to, ',');
		any = true;
		json_write_text(to, name, strlen(name));
		buf_addc(to, ':');
		json_write_value(to, value);
	}
	buf_addc(to, '}');
}

/* The recursion is bounded: this program made the tree, or json_read() bounded its depth. */
void json_write_value(struct buf *to, struct json_object *o)
{
	size_t len;

	switch (json_object_get_type(o)) {
	case json_type_null:
		buf_adds(to, "null");
		break;
	case json_type_boolean:
		buf_adds(to, json_object_get_boolean(o) ? "true" : "false");
		break;
	case json_type_int:
		/* json-c has integers of both 64-bit types. */
		if (json_object_get_int64(o) < 0)
			json_write_int(to, json_object_get_int64(o));
		else
			add_digits(to, false, json_object_get_uint64(o));
		break;
	case json_type_double: {
		const char *text = json_object_to_json_string_length(
			o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

		INSIST(text);
		buf_add(to, text, len);
		break;
	}
	case json_type_string:
		json_write_text(to, json_object_get_string(o), (size_t)json_object_get_string_len(o));
		break;
	case json_type_array:
		add_array(to, o);
		break;
	case json_type_object:
		add_object(to, o);
		break;
	}
}

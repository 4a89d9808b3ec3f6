/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/json_build.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"

#define REPLACEMENT 0xfffdu

/* ---- the memory of the names ------------------------------------------------------------------------------------- */

/* A block of names, each with its NUL. */
struct json_names {
	struct json_names *before; /* full ones; NULL: none */
	size_t left;               /* bytes that are free at the end */
	char *free;
	char bytes[];
};

/* Of the first block, and least of the others. */
#define NAMES_FIRST_BYTES 216
#define NAMES_BYTES 1000

static void names_free(struct json_names *n)
{
	for (struct json_names *before; n; n = before) {
		before = n->before;
		free(n);
	}
}

/* Returns room for that many bytes, which lives as long as the root. */
static char *names_room(struct json_builder *b, size_t bytes)
{
	struct json_names *n = b->names;
	size_t size = n ? NAMES_BYTES : NAMES_FIRST_BYTES;
	char *room;

	if (!n || n->left < bytes) {
		size = bytes > size ? bytes : size;
		n = mem_grow(NULL, 1, sizeof(*n) + size);
		*n = (struct json_names){.before = b->names, .left = size, .free = n->bytes};
		b->names = n;
	}
	room = n->free;
	n->free += bytes;
	n->left -= bytes;
	return room;
}

static void root_gone(struct json_object *root, void *names)
{
	(void)root;
	names_free(names);
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

void json_build_init(struct json_builder *b, bool root_keeps_names)
{
	b->root = NULL;
	b->depth = 0;
	b->root_keeps_names = root_keeps_names;
	b->names = NULL;
	b->key = NULL;
	buf_init(&b->name, INT_MAX);
	buf_init(&b->text, INT_MAX);
}

struct json_object *json_build_end(struct json_builder *b)
{
	buf_done(&b->name);
	buf_done(&b->text);
	/* There are names only below an object or an array, which has no data of its own here. */
	if (b->names)
		json_object_set_userdata(b->root, b->names, root_gone);
	return b->root;
}

/* Puts a value where the text has it. Takes ownership of it. NULL: null. */
static void put(struct json_builder *b, struct json_object *value)
{
	struct json_object *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;

	if (!parent)
		b->root = value;
	else if (json_object_is_type(parent, json_type_object))
		INSIST(json_object_object_add_ex(parent, b->key, value,
						 b->root_keeps_names ? JSON_C_OBJECT_KEY_IS_CONSTANT : 0) == 0);
	else
		INSIST(json_object_array_add(parent, value) == 0);
}

void json_build_open(struct json_builder *b, bool object)
{
	struct json_object *o = object ? json_object_new_object() : json_object_new_array();

	INSIST(o && b->depth < JSON_DEPTH_MAX);
	put(b, o);
	b->open[b->depth++] = o;
}

void json_build_close(struct json_builder *b)
{
	struct json_object *o = b->open[--b->depth];

	/* An array is made with room for 32 elements. */
	if (json_object_is_type(o, json_type_array))
		(void)json_object_array_shrink(o, 0);
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static void add_utf8(struct buf *to, uint32_t c)
{
	const char bytes[] = {
		(char)(c < 0x80      ? c
		       : c < 0x800   ? 0xc0 | c >> 6
		       : c < 0x10000 ? 0xe0 | c >> 12
				     : 0xf0 | c >> 18),
	};
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	buf_add(to, bytes, sizeof(bytes));
	while (more-- > 0)
		buf_addc(to, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

/* Returns the number in \uXXXX; 0: there is none at `at`. */
static uint32_t unit_at(const char *at, const char *end)
{
	uint64_t unit;

	return end - at >= 6 && at[0] == '\\' && at[1] == 'u' && hex_number(at + 2, 4, &unit) == 0 ? (uint32_t)unit : 0;
}

/* Adds the character of one \uXXXX, or of the two of a surrogate pair. Returns the end of what was read. */
static const char *add_unit(struct buf *to, const char *at, const char *end)
{
	uint32_t unit = unit_at(at, end);
	uint32_t low;

	at += 6;
	if (unit < 0xd800 || unit > 0xdfff) {
		add_utf8(to, unit);
		return at;
	}
	low = unit < 0xdc00 ? unit_at(at, end) : 0;
	if (low < 0xdc00 || low > 0xdfff) {
		add_utf8(to, REPLACEMENT);
		return at;
	}
	add_utf8(to, 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff)));
	return at + 6;
}

static void add_unescaped(struct buf *to, const char *at, size_t len)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	const char *end = at + len;

	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		const char *letter;

		buf_add(to, at, (size_t)((escape ? escape : end) - at));
		if (!escape)
			return;
		at = escape;
		if (at[1] == 'u') {
			at = add_unit(to, at, end);
			continue;
		}
		letter = strchr(letters, at[1]);
		buf_addc(to, letter ? meanings[letter - letters] : at[1]);
		at += 2;
	}
}

void json_build_name(struct json_builder *b, const char *at, size_t len, bool escaped)
{
	char *room;

	if (escaped || !b->root_keeps_names) {
		buf_clear(&b->name);
		if (escaped)
			add_unescaped(&b->name, at, len);
		else
			buf_add(&b->name, at, len);
		at = b->key = b->name.data;
		len = b->name.len;
	}
	if (!b->root_keeps_names)
		return;
	room = names_room(b, len + 1);
	memcpy(room, at, len);
	room[len] = '\0';
	b->key = room;
}

void json_build_string(struct json_builder *b, const char *at, size_t len, bool escaped)
{
	struct json_object *o;

	if (escaped) {
		buf_clear(&b->text);
		add_unescaped(&b->text, at, len);
		at = b->text.data;
		len = b->text.len;
	}
	o = json_object_new_string_len(at, (int)len);
	INSIST(o);
	put(b, o);
}

/* ---- numbers and words ------------------------------------------------------------------------------------------- */

/* Returns NULL where the integer has more than 64 bits. */
static struct json_object *new_integer(const char *at, size_t len)
{
	bool negative = *at == '-';
	uint64_t value;

	if (text_digits(at + negative, len - negative, negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX, &value) < 0)
		return NULL;
	if (negative)
		return json_object_new_int64(value > INT64_MAX ? INT64_MIN : -(int64_t)value);
	return value > INT64_MAX ? json_object_new_uint64(value) : json_object_new_int64((int64_t)value);
}

void json_build_number(struct json_builder *b, const char *at, size_t len, bool integer)
{
	struct json_object *o = integer ? new_integer(at, len) : NULL;

	if (!o) {
		buf_clear(&b->text);
		buf_add(&b->text, at, len);
		o = json_object_new_double_s(strtod(b->text.data, NULL), b->text.data);
	}
	INSIST(o);
	put(b, o);
}

void json_build_word(struct json_builder *b, char first)
{
	struct json_object *o = first == 'n' ? NULL : json_object_new_boolean(first == 't');

	INSIST(o || first == 'n');
	put(b, o);
}

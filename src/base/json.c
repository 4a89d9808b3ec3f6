/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/json_build.h"
#include "base/json_lex.h"
#include "base/json_write.h"
#include "base/redact.h"
#include "base/text.h"

static _Atomic uint64_t reads; /* a counter only: no other memory is ordered by it */

uint64_t json_reads(void)
{
	return atomic_load_explicit(&reads, memory_order_relaxed);
}

static int json_fail(struct err *reterr, const char *text, size_t at, const char *what)
{
	unsigned line = 1;
	unsigned column = 1;

	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return err_set(reterr, -EINVAL, "line %u column %u: %s", line, column, what);
}

const char *json_wide(struct json_object *o)
{
	const char *text;
	double value;

	if (!json_object_is_type(o, json_type_double))
		return NULL;
	value = json_object_get_double(o);
	if (value > -9e18 && value < 9e18)
		return NULL;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	INSIST(text);
	return !isfinite(value) || text[strspn(text, "-0123456789")] == '\0' ? text : NULL;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* A tree may take a hundred times the memory of its text, so only a text of at most this length is built before all of
 * it is known to be JSON. */
#define BUILT_AT_ONCE_MAX (64 * 1024)

/* Decides whether a text is JSON; no other code does. Moves *text and *len to the value. builder: gets the values
 * before an error, too; NULL: only checks. */
static int json_check(const char **text, size_t *len, struct json_builder *builder, struct json_lexed *found,
		      struct err *reterr)
{
	size_t mark = text_bom(*text, *len);
	size_t at = 0;

	*text += mark;
	*len -= mark;
	while (*len > 0 && json_is_blank((*text)[*len - 1]))
		*len -= 1;
	if (*len == 0)
		return err_set(reterr, -EINVAL, "line 1 column 1: nothing there, expected a JSON value");
	if (*len >= INT_MAX / 2)
		return err_set(reterr, -EINVAL, "line 1 column 1: too long for JSON");
	if (!text_is_utf8(*text, *len)) {
		for (size_t n; (n = text_step(*text + at, *len - at)) > 0;)
			at += n;
		return json_fail(reterr, *text, at, "not UTF-8");
	}
	json_lex(*text, *len, builder, found);
	return found->wrong ? json_fail(reterr, *text, found->at, found->wrong) : 0;
}

static int read_tree(const char *text, size_t len, bool root_keeps_names, struct json_object **ret, size_t *ret_bytes,
		     struct err *reterr)
{
	const bool at_once = len <= BUILT_AT_ONCE_MAX;
	struct json_object *tree;
	struct json_builder builder;
	struct json_lexed found;
	int r;

	json_build_init(&builder, root_keeps_names);
	r = json_check(&text, &len, at_once ? &builder : NULL, &found, reterr);
	if (r == 0 && !at_once) {
		json_lex(text, len, &builder, &found);
		INSIST(!found.wrong);
	}
	tree = json_build_end(&builder);
	if (r < 0) {
		json_object_put(tree);
		return r;
	}
	*ret = tree;
	atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
	if (ret_bytes)
		/* A wide number keeps its text in addition to its value. */
		*ret_bytes = len + found.branches * JSON_BRANCH_BYTES + (found.values + found.wide) * JSON_VALUE_BYTES;
	return 0;
}

int json_read(const char *text, size_t len, struct json_object **ret, struct err *reterr)
{
	return read_tree(text, len, false, ret, NULL, reterr);
}

int json_read_sized(const char *text, size_t len, struct json_object **ret, size_t *ret_bytes, struct err *reterr)
{
	return read_tree(text, len, true, ret, ret_bytes, reterr);
}

int json_check_object(const char *text, struct err *reterr)
{
	const char *value = text;
	size_t len = strlen(text);
	struct json_lexed found;
	int r;

	r = json_check(&value, &len, NULL, &found, reterr);
	if (r < 0)
		return r;
	if (text[0] != '{')
		return json_fail(reterr, text, 0, "expected an object");
	/* json_lex() accepts raw control characters in strings, which other JSON parsers refuse. */
	for (size_t i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < 0x20)
			return json_fail(reterr, text, i, "a control character that is not escaped");
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

char *json_text(struct json_object *o)
{
	return mem_str(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

void json_add_str(struct buf *to, const char *text)
{
	json_write_text(to, text, strlen(text));
}

char *json_pretty(struct json_object *o)
{
	return mem_str(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *json_printable(struct json_object *o, bool pretty)
{
	int how = pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
	struct buf to;

	buf_init(&to, INT_MAX);
	escape_add(&to, json_object_to_json_string_ext(o, how | JSON_C_TO_STRING_NOSLASHESCAPE), ESCAPE_JSON);
	return buf_take(&to);
}

/* The recursion is bounded: this program made the tree, or json_read() bounded its depth. */
void json_redact(struct json_object *o, const struct redactor *secrets)
{
	switch (json_object_get_type(o)) {
	case json_type_string: {
		CLEANUP(mem_freep) char *redacted = redact(secrets, json_object_get_string(o));

		if (strcmp(redacted, json_object_get_string(o)) != 0)
			INSIST(json_object_set_string(o, redacted) == 1);
		break;
	}
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(o); i++)
			json_redact(json_object_array_get_idx(o, i), secrets);
		break;
	case json_type_object: {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			json_redact(value, secrets);
		}
		break;
	}
	case json_type_null:
	case json_type_boolean:
	case json_type_int:
	case json_type_double:
		break;
	}
}

/* Without an exponent for numbers of usual size, because an id or a time may come as 1.5e9. */
char *json_number(double value)
{
	char text[64];
	int digits, exponent;

	if (!isfinite(value))
		return NULL;
	if (value == 0)
		return mem_str("0");
	for (digits = 0; digits < 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*e", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent < -6 || exponent > 20)
		return mem_str(text);
	return mem_fmt("%.*f", digits > exponent ? digits - exponent : 0, value);
}

char *json_scalar(struct json_object *o)
{
	const char *wide;

	switch (json_object_get_type(o)) {
	case json_type_string: {
		size_t len = (size_t)json_object_get_string_len(o);
		const char *text = json_object_get_string(o);

		return memchr(text, '\0', len) ? NULL : mem_dup(text, len);
	}
	case json_type_double:
		wide = json_wide(o);
		return wide ? mem_str(wide) : json_number(json_object_get_double(o));
	case json_type_int:
	case json_type_boolean:
		return json_text(o);
	case json_type_null:
	case json_type_array:
	case json_type_object:
		break;
	}
	return NULL;
}

struct json_object *json_member(struct json_object *o, const char *key)
{
	struct json_object *member;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &member))
		return NULL;
	return member;
}

const char *json_member_str(struct json_object *o, const char *key)
{
	struct json_object *member = json_member(o, key);

	return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : NULL;
}

int64_t json_member_int(struct json_object *o, const char *key, int64_t fallback)
{
	struct json_object *member = json_member(o, key);

	return json_object_is_type(member, json_type_int) ? json_object_get_int64(member) : fallback;
}

bool json_member_bool(struct json_object *o, const char *key, bool fallback)
{
	struct json_object *member = json_member(o, key);

	return json_object_is_type(member, json_type_boolean) ? json_object_get_boolean(member) : fallback;
}

static void json_set(struct json_object *o, const char *key, struct json_object *value)
{
	INSIST(value && json_object_object_add(o, key, value) == 0);
}

void json_set_str(struct json_object *o, const char *key, const char *value_or_null)
{
	if (value_or_null)
		json_set(o, key, json_object_new_string(value_or_null));
}

void json_set_int(struct json_object *o, const char *key, int64_t value)
{
	json_set(o, key, json_object_new_int64(value));
}

void json_set_bool(struct json_object *o, const char *key, bool value)
{
	json_set(o, key, json_object_new_boolean(value));
}

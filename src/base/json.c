#include <config.h>

#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int json_fail(struct err *reterr, const char *text, size_t at, const char *what)
{
	unsigned line = 1, column = 1;

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

static bool json_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ---- what json-c lets pass --------------------------------------------------------------------------------------- */

struct lexer {
	const char *at, *end;
	unsigned depth;
};

static size_t digits_of(const char *at, const char *end)
{
	const char *start = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return (size_t)(at - start);
}

/* json-c makes the largest integer of a larger one: two ids would become one. */
static bool fits_64_bits(const char *digits, size_t n, bool negative)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(digits[i] - '0'), &value))
			return false;
	return !negative || value <= (uint64_t)INT64_MAX + 1;
}

/* Passes a number, or says what is wrong with it. */
static const char *lex_number(struct lexer *l)
{
	const char *at = l->at;
	bool negative = *at == '-';
	size_t n;

	at += negative;
	n = digits_of(at, l->end);
	if (n == 0 || (n > 1 && *at == '0'))
		return "no JSON number";
	l->at = at + n;
	if (l->at < l->end && *l->at == '.') {
		size_t fraction = digits_of(l->at + 1, l->end);

		if (fraction == 0)
			return "no JSON number";
		l->at += 1 + fraction;
	} else if (l->at == l->end || (*l->at != 'e' && *l->at != 'E')) {
		return fits_64_bits(at, n, negative) ? NULL : "an integer of more than 64 bits";
	}
	if (l->at < l->end && (*l->at == 'e' || *l->at == 'E')) {
		l->at++;
		if (l->at < l->end && (*l->at == '+' || *l->at == '-'))
			l->at++;
		l->at += digits_of(l->at, l->end);
	}
	return NULL;
}

/* Passes a string. json-c's keys are C strings: it would cut a key at \u0000 and so let two keys be one. */
static const char *lex_string(struct lexer *l)
{
	const char *after;
	bool nul = false;

	for (l->at++; l->at < l->end && *l->at != '"'; l->at++) {
		if (*l->at != '\\')
			continue;
		nul = nul || (l->end - l->at >= 6 && memcmp(l->at, "\\u0000", 6) == 0);
		l->at++;
	}
	after = ++l->at;
	while (after < l->end && json_blank(*after))
		after++;
	return nul && after < l->end && *after == ':' ? "a key with a NUL in it" : NULL;
}

/*
 * json-c has read the text already: this looks for what it takes though it is no JSON. NULL where there is nothing;
 * else what it is, and *ret_at where.
 */
static const char *json_too_lax(const char *text, size_t len, size_t *ret_at)
{
	struct lexer l = {text, text + len, 0};
	const char *wrong = NULL;

	while (!wrong && l.at < l.end) {
		*ret_at = (size_t)(l.at - text);
		switch (*l.at) {
		case '"':
			wrong = lex_string(&l);
			continue;
		case '-':
		case '0' ... '9':
			wrong = lex_number(&l);
			continue;
		case '[':
		case '{':
			if (++l.depth > JSON_DEPTH_MAX)
				wrong = "nesting too deep";
			break;
		case ']':
		case '}':
			l.depth--;
			break;
		case '\'':
			wrong = "a name in single quotes";
			break;
		case 'N':
		case 'I':
			wrong = "NaN and Infinity are no JSON";
			break;
		default:
			break;
		}
		l.at++;
	}
	return wrong;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static size_t json_valid_prefix(const char *text, size_t len)
{
	size_t good = 0, bad = len;

	while (good < bad) {
		size_t middle = good + (bad - good + 1) / 2;

		if (text_is_utf8(text, middle))
			good = middle;
		else
			bad = middle - 1;
	}
	return good;
}

int json_read(const char *text, size_t len, struct json_object **ret, struct err *reterr)
{
	struct json_tokener *tok;
	struct json_object *o;
	enum json_tokener_error e;
	const char *wrong;
	size_t at;

	while (len > 0 && json_blank(text[len - 1]))
		len--;
	if (len == 0)
		return err_set(reterr, -EINVAL, "line 1 column 1: nothing there, expected a JSON value");
	if (len >= INT_MAX)
		return err_set(reterr, -EINVAL, "line 1 column 1: too long for JSON");
	if (!text_is_utf8(text, len))
		return json_fail(reterr, text, json_valid_prefix(text, len), "not UTF-8");

	tok = json_tokener_new_ex(JSON_DEPTH_MAX + 2); /* it counts otherwise; exactly is done below */
	INSIST(tok);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, text, (int)len);
	e = json_tokener_get_error(tok);
	at = json_tokener_get_parse_end(tok);
	if (e == json_tokener_continue) {
		/* A number at the top ends only with what comes behind it. */
		o = json_tokener_parse_ex(tok, "", 1);
		e = json_tokener_get_error(tok);
		at = len;
	}
	json_tokener_free(tok);
	if (e == json_tokener_continue || e == json_tokener_error_parse_eof)
		return json_fail(reterr, text, len, "the text ends in the middle of a value");
	if (e != json_tokener_success)
		return json_fail(reterr, text, at, json_tokener_error_desc(e));
	wrong = json_too_lax(text, len, &at);
	if (wrong) {
		json_object_put(o);
		return json_fail(reterr, text, at, wrong);
	}
	*ret = o;
	return 0;
}

char *json_text(struct json_object *o)
{
	return mem_str(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *json_pretty(struct json_object *o)
{
	return mem_str(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* Without an exponent where a person would write none: an id or a time may come as 1.5e9. */
static char *json_double(double value)
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
	switch (json_object_get_type(o)) {
	case json_type_string: {
		size_t len = (size_t)json_object_get_string_len(o);
		const char *text = json_object_get_string(o);

		return memchr(text, '\0', len) ? NULL : mem_dup(text, len);
	}
	case json_type_double:
		return json_double(json_object_get_double(o));
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

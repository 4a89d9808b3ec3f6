/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/json_lex.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/json_build.h"
#include "base/text.h"

_Static_assert(JSON_BRANCHES_MAX == 65536, "a message names it");
static const char lex_ends[] = "the text ends in the middle of a value";
#define DIGITS_ALWAYS_FIT 18 /* 2^63 has 19 */
static const char lex_nan[] = "NaN and Infinity are no JSON";

struct lexer {
	const char *at, *end; /* at: after a failure, the place of the error */
	unsigned depth;
	size_t values, branches;            /* so far; branches: objects and lists */
	bool in_object[JSON_DEPTH_MAX + 1]; /* by depth: true in an object, false in an array */
	size_t wide;                        /* integers beyond 64 bits */
	struct json_builder *to;            /* or NULL */
};

enum expect {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END,
	EXPECT_NAME,
	EXPECT_NAME_OR_END,
	EXPECT_COMMA_OR_END,
	EXPECT_NOTHING,
};

static void lex_blanks(struct lexer *l)
{
	while (l->at < l->end && json_is_blank(*l->at))
		l->at++;
}

/* Skips digits; false: there is none. */
static bool lex_digits(struct lexer *l)
{
	const char *start = l->at;

	while (l->at < l->end && *l->at >= '0' && *l->at <= '9')
		l->at++;
	return l->at > start;
}

/* Each function below skips one token. It returns NULL, or what is wrong at l->at. */
static const char *lex_number(struct lexer *l)
{
	const char *start = l->at;
	bool negative = *start == '-';
	bool integer = true;
	bool good = true;
	const char *digits;
	uint64_t value;

	digits = start + negative;
	l->at = digits;
	if (negative && l->at < l->end && *l->at == 'I')
		return lex_nan;
	good = lex_digits(l) && (*digits != '0' || l->at - digits == 1);
	if (good && l->at < l->end && *l->at == '.') {
		integer = false;
		l->at++;
		good = lex_digits(l);
	}
	if (good && l->at < l->end && (*l->at == 'e' || *l->at == 'E')) {
		integer = false;
		l->at++;
		l->at += l->at < l->end && (*l->at == '+' || *l->at == '-');
		good = lex_digits(l);
	}
	if (!good) {
		if (l->at == l->end)
			return lex_ends;
		l->at = start;
		return "no JSON number";
	}
	/* Most numbers have few digits; only the others are compared with 64 bits. */
	if (integer && l->at - digits > DIGITS_ALWAYS_FIT &&
	    text_digits(digits, (size_t)(l->at - digits), negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX, &value) < 0)
		l->wide++;
	if (l->to)
		json_build_number(l->to, start, (size_t)(l->at - start), integer);
	return NULL;
}

/* Skips an escape from its backslash on. */
static const char *lex_escape(struct lexer *l, bool *ret_nul)
{
	size_t left = (size_t)(l->end - l->at);
	uint64_t unit;

	if (left < 2 || (l->at[1] == 'u' && left < 6)) {
		l->at = l->end;
		return lex_ends;
	}
	if (l->at[1] != 'u') {
		if (!strchr("\"\\/bfnrt", l->at[1]))
			return "an escape that JSON has not";
		l->at += 2;
		return NULL;
	}
	if (hex_number(l->at + 2, 4, &unit) < 0)
		return "\\u without four hexadecimal digits";
	*ret_nul = *ret_nul || unit == 0;
	l->at += 6;
	return NULL;
}

/* json-c's keys are C strings: a name would be cut at \u0000, and two names could become one. */
static const char *lex_string(struct lexer *l, bool is_name)
{
	const char *start = l->at++;
	const char *inside = l->at;
	const char *quote = start;
	const char *escape;
	bool escaped = false;
	bool nul = false;
	const char *wrong;

	for (;;) {
		/* The quote is searched for again only where it belonged to an escape, so the time stays linear. */
		if (quote < l->at) {
			quote = memchr(l->at, '"', (size_t)(l->end - l->at));
			quote = quote ? quote : l->end;
		}
		escape = memchr(l->at, '\\', (size_t)(quote - l->at));
		if (!escape)
			break;
		escaped = true;
		l->at = escape;
		wrong = lex_escape(l, &nul);
		if (wrong)
			return wrong;
	}
	l->at = quote;
	if (l->at == l->end)
		return lex_ends;
	if (nul && is_name) {
		l->at = start;
		return "a key with a NUL in it";
	}
	l->at++;
	if (l->to)
		(is_name ? json_build_name : json_build_string)(l->to, inside, (size_t)(quote - inside), escaped);
	return NULL;
}

static const char *lex_word(struct lexer *l, const char *word)
{
	size_t len = strlen(word);
	size_t left = (size_t)(l->end - l->at);

	if (memcmp(l->at, word, len < left ? len : left) != 0)
		return "expected a JSON value";
	l->at += len < left ? len : left;
	if (len > left)
		return lex_ends;
	if (l->to)
		json_build_word(l->to, *word);
	return NULL;
}

/* Enters an array or object. */
static const char *lex_open(struct lexer *l, enum expect *next)
{
	bool object = *l->at == '{';

	if (l->depth == JSON_DEPTH_MAX)
		return "nesting too deep";
	if (++l->branches > JSON_BRANCHES_MAX)
		return "more than 65536 objects and lists";
	l->in_object[++l->depth] = object;
	l->at++;
	if (l->to)
		json_build_open(l->to, object);
	*next = object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
	return NULL;
}

static void lex_close(struct lexer *l, enum expect *next)
{
	l->at++;
	l->depth--;
	if (l->to)
		json_build_close(l->to);
	*next = l->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static const char *lex_value(struct lexer *l, enum expect *next)
{
	*next = l->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
	l->values++;
	switch (*l->at) {
	case '{':
	case '[':
		return lex_open(l, next);
	case '"':
		return lex_string(l, false);
	case '-':
	case '0' ... '9':
		return lex_number(l);
	case 't':
		return lex_word(l, "true");
	case 'f':
		return lex_word(l, "false");
	case 'n':
		return lex_word(l, "null");
	case 'N':
	case 'I':
		return lex_nan;
	case '\'':
		return "a text in single quotes";
	default:
		return "expected a JSON value";
	}
}

static const char *lex_name(struct lexer *l, enum expect *next)
{
	const char *wrong;

	if (*l->at != '"')
		return *l->at == '\'' ? "a name in single quotes" : "expected a name in double quotes";
	wrong = lex_string(l, true);
	if (wrong)
		return wrong;
	lex_blanks(l);
	if (l->at == l->end)
		return lex_ends;
	if (*l->at != ':')
		return "expected \":\" behind the name";
	l->at++;
	*next = EXPECT_VALUE;
	return NULL;
}

static const char *lex_comma(struct lexer *l, enum expect *next)
{
	bool object = l->in_object[l->depth];

	if (*l->at == (object ? '}' : ']')) {
		lex_close(l, next);
		return NULL;
	}
	if (*l->at != ',')
		return object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"";
	l->at++;
	*next = object ? EXPECT_NAME : EXPECT_VALUE;
	return NULL;
}

static const char *lex_next(struct lexer *l, enum expect *next)
{
	switch (*next) {
	case EXPECT_VALUE_OR_END:
		if (*l->at == ']') {
			lex_close(l, next);
			return NULL;
		}
		return lex_value(l, next);
	case EXPECT_VALUE:
		return lex_value(l, next);
	case EXPECT_NAME_OR_END:
		if (*l->at == '}') {
			lex_close(l, next);
			return NULL;
		}
		return lex_name(l, next);
	case EXPECT_NAME:
		return lex_name(l, next);
	case EXPECT_COMMA_OR_END:
		return lex_comma(l, next);
	case EXPECT_NOTHING:
		break;
	}
	return "there is text after the value";
}

void json_lex(const char *text, size_t len, struct json_builder *to, struct json_lexed *ret)
{
	struct lexer l = {.at = text, .end = text + len, .to = to};
	enum expect next = EXPECT_VALUE;

	ret->wrong = NULL;
	for (lex_blanks(&l); l.at < l.end; lex_blanks(&l)) {
		ret->wrong = lex_next(&l, &next);
		if (ret->wrong)
			break;
	}
	if (!ret->wrong && next != EXPECT_NOTHING)
		ret->wrong = lex_ends;
	ret->at = (size_t)(l.at - text);
	ret->wide = l.wide;
	ret->values = l.values;
	ret->branches = l.branches;
}

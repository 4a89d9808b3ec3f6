/* SPDX-License-Identifier: MIT */
/*
 * Texts with placeholders: `signed` builds the signed text, `format` parses a header's value.
 */
#include <config.h>

#include "helpdesk/proof/proof_internal.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "helpdesk/expr/keys.h"

#define PIECES_TEXT_MAX 512

/* In the order of enum piece_kind. */
static const char *const piece_names[] = {"", "signature", "timestamp", "body", "method", "url", "header:NAME"};

/* The kinds that may stand in braces, from first to last. */
struct piece_range {
	enum piece_kind first, last;
};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/* Reads the text up to the next single brace and moves *text there. False: a "}" too many. */
static bool text_read(const char **text, struct buf *to)
{
	const char *c = *text;

	for (; *c != '\0'; c++) {
		if ((*c == '{' || *c == '}') && c[1] == *c)
			c++;
		else if (*c == '{')
			break;
		else if (*c == '}')
			return false;
		buf_addc(to, *c);
	}
	*text = c;
	return true;
}

/* Reads one placeholder; *text stands at its brace. False with a problem. */
static bool braces_read(const struct node *at, const char **text, struct piece_range allowed, struct piece *ret,
			struct problems *problems)
{
	const char *end = strpbrk(*text + 1, "{}");
	CLEANUP(mem_freep) char *inner = NULL;
	size_t n = 0;
	const char *known[sizeof(piece_names) / sizeof(*piece_names) + 1];
	const char *name;

	if (!end || *end != '}') {
		problems_error(problems, at, "a \"{\" without its \"}\" (for a brace of the text write \"{{\")");
		return false;
	}
	inner = mem_strn(*text + 1, (size_t)(end - *text - 1));
	name = text_trim(inner);
	*text = end + 1;
	for (enum piece_kind k = allowed.first; k <= allowed.last; k++) {
		known[n++] = piece_names[k];
		if (k == PIECE_HEADER ? strncmp(name, "header:", 7) != 0 : strcmp(name, piece_names[k]) != 0)
			continue;
		ret->kind = k;
		if (k != PIECE_HEADER)
			return true;
		if (reference_header_is_good(name + 7)) {
			ret->text = mem_str(name + 7);
			return true;
		}
		problems_error(problems, at, "\"{%.64s}\": expected the name of a header after \"header:\"", name);
		return false;
	}
	known[n] = NULL;
	keys_error(at, "placeholder", name, known, problems);
	return false;
}

static bool pieces_read(const struct node *at, const char *text, struct piece_range allowed, struct pieces *ret,
			struct problems *problems)
{
	if (strlen(text) > PIECES_TEXT_MAX) {
		problems_error(problems, at, "a text longer than %d bytes", PIECES_TEXT_MAX);
		return false;
	}
	while (*text != '\0') {
		struct buf b;

		buf_init(&b, PIECES_TEXT_MAX);
		if (!text_read(&text, &b)) {
			buf_done(&b);
			problems_error(problems, at,
				       "a \"}\" without its \"{\" (for a brace of the text write \"}}\")");
			return false;
		}
		if (b.len > 0 && ret->n < PIECES_MAX)
			ret->items[ret->n++] = (struct piece){.kind = PIECE_TEXT, .text = buf_take(&b)};
		buf_done(&b);
		if (*text == '\0')
			return true;
		if (ret->n == PIECES_MAX) {
			problems_error(problems, at, "more than %d parts", PIECES_MAX);
			return false;
		}
		if (!braces_read(at, &text, allowed, &ret->items[ret->n], problems))
			return false;
		ret->n++;
	}
	return true;
}

bool pieces_have(const struct pieces *p, enum piece_kind kind)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].kind == kind)
			return true;
	return false;
}

bool pieces_compile_signed(const struct node *at, const char *text, struct pieces *ret, struct problems *problems)
{
	if (!pieces_read(at, text, (struct piece_range){PIECE_TIMESTAMP, PIECE_HEADER}, ret, problems))
		return false;
	if (pieces_have(ret, PIECE_BODY))
		return true;
	problems_error(problems, at, "expected {body} in it: without that, one signature would prove every body");
	return false;
}

bool pieces_compile_format(const struct node *at, const char *text, struct pieces *ret, struct problems *problems)
{
	unsigned seen[PIECE_TIMESTAMP + 1] = {0};
	const char *between;

	if (!pieces_read(at, text, (struct piece_range){PIECE_SIGNATURE, PIECE_TIMESTAMP}, ret, problems))
		return false;
	for (size_t i = 0; i < ret->n; i++) {
		seen[ret->items[i].kind]++;
		if (i == 0)
			continue;
		between = ret->items[ret->items[i].kind == PIECE_TEXT ? i : i - 1].text;
		if (!between || between[strspn(between, " \t")] == '\0') {
			problems_error(problems, at,
				       "expected something other than blanks beside {timestamp} and {signature}, by "
				       "which they can be told apart");
			return false;
		}
	}
	if (seen[PIECE_SIGNATURE] == 1 && seen[PIECE_TIMESTAMP] <= 1)
		return true;
	problems_error(problems, at, "expected {signature} once, and {timestamp} at most once");
	return false;
}

void pieces_done(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].text);
	*p = (struct pieces){0};
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Returns the place behind `text` at `at`; NULL where another text stands there. */
static const char *behind_text(const char *at, const char *text)
{
	for (; *text != '\0'; text++) {
		if (is_blank(*text))
			continue;
		while (is_blank(*at))
			at++;
		if (strncasecmp(at, text, 1) != 0)
			return NULL;
		at++;
	}
	return at;
}

static struct span span_trimmed(const char *from, const char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (to > from && is_blank(to[-1]))
		to--;
	return (struct span){from, (size_t)(to - from)};
}

bool pieces_match(const struct pieces *format, const char *value, struct span *ret_signature,
		  struct span *ret_timestamp)
{
	const char *at = value;
	const char *end;

	*ret_signature = *ret_timestamp = (struct span){0};
	for (size_t i = 0; i < format->n; i++) {
		const struct piece *p = &format->items[i];

		if (p->kind == PIECE_TEXT) {
			at = behind_text(at, p->text);
			if (!at)
				return false;
			continue;
		}
		/* The span ends where the next text begins, or at the end. behind_text() skips blanks itself, so no
		 * match is tried at a blank: a stranger's header of blanks alone would take quadratic time. */
		end = i + 1 == format->n ? at + strlen(at) : at;
		while (*end != '\0' && (is_blank(*end) || !behind_text(end, format->items[i + 1].text)))
			end++;
		*(p->kind == PIECE_SIGNATURE ? ret_signature : ret_timestamp) = span_trimmed(at, end);
		at = end;
	}
	return at[strspn(at, " \t")] == '\0';
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdatomic.h>
#include <string.h>

#include "base/text.h"
#include "helpdesk/expr/property_value.h"

#define PATTERN_FLAGS (REG_EXTENDED | REG_ICASE | REG_NOSUB)
/* Parts times bytes after which an expression is compiled again: it may have grown by some 30 bytes for each. */
#define PATTERN_EXHAUSTED 500000

/* The compiled expression, which grows with the texts. One thread at a time. */
struct machine {
	regex_t regex;
	size_t used; /* parts times bytes */
};

struct pattern {
	char *source; /* the source that is compiled */
	size_t parts;
	_Atomic(struct machine *) idle; /* NULL: in use, or none */
};

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* The parts of a pattern while they are counted, by depth of its groups. */
struct pattern_cost {
	size_t sum[PATTERN_DEPTH_MAX];  /* of the group until now */
	size_t last[PATTERN_DEPTH_MAX]; /* the last part of it, which a repetition repeats */
	size_t depth;
};

static void cost_add_part(struct pattern_cost *c, size_t parts)
{
	c->last[c->depth] = parts;
	c->sum[c->depth] += parts;
}

static void cost_repeat_part(struct pattern_cost *c, size_t times)
{
	c->sum[c->depth] += c->last[c->depth] * (times - 1);
	c->last[c->depth] *= times;
}

/* Returns 5 for "{2,5}"; 1 for text that is no repetition. */
static size_t interval_times(const char *at)
{
	size_t times = 0;
	size_t part = 0;

	for (at++; (*at >= '0' && *at <= '9') || *at == ','; at++) {
		part = *at == ',' ? 0 : part * 10 + (size_t)(*at - '0');
		if (part > PATTERN_PARTS_MAX)
			return PATTERN_PARTS_MAX;
		times = part > times ? part : times;
	}
	return *at == '}' && times > 0 ? times : 1;
}

/* Returns the last letter of the "[…]" that begins at `at`. Within it a backslash is a letter, and "[:alpha:]" is one
 * element. */
static const char *bracket_end(const char *at)
{
	const char *end = at + 1 + (at[1] == '^');

	for (end += *end == ']'; *end != '\0' && *end != ']'; end++) {
		if (*end == '[' && end[1] != '\0' && strchr(":.=", end[1])) {
			const char closing[] = {end[1], ']', '\0'};
			const char *closed = strstr(end + 2, closing);

			if (!closed)
				return at;
			end = closed + 1;
		}
	}
	return *end == ']' ? end : at;
}

static int too_many(struct err *reterr)
{
	return err_set(reterr, -EINVAL,
		       "this regular expression repeats its parts too often: expected at most %d parts, repetitions "
		       "written out, and groups at most %d deep",
		       PATTERN_PARTS_MAX, PATTERN_DEPTH_MAX);
}

/* Escapes of other kinds of regular expressions, and their POSIX forms. NULL: none at that place. */
static const struct {
	char letter;
	const char *alone, *in_set;
} escapes[] = {
	{'d', "[0-9]", "0-9"},
	{'D', "[^0-9]", NULL},
	{'w', NULL, "[:alnum:]_"},
	{'s', NULL, "[:space:]"},
	{'t', "[[:blank:]]", "[:blank:]"},
	{'n', "[[:space:]]", "[:space:]"},
	{'r', "[[:space:]]", "[:space:]"},
	{'f', "[[:space:]]", "[:space:]"},
	{'v', "[[:space:]]", "[:space:]"},
	{'h', "[[:blank:]]", "[:blank:]"},
	{'A', "^", NULL},
	{'z', "$", NULL},
	{'Z', "$", NULL},
};

/* at: the letter behind the backslash. The C library knows \w \W \s \S \b \B; it accepts other ones silently and finds
 * nothing. */
static int check_escape(const char *at, struct err *reterr)
{
	if (*at >= '1' && *at <= '9')
		return err_set(
			reterr, -EINVAL,
			"this regular expression has a back-reference (\\%c), which can take for ever: write out "
			"what may stand there",
			*at);
	if (*at == '\0' || !strchr(TEXT_ALNUM, *at) || strchr("wWsSbB", *at))
		return 0;
	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++)
		if (escapes[i].letter == *at && escapes[i].alone)
			return err_set(reterr, -EINVAL, "POSIX extended regular expressions do not know \\%c: write %s",
				       *at, escapes[i].alone);
	return err_set(reterr, -EINVAL,
		       "POSIX extended regular expressions do not know \\%c: for the letter leave the backslash out",
		       *at);
}

/* Checks the set from its "[" to its "]". */
static int check_set(const char *from, const char *to, struct err *reterr)
{
	for (; from < to; from++) {
		if (*from != '\\')
			continue;
		from++; /* two backslashes are both literal */
		for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++)
			if (escapes[i].letter == *from && escapes[i].in_set)
				return err_set(
					reterr, -EINVAL,
					"in [ ] a backslash is a letter of its own, and \\%c is not known: write "
					"%s",
					*from, escapes[i].in_set);
	}
	return 0;
}

/* at: the "(". */
static int check_group(const char *at, struct err *reterr)
{
	if (at[1] != '?')
		return 0;
	if (strncmp(at, "(?i)", 4) == 0)
		return err_set(reterr, -EINVAL, "(?i) is not known, and case is ignored anyway: leave it out");
	return err_set(reterr, -EINVAL, "POSIX extended regular expressions do not know (?%s%s",
		       at[2] == ':' ? ":" : "", at[2] == ':' ? ": write ( alone" : "");
}

/* Counts the parts. regcomp decides whether the text is a pattern. */
static int pattern_cost(const char *p, size_t *ret_parts, struct err *reterr)
{
	struct pattern_cost c = {0};

	if (strlen(p) > PATTERN_LENGTH_MAX)
		return err_set(reterr, -EINVAL, "this regular expression is too long: expected at most %d bytes",
			       PATTERN_LENGTH_MAX);
	for (; *p != '\0'; p++) {
		const char *begin = p;
		size_t inner;
		int r = 0;

		switch (*p) {
		case '(':
			r = check_group(p, reterr);
			if (++c.depth == PATTERN_DEPTH_MAX)
				return too_many(reterr);
			c.sum[c.depth] = c.last[c.depth] = 0;
			break;
		case ')':
			if (c.depth ==
			    0) /* the C library takes it for a letter, so the groups would be counted wrongly */
				return err_set(
					reterr, -EINVAL,
					"this regular expression has a ) without its (: write \\) for the letter");
			inner = c.sum[c.depth--];
			cost_add_part(&c, inner + 1);
			break;
		case '*':
		case '?':
			break; /* nothing is expanded */
		case '+':
			cost_repeat_part(&c, 2);
			break;
		case '{':
			cost_repeat_part(&c, interval_times(p));
			break;
		case '[':
			p = bracket_end(p);
			r = check_set(begin, p, reterr);
			cost_add_part(&c, 1);
			break;
		case '\\':
			r = check_escape(p + 1, reterr);
			p += p[1] != '\0';
			cost_add_part(&c, 1);
			break;
		default:
			cost_add_part(&c, 1);
			break;
		}
		if (r < 0)
			return r;
		if (c.sum[c.depth] > PATTERN_PARTS_MAX)
			return too_many(reterr);
	}
	*ret_parts = c.sum[c.depth] + 1;
	return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void machine_free(struct machine *m)
{
	if (!m)
		return;
	regfree(&m->regex);
	free(m);
}

/* Replaces line ends by vertical tabs, in patterns and texts: behind ".*" the C library lets "^" hold after a line end,
 * even without REG_NEWLINE. Both are blanks and controls. */
static void hide_line_ends(char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\n')
			*s = '\v';
}

/* The pattern has compiled before, so only memory can be short. */
static struct machine *machine_new(const struct pattern *p)
{
	struct machine *m = mem_new(1, sizeof(*m));

	if (regcomp(&m->regex, p->source, PATTERN_FLAGS) != 0)
		mem_lacking();
	return m;
}

int pattern_compile(const char *text, struct pattern **ret, struct err *reterr)
{
	size_t parts = 0;
	struct pattern *p;
	char why[256];
	regex_t regex;
	int r, code;

	r = pattern_cost(text, &parts, reterr);
	if (r < 0)
		return r;
	code = regcomp(&regex, text, PATTERN_FLAGS);
	if (code != 0) {
		(void)regerror(code, &regex, why, sizeof(why));
		return err_set(reterr, -EINVAL, "not a POSIX extended regular expression: %s", why);
	}
	regfree(&regex);
	p = mem_new(1, sizeof(*p));
	/* With "^" it runs once over the text; without it, once from each letter. */
	p->source = mem_fmt("^.*(%s)", text);
	hide_line_ends(p->source);
	p->parts = parts;
	atomic_init(&p->idle, machine_new(p));
	*ret = p;
	return 0;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	machine_free(atomic_load(&p->idle));
	free(p->source);
	free(p);
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

bool pattern_is_found(struct pattern *p, const char *text, size_t *left)
{
	size_t len = property_value_cut(text, strlen(text), *left < PATTERN_TEXT_MAX ? *left : PATTERN_TEXT_MAX);
	CLEANUP(mem_freep) char *head = mem_strn(text, len);
	struct machine *m = atomic_exchange(&p->idle, NULL);
	int code;

	hide_line_ends(head);
	if (!m)
		m = machine_new(p);
	code = regexec(&m->regex, head, 0, NULL, 0);
	if (code == REG_ESPACE) /* not the same as "not found": the webhook would count as of no interest */
		mem_lacking();
	*left -= len;
	m->used += p->parts * len;
	if (m->used <= PATTERN_EXHAUSTED)
		m = atomic_exchange(&p->idle, m);
	machine_free(m);
	return code == 0;
}

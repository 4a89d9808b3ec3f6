#include <config.h>

#include "helpdesk/expr/addresses.h"

#include <string.h>

#include "base/mask.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url.h"

/* ---- several in one text ----------------------------------------------------------------------------------------- */

/*
 * A text on its way into parts. A token is a quoted text, a bracketed one, or one byte; a quote or bracket without its
 * end is one byte. What was found once is kept, so that the whole takes one way through the text.
 */
struct parts {
	const char *at, *end;
	const char *last_quote, *last_bracket; /* where the last of them stands; NULL: nowhere */
	const char *mark; /* the first token from `at` on with an @ or a "<"; NULL: not looked for */
};

static void parts_begin(struct parts *p, const char *text, size_t len)
{
	*p = (struct parts){
		.at = text,
		.end = text + len,
		.last_quote = memrchr(text, '"', len),
		.last_bracket = memrchr(text, '>', len),
	};
}

static size_t token_length(const struct parts *p, const char *at)
{
	if (*at == '"' && p->last_quote && at < p->last_quote)
		return (size_t)((const char *)memchr(at + 1, '"', (size_t)(p->end - at) - 1) + 1 - at);
	if (*at == '<' && p->last_bracket && at < p->last_bracket)
		return (size_t)((const char *)memchr(at, '>', (size_t)(p->end - at)) + 1 - at);
	return 1;
}

/* Whether a name stands before the next address: "Kim <" in "Berg, Kim <kim@example.com>". */
static bool name_goes_on(struct parts *p, const char *at)
{
	if (!p->mark || p->mark < at)
		for (p->mark = at; p->mark < p->end && *p->mark != '@' && *p->mark != '<';)
			p->mark += token_length(p, p->mark);
	return p->mark < p->end && *p->mark == '<';
}

/* The next part, without its separator; NULL behind the last. */
static const char *parts_next(struct parts *p, size_t *ret_len)
{
	const char *start = p->at, *at = start;
	bool address = false; /* the part has one, or brackets for one */

	if (!start)
		return NULL;
	while (at < p->end) {
		if (*at == ';' || (*at == ',' && (address || !name_goes_on(p, at + 1))))
			break;
		address = address || *at == '@' || *at == '<' || (p->end - at >= 3 && memcmp(at, "%40", 3) == 0);
		at += token_length(p, at);
	}
	p->at = at < p->end ? at + 1 : NULL;
	*ret_len = (size_t)(at - start);
	return start;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static bool add_one(struct addresses *a, const char *email, bool primary)
{
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i].email, email) != 0)
			continue;
		a->items[i].primary = a->items[i].primary || primary;
		return true;
	}
	if (a->n == ADDRESSES_MAX) {
		a->left_out++;
		return false;
	}
	MEM_ROOM(a->items, a->n);
	a->items[a->n++] = (struct address){.email = mem_str(email), .primary = primary};
	return true;
}

static void refuse(struct addresses *a, enum email_fault fault, const char *text, size_t len)
{
	struct addresses_refused *r = &a->refused[fault];
	char shown[MASK_EMAIL_MAX];

	r->n++;
	if (!r->shown)
		r->shown = mem_str(email_refused(text, len, shown));
}

static bool add_part(struct addresses *a, const char *text, size_t len, bool encoded, bool primary)
{
	char email[EMAIL_MAX + 1];
	enum email_fault fault = encoded ? email_read_encoded(text, len, email) : email_read(text, len, email);

	if (fault == EMAIL_GOOD)
		return add_one(a, email, primary);
	if (fault != EMAIL_ABSENT)
		refuse(a, fault, text, len);
	return false;
}

bool addresses_add(struct addresses *a, const char *raw, bool primary)
{
	CLEANUP(mem_freep) char *copy = raw ? mem_str(raw) : NULL;
	const char *text = raw ? text_trim_unseen(copy) : "", *part;
	size_t mailto = email_mailto(text), len = strlen(text);
	struct parts parts;
	bool any = false;

	if (url_scheme(text) > 0)
		return add_part(a, text, len, false, primary);
	if (mailto > 0) {
		text += mailto;
		len = strcspn(text, "?#");
	}
	parts_begin(&parts, text, len);
	while ((part = parts_next(&parts, &len)))
		any = add_part(a, part, len, mailto > 0, primary) || any;
	return any;
}

void addresses_tell_refused(const struct addresses *a, struct buf *to)
{
	const char *between = "";

	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++) {
		const struct addresses_refused *r = &a->refused[f];

		if (r->n == 0)
			continue;
		buf_adds(to, between);
		if (r->n > 1)
			buf_addf(to, "%zu such as ", r->n);
		buf_addf(to, "%s (%s)", r->shown, email_fault_name(f));
		between = ", ";
	}
}

void addresses_copy(struct addresses *to, const struct addresses *from)
{
	*to = (struct addresses){.left_out = from->left_out};
	for (size_t i = 0; i < from->n; i++)
		(void)add_one(to, from->items[i].email, from->items[i].primary);
	for (size_t i = 0; i < EMAIL_FAULTS_; i++)
		to->refused[i] = (struct addresses_refused){from->refused[i].n, mem_str(from->refused[i].shown)};
}

void addresses_done(struct addresses *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->items[i].email);
	free(a->items);
	for (size_t i = 0; i < EMAIL_FAULTS_; i++)
		free(a->refused[i].shown);
	*a = (struct addresses){0};
}

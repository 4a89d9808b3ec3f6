/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/customer.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mask.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url.h"

#define CUSTOMER_TAKEN_MAX 64

/* ---- several in one text ----------------------------------------------------------------------------------------- */

/*
 * The position in a text with addresses. A token is a quoted text, a bracketed text, or one byte; a quote or bracket
 * without its end is one byte. Positions once found are kept, so that the text is scanned once.
 */
struct address_cursor {
	const char *at, *end;
	const char *last_quote, *last_bracket; /* the last closing one in the text; NULL: none */
	const char *mark; /* the first token from `at` on with an @ or a "<"; NULL: not searched yet */
};

static size_t token_length(const struct address_cursor *p, const char *at)
{
	if (*at == '"' && p->last_quote && at < p->last_quote)
		return (size_t)((const char *)memchr(at + 1, '"', (size_t)(p->end - at) - 1) + 1 - at);
	if (*at == '<' && p->last_bracket && at < p->last_bracket)
		return (size_t)((const char *)memchr(at, '>', (size_t)(p->end - at)) + 1 - at);
	return 1;
}

/* True where a name stands before the next address: "Kim <" in "Berg, Kim <kim@example.com>". */
static bool name_continues(struct address_cursor *p, const char *at)
{
	if (!p->mark || p->mark < at)
		for (p->mark = at; p->mark < p->end && *p->mark != '@' && *p->mark != '<';)
			p->mark += token_length(p, p->mark);
	return p->mark < p->end && *p->mark == '<';
}

/* Returns the next part, without its separator; NULL behind the last. */
static const char *address_next(struct address_cursor *p, size_t *ret_len)
{
	const char *start = p->at;
	const char *at = start;
	bool address = false; /* the part has an address, or brackets for one */

	if (!start)
		return NULL;
	while (at < p->end) {
		if (*at == ';' || (*at == ',' && (address || !name_continues(p, at + 1))))
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

static bool add_part(struct addresses *a, const char *text, size_t len, bool encoded, bool primary)
{
	char email[EMAIL_MAX + 1], shown[MASK_EMAIL_MAX];
	enum email_fault fault = email_read(text, len, encoded, email);

	if (fault == EMAIL_GOOD)
		return add_one(a, email, primary);
	if (fault == EMAIL_ABSENT)
		return false;
	a->refused[fault].n++;
	if (!a->refused[fault].shown)
		a->refused[fault].shown = mem_str(email_refused(text, len, shown));
	return false;
}

/* Adds a text that is no plain address: it may have a name, several addresses, or be a URL. */
static bool add_text(struct addresses *a, const char *raw, bool primary)
{
	CLEANUP(mem_freep) char *own = NULL;
	char room[EMAIL_ROOM];
	const char *text = text_trim_unseen(mem_dup_in(raw, strlen(raw), room, sizeof(room), &own));
	size_t mailto = email_mailto(text);
	size_t len = strlen(text);
	struct address_cursor cursor = {0};
	bool any = false;
	const char *part;

	if (url_scheme(text) > 0)
		return add_part(a, text, len, false, primary);
	if (mailto > 0) {
		text += mailto;
		len = strcspn(text, "?#");
	}
	cursor = (struct address_cursor){
		.at = text,
		.end = text + len,
		.last_quote = memrchr(text, '"', len),
		.last_bracket = memrchr(text, '>', len),
	};
	while ((part = address_next(&cursor, &len)))
		any = add_part(a, part, len, mailto > 0, primary) || any;
	return any;
}

bool addresses_add(struct addresses *a, const char *raw, bool primary)
{
	char email[EMAIL_MAX + 1];

	if (!raw)
		return false;
	return email_read_plain(raw, email) ? add_one(a, email, primary) : add_text(a, raw, primary);
}

void addresses_describe_refused(const struct addresses *a, struct buf *to)
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

/* ---- a customer in the store's cache ----------------------------------------------------------------------------- */

void customer_done(struct customer *c)
{
	addresses_done(&c->addresses);
	pairs_done(&c->taken);
}

char *customer_text(const struct customer *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *addresses = json_object_new_array();
	struct json_object *taken = json_object_new_object();
	char *text;

	for (size_t i = 0; i < c->addresses.n; i++) {
		struct json_object *one = json_object_new_object();

		json_set_str(one, "email", c->addresses.items[i].email);
		if (c->addresses.items[i].primary)
			json_set_bool(one, "primary", true);
		json_object_array_add(addresses, one);
	}
	for (size_t i = 0; i < c->taken.n; i++)
		json_set_str(taken, c->taken.items[i].name, c->taken.items[i].value);
	json_object_object_add(o, "addresses", addresses);
	json_object_object_add(o, "taken", taken);
	text = json_text(o);
	json_object_put(o);
	return text;
}

static int customer_read_addresses(struct json_object *list, struct addresses *ret)
{
	size_t n;

	if (!json_object_is_type(list, json_type_array))
		return -EINVAL;
	n = json_object_array_length(list);
	if (n > ADDRESSES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (!addresses_add(ret, json_member_str(one, "email"), json_member_bool(one, "primary", false)))
			return -EINVAL;
	}
	return 0;
}

static int customer_read_taken(struct json_object *map, struct pairs *ret)
{
	if (!json_object_is_type(map, json_type_object) || json_object_object_length(map) > CUSTOMER_TAKEN_MAX)
		return -EINVAL;
	json_object_object_foreach(map, name, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return -EINVAL;
		pairs_add(ret, name, json_object_get_string(value));
	}
	return 0;
}

int customer_read(const char *text, struct customer *ret, struct err *reterr)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct customer c = {0};
	int r;

	r = json_read(text, strlen(text), &o, reterr);
	if (r < 0)
		return r;
	if (customer_read_addresses(json_member(o, "addresses"), &c.addresses) < 0 ||
	    customer_read_taken(json_member(o, "taken"), &c.taken) < 0) {
		customer_done(&c);
		return err_set(reterr, -EINVAL, "not a customer as customer_text writes it");
	}
	*ret = c;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Splits by position: the items are cut out of the text byte by byte, so that numbers, escapes and the rest of the body
 * stay in every item as the helpdesk wrote them. The text is parsed first, so the scanner below reads valid JSON.
 */
#include <config.h>

#include "helpdesk/parse/batch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "helpdesk/definition/definition_internal.h"

struct item {
	const char *at;
	size_t len;
};

struct batch {
	const char *text;
	size_t len;
	bool whole;         /* one item: the text itself */
	size_t head, tail;  /* bytes up to and including the array's "[", and from its "]" on */
	struct item *items; /* NULL where whole */
	size_t n;
	struct json_object *tree; /* of the text where whole; NULL: not parsed, or taken */
	size_t tree_bytes;        /* the memory of the tree, by json_read_sized() */
};

/* ---- scanning JSON ----------------------------------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
};

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && json_is_blank(*c->at))
		c->at++;
}

static void skip_string(struct cursor *c)
{
	for (c->at++; c->at < c->end && *c->at != '"'; c->at++)
		c->at += *c->at == '\\';
	c->at++;
}

/* Skips one value. */
static void skip_value(struct cursor *c)
{
	unsigned depth = 0;

	do {
		switch (*c->at) {
		case '"':
			skip_string(c);
			break;
		case '{':
		case '[':
			depth++;
			c->at++;
			break;
		case '}':
		case ']':
			depth--;
			c->at++;
			break;
		case ' ':
		case '\t':
		case '\n':
		case '\r':
		case ',':
		case ':':
			c->at++;
			break;
		default: /* a number or a word */
			while (c->at < c->end && !strchr(" \t\n\r,:]}", *c->at))
				c->at++;
			break;
		}
	} while (depth > 0 && c->at < c->end);
}

/* Goes to the next element or key of the array or object that c stands in; false at its end. */
static bool next_child(struct cursor *c)
{
	skip_blanks(c);
	if (c->at < c->end && *c->at == ',') {
		c->at++;
		skip_blanks(c);
	}
	return c->at < c->end && *c->at != ']' && *c->at != '}';
}

/* Goes from an object's "{" to the value of that key, the last of several, as everywhere; false where there is none. */
static bool to_member(struct cursor *c, const char *key)
{
	const char *found = NULL;

	for (c->at++; next_child(c); skip_value(c)) {
		CLEANUP(json_putp) struct json_object *o = NULL;
		const char *from = c->at;
		size_t len;
		bool same;

		skip_string(c);
		len = (size_t)(c->at - from); /* with its quotes */
		if (memchr(from, '\\', len))
			same = json_read(from, len, &o, NULL) == 0 && strcmp(json_object_get_string(o), key) == 0;
		else
			same = len == strlen(key) + 2 && memcmp(from + 1, key, len - 2) == 0;
		skip_blanks(c);
		c->at++; /* the colon */
		skip_blanks(c);
		if (same)
			found = c->at;
	}
	c->at = found;
	return found;
}

/* Goes from an array's "[" to that element; false where there is none. */
static bool to_element(struct cursor *c, size_t index)
{
	for (c->at++; next_child(c); skip_value(c))
		if (index-- == 0)
			return true;
	return false;
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* Puts c on the "[" of the array at `each`; false where there is none. */
static bool to_array(const struct reference *each, struct cursor *c)
{
	const char *key;
	size_t index;

	skip_blanks(c);
	for (size_t i = 0; (key = reference_key(each, i)); i++)
		if (*c->at == '{' ? !to_member(c, key)
				  : *c->at != '[' || !reference_index(each, i, &index) || !to_element(c, index))
			return false;
	return *c->at == '[';
}

static int batch_find(struct batch *b, const struct reference *each, struct err *reterr)
{
	struct cursor c = {b->text + text_bom(b->text, b->len), b->text + b->len};
	const char *place = reference_text(each);
	size_t bytes = 0;

	if (!to_array(each, &c))
		return err_set(reterr, -EINVAL, "no list of items at %s", *place != '\0' ? place : "the top");
	b->head = (size_t)(c.at + 1 - b->text);
	b->items = mem_new(BATCH_ITEMS_MAX, sizeof(*b->items));
	for (c.at++; next_child(&c); b->n++) {
		const char *from = c.at;

		if (b->n == BATCH_ITEMS_MAX)
			return err_set(reterr, -EINVAL, "more than %d items at %s", BATCH_ITEMS_MAX,
				       *place != '\0' ? place : "the top");
		skip_value(&c);
		b->items[b->n] = (struct item){from, (size_t)(c.at - from)};
		bytes += b->items[b->n].len;
	}
	b->tail = (size_t)(c.at - b->text);
	bytes += b->n * (b->head + b->len - b->tail);
	if (bytes > BATCH_BYTES_MAX)
		return err_set(
			reterr, -EINVAL,
			"%zu items at %s, each with the rest of the body, would take %zu MiB; the limit is %d MiB",
			b->n, *place != '\0' ? place : "the top", bytes >> 20, BATCH_BYTES_MAX >> 20);
	return 0;
}

bool batch_may_split(const struct definition *d)
{
	return d->each != NULL;
}

int batch_open(const struct definition *d, const char *type, const char *text, size_t len, struct batch **ret,
	       struct err *reterr)
{
	struct json_object *tree = NULL;
	size_t tree_bytes = 0;
	struct batch *b;
	int r = 0;

	if (d->each) {
		r = body_read(body_form_of(d->body, type), text, len, &tree, &tree_bytes, reterr);
		if (r < 0)
			return r;
	}
	b = mem_new(1, sizeof(*b));
	*b = (struct batch){
		.text = text, .len = len, .whole = !d->each, .n = !d->each, .tree = tree, .tree_bytes = tree_bytes};
	if (d->each)
		r = batch_find(b, d->each, reterr);
	if (r < 0) {
		batch_close(b);
		return r;
	}
	b->whole = b->n == 1;
	if (!b->whole)
		json_object_put(TAKE(b->tree));
	*ret = b;
	return 0;
}

void batch_close(struct batch *b)
{
	if (!b)
		return;
	json_object_put(b->tree);
	free(b->items);
	free(b);
}

size_t batch_items(const struct batch *b)
{
	return b->n;
}

char *batch_item(const struct batch *b, size_t i, size_t *ret_len)
{
	const struct item *item;
	char *text;
	size_t len;

	INSIST(i < b->n);
	if (b->whole) {
		*ret_len = b->len;
		return mem_dup(b->text, b->len);
	}
	item = &b->items[i];
	len = b->head + item->len + b->len - b->tail;
	text = mem_new(len + 1, 1);
	memcpy(text, b->text, b->head);
	memcpy(text + b->head, item->at, item->len);
	memcpy(text + b->head + item->len, b->text + b->tail, b->len - b->tail);
	*ret_len = len;
	return text;
}

struct json_object *batch_take_tree(struct batch *b, size_t *ret_bytes)
{
	*ret_bytes = b->tree_bytes;
	return TAKE(b->tree);
}

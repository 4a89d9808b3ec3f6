/* SPDX-License-Identifier: MIT */
/*
 * yaml: turns libyaml's events into nodes.
 *
 * The recursion over the events is at most YAML_DEPTH_MAX deep. A node is added to its parent before it is filled, so
 * that its path is right in every message. An error that libyaml can continue after is reported, and the reading
 * continues. An error of libyaml itself ends the reading, with a hint where the usual cause is text that needs quotes.
 */
#include <config.h>

#include "conf/yaml.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "conf/access.h"

struct reader {
	yaml_parser_t parser;
	const char *file;
	const char *text;
	size_t len;
	struct problems *problems;
	size_t nodes;
};

/* ---- syntax errors ----------------------------------------------------------------------------------------------- */

/* Returns the line of a mark. *ret_len: its length without the line end. *ret_at: the byte at which the mark's
 * character begins. */
static const char *line_of(const struct reader *r, const yaml_mark_t *mark, size_t *ret_len, size_t *ret_at)
{
	const char *line = r->text;
	const char *end = r->text + r->len;
	size_t at = 0;
	const char *stop;
	size_t len;

	for (size_t i = 0; i < mark->line && line < end; i++) {
		stop = memchr(line, '\n', (size_t)(end - line));
		line = stop ? stop + 1 : end;
	}
	stop = memchr(line, '\n', (size_t)(end - line));
	len = (size_t)((stop ? stop : end) - line);
	for (size_t i = 0; i < mark->column && at < len; i++) {
		at++;
		while (at < len && ((unsigned char)line[at] & 0xc0) == 0x80)
			at++;
	}
	*ret_len = len;
	*ret_at = at;
	return line;
}

/* Returns the offset of the first value in a line: after blanks, dashes and a key. */
static size_t line_value(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && (line[i] == ' ' || (line[i] == '-' && i + 1 < len && line[i + 1] == ' ')))
		i++;
	for (size_t k = i; k + 1 < len; k++) {
		if (line[k] == '{' || line[k] == '"' || line[k] == '\'' || line[k] == '#')
			break;
		if (line[k] != ':' || line[k + 1] != ' ')
			continue;
		for (k++; k < len && line[k] == ' '; k++)
			;
		return k;
	}
	return i;
}

/* Returns a hint on the likely mistake; NULL: none. */
static const char *reader_hint(const struct reader *r, const yaml_mark_t *mark)
{
	static const char quotes[] = "put it in quotes: text that begins with * & ! % @ ` or { must stand in quotes";
	size_t len, at, start, value;
	const char *line = line_of(r, mark, &len, &at);

	if (at < len && line[at] == '\t')
		return "indent with blanks: a tab may not stand here";
	for (start = at; start > 0 && !strchr(" \t,[", line[start - 1]); start--)
		;
	if (start < len && strchr("*&!%@`{", line[start]))
		return quotes;
	value = line_value(line, len);
	if (value < at && line[value] == '{' && memchr(line + value, '}', at - value))
		return quotes;
	return NULL;
}

static void reader_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const yaml_mark_t *mark = &p->problem_mark;
	const char *problem = p->problem ? p->problem : "unreadable";
	const char *hint;

	if (p->error == YAML_READER_ERROR) {
		/* libyaml reports these errors by byte */
		size_t at = p->problem_offset < r->len ? p->problem_offset : r->len, line = 1, begin = 0;

		for (size_t i = 0; i < at; i++) {
			if (r->text[i] != '\n')
				continue;
			line++;
			begin = i + 1;
		}
		problems_error_at(r->problems, r->file, (unsigned)line, (unsigned)(at - begin + 1),
				  "not readable as YAML: %s (byte %zu); write it in UTF-8", problem, at);
		return;
	}
	hint = reader_hint(r, mark);
	if (p->context && p->context_mark.line != mark->line)
		problems_error_at(r->problems, r->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
				  "not readable as YAML: %s, %s that begins in line %zu%s%s", problem, p->context,
				  p->context_mark.line + 1, hint ? "; " : "", hint ? hint : "");
	else
		problems_error_at(r->problems, r->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
				  "not readable as YAML: %s%s%s%s%s", problem, p->context ? ", " : "",
				  p->context ? p->context : "", hint ? "; " : "", hint ? hint : "");
}

static bool reader_next(struct reader *r, yaml_event_t *ret)
{
	if (yaml_parser_parse(&r->parser, ret))
		return true;
	reader_syntax(r);
	return false;
}

/* ---- events to nodes --------------------------------------------------------------------------------------------- */

static bool is_null(const yaml_event_t *e)
{
	const char *s = (const char *)e->data.scalar.value;

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
		strcmp(s, "NULL") == 0);
}

static struct node *reader_node(struct reader *r, const yaml_event_t *e)
{
	enum node_type type = NODE_SCALAR;

	if (e->type == YAML_MAPPING_START_EVENT)
		type = NODE_MAP;
	else if (e->type == YAML_SEQUENCE_START_EVENT)
		type = NODE_LIST;
	else if (e->type == YAML_SCALAR_EVENT && is_null(e))
		type = NODE_NULL;
	return node_new(type, r->file, (unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1);
}

/* Reports anchors and tags, which these files do not use. */
static void reader_refuse(struct reader *r, const yaml_event_t *e, const struct node *n)
{
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;

	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor)
		problems_error(r->problems, n,
			       "anchors (&%s) are not known here: write it out; where it is text, put it in quotes",
			       anchor);
	if (tag)
		problems_error(r->problems, n,
			       "tags (%s) are not known here: leave it out; where it is text, put it in quotes", tag);
}

static int by_key(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a;
	const struct node *y = *(struct node *const *)b;
	int order = strcmp(x->key, y->key);

	if (order != 0)
		return order;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

/* Reports keys that are given twice, and keeps the first. Sorts the keys, so that the time does not grow with the
 * square of their number. */
static void reader_unique(struct reader *r, struct node *map)
{
	CLEANUP(mem_freep) struct node **sorted = mem_new(map->n, sizeof(*sorted));
	const struct node *first = NULL;
	size_t kept = 0;

	if (map->n < 2)
		return;
	memcpy(sorted, map->items, map->n * sizeof(*sorted));
	qsort(sorted, map->n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < map->n; i++) {
		if (first && strcmp(first->key, sorted[i]->key) == 0) {
			struct node at = node_at_key(sorted[i]);

			problems_error(r->problems, &at, "given twice (first in line %u): keep one", first->key_line);
			sorted[i]->key_line = 0; /* no key has it: marks the nodes to remove */
		} else {
			first = sorted[i];
		}
	}
	for (size_t i = 0; i < map->n; i++) {
		if (map->items[i]->key_line == 0)
			node_free(map->items[i]);
		else
			map->items[kept++] = map->items[i];
	}
	map->n = kept;
}

static bool reader_fill(struct reader *r, yaml_event_t *e, struct node *n, unsigned depth);

/* Reads the next value into a child of parent. False: the reading cannot continue. */
static bool reader_child(struct reader *r, yaml_event_t *e, struct node *parent, const char *key, const yaml_mark_t *at,
			 unsigned depth)
{
	struct node *child = reader_node(r, e);

	node_add(parent, key, child);
	if (at) {
		child->key_line = (unsigned)at->line + 1;
		child->key_column = (unsigned)at->column + 1;
	}
	if (strlen(child->path) > YAML_PATH_MAX) {
		problems_error_at(r->problems, r->file, child->line, child->column,
				  "the keys down to here are longer than %d bytes together", YAML_PATH_MAX);
		yaml_event_delete(e);
		return false;
	}
	return reader_fill(r, e, child, depth);
}

static bool reader_list(struct reader *r, struct node *list, unsigned depth)
{
	yaml_event_t e;

	for (;;) {
		if (!reader_next(r, &e))
			return false;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (!reader_child(r, &e, list, NULL, NULL, depth))
			return false;
	}
	yaml_event_delete(&e);
	return true;
}

/* Reads a wrong key and its value, and drops both. */
static bool reader_bad_key(struct reader *r, yaml_event_t *key, unsigned depth)
{
	CLEANUP(node_freep) struct node *ignored = reader_node(r, key);
	CLEANUP(node_freep) struct node *value = NULL;
	yaml_event_t e;

	problems_error(r->problems, ignored, "a key must be text of 1 to %d bytes%s", YAML_KEY_MAX,
		       key->type == YAML_MAPPING_START_EVENT ? "; where this is text with braces, put it in quotes"
							     : "");
	if (!reader_fill(r, key, ignored, depth) || !reader_next(r, &e))
		return false;
	value = reader_node(r, &e);
	return reader_fill(r, &e, value, depth);
}

static bool is_key(const yaml_event_t *e)
{
	size_t len;

	if (e->type != YAML_SCALAR_EVENT || e->data.scalar.anchor || e->data.scalar.tag)
		return false;
	len = e->data.scalar.length;
	return len > 0 && len <= YAML_KEY_MAX && strlen((const char *)e->data.scalar.value) == len;
}

static bool reader_map(struct reader *r, struct node *map, unsigned depth)
{
	for (;;) {
		CLEANUP(mem_freep) char *key = NULL;
		yaml_event_t e;
		yaml_mark_t at;

		if (!reader_next(r, &e))
			return false;
		if (e.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&e);
			reader_unique(r, map);
			return true;
		}
		if (!is_key(&e)) {
			if (!reader_bad_key(r, &e, depth))
				return false;
			continue;
		}
		key = mem_str((const char *)e.data.scalar.value);
		at = e.start_mark;
		yaml_event_delete(&e);
		if (!reader_next(r, &e) || !reader_child(r, &e, map, key, &at, depth))
			return false;
	}
}

/* Fills n from the event, which it deletes, and those that follow. False: the reading cannot continue. */
static bool reader_fill(struct reader *r, yaml_event_t *e, struct node *n, unsigned depth)
{
	enum node_type type = n->type;

	reader_refuse(r, e, n);
	if (e->type == YAML_ALIAS_EVENT) {
		n->text = mem_fmt("*%s", (const char *)e->data.alias.anchor);
		problems_error(r->problems, n,
			       "aliases (%s) are not known here: write it out; where it is text, put it in quotes",
			       n->text);
	} else if (e->type == YAML_SCALAR_EVENT) {
		const char *s = (const char *)e->data.scalar.value;

		if (strlen(s) != e->data.scalar.length)
			problems_error(r->problems, n, "holds a NUL character, which no text here may");
		if (type == NODE_SCALAR) {
			n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
			n->text = mem_str(s);
		}
	}
	yaml_event_delete(e);
	if (++r->nodes > YAML_NODES_MAX) {
		problems_error(r->problems, n, "more than %d values in one file", YAML_NODES_MAX);
		return false;
	}
	if (depth >= YAML_DEPTH_MAX && (type == NODE_LIST || type == NODE_MAP)) {
		problems_error(r->problems, n, "more than %d levels deep", YAML_DEPTH_MAX);
		return false;
	}
	if (type == NODE_LIST)
		return reader_list(r, n, depth + 1);
	return type != NODE_MAP || reader_map(r, n, depth + 1);
}

/* Stream start, document start, the root, document end, stream end. */
static bool reader_stream(struct reader *r, struct node **ret)
{
	CLEANUP(node_freep) struct node *root = NULL;
	yaml_event_t e;

	for (;;) {
		yaml_event_type_t type;

		if (!reader_next(r, &e))
			return false;
		type = e.type;
		if (type == YAML_DOCUMENT_START_EVENT && root) {
			problems_error_at(r->problems, r->file, (unsigned)e.start_mark.line + 1,
					  (unsigned)e.start_mark.column + 1,
					  "a second document begins here: one file is one document");
			type = YAML_STREAM_END_EVENT;
		}
		if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT ||
		    type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT) {
			root = reader_node(r, &e);
			if (!reader_fill(r, &e, root, 0))
				return false;
			continue;
		}
		yaml_event_delete(&e);
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	*ret = root ? TAKE(root) : node_new(NODE_NULL, r->file, 1, 1);
	return true;
}

static int too_large(const char *file, struct problems *problems)
{
	problems_error_at(problems, file, 0, 0, "larger than %d KiB, which no file of this kind is",
			  YAML_SIZE_MAX / 1024);
	return -EFBIG;
}

int yaml_load(const char *file, const char *text, size_t len, struct node **ret, struct problems *problems)
{
	size_t mark = text_bom(text, len); /* libyaml would count the mark as a column */
	struct reader r = {.file = file, .text = text + mark, .len = len - mark, .problems = problems};
	bool whole;

	if (len > YAML_SIZE_MAX)
		return too_large(file, problems);
	INSIST(yaml_parser_initialize(&r.parser));
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.len);
	whole = reader_stream(&r, ret);
	yaml_parser_delete(&r.parser);
	return whole ? 0 : -EINVAL;
}

int yaml_load_file(const char *file, struct node **ret, struct problems *problems)
{
	CLEANUP(mem_freep) char *advice = NULL;
	char *text;
	size_t len;
	int r = file_read(file, FILE_ANY, YAML_SIZE_MAX, &text, &len);

	if (r == -EFBIG)
		return too_large(file, problems);
	if (r < 0) {
		advice = access_advice(file, r);
		problems_error_at(problems, file, 0, 0, "cannot be read: %s%s", strerror(-r), advice);
		return r;
	}
	r = yaml_load(file, text, len, ret, problems);
	mem_wipe(text, len); /* the text may hold passwords */
	return r;
}

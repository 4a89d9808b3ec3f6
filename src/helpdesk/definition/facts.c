/*
 * `unconfirmed`: the facts of a definition that no document of the vendor confirms, each on one line.
 */
#include <config.h>

#include "helpdesk/definition/definition_reader.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static bool is_blank(char c)
{
	return strchr(" \t\r\n", c) != NULL;
}

/* Takes over what was gathered. */
static void add_fact(struct definition *d, struct buf *gathered)
{
	if (gathered->len > 0)
		strings_add(&d->facts, gathered->data);
	buf_done(gathered);
	buf_init(gathered, SIZE_MAX);
}

/* Adds the words of a line with one blank between them. */
static void gather(struct buf *to, const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_blank(line[i]))
			continue;
		if (to->len > 0 && (i == 0 || is_blank(line[i - 1])))
			buf_addc(to, ' ');
		buf_addc(to, line[i]);
	}
}

/* A fact of a text ends where a line ends with a sentence, or at an empty line. A list's text is one fact. */
static void read_fact_text(struct definition *d, const char *text, bool several)
{
	struct buf gathered;

	buf_init(&gathered, SIZE_MAX);
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n"), end = len;

		while (end > 0 && is_blank(line[end - 1]))
			end--;
		gather(&gathered, line, end);
		if (several && (end == 0 || strchr(".!?", line[end - 1])))
			add_fact(d, &gathered);
		line += len + (line[len] == '\n');
	}
	add_fact(d, &gathered);
	buf_done(&gathered);
}

void reader_read_facts(struct reader *r)
{
	const struct node *n = node_get(r->n, "unconfirmed");

	if (n && n->type != NODE_LIST && (n->type != NODE_SCALAR || n->text[0] == '\0')) {
		problems_error(r->problems, n, "expected a list of facts, each a text, not %s",
			       n->type == NODE_SCALAR ? "nothing" : node_kind(n));
		return;
	}
	if (n && n->type == NODE_SCALAR)
		read_fact_text(r->d, n->text, true);
	for (size_t i = 0; n && n->type == NODE_LIST && i < n->n; i++) {
		const struct node *fact = n->items[i];

		if (fact->type == NODE_SCALAR && fact->text[0] != '\0')
			read_fact_text(r->d, fact->text, false);
		else
			problems_error(r->problems, fact, "expected a fact as text, not %s",
				       fact->type == NODE_SCALAR ? "nothing" : node_kind(fact));
	}
}

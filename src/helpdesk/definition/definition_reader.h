/*
 * definition_reader: a definition in the making; for the files of its compiler only (compile.c, which calls the others
 * in a fixed order: names first, as templates need them).
 */
#ifndef HELPDESK_DEFINITION_DEFINITION_READER_H
#define HELPDESK_DEFINITION_DEFINITION_READER_H

#include "helpdesk/definition/definition_parts.h"

struct reader {
	struct definition *d;
	const struct node *n;
	const struct definition_binding *binding; /* or NULL */
	struct problems *problems;
	struct pairs known; /* every name that a template may use; no values */
};

/* definition_facts.c: what no document of the vendor confirms. */
void reader_read_facts(struct reader *r);
/* definition_names.c: parameters become names; then base_url, the source's or the definition's own. */
void reader_read_names(struct reader *r);
void reader_read_base_url(struct reader *r);
/* A name that templates may use from now on; value: NULL where only a lookup will tell it. */
void reader_add_name(struct reader *r, const struct node *at, const char *name, const char *value);

/* For fact_references, template_references, …: tells of a name that nobody fills, where it stands within `at`. */
struct name_check {
	struct reader *r;
	const struct node *at;
	bool in_step; /* of the lookup: what later steps take is not known there */
};
void name_check_one(void *ctx, const struct reference *reference);

/* definition_lookup.c: the steps; and, once attributes are there, which of them take what is shown. */
void reader_read_lookup(struct reader *r);
void reader_mark_shown(struct reader *r);
/* definition_headers.c: which headers a webhook keeps. Only of a definition without mistakes: all parts are there. */
void reader_read_headers(struct reader *r);

#endif

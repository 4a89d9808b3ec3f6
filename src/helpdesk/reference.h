/*
 * reference: where in a webhook a value stands (DESIGN section 8). Compiled once, immutable, shared by threads. Pure.
 *
 * "/a/b/0" JSON Pointer (RFC 6901) with "*" for every element or member, "root:/…", "header:NAME", "query:NAME"; where
 * names are allowed, anything else is a name.
 */
#ifndef HELPDESK_REFERENCE_H
#define HELPDESK_REFERENCE_H

#include "base/err.h"
#include "base/mem.h"
#include "helpdesk/scope.h"

struct reference;

enum reference_names {
	REFERENCE_NO_NAMES,
	REFERENCE_NAMES
};

int reference_compile(const char *text, enum reference_names names, struct reference **ret,
		      struct err *reterr) MUSTCHECK;
void reference_free(struct reference *r);
const char *reference_text(const struct reference *r);
/* The header's name where this is a header reference, else NULL: which headers a webhook must keep. */
const char *reference_header(const struct reference *r);

/* All values found, in document order; each is borrowed from the scope or owned by the list. At most VALUES_MAX. */
#define VALUES_MAX 256
struct values {
	struct json_object **items; /* NULL items: the JSON null */
	size_t n;
};
void reference_values(const struct reference *r, const struct scope *s, struct values *ret);
void values_done(struct values *v);
/* The first value that is a non-empty scalar, as text; NULL where there is none. The caller owns it. */
char *reference_scalar(const struct reference *r, const struct scope *s) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * reference: where in a webhook a value stands. Compiled once, immutable, shared by threads. Pure.
 *
 * "/a/b/0" JSON Pointer (RFC 6901) with "*" for every element or member, "root:/…", "header:NAME", "query:NAME"; where
 * names are allowed, anything else is a name.
 */
#ifndef HELPDESK_EXPR_REFERENCE_H
#define HELPDESK_EXPR_REFERENCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

/* What references, matchers and templates look at. Borrowed views, built on the stack for one reading. */
struct eval_context {
	struct json_object *item;    /* "/…": the webhook's item, or a lookup's answer */
	struct json_object *root;    /* "root:/…": the whole body where it carried several items; else as item */
	const struct pairs *headers; /* "header:NAME" */
	const struct pairs *query;   /* "query:NAME", decoded */
	const struct pairs *names;   /* bare names in templates: parameters, base_url; a rule's label, transition */
	const struct pairs *taken;   /* bare names too: what lookups took. A stranger's text: escaped in URLs */
	/* The bytes that patterns may still look at in all questions together; NULL: PATTERN_TEXTS_MAX in each. */
	size_t *texts_left;
	struct json_object *properties; /* bare names in rules: the event's properties, without regard to case */
};

enum reference_kind {
	REFERENCE_POINTER,
	REFERENCE_ROOT,
	REFERENCE_HEADER,
	REFERENCE_QUERY,
	REFERENCE_NAME,
};

/* One step of a pointer. */
struct token {
	bool star, is_index;
	size_t index;
	char *key;          /* unescaped */
	unsigned long hash; /* of the key, as the tables of json-c's objects have it */
};

#define REFERENCE_TOKENS_MAX 32
/* Public for the inline functions below; only these and reference.c read its members. */
struct reference {
	enum reference_kind kind;
	char *text;
	const char *name; /* of a header, a query parameter, a name; points into text */
	unsigned stars;
	size_t n;
	struct token tokens[REFERENCE_TOKENS_MAX];
};

enum reference_names {
	REFERENCE_NO_NAMES,
	REFERENCE_NAMES
};

int reference_compile(const char *text, enum reference_names names, struct reference **ret,
		      struct err *reterr) MUSTCHECK;
/* A JSON Pointer without stars, and "" for the whole: what `each` names. */
int reference_compile_array(const char *text, struct reference **ret, struct err *reterr) MUSTCHECK;
void reference_free(struct reference *r);
/* Whether a header can be called so; false for "". */
bool reference_header_is_good(const char *name);

/* The reference as it is written. */
static inline const char *reference_text(const struct reference *r)
{
	return r->text;
}
/* The header's name where this is a header reference, else NULL: which headers a webhook must keep. */
static inline const char *reference_header(const struct reference *r)
{
	return r->kind == REFERENCE_HEADER ? r->name : NULL;
}
/* The parameter's name where this is a query reference, else NULL. */
static inline const char *reference_query(const struct reference *r)
{
	return r->kind == REFERENCE_QUERY ? r->name : NULL;
}
/* The name where this is a bare name, else NULL: whether it is known at all. */
static inline const char *reference_name(const struct reference *r)
{
	return r->kind == REFERENCE_NAME ? r->name : NULL;
}
/* How many `*` it has. */
static inline unsigned reference_stars(const struct reference *r)
{
	return r->stars;
}
/* The keys of a pointer from the top on, unescaped; NULL behind the last. */
static inline const char *reference_key(const struct reference *r, size_t i)
{
	return i < r->n ? r->tokens[i].key : NULL;
}
/* Whether such a key names an element of a list, and which. */
static inline bool reference_index(const struct reference *r, size_t i, size_t *ret)
{
	*ret = r->tokens[i].index;
	return r->tokens[i].is_index;
}

/* All values found, in document order; the list holds a reference to each. At most VALUES_MAX. */
#define VALUES_MAX 256
struct values {
	struct json_object **items; /* NULL items: the JSON null */
	size_t n;
	struct json_object *only; /* where items points while there is one: the struct is not copied */
};
void reference_values(const struct reference *r, const struct eval_context *s, struct values *ret);
/* Whether they are two pointers from the same top, with as many stars. */
bool reference_is_sibling(const struct reference *beside, const struct reference *r);
/* For such a pair: for each value of r what `beside` finds with the same element at each `*`; NULL items where that is
 * nothing. */
void reference_sibling_values(const struct reference *r, const struct reference *beside, const struct eval_context *s,
			      struct values *ret, struct values *ret_beside);
void values_done(struct values *v);
/*
 * The first value that is a non-empty scalar, as text, numbers as they were written; NULL where there is none. The
 * caller owns it.
 */
char *reference_scalar(const struct reference *r, const struct eval_context *s) MUSTCHECK;
/* The same, but a text of the context is not copied: the result is borrowed from the context or from *own, which is
 * NULL before the call and which the caller frees. */
const char *reference_peek(const struct reference *r, const struct eval_context *s, char **own);
/* json_scalar() in the same way: borrowed from o where o is a text, else from *own. */
const char *value_peek(struct json_object *o, char **own);
/*
 * Writes text at every place that r points to in the context's item (or root), as a number where a number stands there
 * and text is one. Makes the members on the way that are not there. Whether it was written anywhere; false for all but
 * pointers.
 */
bool reference_put(const struct reference *r, const struct eval_context *s, const char *text);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * reference: the place of a value in a webhook. Compiled once, immutable, shared by threads. Pure.
 *
 * The forms: "/a/b/0", a JSON Pointer (RFC 6901) with "*" for every element or member; "root:/…"; "header:NAME";
 * "query:NAME"; where names are allowed, any other text is a name.
 */
#ifndef HELPDESK_EXPR_REFERENCE_H
#define HELPDESK_EXPR_REFERENCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "helpdesk/expr/properties.h"

/* The data that references, matchers and templates read. Borrowed pointers, built on the stack for one evaluation. */
struct eval_context {
	struct json_object *item;    /* "/…": the webhook's item, or a lookup's answer */
	struct json_object *root;    /* "root:/…": the whole body where it had several items; else as item */
	const struct pairs *headers; /* "header:NAME" */
	const struct pairs *query;   /* "query:NAME", decoded */
	const struct pairs *names;   /* names in templates: parameters, base_url; a rule's label and transition */
	const struct pairs *taken;   /* names, too: values taken by lookups. Text from outside, so encoded in URLs */
	/* The bytes that patterns may still read in all evaluations together; NULL: PATTERN_TEXTS_MAX in each. */
	size_t *texts_left;
	const struct properties *properties; /* names in rules: the event's properties, without regard to case */
};

enum reference_kind {
	REFERENCE_POINTER,
	REFERENCE_ROOT,
	REFERENCE_HEADER,
	REFERENCE_QUERY,
	REFERENCE_NAME,
};

/* One token of a pointer. */
struct token {
	bool star, is_index;
	size_t index;
	char *key;          /* unescaped */
	unsigned long hash; /* of the key, as json-c's hash tables compute it */
};

#define REFERENCE_TOKENS_MAX 32
/* Public for the inline functions below. Only they and reference.c read its members. */
struct reference {
	enum reference_kind kind;
	char *text;
	const char *name; /* of a header, a query parameter or a name; points into text */
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
/* Compiles a JSON Pointer without stars, or "" for the whole: the value of `each`. */
int reference_compile_array(const char *text, struct reference **ret, struct err *reterr) MUSTCHECK;
void reference_free(struct reference *r);
/* True where the text is a valid name of a header; false for "". */
bool reference_header_is_good(const char *name);

/* Returns the reference as it is written. */
static inline const char *reference_text(const struct reference *r)
{
	return r->text;
}
/* Returns the header's name of a header reference; NULL for others. */
static inline const char *reference_header(const struct reference *r)
{
	return r->kind == REFERENCE_HEADER ? r->name : NULL;
}
/* Returns the parameter's name of a query reference; NULL for others. */
static inline const char *reference_query(const struct reference *r)
{
	return r->kind == REFERENCE_QUERY ? r->name : NULL;
}
/* Returns the name of a reference that is a name; NULL for others. */
static inline const char *reference_name(const struct reference *r)
{
	return r->kind == REFERENCE_NAME ? r->name : NULL;
}
/* Returns the number of `*`. */
static inline unsigned reference_stars(const struct reference *r)
{
	return r->stars;
}
/* Returns the i-th key of a pointer, unescaped; NULL behind the last. */
static inline const char *reference_key(const struct reference *r, size_t i)
{
	return i < r->n ? r->tokens[i].key : NULL;
}
/* True where the i-th key is the index of an element, which is then in *ret. */
static inline bool reference_index(const struct reference *r, size_t i, size_t *ret)
{
	*ret = r->tokens[i].index;
	return r->tokens[i].is_index;
}

/* Finds all values, in document order, at most VALUES_MAX. The list owns a reference to each. */
#define VALUES_MAX 256
struct values {
	struct json_object **items; /* NULL items: the JSON null */
	size_t n;
	struct json_object *only; /* items points here while n is 1, so the struct must not be copied */
};
void reference_values(const struct reference *r, const struct eval_context *s, struct values *ret);
/* True where both are pointers from the same top with the same number of stars. */
bool reference_is_sibling(const struct reference *sibling, const struct reference *r);
/* For such a pair: finds for each value of r the value of `sibling` with the same element at each `*`; NULL items where
 * there is none. */
void reference_sibling_values(const struct reference *r, const struct reference *sibling, const struct eval_context *s,
			      struct values *ret, struct values *ret_siblings);
void values_done(struct values *v);
/*
 * Returns the first non-empty scalar as text, numbers as they were written; NULL where there is none. The caller owns
 * it.
 */
char *reference_scalar(const struct reference *r, const struct eval_context *s) MUSTCHECK;
/* As reference_scalar(), but a text of the context is not copied: the result is borrowed from the context or from *own.
 * *own is NULL before the call, and the caller frees it. */
const char *reference_peek(const struct reference *r, const struct eval_context *s, char **own);
/* As json_scalar(), but borrowed from o where o is a text, else from *own. */
const char *value_peek(struct json_object *o, char **own);
/*
 * Writes text at every place of r in the context's item (or root): as a number where a number stands there and text is
 * one. Creates missing members on the way. Returns true where it was written anywhere; false for references that are no
 * pointers.
 */
bool reference_put(const struct reference *r, const struct eval_context *s, const char *text);

#endif

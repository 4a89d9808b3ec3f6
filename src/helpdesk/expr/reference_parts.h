/*
 * reference_parts: what a compiled reference consists of; for reference*.c only.
 */
#ifndef HELPDESK_EXPR_REFERENCE_PARTS_H
#define HELPDESK_EXPR_REFERENCE_PARTS_H

#include "helpdesk/expr/reference.h"

#define REFERENCE_TOKENS_MAX 32

enum reference_kind {
	REFERENCE_POINTER,
	REFERENCE_ROOT,
	REFERENCE_HEADER,
	REFERENCE_QUERY,
	REFERENCE_NAME,
};

struct token {
	bool star;
	char *key;
	bool is_index;
	size_t index;
};

struct reference {
	enum reference_kind kind;
	char *text;
	const char *name; /* of a header, a query parameter, a name; points into text */
	struct token tokens[REFERENCE_TOKENS_MAX];
	size_t n;
	unsigned stars;
};

/* The plain child; false where there is none. */
bool token_child(const struct token *t, struct json_object *o, struct json_object **ret);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * body: parses the bytes of a webhook to a JSON tree, in the form that a definition names (`body`). Pure.
 *
 * A form (application/x-www-form-urlencoded) becomes a flat object of texts. A name that occurs several times becomes a
 * list of texts.
 */
#ifndef HELPDESK_EXPR_BODY_H
#define HELPDESK_EXPR_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"

enum body_form {
	BODY_JSON,
	BODY_FORM,
	BODY_EITHER, /* by the request's Content-Type (body_form_of()); without it JSON where the first letter is "{" or
			"[", else a form */
};

/* Compiles `body: json`, `form`, or the list of both; NULL node: JSON. */
enum body_form body_form_compile(const struct node *n, struct problems *problems);

/*
 * Returns the form of one request by its Content-Type (NULL: none). BODY_EITHER becomes BODY_JSON where the type is
 * JSON. Any other type leaves it open: clients send JSON with a form's type unless they are told otherwise.
 */
enum body_form body_form_of(enum body_form f, const char *type);
/* True for "application/json; charset=utf-8", "application/problem+json" and the like. NULL: false. */
bool body_type_is_json(const char *type);

#define BODY_FIELDS_MAX 1000 /* of a form; a form with more is unreadable */
/* Parses. Returns 0 and a tree that the caller owns, or -EINVAL with the reason: "the body is not JSON: line 1 …".
 * ret_bytes: as in json_read_sized(). */
int body_read(enum body_form f, const char *text, size_t len, struct json_object **ret, size_t *ret_bytes,
	      struct err *reterr) MUSTCHECK;
/* Writes the tree on one line, in the form of `like`. A form takes flat members only. The caller owns the text. */
char *body_write(enum body_form f, const char *like, struct json_object *o) MUSTCHECK;
/* Returns "application/json" or "application/x-www-form-urlencoded", by the form of text. */
const char *body_type(enum body_form f, const char *text);

#endif

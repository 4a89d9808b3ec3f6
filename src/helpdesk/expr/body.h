/* SPDX-License-Identifier: MIT */
/*
 * body: from the bytes of a webhook to a JSON tree, in the form that a definition names (`body`). Pure.
 *
 * A form (application/x-www-form-urlencoded) becomes a flat object of texts; a name that comes several times becomes a
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
	BODY_EITHER, /* as the request's Content-Type says (body_form_of()); without it JSON where its first letter is
			"{" or "[", else a form */
};

/* `body: json`, `form`, or the list of both; NULL node: JSON. */
enum body_form body_form_compile(const struct node *n, struct problems *problems);

/*
 * The form of one request of a definition, by its Content-Type (NULL: none). Of BODY_EITHER: BODY_JSON where the type
 * says JSON. Any other type leaves it open: clients send JSON under a form's type where nobody tells them another.
 */
enum body_form body_form_of(enum body_form f, const char *type);
/* "application/json; charset=utf-8", "application/problem+json". NULL: false. */
bool body_type_is_json(const char *type);

#define BODY_FIELDS_MAX 1000 /* of a form; more are not readable */
/* 0 and an owned tree, or -EINVAL with what is wrong: "the body is not JSON: line 1 …". ret_bytes: as that of
 * json_read_sized(). */
int body_read(enum body_form f, const char *text, size_t len, struct json_object **ret, size_t *ret_bytes,
	      struct err *reterr) MUSTCHECK;
/* The tree in the form in which `like` is written; a form holds what is flat only. One line; the caller owns it. */
char *body_write(enum body_form f, const char *like, struct json_object *o) MUSTCHECK;
/* "application/json" or "application/x-www-form-urlencoded". */
const char *body_type(enum body_form f, const char *text);

#endif

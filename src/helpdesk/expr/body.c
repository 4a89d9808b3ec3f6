/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes the two forms of bodies. A form is parsed as strictly as JSON: text that cannot be decoded is not
 * guessed, as a wrong guess would end in another person's profile. Errors contain nothing of the body.
 */
#include <config.h>

#include "helpdesk/expr/body.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/percent.h"
#include "base/text.h"
#include "helpdesk/expr/keys.h"

static const char *const form_names[] = {"json", "form", NULL};

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/* Compiles one word. Anything else is an error and gives BODY_JSON. */
static enum body_form form_of(const struct node *n, struct problems *problems)
{
	for (size_t i = 0; form_names[i]; i++)
		if (n->type == NODE_SCALAR && strcmp(n->text, form_names[i]) == 0)
			return (enum body_form)i;
	keys_error(n, "body", n->type == NODE_SCALAR ? n->text : node_kind(n), form_names, problems);
	return BODY_JSON;
}

enum body_form body_form_compile(const struct node *n, struct problems *problems)
{
	size_t errors = problems->errors;
	enum body_form first, second;

	if (!n)
		return BODY_JSON;
	if (n->type != NODE_LIST)
		return form_of(n, problems);
	if (n->n != 2) {
		problems_error(problems, n, "expected json, form, or the list of both: [json, form]");
		return BODY_JSON;
	}
	first = form_of(n->items[0], problems);
	second = form_of(n->items[1], problems);
	if (problems->errors == errors && first == second)
		problems_error(problems, n, "expected json, form, or the list of both: [json, form]");
	return BODY_EITHER;
}

bool body_type_is_json(const char *type)
{
	CLEANUP(mem_freep) char *kind = mem_str(type ? type : "");
	size_t n = strcspn(kind, "; \t");

	kind[n] = '\0';
	return n >= 5 && text_same(kind + n - 4, "json") && (kind[n - 5] == '/' || kind[n - 5] == '+');
}

enum body_form body_form_of(enum body_form f, const char *type)
{
	return f == BODY_EITHER && body_type_is_json(type) ? BODY_JSON : f;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool looks_like_json(const char *text, size_t len)
{
	size_t mark = text_bom(text, len);

	text += mark;
	len -= mark;
	while (len > 0 && json_is_blank(*text)) {
		text++;
		len--;
	}
	return len > 0 && (*text == '{' || *text == '[');
}

/* Adds a field. A repeated name becomes a list. Takes ownership of value. */
static void form_add(struct json_object *o, const char *name, struct json_object *value)
{
	struct json_object *there;
	struct json_object *list;

	if (!json_object_object_get_ex(o, name, &there)) {
		json_object_object_add(o, name, value);
		return;
	}
	list = there;
	if (!json_object_is_type(there, json_type_array)) {
		list = json_object_new_array();
		json_object_array_add(list, json_object_get(there));
		json_object_object_add(o, name, list);
	}
	json_object_array_add(list, value);
}

static int form_read_field(const char *at, size_t len, struct json_object *o)
{
	CLEANUP(mem_freep) char *name = NULL;
	CLEANUP(mem_freep) char *value = NULL;
	const char *equals = memchr(at, '=', len);
	size_t name_len = equals ? (size_t)(equals - at) : len;

	if (percent_read(at, name_len, true, &name) < 0)
		return -EINVAL;
	if (equals && percent_read(equals + 1, len - name_len - 1, true, &value) < 0)
		return -EINVAL;
	form_add(o, name, json_object_new_string(value ? value : ""));
	return 0;
}

static int form_read(const char *text, size_t len, struct json_object **ret, size_t *ret_bytes, struct err *reterr)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	size_t fields = 0;
	size_t mark = text_bom(text, len);

	text += mark;
	len -= mark;
	while (len > 0 && json_is_blank(text[len - 1]))
		len--;
	if (!memchr(text, '=', len))
		return err_set(reterr, -EINVAL, "there is no field in it (name=value)");
	for (size_t at = 0, end; at < len; at = end + 1) {
		const char *ampersand = memchr(text + at, '&', len - at);

		end = ampersand ? (size_t)(ampersand - text) : len;
		if (end == at)
			continue;
		if (++fields > BODY_FIELDS_MAX)
			return err_set(reterr, -EINVAL, "more than %d fields", BODY_FIELDS_MAX);
		if (form_read_field(text + at, end - at, o) < 0)
			return err_set(
				reterr, -EINVAL,
				"field %zu is not percent-encoded UTF-8 (a %% without two digits, a NUL, or bytes "
				"of another encoding)",
				fields);
	}
	*ret = TAKE(o);
	/* A repeated field makes a list. */
	if (ret_bytes)
		*ret_bytes = len + JSON_BRANCH_BYTES + fields * (JSON_VALUE_BYTES + JSON_BRANCH_BYTES / 2);
	return 0;
}

/* True where this text must be parsed as JSON. */
static bool reads_json(enum body_form f, const char *text, size_t len)
{
	return f == BODY_JSON || (f == BODY_EITHER && looks_like_json(text, len));
}

int body_read(enum body_form f, const char *text, size_t len, struct json_object **ret, size_t *ret_bytes,
	      struct err *reterr)
{
	bool json = reads_json(f, text, len);
	int r;

	if (!json && looks_like_json(text, len))
		return err_set(reterr, -EINVAL,
			       "the body is no form: expected a form, not JSON (let the helpdesk send "
			       "application/x-www-form-urlencoded, or write `body: [json, form]` in the definition)");
	r = json ? json_read_sized(text, len, ret, ret_bytes, reterr) : form_read(text, len, ret, ret_bytes, reterr);
	if (r < 0)
		(void)err_prefix(reterr, "the body is %s",
				 json               ? "not JSON"
				 : f == BODY_EITHER ? "neither JSON, which begins with { or [, nor a form"
						    : "no form");
	return r;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void form_write_field(const char *name, struct json_object *value, struct buf *to)
{
	CLEANUP(mem_freep) char *text = json_scalar(value);

	if (!text)
		return;
	if (to->len > 0)
		buf_addc(to, '&');
	percent_add_pair(to, name, text);
}

static char *form_write(struct json_object *o)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2); /* bounded by the tree */
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, name, value)
		{
			size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

			for (size_t i = 0; i < n; i++)
				form_write_field(name, json_object_array_get_idx(value, i), &b);
			if (n == 0)
				form_write_field(name, value, &b);
		}
	}
	return b.len > 0 ? buf_take(&b) : mem_str("");
}

char *body_write(enum body_form f, const char *like, struct json_object *o)
{
	return reads_json(f, like, strlen(like)) ? json_text(o) : form_write(o);
}

const char *body_type(enum body_form f, const char *text)
{
	return reads_json(f, text, strlen(text)) ? "application/json" : "application/x-www-form-urlencoded";
}

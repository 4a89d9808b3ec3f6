#include <config.h>

#include "helpdesk/attributes.h"

#include <string.h>

#include "helpdesk/flat.h"

#define ATTRIBUTE_WORDS_MAX 200

/* VALUE: text. A word whose text is NULL leaves the attribute out. */
struct word {
	char *value;
	char *text;
};

struct attribute {
	char *name;
	struct fact *fact;
	struct word *words; /* NULL: the value itself */
	size_t n;
};

struct attributes {
	struct attribute items[ATTRIBUTES_MAX];
	size_t n;
};

const char *const attributes_own[] = {
	"Helpdesk",           "Conversation ID",  "Opened At",    "Closed At",
	"Resolution Seconds", "Total Seconds",    "Reopen Count", "Test",
	"Open Conversations", "Conversation URL", "Event ID",     NULL,
};

static void attribute_check_name(const struct node *n, struct problems *problems)
{
	const char *fault = flat_name_fault(n->key);

	if (fault)
		problems_error(problems, n, "the name \"%.64s\" %s", n->key, fault);
	for (size_t i = 0; attributes_own[i]; i++)
		if (text_same(n->key, attributes_own[i]))
			problems_error(problems, n,
				       "\"%s\" is a property that every event has by itself; choose another name",
				       n->key);
}

static void attribute_compile_words(struct attribute *a, const struct node *n, struct problems *problems)
{
	if (n->type != NODE_MAP || n->n == 0 || n->n > ATTRIBUTE_WORDS_MAX) {
		problems_error(problems, n,
			       "expected a mapping from values to texts, as in {AGENT: agent, \"*\": other}");
		return;
	}
	a->words = mem_new(n->n, sizeof(*a->words));
	for (; a->n < n->n; a->n++) {
		const struct node *word = n->items[a->n];

		if (word->type != NODE_SCALAR && word->type != NODE_NULL)
			problems_error(problems, word, "expected text, not %s", node_kind(word));
		a->words[a->n] = (struct word){.value = mem_str(word->key), .text = mem_str(word->text)};
	}
}

/* "someone": neither a place nor a template, so perhaps meant as it stands there. */
static bool is_bare_text(const struct node *n)
{
	struct reference *r = NULL;
	bool is;

	if (n->type != NODE_SCALAR || n->text[0] == '/' || strpbrk(n->text, "{}") ||
	    strncmp(n->text, "root:", 5) == 0 || strncmp(n->text, "header:", 7) == 0 ||
	    strncmp(n->text, "query:", 6) == 0)
		return false;
	is = reference_compile(n->text, REFERENCE_NO_NAMES, &r, NULL) < 0;
	reference_free(r);
	return is;
}

static void attribute_refuse_text(const struct node *n, struct problems *problems)
{
	problems_error(
		problems, n,
		"\"%.64s\" is no reference (\"/…\"): expected one, a template (\"{/…} {/…}\"; what a lookup takes "
		"stands in braces, too), a list of them, or {reference: {VALUE: text, \"*\": text}}; for the same "
		"text in every event write {/some/reference: {\"*\": %.64s}}",
		n->text, n->text);
}

static void attribute_compile(struct attribute *a, const struct node *n, struct problems *problems)
{
	attribute_check_name(n, problems);
	a->name = mem_str(n->key);
	if (n->type == NODE_MAP && n->n == 1) {
		a->fact = fact_compile_text(n->items[0], n->items[0]->key, problems);
		attribute_compile_words(a, n->items[0], problems);
	} else if (is_bare_text(n)) {
		attribute_refuse_text(n, problems);
	} else if (n->type == NODE_SCALAR || n->type == NODE_LIST) {
		a->fact = fact_compile(n, problems);
	} else {
		problems_error(
			problems, n,
			"expected a reference, a template, a list of them, or {reference: {VALUE: text, \"*\": text}}, "
			"not %s",
			n->type == NODE_MAP ? "a mapping of several" : node_kind(n));
	}
}

struct attributes *attributes_compile(const struct node *n, struct problems *problems)
{
	struct attributes *a = mem_new(1, sizeof(*a));
	size_t errors = problems->errors;

	if (n->type != NODE_MAP || n->n > ATTRIBUTES_MAX)
		problems_error(problems, n, "expected a mapping from names to references (at most %d)", ATTRIBUTES_MAX);
	else
		for (; a->n < n->n; a->n++)
			attribute_compile(&a->items[a->n], n->items[a->n], problems);
	if (problems->errors == errors)
		return a;
	attributes_free(a);
	return NULL;
}

void attributes_free(struct attributes *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++) {
		struct attribute *one = &a->items[i];

		for (size_t j = 0; j < one->n; j++) {
			free(one->words[j].value);
			free(one->words[j].text);
		}
		free(one->words);
		free(one->name);
		fact_free(one->fact);
	}
	free(a);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* The one for that value, "*" for any other; NULL: it is not named. */
static const struct word *attribute_word(const struct attribute *a, const char *value)
{
	const struct word *other = NULL;

	for (size_t i = 0; i < a->n; i++) {
		if (text_same(a->words[i].value, value))
			return &a->words[i];
		if (strcmp(a->words[i].value, "*") == 0)
			other = &a->words[i];
	}
	return other;
}

static struct json_object *attribute_said(const struct attribute *a, const char *value)
{
	const struct word *word = attribute_word(a, value);

	return word ? flat_text(word->text) : NULL;
}

/* A text for each element that has one; NULL where none has. */
static struct json_object *attribute_said_list(const struct attribute *a, struct json_object *values)
{
	struct json_object *list = NULL, *said;

	for (size_t i = 0; i < json_object_array_length(values); i++) {
		said = attribute_said(a, json_object_get_string(json_object_array_get_idx(values, i)));
		if (!said)
			continue;
		if (!list)
			list = json_object_new_array();
		json_object_array_add(list, said);
	}
	return list;
}

static struct json_object *attribute_read_words(const struct attribute *a, const struct scope *s)
{
	CLEANUP(json_putp) struct json_object *value = fact_value(a->fact, s);
	CLEANUP(mem_freep) char *text = NULL;

	if (json_object_is_type(value, json_type_array))
		return attribute_said_list(a, value);
	text = json_scalar(value);
	return text ? attribute_said(a, text) : NULL;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* "Inbox ID": an identifier, whatever the desk writes it as. Klaviyo would segment 7 and "7" apart. */
static bool attribute_is_id(const struct attribute *a)
{
	size_t len = strlen(a->name);

	return len >= 2 && strcmp(a->name + len - 2, "ID") == 0;
}

static struct json_object *attribute_read(const struct attribute *a, const struct scope *s)
{
	struct json_object *value = a->words ? attribute_read_words(a, s) : fact_value(a->fact, s);

	if (value && attribute_is_id(a) && !json_object_is_type(value, json_type_array)) {
		CLEANUP(mem_freep) char *text = json_scalar(value);

		json_object_put(value);
		value = flat_text(text);
	}
	return value;
}

struct json_object *attributes_read(const struct attributes *a, const struct scope *s)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; a && i < a->n; i++) {
		struct json_object *value = attribute_read(&a->items[i], s);

		if (value)
			json_object_object_add(o, a->items[i].name, value);
	}
	return o;
}

void attributes_each(const struct attributes *a, const struct scope *s,
		     void (*fn)(void *ctx, const char *name, const struct fact *from, struct json_object *value),
		     void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++) {
		CLEANUP(json_putp) struct json_object *value = attribute_read(&a->items[i], s);

		fn(ctx, a->items[i].name, a->items[i].fact, value);
	}
}

void attributes_unnamed(const struct attributes *a, const struct scope *s,
			void (*fn)(void *ctx, const char *name, const struct fact *from, const char *value), void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++) {
		const struct attribute *one = &a->items[i];
		CLEANUP(json_putp) struct json_object *value = one->words ? fact_value(one->fact, s) : NULL;
		bool list = json_object_is_type(value, json_type_array);

		for (size_t k = 0; value && k < (list ? json_object_array_length(value) : 1); k++) {
			CLEANUP(mem_freep)
			char *text = json_scalar(list ? json_object_array_get_idx(value, k) : value);

			if (text && !attribute_word(one, text))
				fn(ctx, one->name, one->fact, text);
		}
	}
}

void attributes_names(const struct attributes *a, void (*fn)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++)
		fn(ctx, a->items[i].name);
}

void attributes_references(const struct attributes *a, void (*fn)(void *ctx, const struct reference *r), void *ctx)
{
	for (size_t i = 0; a && i < a->n; i++)
		fact_references(a->items[i].fact, fn, ctx);
}

void attributes_references_of(const struct attributes *a, size_t i, void (*fn)(void *ctx, const struct reference *r),
			      void *ctx)
{
	fact_references(a->items[i].fact, fn, ctx);
}

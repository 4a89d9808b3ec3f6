/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/page.h"

#include <string.h>

#include "base/percent.h"
#include "base/url.h"
#include "helpdesk/parse/parsed_webhook.h"

/* The time of receipt of a sample: later than any time in it. */
#define SAMPLE_RECEIVED_MS INT64_C(253402300799000)

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void page_done(struct page *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->parts[i].text);
	free(p->base_path);
}

void pages_done(struct pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		page_done(&p->items[i]);
	free(p->items);
	*p = (struct pages){0};
}

struct page_builder {
	struct page page;
	const struct eval_context *context;
	const char *customer; /* the sample's customer id; NULL: none */
	bool bad;             /* the sample lacks a value, or there are too many parts */
};

/* Adds fixed text, joined to the part before where that is fixed, too. */
static void add_fixed(struct page_builder *b, const char *text)
{
	struct page *p = &b->page;
	char *both;

	if (p->n > 0 && !p->parts[p->n - 1].varies) {
		both = mem_fmt("%s%s", p->parts[p->n - 1].text, text);
		free(p->parts[p->n - 1].text);
		p->parts[p->n - 1].text = both;
	} else if (p->n < PAGE_PARTS_MAX) {
		p->parts[p->n++] = (struct page_part){.text = mem_str(text)};
	} else {
		b->bad = true;
	}
}

static void add_part(void *ctx, const char *text, const struct reference *r)
{
	struct page_builder *b = ctx;
	const char *name = r ? reference_name(r) : NULL;
	char *value;

	if (text) {
		add_fixed(b, text);
		return;
	}
	if (text_same(name, "base_url"))
		return; /* it is the sandbox's own address */
	value = reference_scalar(r, b->context);
	if (!value || b->page.n == PAGE_PARTS_MAX) {
		b->bad = true;
		free(value);
	} else if (name && pairs_get(b->context->names, name)) {
		add_fixed(b, value);
		free(value);
	} else {
		b->page.parts[b->page.n++] = (struct page_part){
			.varies = true, .text = value, .customer = b->customer && text_is(value, b->customer)};
	}
}

/* Returns the path of a URL; of another text, the text itself. */
static const char *path_of(const char *text)
{
	return url_scheme(text) > 0 ? url_path(text) : text;
}

static bool page_is(const struct page *a, const struct page *b)
{
	if (a->step != b->step || a->n != b->n || !text_is(a->base_path, b->base_path))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->parts[i].varies != b->parts[i].varies || a->parts[i].customer != b->parts[i].customer ||
		    !text_is(a->parts[i].text, b->parts[i].text))
			return false;
	return true;
}

static void pages_add_unique(struct pages *p, struct page *page)
{
	bool known = p->n == PAGES_MAX;

	for (size_t i = 0; i < p->n && !known; i++)
		known = page_is(&p->items[i], page);
	if (known) {
		page_done(page);
		return;
	}
	MEM_ROOM(p->items, p->n);
	p->items[p->n++] = *page;
}

/* Adds the page of the step's i-th URL. */
static void pages_add_url(struct pages *p, const struct definition *d, const struct step *step, size_t i,
			  const struct eval_context *s, const char *customer)
{
	const char *own = pairs_get(s->names, "base_url");
	const char *base = own ? own : definition_about(d)->base_url;
	struct page_builder b = {.context = s, .customer = customer};
	char *first;

	b.page.step = step;
	b.page.base_path = mem_str(base ? path_of(base) : "");
	template_parts(step->urls[i], add_part, &b);
	if (b.bad || b.page.n == 0 || b.page.parts[0].varies) {
		page_done(&b.page);
		return;
	}
	first = mem_str(path_of(b.page.parts[0].text));
	free(b.page.parts[0].text);
	b.page.parts[0].text = first;
	if (first[0] == '/')
		pages_add_unique(p, &b.page);
	else
		page_done(&b.page);
}

/* Adds the pages of one sample: of each step in turn, with the values that earlier steps took from their own example
 * answers. */
static void pages_add_steps(struct pages *p, const struct definition *d, const struct webhook *w)
{
	const struct definition_about *about = definition_about(d);
	CLEANUP(parsed_webhook_freep) struct parsed_webhook *sample = parsed_webhook_borrow(d, w);
	struct eval_context context = sample->context;
	struct customer found = {0};

	if (!sample->has_item)
		return;
	context.taken = &found.taken;
	for (size_t i = 0; i < about->steps_n; i++) {
		const struct step *step = &about->steps[i];
		CLEANUP(json_putp) struct json_object *answer = NULL;

		if (!step->sample || json_read(step->sample, strlen(step->sample), &answer, NULL) < 0)
			continue;
		for (size_t k = 0; k < step->urls_n; k++)
			pages_add_url(p, d, step, k, &context, sample->result.signal.customer);
		step_read_answer(step, answer, &found);
	}
	customer_done(&found);
}

void pages_add(struct pages *p, const struct definition *d)
{
	static const enum transition transitions[] = {TRANSITION_OPENED, TRANSITION_REOPENED, TRANSITION_CLOSED};

	for (size_t i = 0; i < sizeof(transitions) / sizeof(*transitions); i++) {
		const struct sample *sample = definition_sample(d, transitions[i]);
		/* The members borrow from the sample, and are neither changed nor freed. */
		struct webhook w = {.received_ms = SAMPLE_RECEIVED_MS};

		if (!sample)
			continue;
		w.body = sample->body;
		w.body_len = strlen(sample->body);
		w.query = sample->query;
		w.headers = sample->headers;
		pages_add_steps(p, d, &w);
	}
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

void page_values_done(struct page_values *v)
{
	for (size_t i = 0; i < PAGE_PARTS_MAX; i++)
		free(v->items[i]);
	*v = (struct page_values){0};
}

/* Returns the length of the value at `at`: up to the next fixed text, within its segment or parameter. 0: no value. */
static size_t value_len(const struct page *p, size_t part, const char *at)
{
	size_t most = strcspn(at, "/?&=#");
	const char *end;

	if (part + 1 == p->n)
		return most;
	if (p->parts[part + 1].varies)
		return 0;
	end = strstr(at, p->parts[part + 1].text);
	return end && (size_t)(end - at) <= most ? (size_t)(end - at) : 0;
}

static bool matches_at(const struct page *p, const char *at, struct page_values *v)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t len = strlen(p->parts[i].text);

		if (p->parts[i].varies) {
			len = value_len(p, i, at);
			if (len == 0 || percent_read(at, len, false, &v->items[i]) < 0)
				return false;
		} else if (strncmp(at, p->parts[i].text, len) != 0) {
			return false;
		}
		at += len;
	}
	return *at == '\0';
}

bool page_matches(const struct page *p, const char *target, struct page_values *ret)
{
	size_t base_len = strlen(p->base_path);
	struct page_values v = {0};
	bool matches = matches_at(p, target, &v);

	if (!matches && base_len > 0 && strncmp(target, p->base_path, base_len) == 0) {
		page_values_done(&v);
		matches = matches_at(p, target + base_len, &v);
	}
	if (matches && ret)
		*ret = v;
	else
		page_values_done(&v);
	return matches;
}

static bool begins_with_word(const char *value, const char *word)
{
	size_t len = strlen(word);

	return value && (len == 0 || (strncmp(value, word, len) == 0 && value[len] == ' '));
}

bool page_is_authenticated(const struct page *p, const struct pairs *headers)
{
	switch (p->step->method) {
	case STEP_BASIC:
		return begins_with_word(pairs_get(headers, "Authorization"), "Basic");
	case STEP_BEARER:
		return begins_with_word(pairs_get(headers, "Authorization"), p->step->scheme);
	case STEP_HEADER:
		return begins_with_word(pairs_get(headers, p->step->header), p->step->scheme);
	}
	return false;
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

/* A pointer to addresses, split at its first "*". A second "*" means the first element. */
struct list_path {
	char *list; /* NULL: no "*", so a single address */
	char *tail;
};

static struct list_path list_path_of(const char *pointer)
{
	const char *star = strstr(pointer, "/*");
	struct list_path path = {.tail = mem_str(pointer)};

	while (star && star[2] != '\0' && star[2] != '/')
		star = strstr(star + 1, "/*");
	if (!star)
		return path;
	free(path.tail);
	path.list = mem_dup(pointer, (size_t)(star - pointer));
	path.tail = mem_str(star + 2);
	for (char *at = path.tail; (at = strstr(at, "/*")); at++)
		if (at[2] == '\0' || at[2] == '/')
			at[1] = '0';
	return path;
}

static void list_path_done(struct list_path *p)
{
	free(p->list);
	free(p->tail);
}

static const char *string_at(struct json_object *o, const char *pointer)
{
	struct json_object *value;

	if (*pointer == '\0')
		return json_object_get_string(o);
	return json_pointer_get(o, pointer, &value) == 0 && json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : NULL;
}

/* Takes ownership of value. */
static void put_at(struct json_object **o, const char *pointer, struct json_object *value)
{
	if (json_pointer_set(o, pointer, value) < 0)
		json_object_put(value);
}

/* Returns the element of the list that is copied for each address: the first that holds one, else the first. */
static struct json_object *example_of(struct json_object *list, const char *tail)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		const char *value = string_at(one, tail);

		if (value && strchr(value, '@'))
			return one;
	}
	return json_object_array_get_idx(list, 0);
}

static struct json_object *element_for(struct json_object *example, const struct list_path *path, const char *email)
{
	struct json_object *copy = NULL;
	CLEANUP(mem_freep) char *was = mem_str(string_at(example, path->tail));

	if (json_object_deep_copy(example, &copy, NULL) < 0)
		return NULL;
	put_at(&copy, path->tail, json_object_new_string(email));
	if (!was || !json_object_is_type(copy, json_type_object))
		return copy;
	/* A second member may hold the same address, as the customer wrote it. */
	json_object_object_foreach(copy, key, value)
	{
		(void)key;
		if (json_object_is_type(value, json_type_string) && text_same(json_object_get_string(value), was))
			(void)json_object_set_string(value, email);
	}
	return copy;
}

static void put_list(struct json_object **answer, const struct list_path *path, const struct list_path *primary,
		     const char *addresses)
{
	CLEANUP(mem_freep) char *copy = mem_str(addresses);
	struct json_object *old = *answer;
	char *rest = copy;
	struct json_object *list;
	char *email;

	if ((path->list[0] != '\0' && json_pointer_get(*answer, path->list, &old) < 0) ||
	    !json_object_is_type(old, json_type_array) || json_object_array_length(old) == 0)
		return;
	list = json_object_new_array();
	while ((email = strsep(&rest, ","))) {
		struct json_object *one;

		email = text_trim(email);
		one = *email != '\0' ? element_for(example_of(old, path->tail), path, email) : NULL;
		if (one && primary->list)
			put_at(&one, primary->tail, json_object_new_boolean(json_object_array_length(list) == 0));
		if (one)
			json_object_array_add(list, one);
	}
	put_at(answer, path->list, list);
}

struct json_object *page_answer(const struct page *p, const char *addresses)
{
	struct json_object *answer = NULL;
	struct list_path primary = {0};
	const struct reference *emails;
	struct list_path path;

	INSIST(json_read(p->step->sample, strlen(p->step->sample), &answer, NULL) == 0);
	emails = email_refs_target(&p->step->emails, &(struct eval_context){.item = answer, .root = answer});
	if (!addresses || !emails)
		return answer;
	path = list_path_of(reference_text(emails));
	if (p->step->emails.primary)
		primary = list_path_of(reference_text(p->step->emails.primary));
	if (path.list) {
		put_list(&answer, &path, &primary, addresses);
	} else {
		CLEANUP(mem_freep) char *first = mem_dup(addresses, strcspn(addresses, ","));

		put_at(&answer, path.tail, json_object_new_string(text_trim(first)));
	}
	list_path_done(&path);
	list_path_done(&primary);
	return answer;
}

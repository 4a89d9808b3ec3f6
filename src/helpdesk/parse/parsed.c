#include <config.h>

#include "helpdesk/parse/parsed.h"

#include <errno.h>

#include "base/percent.h"
#include "helpdesk/definition/definition_parts.h"
#include "helpdesk/expr/body.h"
#include "helpdesk/parse/batch.h"

/* The one item of a body under `each`. */
static int find_item(const struct reference *each, const struct scope *s, struct json_object **ret, struct err *reterr)
{
	const char *place = reference_text(each);
	struct values lists;
	int r = 0;

	reference_values(each, s, &lists);
	if (lists.n == 0 || !json_object_is_type(lists.items[0], json_type_array)) {
		r = err_set(reterr, -EINVAL, "no list of items at %s", *place != '\0' ? place : "the top");
	} else if (json_object_array_length(lists.items[0]) == 0) {
		r = err_set(reterr, -ENODATA, "no item at %s", *place != '\0' ? place : "the top");
	} else if (json_object_array_length(lists.items[0]) > 1) {
		r = err_set(reterr, -EINVAL,
			    "%zu items at %s were not taken apart when they came: %d are the most, and %d MiB together",
			    json_object_array_length(lists.items[0]), *place != '\0' ? place : "the top",
			    BATCH_ITEMS_MAX, BATCH_BYTES_MAX >> 20);
	} else {
		*ret = json_object_array_get_idx(lists.items[0], 0);
	}
	values_done(&lists);
	return r;
}

/* Fills body, where it is NULL, query and scope. -ENODATA: the list of items is empty; -EINVAL: it does not read. The
 * scope has headers and query all the same. */
static int open_scope(struct parsed *p, struct err *reterr)
{
	const struct definition *d = p->definition;
	const struct webhook *w = &p->webhook;
	int r = 0;

	percent_read_query(w->query, &p->query);
	p->scope = (struct scope){.headers = &w->headers, .query = &p->query, .names = &d->names};
	if (!p->body)
		r = body_read(body_form_of(d->body, pairs_get(&w->headers, "Content-Type")), w->body ? w->body : "",
			      w->body_len, &p->body, reterr);
	if (r < 0)
		return r;
	p->scope.item = p->scope.root = p->body;
	if (d->each)
		r = find_item(d->each, &p->scope, &p->scope.item, reterr);
	if (r < 0) {
		p->scope.item = p->scope.root = NULL;
		return r;
	}
	p->is_open = true;
	return 0;
}

static void close_scope(struct parsed *p)
{
	json_object_put(p->body);
	pairs_done(&p->query);
	p->body = NULL;
	p->scope = (struct scope){0};
	p->is_open = false;
}

static struct parsed *parse(const struct definition *d, const struct webhook *w, bool is_lent, struct json_object *tree)
{
	struct parsed *p = mem_new(1, sizeof(*p));
	int r;

	p->webhook = *w;
	p->is_lent = is_lent;
	p->definition = d;
	p->body = tree;
	r = open_scope(p, &p->reading.reason);
	if (r < 0)
		p->reading.kind = r == -ENODATA ? READING_IGNORED : READING_UNREADABLE;
	else
		reading_make(d, &p->webhook, &p->scope, NULL, &p->reading);
	return p;
}

struct parsed *parsed_new(const struct definition *d, struct webhook *w, struct json_object *tree)
{
	struct parsed *p = parse(d, w, false, tree);

	*w = (struct webhook){0};
	return p;
}

struct parsed *parsed_lent(const struct definition *d, const struct webhook *w)
{
	return parse(d, w, true, NULL);
}

struct parsed *parsed_bare(struct webhook *w)
{
	struct parsed *p = mem_new(1, sizeof(*p));

	p->webhook = *w;
	*w = (struct webhook){0};
	return p;
}

void parsed_strip(struct parsed *p)
{
	close_scope(p);
	reading_done(&p->reading);
	customer_done(&p->customer);
	p->definition = NULL;
	p->reading = (struct reading){0};
	p->customer = (struct customer){0};
	p->is_told = false;
}

void parsed_free(struct parsed *p)
{
	if (!p)
		return;
	parsed_strip(p);
	if (!p->is_lent)
		webhook_done(&p->webhook);
	free(p);
}

/* What json-c takes for an object or a list, and for any other value with its name; both with malloc's share. */
#define BRANCH_BYTES 800
#define VALUE_BYTES 150

size_t parsed_bytes(const struct parsed *p)
{
	const struct webhook *w = &p->webhook;
	size_t branches = 1, values = 1;

	if (!p->is_open)
		return sizeof(*p) + w->body_len;
	/* Those within texts count too. "&" stands between the fields of a form. */
	for (size_t i = 0; i < w->body_len; i++) {
		branches += w->body[i] == '{' || w->body[i] == '[';
		values += w->body[i] == ',' || w->body[i] == '&';
	}
	return sizeof(*p) + 2 * w->body_len + branches * BRANCH_BYTES + values * VALUE_BYTES;
}

void parsed_tell(struct parsed *p, struct customer *c)
{
	INSIST(p->is_open && !p->is_told);
	p->customer = *c;
	*c = (struct customer){0};
	p->is_told = true;
	p->scope.taken = &p->customer.taken;
	reading_done(&p->reading);
	reading_make(p->definition, &p->webhook, &p->scope, &p->customer, &p->reading);
}

bool parsed_is_trial(const struct definition *d, const struct webhook *w)
{
	struct parsed p = {.webhook = *w, .definition = d};
	bool is;

	if (!d->trial)
		return false;
	is = (open_scope(&p, NULL) == 0 || w->body_len == 0) && matcher_holds(d->trial, &p.scope);
	close_scope(&p);
	return is;
}

#include <config.h>

#include "decision/rules_parts.h"

#include <errno.h>
#include <string.h>

static void draft_done(struct draft *d)
{
	free(d->metric);
	free(d->rule);
	json_object_put(d->properties);
	json_object_put(d->profile);
}

void drafts_done(struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++)
		draft_done(&d->items[i]);
	free(d->items);
	free(d->drop_reason);
	*d = (struct drafts){0};
}

/* Lays `from` over *to, which may be NULL like it. False where something was left out. */
static bool lay_over(struct json_object **to, struct json_object *from)
{
	bool all = true;

	if (!from)
		return true;
	if (!*to)
		*to = json_object_new_object();
	json_object_object_foreach(from, name, value)
	{
		if (json_object_object_length(*to) < RULES_ADDED_MAX || json_object_object_get_ex(*to, name, NULL))
			json_object_object_add(*to, name, json_object_get(value));
		else
			all = false;
	}
	return all;
}

/* "shipped", "shipped and rules[1]", "shipped, rules[1] and rules[3]" */
static void add_name(struct draft *to, const char *rule)
{
	static const char and_text[] = " and ";
	const char *last = to->rules > 1 ? strstr(to->rule, and_text) : NULL;
	char *names;

	if (last)
		names = mem_fmt("%.*s, %s and %s", (int)(last - to->rule), to->rule, last + strlen(and_text), rule);
	else
		names = mem_fmt("%s and %s", to->rule, rule);
	free(to->rule);
	to->rule = names;
	to->rules++;
}

static bool draft_merge(struct draft *to, const struct draft *from)
{
	bool all = lay_over(&to->properties, from->properties);

	if (!lay_over(&to->profile, from->profile))
		all = false;
	if (from->has_value) {
		to->has_value = true;
		to->value = from->value;
	}
	if (from->late_ms >= 0)
		to->late_ms = from->late_ms;
	return all;
}

void drafts_add(struct drafts *to, struct draft *draft, struct buf *explain)
{
	struct draft *same = NULL;

	for (size_t i = 0; i < to->n && !same; i++)
		if (strcmp(to->items[i].metric, draft->metric) == 0)
			same = &to->items[i];
	if (!same) {
		if (explain)
			buf_addf(explain, "yes, sends %s\n", draft->metric);
		MEM_ROOM(to->items, to->n);
		to->items[to->n] = *draft;
		to->items[to->n++].rules = 1;
		return;
	}
	if (explain)
		buf_addf(explain, "yes, adds to %s of %s\n", draft->metric, same->rule);
	if (!draft_merge(same, draft)) {
		(void)err_set(&to->failed, -E2BIG,
			      "%s: the rules add more than %d properties to \"%.128s\", the rest is left out",
			      draft->rule, RULES_ADDED_MAX, draft->metric);
		if (explain)
			buf_addf(explain, "but %s\n", to->failed.text);
	}
	add_name(same, draft->rule);
	draft_done(draft);
}

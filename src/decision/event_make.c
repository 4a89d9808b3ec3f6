/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/decide_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mask.h"
#include "helpdesk/expr/attributes.h"

/*
 * Makes the properties and the profile of an event. Properties that a rule adds to one event must not appear in
 * another. The definition's compiler refuses attributes with the name of one of our properties.
 */

/* Klaviyo takes 400 properties in an event: ours, the attributes, and those of the rules. */
_Static_assert(ATTRIBUTES_OWN_N + 1 /* Reason */ + ATTRIBUTES_MAX + RULES_ADDED_MAX <= 400,
	       "an event may come to hold more properties than Klaviyo takes");

/* ---- explanation and detail -------------------------------------------------------------------------------------- */

void decide_explain(const struct decision_builder *d, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (!d->in->explain)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_adds(d->in->explain, line);
	buf_addc(d->in->explain, '\n');
}

void decide_add_detail(struct decision_builder *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Two people often have the same reason. */
	if (strstr(d->detail.data, text))
		return;
	if (d->detail.len > 0)
		buf_adds(&d->detail, "; ");
	buf_adds(&d->detail, text);
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

static void set_time(struct json_object *to, const char *name, int64_t time_ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(time_ms, text);
	json_set_str(to, name, text);
}

/*
 * Sets the difference of two times as an event shows them: whole seconds, each rounded down, so that a reader who
 * subtracts `Opened At` from `Closed At` gets the same number. Clocks may disagree: where the end lies before the
 * start, the property is left out.
 */
static void set_seconds(struct json_object *to, const char *name, int64_t from_ms, int64_t until_ms)
{
	if (from_ms != 0 && from_ms <= until_ms)
		json_set_int(to, name, until_ms / CLOCK_SECOND_MS - from_ms / CLOCK_SECOND_MS);
}

/* from: NULL, or an object. */
static void add_members(struct json_object *to, struct json_object *from)
{
	if (!from)
		return;
	json_object_object_foreach(from, name, value)
	{
		if (value)
			json_object_object_add(to, name, json_object_get(value));
	}
}

static void add_attributes(const struct decision_builder *d, struct json_object *to)
{
	struct json_object *attributes = d->signal ? d->signal->attributes : NULL;

	if (!attributes)
		return;
	for (size_t i = 0; attributes_usual[i]; i++) {
		struct json_object *value = json_member(attributes, attributes_usual[i]);

		if (value)
			json_object_object_add(to, attributes_usual[i], json_object_get(value));
	}
	add_members(to, attributes);
}

static struct json_object *begin(const struct decision_builder *d)
{
	struct json_object *o = json_object_new_object();

	json_set_str(o, PROPERTY_HELPDESK, definition_about(d->in->source->definition)->label);
	json_set_str(o, PROPERTY_CONVERSATION_ID, d->in->conversation);
	add_attributes(d, o);
	return o;
}

struct json_object *decide_webhook_properties(const struct decision_builder *d)
{
	struct json_object *o = begin(d);

	if (d->signal)
		json_set_str(o, PROPERTY_CONVERSATION_URL, d->signal->conversation_url);
	return o;
}

static void add_times(const struct decision_builder *d, struct json_object *to)
{
	const struct ledger_entry *e = &d->out.entry;
	int64_t time_ms = d->out.verdict.time_ms;

	if (!transition_closes(d->out.verdict.transition)) {
		set_time(to, PROPERTY_OPENED_AT, time_ms);
		return;
	}
	/* A history closing may lie before the latest opening. That opening is then not the one that it ended. */
	if (e->opened_ms != 0 && e->opened_ms <= time_ms)
		set_time(to, PROPERTY_OPENED_AT, e->opened_ms);
	set_time(to, PROPERTY_CLOSED_AT, time_ms);
	set_seconds(to, PROPERTY_RESOLUTION_SECONDS, e->opened_ms, time_ms);
	set_seconds(to, PROPERTY_TOTAL_SECONDS, e->first_opened_ms, time_ms);
}

struct json_object *decide_properties(const struct decision_builder *d, const struct person *p)
{
	struct json_object *o = begin(d);

	add_times(d, o);
	json_set_int(o, PROPERTY_REOPEN_COUNT, d->out.entry.reopen_count);
	if (p->flags_n > 0)
		json_set_int(o, PROPERTY_OPEN_CONVERSATIONS, p->counts[0]);
	if (d->signal)
		json_set_str(o, PROPERTY_CONVERSATION_URL, d->signal->conversation_url);
	if (d->out.verdict.transition == TRANSITION_EXPIRED)
		json_set_str(o, PROPERTY_REASON, "expired");
	if (p->is_test)
		json_set_bool(o, PROPERTY_TEST, true);
	return o;
}

/* ---- the event --------------------------------------------------------------------------------------------------- */

/* Merges the rule's properties over a copy of the others, which the next draft needs unchanged. The Event ID comes
 * last, so no rule replaces it. */
static char *properties_text(const struct decision_builder *d, const struct person *p, const struct draft *draft,
			     struct json_object *properties, const char *unique_id)
{
	CLEANUP(json_putp)
	struct json_object *o = draft->properties ? decide_properties(d, p) : json_object_get(properties);

	add_members(o, draft->properties);
	json_set_str(o, PROPERTY_EVENT_ID, unique_id);
	return json_text(o);
}

/* A flag is true while any conversation that reached the person is open. No rule can change that. */
static char *profile_text(const struct person *p, const struct draft *draft)
{
	struct json_object *o = json_object_new_object();
	char *text;

	add_members(o, draft->profile);
	for (size_t i = 0; i < p->flags_n; i++)
		json_set_bool(o, p->flags[i], p->counts[i] > 0);
	text = json_text(o);
	json_object_put(o);
	return text;
}

static void unique_id_of(const struct decision_builder *d, const struct person *p, const char *metric,
			 char out[EVENT_UNIQUE_ID_LEN + 1])
{
	const struct decide_input *in = d->in;
	const struct ledger_verdict *v = &d->out.verdict;
	bool has_time = true;

	/* A late address makes the opening's event, with the opening's time. Where the helpdesk gave none, that is the
	 * receipt of the opening. */
	if (v->why == LEDGER_LATE_ADDRESS)
		has_time = v->time_ms != d->out.entry.opened_received_ms;
	else if (d->signal)
		has_time = d->signal->has_time;
	event_unique_id(out, in->source->name, in->conversation, v->transition, has_time, v->time_ms, metric, p->email);
}

static int64_t late_ms_of(const struct decision_builder *d, const struct person *p, const struct draft *draft)
{
	static const struct late shipped = {
		.opened_ms = LATE_OPENED_MINUTES * CLOCK_MINUTE_MS,
		.reopened_ms = LATE_REOPENED_MINUTES * CLOCK_MINUTE_MS,
		.closed_ms = LATE_CLOSED_HOURS * CLOCK_HOUR_MS,
	};
	const struct late *late = p->configured ? &p->configured->late : &shipped;

	if (draft->late_ms >= 0)
		return draft->late_ms;
	switch (d->out.verdict.transition) {
	case TRANSITION_OPENED:
		return late->opened_ms;
	case TRANSITION_REOPENED:
		return late->reopened_ms;
	default:
		return late->closed_ms;
	}
}

static bool has_event(const struct decision *d, const char *account, const char *unique_id)
{
	for (size_t i = 0; i < d->events_n; i++)
		if (strcmp(d->events[i].account, account) == 0 && strcmp(d->events[i].unique_id, unique_id) == 0)
			return true;
	return false;
}

void decide_add_event(struct decision_builder *d, const struct person *p, const struct draft *draft,
		      struct json_object *properties)
{
	const struct decide_input *in = d->in;
	struct decision *out = &d->out;
	const struct ledger_verdict *v = &out->verdict;
	struct event e = {.transition = v->transition};
	char masked[MASK_EMAIL_MAX];

	unique_id_of(d, p, draft->metric, e.unique_id);
	if (has_event(out, p->account, e.unique_id)) {
		decide_explain(d, "event: \"%s\" is sent for this already", draft->metric);
		return;
	}
	e.account = mem_str(p->account);
	e.url = mem_str(p->configured ? p->configured->url : "");
	e.email = mem_str(p->email);
	e.metric = mem_str(draft->metric);
	e.source = mem_str(in->source->name);
	e.conversation = mem_str(in->conversation);
	e.webhook = in->webhook ? in->webhook->webhook.id : 0;
	e.time_ms = v->time_ms;
	e.received_ms = in->webhook ? in->webhook->webhook.received_ms : in->now_ms;
	e.properties = properties_text(d, p, draft, properties, e.unique_id);
	e.profile = profile_text(p, draft);
	e.has_value = draft->has_value;
	e.value = draft->value;
	e.late_ms = late_ms_of(d, p, draft);
	/* A signal that makes the conversation known is judged by its age at its receipt. */
	e.backfill = v->backfill || p->is_test || (v->since_ms != 0 && v->received_ms - v->since_ms > e.late_ms);
	e.state = EVENT_READY;
	e.created_ms = in->now_ms;
	e.due_ms = in->now_ms;
	decide_explain(d, "event: \"%s\" for %s in account %s, unique_id %s%s%s%s%s", e.metric,
		       mask_email(e.email, masked), e.account, e.unique_id, e.backfill ? ", as backfill" : "",
		       draft->rules > 1 ? ", one event of " : "", draft->rules > 1 ? draft->rule : "",
		       *e.url ? "" : "; it waits, as the account is not configured");
	MEM_ROOM(out->events, out->events_n);
	out->events[out->events_n++] = e;
}

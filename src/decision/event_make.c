/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/decide_internal.h"

#include <limits.h>
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

/*
 * Sets the difference of two times as an event shows them: whole seconds, each rounded down, so that a reader who
 * subtracts `Opened At` from `Closed At` gets the same number. Clocks may disagree: where the end lies before the
 * start, the property is left out.
 */
static void set_seconds(struct properties *to, const char *name, int64_t from_ms, int64_t until_ms)
{
	if (from_ms != 0 && from_ms <= until_ms)
		properties_set_int(to, name, until_ms / CLOCK_SECOND_MS - from_ms / CLOCK_SECOND_MS);
}

static void add_attributes(const struct decision_builder *d, struct properties *to)
{
	struct json_object *attributes = d->signal ? d->signal->attributes : NULL;

	if (!attributes)
		return;
	for (size_t i = 0; attributes_usual[i]; i++)
		properties_set_json(to, attributes_usual[i], json_member(attributes, attributes_usual[i]));
	properties_set_members(to, attributes);
}

static void begin(const struct decision_builder *d, struct properties *to)
{
	properties_set_text(to, PROPERTY_HELPDESK, definition_about(d->in->source->definition)->label);
	properties_set_text(to, PROPERTY_CONVERSATION_ID, d->in->conversation);
	add_attributes(d, to);
}

void decide_webhook_properties(const struct decision_builder *d, struct properties *to)
{
	begin(d, to);
	if (d->signal)
		properties_set_text(to, PROPERTY_CONVERSATION_URL, d->signal->conversation_url);
}

static void add_times(const struct decision_builder *d, struct properties *to)
{
	const struct ledger_entry *e = &d->out.entry;
	int64_t time_ms = d->out.verdict.time_ms;

	if (!transition_closes(d->out.verdict.transition)) {
		properties_set_time(to, PROPERTY_OPENED_AT, time_ms);
		return;
	}
	/* A history closing may lie before the latest opening. That opening is then not the one that it ended. */
	if (e->opened_ms != 0 && e->opened_ms <= time_ms)
		properties_set_time(to, PROPERTY_OPENED_AT, e->opened_ms);
	properties_set_time(to, PROPERTY_CLOSED_AT, time_ms);
	set_seconds(to, PROPERTY_RESOLUTION_SECONDS, e->opened_ms, time_ms);
	set_seconds(to, PROPERTY_TOTAL_SECONDS, e->first_opened_ms, time_ms);
}

void decide_properties(const struct decision_builder *d, const struct person *p, struct properties *to)
{
	begin(d, to);
	add_times(d, to);
	properties_set_int(to, PROPERTY_REOPEN_COUNT, d->out.entry.reopen_count);
	if (p->flags_n > 0)
		properties_set_int(to, PROPERTY_OPEN_CONVERSATIONS, p->flags[0].count);
	if (d->signal)
		properties_set_text(to, PROPERTY_CONVERSATION_URL, d->signal->conversation_url);
	if (d->out.verdict.transition == TRANSITION_EXPIRED)
		properties_set_text(to, PROPERTY_REASON, "expired");
	if (p->is_test)
		properties_set_bool(to, PROPERTY_TEST, true);
}

/* ---- the event --------------------------------------------------------------------------------------------------- */

/* The rule's properties count before the others. The Event ID comes last, so no rule replaces it. */
static void add_event_properties(const struct draft *draft, const struct properties *properties, const char *unique_id,
				 struct properties *to)
{
	properties_set_all(to, properties);
	properties_set_members(to, draft->properties);
	properties_set_text(to, PROPERTY_EVENT_ID, unique_id);
}

/* A flag is true while any conversation that reached the person is open. No rule can change that. */
static void add_profile_properties(const struct person *p, const struct draft *draft, struct properties *to)
{
	properties_set_members(to, draft->profile);
	for (size_t i = 0; i < p->flags_n; i++)
		properties_set_bool(to, p->flags[i].name, p->flags[i].count > 0);
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

/* Sets the texts of an event, whose unique_id is set, in one allocation. */
static void set_texts(const struct decision_builder *d, const struct person *p, const struct draft *draft,
		      const struct properties *properties, struct event *e)
{
	const char *const texts[] = {
		p->account,
		p->configured ? p->configured->url : "",
		p->email,
		draft->metric,
		d->in->source->name,
		d->in->conversation,
	};
	char **const members[] = {&e->account, &e->url, &e->email, &e->metric, &e->source, &e->conversation};
	const size_t n = sizeof(texts) / sizeof(*texts);
	CLEANUP(properties_done) struct properties event, profile;
	size_t bytes = 0, properties_at, profile_at;
	struct buf b;

	properties_init(&event);
	properties_init(&profile);
	add_event_properties(draft, properties, e->unique_id, &event);
	add_profile_properties(p, draft, &profile);
	buf_init(&b, INT_MAX);
	for (size_t i = 0; i < n; i++)
		bytes += strlen(texts[i]) + 1;
	properties_at = bytes;
	buf_reserve(&b, bytes + properties_length(&event) + properties_length(&profile) + 2);
	for (size_t i = 0; i < n; i++)
		buf_add(&b, texts[i], strlen(texts[i]) + 1);
	properties_write(&event, &b);
	buf_add(&b, "", 1);
	profile_at = b.len;
	properties_write(&profile, &b);

	e->texts = buf_take(&b);
	INSIST(e->texts);
	e->properties = e->texts + properties_at;
	e->profile = e->texts + profile_at;
	bytes = 0;
	for (size_t i = 0; i < n; i++) {
		*members[i] = e->texts + bytes;
		bytes += strlen(texts[i]) + 1;
	}
}

void decide_add_event(struct decision_builder *d, const struct person *p, const struct draft *draft,
		      const struct properties *properties)
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
	set_texts(d, p, draft, properties, &e);
	e.webhook = in->webhook ? in->webhook->webhook.id : 0;
	e.time_ms = v->time_ms;
	e.received_ms = in->webhook ? in->webhook->webhook.received_ms : in->now_ms;
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

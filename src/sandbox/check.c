/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/check.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/text.h"

#define POINTER_MAX 256
#define STRING_MAX 100000 /* bytes of a string: 100 KB */
#define DEPTH_MAX 10
#define ARRAY_MAX 4000
#define METRIC_MAX 127 /* characters; the documentation says "under 128" */
#define BULK "/data/attributes/events-bulk-create/data"

/* The state of a check. */
struct check {
	const char *revision; /* of Klaviyo's API, "2026-07-15" */
	int64_t now_ms;
	struct check_result *result;
};

/* In the functions below, `at` is the JSON Pointer of the object o, without a trailing slash. */

/* Adds a complaint about at/member, or about at where member is NULL. */
static void check_invalid(struct check *c, const char *at, const char *member, const char *detail)
{
	CLEANUP(mem_freep) char *where = mem_fmt("%s%s%s", at, member ? "/" : "", member ? member : "");

	complaints_add(&c->result->complaints, 400, where, "%s", detail);
}

/* True where the request's revision is older. */
static bool check_before(const struct check *c, const char *revision)
{
	return strcmp(c->revision, revision) < 0;
}

/* ---- members: a question each, with a complaint of its own ------------------------------------------------------- */

/* Returns the member; NULL where it is absent, null, or of another type, which adds a complaint. json_type_double
 * accepts integers, too. */
static struct json_object *check_optional(struct check *c, struct json_object *o, const char *at, const char *name,
					  enum json_type type)
{
	struct json_object *member = json_member(o, name);
	bool number = type == json_type_double && json_object_is_type(member, json_type_int);

	if (!member)
		return NULL;
	if (json_object_is_type(member, type) || number)
		return member;
	check_invalid(c, at, name, "Invalid input: the value has the wrong type.");
	return NULL;
}

/* As check_optional(), but an absent or null member adds a complaint, too. */
static struct json_object *check_required(struct check *c, struct json_object *o, const char *at, const char *name,
					  enum json_type type)
{
	CLEANUP(mem_freep) char *detail = NULL;

	if (json_member(o, name))
		return check_optional(c, o, at, name, type);
	detail = mem_fmt("'%s' is a required field.", name);
	check_invalid(c, at, name, detail);
	return NULL;
}

static const char *check_optional_text(struct check *c, struct json_object *o, const char *at, const char *name)
{
	struct json_object *member = check_optional(c, o, at, name, json_type_string);

	if (member && json_object_get_string_len(member) > STRING_MAX) {
		check_invalid(c, at, name, "A string must not exceed 100 KB.");
		return NULL;
	}
	return member ? json_object_get_string(member) : NULL;
}

/* Adds a complaint for each member that is not in known, which ends with NULL. */
static void check_only(struct check *c, struct json_object *o, const char *at, const char *const *known,
		       const char *resource)
{
	json_object_object_foreach(o, key, value)
	{
		CLEANUP(mem_freep) char *detail = NULL;
		size_t i;

		(void)value;
		for (i = 0; known[i] && strcmp(known[i], key) != 0; i++)
			;
		if (known[i])
			continue;
		detail = mem_fmt("'%.100s' is not a valid field for the resource '%s'.", key, resource);
		check_invalid(c, at, key, detail);
	}
}

/*
 * Reads {"data": {"type": TYPE, "attributes": {…}}} in the member `name` of o, or in o itself where name is NULL.
 * Returns the attributes, or NULL after complaints. Klaviyo calls a resource without data an invalid payload.
 */
static struct json_object *check_resource(struct check *c, struct json_object *o, const char *at, const char *name,
					  const char *type)
{
	struct json_object *outer = name ? check_required(c, o, at, name, json_type_object) : o;
	struct json_object *data = json_member(outer, "data");
	char pointer[POINTER_MAX];
	const char *have;

	if (!outer)
		return NULL;
	if (!json_object_is_type(data, json_type_object)) {
		check_invalid(c, "/data", NULL, "The payload provided in the request is invalid.");
		return NULL;
	}
	(void)snprintf(pointer, sizeof(pointer), "%s%s%s/data", at, name ? "/" : "", name ? name : "");
	have = json_member_str(data, "type");
	if (!have || strcmp(have, type) != 0) {
		CLEANUP(mem_freep) char *detail = mem_fmt("The type must be '%s'.", type);

		check_invalid(c, pointer, "type", detail);
		return NULL;
	}
	return check_required(c, data, pointer, "attributes", json_type_object);
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

/* Returns the complaint about the first value that is too big, or NULL. The JSON parser bounds the recursion. */
static const char *too_big(struct json_object *o, unsigned depth)
{
	const char *what = NULL;

	if (depth > DEPTH_MAX)
		return "Properties must not be nested more than 10 levels deep.";
	switch (json_object_get_type(o)) {
	case json_type_string:
		return json_object_get_string_len(o) > STRING_MAX ? "A string must not exceed 100 KB." : NULL;
	case json_type_array:
		if (json_object_array_length(o) > ARRAY_MAX)
			return "An array must not have more than 4000 items.";
		for (size_t i = 0; i < json_object_array_length(o) && !what; i++)
			what = too_big(json_object_array_get_idx(o, i), depth + 1);
		return what;
	case json_type_object: {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			if (!what)
				what = too_big(value, depth + 1);
		}
		return what;
	}
	default:
		return NULL;
	}
}

/* Checks the limits of o, the member "properties" of the object at `at`. */
static void check_properties(struct check *c, struct json_object *o, const char *at)
{
	int max = check_before(c, "2025-04-15") ? 300 : 400;
	char pointer[POINTER_MAX + 16];

	(void)snprintf(pointer, sizeof(pointer), "%s/properties", at);
	if (json_object_object_length(o) > max) {
		CLEANUP(mem_freep) char *detail = mem_fmt("An event must not have more than %d properties.", max);

		check_invalid(c, pointer, NULL, detail);
	}
	json_object_object_foreach(o, key, value)
	{
		const char *what = too_big(value, 1);

		if (what)
			check_invalid(c, pointer, key, what);
	}
}

/* ---- who --------------------------------------------------------------------------------------------------------- */

/* True for at least two labels of 1 to 63 characters each, without a hyphen at either end. */
static bool domain_is_good(const char *domain)
{
	unsigned labels = 0;

	for (const char *at = domain;; at++) {
		size_t len = strcspn(at, ".");

		if (len == 0 || len > 63 || at[0] == '-' || at[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)at[i] < 0x80 && !strchr(TEXT_ALNUM "-", at[i]))
				return false;
		labels++;
		at += len;
		if (*at == '\0')
			return labels >= 2;
	}
}

bool check_email(const char *email)
{
	const char *at = strchr(email, '@');
	size_t len = at ? (size_t)(at - email) : 0;

	if (len == 0 || len > 64 || strlen(email) > 254 || email[0] == '.' || email[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)email[i];

		if (c <= ' ' || c == 0x7f || strchr("\"(),:;<>[]\\@", c) || (c == '.' && email[i + 1] == '.'))
			return false;
	}
	return domain_is_good(at + 1);
}

/* Checks the attributes of a profile, and reads its id, which is a member of `data`. Sets person, email and the
 * properties. */
static void check_profile(struct check *c, struct json_object *holder, const char *at, struct check_event *e)
{
	static const char *const known[] = {"email",      "phone_number", "external_id",  "anonymous_id", "_kx",
					    "first_name", "last_name",    "organization", "locale",       "title",
					    "image",      "location",     "properties",   "meta",         NULL};
	static const char *const identifiers[] = {"email", "phone_number", "external_id", "anonymous_id", "_kx"};
	struct json_object *attributes = check_resource(c, holder, at, "profile", "profile");
	char pointer[POINTER_MAX];
	const char *id;
	const char *phone;
	size_t digits;

	if (!attributes)
		return;
	(void)snprintf(pointer, sizeof(pointer), "%s/profile/data/attributes", at);
	check_only(c, attributes, pointer, known, "profile");
	e->profile = attributes;
	e->profile_properties = check_optional(c, attributes, pointer, "properties", json_type_object);
	if (e->profile_properties)
		check_properties(c, e->profile_properties, pointer);
	e->email = check_optional_text(c, attributes, pointer, "email");
	if (e->email && !check_email(e->email))
		check_invalid(c, pointer, "email", "Invalid email address");
	phone = check_optional_text(c, attributes, pointer, "phone_number");
	digits = phone && *phone == '+' ? strspn(phone + 1, "0123456789") : 0;
	/* E.164 demands a plus and 8 to 15 digits, the first of them not 0. */
	if (phone && (digits < 8 || digits > 15 || phone[1] == '0' || phone[1 + digits] != '\0')) {
		if (!e->email)
			check_invalid(c, pointer, "phone_number",
				      "Invalid phone number format (Example of a valid format: +12345678901)");
		c->result->phone_ignored = e->email != NULL;
	}

	id = json_member_str(json_member(json_member(holder, "profile"), "data"), "id");
	if (id)
		e->person = mem_fmt("id:%s", id);
	for (size_t i = 0; i < sizeof(identifiers) / sizeof(identifiers[0]) && !e->person; i++) {
		id = json_member_str(attributes, identifiers[i]);
		if (id && *id != '\0')
			e->person = mem_fmt("%s:%s", identifiers[i], id);
	}
	if (!e->person)
		check_invalid(c, pointer, NULL,
			      "At least one profile identifier (id, email, phone_number, …) is required.");
	else if (strncmp(e->person, "email:", 6) == 0)
		text_lower(e->person);
}

/* ---- one event --------------------------------------------------------------------------------------------------- */

/* True where s has the T and the offset of an RFC 3339 date-time, which clock_parse() does not require. */
static bool time_is_rfc3339(const char *s)
{
	size_t len = strlen(s);

	if (len < 20 || (s[10] != 'T' && s[10] != 't'))
		return false;
	return s[len - 1] == 'Z' || s[len - 1] == 'z' ||
	       ((s[len - 6] == '+' || s[len - 6] == '-') && s[len - 3] == ':');
}

static void check_time(struct check *c, struct json_object *attributes, const char *at, struct check_event *e)
{
	const char *floor = check_before(c, "2026-07-15") ? "2000-01-01T00:00:00Z" : "1990-01-01T00:00:00Z";
	const char *text = check_optional_text(c, attributes, at, "time");
	int64_t ms = c->now_ms;
	int64_t first_ms;

	if (text && (!time_is_rfc3339(text) || clock_parse(text, strlen(text), &ms) < 0)) {
		check_invalid(c, at, "time", "The time must be an ISO 8601 date and time with an offset.");
		return;
	}
	INSIST(clock_parse(floor, strlen(floor), &first_ms) == 0);
	if (ms < first_ms || ms > c->now_ms + 365 * CLOCK_DAY_MS) {
		CLEANUP(mem_freep)
		char *detail = mem_fmt("The time must be after the year %.4s and at most 1 year in the future.", floor);

		check_invalid(c, at, "time", detail);
		return;
	}
	e->time_ms = ms / 1000 * 1000;
}

static void check_metric(struct check *c, struct json_object *holder, const char *at, struct check_event *e)
{
	static const char *const known[] = {"name", "service", NULL};
	struct json_object *attributes = check_resource(c, holder, at, "metric", "metric");
	char pointer[POINTER_MAX];

	if (!attributes)
		return;
	(void)snprintf(pointer, sizeof(pointer), "%s/metric/data/attributes", at);
	check_only(c, attributes, pointer, known, "metric");
	(void)check_optional_text(c, attributes, pointer, "service");
	if (!check_required(c, attributes, pointer, "name", json_type_string))
		return;
	e->metric = json_member_str(attributes, "name");
	if (*e->metric == '\0' || escape_width(e->metric) > METRIC_MAX)
		check_invalid(c, pointer, "name", "The metric's name must have 1 to 127 characters.");
}

static bool check_backfill(struct check *c, struct json_object *attributes, const char *at, bool otherwise)
{
	struct json_object *member = check_optional(c, attributes, at, "backfill", json_type_boolean);

	return member ? json_object_get_boolean(member) : otherwise;
}

/* Checks an event's attributes. The profile is one of them in a single request, and is outside of them in bulk. */
static void check_event(struct check *c, struct json_object *attributes, const char *at, bool single, bool backfill,
			struct check_event *e)
{
	const char *known[] = {"properties", "time", "value", "value_currency", "unique_id", "metric",
			       NULL,         NULL,   NULL};
	size_t n = 6;
	const char *currency;

	if (single)
		known[n++] = "profile";
	if (!check_before(c, "2026-04-15"))
		known[n++] = "backfill";
	check_only(c, attributes, at, known, "event");
	e->properties = check_required(c, attributes, at, "properties", json_type_object);
	if (e->properties)
		check_properties(c, e->properties, at);
	check_time(c, attributes, at, e);
	check_metric(c, attributes, at, e);
	e->unique_id = check_optional_text(c, attributes, at, "unique_id");
	e->value = check_optional(c, attributes, at, "value", json_type_double);
	e->backfill = check_backfill(c, attributes, at, backfill);
	currency = check_optional_text(c, attributes, at, "value_currency");
	if (currency && (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
		check_invalid(c, at, "value_currency", "The currency must be an ISO 4217 code.");
}

static struct check_event *next_event(struct check_result *r)
{
	MEM_ROOM(r->events, r->n);
	r->events[r->n] = (struct check_event){0};
	return &r->events[r->n++];
}

void check_single(struct json_object *body, const struct check_rules *rules, struct check_result *ret)
{
	struct check c = {rules->revision, rules->now_ms, ret};
	struct json_object *attributes;
	struct check_event *e;

	*ret = (struct check_result){0};
	if (!body)
		check_invalid(&c, "/data", NULL, "The payload provided in the request is invalid.");
	attributes = check_resource(&c, body, "", NULL, "event");
	if (!attributes)
		return;
	e = next_event(ret);
	check_event(&c, attributes, "/data/attributes", true, false, e);
	check_profile(&c, attributes, "/data/attributes", e);
}

/* ---- bulk -------------------------------------------------------------------------------------------------------- */

/* Checks one profile with its events. The profile is checked once. */
static void check_item(struct check *c, struct json_object *item, size_t i)
{
	const char *const known[] = {"profile", "events", check_before(c, "2026-04-15") ? NULL : "backfill", NULL};
	struct check_event who = {0};
	const char *type = json_member_str(item, "type");
	struct json_object *attributes;
	struct json_object *events;
	char at[POINTER_MAX], pointer[POINTER_MAX];
	bool backfill;
	size_t n;

	(void)snprintf(at, sizeof(at), BULK "/%zu", i);
	if (!type || strcmp(type, "event-bulk-create") != 0) {
		check_invalid(c, at, "type", "The type must be 'event-bulk-create'.");
		return;
	}
	attributes = check_required(c, item, at, "attributes", json_type_object);
	if (!attributes)
		return;
	(void)snprintf(at, sizeof(at), BULK "/%zu/attributes", i);
	check_only(c, attributes, at, known, "event-bulk-create");
	check_profile(c, attributes, at, &who);
	backfill = check_backfill(c, attributes, at, false);
	events = check_required(c, attributes, at, "events", json_type_object);
	if (events)
		events = check_required(c, events, at, "data", json_type_array);
	n = events ? json_object_array_length(events) : 0;
	if (events && n == 0)
		check_invalid(c, at, "events/data", "At least one event is required.");
	for (size_t k = 0; k < n; k++) {
		struct json_object *event = json_object_array_get_idx(events, k);
		struct check_event *e;

		(void)snprintf(pointer, sizeof(pointer), BULK "/%zu/attributes/events/data/%zu", i, k);
		type = json_member_str(event, "type");
		if (!type || strcmp(type, "event") != 0) {
			check_invalid(c, pointer, "type", "The type must be 'event'.");
			continue;
		}
		event = check_required(c, event, pointer, "attributes", json_type_object);
		if (!event)
			continue;
		(void)snprintf(pointer, sizeof(pointer), BULK "/%zu/attributes/events/data/%zu/attributes", i, k);
		e = next_event(c->result);
		*e = who;
		e->person = mem_str(who.person);
		check_event(c, event, pointer, false, backfill, e);
	}
	free(who.person);
}

/* Returns an item's list of events; NULL where it has none. */
static struct json_object *events_of(struct json_object *item)
{
	struct json_object *list = json_member(json_member(json_member(item, "attributes"), "events"), "data");

	return json_object_is_type(list, json_type_array) ? list : NULL;
}

static int by_identity(const void *a, const void *b)
{
	const struct check_event *x = *(const struct check_event *const *)a;
	const struct check_event *y = *(const struct check_event *const *)b;
	int r = strcmp(x->person, y->person);

	if (r == 0)
		r = strcmp(x->metric, y->metric);
	if (r == 0)
		r = strcmp(x->unique_id, y->unique_id);
	return r;
}

/* Call this only where everything else is valid: then the events of the result and of the items have the same order, by
 * which the pointer of a repeated event is found. */
static void check_repeats(struct check *c, struct json_object *items)
{
	const struct check_event **sorted = mem_new(c->result->n + 1, sizeof(*sorted));
	CLEANUP(mem_freep) bool *repeated = mem_new(c->result->n + 1, sizeof(*repeated));
	size_t n = 0;
	size_t at = 0;

	for (size_t i = 0; i < c->result->n; i++)
		if (c->result->events[i].unique_id)
			sorted[n++] = &c->result->events[i];
	qsort(sorted, n, sizeof(*sorted), by_identity);
	for (size_t i = 1; i < n; i++)
		if (by_identity(&sorted[i - 1], &sorted[i]) == 0)
			repeated[(sorted[i - 1] > sorted[i] ? sorted[i - 1] : sorted[i]) - c->result->events] = true;
	free(sorted);

	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *list = events_of(json_object_array_get_idx(items, i));
		char pointer[POINTER_MAX];

		for (size_t k = 0; k < json_object_array_length(list); k++, at++) {
			if (!repeated[at])
				continue;
			(void)snprintf(pointer, sizeof(pointer), BULK "/%zu/attributes/events/data/%zu/attributes", i,
				       k);
			check_invalid(
				c, pointer, "unique_id",
				"The unique_id is repeated for the same profile and metric; no events were processed.");
		}
	}
}

void check_bulk(struct json_object *body, const struct check_rules *rules, struct check_result *ret)
{
	struct check c = {rules->revision, rules->now_ms, ret};
	size_t events = 0;
	struct json_object *attributes;
	struct json_object *outer;
	struct json_object *items;
	struct json_object *list;

	*ret = (struct check_result){0};
	if (!body)
		check_invalid(&c, "/data", NULL, "The payload provided in the request is invalid.");
	attributes = check_resource(&c, body, "", NULL, "event-bulk-create-job");
	if (!attributes)
		return;
	outer = check_required(&c, attributes, "/data/attributes", "events-bulk-create", json_type_object);
	items = outer ? check_required(&c, outer, "/data/attributes/events-bulk-create", "data", json_type_array)
		      : NULL;
	if (!items)
		return;
	if (json_object_array_length(items) == 0)
		check_invalid(&c, BULK, NULL, "At least one event is required.");
	for (size_t i = 0; i < json_object_array_length(items); i++)
		if ((list = events_of(json_object_array_get_idx(items, i))))
			events += json_object_array_length(list);
	if (events > CHECK_EVENTS_MAX) {
		check_invalid(&c, BULK, NULL, "A request must not have more than 1000 events.");
		return;
	}
	for (size_t i = 0; i < json_object_array_length(items); i++)
		check_item(&c, json_object_array_get_idx(items, i), i);
	if (ret->complaints.n == 0)
		check_repeats(&c, items);
}

void check_result_done(struct check_result *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->events[i].person);
	free(r->events);
	complaints_done(&r->complaints);
	*r = (struct check_result){0};
}

/* ---- for the faults ---------------------------------------------------------------------------------------------- */

static bool profile_is(struct json_object *attributes, const char *email)
{
	struct json_object *profile = json_member(json_member(attributes, "profile"), "data");
	const char *have = json_member_str(json_member(profile, "attributes"), "email");

	return have && text_same(have, email);
}

bool check_concerns(struct json_object *body, const char *email)
{
	struct json_object *attributes = json_member(json_member(body, "data"), "attributes");
	struct json_object *items = json_member(json_member(attributes, "events-bulk-create"), "data");
	size_t n = json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;

	if (profile_is(attributes, email))
		return true;
	for (size_t i = 0; i < n; i++)
		if (profile_is(json_member(json_object_array_get_idx(items, i), "attributes"), email))
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/properties.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"

#define NUMBER_BYTES 20 /* of the longest 64-bit integer */

void properties_init(struct properties *p)
{
	p->items = p->first;
	p->n = 0;
	p->alloc = PROPERTIES_AT_ONCE;
}

void properties_done(struct properties *p)
{
	if (p->items != p->first)
		free(p->items);
	properties_init(p);
}

/* ---- setting ----------------------------------------------------------------------------------------------------- */

static const struct property *find_exact(const struct properties *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i].name, name) == 0)
			return &p->items[i];
	return NULL;
}

static void make_room(struct properties *p)
{
	struct property *items = p->items == p->first ? NULL : p->items;

	if (p->n < p->alloc)
		return;
	p->alloc *= 2;
	items = mem_grow(items, p->alloc, sizeof(*items));
	if (p->items == p->first)
		memcpy(items, p->first, sizeof(p->first));
	p->items = items;
}

static void append(struct properties *p, struct property value)
{
	make_room(p);
	p->items[p->n++] = value;
}

static void set(struct properties *p, struct property value)
{
	const struct property *former = find_exact(p, value.name);

	if (former)
		p->items[former - p->items] = value;
	else
		append(p, value);
}

void properties_set_text(struct properties *p, const char *name, const char *text_or_null)
{
	if (text_or_null)
		set(p, (struct property){.name = name, .kind = PROPERTY_IS_TEXT, .text = text_or_null});
}

void properties_set_json(struct properties *p, const char *name, struct json_object *value_or_null)
{
	if (value_or_null)
		set(p, (struct property){.name = name, .kind = PROPERTY_IS_JSON, .json = value_or_null});
}

void properties_set_time(struct properties *p, const char *name, int64_t time_ms)
{
	set(p, (struct property){.name = name, .kind = PROPERTY_IS_TIME, .number = time_ms});
}

void properties_set_int(struct properties *p, const char *name, int64_t value)
{
	set(p, (struct property){.name = name, .kind = PROPERTY_IS_INT, .number = value});
}

void properties_set_bool(struct properties *p, const char *name, bool value)
{
	set(p, (struct property){.name = name, .kind = PROPERTY_IS_BOOL, .number = value});
}

void properties_set_members(struct properties *p, struct json_object *object_or_null)
{
	if (!object_or_null)
		return;
	json_object_object_foreach(object_or_null, name, value)
	{
		properties_set_json(p, name, value);
	}
}

void properties_set_all(struct properties *p, const struct properties *others)
{
	const bool is_copy = p->n == 0;

	for (size_t i = 0; i < others->n; i++)
		if (is_copy)
			append(p, others->items[i]);
		else
			set(p, others->items[i]);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

const struct property *properties_find(const struct properties *p, const char *name)
{
	const struct property *exact = find_exact(p, name);

	for (size_t i = 0; i < p->n && !exact; i++)
		if (text_same(p->items[i].name, name))
			return &p->items[i];
	return exact;
}

struct json_object *property_json(const struct property *p)
{
	struct json_object *o = NULL;
	char time[CLOCK_ISO_MAX];

	switch (p->kind) {
	case PROPERTY_IS_TEXT:
		o = json_object_new_string(p->text);
		break;
	case PROPERTY_IS_TIME:
		clock_iso(p->number, time);
		o = json_object_new_string(time);
		break;
	case PROPERTY_IS_INT:
		o = json_object_new_int64(p->number);
		break;
	case PROPERTY_IS_BOOL:
		o = json_object_new_boolean(p->number != 0);
		break;
	case PROPERTY_IS_JSON:
		o = json_object_get(p->json);
		break;
	}
	INSIST(o);
	return o;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* The caller counts a comma or a bracket. */
static size_t json_length(struct json_object *o)
{
	size_t n = 2;

	if (json_object_is_type(o, json_type_string))
		return (size_t)json_object_get_string_len(o) + 2;
	if (!json_object_is_type(o, json_type_array))
		return NUMBER_BYTES;
	for (size_t i = 0; i < json_object_array_length(o); i++)
		n += 1 + json_length(json_object_array_get_idx(o, i));
	return n;
}

size_t properties_length(const struct properties *p)
{
	size_t n = 2;

	for (size_t i = 0; i < p->n; i++) {
		const struct property *one = &p->items[i];

		n += strlen(one->name) + strlen("\"\":,");
		switch (one->kind) {
		case PROPERTY_IS_TEXT:
			n += strlen(one->text) + 2;
			break;
		case PROPERTY_IS_TIME:
			n += CLOCK_ISO_MAX + 2;
			break;
		case PROPERTY_IS_INT:
			n += NUMBER_BYTES;
			break;
		case PROPERTY_IS_BOOL:
			n += strlen("false");
			break;
		case PROPERTY_IS_JSON:
			n += json_length(one->json);
			break;
		}
	}
	return n;
}

static void write_value(const struct property *p, struct buf *to)
{
	char time[CLOCK_ISO_MAX];

	switch (p->kind) {
	case PROPERTY_IS_TEXT:
		json_write_text(to, p->text, strlen(p->text));
		break;
	case PROPERTY_IS_TIME:
		clock_iso(p->number, time);
		json_write_text(to, time, strlen(time));
		break;
	case PROPERTY_IS_INT:
		json_write_int(to, p->number);
		break;
	case PROPERTY_IS_BOOL:
		buf_adds(to, p->number != 0 ? "true" : "false");
		break;
	case PROPERTY_IS_JSON:
		json_write_value(to, p->json);
		break;
	}
}

void properties_write(const struct properties *p, struct buf *to)
{
	buf_addc(to, '{');
	for (size_t i = 0; i < p->n; i++) {
		if (i > 0)
			buf_addc(to, ',');
		json_write_text(to, p->items[i].name, strlen(p->items[i].name));
		buf_addc(to, ':');
		write_value(&p->items[i], to);
	}
	buf_addc(to, '}');
}

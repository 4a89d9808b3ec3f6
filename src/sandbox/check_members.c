#include <config.h>

#include "sandbox/check_members.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 10
#define ARRAY_MAX 4000

void check_invalid(struct check *c, const char *at, const char *member, const char *detail)
{
	CLEANUP(mem_freep) char *where = mem_fmt("%s%s%s", at, member ? "/" : "", member ? member : "");

	complaints_add(c->complaints, 400, where, "%s", detail);
}

bool check_before(const struct check *c, const char *revision)
{
	return strcmp(c->revision, revision) < 0;
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

struct json_object *check_optional(struct check *c, struct json_object *o, const char *at, const char *name,
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

struct json_object *check_required(struct check *c, struct json_object *o, const char *at, const char *name,
				   enum json_type type)
{
	CLEANUP(mem_freep) char *detail = NULL;

	if (json_member(o, name))
		return check_optional(c, o, at, name, type);
	detail = mem_fmt("'%s' is a required field.", name);
	check_invalid(c, at, name, detail);
	return NULL;
}

const char *check_optional_text(struct check *c, struct json_object *o, const char *at, const char *name)
{
	struct json_object *member = check_optional(c, o, at, name, json_type_string);

	if (member && json_object_get_string_len(member) > CHECK_STRING_MAX) {
		check_invalid(c, at, name, "A string must not exceed 100 KB.");
		return NULL;
	}
	return member ? json_object_get_string(member) : NULL;
}

void check_only(struct check *c, struct json_object *o, const char *at, const char *const *known, const char *resource)
{
	json_object_object_foreach(o, key, value)
	{
		size_t i;
		CLEANUP(mem_freep) char *detail = NULL;

		(void)value;
		for (i = 0; known[i] && strcmp(known[i], key) != 0; i++)
			;
		if (known[i])
			continue;
		detail = mem_fmt("'%.100s' is not a valid field for the resource '%s'.", key, resource);
		check_invalid(c, at, key, detail);
	}
}

struct json_object *check_resource(struct check *c, struct json_object *o, const char *at, const char *name,
				   const char *type)
{
	struct json_object *outer = name ? check_required(c, o, at, name, json_type_object) : o;
	struct json_object *data = json_member(outer, "data");
	char place[POINTER_MAX];
	const char *have;

	if (!outer)
		return NULL;
	if (!json_object_is_type(data, json_type_object)) {
		check_invalid(c, "/data", NULL, "The payload provided in the request is invalid.");
		return NULL;
	}
	(void)snprintf(place, sizeof(place), "%s%s%s/data", at, name ? "/" : "", name ? name : "");
	have = json_member_str(data, "type");
	if (!have || strcmp(have, type) != 0) {
		CLEANUP(mem_freep) char *detail = mem_fmt("The type must be '%s'.", type);

		check_invalid(c, place, "type", detail);
		return NULL;
	}
	return check_required(c, data, place, "attributes", json_type_object);
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

/* NULL, or what is too big. Depth is bounded by the reader of the JSON. */
static const char *too_big(struct json_object *o, unsigned depth)
{
	const char *what = NULL;

	if (depth > DEPTH_MAX)
		return "Properties must not be nested more than 10 levels deep.";
	switch (json_object_get_type(o)) {
	case json_type_string:
		return json_object_get_string_len(o) > CHECK_STRING_MAX ? "A string must not exceed 100 KB." : NULL;
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

void check_properties(struct check *c, struct json_object *o, const char *at)
{
	int max = check_before(c, "2025-04-15") ? 300 : 400;
	char place[POINTER_MAX + 16];

	(void)snprintf(place, sizeof(place), "%s/properties", at);
	if (json_object_object_length(o) > max) {
		CLEANUP(mem_freep) char *detail = mem_fmt("An event must not have more than %d properties.", max);

		check_invalid(c, place, NULL, detail);
	}
	json_object_object_foreach(o, key, value)
	{
		const char *what = too_big(value, 1);

		if (what)
			check_invalid(c, place, key, what);
	}
}

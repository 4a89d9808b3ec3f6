/*
 * check_members: what check.c asks of the members of a body, one question a function; each adds its own complaint.
 *
 * `at` is the JSON Pointer of the object o, without an end slash. Pure; part of check, of no use to others.
 */
#ifndef SANDBOX_CHECK_MEMBERS_H
#define SANDBOX_CHECK_MEMBERS_H

#include <stdint.h>

#include "base/json.h"
#include "sandbox/complaint.h"

#define POINTER_MAX 256
#define CHECK_STRING_MAX 100000 /* bytes of a string: 100 KB */

/* One request being checked. */
struct check {
	const char *revision; /* of Klaviyo's API, "2026-07-15" */
	int64_t now_ms;
	struct complaints *complaints;
	struct check_result *result; /* check.c's alone */
};

/* A complaint about at/member, or (member NULL) at. */
void check_invalid(struct check *c, const char *at, const char *member, const char *detail);
/* Whether the request's revision is older. */
bool check_before(const struct check *c, const char *revision);

/* The member, or NULL where it is absent or null, or of another type (a complaint). json_type_double takes integers. */
struct json_object *check_optional(struct check *c, struct json_object *o, const char *at, const char *name,
				   enum json_type type);
/* The same, but absent and null are complaints too. */
struct json_object *check_required(struct check *c, struct json_object *o, const char *at, const char *name,
				   enum json_type type);
const char *check_optional_text(struct check *c, struct json_object *o, const char *at, const char *name);
/* A complaint for each member that is not in the list; it ends with NULL. */
void check_only(struct check *c, struct json_object *o, const char *at, const char *const *known, const char *resource);
/*
 * {"data": {"type": TYPE, "attributes": {…}}} as the member `name` of o (or o itself where name is NULL): the
 * attributes, or NULL after complaints. A resource without data is what Klaviyo calls an invalid payload.
 */
struct json_object *check_resource(struct check *c, struct json_object *o, const char *at, const char *name,
				   const char *type);
/* The limits of an object of properties, the member "properties" at `at`. */
void check_properties(struct check *c, struct json_object *o, const char *at);

#endif

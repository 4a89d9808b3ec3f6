#include <config.h>

#include "sandbox/complaint.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#define UUID_TEXT 37
#define THROTTLE_PAGE "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling#rate-limits"

static const struct wording {
	unsigned status;
	const char *code, *title;
} wordings[] = {
	{400, "invalid", "Invalid input."},
	{401, "not_authenticated", "Authentication credentials were not provided."},
	{403, "permission_denied", "You do not have permission to perform this action."},
	{404, "not_found", "Not found."},
	{405, "method_not_allowed", "Method not allowed."},
	{409, "conflict", "Conflict."},
	{410, "gone", "Gone."},
	{413, "payload_too_large", "Payload too large."},
	{415, "unsupported_media_type", "Unsupported media type."},
	{422, "invalid", "Invalid input."},
	{429, "throttled", "Request was throttled."},
	{0, "error", "A server error occurred."},
};

static const struct wording *wording_of(unsigned status)
{
	const struct wording *w = wordings;

	while (w->status != status && w->status != 0)
		w++;
	return w;
}

void complaints_add(struct complaints *c, unsigned status, const char *where, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	if (c->n == COMPLAINTS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	MEM_ROOM(c->items, c->n);
	c->items[c->n++] = (struct complaint){status, mem_str(where), mem_str(detail)};
}

void complaints_done(struct complaints *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->items[i].where);
		free(c->items[i].detail);
	}
	free(c->items);
	*c = (struct complaints){0};
}

static void uuid(char out[UUID_TEXT])
{
	unsigned char b[16];
	char hex[33];

	digest_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_write(b, sizeof(b), hex);
	(void)snprintf(out, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static struct json_object *complaint_json(const struct complaint *item)
{
	const struct wording *w = wording_of(item->status);
	struct json_object *o = json_object_new_object(), *source = json_object_new_object(), *links;
	char id[UUID_TEXT];

	uuid(id);
	json_set_str(o, "id", id);
	json_set_int(o, "status", item->status);
	json_set_str(o, "code", w->code);
	json_set_str(o, "title", w->title);
	json_set_str(o, "detail", item->detail);
	json_set_str(source, item->where[0] == '/' ? "pointer" : "parameter", item->where);
	json_object_object_add(o, "source", source);
	if (item->status == 401) /* Klaviyo's own has neither links nor meta here */
		return o;
	if (item->status == 429) {
		links = json_object_new_object();
		json_set_str(links, "type", THROTTLE_PAGE);
		json_object_object_add(o, "links", links);
	}
	json_object_object_add(o, "meta", json_object_new_object());
	return o;
}

char *complaints_body(const struct complaints *c)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *errors = json_object_new_array();

	INSIST(c->n > 0);
	for (size_t i = 0; i < c->n; i++)
		json_object_array_add(errors, complaint_json(&c->items[i]));
	json_object_object_add(o, "errors", errors);
	return json_text(o);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/hex.h"

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
	const struct wording *w = wordings;
	struct json_object *o = json_object_new_object();
	struct json_object *source = json_object_new_object();
	struct json_object *links;
	char id[UUID_TEXT];

	while (w->status != item->status && w->status != 0)
		w++;
	uuid(id);
	json_set_str(o, "id", id);
	json_set_int(o, "status", item->status);
	json_set_str(o, "code", w->code);
	json_set_str(o, "title", w->title);
	json_set_str(o, "detail", item->detail);
	json_set_str(source, item->where[0] == '/' ? "pointer" : "parameter", item->where);
	json_object_object_add(o, "source", source);
	if (item->status == 401) /* Klaviyo's 401 has neither links nor meta */
		return o;
	if (item->status == 429) {
		links = json_object_new_object();
		json_set_str(links, "type", THROTTLE_PAGE);
		json_object_object_add(o, "links", links);
	}
	json_object_object_add(o, "meta", json_object_new_object());
	return o;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

void answer_json(struct answer *ret, unsigned status, const char *type, struct json_object *o)
{
	ret->status = status;
	ret->type = type;
	ret->body = json_text(o);
	json_object_put(o);
}

void answer_complaints(struct answer *ret, const struct complaints *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *errors = json_object_new_array();

	INSIST(c->n > 0);
	for (size_t i = 0; i < c->n; i++)
		json_object_array_add(errors, complaint_json(&c->items[i]));
	json_object_object_add(o, "errors", errors);
	answer_json(ret, c->items[0].status, COMPLAINT_TYPE, o);
}

void answer_complaint(struct answer *ret, unsigned status, const char *where, const char *detail)
{
	struct complaints c = {0};

	complaints_add(&c, status, where, "%s", detail);
	answer_complaints(ret, &c);
	complaints_done(&c);
}

void answer_error(struct answer *ret, unsigned status, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_set_str(o, "error", text);
	answer_json(ret, status, "application/json", o);
}

void answer_html(struct answer *ret, unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{400, "Bad Request"},
		{403, "Forbidden"},
		{413, "Request Entity Too Large"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Time-out"},
		{520, "Web server is returning an unknown error"},
		{522, "Connection timed out"},
		{524, "A timeout occurred"},
	};
	const char *text = "Error";

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			text = reasons[i].text;
	ret->status = status;
	ret->type = "text/html; charset=UTF-8";
	ret->body = mem_fmt("<html>\n<head><title>%u %s</title></head>\n<body>\n<center><h1>%u %s</h1></center>\n"
			    "<hr><center>cloudflare</center>\n</body>\n</html>\n",
			    status, text, status, text);
	pairs_add(&ret->headers, "Server", "cloudflare");
	pairs_add(&ret->headers, "CF-RAY", "-");
}

void answer_text(struct answer *ret, unsigned status, const char *type, const char *text)
{
	ret->status = status;
	ret->type = type;
	ret->body = mem_str(text);
}

void answer_header(struct answer *ret, const char *name, long value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", value);
	pairs_add(&ret->headers, name, text);
}

void answer_done(struct answer *a)
{
	free(a->body);
	pairs_done(&a->headers);
	*a = (struct answer){0};
}

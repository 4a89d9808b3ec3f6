/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "klaviyo/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/mask.h"
#include "base/text.h"

#define RAW_MAX 16384 /* bytes of a text from outside that are looked at */

/* ---- cleaning ---------------------------------------------------------------------------------------------------- */

/* In place: an invalid byte becomes "?", a control character a blank. The text never becomes longer. */
static void make_printable(char *s)
{
	const char *end = s + strlen(s);
	char *to = s;

	while (s < end) {
		size_t n = text_step(s, (size_t)(end - s));

		if (n == 0 || escape_is_control(s, n)) {
			*to++ = n == 0 ? '?' : ' ';
			s += n == 0 ? 1 : n;
			continue;
		}
		memmove(to, s, n);
		to += n;
		s += n;
	}
	*to = '\0';
}

/* Copies s to out; a longer text is cut between characters, with a mark. */
static void truncate_to(char *out, size_t size, const char *s)
{
	static const char more[] = "…";
	size_t len = strlen(s);
	size_t kept = 0;
	size_t n;

	if (len < size) {
		memcpy(out, s, len + 1);
		return;
	}
	while ((n = text_step(s + kept, len - kept)) > 0 && kept + n + sizeof(more) <= size)
		kept += n;
	memcpy(out, s, kept);
	memcpy(out + kept, more, sizeof(more));
}

void reason_text(char *out, size_t size, const struct redactor *secrets, const char *fmt, ...)
{
	CLEANUP(mem_freep) char *raw = NULL;
	CLEANUP(mem_freep) char *redacted = NULL;
	CLEANUP(mem_freep) char *clean = NULL;
	size_t raw_size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	INSIST(n >= 0);
	raw_size = n < RAW_MAX ? (size_t)n + 1 : RAW_MAX;
	raw = mem_new(raw_size, 1);
	va_start(ap, fmt);
	(void)vsnprintf(raw, raw_size, fmt, ap);
	va_end(ap);
	/* Secrets first, in the whole text: a cut or masked secret is not recognised. */
	redacted = redact(secrets, raw);
	make_printable(redacted);
	clean = mask_text(text_trim(redacted));
	truncate_to(out, size, clean);
}

/* ---- texts of errors --------------------------------------------------------------------------------------------- */

static const char *error_words(struct json_object *error)
{
	const char *detail = json_member_str(error, "detail");

	return detail && detail[0] != '\0' ? detail : json_member_str(error, "title");
}

const char *reason_detail(struct json_object *body)
{
	struct json_object *errors = json_member(body, "errors");

	if (!json_object_is_type(errors, json_type_array) || json_object_array_length(errors) == 0)
		return NULL;
	return error_words(json_object_array_get_idx(errors, 0));
}

void reason_of_refusal(char *out, size_t size, const struct redactor *secrets, unsigned status,
		       struct json_object *body)
{
	struct json_object *errors = json_member(body, "errors");
	size_t n = json_object_is_type(errors, json_type_array) ? json_object_array_length(errors) : 0;
	struct buf text;

	buf_init(&text, RAW_MAX * 2);
	for (size_t i = 0; i < n && text.len < size; i++) {
		struct json_object *error = json_object_array_get_idx(errors, i);
		struct json_object *source = json_member(error, "source");
		const char *words = error_words(error);
		const char *pointer = json_member_str(source, "pointer");

		if (!words)
			continue;
		if (!pointer)
			pointer = json_member_str(source, "parameter");
		buf_addf(&text, "%s%.*s", text.len > 0 ? "; " : "", (int)size, words);
		if (pointer)
			buf_addf(&text, " (%.*s)", (int)size, pointer);
	}
	if (text.len > 0)
		reason_text(out, size, secrets, "%s", text.data);
	else if (status == 413)
		reason_of_status(out, size, secrets, status, false, NULL);
	else
		reason_text(out, size, secrets, "refused without a reason (%u)", status);
	buf_done(&text);
}

static const char *status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} meanings[] = {
		{400, "refused before Klaviyo read it: a header is malformed, most likely the key"},
		{401, "the key is not accepted"},
		{402, "a payment is wanted"},
		{403, "the key may not do this, or something in between forbids it"},
		{404, "there is no such address: klaviyo.url is not Klaviyo's"},
		{405, "this address does not take events: klaviyo.url is not Klaviyo's"},
		{407, "a proxy in between wants credentials"},
		{408, "the request took too long"},
		{410, "this revision or address is retired"},
		{413, "the event is too large"},
		{415, "the content type is not accepted"},
		{422, "refused, and not by Klaviyo"},
		{429, "asked too often"},
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].status == status)
			return meanings[i].text;
	if (status >= 500 && status < 600)
		return "trouble at Klaviyo's end";
	if (status >= 400 && status < 500)
		return "refused with a status that Klaviyo does not document";
	return "not an answer that HTTP knows";
}

void reason_of_status(char *out, size_t size, const struct redactor *secrets, unsigned status, bool challenge,
		      const char *location)
{
	if (challenge)
		reason_text(out, size, secrets, "Cloudflare's bot challenge (%u)", status);
	else if (status >= 300 && status < 400)
		reason_text(out, size, secrets, "sent on to %s: klaviyo.url is not Klaviyo's (%u)",
			    location ? location : "another address", status);
	else if (status == 202)
		reason_text(out, size, secrets, "answered with a web page, and not by Klaviyo (%u)", status);
	else if (status >= 200 && status < 300)
		reason_text(out, size, secrets,
			    "not Klaviyo's answer: klaviyo.url is wrong, or something in between answers (%u)", status);
	else
		reason_text(out, size, secrets, "%s (%u)", status_text(status), status);
}

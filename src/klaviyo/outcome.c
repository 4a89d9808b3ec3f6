/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "klaviyo/outcome.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "klaviyo/reason.h"
#include "klaviyo/retry_after.h"

#define THROTTLE_HINT_MAX_MS (60 * 1000) /* the steady window */
#define DIGITS "0123456789"

const char *lane_name(enum lane l)
{
	return l == LANE_BULK ? "bulk" : "single";
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {
		[OUTCOME_DELIVERED] = "delivered", [OUTCOME_RETRY] = "retry",   [OUTCOME_REJECT] = "reject",
		[OUTCOME_PARK] = "park",           [OUTCOME_SINGLE] = "single",
	};

	return names[o];
}

/* ---- classifying the answer -------------------------------------------------------------------------------------- */

/* True where a type like "application/vnd.api+json; charset=utf-8" ends in `end`. Parameters are ignored. */
static bool type_ends_in(const char *type, const char *end)
{
	size_t len = strcspn(type, "; \t");
	size_t end_len = strlen(end);

	return len >= end_len && strncasecmp(type + len - end_len, end, end_len) == 0;
}

static bool is_html(const struct outcome_answer *a)
{
	return a->type && type_ends_in(a->type, "html");
}

/* True for a body that begins with markup, whatever its type is, and for a body of an HTML type that is not blank. */
static bool is_page(const struct outcome_answer *a)
{
	static const char mark[] = "\xef\xbb\xbf";
	const char *at = a->body;
	const char *end = a->body ? a->body + a->body_len : NULL;

	if (a->truncated && is_html(a))
		return true;
	if (at && a->body_len >= 3 && memcmp(at, mark, 3) == 0)
		at += 3;
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
		at++;
	return at < end && (*at == '<' || is_html(a));
}

static bool is_json(const struct outcome_answer *a, struct json_object *body)
{
	if (a->type && type_ends_in(a->type, "json"))
		return !is_page(a) && (a->body_len > 0 || a->truncated);
	return !is_html(a) && json_object_is_type(body, json_type_object);
}

static const char *header(const struct outcome_answer *a, const char *name)
{
	return a->headers ? pairs_get(a->headers, name) : NULL;
}

/* Cloudflare announces a challenge by a header; its page loads the challenge from a fixed path. */
static bool is_challenge(const struct outcome_answer *a)
{
	static const char script[] = "/cdn-cgi/challenge-platform/";

	if (text_same(header(a, "cf-mitigated"), "challenge"))
		return true;
	return is_html(a) && a->body && memmem(a->body, a->body_len, script, sizeof(script) - 1);
}

static int64_t header_number(const struct outcome_answer *a, const char *name)
{
	const char *s = header(a, name);
	size_t len = s ? strspn(s, DIGITS) : 0;
	uint64_t n;

	if (len == 0 || !strchr(" ,;", s[len]) || text_digits(s, len, INT64_MAX, &n) < 0)
		return -1;
	return (int64_t)n;
}

/* Reads "… Expected available in 3 seconds.": only a hint, for a 429 without Retry-After. */
static int64_t throttle_hint_ms(struct json_object *body)
{
	static const char before[] = "available in ";
	const char *at = reason_detail(body);
	uint64_t seconds;
	size_t len;
	int r;

	at = at ? strstr(at, before) : NULL;
	if (!at)
		return -1;
	at += strlen(before);
	len = strspn(at, DIGITS);
	r = text_digits(at, len, THROTTLE_HINT_MAX_MS / 1000, &seconds);
	if (r == -EINVAL || strncmp(at + len, " second", 7) != 0)
		return -1;
	return r == -ERANGE ? THROTTLE_HINT_MAX_MS : (int64_t)seconds * 1000;
}

/* ---- outcome and reason ------------------------------------------------------------------------------------------ */

/* The request itself is refused. The events of a bulk request are sent again by the single lane, which finds the
 * invalid one. */
static enum outcome refused(const struct outcome_answer *a)
{
	return a->lane == LANE_BULK ? OUTCOME_SINGLE : OUTCOME_REJECT;
}

/* *ret_odd: the table does not name the answer. */
static enum outcome classify(const struct outcome_answer *a, bool json, bool *ret_odd)
{
	unsigned s = a->status;

	*ret_odd = false;
	if (s < 200 || s >= 500)
		return OUTCOME_RETRY;
	switch (s) {
	case 202:
		return is_page(a) ? OUTCOME_PARK : OUTCOME_DELIVERED;
	case 400:
	case 422:
		return json ? refused(a) : OUTCOME_PARK;
	case 401:
	case 404:
	case 405:
	case 410:
	case 415:
		return OUTCOME_PARK;
	case 403:
		if (!json && is_challenge(a))
			return OUTCOME_RETRY;
		*ret_odd = !json && !is_page(a);
		return *ret_odd ? OUTCOME_RETRY : OUTCOME_PARK;
	case 408:
	case 425:
	case 429:
		return OUTCOME_RETRY;
	case 413:
		return refused(a);
	default:
		*ret_odd = s >= 400;
		return s >= 400 ? OUTCOME_RETRY : OUTCOME_PARK;
	}
}

static void explain(const struct outcome_answer *a, bool json, struct json_object *body, struct outcome_verdict *v)
{
	const char *partial = header(a, "X-Klaviyo-Partial-Failure");

	switch (v->outcome) {
	case OUTCOME_DELIVERED:
		v->partial_failure = partial != NULL;
		if (partial)
			reason_text(v->reason, sizeof(v->reason), a->secrets, "taken without: %s", partial);
		return;
	case OUTCOME_REJECT:
	case OUTCOME_SINGLE:
		reason_of_refusal(v->reason, sizeof(v->reason), a->secrets, a->status, body);
		return;
	case OUTCOME_RETRY:
	case OUTCOME_PARK:
		if (json && reason_detail(body))
			reason_text(v->reason, sizeof(v->reason), a->secrets, "%s (%u)", reason_detail(body),
				    a->status);
		else
			reason_of_status(v->reason, sizeof(v->reason), a->secrets, a->status, is_challenge(a),
					 header(a, "Location"));
		return;
	}
}

void outcome_of(const struct outcome_answer *a, struct outcome_verdict *ret)
{
	CLEANUP(json_putp) struct json_object *body = NULL;
	bool json;

	*ret = (struct outcome_verdict){
		.outcome = OUTCOME_RETRY, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};
	if (a->transport_error) {
		reason_text(ret->reason, sizeof(ret->reason), a->secrets, "%s", a->transport_error);
		return;
	}
	if (a->body_len > 0 && !is_html(a) && json_read(a->body, a->body_len, &body, NULL) < 0)
		body = NULL;
	json = is_json(a, body);
	ret->status = a->status;
	ret->outcome = classify(a, json, &ret->odd);
	ret->throttled = a->status == 429;
	if (a->status == 429 || a->status == 503)
		ret->retry_after_ms = retry_after_ms(a->headers);
	if (ret->throttled && ret->retry_after_ms < 0)
		ret->retry_after_ms = throttle_hint_ms(body);
	ret->limit = header_number(a, "RateLimit-Limit");
	ret->remaining = header_number(a, "RateLimit-Remaining");
	ret->reset_s = header_number(a, "RateLimit-Reset");
	explain(a, json, body, ret);
}

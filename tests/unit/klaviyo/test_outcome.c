/* SPDX-License-Identifier: MIT */
/* Tests outcome: the whole table, and the texts that reach logs and dead letters. */
#include <config.h>

#include "klaviyo/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "klaviyo/reason.h"
#include "klaviyo/retry_after.h"

#define JSON_TYPE "application/vnd.api+json"
#define HTML_TYPE "text/html; charset=UTF-8"
#define ERROR(status, code, title, detail, pointer)                                                  \
	"{\"errors\":[{\"id\":\"7a\",\"status\":" status ",\"code\":\"" code "\",\"title\":\"" title \
	"\",\"detail\":\"" detail "\",\"source\":{\"pointer\":\"" pointer "\"},\"meta\":{}}]}"
#define INVALID_EMAIL ERROR("400", "invalid", "Invalid input.", "Invalid email address", "/data/attributes/email")
#define BAD_KEY                                                                            \
	ERROR("401", "not_authenticated", "Authentication credentials were not provided.", \
	      "Missing or invalid private key.", "/data/")
#define NO_SCOPE ERROR("403", "permission_denied", "Forbidden.", "The key lacks a scope.", "/data/")
#define THROTTLED(seconds)                                  \
	ERROR("429", "throttled", "Request was throttled.", \
	      "Request was throttled. Expected available in " seconds ".", "/data")
#define HTML_PAGE "<html>\n<head><title>Trouble</title></head>\n<body>cloudflare</body></html>\n"
#define CHALLENGE_PAGE "<html><script src=\"/cdn-cgi/challenge-platform/h/b/orchestrate/x\"></script></html>"

struct row {
	unsigned status;
	const char *type, *body;
	const char *header, *value; /* a header that matters */
	enum outcome single, bulk;
	const char *reason; /* its beginning; NULL: not checked */
};

static struct redactor *secrets; /* the secrets that outcome_for() redacts */

static struct outcome_verdict outcome_for(enum lane lane, const struct row *row)
{
	struct outcome_answer a = {
		.lane = lane, .status = row->status, .type = row->type, .body = row->body, .secrets = secrets};
	struct pairs headers = {0};
	struct outcome_verdict v;

	pairs_add(&headers, "Server", "cloudflare");
	if (row->header)
		pairs_add(&headers, row->header, row->value);
	a.headers = &headers;
	a.body_len = row->body ? strlen(row->body) : 0;
	outcome_of(&a, &v);
	pairs_done(&headers);
	return v;
}

static void run(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct outcome_verdict single = outcome_for(LANE_SINGLE, &rows[i]);
		struct outcome_verdict bulk = outcome_for(LANE_BULK, &rows[i]);

		if (single.outcome != rows[i].single || bulk.outcome != rows[i].bulk)
			fail_msg("row %zu (%u, %s): single %s, bulk %s", i, rows[i].status,
				 rows[i].type ? rows[i].type : "no type", outcome_name(single.outcome),
				 outcome_name(bulk.outcome));
		if (rows[i].reason && strncmp(single.reason, rows[i].reason, strlen(rows[i].reason)) != 0)
			fail_msg("row %zu (%u): \"%s\"", i, rows[i].status, single.reason);
		assert_int_equal(single.status, rows[i].status);
		assert_int_equal(single.throttled, rows[i].status == 429);
	}
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

#define D OUTCOME_DELIVERED
#define T OUTCOME_RETRY
#define J OUTCOME_REJECT
#define P OUTCOME_PARK
#define S OUTCOME_SINGLE

static void success_is_delivered_without_a_reason(void **state)
{
	static const struct row rows[] = {
		{202, NULL, NULL, NULL, NULL, D, D, ""},
		{202, HTML_TYPE, NULL, NULL, NULL, D, D, ""}, /* an empty body is Klaviyo's answer, with any type */
		{202, HTML_TYPE, " \r\n", NULL, NULL, D, D, ""},
		{202, JSON_TYPE, "{\"data\":{}}", NULL, NULL, D, D, ""},
		{202, "text/plain", "accepted", NULL, NULL, D, D, ""},
	};

	(void)state;
	RUN(rows);
	assert_string_equal(outcome_for(LANE_SINGLE, &rows[0]).reason, "");
	assert_false(outcome_for(LANE_SINGLE, &rows[0]).partial_failure);
}

static void partial_failure_is_delivered_and_told(void **state)
{
	static const struct row row = {202, NULL, NULL, "x-klaviyo-partial-failure", "phone_number", D, D, NULL};
	struct outcome_verdict v = outcome_for(LANE_SINGLE, &row);

	(void)state;
	assert_int_equal(v.outcome, OUTCOME_DELIVERED);
	assert_true(v.partial_failure);
	assert_string_equal(v.reason, "taken without: phone_number");
}

static void a_refused_request_is_rejected_with_klaviyos_words(void **state)
{
	static const struct row rows[] = {
		{400, JSON_TYPE, INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address (/data/attributes/email)"},
		{400, "application/json", INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address"},
		{400, NULL, INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address"},
		{400, "text/plain", INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address"},
		{400, JSON_TYPE, "{\"errors\":[]}", NULL, NULL, J, S, "refused without a reason (400)"},
		{400, JSON_TYPE, "{\"errors\":[{\"title\":\"Invalid input.\"}]}", NULL, NULL, J, S, "Invalid input."},
		{400, JSON_TYPE, "{\"errors\":", NULL, NULL, J, S, "refused without a reason (400)"},
		{422, JSON_TYPE, INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address"},
		{400, JSON_TYPE, "\xef\xbb\xbf" INVALID_EMAIL, NULL, NULL, J, S, "Invalid email address"},
		{413, JSON_TYPE, "{}", NULL, NULL, J, S, "the event is too large (413)"},
		{413, HTML_TYPE, HTML_PAGE, NULL, NULL, J, S, "the event is too large (413)"},
	};

	(void)state;
	RUN(rows);
}

static void wrong_keys_and_addresses_park(void **state)
{
	static const struct row rows[] = {
		{401, JSON_TYPE, BAD_KEY, NULL, NULL, P, P, "Missing or invalid private key. (401)"},
		{401, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, "the key is not accepted (401)"},
		{403, JSON_TYPE, NO_SCOPE, NULL, NULL, P, P, "The key lacks a scope. (403)"},
		{403, JSON_TYPE, NO_SCOPE, "cf-mitigated", "challenge", P, P, NULL},
		{403, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, "the key may not do this"},
		{403, NULL, HTML_PAGE, NULL, NULL, P, P, NULL},
		{404, JSON_TYPE, "{}", NULL, NULL, P, P, "there is no such address"},
		{404, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, NULL},
		{405, NULL, NULL, NULL, NULL, P, P, NULL},
		{410, JSON_TYPE, "{}", NULL, NULL, P, P, "this revision or address is retired (410)"},
		{415, JSON_TYPE, "{}", NULL, NULL, P, P, NULL},
		{400, "text/html", HTML_PAGE, NULL, NULL, P, P, "refused before Klaviyo read it"},
		{400, NULL, NULL, NULL, NULL, P, P, NULL},
		{422, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, NULL},
		{400, JSON_TYPE, NULL, NULL, NULL, P, P, NULL}, /* without a body it is not JSON */
		{400, JSON_TYPE, HTML_PAGE, NULL, NULL, P, P, NULL},
		{422, "text/plain", "no", NULL, NULL, P, P, "refused, and not by Klaviyo (422)"},
	};

	(void)state;
	RUN(rows);
}

static void what_klaviyo_does_not_answer_on_success_parks(void **state)
{
	static const struct row rows[] = {
		{200, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, "not Klaviyo's answer"},
		{200, "application/json", "{}", NULL, NULL, P, P, "not Klaviyo's answer"},
		{200, NULL, NULL, NULL, NULL, P, P, NULL},
		{201, JSON_TYPE, "{}", NULL, NULL, P, P, NULL},
		{203, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, NULL},
		{204, NULL, NULL, NULL, NULL, P, P, NULL},
		{206, HTML_TYPE, NULL, NULL, NULL, P, P, NULL},
		{299, NULL, "x", NULL, NULL, P, P, NULL},
		{202, HTML_TYPE, HTML_PAGE, NULL, NULL, P, P, "answered with a web page"},
		{202, "text/plain", "\xef\xbb\xbf\n <!DOCTYPE html>", NULL, NULL, P, P, "answered with a web page"},
		{202, NULL, HTML_PAGE, NULL, NULL, P, P, "answered with a web page"},
		{202, HTML_TYPE, "please log in", NULL, NULL, P, P, "answered with a web page"},
	};

	(void)state;
	RUN(rows);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(outcome_for(LANE_SINGLE, &rows[i]).odd);
}

/* Every status that Klaviyo does not document, in every form. */
static void every_other_4xx_is_odd_and_retried(void **state)
{
	static const unsigned named[] = {400, 401, 403, 404, 405, 408, 410, 413, 415, 422, 425, 429};
	static const char *const types[] = {JSON_TYPE, HTML_TYPE, NULL};
	static const char *const bodies[] = {
		ERROR("409", "duplicate_profile", "Conflict.", "A profile already exists.", "/data/attributes"), "{}",
		HTML_PAGE, "", NULL};

	(void)state;
	for (unsigned status = 400; status < 500; status++) {
		bool is_named = false;

		for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
			is_named = is_named || named[i] == status;
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
				struct row row = {status, types[t], bodies[b], NULL, NULL, T, T, NULL};
				struct outcome_verdict v = outcome_for(LANE_SINGLE, &row);

				if (status != 403) /* depends on its form: tested below */
					assert_int_equal(v.odd, !is_named);
				if (!is_named)
					assert_int_equal(v.outcome, OUTCOME_RETRY);
			}
		}
	}
	{
		static const struct row rows[] = {
			{409, JSON_TYPE,
			 ERROR("409", "duplicate_profile", "Conflict.", "A profile already exists.", "/"), NULL, NULL,
			 T, T, "A profile already exists. (409)"},
			{402, JSON_TYPE, "{}", NULL, NULL, T, T, "a payment is wanted (402)"},
			{403, NULL, NULL, NULL, NULL, T, T, "the key may not do this, or something in between"},
			{403, JSON_TYPE, NULL, NULL, NULL, T, T, NULL}, /* without a body it is not JSON */
			{403, HTML_TYPE, NULL, NULL, NULL, T, T, NULL},
			{403, "text/plain", "no", NULL, NULL, T, T, NULL},
			{407, HTML_TYPE, HTML_PAGE, NULL, NULL, T, T, "a proxy in between wants credentials (407)"},
			{451, HTML_TYPE, HTML_PAGE, NULL, NULL, T, T,
			 "refused with a status that Klaviyo does not document (451)"},
		};

		RUN(rows);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			assert_true(outcome_for(LANE_SINGLE, &rows[i]).odd);
	}
}

static void an_answer_that_was_cut_goes_by_its_type(void **state)
{
	struct outcome_answer a = {.status = 202, .type = HTML_TYPE, .truncated = true};
	struct outcome_verdict v;

	(void)state;
	outcome_of(&a, &v);
	assert_int_equal(v.outcome, OUTCOME_PARK);
	a.type = NULL;
	outcome_of(&a, &v);
	assert_int_equal(v.outcome, OUTCOME_DELIVERED);
	a.status = 400;
	outcome_of(&a, &v);
	assert_int_equal(v.outcome, OUTCOME_PARK);
	a.type = JSON_TYPE;
	outcome_of(&a, &v);
	assert_int_equal(v.outcome, OUTCOME_REJECT);
}

static void redirects_park_and_name_the_target(void **state)
{
	static const struct row rows[] = {
		{301, HTML_TYPE, HTML_PAGE, "Location", "https://www.klaviyo.com/login", P, P,
		 "sent on to https://www.klaviyo.com/login: klaviyo.url is not Klaviyo's (301)"},
		{302, NULL, NULL, NULL, NULL, P, P, "sent on to another address"},
		{308, JSON_TYPE, "{}", NULL, NULL, P, P, NULL},
		{304, NULL, NULL, NULL, NULL, P, P, NULL},
	};

	(void)state;
	RUN(rows);
}

static void trouble_on_the_way_is_retried(void **state)
{
	static const struct row rows[] = {
		{403, HTML_TYPE, HTML_PAGE, "CF-Mitigated", "challenge", T, T, "Cloudflare's bot challenge (403)"},
		{403, HTML_TYPE, CHALLENGE_PAGE, NULL, NULL, T, T, "Cloudflare's bot challenge (403)"},
		{408, NULL, NULL, NULL, NULL, T, T, NULL},
		{425, JSON_TYPE, "{}", NULL, NULL, T, T, NULL},
		{429, JSON_TYPE, THROTTLED("1 second"), NULL, NULL, T, T, "Request was throttled. Expected available"},
		{429, HTML_TYPE, HTML_PAGE, NULL, NULL, T, T, "asked too often (429)"},
		{500, JSON_TYPE, "{}", NULL, NULL, T, T, "trouble at Klaviyo's end (500)"},
		{501, NULL, NULL, NULL, NULL, T, T, NULL},
		{502, HTML_TYPE, HTML_PAGE, NULL, NULL, T, T, NULL},
		{503, HTML_TYPE, HTML_PAGE, "cf-mitigated", "challenge", T, T, NULL},
		{504, NULL, "<html>", NULL, NULL, T, T, NULL},
		{524, HTML_TYPE, HTML_PAGE, NULL, NULL, T, T, NULL},
		{599, NULL, NULL, NULL, NULL, T, T, NULL},
		{101, NULL, NULL, NULL, NULL, T, T, NULL},
		{0, NULL, NULL, NULL, NULL, T, T, NULL},
		{999, NULL, NULL, NULL, NULL, T, T, "not an answer that HTTP knows (999)"},
	};

	(void)state;
	RUN(rows);
}

static void no_answer_is_retried_with_the_clients_words(void **state)
{
	struct outcome_answer a = {.lane = LANE_BULK, .transport_error = "Could not resolve host: a.klaviyo.com"};
	struct outcome_verdict v;

	(void)state;
	outcome_of(&a, &v);
	assert_int_equal(v.outcome, OUTCOME_RETRY);
	assert_int_equal(v.status, 0);
	assert_false(v.throttled);
	assert_int_equal(v.retry_after_ms, -1);
	assert_int_equal(v.remaining, -1);
	assert_string_equal(v.reason, "Could not resolve host: a.klaviyo.com");
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void retry_after_is_read_from_header_or_hint(void **state)
{
	static const struct {
		unsigned status;
		const char *value, *body;
		int64_t ms;
	} rows[] = {
		{429, "3", THROTTLED("9 seconds"), 3000},
		{429, "0", THROTTLED("9 seconds"), 0},
		{429, NULL, THROTTLED("1 second"), 1000},
		{429, NULL, THROTTLED("12 seconds"), 12000},
		{429, NULL, THROTTLED("0 seconds"), 0},
		{429, NULL, THROTTLED("99999999999999999999 seconds"), 60000},
		{429, NULL, THROTTLED("a while"), -1},
		{429, NULL, "{}", -1},
		{429, "soon", "{}", -1},
		{429, "-5", "{}", -1},
		{429, "1.5", "{}", -1},
		{429, "99999999999", "{}", RETRY_AFTER_MAX_MS},
		{429, "99999999999999999999999", "{}", RETRY_AFTER_MAX_MS},
		{503, "7", "{}", 7000},
		{503, NULL, THROTTLED("5 seconds"), -1},
		{500, "7", "{}", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = {rows[i].status,
				  JSON_TYPE,
				  rows[i].body,
				  rows[i].value ? "retry-after" : NULL,
				  rows[i].value,
				  T,
				  T,
				  NULL};

		assert_int_equal(outcome_for(LANE_SINGLE, &row).retry_after_ms, rows[i].ms);
	}
}

static void retry_after_dates_count_from_the_answers_own_date(void **state)
{
	static const struct {
		const char *until, *date;
		int64_t ms;
	} rows[] = {
		{"Sat, 21 Nov 2026 16:00:30 GMT", "Sat, 21 Nov 2026 16:00:00 GMT", 30000},
		{"Sun, 22 Nov 2026 00:00:05 GMT", "Sat, 21 Nov 2026 23:59:55 GMT", 10000},
		{"Sat, 21 Nov 2026 16:00:00 GMT", "Sat, 21 Nov 2026 16:00:30 GMT", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 21 Nov 2026 16:00:30 GMT", RETRY_AFTER_MAX_MS},
		{"Sat, 21 Nov 2027 16:00:00 GMT", "Sat, 21 Nov 2026 16:00:30 GMT", RETRY_AFTER_MAX_MS},
		{"Sat, 21 Nov 2026 16:00:30 GMT", NULL, -1},
		{"Sat, 31 Feb 2026 16:00:30 GMT", "Sat, 21 Nov 2026 16:00:00 GMT", -1},
		{"Sat, 21 Nox 2026 16:00:30 GMT", "Sat, 21 Nov 2026 16:00:00 GMT", -1},
		{"Saturday, 21-Nov-26 16:00:30 GMT", "Sat, 21 Nov 2026 16:00:00 GMT", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pairs headers = {0};

		if (rows[i].date)
			pairs_add(&headers, "Date", rows[i].date);
		pairs_add(&headers, "Retry-After", rows[i].until);
		assert_int_equal(retry_after_ms(&headers), rows[i].ms);
		pairs_done(&headers);
	}
	assert_int_equal(retry_after_ms(NULL), -1);
}

static void ratelimit_headers_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
		{"3499", 3499}, {"0", 0},  {"3500, 3500;w=60", 3500},       {"", -1},
		{"-1", -1},     {"x", -1}, {"99999999999999999999999", -1}, {"12a", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = {202, NULL, NULL, "RateLimit-Remaining", rows[i].text, D, D, NULL};
		struct outcome_verdict v = outcome_for(LANE_SINGLE, &row);

		assert_int_equal(v.remaining, rows[i].value);
		assert_int_equal(v.limit, -1);
		assert_int_equal(v.reset_s, -1);
	}
}

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

static void addresses_are_masked_wherever_they_stand(void **state)
{
	static const struct {
		const char *text, *clean;
	} rows[] = {
		{"'jo.smith@example.com' is not valid", "'j***@example.com' is not valid"},
		{"<jo@a.example>, (kim@b.example); \"al@c.example\".",
		 "<j***@a.example>, (k***@b.example); \"a***@c.example\"."},
		{"o'brien@example.com", "o***@example.com"},
		{"no address at all", "no address at all"},
		{"@", "***@"},
		{"email=jo@example.com", "e***@example.com"},
		{"jürgen@bücher.example", "j***@bücher.example"},
		{"a@b@c.example", "a***@b***@c.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[OUTCOME_REASON_MAX];

		reason_text(out, sizeof(out), NULL, "%s", rows[i].text);
		assert_string_equal(out, rows[i].clean);
	}
}

static void klaviyos_words_lose_addresses_and_control_characters(void **state)
{
	static const struct row row = {400,
				       JSON_TYPE,
				       ERROR("400", "invalid", "Invalid input.",
					     "mary.poppins@example.com\\n\\u001b[31m\\u0000\\u202eis bad", "/data"),
				       NULL,
				       NULL,
				       J,
				       S,
				       NULL};
	struct outcome_verdict v = outcome_for(LANE_SINGLE, &row);

	(void)state;
	assert_null(strstr(v.reason, "poppins"));
	assert_non_null(strstr(v.reason, "m***@example.com"));
	for (const char *c = v.reason; *c != '\0'; c++)
		assert_true((unsigned char)*c >= ' ');
	assert_null(strstr(v.reason, "\xe2\x80\xae"));
}

/* In each text that comes from Klaviyo or from a proxy. */
static void our_own_secrets_are_struck_out_of_what_klaviyo_says(void **state)
{
#define KEY "pk_0123456789abcdef0123456789abcdef01"
	static const char *const values[] = {KEY};
	static const struct row rows[] = {
		{401, JSON_TYPE, ERROR("401", "x", "x", "Bad key " KEY ", jo@a.example", "/data"), NULL, NULL, J, J,
		 NULL},
		{400, JSON_TYPE,
		 ERROR("400", "x", "x",
		       "Bad key pk\\u005f"
		       "0123456789abcdef0123456789abcdef01",
		       "/data"),
		 NULL, NULL, J, S, NULL},
		{400, JSON_TYPE, ERROR("400", "x", KEY, "", "/data/" KEY), NULL, NULL, J, S, NULL},
		{302, "text/html", "", "Location", "https://x.example/?key=pk%5F0123456789abcdef0123456789abcdef01", P,
		 P, NULL},
		{202, NULL, "", "X-Klaviyo-Partial-Failure", "no " KEY, D, D, NULL},
	};

	(void)state;
	secrets = redactor_new(values, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome_verdict v = outcome_for(LANE_SINGLE, &rows[i]);

		assert_non_null(strstr(v.reason, REDACT_MARK));
		assert_null(strstr(v.reason, "0123456789"));
	}
	redactor_unref(TAKE(secrets));
}

/* A reason is cut at OUTCOME_REASON_MAX: the secret is redacted before half of it could remain. */
static void a_secret_at_the_cut_of_a_reason_leaves_no_half(void **state)
{
	static const char *const values[] = {KEY};
	struct redactor *s = redactor_new(values, 1);

	(void)state;
	for (size_t before = OUTCOME_REASON_MAX - 60; before < OUTCOME_REASON_MAX + 10; before++) {
		char out[OUTCOME_REASON_MAX];

		reason_text(out, sizeof(out), s, "%0*d" KEY " and more and more and more", (int)before, 0);
		assert_null(strstr(out, "pk_"));
	}
	redactor_unref(s);
#undef KEY
}

static void every_error_is_told(void **state)
{
	static const struct row row = {
		400,
		JSON_TYPE,
		"{\"errors\":[{\"detail\":\"one\",\"source\":{\"pointer\":\"/a\"}},"
		"{\"detail\":\"two\",\"source\":{\"parameter\":\"include\"}},7,{\"detail\":\"three\"}]}",
		NULL,
		NULL,
		J,
		S,
		NULL};

	(void)state;
	assert_string_equal(outcome_for(LANE_SINGLE, &row).reason, "one (/a); two (include); three");
}

static void long_words_are_cut_between_characters(void **state)
{
	char text[3000], out[OUTCOME_REASON_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "ä", 3);
	reason_text(out, sizeof(out), NULL, "x%s", text);
	len = strlen(out);
	assert_in_range(len, sizeof(out) - 3, sizeof(out) - 1);
	assert_true(text_is_utf8(out, len));
	assert_string_equal(out + len - 3, "…");
}

static void broken_utf8_becomes_question_marks(void **state)
{
	char out[OUTCOME_REASON_MAX];

	(void)state;
	reason_text(out, sizeof(out), NULL, "a\xff\xc3 b\xed\xa0\x80");
	assert_string_equal(out, "a?? b???");
}

/* The same characters that base/escape.h escapes. */
static void each_control_becomes_a_blank(void **state)
{
	char out[OUTCOME_REASON_MAX];

	(void)state;
	reason_text(out, sizeof(out), NULL,
		    "a\nb\xc2\x9b"
		    "c\u061c"
		    "d\u200e"
		    "e\u2028"
		    "f\u202e"
		    "g\u2066"
		    "h\u206f"
		    "i\ufeff"
		    "j");
	assert_string_equal(out, "a b c d e f g h i j");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_delivered_without_a_reason),
		cmocka_unit_test(partial_failure_is_delivered_and_told),
		cmocka_unit_test(a_refused_request_is_rejected_with_klaviyos_words),
		cmocka_unit_test(wrong_keys_and_addresses_park),
		cmocka_unit_test(what_klaviyo_does_not_answer_on_success_parks),
		cmocka_unit_test(every_other_4xx_is_odd_and_retried),
		cmocka_unit_test(an_answer_that_was_cut_goes_by_its_type),
		cmocka_unit_test(redirects_park_and_name_the_target),
		cmocka_unit_test(trouble_on_the_way_is_retried),
		cmocka_unit_test(no_answer_is_retried_with_the_clients_words),
		cmocka_unit_test(retry_after_is_read_from_header_or_hint),
		cmocka_unit_test(retry_after_dates_count_from_the_answers_own_date),
		cmocka_unit_test(ratelimit_headers_are_read_strictly),
		cmocka_unit_test(addresses_are_masked_wherever_they_stand),
		cmocka_unit_test(our_own_secrets_are_struck_out_of_what_klaviyo_says),
		cmocka_unit_test(a_secret_at_the_cut_of_a_reason_leaves_no_half),
		cmocka_unit_test(klaviyos_words_lose_addresses_and_control_characters),
		cmocka_unit_test(every_error_is_told),
		cmocka_unit_test(long_words_are_cut_between_characters),
		cmocka_unit_test(broken_utf8_becomes_question_marks),
		cmocka_unit_test(each_control_becomes_a_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

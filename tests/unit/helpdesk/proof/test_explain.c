/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/proof.h"
#include "fixtures/yaml.h"

#include "base/buf.h"

#define NOW_MS INT64_C(1795280400000)
#define PASSWORD "a secret that is never told"

struct telling {
	const char *yaml;
	const char *headers[5]; /* name, value, …; NULL-terminated */
	const char *query;
	const char *says;
};

static void assert_telling(const struct telling *t)
{
	static const char *const list[] = {PASSWORD};
	const struct proof_secrets secrets = {.user = "desk", .secrets = list, .n = 1};
	struct proof *p = with_proof(t->yaml);
	CLEANUP(pairs_done) struct pairs headers = {0};
	const struct proof_request request = {.method = "POST",
					      .headers = &headers,
					      .query = t->query ? t->query : "",
					      .body = "{\"id\":7}",
					      .body_len = 8,
					      .now_ms = NOW_MS};
	enum proof_verdict v;
	struct buf b;

	for (size_t i = 0; t->headers[i]; i += 2)
		pairs_add(&headers, t->headers[i], t->headers[i + 1]);
	v = proof_check(p, &secrets, &request);
	assert_true(v == PROOF_MISSING || v == PROOF_WRONG);
	buf_init(&b, 4096);
	proof_explain(p, &secrets, &request, &b);
	assert_string_equal(b.data, t->says);
	buf_done(&b);
	proof_free(p);
}

static void what_is_not_shown_is_named(void **state)
{
	static const struct telling cases[] = {
		{"{method: basic}",
		 {NULL},
		 NULL,
		 "Authorization is not among the given headers: --header 'Authorization: Basic …'\n"},
		{"{method: bearer}",
		 {NULL},
		 NULL,
		 "Authorization is not among the given headers: --header 'Authorization: Bearer …'\n"},
		{"{method: bearer}",
		 {"Authorization", "Basic eDp5", NULL},
		 NULL,
		 "Authorization does not begin with \"Bearer \"\n"},
		{"{method: header, name: X-Token}",
		 {"X-Tokn", "a", NULL},
		 NULL,
		 "X-Token is not among the given headers: --header 'X-Token: …'\n"},
		{"{method: query, name: key}", {NULL}, "a=b", "key is not in the given query: --query 'key=…'\n"},
		{"{method: hmac, header: X-Sign, signed: '{timestamp}{header:X-Id}{body}', timestamp: 'header:X-At'}",
		 {NULL},
		 NULL,
		 "X-Sign is not among the given headers: --header 'X-Sign: …'\n"
		 "X-At is not among the given headers: --header 'X-At: …'\n"
		 "X-Id is not among the given headers: --header 'X-Id: …'\n"},
		{"{method: hmac, header: X-Sign, signed: '{timestamp}{body}', timestamp: 'query:at'}",
		 {"x-sign", "ab", NULL},
		 "ta=1",
		 "at is not in the given query: --query 'at=…'\n"},
		{"{method: hmac, header: X-Sign, signed: '{timestamp}{body}', timestamp: /at}",
		 {"X-Sign", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", NULL},
		 NULL,
		 "no time of signing at /at\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_telling(&cases[i]);
}

#define DIFFERS                                                                                             \
	"the signature differs: the secret, `signed`, `key`, `encoding` or `algorithm` is not the desk's, " \
	"or the body was not saved byte for byte\n"

static void what_is_wrong_is_told_as_far_as_can_be(void **state)
{
	static const struct telling cases[] = {
		{"{method: hmac, header: X-Sign, signed: '{url}{body}'}",
		 {"X-Sign", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", NULL},
		 NULL,
		 DIFFERS
		 "public_url is signed, too: is it, letter for letter and with its query, the URL that the desk posts "
		 "to?\n"},
		{"{method: basic}",
		 {"Authorization", "Basic !!!", NULL},
		 NULL,
		 "Authorization holds no USER:PASSWORD in base64\n"},
		{"{method: basic}",
		 {"Authorization", "Basic eDp5", NULL},
		 NULL,
		 "the user is not that of the source's `authenticate`\n"},
		{"{method: basic}",
		 {"Authorization", "Basic ZGVzazp5", NULL},
		 NULL,
		 "the password is not that of the source's `authenticate`\n"},
		{"{method: query, name: key}",
		 {NULL},
		 "key=x",
		 "the secret is not that of the source's `authenticate`\n"},
		{"{method: hmac, header: X-Sign, format: 'ts={timestamp}; {{sig={signature}', signed: "
		 "'{timestamp}|{body}'}",
		 {"X-Sign", "t=1,v1=ab", NULL},
		 NULL,
		 "X-Sign does not fit the format \"ts={timestamp}; {{sig={signature}\"\n"},
		{"{method: standard-webhooks}",
		 {"webhook-signature", "v2,ab", "webhook-id", "m", NULL},
		 NULL,
		 "webhook-timestamp is not among the given headers: --header 'webhook-timestamp: …'\n"},
		{"{method: hmac, header: X-Sign}",
		 {"X-Sign", "7S2+kN8bZsrdAEADJ+yYfWWsf/4=", NULL},
		 NULL,
		 "the signature in X-Sign is not hex, as `encoding` says\n"},
		{"{method: hmac, header: X-Sign, encoding: base64}",
		 {"X-Sign", "7S2+kN8bZsrdAEADJ+yYfWWsf/4=", NULL},
		 NULL,
		 "the signature in X-Sign is, read as base64, 20 bytes long, where `algorithm` makes 32: one of "
		 "`encoding` and `algorithm` is not the desk's\n"},
		{"{method: hmac, header: X-Sign, algorithm: sha1, signed: '{timestamp}{body}', timestamp: "
		 "'header:X-At'}",
		 {"X-Sign", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "X-At", "noon", NULL},
		 NULL,
		 "the time of signing, \"noon\", is no time that can be read\n"},
		{"{method: hmac, header: X-Sign, algorithm: sha1}",
		 {"X-Sign", "da39a3ee5e6b4b0d3255bfef95601890afd80709", NULL},
		 NULL,
		 DIFFERS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_telling(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_shown_is_named),
		cmocka_unit_test(what_is_wrong_is_told_as_far_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

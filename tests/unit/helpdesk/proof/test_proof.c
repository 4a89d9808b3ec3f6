/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/proof.h"
#include "fixtures/yaml.h"

static const char *const secrets_list[] = {"old secret", "n\u00e9w:secret"};
static const struct proof_secrets secrets = {.user = "desk", .secrets = secrets_list, .n = 2};

struct proof_case {
	const char *header, *value; /* NULL: none */
	const char *query;
	enum proof_verdict verdict;
};

static void assert_proofs(const char *yaml, const struct proof_case *cases, size_t n)
{
	struct proof *p = with_proof(yaml);

	for (size_t i = 0; i < n; i++) {
		struct pairs headers = {0};
		struct proof_request request = {.method = "POST", .headers = &headers, .query = cases[i].query};
		enum proof_verdict v;

		pairs_add(&headers, "Host", "example.com");
		if (cases[i].header)
			pairs_add(&headers, cases[i].header, cases[i].value);
		v = proof_check(p, &secrets, &request);
		if (v != cases[i].verdict)
			fail_msg("%s, case %zu: %s", yaml, i, proof_verdict_name(v));
		assert_int_equal(proof_is_present(p, &headers, cases[i].query), v != PROOF_MISSING);
		assert_false(proof_about(p)->needs_body);
		assert_int_equal(proof_check_without_body(p, &secrets, &request), v);
		pairs_done(&headers);
	}
	proof_free(p);
}
#define ASSERT_PROOFS(yaml, cases) assert_proofs(yaml, cases, sizeof(cases) / sizeof(*(cases)))

static void basic_wants_user_and_one_of_the_passwords(void **state)
{
	static const struct proof_case cases[] = {
		{"Authorization", "Basic ZGVzazpvbGQgc2VjcmV0", "", PROOF_GOOD},     /* desk:old secret */
		{"authorization", "basic ZGVzazpuw6l3OnNlY3JldA==", "", PROOF_GOOD}, /* desk:néw:secret */
		{"Authorization", "Basic   ZGVzazpvbGQgc2VjcmV0", "", PROOF_GOOD},
		{"Authorization", "Basic ZGVzazpvbGQgc2VjcmV0eA==", "", PROOF_WRONG}, /* desk:old secretx */
		{"Authorization", "Basic ZGVzazpvbGQgc2VjcmU=", "", PROOF_WRONG},     /* desk:old secre */
		{"Authorization", "Basic RGVzazpvbGQgc2VjcmV0", "", PROOF_WRONG},     /* Desk:old secret */
		{"Authorization", "Basic ZGVzazo=", "", PROOF_WRONG},                 /* desk: */
		{"Authorization", "Basic ZGVzaw==", "", PROOF_WRONG},                 /* desk */
		{"Authorization", "Basic ", "", PROOF_WRONG},
		{"Authorization", "Basic !!!", "", PROOF_WRONG},
		{"Authorization", "Basic", "", PROOF_MISSING},
		{"Authorization", "Bearer ZGVzazpvbGQgc2VjcmV0", "", PROOF_MISSING},
		{"Authorization", "", "", PROOF_MISSING},
		{NULL, NULL, "", PROOF_MISSING},
	};

	(void)state;
	ASSERT_PROOFS("{method: basic}", cases);
}

static void bearer_wants_one_of_the_tokens(void **state)
{
	static const struct proof_case cases[] = {
		{"Authorization", "Bearer old secret", "", PROOF_GOOD},
		{"AUTHORIZATION", "bearer n\u00e9w:secret", "", PROOF_GOOD},
		{"Authorization", "Bearer Old secret", "", PROOF_WRONG},
		{"Authorization", "Bearer ", "", PROOF_WRONG},
		{"Authorization", "Bearerold secret", "", PROOF_MISSING},
		{"Authorization", "Basic ZGVzazpvbGQgc2VjcmV0", "", PROOF_MISSING},
		{NULL, NULL, "", PROOF_MISSING},
	};

	(void)state;
	ASSERT_PROOFS("{method: bearer}", cases);
}

static void a_header_carries_the_secret_itself(void **state)
{
	static const struct proof_case cases[] = {
		{"X-Gladly-Token", "old secret", "", PROOF_GOOD},
		{"x-gladly-token", "n\u00e9w:secret", "", PROOF_GOOD},
		{"X-Gladly-Token", "", "", PROOF_WRONG},
		{"X-Gladly-Token", "old secre", "", PROOF_WRONG},
		{"X-Gladly-Toke", "old secret", "", PROOF_MISSING},
		{NULL, NULL, "X-Gladly-Token=old%20secret", PROOF_MISSING},
	};

	(void)state;
	ASSERT_PROOFS("{method: header, name: X-Gladly-Token}", cases);
}

static void a_query_parameter_carries_the_secret(void **state)
{
	static const struct proof_case cases[] = {
		{NULL, NULL, "secret=old+secret", PROOF_GOOD},
		{NULL, NULL, "a=1&secret=n%C3%A9w%3Asecret&b", PROOF_GOOD},
		{NULL, NULL, "secret=old", PROOF_WRONG},
		{NULL, NULL, "secret=", PROOF_WRONG},
		{NULL, NULL, "secret=wrong&secret=old+secret", PROOF_WRONG},
		{NULL, NULL, "other=old+secret", PROOF_MISSING},
		{NULL, NULL, "", PROOF_MISSING},
		{NULL, NULL, NULL, PROOF_MISSING},
		{"secret", "old secret", "", PROOF_MISSING},
	};

	(void)state;
	ASSERT_PROOFS("{method: query, name: secret}", cases);
}

static void none_wants_nothing(void **state)
{
	static const struct proof_case cases[] = {{NULL, NULL, "", PROOF_GOOD}};
	struct proof *p = with_proof("{method: none}");

	(void)state;
	ASSERT_PROOFS("{method: none}", cases);
	assert_false(proof_about(p)->needs_secret);
	assert_false(proof_about(p)->needs_user);
	assert_null(proof_about(p)->secret_header);
	assert_null(proof_about(p)->secret_query);
	proof_free(p);
}

static void without_a_secret_nothing_is_proven(void **state)
{
	static const char *const empty[] = {"", NULL};
	static const struct proof_secrets cases[] = {
		{.user = "desk", .secrets = empty, .n = 2},
		{.user = "desk", .secrets = NULL, .n = 0},
		{.user = NULL, .secrets = secrets_list, .n = 1},
	};
	struct proof *basic = with_proof("{method: basic}");
	struct proof *header = with_proof("{method: header, name: X-T}");
	struct pairs headers = {0};
	struct proof_request request = {.method = "POST", .headers = &headers};

	(void)state;
	pairs_add(&headers, "Authorization", "Basic ZGVzazo="); /* desk: */
	pairs_add(&headers, "X-T", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(proof_check(basic, &cases[i], &request), PROOF_WRONG);
		assert_int_equal(proof_check(header, &cases[i], &request), PROOF_WRONG);
	}
	proof_free(basic);
	proof_free(header);
	pairs_done(&headers);
}

static void what_is_made_is_good(void **state)
{
	static const char *const methods[] = {"{method: basic}", "{method: bearer}", "{method: header, name: X-T}",
					      "{method: query, name: key}", "{method: none}"};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		struct proof *p = with_proof(methods[i]);
		CLEANUP(mem_freep) char *query = NULL;
		struct proof_request request = {.method = "POST"};
		struct pairs headers;

		proof_make(p, &secrets, &request, &headers, &query);
		request.headers = &headers;
		request.query = query ? query : "";
		assert_int_equal(proof_check(p, &secrets, &request), PROOF_GOOD);
		pairs_done(&headers);
		proof_free(p);
	}
}

static void the_place_of_the_secret_is_known(void **state)
{
	static const struct {
		const char *yaml, *header, *query;
	} cases[] = {
		{"{method: basic}", "Authorization", NULL},
		{"{method: bearer}", "Authorization", NULL},
		{"{method: header, name: X-T}", "X-T", NULL},
		{"{method: query, name: key}", NULL, "key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct proof *p = with_proof(cases[i].yaml);

		assert_true(text_is(proof_about(p)->secret_header, cases[i].header));
		assert_true(text_is(proof_about(p)->secret_query, cases[i].query));
		assert_true(proof_about(p)->needs_secret);
		assert_int_equal(proof_about(p)->needs_user, i == 0);
		assert_non_null(strstr(cases[i].yaml, proof_about(p)->method));
		proof_free(p);
	}
}

static void mistakes_are_told(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"basic", "{method: basic}"},
		{"{name: X}", "{method: basic}"},
		{"{method: basik}", "did you mean \"basic\"?"},
		{"{method: [basic]}", "name of a method"},
		{"{method: basic, naem: X}", "did you mean \"name\"?"},
		{"{method: basic, name: X}", "has no name"},
		{"{method: header}", "expected `name`"},
		{"{method: header, name: \"X Y\"}", "no name of a header"},
		{"{method: query, name: \"a&b\"}", "no name of a query parameter"},
		{"{method: query, name: \"\"}", "expected `name`"},
		{"{method: bearer, tolerance: 5m}", "belongs to method hmac"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_yaml(cases[i].yaml);
		struct problems p = {0};

		assert_null(proof_compile(n, &p));
		assert_problem(&p, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basic_wants_user_and_one_of_the_passwords),
		cmocka_unit_test(bearer_wants_one_of_the_tokens),
		cmocka_unit_test(a_header_carries_the_secret_itself),
		cmocka_unit_test(a_query_parameter_carries_the_secret),
		cmocka_unit_test(none_wants_nothing),
		cmocka_unit_test(without_a_secret_nothing_is_proven),
		cmocka_unit_test(what_is_made_is_good),
		cmocka_unit_test(the_place_of_the_secret_is_known),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

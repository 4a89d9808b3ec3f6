/* SPDX-License-Identifier: MIT */
/* Tests the sandbox's imitation of the helpdesks' APIs. */
#include <config.h>

#include "fixtures/definition.h"

#include "sandbox/page.h"

#define SAMPLES                                                                         \
	"samples:\n"                                                                    \
	"  opened: '{\"type\":\"opened\",\"id\":\"t 1\",\"who\":\"c1\",\"agent\":3}'\n" \
	"  closed: '{\"type\":\"closed\",\"id\":\"t 1\",\"who\":\"c1\",\"agent\":3}'\n"
#define DESK BARE_DEFINITION "customer: /who\nattributes: {Agent: /agent}\n" SAMPLES "lookup:\n"
#define JO "jo@example.com"

static struct pages pages_of(const char *yaml, const char *base_url, struct definition **ret)
{
	struct pages pages = {0};

	*ret = with_definition(yaml, base_url);
	pages_add(&pages, *ret);
	return pages;
}

static void a_page_is_every_step_of_every_sample_once(void **state)
{
	struct definition *d;
	struct pages pages = pages_of(
		DESK "- {url: \"{base_url}/t/{/id}\", authenticate: bearer, take: {c: /c}, sample: '{\"c\":\"z9\"}'}\n"
		     "- {url: \"{base_url}/c/{c}?full=1\", authenticate: bearer, emails: /e, sample: '{\"e\":\"" JO
		     "\"}',"
		     " when: {/who: nobody}, optional: true}\n"
		     "- {url: \"{base_url}/x/{/who}\", authenticate: bearer, emails: /e}\n",
		NULL, &d);

	(void)state;
	assert_int_equal(pages.n, 2);
	assert_true(page_matches(&pages.items[0], "/t/t%201", NULL));
	assert_true(page_matches(&pages.items[1], "/c/z9?full=1", NULL));
	assert_string_equal(pages.items[0].parts[1].text, "t 1");
	assert_false(pages.items[0].parts[1].customer);
	pages_done(&pages);
	definition_free(d);
}

static void a_page_is_asked_for_with_any_value_where_the_samples_stands(void **state)
{
	static const struct {
		const char *target, *site, *who; /* NULL: no match */
	} cases[] = {
		{"/v1/3/c/c1.json", "3", "c1"},
		{"/v1/site%2F9/c/j%40x.json", "site/9", "j@x"},
		{"/base/v1/3/c/c1.json", "3", "c1"},
		{"/v1/3/c/a.b.json", "3", "a.b"},
		{"/v1/3/c/.json", NULL, NULL},
		{"/v1/3/c/x/y.json", NULL, NULL},
		{"/v1/3/c/c1.json?x=1", NULL, NULL},
		{"/v1/3/c/%zz.json", NULL, NULL},
		{"/v1/3/c/c1", NULL, NULL},
		{"/other/v1/3/c/c1.json", NULL, NULL},
		{"", NULL, NULL},
	};
	struct definition *d;
	struct pages pages = pages_of(DESK "- {url: \"{base_url}/v1/{/agent}/c/{/who}.json\", authenticate: basic, "
					   "emails: /e, sample: '{\"e\":\"" JO "\"}'}\n",
				      "https://x.example:8443/base", &d);

	(void)state;
	assert_int_equal(pages.n, 1);
	assert_true(pages.items[0].parts[3].customer);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct page_values v = {0};

		if (page_matches(&pages.items[0], cases[i].target, &v) != (cases[i].site != NULL))
			fail_msg("%s", cases[i].target);
		if (cases[i].site) {
			assert_string_equal(v.items[1], cases[i].site);
			assert_string_equal(v.items[3], cases[i].who);
		}
		page_values_done(&v);
	}
	pages_done(&pages);
	definition_free(d);
}

static void the_kind_of_credentials_counts(void **state)
{
	static const struct {
		const char *authenticate, *name, *value;
		bool good;
	} cases[] = {
		{"basic", "Authorization", "Basic dTpw", true},
		{"basic", "Authorization", "Bearer t", false},
		{"basic", "X", "Basic dTpw", false},
		{"bearer", "authorization", "Bearer t", true},
		{"{method: bearer, scheme: Token}", "Authorization", "Bearer t", false},
		{"{method: header, name: apikey}", "apikey", "t", true},
		{"{method: header, name: X-Auth, scheme: key}", "X-Auth", "key t", true},
		{"{method: header, name: X-Auth, scheme: key}", "X-Auth", "t", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%s- {url: \"{base_url}/{/who}\", authenticate: %s, take: {a: /a}, "
				     "sample: '{\"a\":1}'}\n",
				     DESK, cases[i].authenticate);
		struct pairs headers = {0};
		struct definition *d;
		struct pages pages = pages_of(yaml, NULL, &d);

		pairs_add(&headers, cases[i].name, cases[i].value);
		assert_int_equal(page_is_authenticated(&pages.items[0], &headers), cases[i].good);
		pairs_done(&headers);
		pages_done(&pages);
		definition_free(d);
	}
}

static void an_answer_holds_the_addresses_that_were_given(void **state)
{
	static const struct {
		const char *places, *sample, *addresses, *answer;
	} cases[] = {
		{"emails: /e", "{\"e\":\"" JO "\",\"x\":1}", NULL, "{\"e\":\"" JO "\",\"x\":1}"},
		{"emails: /e", "{\"e\":\"" JO "\",\"x\":1}", "a@b.c, d@e.f", "{\"e\":\"a@b.c\",\"x\":1}"},
		{"emails: [/e, /f/0/g]", "{\"e\":\"\",\"f\":[{\"g\":\"" JO "\"}]}", "a@b.c",
		 "{\"e\":\"\",\"f\":[{\"g\":\"a@b.c\"}]}"},
		{"emails: /m/*/e, primary: /m/*/p", "{\"m\":[{\"e\":\"" JO "\",\"w\":\"Jo@Example.com\",\"p\":false}]}",
		 "a@b.c, d@e.f,",
		 "{\"m\":[{\"e\":\"a@b.c\",\"w\":\"a@b.c\",\"p\":true},{\"e\":\"d@e.f\",\"w\":\"d@e.f\",\"p\":false}]"
		 "}"},
		{"emails: /m/*", "{\"m\":[\"" JO "\",\"x@y.z\"]}", "a@b.c", "{\"m\":[\"a@b.c\"]}"},
		/* The first element of the list is a telephone number. */
		{"emails: /*/v", "[{\"v\":\"+1\",\"k\":\"tel\"},{\"v\":\"" JO "\",\"k\":\"mail\"}]", "a@b.c",
		 "[{\"v\":\"a@b.c\",\"k\":\"mail\"}]"},
		{"emails: /c/*/m/*/e", "{\"c\":[{\"m\":[{\"e\":\"" JO "\"}]}]}", "a@b.c",
		 "{\"c\":[{\"m\":[{\"e\":\"a@b.c\"}]}]}"},
		{"take: {n: /n}", "{\"n\":\"x\"}", "a@b.c", "{\"n\":\"x\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%s- {url: \"{base_url}/{/who}\", authenticate: basic, %s, sample: '%s'}\n", DESK,
				     cases[i].places, cases[i].sample);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		/* Without .overlaid, an alternative that the sample lacks is an error. */
		const struct definition_binding binding = {.overlaid = true};
		CLEANUP(json_putp) struct json_object *answer = NULL;
		CLEANUP(mem_freep) char *text = NULL;
		struct problems p = {0};
		struct definition *d = definition_read(n, &binding, &p);
		struct pages pages = {0};

		assert_no_problem(&p);
		pages_add(&pages, d);
		assert_int_equal(pages.n, 1);
		answer = page_answer(&pages.items[0], cases[i].addresses);
		text = json_text(answer);
		assert_string_equal(text, cases[i].answer);
		pages_done(&pages);
		definition_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_every_step_of_every_sample_once),
		cmocka_unit_test(a_page_is_asked_for_with_any_value_where_the_samples_stands),
		cmocka_unit_test(the_kind_of_credentials_counts),
		cmocka_unit_test(an_answer_holds_the_addresses_that_were_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The steps of a lookup: a definition's keys, and the walk over the steps. */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/lookup_plan.h"
#include "fixtures/webhook.h"

#include <errno.h>

#include "base/digest.h"
#include "helpdesk/expr/property_value.h"

static const struct lookup_plan_secrets secrets = {.user = "bot@acme.com", .password = "pw", .token = "tok"};

/* Returns the next URL; NULL at the end. The caller owns it. */
static char *next(struct lookup_plan *q, struct pairs *headers)
{
	struct pairs own = {0};
	char *url = NULL;
	struct err e;
	int r = lookup_plan_next(q, &secrets, &url, headers ? headers : &own, &e);

	pairs_done(&own);
	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(r == 1, url == NULL);
	return url;
}

static void assert_asks(struct lookup_plan *q, const char *wanted)
{
	CLEANUP(mem_freep) char *url = next(q, NULL);

	if (!text_is(url, wanted))
		fail_msg("asks %s, not %s", url ? url : "nothing", wanted ? wanted : "nothing");
}

static void answers(struct lookup_plan *q, const char *body)
{
	struct err e;

	assert_int_equal(lookup_plan_answer(q, 200, "application/json", body, strlen(body), &e), LOOKUP_PLAN_CONTINUE);
}

#define STEP(url, rest) "- {url: \"{base_url}" url "\", authenticate: bearer, " rest "}\n"

/* ---- when -------------------------------------------------------------------------------------------------------- */

#define CONDITIONS                                                                             \
	BARE_DEFINITION                                                                        \
	"parameters: {names: [\"off\", \"on\"]}\n"                                             \
	"lookup:\n" STEP("/threads/{/id}", "when: {/kind: thread}, take: {contact: /contact}") \
		STEP("/tickets/{/id}", "when: {/kind: ticket}, take: {contact: /who}")         \
			STEP("/contacts/{contact}", "when: {contact: {matches: \"^[0-9]+$\"}}, emails: /email")

static void a_step_is_passed_over_where_its_condition_does_not_hold(void **state)
{
	static const struct {
		const char *body, *first, *answer, *second;
	} cases[] = {
		{"{\"id\":1,\"kind\":\"thread\"}", "https://x/threads/1", "{\"contact\":7}", "https://x/contacts/7"},
		{"{\"id\":1,\"kind\":\"ticket\"}", "https://x/tickets/1", "{\"who\":8}", "https://x/contacts/8"},
		/* A visitor has no customer id: the walk ends without an address and without an error. */
		{"{\"id\":1,\"kind\":\"thread\"}", "https://x/threads/1", "{\"contact\":\"V-7\"}", NULL},
		{"{\"id\":1,\"kind\":\"thread\"}", "https://x/threads/1", "{\"contact\":null}", NULL},
	};
	struct definition *d = with_definition(CONDITIONS, "https://x");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lookup_plan *q = lookup_plan_of(d, cases[i].body, "");

		assert_asks(q, cases[i].first);
		answers(q, cases[i].answer);
		assert_asks(q, cases[i].second);
		lookup_plan_free(q);
	}
	definition_free(d);
}

/* ---- several URLs ------------------------------------------------------------------------------------------------ */

static void the_first_url_whose_parts_are_all_known_is_asked(void **state)
{
	static const struct {
		const char *body, *asks;
	} cases[] = {
		{"{\"id\":1,\"who\":7}", "https://x/c/7"},
		{"{\"id\":1,\"ticket\":{\"who\":8}}", "https://x/c/8"},
		{"{\"id\":1,\"who\":7,\"ticket\":{\"who\":8}}", "https://x/c/7"},
		{"{\"id\":1,\"who\":\"\",\"ticket\":{\"who\":8}}", "https://x/c/8"},
		{"{\"id\":1,\"who\":\"..\",\"ticket\":{\"who\":8}}", "https://x/c/8"},
	};
	struct definition *d = with_definition(
		BARE_DEFINITION
		"lookup: [{url: [\"{base_url}/c/{/who}\", \"{base_url}/c/{/ticket/who}\"], authenticate: "
		"bearer, emails: /e}]\n",
		"https://x");
	struct webhook w = with_webhook("{\"id\":1}", "", 1);
	struct lookup_plan *none = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lookup_plan *q = lookup_plan_of(d, cases[i].body, "");

		assert_asks(q, cases[i].asks);
		lookup_plan_free(q);
	}
	assert_int_equal(with_lookup_plan(d, &w, &none, &e), -ENOENT);
	assert_non_null(strstr(e.text, "{base_url}/c/{/who} cannot be made"));
	webhook_done(&w);
	definition_free(d);
}

static void where_no_condition_holds_there_is_nobody_to_ask(void **state)
{
	struct definition *d = with_definition(CONDITIONS, "https://x");
	struct webhook w = with_webhook("{\"id\":1,\"kind\":\"call\"}", "", 1);
	struct lookup_plan *q = NULL;
	struct err e;

	(void)state;
	assert_int_equal(with_lookup_plan(d, &w, &q, &e), -ENOENT);
	assert_null(q);
	webhook_done(&w);
	definition_free(d);
}

static void a_condition_may_ask_for_a_parameter_a_header_or_the_query(void **state)
{
	static const char yaml[] =
		BARE_DEFINITION "parameters: {names: [\"off\", \"on\"]}\n"
				"lookup:\n" STEP("/a/{/id}", "when: {names: \"on\"}, take: {a: /a}, optional: true")
					STEP("/b/{/id}", "when: {\"query:transition\": closed}, take: {b: /b}")
						STEP("/c/{/id}", "when: {\"header:X-Kind\": [x, y]}, take: {c: /c}");
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	CLEANUP(node_freep) struct node *with = with_yaml("{names: \"on\"}");
	const struct definition_binding bindings[] = {{.base_url = "https://x"},
						      {.base_url = "https://x", .with = with}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct problems p = {0};
		struct definition *d = definition_read(n, &bindings[i], &p);
		struct webhook w = with_webhook("{\"id\":1}", "transition=closed", 1);
		struct lookup_plan *q;
		struct err e;

		assert_no_problem(&p);
		assert_true(definition_stores_header(d, "X-Kind"));
		pairs_add(&w.headers, "X-Kind", "Y");
		assert_int_equal(with_lookup_plan(d, &w, &q, &e), 0);
		webhook_done(&w);
		if (i == 1) {
			assert_asks(q, "https://x/a/1");
			answers(q, "{}");
		}
		assert_asks(q, "https://x/b/1");
		answers(q, "{}");
		assert_asks(q, "https://x/c/1");
		lookup_plan_free(q);
		definition_free(d);
	}
}

/* ---- values of answers ------------------------------------------------------------------------------------------- */

static void the_first_place_that_finds_something_counts_and_stays(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION
		"lookup:\n" STEP("/a/{/id}", "take: {agent: [/x, /y/name], team: /t}, emails: [/mail, /mails/*]")
			STEP("/b/{/id}", "take: {agent: /name, team: /team}"),
		"https://x");
	struct lookup_plan *q = lookup_plan_of(d, "{\"id\":1}", "");
	struct customer c;

	(void)state;
	answers(q, "{\"x\":\"\",\"y\":{\"name\":\"Ann\"},\"mail\":\"nobody\",\"mails\":[\"jo@example.com\",\"al@"
		   "example.com\"]}");
	answers(q, "{\"name\":\"Bob\",\"team\":\"Returns\"}");
	lookup_plan_result(q, &c);
	assert_int_equal(c.taken.n, 2);
	assert_string_equal(pairs_get(&c.taken, "agent"), "Ann");
	assert_string_equal(pairs_get(&c.taken, "team"), "Returns");
	assert_int_equal(c.addresses.n, 2);
	assert_string_equal(c.addresses.items[0].email, "jo@example.com");
	customer_done(&c);
	lookup_plan_free(q);
	definition_free(d);
}

/* As in an attribute: cut between letters. */
static void what_is_taken_is_cut_to_an_attribute_s_length(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "lookup:\n" STEP("/a/{/id}", "take: {agent: /x}"), "https://x");
	struct lookup_plan *q = lookup_plan_of(d, "{\"id\":1}", "");
	CLEANUP(mem_freep) char *answer = NULL;
	char name[PROPERTY_TEXT_MAX + 100];
	struct customer c;

	(void)state;
	memset(name, 'a', sizeof(name));
	memcpy(name + PROPERTY_TEXT_MAX - 1, "\u00e9", 2);
	answer = mem_fmt("{\"x\":\"%.*s\"}", (int)sizeof(name), name);
	answers(q, answer);
	lookup_plan_result(q, &c);
	assert_int_equal(strlen(pairs_get(&c.taken, "agent")), PROPERTY_TEXT_MAX - 1);
	customer_done(&c);
	lookup_plan_free(q);
	definition_free(d);
}

static void a_user_gets_the_suffix_that_it_does_not_have(void **state)
{
	static const struct {
		const char *user, *pair;
	} cases[] = {
		{"me@acme.com", "me@acme.com/token:pw"},
		{"me@acme.com/token", "me@acme.com/token:pw"},
		{"n", "n/token:pw"},
	};
	struct definition *d = with_definition(BARE_DEFINITION "lookup: [{url: \"{base_url}/{/id}\", emails: /e, "
							       "authenticate: {method: basic, suffix: \"/token\"}}]\n",
					       "https://x");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct lookup_plan_secrets own = {.user = cases[i].user, .password = "pw"};
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(mem_freep) char *base64 = digest_base64(cases[i].pair, strlen(cases[i].pair));
		CLEANUP(mem_freep) char *wanted = mem_fmt("Basic %s", base64);
		struct lookup_plan *q = lookup_plan_of(d, "{\"id\":1}", "");
		struct pairs headers = {0};
		struct err e;

		assert_int_equal(lookup_plan_next(q, &own, &url, &headers, &e), 0);
		assert_string_equal(pairs_get(&headers, "Authorization"), wanted);
		pairs_done(&headers);
		lookup_plan_free(q);
	}
	definition_free(d);
}

/* ---- other bodies ------------------------------------------------------------------------------------------------ */

static void a_form_and_an_item_of_a_batch_are_asked_about_too(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION "body: form\nlookup:\n" STEP("/t/{/ticket_id}", "emails: /email"), "https://x");
	struct lookup_plan *q = lookup_plan_of(d, "ticket_id=a+b&x=1", "");

	(void)state;
	assert_asks(q, "https://x/t/a%20b");
	lookup_plan_free(q);
	definition_free(d);
	d = with_definition(BARE_DEFINITION
			    "each: /items\ncustomer: /who\n"
			    "lookup:\n" STEP("/{root:/portal}/{/who}", "emails: /email, moved: [/gone, /new]"),
			    "https://x");
	q = lookup_plan_of(d, "{\"portal\":9,\"items\":[{\"id\":1,\"who\":\"c1\"}]}", "");
	assert_asks(q, "https://x/9/c1");
	assert_int_equal(lookup_plan_answer(q, 301, NULL, "{\"new\":\"c2\"}", 12, NULL), LOOKUP_PLAN_MOVED);
	assert_asks(q, "https://x/9/c2");
	lookup_plan_free(q);
	definition_free(d);
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

static void mistakes_are_told_at_their_place(void **state)
{
	static const struct {
		const char *step, *says;
	} cases[] = {
		{"when: {nmaes: \"on\"}, emails: /e", "nmaes"},
		{"when: {own: x}, take: {own: /e}", "own"}, /* its own name does not exist yet */
		{"when: on, emails: /e", "expected a mapping"},
		{"emails: header:X", "JSON Pointer into the answer"},
		{"take: {a: [/a, b]}", "JSON Pointer into the answer"},
		{"take: {a: []}", "1 to 4"},
		{"take: {a: [/a, /b, /c, /d, /e]}", "1 to 4"},
		{"take: {names: /a}", "there already"},
		{"emails: [/a, /b], primary: /c", "primary"},
		{"sample: '{\"e\":', emails: /e", "not JSON"},
		{"sample: '7', emails: /e", "bare value"},
		{"sample: {e: 1}, emails: /e", "expected the text of an answer"},
		{"sample: '{\"e\":\"nobody\"}', emails: /e", "no address at /e"},
		{"sample: '{\"e\":\"jo@example.com\"}', emails: [/e, /f]", "no address at /f"},
		{"sample: '{\"e\":[{\"m\":\"jo@example.com\"}]}', emails: /e/*/m, primary: /e/*/p",
		 "nothing at /e/*/p"},
		{"sample: '{\"e\":[{\"m\":\"jo@example.com\",\"p\":\"main\"}]}', emails: /e/*/m, primary: /e/*/p",
		 "nothing true at /e/*/p"},
		{"sample: '{\"a\":1}', take: {a: /a, b: [/a, /b]}", "nothing at /b"},
		{"sample: '{\"a\":\"\"}', take: {a: /a}", "nothing at /a"},
		{"emails: /e, missing: gone", "expected a mapping"},
		{"emails: /e, missing: {\"header:X\": gone}", "looks at the answer"},
		{"emails: /e, missing: {\"root:/e\": gone}", "looks at the answer"},
		{"emails: /e, missing: {names: \"on\"}", "looks at the answer"},
		{"emails: /e, missing: {/e: {exists: true}}, sample: '{\"e\":\"jo@example.com\"}'",
		 "holds for the step's sample"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%sparameters: {names: [\"off\", \"on\"]}\nlookup:\n"
				     "- {url: \"{base_url}/x\", authenticate: bearer, %s}\n",
				     BARE_DEFINITION, cases[i].step);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};

		assert_null(definition_read(n, NULL, &p));
		assert_problem(&p, cases[i].says);
	}
}

static void a_suffix_belongs_to_basic_and_fits_a_user(void **state)
{
	static const struct {
		const char *authenticate, *says;
	} cases[] = {
		{"{method: bearer, suffix: /token}", "only method basic"},
		{"{method: basic, suffix: \"\"}", "what the user ends with"},
		{"{method: basic, suffix: \"a:b\"}", "what the user ends with"},
		{"{method: basic, suffix: [x]}", "what the user ends with"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%slookup: [{url: \"{base_url}/x\", emails: /e, authenticate: %s}]\n",
				     BARE_DEFINITION, cases[i].authenticate);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};

		assert_null(definition_read(n, NULL, &p));
		assert_problem(&p, cases[i].says);
	}
}

static void over_a_preset_a_sample_that_lacks_something_is_a_warning(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml(BARE_DEFINITION "customer: /who\nlookup:\n" STEP(
		"/x", "sample: '{}', moved: /new, emails: /e, take: {a: /a}"));
	const struct definition_binding binding = {.base_url = "https://x", .overlaid = true};
	struct problems p = {0};
	struct definition *d = definition_read(n, &binding, &p);

	(void)state;
	assert_non_null(d);
	assert_true(problems_say(&p, true, "no address at /e"));
	assert_true(problems_say(&p, true, "nothing at /a"));
	assert_false(problems_say(&p, true, "/new"));
	problems_done(&p);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_passed_over_where_its_condition_does_not_hold),
		cmocka_unit_test(the_first_url_whose_parts_are_all_known_is_asked),
		cmocka_unit_test(where_no_condition_holds_there_is_nobody_to_ask),
		cmocka_unit_test(a_condition_may_ask_for_a_parameter_a_header_or_the_query),
		cmocka_unit_test(the_first_place_that_finds_something_counts_and_stays),
		cmocka_unit_test(what_is_taken_is_cut_to_an_attribute_s_length),
		cmocka_unit_test(a_user_gets_the_suffix_that_it_does_not_have),
		cmocka_unit_test(a_form_and_an_item_of_a_batch_are_asked_about_too),
		cmocka_unit_test(mistakes_are_told_at_their_place),
		cmocka_unit_test(a_suffix_belongs_to_basic_and_fits_a_user),
		cmocka_unit_test(over_a_preset_a_sample_that_lacks_something_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

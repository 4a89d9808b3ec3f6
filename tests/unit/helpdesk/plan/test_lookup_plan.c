/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/lookup_plan.h"
#include "fixtures/webhook.h"

#include <errno.h>

#include "base/buf.h"

static const struct lookup_plan_secrets secrets = {.user = "bot@acme.com", .password = "p:w", .token = "tok"};

/* Starts the walk for a webhook with that body. */
static struct lookup_plan *asking(const struct definition *d, const char *body)
{
	return lookup_plan_of(d, body, "q=1");
}

static void assert_asks(struct lookup_plan *q, const char *url)
{
	CLEANUP(mem_freep) char *asked = NULL;
	struct pairs headers = {0};
	struct err e;

	if (lookup_plan_next(q, &secrets, &asked, &headers, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(asked, url);
	pairs_done(&headers);
}

static void assert_is_at_its_end(struct lookup_plan *q)
{
	struct pairs headers = {0};
	char *url = NULL;
	struct err e;

	assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), 1);
	assert_null(url);
}

static enum lookup_plan_verdict answer(struct lookup_plan *q, unsigned status, const char *body, struct err *reason)
{
	return lookup_plan_answer(q, status, "application/json", body, strlen(body), reason);
}

#define GLADLY_WEBHOOK \
	"{\"type\":\"CONVERSATION/CREATED\",\"content\":{\"customerId\":\"a/1\",\"conversationId\":\"c\"}}"
#define PROFILE "https://acme.gladly.com/api/v1/customer-profiles/"

static void gladlys_customer_has_addresses(void **state)
{
	static const char profile[] =
		"{\"id\":\"a/1\",\"emails\":[{\"normalized\":\"jo@example.com\",\"primary\":false},"
		"{\"original\":\"x\"},{\"normalized\":\"Al@Example.com\",\"primary\":true}]}";
	struct definition *d = with_gladly();
	struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
	CLEANUP(mem_freep) char *url = NULL;
	struct pairs headers = {0};
	struct customer c;
	struct err e;

	(void)state;
	assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), 0);
	assert_string_equal(url, PROFILE "a%2F1");
	assert_string_equal(pairs_get(&headers, "Authorization"), "Basic Ym90QGFjbWUuY29tOnA6dw==");
	assert_string_equal(pairs_get(&headers, "Accept"), "application/json");
	pairs_done(&headers);
	assert_int_equal(answer(q, 200, profile, &e), LOOKUP_PLAN_CONTINUE);
	assert_is_at_its_end(q);
	lookup_plan_result(q, &c);
	assert_int_equal(c.addresses.n, 2);
	assert_string_equal(c.addresses.items[0].email, "jo@example.com");
	assert_false(c.addresses.items[0].primary);
	assert_string_equal(c.addresses.items[1].email, "al@example.com");
	assert_true(c.addresses.items[1].primary);
	customer_done(&c);
	lookup_plan_free(q);
	definition_free(d);
}

static void every_answer_has_its_verdict(void **state)
{
	static const struct {
		unsigned status;
		const char *type, *body;
		enum lookup_plan_verdict verdict;
		const char *reason;
	} cases[] = {
		{200, "application/json", "{\"emails\":[]}", LOOKUP_PLAN_CONTINUE, NULL},
		{200, "text/plain", "{}", LOOKUP_PLAN_CONTINUE, NULL},
		{201, "application/json", "{}", LOOKUP_PLAN_CONTINUE, NULL},
		{200, "application/json", "\xef\xbb\xbf{\"n\":9400111899223334445556,\"t\":\"a\nb\"}",
		 LOOKUP_PLAN_CONTINUE, NULL},
		{200, "text/html", "<html>Log in</html>", LOOKUP_PLAN_ODD, "text/html, not JSON"},
		{200, NULL, "", LOOKUP_PLAN_ODD, "not JSON"},
		{204, NULL, "", LOOKUP_PLAN_ODD, "not JSON"},
		{200, "application/json", "{\"emails\":", LOOKUP_PLAN_ODD, "not JSON"},
		{200, "application/json", "{\"emails\":[],\"score\":NaN}", LOOKUP_PLAN_ODD, "not JSON"},
		{200, "application/json", "{\"name\":\"Jos\xe9\"}", LOOKUP_PLAN_ODD, "not JSON"}, /* Latin-1 */
		{200, "application/json", "null", LOOKUP_PLAN_ODD, "bare JSON value"},
		{200, "application/json", "\"x\"", LOOKUP_PLAN_ODD, "bare JSON value"},
		{301, "application/json", "{\"errors\":[]}", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{301, "text/html", "<html>", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{302, "application/json", "{\"errors\":[{\"meta\":{\"new\":\"b\"}}]}", LOOKUP_PLAN_ODD,
		 "base_url may be wrong"},
		{304, NULL, "", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{400, NULL, "", LOOKUP_PLAN_ODD, "400"},
		{401, NULL, "", LOOKUP_PLAN_PARK, "credentials"},
		{401, "application/json", "{}", LOOKUP_PLAN_PARK, "credentials"},
		{403, "text/html", "<html>", LOOKUP_PLAN_ODD, "403"},
		{403, "application/json", "{}", LOOKUP_PLAN_ODD, "403"},
		{404, "application/json", "{}", LOOKUP_PLAN_GONE, "no such customer"},
		{404, "text/plain", "{\"error\":\"not_exist\"}", LOOKUP_PLAN_GONE, "no such customer"},
		{404, "application/problem+json; charset=utf-8", "\"Not found\"", LOOKUP_PLAN_GONE, "no such customer"},
		{404, "text/html", "<html>", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{404, "text/plain", "404", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{404, "application/json", "", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{404, NULL, "", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{405, NULL, "", LOOKUP_PLAN_ODD, "405"},
		{408, NULL, "", LOOKUP_PLAN_RETRY, "408"},
		{410, "application/json", "{}", LOOKUP_PLAN_GONE, "no such customer"},
		{410, NULL, "", LOOKUP_PLAN_ODD, "base_url may be wrong"},
		{418, NULL, "", LOOKUP_PLAN_ODD, "418"},
		{425, NULL, "", LOOKUP_PLAN_RETRY, "425"},
		{429, NULL, "", LOOKUP_PLAN_RETRY, "429"},
		{500, NULL, "", LOOKUP_PLAN_RETRY, "500"},
		{503, "text/html", "<html>", LOOKUP_PLAN_RETRY, "503"},
		{599, NULL, "", LOOKUP_PLAN_RETRY, "599"},
		{100, NULL, "", LOOKUP_PLAN_RETRY, "100"},
		{0, NULL, NULL, LOOKUP_PLAN_RETRY, "0"},
	};
	struct definition *d = with_gladly();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
		struct err reason = {0};
		enum lookup_plan_verdict v = lookup_plan_answer(q, cases[i].status, cases[i].type, cases[i].body,
								cases[i].body ? strlen(cases[i].body) : 0, &reason);

		if (v != cases[i].verdict || (cases[i].reason && !strstr(reason.text, cases[i].reason)))
			fail_msg("%u %s: %d, %s", cases[i].status, cases[i].body, (int)v, reason.text);
		lookup_plan_free(q);
	}
	definition_free(d);
}

static void a_redirect_names_its_target_without_query_and_password(void **state)
{
	static const struct {
		const char *location, *want;
	} cases[] = {
		{"https://acme.example/login", "to https://acme.example/login (302)"},
		{"https://acme.example/login?next=/a@b&session=s", "to https://acme.example/login (302)"},
		{"https://u:p@w@acme.example:8443/a@b#x", "to https://acme.example:8443/a@b (302)"},
		{"//u:p@acme.example", "to //acme.example (302)"},
		{"/login?to=https://u:p@acme.example", "to /login (302)"},
		{"?session=s", "to another address (302)"},
		{"", "to another address (302)"},
		{NULL, "to another address (302)"},
	};
	struct definition *d = with_gladly();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
		struct err reason = {0};

		lookup_plan_location(q, "https://before.example");
		lookup_plan_location(q, cases[i].location);
		assert_int_equal(answer(q, 302, "{}", &reason), LOOKUP_PLAN_ODD);
		if (!strstr(reason.text, cases[i].want))
			fail_msg("%s: %s", cases[i].location, reason.text);
		lookup_plan_free(q);
	}
	definition_free(d);
}

#define MOVED_TO(id) "{\"errors\":[{\"code\":\"moved\",\"meta\":{\"old\":\"a\",\"new\":\"" id "\"}}]}"

static void a_merged_customer_is_asked_for_by_the_new_id(void **state)
{
	struct definition *d = with_gladly();
	struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
	struct customer c;
	struct err e;

	(void)state;
	assert_asks(q, PROFILE "a%2F1");
	assert_int_equal(answer(q, 301, MOVED_TO("b-2"), &e), LOOKUP_PLAN_MOVED);
	assert_asks(q, PROFILE "b-2");
	assert_int_equal(answer(q, 308, MOVED_TO("c 3"), &e), LOOKUP_PLAN_MOVED);
	assert_asks(q, PROFILE "c%203");
	assert_int_equal(answer(q, 200, "{\"emails\":[{\"normalized\":\"jo@example.com\"}]}", &e),
			 LOOKUP_PLAN_CONTINUE);
	assert_is_at_its_end(q);
	lookup_plan_result(q, &c);
	assert_int_equal(c.addresses.n, 1);
	customer_done(&c);
	lookup_plan_free(q);
	definition_free(d);
}

static void merges_without_end_are_gone(void **state)
{
	struct definition *d = with_gladly();
	struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
	struct err e;

	(void)state;
	assert_int_equal(answer(q, 301, MOVED_TO("b"), &e), LOOKUP_PLAN_MOVED);
	assert_int_equal(answer(q, 301, MOVED_TO("c"), &e), LOOKUP_PLAN_MOVED);
	assert_int_equal(answer(q, 301, MOVED_TO("d"), &e), LOOKUP_PLAN_MOVED);
	assert_int_equal(answer(q, 301, MOVED_TO("e"), &e), LOOKUP_PLAN_GONE);
	assert_non_null(strstr(e.text, "more than 3 times"));
	lookup_plan_free(q);
	q = asking(d, GLADLY_WEBHOOK);
	assert_int_equal(answer(q, 301, MOVED_TO("a/1"), &e), LOOKUP_PLAN_GONE); /* itself */
	lookup_plan_free(q);
	q = asking(d, GLADLY_WEBHOOK);
	assert_int_equal(answer(q, 301, MOVED_TO("b"), &e), LOOKUP_PLAN_MOVED);
	assert_int_equal(answer(q, 301, MOVED_TO("a/1"), &e), LOOKUP_PLAN_GONE);
	assert_non_null(strstr(e.text, "circle"));
	lookup_plan_free(q);
	definition_free(d);
}

static void an_id_that_climbs_is_never_asked_for(void **state)
{
	struct definition *d = with_gladly();
	struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
	struct pairs headers = {0};
	char *url = NULL;
	struct err e;

	(void)state;
	assert_int_equal(answer(q, 301, MOVED_TO(".."), &e), LOOKUP_PLAN_MOVED);
	assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), -ENOENT);
	lookup_plan_free(q);
	definition_free(d);
}

static void without_a_customer_there_is_nobody_to_ask_about(void **state)
{
	static const struct {
		const char *body;
		int r;
	} cases[] = {
		{"{\"content\":{}}", -ENOENT},
		{"{\"content\":{\"customerId\":null}}", -ENOENT},
		{"{\"content\":{\"customerId\":\"\"}}", -ENOENT},
		{"{\"content\":{\"customerId\":{}}}", -ENOENT},
		{"{\"content\":{\"customerId\":\"..\"}}", -ENOENT},
		{"{", -EINVAL},
		{"", -EINVAL},
	};
	struct definition *d = with_gladly();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct webhook w = with_webhook(cases[i].body, "q=1", 1);
		struct lookup_plan *q = NULL;
		struct err e = {0};

		assert_int_equal(with_lookup_plan(d, &w, &q, &e), cases[i].r);
		assert_null(q);
		assert_true(e.text[0] != '\0');
		webhook_done(&w);
	}
	definition_free(d);
}

#define TWO_STEPS                               \
	BARE_DEFINITION                         \
	"lookup:\n"                             \
	"- url: \"{base_url}/threads/{/id}\"\n" \
	"  authenticate: bearer\n"              \
	"  take: {contact: /contact, team: /team/name}\n"

static void what_a_step_took_serves_the_next(void **state)
{
	struct definition *d =
		with_definition(TWO_STEPS "- url: \"{base_url}/contacts/{contact}?full=1\"\n"
					  "  authenticate: bearer\n  headers: {X-Tier: \"{team}\", Accept: text/json}\n"
					  "  emails: /email\n",
				"https://x.example/v1/");
	struct lookup_plan *q = asking(d, "{\"type\":\"opened\",\"id\":7}");
	CLEANUP(mem_freep) char *url = NULL;
	struct pairs headers = {0};
	struct customer c;
	struct err e;

	(void)state;
	assert_asks(q, "https://x.example/v1/threads/7");
	assert_false(lookup_plan_step_is_optional(q));
	assert_int_equal(answer(q, 200, "{\"contact\":99,\"team\":{\"name\":\"A & B\"}}", &e), LOOKUP_PLAN_CONTINUE);
	assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), 0);
	assert_string_equal(url, "https://x.example/v1/contacts/99?full=1");
	assert_string_equal(pairs_get(&headers, "Authorization"), "Bearer tok");
	assert_string_equal(pairs_get(&headers, "X-Tier"), "A & B");
	assert_string_equal(pairs_get(&headers, "Accept"), "text/json");
	pairs_done(&headers);
	assert_int_equal(answer(q, 200, "{\"email\":\"Jo <jo@example.com>\"}", &e), LOOKUP_PLAN_CONTINUE);
	assert_is_at_its_end(q);
	lookup_plan_result(q, &c);
	assert_string_equal(c.addresses.items[0].email, "jo@example.com");
	assert_string_equal(pairs_get(&c.taken, "contact"), "99");
	assert_string_equal(pairs_get(&c.taken, "team"), "A & B");
	customer_done(&c);
	lookup_plan_free(q);
	definition_free(d);
}

static void a_needed_step_that_cannot_be_asked_is_told(void **state)
{
	struct definition *d = with_definition(
		TWO_STEPS "- {url: \"{base_url}/contacts/{contact}\", authenticate: bearer, emails: /email}\n",
		"https://x.example");
	struct lookup_plan *q = asking(d, "{\"type\":\"opened\",\"id\":7}");
	struct pairs headers = {0};
	char *url = NULL;
	struct err e;

	(void)state;
	assert_int_equal(answer(q, 200, "{\"contact\":null}", &e), LOOKUP_PLAN_CONTINUE);
	assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), -ENOENT);
	assert_non_null(strstr(e.text, "{contact}"));
	lookup_plan_free(q);
	definition_free(d);
}

static void optional_steps_fail_without_harm(void **state)
{
	static const unsigned statuses[] = {301, 400, 401, 404, 429, 500};
	struct definition *d = with_definition(
		TWO_STEPS "  optional: true\n- {url: \"{base_url}/c/{/who}\", authenticate: bearer, emails: /email}\n",
		"https://x.example");
	struct lookup_plan *q;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		q = asking(d, "{\"type\":\"opened\",\"id\":7,\"who\":1}");
		assert_asks(q, "https://x.example/threads/7");
		assert_true(lookup_plan_step_is_optional(q));
		assert_int_equal(answer(q, statuses[i], "", &e), LOOKUP_PLAN_CONTINUE);
		assert_asks(q, "https://x.example/c/1");
		assert_false(lookup_plan_step_is_optional(q));
		assert_int_equal(answer(q, 404, "{}", &e), LOOKUP_PLAN_GONE);
		lookup_plan_free(q);
	}
	q = asking(d, "{\"type\":\"opened\",\"id\":7,\"who\":1}");
	lookup_plan_skip(q); /* no answer at all */
	assert_asks(q, "https://x.example/c/1");
	lookup_plan_free(q);
	q = asking(d, "{\"type\":\"opened\",\"who\":1}"); /* the first cannot be asked */
	assert_asks(q, "https://x.example/c/1");
	lookup_plan_free(q);
	definition_free(d);
}

static void an_optional_step_that_the_address_hangs_on_is_asked_again(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		enum lookup_plan_verdict alone, beside;
	} cases[] = {
		{401, "{}", LOOKUP_PLAN_PARK, LOOKUP_PLAN_CONTINUE},
		{429, "", LOOKUP_PLAN_RETRY, LOOKUP_PLAN_CONTINUE},
		{503, "", LOOKUP_PLAN_RETRY, LOOKUP_PLAN_CONTINUE},
		{404, "{}", LOOKUP_PLAN_CONTINUE, LOOKUP_PLAN_CONTINUE},
		{404, "", LOOKUP_PLAN_ODD, LOOKUP_PLAN_CONTINUE},
		{403, "{}", LOOKUP_PLAN_ODD, LOOKUP_PLAN_CONTINUE},
		{400, "", LOOKUP_PLAN_ODD, LOOKUP_PLAN_CONTINUE},
	};
	struct definition *d = with_definition(
		"label: D\nauthenticate: {method: basic}\nopened: {/type: opened}\nclosed: {/type: closed}\n"
		"conversation: /id\nemails: /mail\nlookup:\n"
		"- {url: \"{base_url}/t/{/id}\", authenticate: bearer, take: {who: /who}, optional: true}\n"
		"- {url: \"{base_url}/c/{who}\", authenticate: bearer, emails: /email, optional: true}\n"
		"attributes: {Who ID: \"{who}\"}\n",
		"https://x.example");
	struct lookup_plan *q;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		q = asking(d, "{\"type\":\"opened\",\"id\":7}");
		assert_false(lookup_plan_step_is_optional(q));
		assert_int_equal(answer(q, cases[i].status, cases[i].body, &e), cases[i].alone);
		lookup_plan_free(q);
		q = asking(d, "{\"type\":\"opened\",\"id\":7}");
		assert_int_equal(answer(q, 200, "{\"who\":1}", &e), LOOKUP_PLAN_CONTINUE);
		assert_asks(q, "https://x.example/c/1");
		assert_int_equal(answer(q, cases[i].status, cases[i].body, &e), cases[i].alone);
		lookup_plan_free(q);
		q = asking(d, "{\"type\":\"opened\",\"id\":7,\"mail\":\"jo@example.com\"}");
		assert_true(lookup_plan_step_is_optional(q));
		assert_int_equal(answer(q, cases[i].status, cases[i].body, &e), cases[i].beside);
		lookup_plan_free(q);
	}
	definition_free(d);
}

/* After an optional step that knows no such customer the next steps decide. Where they find no address either, the
 * customer may exist a little later. */
static void an_address_that_hung_on_a_step_without_its_customer_was_sought_in_vain(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION
		"emails: /mail\nlookup:\n"
		"- {url: \"{base_url}/a/{/id}\", authenticate: bearer, emails: /email, optional: true}\n"
		"- {url: \"{base_url}/b/{/id}\", authenticate: bearer, emails: /email, optional: true}\n",
		"https://x.example");
	static const struct {
		const char *webhook, *second;
		bool vain;
	} cases[] = {
		{"{\"type\":\"opened\",\"id\":7}", "{\"email\":null}", true},
		{"{\"type\":\"opened\",\"id\":7}", "{\"email\":\"jo@example.com\"}", false},
		{"{\"type\":\"opened\",\"id\":7,\"mail\":\"jo@example.com\"}", "{}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lookup_plan *q = asking(d, cases[i].webhook);
		struct err e = {0};

		assert_false(lookup_plan_was_answered(q));
		assert_int_equal(answer(q, 404, "{}", &e), LOOKUP_PLAN_CONTINUE);
		assert_false(lookup_plan_was_answered(q));
		assert_int_equal(answer(q, 200, cases[i].second, &e), LOOKUP_PLAN_CONTINUE);
		assert_true(lookup_plan_was_answered(q));
		assert_is_at_its_end(q);
		assert_int_equal(lookup_plan_found_no_address(q, &e), cases[i].vain);
		if (cases[i].vain)
			assert_non_null(strstr(e.text, "404"));
		lookup_plan_free(q);
	}
	definition_free(d);
}

static void a_definition_says_how_else_a_missing_customer_is_told(void **state)
{
	static const struct {
		const char *missing;
		unsigned status;
		const char *body;
		enum lookup_plan_verdict verdict;
	} cases[] = {
		{"{/error: not_found}", 200, "{\"error\":\"NOT_FOUND\"}", LOOKUP_PLAN_GONE},
		{"{/error: not_found}", 200, "{\"email\":\"jo@example.com\"}", LOOKUP_PLAN_CONTINUE},
		{"{/error: not_found}", 400, "{\"error\":\"not_found\"}", LOOKUP_PLAN_GONE},
		{"{/error: not_found}", 400, "{\"error\":\"bad\"}", LOOKUP_PLAN_ODD},
		{"{/error: not_found}", 401, "{\"error\":\"not_found\"}", LOOKUP_PLAN_PARK},
		{"{/error: not_found}", 429, "{\"error\":\"not_found\"}", LOOKUP_PLAN_RETRY},
		{"{status: 404}", 404, "", LOOKUP_PLAN_GONE},
		{"{status: [404, 422]}", 422, "<html>", LOOKUP_PLAN_GONE},
		{"{status: 404}", 403, "", LOOKUP_PLAN_ODD},
		{"[{status: 422, /code: 7}, {/data: {exists: false}}]", 422, "{\"code\":7,\"data\":1}",
		 LOOKUP_PLAN_GONE},
		{"[{status: 422, /code: 7}, {/data: {exists: false}}]", 200, "{}", LOOKUP_PLAN_GONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%slookup: [{url: \"{base_url}/{/id}\", authenticate: bearer, emails: /email,"
				     " missing: %s}]\n",
				     BARE_DEFINITION, cases[i].missing);
		struct definition *d = with_definition(yaml, "https://x.example");
		struct lookup_plan *q = asking(d, "{\"id\":1}");
		struct err e = {0};
		enum lookup_plan_verdict v = answer(q, cases[i].status, cases[i].body, &e);

		if (v != cases[i].verdict)
			fail_msg("%s: %u %s: %d, %s", cases[i].missing, cases[i].status, cases[i].body, (int)v, e.text);
		lookup_plan_free(q);
		definition_free(d);
	}
}

/* To skip it would leave a required step that cannot be asked: a dead letter for a missing answer. */
static void what_a_needed_step_asks_by_is_asked_again(void **state)
{
#define STEP_OF(url, rest) "- {url: \"{base_url}/" url "\", authenticate: bearer, " rest "}\n"
	static const struct {
		const char *steps;
		bool optional;
	} cases[] = {
		{STEP_OF("t/{/id}", "take: {who: /who}, optional: true") STEP_OF("c/{who}", "emails: /email"), false},
		{STEP_OF("t/{/id}", "take: {who: /who}, optional: true")
			 STEP_OF("c/{who}", "take: {mail: /m}, optional: true")
				 STEP_OF("m/{mail}", "emails: /email, optional: true"),
		 false},
		{STEP_OF("t/{/id}", "take: {who: /who}, optional: true")
			 STEP_OF("c/{/id}", "emails: /email, when: {who: a}"),
		 false},
		{STEP_OF("t/{/id}", "take: {who: /who}, optional: true")
			 STEP_OF("n/{who}", "take: {name: /n}, optional: true") STEP_OF("c/{/id}", "emails: /email"),
		 true},
		{STEP_OF("t/{/id}", "emails: /email, optional: true") STEP_OF("c/{/id}", "emails: /email"), true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("label: D\nauthenticate: {method: basic}\nopened: {/type: opened}\n"
				     "closed: {/type: closed}\nconversation: /id\nlookup:\n%s",
				     cases[i].steps);
		struct definition *d = with_definition(yaml, "https://x.example");
		struct lookup_plan *q = asking(d, "{\"type\":\"opened\",\"id\":7}");
		struct err e;

		assert_int_equal(lookup_plan_step_is_optional(q), cases[i].optional);
		assert_int_equal(answer(q, 503, "", &e), cases[i].optional ? LOOKUP_PLAN_CONTINUE : LOOKUP_PLAN_RETRY);
		lookup_plan_free(q);
		definition_free(d);
	}
#undef STEP_OF
}

static void optional_steps_are_passed_over_where_there_are_no_credentials(void **state)
{
	static const struct lookup_plan_secrets none = {0};
	static const struct lookup_plan_secrets half = {.user = "u"};
	static const char optional[] =
		"label: D\nauthenticate: {method: basic}\nopened: {/type: opened}\n"
		"closed: {/type: closed}\nconversation: /id\nlookup:\n"
		"- {url: \"{base_url}/t/{/id}\", authenticate: bearer, emails: /mail, optional: true}\n";
	struct definition *d = with_definition(optional, "https://x.example");
	struct pairs headers = {0};
	char *url = NULL;
	struct lookup_plan *q;
	struct err e;

	(void)state;
	q = asking(d, "{\"type\":\"opened\",\"id\":7}");
	assert_int_equal(lookup_plan_next(q, &half, &url, &headers, &e), -EACCES);
	assert_int_equal(lookup_plan_next(q, &none, &url, &headers, &e), 1);
	lookup_plan_free(q);
	definition_free(d);
}

static void optional_steps_at_the_end_may_lack_what_they_need(void **state)
{
	struct definition *d = with_definition(TWO_STEPS "  emails: /mail\n- {url: \"{base_url}/c/{contact}\", "
							 "authenticate: bearer, take: {x: /x}, optional: true}\n",
					       "https://x.example");
	struct lookup_plan *q = asking(d, "{\"type\":\"opened\",\"id\":7}");
	struct err e;

	(void)state;
	assert_int_equal(answer(q, 200, "{\"mail\":\"jo@example.com\"}", &e), LOOKUP_PLAN_CONTINUE);
	assert_is_at_its_end(q);
	lookup_plan_free(q);
	definition_free(d);
}

static void secrets_must_be_there_and_of_one_line(void **state)
{
	static const struct {
		const char *authenticate;
		struct lookup_plan_secrets secrets;
		int r;
		const char *header, *value;
	} cases[] = {
		{"basic", {"u", "p", NULL}, 0, "Authorization", "Basic dTpw"},
		{"basic", {"u", NULL, "t"}, -EACCES, NULL, NULL},
		{"basic", {NULL, "p", "t"}, -EACCES, NULL, NULL},
		{"basic", {"u", "p\n", NULL}, -EACCES, NULL, NULL},
		{"bearer", {NULL, NULL, "t"}, 0, "Authorization", "Bearer t"},
		{"bearer", {"u", "p", NULL}, -EACCES, NULL, NULL},
		{"bearer", {NULL, NULL, "t\r\nX: y"}, -EACCES, NULL, NULL},
		{"{method: bearer, scheme: Token}", {NULL, NULL, "t"}, 0, "Authorization", "Token t"},
		{"{method: header, name: X-Api-Key}", {NULL, NULL, "t"}, 0, "X-Api-Key", "t"},
		{"{method: header, name: X-Auth, scheme: key}", {NULL, NULL, "t"}, 0, "X-Auth", "key t"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%slookup: [{url: \"{base_url}/{/id}\", authenticate: %s, emails: /e}]\n",
				     BARE_DEFINITION, cases[i].authenticate);
		struct definition *d = with_definition(yaml, "https://x.example");
		struct lookup_plan *q = asking(d, "{\"id\":1}");
		CLEANUP(mem_freep) char *url = NULL;
		struct pairs headers = {0};
		struct err e = {0};

		assert_int_equal(lookup_plan_next(q, &cases[i].secrets, &url, &headers, &e), cases[i].r);
		if (cases[i].r == 0)
			assert_string_equal(pairs_get(&headers, cases[i].header), cases[i].value);
		else
			assert_null(url);
		pairs_done(&headers);
		lookup_plan_free(q);
		definition_free(d);
	}
}

static void what_is_no_url_is_not_asked(void **state)
{
	static const char *const bases[] = {"acme.gladly.com", "ftp://acme", "https://acme .com", "https://a\tb"};

	(void)state;
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		struct definition *d = with_definition(
			BARE_DEFINITION "lookup: [{url: \"{base_url}/{/id}\", authenticate: basic, emails: /e}]\n",
			bases[i]);
		struct lookup_plan *q = asking(d, "{\"id\":1}");
		struct pairs headers = {0};
		char *url = NULL;
		struct err e = {0};

		assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), -EINVAL);
		assert_non_null(strstr(e.text, "base_url"));
		lookup_plan_free(q);
		definition_free(d);
	}
}

static void a_webhooks_text_makes_no_header_line(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "lookup: [{url: \"{base_url}/{/id}\", authenticate: basic,"
						" emails: /e, headers: {X-Who: \"{/who}\"}}]\n",
				"https://x.example");
	static const char *const bodies[] = {"{\"id\":1,\"who\":\"a\\r\\nX-Evil: 1\"}", "{\"id\":1}"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lookup_plan *q = asking(d, bodies[i]);
		struct pairs headers = {0};
		char *url = NULL;
		struct err e = {0};

		assert_int_equal(lookup_plan_next(q, &secrets, &url, &headers, &e), -ENOENT);
		assert_non_null(strstr(e.text, "X-Who"));
		lookup_plan_free(q);
	}
	definition_free(d);
}

static void a_huge_answer_is_read_in_bounds(void **state)
{
	struct definition *d = with_gladly();
	struct lookup_plan *q = asking(d, GLADLY_WEBHOOK);
	struct customer c;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 23);
	buf_adds(&b, "{\"emails\":[");
	for (int i = 0; i < 50000; i++)
		buf_addf(&b, "%s{\"normalized\":\"jo%d@example.com\"}", i > 0 ? "," : "", i);
	buf_adds(&b, "]}");
	assert_int_equal(lookup_plan_answer(q, 200, NULL, b.data, b.len, &e), LOOKUP_PLAN_CONTINUE);
	lookup_plan_result(q, &c);
	assert_int_equal(c.addresses.n, ADDRESSES_MAX);
	customer_done(&c);
	buf_done(&b);
	lookup_plan_free(q);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gladlys_customer_has_addresses),
		cmocka_unit_test(every_answer_has_its_verdict),
		cmocka_unit_test(a_redirect_names_its_target_without_query_and_password),
		cmocka_unit_test(a_merged_customer_is_asked_for_by_the_new_id),
		cmocka_unit_test(merges_without_end_are_gone),
		cmocka_unit_test(an_id_that_climbs_is_never_asked_for),
		cmocka_unit_test(without_a_customer_there_is_nobody_to_ask_about),
		cmocka_unit_test(what_a_step_took_serves_the_next),
		cmocka_unit_test(a_needed_step_that_cannot_be_asked_is_told),
		cmocka_unit_test(optional_steps_fail_without_harm),
		cmocka_unit_test(optional_steps_are_passed_over_where_there_are_no_credentials),
		cmocka_unit_test(an_optional_step_that_the_address_hangs_on_is_asked_again),
		cmocka_unit_test(an_address_that_hung_on_a_step_without_its_customer_was_sought_in_vain),
		cmocka_unit_test(a_definition_says_how_else_a_missing_customer_is_told),
		cmocka_unit_test(what_a_needed_step_asks_by_is_asked_again),
		cmocka_unit_test(optional_steps_at_the_end_may_lack_what_they_need),
		cmocka_unit_test(secrets_must_be_there_and_of_one_line),
		cmocka_unit_test(what_is_no_url_is_not_asked),
		cmocka_unit_test(a_webhooks_text_makes_no_header_line),
		cmocka_unit_test(a_huge_answer_is_read_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

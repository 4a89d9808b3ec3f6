/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"

#include "helpdesk/parse/parsed_webhook.h"

/* Returns the explanation of that body. The caller owns it. */
static char *explained(const struct definition *d, const char *body)
{
	CLEANUP(mem_freep) char *copy = mem_str(body);
	char query[] = "";
	struct webhook w = {
		.body = copy, .body_len = strlen(body), .received_ms = INT64_C(1795280400000), .query = query};
	struct parsed_webhook *p;
	struct buf b;

	buf_init(&b, 1 << 16);
	p = parsed_webhook_borrow(d, &w);
	parsed_webhook_explain(p, &b);
	parsed_webhook_free(p);
	return buf_take(&b);
}

static void assert_explained(const char *more, const char *body, const char *says)
{
	CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s\n", BARE_DEFINITION, more);
	struct definition *d = with_definition(yaml, "https://x.example");
	CLEANUP(mem_freep) char *all = explained(d, body);

	if (!strstr(all, says))
		fail_msg("\"%s\" is not in: %s", says, all);
	definition_free(d);
}

/* Parts that the definition lacks are not in it. */
static void the_matchers_are_told_in_their_order_up_to_the_one_that_holds(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION "ping: {/type: PING}\nidentified: {/type: known}\ncustomer: /who\ndelivery: /none\n",
		NULL);
	CLEANUP(mem_freep) char *all = explained(d, "{\"type\":\"opened\",\"id\":7,\"who\":\"jo@example.com\"}");
	CLEANUP(mem_freep) char *broken = explained(d, "{");

	(void)state;
	assert_string_equal(all, "ping: no\n  /type is PING: no, there is \"opened\"\n"
				 "closed: no\n  /type is closed: no, there is \"opened\"\n"
				 "opened: yes\n  /type is opened: yes\n"
				 "conversation: /id is 7\ncustomer: /who is jo@example.com\n"
				 "delivery: /none holds nothing\n");
	assert_non_null(strstr(broken, "not JSON"));
	assert_explained("delivery: [/event, body]", "{\"type\":\"opened\",\"id\":1}",
			 "delivery: body: path, query, transition and body together\n");
	assert_explained("delivery: [/event, body]", "{\"type\":\"opened\",\"id\":1,\"event\":\"e1\"}",
			 "delivery: /event or body is e1\n");
	assert_explained("delivery: [{when: {/message: {exists: true}}, use: body}]", "{\"type\":\"opened\",\"id\":1}",
			 "delivery: body holds nothing\n");
	definition_free(d);
}

static void times_are_shown_as_they_stand_and_as_they_are_understood(void **state)
{
	(void)state;
	assert_explained("time: /at", "{\"type\":\"opened\",\"id\":1,\"at\":1795164302418}",
			 "time: /at is 1795164302418, which is 2026-11-20T08:45:02Z\n");
	assert_explained("time: /at", "{\"type\":\"opened\",\"id\":1,\"at\":\"2026-11-20T08:45:02Z\"}",
			 "time: /at is 2026-11-20T08:45:02Z\n");
	assert_explained("created: /at", "{\"type\":\"opened\",\"id\":1,\"at\":\"noon\"}",
			 "created: /at is noon, which is no time that can be read\n");
	assert_explained("closed_at: /at", "{\"type\":\"opened\",\"id\":1}", "closed_at: /at holds nothing\n");
}

static void addresses_are_shown_as_they_will_be_sent(void **state)
{
	static const char *const more = "emails: /b/*/a\nprimary: /b/*/p";

	(void)state;
	assert_explained(more,
			 "{\"type\":\"opened\",\"id\":1,\"b\":[{\"a\":\"Ida <Ida@Example.com>\",\"p\":true},"
			 "{\"a\":\"x\"},{\"a\":\"al@example.com\"}]}",
			 "emails: /b/*/a holds ida@example.com (primary), al@example.com\n");
	assert_explained("emails: [/a, /b/*]", "{\"type\":\"opened\",\"id\":1,\"a\":\"Jo\"}",
			 "emails: /a or /b/* holds no address\n");
	assert_explained("emails: /a", "{\"type\":\"opened\",\"id\":1,\"a\":\"Jo <jo@example.com>; al@example.com\"}",
			 "emails: /a holds jo@example.com, al@example.com\n");
}

static void what_is_no_address_is_shown_masked_with_its_reason(void **state)
{
	CLEANUP(mem_freep) char *many = NULL;
	struct buf b;

	(void)state;
	assert_explained("emails: [/a, /b/*]",
			 "{\"type\":\"opened\",\"id\":1,\"a\":\"jo@localhost, "
			 "Kim\",\"b\":[\"al@example.com\",\"\",null,\"x@y\"]}",
			 "emails: /a or /b/* holds al@example.com\n"
			 "emails: no address: *** (no at sign), 2 such as j***@localhost (no domain dot)\n");
	buf_init(&b, 1 << 16);
	for (int i = 0; i < ADDRESSES_MAX + 2; i++)
		buf_addf(&b, "%sjo%d@example.com", i > 0 ? ", " : "", i);
	many = mem_fmt("{\"type\":\"opened\",\"id\":1,\"a\":\"%s\"}", b.data);
	buf_done(&b);
	assert_explained("emails: /a", many, "emails: 2 more than the 32 that count are left out\n");
}

static void attributes_are_shown_or_why_they_are_not(void **state)
{
	static const char *const more =
		"attributes:\n  Channel: /via\n  Tags: /tags/*\n  Rating: /score\n  By: {/by: {A: agent}}\n"
		"  Agent: \"{agent}\"\nlookup:\n  - {url: \"{base_url}/{/id}\", authenticate: basic, take: {agent: "
		"/name}}\n";
	static const char body[] =
		"{\"type\":\"opened\",\"id\":1,\"via\":\"chat\",\"tags\":[\"a\",\"b\"],\"by\":\"B\"}";

	(void)state;
	assert_explained(more, body,
			 "attribute Channel: \"chat\", by /via\n"
			 "attribute Tags: [\"a\",\"b\"], by /tags/*\n"
			 "attribute Rating: /score holds nothing\n"
			 "attribute By: /by is \"B\", which its map leaves out\n"
			 "attribute Agent: {agent} holds nothing before the lookup\n");
	assert_explained(
		"attributes:\n  Tags: [{each: /tags, when: {/on: true}, use: /n}, {each: /old, use: \"{/a} {/b}\"}]\n"
		"  By: [{/by: {A: agent}}, {/from: {A: agent}}]\n  To: [{/by: {A: agent}}, {/from: {A: agent}}]\n",
		"{\"type\":\"opened\",\"id\":1,\"tags\":[{\"n\":\"x\",\"on\":true},{\"n\":\"y\"}],\"by\":\"a\"}",
		"attribute Tags: [\"x\"], by /tags/*/n where /on is true or /old/* {/a} {/b}\n"
		"attribute By: \"agent\", by /by\n"
		"attribute To: \"agent\", by /by\n");
	assert_explained("attributes:\n  By: [{/by: {A: agent}}, {/from: {A: agent}}]\n",
			 "{\"type\":\"opened\",\"id\":1,\"by\":\"b\"}",
			 "attribute By: /by is \"b\", which its map leaves out\n"
			 "attribute By: /from holds nothing\n");
}

static void the_url_is_shown_or_the_part_that_is_missing(void **state)
{
	static const char body[] = "{\"type\":\"opened\",\"id\":\"a b\",\"url\":\"https://jo:geheim@x.example/\"}";

	(void)state;
	assert_explained("conversation_url: \"{/id}\"", body,
			 "conversation_url: left out, {/id} gives no absolute http or https URL\n");
	assert_explained("conversation_url: \"{/url}\"", body,
			 "conversation_url: left out, {/url} gives a URL with a user or a password in it\n");
	assert_explained("conversation_url: [\"{/url}\", \"https://x.example/{/id}\"]", body,
			 "conversation_url: https://x.example/a%20b\n");
	assert_explained("conversation_url: \"https://x.example/{/id}\"", body,
			 "conversation_url: https://x.example/a%20b\n");
	assert_explained("conversation_url: \"https://{/shop}.example/{/id}\"", body,
			 "conversation_url: left out, nothing usable at /shop\n");
	assert_explained("conversation_url: [\"https://{/shop}.example/{/id}\", \"https://y.example/{/id}\"]", body,
			 "conversation_url: https://y.example/a%20b\n");
	assert_explained("conversation_url: [\"https://{/shop}.example\", \"https://{/store}.example\"]", body,
			 "conversation_url: left out, nothing usable at /shop\n");
	assert_explained("conversation_url: \"https://x.example/{slug}\"\nlookup:\n"
			 "  - {url: \"{base_url}/{/id}\", authenticate: basic, take: {slug: /slug}}",
			 body, "conversation_url: left out, nothing usable at slug before the lookup\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_matchers_are_told_in_their_order_up_to_the_one_that_holds),
		cmocka_unit_test(times_are_shown_as_they_stand_and_as_they_are_understood),
		cmocka_unit_test(addresses_are_shown_as_they_will_be_sent),
		cmocka_unit_test(what_is_no_address_is_shown_masked_with_its_reason),
		cmocka_unit_test(attributes_are_shown_or_why_they_are_not),
		cmocka_unit_test(the_url_is_shown_or_the_part_that_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

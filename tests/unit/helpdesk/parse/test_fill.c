/* SPDX-License-Identifier: MIT */
/*
 * Filling a sample with values, for `deskbridge sample`.
 */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/parse_result.h"

#include <errno.h>

#include "helpdesk/parse/batch.h"

#define NOW INT64_C(1763740800123) /* 2025-11-21T16:00:00.123Z */

#define HEAD "label: Desk\nauthenticate: {method: basic}\n"
#define SAID HEAD "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n"

static struct sample filled(const struct definition *d, enum transition t, const char *conversation,
			    const char *customer, const char *email)
{
	const struct sample_values values = {
		.conversation = conversation, .customer = customer, .email = email, .now_ms = NOW};
	struct sample s = {0};

	assert_int_equal(definition_sample_fill(d, t, &values, &s), 0);
	return s;
}

/* Returns its item of that number, parsed as the daemon does. */
static struct parse_result read_back(const struct definition *d, const struct sample *s, size_t item)
{
	struct batch *batch = NULL;
	struct webhook w = {.headers = s->headers, .query = s->query, .received_ms = NOW};
	struct parse_result r;

	assert_int_equal(batch_open(d, NULL, s->body, strlen(s->body), &batch, NULL), 0);
	assert_true(batch_items(batch) > item);
	w.body = batch_item(batch, item, &w.body_len);
	with_parse_result(d, &w, NULL, &r);
	free(w.body);
	batch_close(batch);
	return r;
}

static void assert_body(const struct definition *d, const char *conversation, const char *customer, const char *email,
			const char *expected)
{
	struct sample s = filled(d, TRANSITION_OPENED, conversation, customer, email);

	assert_string_equal(s.body, expected);
	sample_done(&s);
}

static void values_take_their_places_and_the_rest_stays(void **state)
{
	struct definition *d =
		with_definition(SAID "time: /at\ndelivery: /event\ncustomer: /who/id\nemails: /who/mails/*\nsamples:\n"
				     "  closed: {type: closed, id: 5}\n"
				     "  opened: {type: opened, id: 5, at: \"2020-01-01T00:00:00Z\", event: e1,"
				     " who: {id: \"7\", mails: [old@example.com, older@example.com]}}\n",
				NULL);

	(void)state;
	assert_body(d, "42", "9", "jo@example.com",
		    "{\"type\":\"opened\",\"id\":42,\"at\":\"2025-11-21T16:00:00Z\","
		    "\"event\":\"sample-opened-1763740800123\",\"who\":{\"id\":\"9\","
		    "\"mails\":[\"jo@example.com\",\"jo@example.com\"]}}");
	assert_body(d, "c-1", NULL, NULL,
		    "{\"type\":\"opened\",\"id\":\"c-1\",\"at\":\"2025-11-21T16:00:00Z\","
		    "\"event\":\"sample-opened-1763740800123\",\"who\":{\"id\":\"7\","
		    "\"mails\":[\"old@example.com\",\"older@example.com\"]}}");
	definition_free(d);
}

static void values_stand_in_headers_and_query_too(void **state)
{
	struct definition *d = with_definition(
		HEAD "opened: {header:X-Event: opened}\nclosed: {query:transition: closed}\nconversation: query:id\n"
		     "delivery: header:X-Delivery\ncustomer: header:X-Customer\nemails: query:mail\ntime: header:X-At\n"
		     "samples:\n"
		     "  opened:\n    headers: {X-Event: opened, X-Delivery: d1, X-Customer: 7, X-At: 1500000000}\n"
		     "    query: id=5&mail=old%40example.com&keep=1\n    body: {}\n"
		     "  closed: {query: \"transition=closed&id=5\", body: {}}\n",
		NULL);
	struct sample s = filled(d, TRANSITION_OPENED, "c 1", "9", "jo@example.com");
	struct parse_result r = read_back(d, &s, 0);

	(void)state;
	assert_string_equal(s.query, "id=c%201&mail=jo%40example.com&keep=1");
	assert_int_equal(s.headers.n, 4);
	assert_string_equal(pairs_get(&s.headers, "X-Delivery"), "sample-opened-1763740800123");
	assert_string_equal(r.signal.conversation, "c 1");
	assert_string_equal(r.signal.customer, "9");
	assert_string_equal(r.signal.addresses.items[0].email, "jo@example.com");
	assert_int_equal(r.signal.time_ms, NOW - 123);
	parse_result_done(&r);
	sample_done(&s);
	definition_free(d);
}

static void a_form_stays_a_form(void **state)
{
	struct definition *d = with_definition(
		SAID "body: form\nemails: /contact[email]\ntime: /at\nsamples:\n"
		     "  opened: type=opened&id=5&contact%5Bemail%5D=old%40example.com&at=2020-01-01+00%3A00%3A00\n"
		     "  closed: {type: closed, id: 5}\n",
		NULL);
	struct sample s = filled(d, TRANSITION_OPENED, "a&b", NULL, "jo+x@example.com");
	struct parse_result r = read_back(d, &s, 0);

	(void)state;
	assert_true(strncmp(s.body, "type=opened&", 12) == 0);
	assert_string_equal(r.signal.conversation, "a&b");
	assert_string_equal(r.signal.addresses.items[0].email, "jo+x@example.com");
	assert_int_equal(r.signal.time_ms, NOW - 123);
	parse_result_done(&r);
	sample_done(&s);
	definition_free(d);
}

/* Of a list, the reference that counts in this sample. */
static void the_alternative_that_is_there_is_filled(void **state)
{
	struct definition *d = with_definition(
		HEAD
		"opened: {/type: opened}\nclosed: {/type: closed}\nconversation: [/ticket/id, \"{/account}-{/id}\"]\n"
		"emails: [/ticket/mail, /mail]\ntime: [/ticket/at, /at]\nsamples:\n"
		"  opened: {type: opened, account: 3, id: 5, mail: old@example.com, at: 1500000000}\n"
		"  closed: {type: closed, ticket: {id: 5, mail: old@example.com, at: 1500000000}}\n",
		NULL);
	struct sample s = filled(d, TRANSITION_CLOSED, "9", NULL, "jo@example.com");

	(void)state;
	assert_body(d, "9", NULL, "jo@example.com",
		    "{\"type\":\"opened\",\"account\":3,\"id\":9,\"mail\":\"jo@example.com\",\"at\":1763740800}");
	assert_string_equal(
		s.body, "{\"type\":\"closed\",\"ticket\":{\"id\":9,\"mail\":\"jo@example.com\",\"at\":1763740800}}");
	sample_done(&s);
	definition_free(d);
}

static void every_item_of_a_batch_is_filled(void **state)
{
	struct definition *d = with_definition(
		HEAD "each: /items\nopened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n"
		     "delivery: /event\ntime: root:/at\nsamples:\n"
		     "  opened: {at: 1500000000000, items: [{type: opened, id: 5, event: 7}, {type: opened, id: 6, "
		     "event: 8}]}\n"
		     "  closed: {at: 1500000000000, items: [{type: closed, id: 5, event: 7}]}\n",
		NULL);
	struct sample s = filled(d, TRANSITION_OPENED, "9", NULL, NULL);
	struct parse_result first = read_back(d, &s, 0);
	struct parse_result second = read_back(d, &s, 1);

	(void)state;
	assert_string_equal(first.signal.conversation, "9");
	assert_string_equal(second.signal.conversation, "9");
	assert_int_equal(first.signal.time_ms, NOW);
	assert_true(first.has_delivery && second.has_delivery);
	assert_memory_not_equal(first.delivery, second.delivery, sizeof(first.delivery));
	parse_result_done(&first);
	parse_result_done(&second);
	sample_done(&s);
	definition_free(d);
}

/* Where the body is the delivery, a sample sent twice must be two deliveries. */
static void a_body_that_is_the_delivery_gets_a_mark_of_its_own(void **state)
{
	struct definition *d = with_definition(SAID "delivery: [{when: {/type: opened}, use: body}]\nsamples:\n"
						    "  opened: {type: opened, id: 5}\n"
						    "  closed: {type: closed, id: 5}\n",
					       NULL);
	struct sample closed = filled(d, TRANSITION_CLOSED, "7", NULL, NULL);

	(void)state;
	assert_body(d, "7", NULL, NULL,
		    "{\"type\":\"opened\",\"id\":7,\"deskbridge_sample\":\"sample-opened-1763740800123\"}");
	assert_string_equal(closed.body, "{\"type\":\"closed\",\"id\":7}");
	sample_done(&closed);
	definition_free(d);
}

/* A delivery made of parts with other meanings: the time makes it new. */
static void a_fresh_delivery_changes_nothing_else(void **state)
{
	static const struct {
		const char *delivery, *body;
	} cases[] = {
		{"\"{/id}-{/type}-{/at}\"", "{\"type\":\"opened\",\"id\":5,\"at\":1763740800,\"n\":1}"},
		{"\"{/n}-{/at}\"", "{\"type\":\"opened\",\"id\":5,\"at\":1763740800,\"n\":1763740800123100}"},
		{"/n", "{\"type\":\"opened\",\"id\":5,\"at\":1763740800,\"n\":1763740800123100}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt(SAID "time: /at\ndelivery: %s\nsamples:\n"
					  "  opened: {type: opened, id: 5, at: 1500000000, n: 1}\n"
					  "  closed: {type: closed, id: 5}\n",
				     cases[i].delivery);
		struct definition *d = with_definition(yaml, NULL);

		assert_body(d, NULL, NULL, NULL, cases[i].body);
		definition_free(d);
	}
}

static void a_state_desks_opening_and_closing_are_of_now(void **state)
{
	struct definition *d = with_definition(
		HEAD
		"reports: state\nopened: {/state: open}\nclosed: {/state: closed}\nconversation: /id\ntime: /updated\n"
		"created: /created\nclosed_at: /closed\nsamples:\n"
		"  opened: {state: open, id: 5, created: \"2020-01-01T00:00:00Z\", updated: 1500000000000, closed: ~}\n"
		"  closed: {state: closed, id: 5, created: \"2020-01-01T00:00:00Z\", updated: 1500000000000,"
		" closed: \"2020-01-02 00:00:00.5 +0100\"}\n",
		NULL);
	struct sample opened = filled(d, TRANSITION_OPENED, NULL, NULL, NULL);
	struct sample closed = filled(d, TRANSITION_CLOSED, NULL, NULL, NULL);

	(void)state;
	assert_string_equal(opened.body, "{\"state\":\"open\",\"id\":5,\"created\":\"2025-11-21T16:00:00Z\","
					 "\"updated\":1763740800123,\"closed\":null}");
	assert_string_equal(closed.body, "{\"state\":\"closed\",\"id\":5,\"created\":\"2020-01-01T00:00:00Z\","
					 "\"updated\":1763740800123,\"closed\":\"2025-11-21 17:00:00.123 +0100\"}");
	sample_done(&opened);
	sample_done(&closed);
	definition_free(d);
}

/* The time of signing in the body is now, too, or the proof would be stale. */
static void the_bodys_own_timestamp_is_fresh(void **state)
{
	struct definition *d = with_definition(
		"label: D\nauthenticate: {method: hmac, header: X-S, timestamp: /sent, signed: "
		"\"{timestamp}.{body}\"}\n"
		"each: /items\nopened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\nsamples:\n"
		"  opened: {sent: 1500000000, items: [{type: opened, id: 5}]}\n"
		"  closed: {sent: 1500000000, items: [{type: closed, id: 5}]}\n",
		NULL);

	(void)state;
	assert_body(d, NULL, NULL, NULL, "{\"sent\":1763740800,\"items\":[{\"type\":\"opened\",\"id\":5}]}");
	definition_free(d);
}

static void an_address_at_a_urls_end_stays_there(void **state)
{
	struct definition *d = with_definition(
		SAID
		"emails: /links/customer\nsamples:\n  closed: {type: closed, id: 5}\n"
		"  opened: {type: opened, id: 5, links: {customer: \"https://x.example/customers/old@example.com\"}}\n",
		NULL);

	(void)state;
	assert_body(d, NULL, NULL, "jo@example.com",
		    "{\"type\":\"opened\",\"id\":5,\"links\":{\"customer\":"
		    "\"https://x.example/customers/jo@example.com\"}}");
	assert_body(d, NULL, NULL, "a/b%c@example.com",
		    "{\"type\":\"opened\",\"id\":5,\"links\":{\"customer\":"
		    "\"https://x.example/customers/a%2Fb%25c@example.com\"}}");
	definition_free(d);
	d = with_definition(SAID
			    "emails: /customer\nsamples:\n  closed: {type: closed, id: 5}\n  opened: {type: opened, "
			    "id: 5, customer: \"HTTPS://x.example/customers/old@example.com?back=/a/b\"}\n",
			    NULL);
	assert_body(d, NULL, NULL, "jo@example.com",
		    "{\"type\":\"opened\",\"id\":5,\"customer\":"
		    "\"HTTPS://x.example/customers/jo@example.com?back=/a/b\"}");
	definition_free(d);
}

static void without_a_sample_there_is_nothing_to_fill(void **state)
{
	struct definition *d = with_definition(SAID, NULL);
	const struct sample_values values = {.now_ms = NOW};
	struct sample s;

	(void)state;
	assert_int_equal(definition_sample_fill(d, TRANSITION_OPENED, &values, &s), -ENOENT);
	assert_int_equal(definition_sample_fill(d, TRANSITION_EXPIRED, &values, &s), -ENOENT);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_take_their_places_and_the_rest_stays),
		cmocka_unit_test(values_stand_in_headers_and_query_too),
		cmocka_unit_test(a_form_stays_a_form),
		cmocka_unit_test(the_alternative_that_is_there_is_filled),
		cmocka_unit_test(every_item_of_a_batch_is_filled),
		cmocka_unit_test(a_body_that_is_the_delivery_gets_a_mark_of_its_own),
		cmocka_unit_test(a_fresh_delivery_changes_nothing_else),
		cmocka_unit_test(a_state_desks_opening_and_closing_are_of_now),
		cmocka_unit_test(the_bodys_own_timestamp_is_fresh),
		cmocka_unit_test(an_address_at_a_urls_end_stays_there),
		cmocka_unit_test(without_a_sample_there_is_nothing_to_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A definition's own samples: as tests of the definition, and as what `deskbridge sample` fills in.
 */
#include <config.h>

#include "with_definition.h"

#include <errno.h>

#include "base/clock.h"
#include "helpdesk/batch.h"
#include "helpdesk/signal.h"

#define NOW INT64_C(1763740800123) /* 2025-11-21T16:00:00.123Z */

#define HEAD "label: Desk\nauthenticate: {method: basic}\n"
#define SAID HEAD "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n"
#define BOTH "samples: {opened: {type: opened, id: 1}, closed: {type: closed, id: 1}}\n"

/* Compiles, with or without a definition laid over a preset. */
static void compile(const char *yaml, bool overlaid, struct problems *p)
{
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	const struct definition_binding binding = {.overlaid = overlaid};

	*p = (struct problems){0};
	definition_free(definition_compile(n, &binding, p));
}

/* ---- as tests ---------------------------------------------------------------------------------------------------- */

static void a_definition_may_do_without_samples(void **state)
{
	struct problems p;

	(void)state;
	compile(SAID "time: /nowhere\n", false, &p);
	assert_int_equal(p.n, 0);
	problems_done(&p);
}

static void a_sample_that_says_something_else_is_an_error(void **state)
{
	static const struct {
		const char *samples, *says;
	} cases[] = {
		{"{opened: {type: closed, id: 1}, closed: {type: closed, id: 1}}",
		 "should read as opened, but reads as closed"},
		{"{opened: {type: opened, id: 1}, closed: {type: shut, id: 1}}",
		 "should read as closed, but no matcher holds (closed: /type: there is \"shut\")"},
		{"{opened: {type: opened, id: 1}, closed: {id: 1}}", "(closed: /type: there is nothing)"},
		{"{opened: {type: opened}, closed: {type: closed, id: 1}}", "no conversation: nothing at /id"},
		{"{opened: {type: opened, id: 1}}", "no sample reads as closed"},
		{"{closed: {type: closed, id: 1}}", "no sample reads as opened"},
		{"{opened: {type: opened, id: 1}, closed: {type: closed, id: 1}, also: [{says: ping, body: {a: b}}]}",
		 "should read as ping, but no matcher holds (ping: the definition has no such matcher)"},
		{"{opened: {type: opened, id: 1}, also: [{says: ignored, body: {type: closed, id: 1}}]}",
		 "should read as ignored, but reads as closed"},
		{"{opened: {type: opened, id: 1}, also: [{says: closed, body: {type: opened, id: 1}}]}",
		 "should read as closed, but reads as opened"},
		{"{opened: {type: opened, id: 1}, also: [{says: identified, body: {type: opened, id: 1}}]}",
		 "should read as identified, but reads as opened"},
		{"{opened: {type: opened, id: 1, says: opened}}", "`says` belongs to those below `also`"},
		{"{also: {says: opened}}", "expected a list"},
		{"{also: [x]}", "expected {says: …, body: …"},
		{"{also: [{says: opened}]}", "expected {says: …, body: …"},
		{"{also: [{says: opend, body: {a: b}}]}", "did you mean \"opened\"?"},
		{"{also: [{says: ping, body: {a: b}, header: {X: y}}]}", "did you mean \"headers\"?"},
		{"{expired: {type: x}}", "expected one of opened, reopened, closed, also"},
		{"[]", "mapping from transitions"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(SAID "samples: %s\n", cases[i].samples);
		struct problems p;

		compile(yaml, false, &p);
		assert_problem(&p, cases[i].says);
	}
}

static void a_sample_below_also_reaches_its_transition(void **state)
{
	struct definition *d = with_definition(
		SAID
		"reopened: {/type: reopened}\nping: {/type: ping}\nidentified: {/type: known}\n"
		"samples:\n  opened: {type: opened, id: 1}\n  closed: {type: closed, id: 1}\n  also:\n"
		"    - {says: reopened, body: {type: reopened, id: 1}}\n    - {says: ping, body: {type: ping}}\n"
		"    - {says: identified, body: {type: known, id: 1}}\n    - {says: ignored, body: {type: note}}\n",
		NULL);

	(void)state;
	assert_null(definition_sample(d, TRANSITION_REOPENED));
	definition_free(d);
}

/* Its "is open" after a closing is what such a desk has to say of a reopening. */
static void a_state_desks_reopening_may_read_as_opened(void **state)
{
#define STATES                                                                     \
	HEAD "opened: {/type: open}\nclosed: {/type: closed}\nconversation: /id\n" \
	     "samples: {opened: {type: open, id: 1}, reopened: {type: open, id: 1}, closed: {type: closed, id: 1}}\n"
	struct problems p;

	(void)state;
	compile(STATES "reports: state\n", false, &p);
	assert_no_problem(&p);
	compile(STATES, false, &p);
	assert_problem(&p, "should read as reopened, but reads as opened");
	compile(STATES "reports: state\nreopened: {/id: 9}\n", false, &p);
	assert_problem(&p, "no sample reads as reopened");
}

static void every_reference_must_find_something_somewhere(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"time: /at", "\"/at\" finds nothing in any sample (opened, closed)"},
		{"delivery: \"{/id}-{/event_id}\"", "\"/event_id\" finds nothing"},
		{"customer: header:X-Customer", "\"header:X-Customer\" finds nothing"},
		{"emails: [/mail, query:mail]", "\"query:mail\" finds nothing"},
		{"created: /created\nclosed_at: /empty", "\"/empty\" finds nothing"},
		{"closed_at: [/null, /id]", "\"/null\" finds nothing"},
		{"ping: {/hook: ping}", "\"/hook\" finds nothing"},
		{"ping: [{/hok: {exists: true, not: x}}]", "\"/hok\" finds nothing"},
		{"identified: {/id: 9, /known: {matches: x}}", "\"/known\" finds nothing"},
		{"attributes: {Team: /team}", "\"/team\" finds nothing"},
		{"attributes: {Team: [/id, \"{/team}\"]}", "\"/team\" finds nothing"},
		{"attributes: {Team: {/team: {A: b}}}", "\"/team\" finds nothing"},
		{"attributes: {Tags: /tags/*}", "\"/tags/*\" finds nothing"},
		{"conversation_url: \"https://x.example/{/ur}\"", "\"/ur\" finds nothing"},
		{"lookup: [{url: \"https://x.example/{/who}\", authenticate: basic, emails: /e}]",
		 "\"/who\" finds nothing"},
		{"lookup: [{url: \"https://x.example/{/id}\", authenticate: basic, emails: /e, headers: {X: "
		 "\"{/org}\"}}]",
		 "\"/org\" finds nothing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt(
			SAID
			"%s\nsamples:\n  opened: {type: opened, id: 1, mail: j@example.com, empty: \"\", \"null\": ~,"
			" tags: [], created: 5}\n  closed: {type: closed, id: 1}\n",
			cases[i].yaml);
		struct problems p;

		compile(yaml, false, &p);
		assert_problem(&p, cases[i].says);
		compile(yaml, true, &p);
		assert_true(problems_say(&p, true, cases[i].says));
		assert_no_problem(&p);
	}
}

static void what_may_be_absent_need_not_be_found(void **state)
{
	struct definition *d = with_definition(
		HEAD
		"opened: [{/type: opened, /deleted: {exists: false}}, {query:transition: opened}]\n"
		"closed: {/type: closed, /spam: {not: [\"true\", \"1\"]}, query:transition: {exists: false, not: x}}\n"
		"conversation: /id\ntime: [/at, /updated]\nparameters: {region: [us, eu]}\n"
		"attributes: {Region: \"{region}\", Team: \"{team}\"}\n"
		"lookup:\n  - url: \"{base_url}/{region}/{/id}\"\n    authenticate: basic\n    take: {team: /name}\n"
		"samples:\n  opened: {type: opened, id: 1, at: 1500000000}\n"
		"  closed: {type: closed, id: 1, updated: 1500000000}\n"
		"  also: [{says: opened, query: transition=opened, body: {id: 1, at: 1500000000}}]\n",
		"https://x.example");

	(void)state;
	definition_free(d);
}

/* The place is that of the reference, not of its key's value or of the samples. */
static void a_complaint_stands_where_the_reference_is_written(void **state)
{
	static const struct {
		const char *line;
		unsigned column;
	} cases[] = {
		{"time: /at", 7},
		{"customer: [/id, /at]", 17},
		{"identified: {/id: 7, /at: x}", 22},
		{"attributes: {Team: {/at: {A: b}}}", 21},
		{"conversation_url: \"https://x.example/{/at}\"", 19},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(SAID "%s\n" BOTH, cases[i].line);
		struct problems p;

		compile(yaml, false, &p);
		assert_int_equal(p.errors, 1);
		assert_int_equal(p.items[0].line, 6);
		assert_int_equal(p.items[0].column, cases[i].column);
		assert_string_equal(p.items[0].file, "test.yaml");
		problems_done(&p);
	}
}

static void the_nearest_member_is_named(void **state)
{
	struct problems p;

	(void)state;
	compile(SAID "customer: /ticket/requester/idd\nsamples:\n  opened: {type: opened, id: 1, ticket: {requester: "
		     "{id: 4}}}\n"
		     "  closed: {type: closed, id: 1}\n",
		false, &p);
	assert_problem(&p, "is \"id\" meant, instead of \"idd\"?");
}

static void over_a_preset_complaints_are_warnings(void **state)
{
	struct problems p;

	(void)state;
	compile(SAID "time: /at\nsamples: {opened: {type: shut, id: 1}}\n", true, &p);
	assert_true(problems_say(&p, true, "should read as opened"));
	assert_true(problems_say(&p, true, "no sample reads as closed"));
	assert_true(problems_say(&p, true, "\"/at\" finds nothing"));
	assert_no_problem(&p);
	compile(SAID "samples: {opened: \"{\"}\n", true, &p);
	assert_problem(&p, "not JSON");
}

static void a_batch_is_read_item_by_item(void **state)
{
	static const struct {
		const char *samples, *says; /* NULL: good */
	} cases[] = {
		{"{opened: [{type: opened, id: 1}], closed: [{type: note}, {type: closed, id: 1}]}", NULL},
		{"{opened: [{type: opened, id: 1}], closed: [{type: note}, {type: note}]}", "none of its 2 items"},
		{"{opened: [{type: opened, id: 1}], closed: []}", "none of its 0 items"},
		{"{opened: [{type: opened, id: 1}], closed: [{type: closed, id: 1}, {type: opened, id: 1}]}",
		 "should read as closed, but reads as opened"},
		{"{opened: [{type: opened, id: 1}], closed: {type: closed}}", "not readable"},
		{"{opened: [{type: opened, id: 1}], closed: [{type: closed, id: 1}], also: [{says: ignored, body: "
		 "[]}]}",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(SAID "each: \"\"\nsamples: %s\n", cases[i].samples);
		struct problems p;

		compile(yaml, false, &p);
		if (cases[i].says)
			assert_problem(&p, cases[i].says);
		else
			assert_no_problem(&p);
	}
}

/* ---- as what is sent --------------------------------------------------------------------------------------------- */

static struct sample filled(const struct definition *d, enum transition t, const char *conversation,
			    const char *customer, const char *email)
{
	const struct sample_wish wish = {
		.conversation = conversation, .customer = customer, .email = email, .now_ms = NOW};
	struct sample s = {0};

	assert_int_equal(definition_sample_fill(d, t, &wish, &s), 0);
	return s;
}

/* Its item of that number, as the daemon would read it. */
static struct reading read_back(const struct definition *d, const struct sample *s, size_t item)
{
	struct batch *batch = NULL;
	struct webhook w = {.headers = s->headers, .query = s->query, .received_ms = NOW};
	struct reading r;

	assert_int_equal(batch_open(d, s->body, strlen(s->body), &batch, NULL), 0);
	assert_true(batch_items(batch) > item);
	w.body = batch_item(batch, item, &w.body_len);
	reading_make(d, &w, NULL, &r);
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
	struct reading r = read_back(d, &s, 0);

	(void)state;
	assert_string_equal(s.query, "id=c%201&mail=jo%40example.com&keep=1");
	assert_int_equal(s.headers.n, 4);
	assert_string_equal(pairs_get(&s.headers, "X-Delivery"), "sample-opened-1763740800123");
	assert_string_equal(r.signal.conversation, "c 1");
	assert_string_equal(r.signal.customer, "9");
	assert_string_equal(r.signal.addresses.items[0].email, "jo@example.com");
	assert_int_equal(r.signal.time_ms, NOW - 123);
	reading_done(&r);
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
	struct reading r = read_back(d, &s, 0);

	(void)state;
	assert_true(strncmp(s.body, "type=opened&", 12) == 0);
	assert_string_equal(r.signal.conversation, "a&b");
	assert_string_equal(r.signal.addresses.items[0].email, "jo+x@example.com");
	assert_int_equal(r.signal.time_ms, NOW - 123);
	reading_done(&r);
	sample_done(&s);
	definition_free(d);
}

/* Of a list, the place that counts in this sample. */
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
	struct reading first = read_back(d, &s, 0), second = read_back(d, &s, 1);

	(void)state;
	assert_string_equal(first.signal.conversation, "9");
	assert_string_equal(second.signal.conversation, "9");
	assert_int_equal(first.signal.time_ms, NOW);
	assert_true(first.has_delivery && second.has_delivery);
	assert_memory_not_equal(first.delivery, second.delivery, sizeof(first.delivery));
	reading_done(&first);
	reading_done(&second);
	sample_done(&s);
	definition_free(d);
}

/* A delivery that is put together of what says something else: the time makes it another one. */
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

/* What the body says of when it was signed is of now, too, or the proof would be stale. */
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
	definition_free(d);
}

static void without_a_sample_there_is_nothing_to_fill(void **state)
{
	struct definition *d = with_definition(SAID, NULL);
	const struct sample_wish wish = {.now_ms = NOW};
	struct sample s;

	(void)state;
	assert_int_equal(definition_sample_fill(d, TRANSITION_OPENED, &wish, &s), -ENOENT);
	assert_int_equal(definition_sample_fill(d, TRANSITION_EXPIRED, &wish, &s), -ENOENT);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest as_tests[] = {
		cmocka_unit_test(a_definition_may_do_without_samples),
		cmocka_unit_test(a_sample_that_says_something_else_is_an_error),
		cmocka_unit_test(a_sample_below_also_reaches_its_transition),
		cmocka_unit_test(a_state_desks_reopening_may_read_as_opened),
		cmocka_unit_test(every_reference_must_find_something_somewhere),
		cmocka_unit_test(what_may_be_absent_need_not_be_found),
		cmocka_unit_test(a_complaint_stands_where_the_reference_is_written),
		cmocka_unit_test(the_nearest_member_is_named),
		cmocka_unit_test(over_a_preset_complaints_are_warnings),
		cmocka_unit_test(a_batch_is_read_item_by_item),
	};
	const struct CMUnitTest as_sent[] = {
		cmocka_unit_test(values_take_their_places_and_the_rest_stays),
		cmocka_unit_test(values_stand_in_headers_and_query_too),
		cmocka_unit_test(a_form_stays_a_form),
		cmocka_unit_test(the_alternative_that_is_there_is_filled),
		cmocka_unit_test(every_item_of_a_batch_is_filled),
		cmocka_unit_test(a_fresh_delivery_changes_nothing_else),
		cmocka_unit_test(a_state_desks_opening_and_closing_are_of_now),
		cmocka_unit_test(the_bodys_own_timestamp_is_fresh),
		cmocka_unit_test(an_address_at_a_urls_end_stays_there),
		cmocka_unit_test(without_a_sample_there_is_nothing_to_fill),
	};

	return cmocka_run_group_tests(as_tests, NULL, NULL) + cmocka_run_group_tests(as_sent, NULL, NULL);
}

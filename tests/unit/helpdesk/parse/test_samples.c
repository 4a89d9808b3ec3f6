/* SPDX-License-Identifier: MIT */
/*
 * A definition's samples as its tests.
 */
#include <config.h>

#include "fixtures/definition.h"

#define HEAD "label: Desk\nauthenticate: {method: basic}\n"
#define SAID HEAD "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n"
#define BOTH "samples: {opened: {type: opened, id: 1}, closed: {type: closed, id: 1}}\n"

/* Compiles, with or without a definition over a preset. */
static void compile(const char *yaml, bool overlaid, struct problems *p)
{
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	const struct definition_binding binding = {.overlaid = overlaid};

	*p = (struct problems){0};
	definition_free(definition_read(n, &binding, p));
}

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

static void what_a_url_is_tried_with_opens_and_closes_nothing(void **state)
{
	static const char samples[] =
		"samples: {opened: {type: opened, id: 1, by: x}, closed: {type: closed, id: 1}}\n";
	static const struct {
		const char *when, *says; /* says: NULL: no error */
	} cases[] = {
		{"{/by: {exists: false}}", "holds for this sample, which says closed"},
		{"{/by: x}", "holds for this sample, which says opened"},
		{"{/id: {exists: false}}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(SAID "challenge: {when: %s}\n%s", cases[i].when, samples);
		struct problems p;

		compile(yaml, false, &p);
		if (cases[i].says) {
			assert_problem(&p, cases[i].says);
		} else {
			assert_int_equal(p.n, 0);
			problems_done(&p);
		}
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

/* After a closing, such a desk reports a reopening as "is open". */
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
		{"attributes: {Tags: {each: /tags, use: /name}}", "\"/tags/*/name\" finds nothing"},
		{"attributes: {Tags: {each: /tags, when: {/open: true}, use: /id}}", "\"/tags/*/open\" finds nothing"},
		{"attributes: {Tags: [/id, {each: /tags, use: \"{/id} {/name}\"}]}", "\"/tags/*/id\" finds nothing"},
		{"attributes: {Team: [{/team: {A: b}}, /id]}", "\"/team\" finds nothing"},
		{"attributes: {Team: [{/id: {A: b, \"*\": c}}, /team]}", "\"/team\" finds nothing"},
		{"conversation_url: \"https://x.example/{/ur}\"", "\"/ur\" finds nothing"},
		{"conversation_url: [\"{/id}\", \"https://x.example/{/ur}\"]", "\"/ur\" finds nothing"},
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
		{"conversation_url: [\"{/id}\", \"https://x.example/{/at}\"]", 29},
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

/* One cause, one error. */
static void what_follows_from_a_mistake_is_not_told_as_well(void **state)
{
	static const struct {
		const char *yaml;
		size_t errors;
		const char *says;
	} cases[] = {
		{HEAD "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /ids\n" BOTH, 1,
		 "is \"id\" meant, instead of \"ids\"?"},
		{SAID
		 "reopened: {/type: again}\n"
		 "samples: {opened: {type: open, id: 1}, closed: {type: closed, id: 1}, reopened: {type: again}}\n",
		 2, "no conversation: nothing at /id"},
		{SAID "time: /at\nemails: /mail\nsamples: {}\n", 2, "no sample reads as opened"},
		{SAID "time: /at\nsamples: {also: []}\n", 2, "no sample reads as closed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct problems p;

		compile(cases[i].yaml, false, &p);
		if (p.errors != cases[i].errors)
			problems_print(&p, stderr);
		assert_int_equal(p.errors, cases[i].errors);
		assert_problem(&p, cases[i].says);
	}
}

static void what_a_map_does_not_name_is_warned_of_once(void **state)
{
	static const struct {
		const char *map;
		size_t warnings;
		const char *says;
	} cases[] = {
		{"{/by: {ME: customer}}", 1,
		 "/by is \"you\", which the map of By does not name: it is left out; add it, or \"*\""},
		{"{/tags/*: {a: A}}", 2, "/tags/* is \"c\", which the map of By"},
		{"{/by: {me: customer, you: }}", 0, NULL},
		{"{/by: {me: customer, \"*\": }}", 0, NULL},
		{"{/by: {me: customer, \"*\": agent}}", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt(SAID "attributes: {By: %s}\nsamples:\n"
					  "  opened: {type: opened, id: 1, by: me, tags: [a, b, c, b]}\n"
					  "  closed: {type: closed, id: 1, by: you}\n"
					  "  also: [{says: closed, body: {type: closed, id: 1, by: You}},"
					  " {says: ignored, body: {by: they}}]\n",
				     cases[i].map);
		struct problems p;

		compile(yaml, false, &p);
		assert_int_equal(p.warnings, cases[i].warnings);
		assert_true(!cases[i].says || problems_say(&p, true, cases[i].says));
		assert_no_problem(&p);
	}
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
	/* But an unreadable webhook would be a dead letter each time. */
	compile(HEAD "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /conversaton\n"
		     "samples: {opened: {type: opened, id: 1}, closed: {type: closed, id: 1}}\n",
		true, &p);
	assert_true(problems_say(&p, true, "\"/conversaton\" finds nothing"));
	assert_int_equal(p.errors, 1);
	assert_problem(&p, "this sample is not readable: ");
	compile(SAID
		"time: /at\nsamples: {opened: {type: opened, id: 1, at: x}, closed: {type: closed, id: 1, at: 9}}\n",
		true, &p);
	assert_int_equal(p.errors, 2);
	assert_problem(&p, "this sample is not readable: ");
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

/* ---- shape_from -------------------------------------------------------------------------------------------------- */

static void note_sample(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	buf_addf(ctx, "%s/%s/%s; ", name, shows, sample_shape_text(shape));
}

static void each_sample_may_say_who_shows_its_shape(void **state)
{
	struct definition *d = with_definition(
		SAID
		"ping: {/type: ping}\nbody: [json, form]\nsamples:\n"
		"  opened: {shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1, \"by\": 2}'}\n"
		"  reopened: {type: opened, id: 1}\n"
		"  closed: {shape_from: vendor-code, query: a=b, headers: {X-Y: z}, body: {type: closed, id: 1}}\n"
		"  also:\n"
		"    - {says: ping, shape_from: third-party, body: type=ping}\n"
		"    - {says: ignored, shape_from: nobody, body: {type: note}}\n"
		"    - {says: closed, body: {type: closed, id: 1}}\n"
		"reports: state\n"
		"lookup:\n"
		"  - {url: 'https://a.example/{/by}', authenticate: bearer, emails: /e,"
		" sample: {shape_from: vendor-documents, body: '{\"e\": \"jo@example.com\"}'}}\n"
		"  - {url: 'https://b.example/{/by}', authenticate: bearer, take: {a: /e}}\n"
		"  - {url: 'https://c.example/{/by}', authenticate: bearer, take: {b: /e}, sample: '{\"e\": 1}'}\n",
		NULL);
	struct buf said;

	(void)state;
	buf_init(&said, 4096);
	definition_samples(d, note_sample, &said);
	assert_string_equal(said.data, "opened/opened/a capture; reopened/reopened/not said; "
				       "closed/closed/vendor's code; also[0]/ping/third party; also[1]/ignored/nobody; "
				       "also[2]/closed/not said; lookup[0]/https://a.example/{/by}/vendor's documents; "
				       "lookup[2]/https://c.example/{/by}/not said; ");
	assert_string_equal(definition_sample(d, TRANSITION_OPENED)->body,
			    "{\"type\": \"opened\", \"id\": 1, \"by\": 2}");
	assert_string_equal(definition_sample(d, TRANSITION_CLOSED)->query, "a=b");
	assert_string_equal(definition_about(d)->steps[0].sample, "{\"e\": \"jo@example.com\"}");
	buf_done(&said);
	definition_free(d);
}

/* Webhooks of mail and chat have such members: a body written as YAML without `shape_from` is still a body. */
static void a_body_that_looks_like_parts_stays_a_body(void **state)
{
	struct definition *d = with_definition(
		SAID "samples:\n  opened: {type: opened, id: 1, from: capture, body: hello, shape: round}\n"
		     "  closed: {type: closed, id: 1, body: hello, source: nobody}\n",
		NULL);
	CLEANUP(json_putp) struct json_object *body = NULL;

	(void)state;
	assert_int_equal(json_read(definition_sample(d, TRANSITION_OPENED)->body,
				   strlen(definition_sample(d, TRANSITION_OPENED)->body), &body, NULL),
			 0);
	assert_string_equal(json_member_str(body, "body"), "hello");
	assert_string_equal(json_member_str(body, "from"), "capture");
	definition_free(d);
}

static void a_wrong_word_for_a_shape_is_told_at_its_place(void **state)
{
#define WORDS "capture, vendor-code, vendor-documents, third-party or nobody"
	static const struct {
		const char *rest, *path, *says;
	} cases[] = {
		{"samples:\n  opened: {shape_from: captured, body: {type: opened, id: 1}}\n"
		 "  closed: {type: closed, id: 1}\n",
		 "samples.opened.shape_from", "expected the source of this shape: " WORDS ", not captured"},
		{"samples:\n  opened: {shape_from: [capture], body: {type: opened, id: 1}}\n"
		 "  closed: {type: closed, id: 1}\n",
		 "samples.opened.shape_from", WORDS ", not a list"},
		{"samples:\n  opened: {shape_from: , body: {type: opened, id: 1}}\n  closed: {type: closed, id: 1}\n",
		 "samples.opened.shape_from", WORDS ", not nothing"},
		{"samples:\n  opened: {shape_from: capture, type: opened}\n  closed: {type: closed, id: 1}\n",
		 "samples.opened", "expected `body`"},
		{"samples:\n  opened: {type: opened, id: 1}\n  closed: {type: closed, id: 1}\n"
		 "  also: [{says: ignored, shape_from: Nobody, body: {a: b}}]\n",
		 "samples.also[0].shape_from", WORDS ", not Nobody"},
		{"samples:\n  opened: {type: opened, id: 1}\n  closed: {type: closed, id: 1}\n"
		 "  also: [{says: ignored, shape-from: nobody, body: {a: b}}]\n",
		 "samples.also[0].shape-from", "did you mean \"shape_from\"?"},
		{BOTH "lookup: [{url: 'https://a.example/{/id}', authenticate: bearer, emails: /e,"
		      " sample: {shape_from: vendor, body: '{\"e\": \"jo@example.com\"}'}}]\n",
		 "lookup[0].sample.shape_from", WORDS ", not vendor"},
		{BOTH "lookup: [{url: 'https://a.example/{/id}', authenticate: bearer, emails: /e,"
		      " sample: {shape_from: nobody}}]\n",
		 "lookup[0].sample", "expected {shape_from: …, body: …}"},
		{BOTH "lookup: [{url: 'https://a.example/{/id}', authenticate: bearer, emails: /e,"
		      " sample: {shape_from: nobody, body: {e: jo@example.com}}}]\n",
		 "lookup[0].sample.body", "expected the text of an answer, in JSON"},
		{BOTH "lookup: [{url: 'https://a.example/{/id}', authenticate: bearer, emails: /e,"
		      " sample: {shape_from: nobody, text: x, body: '{\"e\": \"jo@example.com\"}'}}]\n",
		 "lookup[0].sample.text", "unknown key \"text\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(SAID "%s", cases[i].rest);
		struct problems p;

		compile(yaml, false, &p);
		assert_true(p.n > 0);
		if (strcmp(p.items[0].path, cases[i].path) != 0 || p.items[0].line == 0)
			fail_msg("%s: at %s:%u", cases[i].rest, p.items[0].path, p.items[0].line);
		assert_problem(&p, cases[i].says);
	}
#undef WORDS
}

/* A sample of the source over the preset's. `good`: the shape and the body of `opened` then. */
static void a_sample_laid_over_a_presets_vouches_for_itself(void **state)
{
	static const struct {
		const char *preset, *over, *shape, *body;
	} cases[] = {
		{"{shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1}'}",
		 "'{\"type\": \"opened\", \"id\": 2}'", "not said", "{\"type\": \"opened\", \"id\": 2}"},
		{"{shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1}'}", "{type: opened, id: 2}",
		 "not said", NULL},
		{"{shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1}'}",
		 "{query: a=b, body: {type: opened, id: 2}}", "not said", NULL},
		{"{shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1}'}",
		 "{shape_from: vendor-code, body: {type: opened, id: 2}}", "vendor's code", NULL},
		{"{shape_from: capture, headers: {X: y}, body: '{\"type\": \"opened\", \"id\": 1}'}",
		 "{body: {type: opened, id: 2}}", "not said", NULL},
		{"{shape_from: capture, headers: {X: y}, body: '{\"type\": \"opened\", \"id\": 1}'}",
		 "{headers: {X: z}}", "a capture", "{\"type\": \"opened\", \"id\": 1}"},
		{"{shape_from: capture, body: '{\"type\": \"opened\", \"id\": 1}'}", NULL, "a capture",
		 "{\"type\": \"opened\", \"id\": 1}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *preset_yaml =
			mem_fmt(SAID "samples: {opened: %s, closed: {type: closed, id: 1}}\n", cases[i].preset);
		CLEANUP(mem_freep)
		char *over_yaml = cases[i].over ? mem_fmt("label: Own\nsamples: {opened: %s}\n", cases[i].over)
						: mem_str("label: Own\n");
		CLEANUP(node_freep) struct node *preset = with_yaml(preset_yaml);
		CLEANUP(node_freep) struct node *over = with_yaml(over_yaml);
		const struct definition_binding binding = {.overlaid = true};
		struct problems p = {0};
		CLEANUP(node_freep) struct node *both = definition_overlay(preset, over, &p);
		struct definition *d = definition_read(both, &binding, &p);
		CLEANUP(mem_freep) char *first = mem_fmt("opened/opened/%s; ", cases[i].shape);
		struct buf said;

		assert_no_problem(&p);
		assert_non_null(d);
		buf_init(&said, 4096);
		definition_samples(d, note_sample, &said);
		if (!strstr(said.data, first))
			fail_msg("case %zu: %s", i, said.data);
		if (cases[i].body)
			assert_string_equal(definition_sample(d, TRANSITION_OPENED)->body, cases[i].body);
		else
			assert_non_null(strstr(definition_sample(d, TRANSITION_OPENED)->body, "2"));
		buf_done(&said);
		definition_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_may_do_without_samples),
		cmocka_unit_test(a_sample_that_says_something_else_is_an_error),
		cmocka_unit_test(what_a_url_is_tried_with_opens_and_closes_nothing),
		cmocka_unit_test(a_sample_below_also_reaches_its_transition),
		cmocka_unit_test(a_state_desks_reopening_may_read_as_opened),
		cmocka_unit_test(every_reference_must_find_something_somewhere),
		cmocka_unit_test(what_may_be_absent_need_not_be_found),
		cmocka_unit_test(a_complaint_stands_where_the_reference_is_written),
		cmocka_unit_test(the_nearest_member_is_named),
		cmocka_unit_test(what_follows_from_a_mistake_is_not_told_as_well),
		cmocka_unit_test(what_a_map_does_not_name_is_warned_of_once),
		cmocka_unit_test(over_a_preset_complaints_are_warnings),
		cmocka_unit_test(a_batch_is_read_item_by_item),
		cmocka_unit_test(each_sample_may_say_who_shows_its_shape),
		cmocka_unit_test(a_body_that_looks_like_parts_stays_a_body),
		cmocka_unit_test(a_wrong_word_for_a_shape_is_told_at_its_place),
		cmocka_unit_test(a_sample_laid_over_a_presets_vouches_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

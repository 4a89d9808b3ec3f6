/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/parse_result.h"

#include "helpdesk/expr/attributes.h"

static void the_shipped_gladly_reads(void **state)
{
	struct definition *d = with_gladly();

	(void)state;
	assert_string_equal(definition_about(d)->label, "Gladly");
	assert_string_equal(definition_about(d)->verified, "documentation");
	assert_string_equal(proof_about(definition_proof(d))->method, "basic");
	assert_string_equal(definition_about(d)->lookup_authenticate, "basic");
	assert_true(strncmp(definition_about(d)->documentation, "https://", 8) == 0);
	assert_non_null(strstr(definition_about(d)->setup, "API token"));
	assert_true(definition_about(d)->steps_n > 0);
	assert_true(definition_about(d)->needs_lookup);
	assert_false(definition_about(d)->reports_state);
	assert_int_equal(definition_about(d)->lookup_cache_ms, 600000);
	for (enum transition t = TRANSITION_OPENED; t <= TRANSITION_CLOSED; t++)
		assert_non_null(definition_sample(d, t));
	assert_null(definition_sample(d, TRANSITION_EXPIRED));
	assert_null(definition_sample(d, TRANSITION_NONE));
	definition_free(d);
}

static void the_least_definition_has_defaults(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION, NULL);

	(void)state;
	assert_string_equal(definition_about(d)->verified, "no");
	assert_null(definition_about(d)->documentation);
	assert_null(definition_about(d)->setup);
	assert_null(definition_about(d)->lookup_authenticate);
	assert_false(definition_about(d)->steps_n > 0);
	assert_false(definition_about(d)->needs_lookup);
	assert_null(definition_sample(d, TRANSITION_OPENED));
	definition_free(d);
}

/* Every mistake is an error with advice, at its line. Each text is appended to five lines. */
static void mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"opend: {/type: x}", "did you mean \"opened\"?"},
		{"frobnicate: 1", "expected one of label"},
		{"verified: maybe", "expected one of no, documentation, live"},
		{"reports: states", "did you mean \"state\"?"},
		{"documentation: [a]", "expected text"},
		{"setup: {a: b}", "expected text"},
		{"each: items", "a JSON Pointer to the list of items"},
		{"each: [/items]", "not a list"},
		{"each: ", "not nothing"},
		{"each: header:X", "a JSON Pointer to the list of items"},
		{"each: /a/*/b", "without *"},
		{"each: /a~2", "after ~"},
		{"body: xml", "expected one of json, form"},
		{"body: frm", "did you mean \"form\"?"},
		{"body: {a: b}", "expected one of json, form"},
		{"body: [json]", "the list of both"},
		{"body: [json, json]", "the list of both"},
		{"body: [form, xml]", "expected one of json, form"},
		{"challenge: X-Front-Challenge", "expected {header: NAME}"},
		{"challenge: {query: c}", "expected one of header, when"},
		{"challenge: {header: [a]}", "name of a header"},
		{"challenge: {when: {x: y}}", "no reference"},
		{"challenge: {header: \"a b\"}", "name of a header"},
		{"challenge: {header: authorization}", "carries the secret"},
		{"base_url: [a]", "expected text"},
		{"base_url: \"{/host}\"", "only parameters may stand in `base_url`"},
		{"base_url: \"{header:Host}\"", "only parameters may stand in `base_url`"},
		{"base_url: \"{base_url}/v2\"", "only parameters may stand in `base_url`"},
		{"base_url: \"https://{regon}.example\"", "called \"regon\""},
		{"base_url: example.com", "begins with https://"},
		{"base_url: \"https://a b.example\"", "without blanks"},
		{"unconfirmed: {a: b}", "expected a list of facts, each a text, not a mapping"},
		{"unconfirmed: ''", "expected a list of facts, each a text, not nothing"},
		{"unconfirmed: [a, [b]]", "expected a fact as text, not a list"},
		{"unconfirmed: [a, '']", "expected a fact as text, not nothing"},
		{"paste: [a]", "expected text"},
		{"paste: {opend: x}", "did you mean \"opened\"?"},
		{"paste: {opened: [x]}", "expected text"},
		{"reopened: x", "mapping from references"},
		{"ping: {type: PING}", "no reference"},
		{"time: timestamp", "no reference"},
		{"time: []", "list of 1 to 8"},
		{"time: [/a, /b, /c, /d, /e, /f, /g, /h, /i]", "list of 1 to 8"},
		{"time: [/a, b]", "no reference"},
		{"time: [/a, [/b]]", "not a list"},
		{"time: [/a, {use: /b}]", "expected {when: MATCHER, use: REFERENCE}"},
		{"time: [/a, {when: {/x: y}, use: [/b]}]", "expected {when: MATCHER, use: REFERENCE}"},
		{"time: [/a, {when: {/x: y}, uses: /b}]", "did you mean \"use\"?"},
		{"time: [/a, {when: {x: y}, use: /b}]", "no reference"},
		{"customer: {/a: b}", "expected a reference"},
		{"time: body", "no reference"},
		{"time: [/a, body]", "no reference"},
		{"delivery: bodies", "no reference"},
		{"delivery: \"{body}\"", "\"body\""},
		{"delivery: [{when: {body: x}, use: body}]", "no reference"},
		{"delivery: \"{/id\"", "without its \"}\""},
		{"delivery: \"{{x}}\"", "no reference in it"},
		{"emails: []", "list of 1 to 4"},
		{"emails: [/a, /b, /c, /d, /e]", "list of 1 to 4"},
		{"emails: {/a: b}", "expected a reference"},
		{"emails: [/a, b]", "no reference"},
		{"primary: /emails/*/primary", "beside `emails`"},
		{"attributes: [a]", "mapping from names"},
		{"attributes: {Team: team}", "write {/some/reference: {\"*\": team}}"},
		{"attributes: {Team: [/a, team]}", "no reference"},
		{"attributes: {Team: []}", "list of 1 to 8"},
		{"attributes: {Team: [/a, {/b: c}]}", "from values to texts"},
		{"attributes: {Team: [/a, {/b: c, /d: e}]}",
		 "expected {when: MATCHER, use: REFERENCE} or {each: POINTER"},
		{"attributes: {Team: [{/b: {c: d}}, {/b: {c: d}, /d: {c: d}}]}", "a mapping of several"},
		{"attributes: {Team: [{/b: {c: d}}, [/a]]}", "no list inside a list"},
		{"attributes: {Team: [{/b: {c: d}}, /b, /c, /d, /e, /f, /g, /h, /i]}", "list of 1 to 8"},
		{"attributes: {Team: {use: /a}}", "expected {when: MATCHER, use: REFERENCE} or {each: POINTER"},
		{"attributes: {Team: {each: /a}}", "expected {when: MATCHER, use: REFERENCE} or {each: POINTER"},
		{"attributes: {Team: {each: /a, use: [/b]}}",
		 "expected {when: MATCHER, use: REFERENCE} or {each: POINTER"},
		{"attributes: {Team: {each: /a, use: b}}", "no reference"},
		{"attributes: {Team: {each: [/a], use: /b}}", "a JSON Pointer to a list"},
		{"attributes: {Team: {each: a, use: /b}}", "a JSON Pointer to the list"},
		{"attributes: {Team: {each: /a/*, use: /b}}", "without *"},
		{"attributes: {Team: {each: /a, use: /b, wen: {/c: d}}}", "did you mean \"when\"?"},
		{"attributes: {Team: {each: /a, use: /b, when: {c: d}}}", "no reference"},
		{"attributes: {Team: {each: /a, use: \"{teem}\"}}", "called \"teem\""},
		{"time: {each: /a, use: /b}", "only `attributes` know it"},
		{"customer: [{each: /a, use: /b}]", "only `attributes` know it"},
		{"attributes: {Team: }", "not nothing"},
		{"attributes: {Team: {/a: x}}", "from values to texts"},
		{"attributes: {Team: {/a: {}}}", "from values to texts"},
		{"attributes: {Team: {/a: {X: {y: z}}}}", "expected text"},
		{"attributes: {Team: {/a: {X: y}, /b: {X: y}}}", "a mapping of several"},
		{"attributes: {$value: /a}", "begins with \"$\""},
		{"attributes: {event id: /a}", "choose another name"},
		{"attributes: {Team: \"{teem}\"}", "`take` is called \"teem\"; a pointer begins with \"/\""},
		{"conversation_url: \"{base_ur}/c/{/id}\"", "did you mean \"base_url\"?"},
		{"conversation_url: [\"{/id}\", \"{base_ur}/c/{/id}\"]", "did you mean \"base_url\"?"},
		{"conversation_url: []", "expected a list of 1 to 8 templates"},
		{"conversation_url: [a, b, c, d, e, f, g, h, i]", "expected a list of 1 to 8 templates"},
		{"conversation_url: [[a]]", "expected text, not a list"},
		{"parameters: [a]", "expected a mapping"},
		{"parameters: {region: {us: [a]}}", "expected text or a mapping"},
		{"parameters: {base_url: {us: x}}", "there already"},
		{"parameters: {region: {us: {region: x}}}", "there already"},
		{"parameters: {region: }", "no default"},
		{"samples: x", "mapping from transitions"},
		{"samples: {expired: {type: x}}", "expected one of opened, reopened, closed"},
		{"samples: {opened: }", "a webhook's body"},
		{"samples: {opened: \"{\"}", "not JSON"},
		{"samples: {opened: {type: closed, id: 1}}", "should read as opened, but reads as closed"},
		{"samples: {closed: {type: other, id: 1}}", "no matcher holds"},
		{"samples: {opened: {type: opened, id: 1}, closed: {type: closed}}", "no conversation: nothing at /id"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s\n", BARE_DEFINITION, cases[i].yaml);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		const struct definition_binding binding = {.base_url = "https://x.example"};
		struct problems p = {0};

		if (definition_read(n, &binding, &p))
			fail_msg("%s is taken", cases[i].yaml);
		assert_int_equal(p.items[0].line, 6);
		assert_string_equal(p.items[0].file, "test.yaml");
		assert_problem(&p, cases[i].says);
	}
}

static void mistakes_of_lookups_are_told(void **state)
{
	static const struct {
		const char *lookup, *says;
	} cases[] = {
		{"x", "list of 1 to 3 steps"},
		{"[]", "list of 1 to 3 steps"},
		{"[{}, {}, {}, {}]", "list of 1 to 3 steps"},
		{"[x]", "mapping with `url`"},
		{"[{authenticate: basic, emails: /e}]", "expected `url`"},
		{"[{url: \"{base_url}/x\", emails: /e}]", "expected `authenticate`"},
		{"[{url: \"/api\", authenticate: basic, emails: /e}]", "begins with {base_url}"},
		{"[{url: \"{base_url}/{nobody}\", authenticate: basic, emails: /e}]",
		 "no earlier step's `take` is called \"nobody\""},
		{"[{url: [], authenticate: basic, emails: /e}]", "a list of 1 to 4 URLs"},
		{"[{url: [a, b, c, d, e], authenticate: basic, emails: /e}]", "a list of 1 to 4 URLs"},
		{"[{url: [\"{base_url}\", \"/api\"], authenticate: basic, emails: /e}]", "begins with {base_url}"},
		{"[{url: [\"{base_url}\", [a]], authenticate: basic, emails: /e}]", "expected text, not a list"},
		{"[{url: {a: b}, authenticate: basic, emails: /e}]", "expected text, not a mapping"},
		{"[{url: \"{base_url}\", authenticate: basik, emails: /e}]", "did you mean \"basic\"?"},
		{"[{url: \"{base_url}\", authenticate: header, emails: /e}]", "header's name"},
		{"[{url: \"{base_url}\", authenticate: {method: header, name: \"a b\"}, emails: /e}]",
		 "name of a header"},
		{"[{url: \"{base_url}\", authenticate: {method: basic, name: X}, emails: /e}]", "only method header"},
		{"[{url: \"{base_url}\", authenticate: {method: basic, scheme: X}, emails: /e}]", "has no scheme"},
		{"[{url: \"{base_url}/our desk/{/id}\", authenticate: basic, emails: /e}]", "for a blank write %20"},
		{"[{url: \"{base_url}\", authenticate: basic}]", "learns nothing"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: e}]", "JSON Pointer into the answer"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e/*/a, primary: /p}]", "as many *"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, cache: 10}]", "a duration"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, optional: maybe}]", "true or false"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, moved: /new}]", "expected `customer`"},
		{"[{url: \"{base_url}\", authenticate: basic, take: {\"a b\": /e}}]", "letters, digits"},
		{"[{url: \"{base_url}\", authenticate: basic, take: [/e]}]", "names to JSON Pointers"},
		{"[{url: \"{base_url}\", authenticate: basic, take: {base_url: /e}}]", "there already"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, headers: {\"a b\": c}}]", "name of a header"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, headers: x}]", "at most 16 headers"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e, mowed: /x}]", "did you mean \"moved\"?"},
		{"[{url: \"{base_url}\", authenticate: basic, emails: /e},"
		 " {url: \"{base_url}\", authenticate: bearer, emails: /e}]",
		 "authenticate alike"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%slookup: %s\n", BARE_DEFINITION, cases[i].lookup);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};

		if (definition_read(n, NULL, &p))
			fail_msg("%s is taken", cases[i].lookup);
		assert_int_equal(p.items[0].line, 6);
		assert_problem(&p, cases[i].says);
	}
}

struct mistake {
	const char *yaml, *path;
	unsigned line, column;
};

/* Each makes one error of the definition, at that place. */
static void assert_told_at(const struct mistake *cases, size_t n, const char *says)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s\n", BARE_DEFINITION, cases[i].yaml);
		CLEANUP(node_freep) struct node *node = with_yaml(yaml);
		struct problems p = {0};

		assert_null(definition_read(node, NULL, &p));
		assert_int_equal(p.errors, 1);
		assert_string_equal(p.items[0].path, cases[i].path);
		assert_int_equal(p.items[0].line, cases[i].line);
		assert_int_equal(p.items[0].column, cases[i].column);
		assert_problem(&p, says);
	}
}

static void an_unknown_name_is_told_where_it_stands(void **state)
{
	static const struct mistake cases[] = {
		{"attributes: {Team: /id, Agent: \"{nobody}\"}", "attributes.Agent", 6, 32},
		{"attributes: {Agent: [/id, \"{/id} { nobody }\"]}", "attributes.Agent[1]", 6, 27},
		{"attributes: {Agent: {\"{nobody}\": {A: b}}}", "attributes.Agent.{nobody}", 6, 22},
		{"attributes: {Tags: {each: /t, use: \"{/a} {nobody}\"}}", "attributes.Tags.use", 6, 36},
		{"attributes: {By: [{/a: {A: b}}, {\"{nobody}\": {A: b}}]}", "attributes.By[1].{nobody}", 6, 34},
		{"conversation_url: \"https://x.example/{nobody}\"", "conversation_url", 6, 19},
		{"lookup: [{url: \"{base_url}/{nobody}\", authenticate: basic, emails: /e}]", "lookup[0].url", 6, 16},
		{"lookup: [{url: [\"{base_url}\", \"{base_url}/{nobody}\"], authenticate: basic, emails: /e}]",
		 "lookup[0].url[1]", 6, 31},
		{"lookup: [{url: \"{base_url}\", authenticate: basic, emails: /e, headers: {X: y, Z: \"{nobody}\"}}]",
		 "lookup[0].headers.Z", 6, 82},
		{"lookup: [{url: \"{base_url}\", authenticate: basic, emails: /e, when: {/a: b, nobody: x}}]",
		 "lookup[0].when.nobody", 6, 77},
	};

	(void)state;
	assert_told_at(cases, sizeof(cases) / sizeof(*cases), "`take` is called \"nobody\"");
}

static void a_mistake_in_an_element_is_told_where_it_stands(void **state)
{
	static const struct mistake cases[] = {
		{"attributes: {Tags: [/t, {each: /t, use: nobody}]}", "attributes.Tags[1].use", 6, 41},
		{"attributes: {Tags: {each: nobody, use: /a}}", "attributes.Tags.each", 6, 27},
		{"attributes: {Tags: {each: /t, when: {nobody: a}, use: /a}}", "attributes.Tags.when.nobody", 6, 46},
		{"attributes: {Tags: {each: /t, use: /a, wen: {/b: c}}}", "attributes.Tags.wen", 6, 40},
		{"time: [/t, {each: /t, use: /a}]", "time[1].each", 6, 19},
	};

	(void)state;
	assert_told_at(cases, sizeof(cases) / sizeof(*cases), "");
}

static void a_link_that_can_be_none_gets_a_warning(void **state)
{
	static const struct {
		const char *url;
		size_t warnings;
	} cases[] = {
		{"\"https://x.example/{/id}\"", 0},
		{"\"HTTPS://x.example/{/id}\"", 0},
		{"\"https://{/id}.example\"", 0},
		{"\"http{/id}\"", 0},
		{"\"{/url}\"", 0},
		{"\"{base_url}/{/id}\"", 0},
		{"\"x.example/{/id}\"", 1},
		{"\"/tickets/{/id}\"", 1},
		{"\"ftp://x.example\"", 1},
		{"[\"{/url}\", \"x{/id}\", \"ftp://x.example\"]", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%sverified: live\nconversation_url: %s\n", BARE_DEFINITION, cases[i].url);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};
		struct definition *d = definition_read(n, NULL, &p);

		assert_non_null(d);
		if (p.warnings != cases[i].warnings)
			fail_msg("%s: %zu warnings", cases[i].url, p.warnings);
		assert_int_equal(problems_say(&p, true, "expected a URL that begins with https://"), p.warnings > 0);
		problems_done(&p);
		definition_free(d);
	}
}

static void what_a_definition_needs_is_asked_for_all_at_once(void **state)
{
	CLEANUP(node_freep) struct node *n = with_yaml("verified: live\n");
	CLEANUP(node_freep) struct node *list = with_yaml("[a]");
	struct problems p = {0};

	(void)state;
	assert_null(definition_read(n, NULL, &p));
	assert_int_equal(p.errors, 5);
	assert_true(problems_say(&p, false, "`label`"));
	assert_true(problems_say(&p, false, "`authenticate`"));
	assert_true(problems_say(&p, false, "`opened`"));
	assert_true(problems_say(&p, false, "`closed`"));
	assert_problem(&p, "`conversation`");
	assert_null(definition_read(list, NULL, &p));
	assert_problem(&p, "a helpdesk's definition");
}

static void a_source_may_prove_otherwise(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml("label: D\nauthenticate: {method: header, name: X-A}\n"
				   "opened: {/t: o}\nclosed: {/t: c}\nconversation: /id\n");
	CLEANUP(node_freep)
	struct node *other = with_yaml("{method: bearer, secret: s}");
	CLEANUP(node_freep)
	struct node *name = with_yaml("{name: X-B, secret: s}");
	CLEANUP(node_freep) struct node *plain = with_yaml("{secret: s}");
	struct definition_binding binding = {0};
	struct problems p = {0};
	struct definition *d;

	(void)state;
	binding.authenticate = other;
	d = definition_read(n, &binding, &p);
	assert_string_equal(proof_about(definition_proof(d))->method, "bearer");
	definition_free(d);
	binding.authenticate = name;
	d = definition_read(n, &binding, &p);
	assert_string_equal(proof_about(definition_proof(d))->secret_header, "X-B");
	definition_free(d);
	binding.authenticate = plain;
	d = definition_read(n, &binding, &p);
	assert_string_equal(proof_about(definition_proof(d))->secret_header, "X-A");
	definition_free(d);
	assert_no_problem(&p);
}

static void a_definition_holds_no_secret(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml("label: D\nauthenticate: {method: basic, user: u, password: p}\n"
				   "opened: {/t: o}\nclosed: {/t: c}\nconversation: /id\n");
	struct problems p = {0};

	(void)state;
	assert_null(definition_read(n, NULL, &p));
	assert_problem(&p, "holds no secret");
}

/* Returns conversation_url with that `with`. */
static void assert_chosen(const char *parameters, const char *with, const char *url)
{
	CLEANUP(mem_freep)
	char *yaml =
		mem_fmt("%sparameters: %s\nconversation_url: \"{app}/{region}/{/id}\"\n", BARE_DEFINITION, parameters);
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	CLEANUP(node_freep) struct node *choice = with ? with_yaml(with) : NULL;
	const struct definition_binding binding = {.with = choice};
	struct webhook w = {.body = (char[]){"{\"type\": \"opened\", \"id\": 7}"}, .body_len = 27, .received_ms = 1};
	struct problems p = {0};
	struct definition *d = definition_read(n, &binding, &p);
	struct parse_result r;

	assert_no_problem(&p);
	with_parse_result(d, &w, NULL, &r);
	assert_string_equal(r.signal.conversation_url, url);
	parse_result_done(&r);
	definition_free(d);
}

static void parameters_are_chosen_with_with(void **state)
{
	static const char regions[] = "{region: {us: {app: https://us.example}, eu: {app: https://eu.example}}}";

	(void)state;
	assert_chosen(regions, NULL, "https://us.example/us/7");
	assert_chosen(regions, "{region: eu}", "https://eu.example/eu/7");
	assert_chosen("{app: https://a.example, region: [x, y]}", NULL, "https://a.example/x/7");
	assert_chosen("{app: https://a.example, region: [x, y]}", "{app: https://b.example, region: y}",
		      "https://b.example/y/7");
	assert_chosen("{app: {a: https://a.example, b: https://b.example}, region: x}", "{app: b}",
		      "https://b.example/x/7");
}

static void wrong_choices_are_told(void **state)
{
	static const struct {
		const char *with, *says;
	} cases[] = {
		{"{region: mars}", "unknown region \"mars\"; expected one of us, eu"},
		{"{region: ue}", "did you mean \"us\"?"},
		{"{region: [us]}", "unknown region \"a list\""},
		{"{planet: earth}", "no parameter \"planet\""},
		{"[region]", "mapping from parameters"},
		{"{account: {a: b}}", "expected text"},
	};
	CLEANUP(node_freep)
	struct node *n = with_yaml(BARE_DEFINITION "parameters: {region: {us: a, eu: b}, account: x}\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *with = with_yaml(cases[i].with);
		const struct definition_binding binding = {.with = with};
		struct problems p = {0};

		assert_null(definition_read(n, &binding, &p));
		assert_problem(&p, cases[i].says);
	}
}

/* After a wrong choice the names still exist: the definition's lines have no error. */
static void a_wrong_choice_is_the_only_error(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml(BARE_DEFINITION
				   "parameters: {region: {us: {app: a}, eu: {app: b}}, names: [\"off\", \"on\"]}\n"
				   "conversation_url: \"https://{app}.example/{region}/{names}\"\n");
	CLEANUP(node_freep) struct node *with = with_yaml("{region: mars, names: maybe}");
	const struct definition_binding binding = {.with = with};
	struct problems p = {0};

	(void)state;
	assert_null(definition_read(n, &binding, &p));
	assert_int_equal(p.errors, 2);
	assert_true(problems_say(&p, false, "unknown region \"mars\""));
	assert_problem(&p, "unknown names \"maybe\"; expected one of off, on");
}

static void only_headers_that_are_read_are_kept(void **state)
{
	struct definition *d = with_definition("label: D\nauthenticate: {method: header, name: X-Secret}\n"
					       "opened: {header:X-Event: created}\nclosed: {header:X-Event: closed}\n"
					       "conversation: /id\ndelivery: header:X-Delivery\n"
					       "attributes: {Channel: \"{header:X-Channel}\"}\n",
					       NULL);

	(void)state;
	assert_true(definition_stores_header(d, "x-event"));
	assert_true(definition_stores_header(d, "X-Delivery"));
	assert_true(definition_stores_header(d, "X-Channel"));
	assert_false(definition_stores_header(d, "X-Secret"));
	assert_false(definition_stores_header(d, "Content-Type"));
	definition_free(d);
}

static void the_secrets_header_cannot_be_read(void **state)
{
	CLEANUP(node_freep) struct node *n = with_yaml(BARE_DEFINITION "attributes: {Key: header:authorization}\n");
	struct problems p = {0};

	(void)state;
	assert_null(definition_read(n, NULL, &p));
	assert_problem(&p, "carries the secret");
}

static void the_shortest_cache_of_the_steps_counts(void **state)
{
	static const struct {
		const char *first, *second;
		int64_t ms;
	} cases[] = {
		{"", "", 600000},
		{", cache: 1h", "", 3600000},
		{", cache: 1h", ", cache: 2m", 120000},
		{", cache: 0s", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml =
			mem_fmt("%slookup:\n- {url: \"{base_url}/{/c}\", authenticate: bearer, take: {b: /b}%s}\n"
				"- {url: \"{base_url}/{b}\", authenticate: bearer, emails: /e, optional: true%s}\n",
				BARE_DEFINITION, cases[i].first, cases[i].second);
		struct definition *d = with_definition(yaml, "https://x.example");

		assert_int_equal(definition_about(d)->lookup_cache_ms, cases[i].ms);
		assert_true(definition_about(d)->needs_lookup);
		definition_free(d);
	}
}

static void a_wholly_optional_lookup_is_not_needed(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "lookup: [{url: \"{base_url}/{/c}\", authenticate: {method: header,"
						" name: X-Api-Key, scheme: Token}, emails: /e, optional: true}]\n",
				NULL);

	(void)state;
	assert_true(definition_about(d)->steps_n > 0);
	assert_false(definition_about(d)->needs_lookup);
	assert_string_equal(definition_about(d)->lookup_authenticate, "header");
	definition_free(d);
}

static void properties_that_events_have_by_themselves_are_no_attributes(void **state)
{
	(void)state;
	for (size_t i = 0; attributes_own[i]; i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%sattributes: {%s: /x}\n", BARE_DEFINITION, attributes_own[i]);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};

		text_lower(n->items[n->n - 1]->items[0]->key);
		assert_null(definition_read(n, NULL, &p));
		assert_problem(&p, "every event has by itself");
	}
}

/* ---- base_url ---------------------------------------------------------------------------------------------------- */

#define WITH_BASE_URL                                                                                        \
	BARE_DEFINITION "parameters: {region: {us: {host: us.desk.example}, eu: {host: eu.desk.example}}}\n" \
			"base_url: \"https://{host}/\"\nconversation_url: \"{base_url}/c/{/id}\"\n"          \
			"lookup: [{url: \"{base_url}/{/who}\", authenticate: basic, emails: /e}]\n"

static void the_sources_base_url_wins_over_the_definitions(void **state)
{
	static const struct {
		const char *base_url, *with, *url;
	} cases[] = {
		{NULL, NULL, "https://us.desk.example/c/7"},
		{NULL, "{region: eu}", "https://eu.desk.example/c/7"},
		{"https://own.example//", "{region: eu}", "https://own.example/c/7"},
	};
	CLEANUP(node_freep) struct node *n = with_yaml(WITH_BASE_URL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *with = cases[i].with ? with_yaml(cases[i].with) : NULL;
		const struct definition_binding binding = {.base_url = cases[i].base_url, .with = with};
		struct webhook w = {
			.body = (char[]){"{\"type\": \"opened\", \"id\": 7}"}, .body_len = 27, .received_ms = 1};
		struct problems p = {0};
		struct definition *d = definition_read(n, &binding, &p);
		struct parse_result r;

		assert_no_problem(&p);
		assert_false(definition_asks_base_url(d, true));
		assert_string_equal(definition_about(d)->base_url,
				    cases[i].with ? "https://eu.desk.example" : "https://us.desk.example");
		with_parse_result(d, &w, NULL, &r);
		assert_string_equal(r.signal.conversation_url, cases[i].url);
		parse_result_done(&r);
		definition_free(d);
	}
}

static void looking_at_a_definition_shows_its_own_base_url(void **state)
{
	CLEANUP(node_freep) struct node *n = with_yaml(WITH_BASE_URL);
	CLEANUP(node_freep)
	struct node *open = with_yaml(BARE_DEFINITION "parameters: {subdomain: }\n"
						      "base_url: https://{subdomain}.desk.example\n");
	struct problems p = {0};
	struct definition *d = definition_read(n, NULL, &p);

	(void)state;
	assert_no_problem(&p);
	assert_string_equal(definition_about(d)->base_url, "https://us.desk.example");
	definition_free(d);
	d = definition_read(open, NULL, &p);
	assert_no_problem(&p);
	assert_null(definition_about(d)->base_url); /* only a source sets the parameter */
	definition_free(d);
}

static void without_a_base_url_the_source_must_say(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION "lookup: [{url: \"{base_url}/{/who}\", authenticate: basic, emails: /e}]\n",
		"https://x.example");

	(void)state;
	assert_true(definition_asks_base_url(d, true));
	assert_null(definition_about(d)->base_url);
	definition_free(d);
}

static void a_base_url_that_is_none_is_told(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml(BARE_DEFINITION "parameters: {host: }\nbase_url: \"{host}\"\n");
	CLEANUP(node_freep)
	struct node *name =
		with_yaml(BARE_DEFINITION "parameters: {host: }\nbase_url: \"https://{host}.desk.example\"\n");
	CLEANUP(node_freep) struct node *bare = with_yaml("{host: desk.example}");
	CLEANUP(node_freep) struct node *good = with_yaml("{host: \"https://desk.example\"}");
	struct definition_binding binding = {.with = bare};
	struct problems p = {0};
	struct definition *d;

	(void)state;
	assert_null(definition_read(n, &binding, &p));
	assert_problem(&p, "begins with https://, without blanks, not \"desk.example\"");
	binding.with = good;
	d = definition_read(n, &binding, &p);
	assert_no_problem(&p);
	assert_string_equal(definition_about(d)->base_url, "https://desk.example");
	definition_free(d);
	binding.with = good; /* a URL, where a name is expected */
	assert_null(definition_read(name, &binding, &p));
	assert_problem(&p, "without blanks, not \"https://https://desk.example.desk.example\"");
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void what_an_operator_pastes_may_differ_by_transition(void **state)
{
	struct definition *one = with_definition(BARE_DEFINITION "paste: '{\"id\": \"{{ticket.id}}\"}'\n", NULL);
	struct definition *each = with_definition(BARE_DEFINITION "paste: {opened: a, closed: b}\n", NULL);

	(void)state;
	for (enum transition t = TRANSITION_OPENED; t <= TRANSITION_CLOSED; t++)
		assert_string_equal(definition_about(one)->paste[t], "{\"id\": \"{{ticket.id}}\"}");
	assert_null(definition_about(one)->paste[TRANSITION_NONE]);
	assert_string_equal(definition_about(each)->paste[TRANSITION_OPENED], "a");
	assert_null(definition_about(each)->paste[TRANSITION_REOPENED]);
	assert_string_equal(definition_about(each)->paste[TRANSITION_CLOSED], "b");
	definition_free(one);
	definition_free(each);
}

/* A list, or a text, whose sentences are separated by line ends. */
static void facts_that_nobody_confirms_are_counted(void **state)
{
	static const struct {
		const char *yaml, *facts; /* joined by | */
	} cases[] = {
		{"", ""},
		{"unconfirmed: []\n", ""},
		{"unconfirmed: [The field x., The field y]\n", "The field x.|The field y"},
		{"unconfirmed:\n  - One sentence. Another\n    one.\n  - |\n    A block.\n    Of two\tlines.\n",
		 "One sentence. Another one.|A block. Of two lines."},
		{"unconfirmed: |\n  The field x.\n", "The field x."},
		{"unconfirmed: The field x\n", "The field x"},
		{"unconfirmed: |\n  The field x\n   that is  far.\n  The field y. And z!\n  Really?\n  Not sure\n\n  "
		 "Later\n",
		 "The field x that is far.|The field y. And z!|Really?|Not sure|Later"},
		{"unconfirmed: |\n\n  .\n\n\n", "."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt(BARE_DEFINITION "%s", cases[i].yaml);
		struct definition *d = with_definition(yaml, NULL);
		struct buf said;

		buf_init(&said, 4096);
		for (size_t k = 0; k < definition_about(d)->unconfirmed.n; k++)
			buf_addf(&said, "%s%s", k > 0 ? "|" : "", definition_about(d)->unconfirmed.items[k]);
		assert_string_equal(said.data, cases[i].facts);
		buf_done(&said);
		definition_free(d);
	}
}

static void a_challenge_names_a_header(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "challenge: {header: X-Desk-Challenge}\n", NULL);
	struct definition *none = with_definition(BARE_DEFINITION, NULL);

	(void)state;
	assert_string_equal(definition_about(d)->challenge, "X-Desk-Challenge");
	assert_false(definition_stores_header(d, "X-Desk-Challenge"));
	assert_null(definition_about(none)->challenge);
	assert_int_equal(definition_body(none), BODY_JSON);
	definition_free(d);
	definition_free(none);
}

static void a_form_has_no_items(void **state)
{
	CLEANUP(node_freep) struct node *n = with_yaml(BARE_DEFINITION "body: form\neach: /items\n");
	struct problems p = {0};

	(void)state;
	assert_null(definition_read(n, NULL, &p));
	assert_problem(&p, "`each` needs `body: json`");
}

static void items_need_deliveries_of_their_own(void **state)
{
	static const struct {
		const char *delivery;
		bool good;
	} cases[] = {
		{"root:/id", false},
		{"header:X-Delivery", false},
		{"[root:/id, \"{query:d}\"]", false},
		{"/id", true},
		{"\"{root:/id}-{/id}\"", true},
		{"body", true},
		{"[root:/id, body]", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("%seach: /items\ndelivery: %s\n", BARE_DEFINITION, cases[i].delivery);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};
		struct definition *d = definition_read(n, NULL, &p);

		if (cases[i].good)
			assert_no_problem(&p);
		else
			assert_problem(&p, "the same for every item");
		assert_int_equal(d != NULL, cases[i].good);
		definition_free(d);
	}
}

static void the_steps_can_be_looked_at(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION
		"parameters: {names: [\"off\", \"on\"]}\n"
		"lookup:\n- {url: \"{base_url}/{header:X-Who}\", authenticate: basic, emails: [/a, /b/*]}\n"
		"- {url: \"{base_url}/t\", authenticate: basic, take: {team: /t}, optional: true,"
		" when: {names: \"on\", header:X-Team: {exists: true}}}\n",
		"https://x.example");

	(void)state;
	assert_int_equal(definition_about(d)->steps_n, 2);
	assert_string_equal(template_text(definition_about(d)->steps[0].urls[0]), "{base_url}/{header:X-Who}");
	assert_int_equal(definition_about(d)->steps[0].emails.n, 2);
	assert_true(definition_about(d)->steps[1].optional);
	assert_true(definition_stores_header(d, "X-Who"));
	assert_true(definition_stores_header(d, "X-Team"));
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_gladly_reads),
		cmocka_unit_test(the_least_definition_has_defaults),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(mistakes_of_lookups_are_told),
		cmocka_unit_test(an_unknown_name_is_told_where_it_stands),
		cmocka_unit_test(a_mistake_in_an_element_is_told_where_it_stands),
		cmocka_unit_test(a_link_that_can_be_none_gets_a_warning),
		cmocka_unit_test(what_a_definition_needs_is_asked_for_all_at_once),
		cmocka_unit_test(a_source_may_prove_otherwise),
		cmocka_unit_test(a_definition_holds_no_secret),
		cmocka_unit_test(parameters_are_chosen_with_with),
		cmocka_unit_test(wrong_choices_are_told),
		cmocka_unit_test(a_wrong_choice_is_the_only_error),
		cmocka_unit_test(only_headers_that_are_read_are_kept),
		cmocka_unit_test(the_secrets_header_cannot_be_read),
		cmocka_unit_test(the_shortest_cache_of_the_steps_counts),
		cmocka_unit_test(a_wholly_optional_lookup_is_not_needed),
		cmocka_unit_test(properties_that_events_have_by_themselves_are_no_attributes),
		cmocka_unit_test(the_sources_base_url_wins_over_the_definitions),
		cmocka_unit_test(looking_at_a_definition_shows_its_own_base_url),
		cmocka_unit_test(without_a_base_url_the_source_must_say),
		cmocka_unit_test(a_base_url_that_is_none_is_told),
		cmocka_unit_test(what_an_operator_pastes_may_differ_by_transition),
		cmocka_unit_test(facts_that_nobody_confirms_are_counted),
		cmocka_unit_test(a_challenge_names_a_header),
		cmocka_unit_test(a_form_has_no_items),
		cmocka_unit_test(items_need_deliveries_of_their_own),
		cmocka_unit_test(the_steps_can_be_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

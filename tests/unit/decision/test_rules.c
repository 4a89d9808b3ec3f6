/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>

#include "fixtures/yaml.h"

#include "base/clock.h"
#include "decision/rules.h"

static struct rules *compiled_both(const char *list, const char *shared)
{
	CLEANUP(node_freep) struct node *n = list ? with_yaml(list) : NULL;
	CLEANUP(node_freep) struct node *s = shared ? with_yaml(shared) : NULL;
	const struct node *own = list ? node_get(n, "rules") : NULL;
	const struct node *of_all = shared ? node_get(s, "rules") : NULL;
	struct problems p = {0};
	struct rules *r = rules_compile(own, of_all, &p);

	assert_no_problem(&p);
	assert_non_null(r);
	return r;
}

static struct rules *compiled(const char *list)
{
	return compiled_both(list, NULL);
}

/* Runs the rules on a transition with these properties. The caller frees the drafts. */
static struct drafts run(const struct rules *r, enum transition t, const char *properties, bool must_send)
{
	struct json_object *o = with_json(properties);
	struct pairs headers = {0};
	struct rules_input v = {.transition = t, .label = "Gladly", .must_send = must_send};
	CLEANUP(properties_done) struct properties p;
	struct drafts drafts;

	pairs_add(&headers, "X-Shop", "north");
	properties_init(&p);
	properties_set_members(&p, o);
	v.context.properties = &p;
	v.context.headers = &headers;
	rules_run(r, &v, &drafts, NULL);
	json_object_put(o);
	pairs_done(&headers);
	return drafts;
}

/* Returns the metrics as "a|b", then "!reason" after a drop, "?" after a failure. */
static void assert_sends_as(const struct rules *r, enum transition t, const char *properties, bool must_send,
			    const char *expected)
{
	struct drafts d = run(r, t, properties, must_send);
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < d.n; i++)
		buf_addf(&b, "%s%s", i > 0 ? "|" : "", d.items[i].metric);
	if (d.dropped)
		buf_addf(&b, "!%s", d.drop_reason);
	if (d.failed.code != 0)
		buf_adds(&b, "?");
	assert_string_equal(b.data, expected);
	buf_done(&b);
	drafts_done(&d);
}

static void assert_sends(const struct rules *r, enum transition t, const char *properties, const char *expected)
{
	assert_sends_as(r, t, properties, false, expected);
}

static void the_shipped_rules_name_the_three_metrics(void **state)
{
	struct rules *none = compiled(NULL);
	struct rules *def = compiled("rules: [default]");
	struct rules *both = compiled_both("rules: [default]", "rules: [default]");
	const struct rules *all[] = {none, def, both};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_sends(all[i], TRANSITION_OPENED, "{}", "started conversation in Gladly");
		assert_sends(all[i], TRANSITION_REOPENED, "{}", "reopened conversation in Gladly");
		assert_sends(all[i], TRANSITION_CLOSED, "{}", "closed conversation in Gladly");
		assert_sends(all[i], TRANSITION_EXPIRED, "{}", "closed conversation in Gladly");
		assert_sends(all[i], TRANSITION_NONE, "{}", "");
		assert_sends_as(all[i], TRANSITION_NONE, "{}", true, "");
	}
	rules_free(none);
	rules_free(def);
	rules_free(both);
}

static void every_matching_rule_acts_in_order(void **state)
{
	struct rules *r =
		compiled("rules:\n"
			 "- {on: closed, when: {Tags: {contains: refund}}, send: \"closed refund in {label}\"}\n"
			 "- default\n"
			 "- {on: [closed, expired], send: after}\n"
			 "- {send: always}\n");

	(void)state;
	assert_sends(r, TRANSITION_OPENED, "{}", "started conversation in Gladly|always");
	assert_sends(r, TRANSITION_CLOSED, "{}", "closed conversation in Gladly|after|always");
	assert_sends(r, TRANSITION_CLOSED, "{\"Tags\": [\"vip\", \"Refund\"]}",
		     "closed refund in Gladly|closed conversation in Gladly|after|always");
	assert_sends(r, TRANSITION_EXPIRED, "{\"Tags\": [\"refund\"]}", "closed conversation in Gladly|after|always");
	rules_free(r);
}

static void a_drop_ends_what_comes_after_it(void **state)
{
	struct rules *r = compiled(
		"rules:\n- {on: opened, send: first}\n- {when: {initiated by: AGENT}, drop: outbound}\n- default\n");

	(void)state;
	assert_sends(r, TRANSITION_OPENED, "{\"Initiated By\": \"agent\"}", "first!outbound");
	assert_sends(r, TRANSITION_REOPENED, "{\"Initiated By\": \"agent\"}", "!outbound");
	assert_sends(r, TRANSITION_CLOSED, "{\"Initiated By\": \"agent\"}", "!outbound");
	assert_sends(r, TRANSITION_REOPENED, "{\"Initiated By\": \"customer\"}", "reopened conversation in Gladly");
	assert_sends(r, TRANSITION_REOPENED, "{}", "reopened conversation in Gladly");
	rules_free(r);
}

static void who_waits_is_never_dropped(void **state)
{
	struct rules *r = compiled("rules:\n- {when: {Initiated By: agent}, drop: outbound}\n- default\n");
	struct rules *picky = compiled("rules:\n- {on: [opened, closed], when: {Team: a}, send: \"{label} a\"}\n");

	(void)state;
	assert_sends_as(r, TRANSITION_CLOSED, "{\"Initiated By\": \"agent\"}", true, "closed conversation in Gladly");
	assert_sends_as(r, TRANSITION_EXPIRED, "{\"Initiated By\": \"agent\"}", true, "closed conversation in Gladly");
	assert_sends_as(picky, TRANSITION_CLOSED, "{\"Team\": \"a\"}", true, "Gladly a");
	assert_sends_as(picky, TRANSITION_CLOSED, "{\"Team\": \"b\"}", true, "closed conversation in Gladly");
	assert_sends_as(picky, TRANSITION_EXPIRED, "{}", true, "closed conversation in Gladly");
	assert_sends_as(picky, TRANSITION_CLOSED, "{\"Team\": \"b\"}", false, "");
	rules_free(r);
	rules_free(picky);
}

static void a_sources_default_is_the_shared_list(void **state)
{
	struct rules *r =
		compiled_both("rules: [{on: opened, send: own}, default]", "rules: [{send: shared}, default]");
	struct rules *without = compiled_both(NULL, "rules: [{send: shared}]");
	struct rules *apart = compiled_both("rules: [{send: own}]", "rules: [{send: shared}]");

	(void)state;
	assert_sends(r, TRANSITION_OPENED, "{}", "own|shared|started conversation in Gladly");
	assert_sends(without, TRANSITION_OPENED, "{}", "shared");
	assert_sends(apart, TRANSITION_OPENED, "{}", "own");
	rules_free(r);
	rules_free(without);
	rules_free(apart);
}

static void assert_draft(const char *rule, const char *properties, const char *expected_properties,
			 const char *expected_profile)
{
	CLEANUP(mem_freep) char *yaml = mem_fmt("rules:\n- default\n- {on: closed, send: x, %s}\n", rule);
	struct rules *r = compiled(yaml);
	struct drafts d = run(r, TRANSITION_CLOSED, properties, false);
	CLEANUP(mem_freep) char *added = NULL;
	CLEANUP(mem_freep) char *profile = NULL;

	assert_int_equal(d.n, 2);
	added = json_text(d.items[1].properties);
	profile = json_text(d.items[1].profile);
	assert_string_equal(added, expected_properties);
	assert_string_equal(profile, expected_profile);
	assert_null(d.items[0].properties);
	drafts_done(&d);
	rules_free(r);
}

static void properties_and_profile_are_added(void **state)
{
	static const struct {
		const char *rule, *properties, *added, *profile;
	} cases[] = {
		{"properties: {A: text, B: 12, C: 1.5, D: true, E: \"12\", F: \"true\", G: -3}", "{}",
		 "{\"A\":\"text\",\"B\":12,\"C\":1.5,\"D\":true,\"E\":\"12\",\"F\":\"true\",\"G\":-3}", "null"},
		{"properties: {A: 19.90, B: 1e400, C: 123456789012345678901234567890, D: -0.0}", "{}",
		 "{\"A\":19.90,\"B\":\"1e400\",\"C\":\"123456789012345678901234567890\",\"D\":-0.0}", "null"},
		{"properties: {A: 007, B: 1_000, C: 1e3, D: 0x1f, E: .5}", "{}",
		 "{\"A\":\"007\",\"B\":\"1_000\",\"C\":\"1e3\",\"D\":\"0x1f\",\"E\":\".5\"}", "null"},
		{"properties: {Reason: \"{reason}\"}", "{\"Reason\": \"expired\"}", "{\"Reason\":\"expired\"}", "null"},
		{"properties: {Reason: \"{reason}\"}", "{}", "null", "null"},
		{"properties: {Desk: \"{label} {transition}\"}", "{}", "{\"Desk\":\"Gladly closed\"}", "null"},
		{"properties: {Shop: \"{header:X-Shop}\"}", "{}", "{\"Shop\":\"north\"}", "null"},
		{"properties: {L: [a, \"{agent}\", 3]}", "{\"Agent\": \"Kim\"}", "{\"L\":[\"a\",\"Kim\",\"3\"]}",
		 "null"},
		{"properties: {L: [a, \"{agent}\", a, b]}", "{\"Agent\": \"b\"}", "{\"L\":[\"a\",\"b\"]}", "null"},
		{"properties: {L: [\"{agent}\"], M: []}", "{}", "null", "null"},
		{"profile: {Last Agent: \"{Agent}\", Seen: true}", "{\"Agent\": \"Kim\"}", "null",
		 "{\"Last Agent\":\"Kim\",\"Seen\":true}"},
		{"properties: {N: \"{Reopen Count}\"}", "{\"Reopen Count\": 2}", "{\"N\":\"2\"}", "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_draft(cases[i].rule, cases[i].properties, cases[i].added, cases[i].profile);
}

static void value_and_late_are_the_drafts_own(void **state)
{
	static const struct {
		const char *rule, *properties;
		bool has_value;
		double value;
		int64_t late_ms;
	} cases[] = {
		{"value: 12.5", "{}", true, 12.5, -1},
		{"value: \"-3\"", "{}", true, -3, -1},
		{"value: \"{Amount}\"", "{\"Amount\": 99}", true, 99, -1},
		{"value: \"{Amount}\"", "{\"Amount\": \"19.90\"}", true, 19.9, -1},
		{"value: \"{Amount}\"", "{\"Amount\": \"free\"}", false, 0, -1},
		{"value: \"{Amount}\"", "{\"Amount\": \"1 2\"}", false, 0, -1},
		{"value: \"{Amount}\"", "{\"Amount\": \"NaN\"}", false, 0, -1},
		{"value: \"{Amount}\"", "{\"Amount\": \"1e999\"}", false, 0, -1},
		{"value: \"{Amount}\"", "{}", false, 0, -1},
		{"late: 15m", "{}", false, 0, 15 * CLOCK_MINUTE_MS},
		{"late: 0s", "{}", false, 0, 0},
		{"late: never", "{}", false, 0, CLOCK_NEVER_MS},
		{"when: {header:X-Shop: north}", "{}", false, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("rules:\n- default\n- {on: closed, send: x, %s}\n", cases[i].rule);
		struct rules *r = compiled(yaml);
		struct drafts d = run(r, TRANSITION_CLOSED, cases[i].properties, false);

		assert_int_equal(d.n, 2);
		assert_int_equal(d.items[0].late_ms, -1);
		if (d.items[1].has_value != cases[i].has_value)
			fail_msg("%s with %s", cases[i].rule, cases[i].properties);
		assert_true(!cases[i].has_value || d.items[1].value == cases[i].value);
		assert_int_equal(d.items[1].late_ms, cases[i].late_ms);
		assert_string_equal(d.items[0].rule, "shipped");
		assert_string_equal(d.items[1].rule, "rules[1]");
		drafts_done(&d);
		rules_free(r);
	}
}

/* Returns one draft as "properties profile value late": JSON, a number or -, and milliseconds. */
static void assert_merged(const char *list, const char *properties, const char *expected, const char *rules)
{
	struct rules *r = compiled(list);
	struct drafts d = run(r, TRANSITION_CLOSED, properties, false);
	CLEANUP(mem_freep) char *p = NULL;
	CLEANUP(mem_freep) char *f = NULL;
	CLEANUP(mem_freep) char *text = NULL;

	if (d.n != 1)
		fail_msg("%zu drafts of %s", d.n, list);
	p = d.items[0].properties ? json_text(d.items[0].properties) : mem_str("-");
	f = d.items[0].profile ? json_text(d.items[0].profile) : mem_str("-");
	text = d.items[0].has_value ? mem_fmt("%s %s %g %lld", p, f, d.items[0].value, (long long)d.items[0].late_ms)
				    : mem_fmt("%s %s - %lld", p, f, (long long)d.items[0].late_ms);
	assert_string_equal(text, expected);
	assert_string_equal(d.items[0].rule, rules);
	drafts_done(&d);
	rules_free(r);
}

static void rules_with_one_metric_make_one_event(void **state)
{
	(void)state;
	assert_merged("rules:\n- default\n- {on: closed, send: \"closed conversation in {label}\","
		      " properties: {Reason: solved}, profile: {Seen: true}, value: 3, late: 2h}\n",
		      "{}", "{\"Reason\":\"solved\"} {\"Seen\":true} 3 7200000", "shipped and rules[1]");
	/* Merged by key; the later value counts, a list as a whole. */
	assert_merged("rules:\n"
		      "- {on: closed, send: \"closed conversation in Gladly\", properties: {A: one, B: [x, y], C: 1},"
		      " profile: {P: first, Q: 1}, value: 1, late: 1h}\n"
		      "- default\n"
		      "- {send: \"closed conversation in {label}\", properties: {A: two, B: [z]}, profile: {P: last},"
		      " value: 2, late: never, on: [opened, closed]}\n",
		      "{}", "{\"A\":\"two\",\"B\":[\"z\"],\"C\":1} {\"P\":\"last\",\"Q\":1} 2 9223372036854775807",
		      "rules[0], shipped and rules[2]");
	/* A value that the later rule does not give, or cannot make, stays. */
	assert_merged("rules:\n"
		      "- {on: closed, send: x, properties: {A: one, T: two}, value: 1, late: 1h}\n"
		      "- {on: opened, send: x}\n"
		      "- {on: closed, when: {Team: a}, send: \"{Letter}\", properties: {T: \"{Nobody}\"},"
		      " value: \"{Amount}\"}\n",
		      "{\"Team\": \"a\", \"Letter\": \"x\", \"Amount\": \"free\"}",
		      "{\"A\":\"one\",\"T\":\"two\"} - 1 3600000", "rules[0] and rules[2]");
}

static void what_differs_in_one_letter_is_another_event(void **state)
{
	struct rules *r = compiled("rules:\n- default\n- {on: closed, send: \"Closed conversation in {label}\"}\n");

	(void)state;
	assert_sends(r, TRANSITION_CLOSED, "{}", "closed conversation in Gladly|Closed conversation in Gladly");
	rules_free(r);
}

/* A rule with 50 properties, from A<first> on. */
static void add_rule(struct buf *to, const char *send, unsigned first)
{
	buf_addf(to, "- {on: closed, send: \"%s\", properties: {", send);
	for (unsigned i = 0; i < 50; i++)
		buf_addf(to, "%sA%u: 1", i > 0 ? ", " : "", first + i);
	buf_adds(to, "}}\n");
}

static void what_rules_add_to_one_event_is_bounded(void **state)
{
	struct problems p = {0};
	struct buf yaml;
	struct rules *r;
	struct drafts d;

	(void)state;
	buf_init(&yaml, 65536);
	buf_adds(&yaml, "rules:\n- default\n");
	for (unsigned i = 0; i < 6; i++)
		add_rule(&yaml, i % 2 == 0 ? "{Letter}" : "x", i * 50);
	add_rule(&yaml, "y", 1000);
	/* Metrics that become the same only for a webhook: the excess is left out and reported then. */
	r = compiled(yaml.data);
	d = run(r, TRANSITION_CLOSED, "{\"Letter\": \"x\"}", false);
	assert_int_equal(d.n, 3);
	assert_int_equal(json_object_object_length(d.items[1].properties), RULES_ADDED_MAX);
	assert_non_null(strstr(d.failed.text, "rules[6]: "));
	assert_non_null(strstr(d.failed.text, "\"x\""));
	drafts_done(&d);
	rules_free(r);
	/* Metrics with the same text are checked when compiled. */
	buf_clear(&yaml);
	buf_adds(&yaml, "rules:\n- default\n");
	for (unsigned i = 0; i < 6; i++)
		add_rule(&yaml, "x", i * 50);
	{
		CLEANUP(node_freep) struct node *n = with_yaml(yaml.data);

		assert_null(rules_compile(node_get(n, "rules"), NULL, &p));
		assert_int_equal(p.errors, 1);
		assert_non_null(strstr(p.items[0].text, "280"));
	}
	problems_done(&p);
	buf_done(&yaml);
}

static void a_metric_that_cannot_be_named_fails_that_webhook(void **state)
{
	struct rules *r = compiled("rules:\n- {on: closed, send: \"closed {Team}\"}\n- default\n");
	CLEANUP(mem_freep) char *most = mem_new(129, 1);
	CLEANUP(mem_freep) char *fits = NULL;
	CLEANUP(mem_freep) char *long_team = NULL;
	struct drafts d = run(r, TRANSITION_CLOSED, "{}", false);

	(void)state;
	assert_int_not_equal(d.failed.code, 0);
	assert_non_null(strstr(d.failed.text, "closed {Team}"));
	assert_non_null(strstr(d.failed.text, "rules[0]"));
	drafts_done(&d);
	assert_sends_as(r, TRANSITION_CLOSED, "{}", true, "closed conversation in Gladly?");
	assert_sends(r, TRANSITION_CLOSED, "{\"Team\": \"a\"}", "closed a|closed conversation in Gladly");
	memset(most, 'x', 121); /* "closed " and 121 letters: one more than Klaviyo takes */
	long_team = mem_fmt("{\"Team\": \"%s\"}", most);
	assert_sends(r, TRANSITION_CLOSED, long_team, "closed conversation in Gladly?");
	most[118] = '\0';
	fits = mem_fmt("{\"Team\": \"\u00e4\u00e4%s\"}", most);
	d = run(r, TRANSITION_CLOSED, fits, false);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.failed.code, 0);
	drafts_done(&d);
	rules_free(r);

	r = compiled("rules:\n- {on: [opened, closed], send: \"{Team}\"}\n");
	assert_sends_as(r, TRANSITION_CLOSED, "{}", false, "?");
	assert_sends_as(r, TRANSITION_CLOSED, "{}", true, "closed conversation in Gladly?");
	rules_free(r);
}

static void mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *rule, *says;
	} cases[] = {
		{"- defualt", "expected `default` or a mapping"},
		{"- [a]", "expected `default` or a mapping"},
		{"- {sned: x}", "did you mean \"send\"?"},
		{"- {on: close, send: x}", "did you mean \"closed\"?"},
		{"- {on: [], send: x}", "empty list"},
		{"- {on: [closed, none], send: x}", "unknown transition \"none\""},
		{"- {on: {a: b}, send: x}", "unknown transition"},
		{"- {on: closed}", "expected `send` or `drop`"},
		{"- {on: closed, send: x, drop: y}", "either sends or drops"},
		{"- {on: opened, when: {A: b}, drop: y, late: 1m}", "belongs to a rule that sends"},
		{"- {drop: false}", "expected the reason"},
		{"- {drop: [x]}", "expected the reason"},
		{"- {send: \"\"}", "is empty"},
		{"- {send: [x]}", "expected text"},
		{"- {send: \"x {\"}", "without its"},
		{"- {send: x, when: y}", "mapping from references"},
		{"- {send: x, when: {Tags: {contain: y}}}", "did you mean \"contains\"?"},
		{"- {send: x, properties: [a]}", "mapping from names"},
		{"- {send: x, properties: {$value: 1}}", "begins with \"$\""},
		{"- {send: x, profile: {$email: a}}", "begins with \"$\""},
		{"- {send: x, properties: {A: {b: c}}}", "flat"},
		{"- {send: x, properties: {A: }}", "expected text, not nothing"},
		{"- {send: x, properties: {A: [[b]]}}", "expected text, not a list"},
		{"- {send: x, value: much}", "expected a number"},
		{"- {send: x, late: 15}", "duration"},
		{"- {send: x, late: soon}", "duration"},
		{"- default", "twice"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("rules:\n- default\n%s\n", cases[i].rule);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};

		if (rules_compile(node_get(n, "rules"), NULL, &p))
			fail_msg("%s is taken", cases[i].rule);
		assert_int_equal(p.items[0].line, 3);
		assert_non_null(strstr(p.items[0].path, "rules[1]"));
		assert_problem(&p, cases[i].says);
	}
}

static void a_metric_longer_than_klaviyo_takes_is_told_at_once(void **state)
{
	CLEANUP(mem_freep) char *name = mem_new(129, 1);
	CLEANUP(mem_freep) char *bad = NULL;
	CLEANUP(mem_freep) char *good = NULL;
	CLEANUP(node_freep) struct node *n = NULL;
	struct problems p = {0};

	(void)state;
	memset(name, 'x', 128);
	bad = mem_fmt("rules: [default, {send: %s}]", name);
	n = with_yaml(bad);
	assert_null(rules_compile(node_get(n, "rules"), NULL, &p));
	assert_problem(&p, "127 letters");
	name[127] = '\0';
	good = mem_fmt("rules: [default, {send: %s}]", name);
	rules_free(compiled(good));
}

static void opened_and_closed_must_reach_a_send(void **state)
{
	static const struct {
		const char *rules;
		const char *error; /* NULL: good */
	} cases[] = {
		{"[]", "opened conversation"},
		{"[{on: closed, send: x}]", "opened conversation"},
		{"[{on: opened, send: x}]", "closed conversation"},
		{"[{on: [opened, expired], send: x}]", "closed conversation"},
		{"[{drop: all}, default]", "opened conversation"},
		{"[{on: opened, drop: all}, default]", "opened conversation"},
		{"[{on: [opened, closed], when: {Team: a}, send: x}]", NULL},
		{"[{send: x}]", NULL},
		{"[default, {drop: all}]", NULL},
		{"[{when: {Team: a}, drop: all}, default]", NULL},
		{"[{on: closed, drop: unknown ones}, default]", NULL}, /* those with someone to reach still send */
		{"[{on: reopened, drop: quiet}, default]", NULL},
		{"default", "expected a list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("rules: %s\n", cases[i].rules);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};
		struct rules *r = rules_compile(node_get(n, "rules"), NULL, &p);

		if (!r != !!cases[i].error)
			fail_msg("%s", cases[i].rules);
		if (cases[i].error)
			assert_problem(&p, cases[i].error);
		problems_done(&p);
		rules_free(r);
	}
}

static void what_never_has_an_effect_gets_a_warning(void **state)
{
	static const struct {
		const char *rules;
		size_t warnings;
	} cases[] = {
		{"[default, {on: reopened, drop: quiet}, {on: reopened, send: x}]", 1},
		{"[default, {drop: rest}, {on: [opened, reopened], send: x}]", 1},
		{"[default, {drop: rest}, {send: x}]", 0}, /* closings with someone to reach get there */
		{"[default, {when: {Team: a}, drop: rest}, {on: opened, send: x}]", 0},
		{"[{on: [opened, closed], send: x}, {on: reopened, drop: q}, default]", 1},
		{"[default, {send: x, properties: {Conversation URL: \"https://x.example/{Team}\"}}]", 0},
		{"[default, {send: x, properties: {Conversation URL: \"{/url}\"}}]", 0},
		{"[default, {send: x, properties: {Conversation URL: \"x.example/{Team}\"}}]", 1},
		{"[default, {send: x, properties: {Conversation URL: 7}}]", 1},
		{"[default, {send: x, properties: {Another URL: \"x.example/{Team}\"}}]", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("rules: %s\n", cases[i].rules);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};
		struct rules *r = rules_compile(node_get(n, "rules"), NULL, &p);

		assert_non_null(r);
		if (p.warnings != cases[i].warnings)
			fail_msg("%s: %zu warnings", cases[i].rules, p.warnings);
		problems_done(&p);
		rules_free(r);
	}
}

/* As the definition's URL: values are encoded, a value that is no URL is left out, and explain gives the reason. */
static void a_link_of_a_rule_is_a_url_or_left_out(void **state)
{
	static const struct {
		const char *link, *becomes, *why;
	} cases[] = {
		{"https://x.example/{Team}", "https://x.example/a%20b%2F%22c%22", NULL},
		{"HTTPS://x.example/our desk", "https://x.example/our%20desk", NULL},
		{"{Conversation URL}?from=mail", "https://desk.example/7?from=mail", NULL},
		{"{/url}", "https://desk.example/a%20b", NULL},
		{"{Team}", NULL, "its Conversation URL is left out: {Team} gives no absolute http or https URL"},
		{"{/secret}", NULL,
		 "its Conversation URL is left out: {/secret} gives a URL with a user or a password in it"},
		{"https://{Agent}", NULL, "its Conversation URL is left out: nothing usable at Agent"},
	};
	struct json_object *o =
		with_json("{\"Team\": \"a b/\\\"c\\\"\", \"Conversation URL\": \"https://desk.example/7\"}");
	struct json_object *body =
		with_json("{\"url\": \"https://desk.example/a b\", \"secret\": \"https://jo:geheim@desk.example\"}");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt("rules: [{send: x, properties: {Conversation URL: \"%s\", Team: \"{Team}\"}}]\n",
				     cases[i].link);
		struct rules *r = compiled(yaml);
		struct rules_input v = {.transition = TRANSITION_OPENED, .label = "Gladly"};
		CLEANUP(properties_done) struct properties p;
		struct drafts d;
		struct buf b;

		buf_init(&b, 8192);
		properties_init(&p);
		properties_set_members(&p, o);
		v.context.properties = &p;
		v.context.item = v.context.root = body;
		rules_run(r, &v, &d, &b);
		assert_int_equal(d.n, 1);
		assert_true(text_is(json_member_str(d.items[0].properties, "Conversation URL"), cases[i].becomes));
		assert_string_equal(json_member_str(d.items[0].properties, "Team"), "a b/\"c\"");
		assert_int_equal(strstr(b.data, "left out") != NULL, cases[i].why != NULL);
		if (cases[i].why)
			assert_non_null(strstr(b.data, cases[i].why));
		assert_null(strstr(b.data, "geheim"));
		buf_done(&b);
		drafts_done(&d);
		rules_free(r);
	}
	json_object_put(o);
	json_object_put(body);
}

static void explaining_has_a_line_for_each_rule(void **state)
{
	struct rules *r =
		compiled("rules:\n"
			 "- {on: closed, when: {Tags: {contains: refund}}, send: \"closed refund in {label}\"}\n"
			 "- {when: {Initiated By: agent}, drop: outbound}\n"
			 "- {on: [closed, expired], send: \"closed {Team}\"}\n"
			 "- default\n");
	struct json_object *o = with_json("{\"Initiated By\": \"agent\"}");
	struct rules_input v = {.transition = TRANSITION_CLOSED, .label = "Gladly", .must_send = true};
	CLEANUP(properties_done) struct properties p;
	struct drafts d;
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	properties_init(&p);
	properties_set_members(&p, o);
	v.context.properties = &p;
	rules_run(r, &v, &d, &b);
	assert_string_equal(
		b.data,
		"rules[0] on closed when Tags contains refund: no, Tags: there is nothing\n"
		"rules[1] when Initiated By is agent: yes, but what has someone to reach is not dropped (outbound)\n"
		"rules[2] on closed, expired: yes, but rules[2]: the metric \"closed {Team}\" cannot be named: "
		"nothing usable at Team\n"
		"shipped on opened: no, this is closed\n"
		"shipped on reopened: no, this is closed\n"
		"shipped on closed, expired: yes, sends closed conversation in Gladly\n");
	drafts_done(&d);
	buf_clear(&b);
	v.transition = TRANSITION_OPENED;
	v.must_send = false;
	rules_run(r, &v, &d, &b);
	assert_non_null(strstr(b.data, "rules[1] when Initiated By is agent: yes, drops it (outbound)\n"));
	assert_null(strstr(b.data, "shipped"));
	drafts_done(&d);
	buf_done(&b);
	json_object_put(o);
	rules_free(r);
}

static void the_explanation_shows_the_merge(void **state)
{
	struct rules *r = compiled("rules:\n- default\n- {on: closed, send: \"closed conversation in {label}\"}\n");
	struct rules_input v = {.transition = TRANSITION_CLOSED, .label = "Gladly"};
	struct json_object *o = with_json("{}");
	CLEANUP(properties_done) struct properties p;
	struct drafts d;
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	properties_init(&p);
	properties_set_members(&p, o);
	v.context.properties = &p;
	rules_run(r, &v, &d, &b);
	assert_string_equal(b.data, "shipped on opened: no, this is closed\n"
				    "shipped on reopened: no, this is closed\n"
				    "shipped on closed, expired: yes, sends closed conversation in Gladly\n"
				    "rules[1] on closed: yes, adds to closed conversation in Gladly of shipped\n");
	drafts_done(&d);
	buf_done(&b);
	json_object_put(o);
	rules_free(r);
}

static void collect(void *ctx, const char *metric, enum transition t)
{
	buf_addf(ctx, "%s:%s\n", transition_name(t), metric);
}

static void every_metric_is_told_once_a_transition(void **state)
{
	struct rules *r = compiled("rules:\n- default\n- {on: closed, send: \"closed {Team} in {label}\"}\n"
				   "- {on: closed, when: {A: b}, send: \"closed conversation in {label}\"}\n");
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	rules_metrics(r, "Gladly", collect, &b);
	assert_string_equal(b.data, "opened:started conversation in Gladly\n"
				    "reopened:reopened conversation in Gladly\n"
				    "closed:closed conversation in Gladly\n"
				    "expired:closed conversation in Gladly\n"
				    "closed:closed {Team} in Gladly\n");
	buf_done(&b);
	rules_free(r);
}

static void collect_reference(void *ctx, const char *rule, const struct reference *reference)
{
	buf_addf(ctx, "%s %s\n", rule, reference_text(reference));
}

static void every_reference_is_told_with_its_rule(void **state)
{
	struct rules *r =
		compiled("rules:\n- default\n- {when: {header:X-A: 1}, send: \"{header:X-B}\", value: \"{header:X-C}\","
			 " properties: {P: \"{header:X-D}\"}, profile: {Q: [\"{header:X-E}\", \"{/f}\"]}}\n");
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	rules_references(r, collect_reference, &b);
	assert_string_equal(b.data, "shipped label\nshipped label\nshipped label\n"
				    "rules[1] header:X-A\nrules[1] header:X-B\nrules[1] header:X-D\n"
				    "rules[1] header:X-E\nrules[1] /f\nrules[1] header:X-C\n");
	buf_done(&b);
	rules_free(r);
}

static void a_label_that_makes_a_metric_too_long_is_told(void **state)
{
	struct rules *r = compiled(
		"rules:\n- default\n- {on: closed, send: \"{label} closed by {Agent} of a very long team\"}\n");
	char label[128];
	struct err e;

	(void)state;
	memset(label, 'x', sizeof(label));
	label[101] = '\0'; /* "reopened conversation in " has 25 letters, "started conversation in " 24 */
	assert_int_equal(rules_check_label(r, label, &e), 0);
	label[101] = 'x';
	label[103] = '\0';
	assert_int_equal(rules_check_label(r, label, &e), -EINVAL);
	assert_non_null(strstr(e.text, "longer than the 127 letters"));
	rules_free(r);
}

static void too_many_rules_are_told(void **state)
{
	CLEANUP(node_freep) struct node *n = NULL;
	struct problems p = {0};
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_adds(&b, "rules:\n- default\n");
	for (int i = 0; i < 250; i++)
		buf_adds(&b, "- {send: x}\n");
	n = with_yaml(b.data);
	assert_null(rules_compile(node_get(n, "rules"), NULL, &p));
	assert_problem(&p, "more than 200 rules");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_rules_name_the_three_metrics),
		cmocka_unit_test(every_matching_rule_acts_in_order),
		cmocka_unit_test(a_drop_ends_what_comes_after_it),
		cmocka_unit_test(who_waits_is_never_dropped),
		cmocka_unit_test(a_sources_default_is_the_shared_list),
		cmocka_unit_test(properties_and_profile_are_added),
		cmocka_unit_test(value_and_late_are_the_drafts_own),
		cmocka_unit_test(rules_with_one_metric_make_one_event),
		cmocka_unit_test(what_differs_in_one_letter_is_another_event),
		cmocka_unit_test(what_rules_add_to_one_event_is_bounded),
		cmocka_unit_test(the_explanation_shows_the_merge),
		cmocka_unit_test(a_metric_that_cannot_be_named_fails_that_webhook),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(a_metric_longer_than_klaviyo_takes_is_told_at_once),
		cmocka_unit_test(opened_and_closed_must_reach_a_send),
		cmocka_unit_test(what_never_has_an_effect_gets_a_warning),
		cmocka_unit_test(a_link_of_a_rule_is_a_url_or_left_out),
		cmocka_unit_test(explaining_has_a_line_for_each_rule),
		cmocka_unit_test(every_metric_is_told_once_a_transition),
		cmocka_unit_test(every_reference_is_told_with_its_rule),
		cmocka_unit_test(a_label_that_makes_a_metric_too_long_is_told),
		cmocka_unit_test(too_many_rules_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

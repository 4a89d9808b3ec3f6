/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"

#include "helpdesk/parse/parsed_webhook.h"

/* A preset. Its matchers are mappings, except `closed`. */
#define PRESET                                                                        \
	"label: Desk\n"                                                               \
	"authenticate: {method: hmac, header: X-Signature, algorithm: sha1}\n"        \
	"delivery: /event\n"                                                          \
	"ping: {/type: ping}\n"                                                       \
	"opened: {/type: [created, \"new\"], /status: {exists: true, not: solved}}\n" \
	"reopened: {/type: status, /before: solved, /status: {not: solved}}\n"        \
	"closed: [{/type: status, /status: solved}, {/type: deleted}]\n"              \
	"identified: {/type: merged}\n"                                               \
	"conversation: /id\n"                                                         \
	"time: /at\n"                                                                 \
	"emails: /people/*/email\n"                                                   \
	"primary: /people/*/main\n"                                                   \
	"attributes:\n"                                                               \
	"  Channel: {/channel: {web: chat, mail: email}}\n"                           \
	"  Agent: /agent\n"                                                           \
	"challenge: {when: {/type: trial, /secret: {exists: false}}}\n"               \
	"paste: {opened: a, closed: b}\n"

/* Merges `own` over the preset; the caller owns problems. */
static struct node *laid_over(const char *own, struct problems *problems)
{
	CLEANUP(node_freep) struct node *preset = with_yaml(PRESET);
	CLEANUP(node_freep) struct node *over = NULL;

	assert_int_equal(yaml_load("own.yaml", own, strlen(own), &over, problems), 0);
	return definition_overlay(preset, over, problems);
}

static void conditions_that_stay_are_told_at_the_key(void **state)
{
	static const struct {
		const char *own, *kept; /* NULL: no notice */
		unsigned line, column;
		const char *key;
	} cases[] = {
		{"label: Own\nopened: {/type: made}", "/status: {exists: true, not: solved}", 2, 1, "opened"},
		{"opened: {/channel: chat}", "/type: [created, \"new\"], /status: {exists: true, not: solved}", 1, 1,
		 "opened"},
		{"opened: {/type: made, /status: {not: done}}", "/status: {exists: true}", 1, 1, "opened"},
		{"reopened:\n  /before: closed", "/type: status, /status: {not: solved}", 1, 1, "reopened"},
		{"ping: {/kind: ping}", "/type: ping", 1, 1, "ping"},
		{"identified: {/kind: merged}", "/type: merged", 1, 1, "identified"},
		{"challenge:\n  when: {/type: try}", "/secret: {exists: false}", 2, 3, "when"},
		/* All conditions of the preset are replaced. */
		{"ping: {/type: pong}", NULL, 0, 0, NULL},
		{"opened: {/type: made, /status: open}", NULL, 0, 0, NULL},
		{"opened: {/type: made, /status: {exists: false, not: done}, /more: x}", NULL, 0, 0, NULL},
		/* A list replaces a mapping, and a mapping a list. */
		{"opened: [{/type: made}]", NULL, 0, 0, NULL},
		{"closed: {/type: over}", NULL, 0, 0, NULL},
		{"reopened: ~", NULL, 0, 0, NULL},
		/* No matcher. */
		{"attributes: {Team: /team, Channel: {/channel: {sms: sms}}}", NULL, 0, 0, NULL},
		{"authenticate: {header: X-Other}", NULL, 0, 0, NULL},
		{"paste: {opened: c}", NULL, 0, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct problems p = {0};
		CLEANUP(node_freep) struct node *both = laid_over(cases[i].own, &p);
		CLEANUP(mem_freep) char *says = NULL;

		if (p.n != (cases[i].kept ? 1 : 0))
			fail_msg("%s: %zu problems", cases[i].own, p.n);
		if (cases[i].kept) {
			says = mem_fmt("conditions of the preset's `%s` stay beside these, and all must hold: %s. To "
				       "replace them, write a list: %s: [{…}]",
				       cases[i].key, cases[i].kept, cases[i].key);
			assert_string_equal(p.items[0].text, says);
			assert_true(p.items[0].notice && p.errors == 0);
			assert_string_equal(p.items[0].file, "own.yaml");
			assert_int_equal(p.items[0].line, cases[i].line);
			assert_int_equal(p.items[0].column, cases[i].column);
		}
		problems_done(&p);
	}
}

static void many_conditions_are_cut(void **state)
{
	CLEANUP(node_freep)
	struct node *preset = node_new(NODE_MAP, "preset.yaml", 1, 1);
	CLEANUP(node_freep)
	struct node *over = with_yaml("opened: {/x: y}");
	struct node *opened = node_new(NODE_MAP, "preset.yaml", 1, 1);
	struct problems p = {0};

	(void)state;
	node_add(preset, "opened", opened);
	for (unsigned i = 0; i < 50; i++) {
		CLEANUP(mem_freep) char *key = mem_fmt("/a/long/pointer/%u", i);
		struct node *value = node_new(NODE_SCALAR, "preset.yaml", 1, 1);

		value->text = mem_str("some value");
		node_add(opened, key, value);
	}
	node_free(definition_overlay(preset, over, &p));
	assert_int_equal(p.n, 1);
	assert_true(strlen(p.items[0].text) < 900);
	assert_non_null(strstr(p.items[0].text, ", …. To replace them"));
	problems_done(&p);
}

/* Returns the merged node at a key in YAML's flow style; "": none. */
static void what_is_laid_over_what(void **state)
{
	static const struct {
		const char *own;
		const char *path[3]; /* the path of the node */
		const char *text;    /* of a scalar; NULL: no node */
		int members;         /* of a mapping; -1: not checked */
	} cases[] = {
		/* ~ removes. */
		{"reopened: ~", {"reopened"}, NULL, -1},
		{"ping:", {"ping"}, NULL, -1},
		{"delivery: ~", {"delivery"}, NULL, -1},
		{"attributes: {Agent: ~}", {"attributes", "Agent"}, NULL, -1},
		{"attributes: {Agent: ~}", {"attributes"}, NULL, 1},
		{"attributes: ~", {"attributes"}, NULL, -1},
		{"paste: {opened: ~}", {"paste"}, NULL, 1},
		/* By key. */
		{"attributes: {Team: /team}", {"attributes"}, NULL, 3},
		{"attributes: {Channel: {/channel: {sms: sms, mail: letter}}}",
		 {"attributes", "Channel", "/channel"},
		 NULL,
		 3},
		{"authenticate: {header: X-Other}", {"authenticate", "algorithm"}, "sha1", -1},
		{"authenticate: {method: hmac, header: X-Other}", {"authenticate", "algorithm"}, "sha1", -1},
		/* Replaced as a whole. */
		{"authenticate: {method: bearer}", {"authenticate"}, NULL, 1},
		{"attributes: {Channel: {/kind: {a: chat}}}", {"attributes", "Channel"}, NULL, 1},
		{"attributes: {Channel: /kind}", {"attributes", "Channel"}, "/kind", -1},
		{"attributes: {Agent: {/who: {a: b}}}", {"attributes", "Agent"}, NULL, 1},
		{"emails: /email", {"primary"}, NULL, -1},
		{"emails: /x/*/email\nprimary: /x/*/main", {"primary"}, "/x/*/main", -1},
		{"label: Own", {"primary"}, "/people/*/main", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct problems p = {0};
		CLEANUP(node_freep) struct node *both = laid_over(cases[i].own, &p);
		const struct node *n = both;

		for (size_t k = 0; k < 3 && cases[i].path[k]; k++)
			n = node_get(n, cases[i].path[k]);
		if (cases[i].members < 0 && !text_is(n ? n->text : NULL, cases[i].text))
			fail_msg("%s: \"%s\"", cases[i].own, n ? n->text : "nothing");
		if (cases[i].members < 0 && !cases[i].text)
			assert_null(n);
		if (cases[i].members >= 0)
			assert_int_equal(n->n, cases[i].members);
		problems_done(&p);
	}
}

/* A ~ where the preset has nothing is an error as anywhere, and so is one for a required key. */
static void nothing_is_a_mistake_where_it_takes_nothing_away(void **state)
{
	static const struct {
		const char *own, *says;
	} cases[] = {
		{"customer: ~", "not nothing"},
		{"attributes: {Team: ~}", "not nothing"},
		{"closed: ~", "expected `closed`: a definition needs it"},
		{"conversation:", "expected `conversation`: a definition needs it"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct problems p = {0};
		CLEANUP(node_freep) struct node *both = laid_over(cases[i].own, &p);

		assert_null(definition_read(both, NULL, &p));
		assert_problem(&p, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_that_stay_are_told_at_the_key),
		cmocka_unit_test(many_conditions_are_cut),
		cmocka_unit_test(what_is_laid_over_what),
		cmocka_unit_test(nothing_is_a_mistake_where_it_takes_nothing_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The configuration file: definitions, lookups, rules and headers of sources, and the place and text of each
 * problem. */
#include <config.h>

#include "conf/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fixtures/config_folder.h"

static struct config *load(const char *text, struct problems *problems)
{
	folder_write(folder.path, "deskbridge.yaml", text);
	return config_load(folder.file, problems);
}

static struct config *load_good(const char *text)
{
	struct problems problems = {0};
	struct config *c = load(text, &problems);

	problems_print(&problems, stderr);
	assert_non_null(c);
	assert_int_equal(problems.errors + problems.warnings, 0);
	problems_done(&problems);
	return c;
}

#define V "version: 1\n"
#define K "klaviyo: {api_key: pk_1}\n"
#define S "sources:\n  bear: {preset: bearer, authenticate: {secret: s}}\n"
/* The line after it is line 5. */
#define GOOD V K S

/* ---- good ones --------------------------------------------------------------------------------------------------- */

static void a_definition_in_place_stands_alone_or_over_a_preset(void **state)
{
	struct config *c =
		load_good(V K "sources:\n"
			      "  own:\n"
			      "    definition: {label: Own, verified: live, authenticate: {method: none}, opened: {/t: "
			      "o}, closed: {/t: c},\n"
			      "      conversation: /id}\n"
			      "  over: {preset: bearer, definition: {label: Over, authenticate: {method: none}}}\n"
			      "  said: {preset: open, authenticate: {method: none}}\n"
			      "  other: {preset: bearer, authenticate: {method: header, name: X-Secret, secret: s}}\n");

	(void)state;
	assert_null(c->sources[0].preset);
	assert_string_equal(c->sources[0].policy.label, "Own");
	assert_string_equal(c->sources[1].policy.label, "Over");
	assert_string_equal(proof_about(definition_proof(c->sources[1].definition))->method, "none");
	assert_string_equal(proof_about(definition_proof(c->sources[3].definition))->method, "header");
	config_free(c);
}

static void a_lookup_that_does_not_name_base_url_needs_none(void **state)
{
	struct config *c = load_good(
		V K
		"sources:\n"
		"  a: {preset: token, authenticate: {secret: s}, with: {region: eu}, lookup: {token: t}, definition: "
		"{parameters: {region:\n"
		"      {us: {api: https://us.example}, eu: {api: https://eu.example}}}, lookup: [{url: "
		"\"{api}/c/{/customer}\", authenticate: bearer, emails: /e}]}}\n");

	(void)state;
	assert_null(c->sources[0].lookup_base_url);
	config_free(c);
}

static void rules_may_ask_for_what_any_source_knows(void **state)
{
	struct config *c = load_good(
		V K "sources:\n"
		    "  a: {preset: bearer, authenticate: {secret: s}, definition: {attributes: {Plan: /p}}}\n"
		    "  b: {preset: token, authenticate: {secret: s}, lookup: {base_url: \"https://x\", token: t}, "
		    "definition:\n"
		    "      {parameters: {region: eu}, lookup: [{url: \"{base_url}/{/customer}\", authenticate: bearer, "
		    "take: {tier: /t}}]}}\n"
		    "rules:\n"
		    "  - {when: {plan: pro, TIER: gold, region: eu, Resolution Seconds: 5, Team: x}, send: \"{label} "
		    "{transition} {reason}\"}\n"
		    "  - default\n");

	(void)state;
	config_free(c);
}

static void headers_that_anything_of_a_source_looks_at_are_kept(void **state)
{
	struct config *c = load_good(
		V K "sources:\n"
		    "  a: {preset: bearer, authenticate: {secret: s}, definition: {delivery: header:X-Delivery},\n"
		    "      account: [{when: {\"header:X-Shop\": b2b}, use: none}, {use: default}],\n"
		    "      rules: [{when: {\"header:X-Spam\": {exists: true}}, drop: spam}, default]}\n"
		    "  b: {preset: bearer, authenticate: {secret: s}}\n"
		    "rules: [default, {on: closed, send: x, properties: {Via: \"{header:X-Via}\"}}]\n");

	(void)state;
	for (size_t i = 0; i < c->sources_n; i++) {
		const struct source *s = &c->sources[i];
		bool first = i == 0;

		assert_int_equal(source_stores_header(s, "x-delivery"), first);
		assert_int_equal(source_stores_header(s, "x-shop"), first);
		assert_int_equal(source_stores_header(s, "X-SPAM"), first);
		assert_true(source_stores_header(s, "x-via"));
		assert_false(source_stores_header(s, "Authorization"));
		assert_false(source_stores_header(s, "Cookie"));
	}
	config_free(c);
}

/* ---- wrong ones -------------------------------------------------------------------------------------------------- */

struct wrong {
	const char *text;
	unsigned line, column;
	const char *path;
	const char *says;
	unsigned errors; /* errors of the file; 0: one */
};

#define SRC(members) V K "sources:\n  bear:\n    preset: bearer\n    authenticate: {secret: s}\n" members "\n"
#define LONG_LABEL \
	"a label of a hundred letters which is just what is allowed and abcdefghijklmnopqrstuvwxyzabcdefghijk"
#define LONG LONG_LABEL "n"
#define KLA(members) V "klaviyo:\n  api_key: pk_1\n" members "\n" S
#define ACC                                                                                \
	V "klaviyo:\n  accounts:\n    main: {api_key: pk_1}\n    other: {api_key: pk_2}\n" \
	  "sources:\n  b:\n    preset: bearer\n    authenticate: {secret: s}\n"

static const struct wrong wrongs[] = {
	/* the whole file */
	{"", 1, 1, "", "expected a mapping that begins with `version: 1`"},
	{"- a\n", 1, 1, "", "found a list"},
	{"version: 1\nversion: 1\n" K S, 2, 1, "version", "given twice"},
	{K S, 1, 1, "", "version is missing: write `version: 1`"},
	{"version: 2\n" K S, 1, 10, "version", "must be 1"},
	{"version: one\n" K S, 1, 10, "version", "expected a whole number, found \"one\""},
	{GOOD "sorces: {}\n", 5, 1, "sorces", "did you mean sources?"},
	{GOOD "api_key: x\n", 5, 1, "api_key", "did you mean klaviyo.api_key?"},
	{GOOD "frobnicate: 1\n", 5, 1, "frobnicate", "known here: version, listen, admin"},
	{GOOD "klaviyo:\n  - x\n", 5, 1, "klaviyo", "given twice (first in line 2)"},

	/* listen */
	{GOOD "listen: [1]\n", 5, 9, "listen", "expected a mapping such as {address: 127.0.0.1:8085, max_body: 1MiB"},
	{GOOD "listen: 8085\n", 5, 9, "listen", "no address"},
	{GOOD "listen: {adress: \":1\"}\n", 5, 10, "listen.adress", "did you mean address?"},
	{GOOD "listen: {address: example.com:80}\n", 5, 19, "listen.address", "no numeric address"},
	{GOOD "listen: {address: \"127.0.0.1:99999\"}\n", 5, 19, "listen.address", "no port"},
	{GOOD "listen: {max_body: 1MB}\n", 5, 20, "listen.max_body",
	 "expected a size such as 512KiB, 1MiB or 4GiB, found \"1MB\""},
	{GOOD "listen: {max_body: 1B}\n", 5, 20, "listen.max_body", "must be 1KiB to 64MiB"},
	{GOOD "listen: {max_connections: lots}\n", 5, 27, "listen.max_connections", "expected a whole number"},
	{GOOD "listen: {max_connections: 3}\n", 5, 27, "listen.max_connections", "must be 4 to 65536"},
	{GOOD "listen: {max_connections: 99999999999999999999}\n", 5, 27, "listen.max_connections",
	 "must be 4 to 65536"},
	{GOOD "listen: {timeout: 10}\n", 5, 19, "listen.timeout",
	 "expected a duration such as 500ms, 10s, 5m or 7d, found \"10\""},
	{GOOD "listen: {timeout: 1500ms}\n", 5, 19, "listen.timeout", "must be whole seconds"},
	{GOOD "listen: {timeout: 2h}\n", 5, 19, "listen.timeout", "must be 1s to 1h"},
	{GOOD "listen: {trusted_proxies: [10.0.0.0/33]}\n", 5, 28, "listen.trusted_proxies[0]",
	 "expected an address such as 10.0.0.1"},
	{GOOD "listen: {trusted_proxies: [proxy]}\n", 5, 28, "listen.trusted_proxies[0]",
	 "a network such as 10.0.0.0/8"},

	/* admin */
	{GOOD "admin: {hosts: [a, \"http://a\"]}\n", 5, 20, "admin.hosts[1]", "what stands in a Host header"},
	{GOOD "admin: {hosts: \"*.example.com\"}\n", 5, 16, "admin.hosts", "such as bridge.example.com"},
	{GOOD "admin: {hosts: [\"a:0\"]}\n", 5, 17, "admin.hosts[0]", "what stands in a Host header"},
	{GOOD "admin: {hosts: [\"[a]\"]}\n", 5, 17, "admin.hosts[0]", "what stands in a Host header"},
	{GOOD "admin: 127.0.0.1:8085\n", 5, 8, "admin", "is the address of `listen` too"},
	{GOOD "admin: localhost:8085\n", 5, 8, "admin", "is the address of `listen` too"},
	{GOOD "admin: {address: 127.0.0.1:1, token: {fiel: x}}\n", 5, 39, "admin.token.fiel", "did you mean file?"},
	{GOOD "admin: {token: {file: }}\n", 5, 23, "admin.token.file", "expected text, found nothing"},
	{GOOD "admin: {token: []}\n", 5, 16, "admin.token", "expected 1 to 4 secrets, found 0"},
	{GOOD "admin: {token: [a, b, c, d, e]}\n", 5, 16, "admin.token", "expected 1 to 4 secrets, found 5"},
	{GOOD "admin: {tokn: a}\n", 5, 9, "admin.tokn", "did you mean token?"},

	/* store */
	{GOOD "store: /var/lib/x.db\n", 5, 8, "store", "expected sqlite:PATH"},
	{GOOD "store: postgres://x\n", 5, 8, "store", "expected sqlite:PATH"},
	{GOOD "store: {url: \"sqlite:\"}\n", 5, 14, "store.url", "expected sqlite:PATH"},
	{GOOD "store: {retention: 1 week}\n", 5, 20, "store.retention", "expected a duration"},
	{GOOD "store: {max_size: 4GB}\n", 5, 19, "store.max_size",
	 "expected a size such as 512KiB, 1MiB or 4GiB, found \"4GB\"; did you mean 4GiB?"},
	{GOOD "store: {max_size: 512 mb}\n", 5, 19, "store.max_size", "did you mean 512MiB?"},
	{GOOD "store: {max_size: 4G}\n", 5, 19, "store.max_size", "did you mean 4GiB?"},
	{GOOD "store: {retention: 7 days}\n", 5, 20, "store.retention", "did you mean 7d?"},
	{GOOD "listen: {timeout: 10 sec}\n", 5, 19, "listen.timeout", "did you mean 10s?"},
	{GOOD "listen: {timeout: 10 secants}\n", 5, 19, "listen.timeout", "found \"10 secants\""},
	{GOOD "store: {max_size: [1]}\n", 5, 19, "store.max_size",
	 "expected a size such as 512KiB, 1MiB or 4GiB, found a list"},
	{GOOD "store: {url: }\n", 5, 14, "store.url", "has no value"},

	/* log */
	{GOOD "log: info\n", 5, 6, "log",
	 "expected a mapping such as {level: info, format: auto, personal_data: false}, found text"},
	{GOOD "log: {level: warn}\n", 5, 14, "log.level",
	 "expected error, warning, notice, info or debug, found \"warn\"; did you mean"},
	{GOOD "log: {level: warnin}\n", 5, 14, "log.level", "did you mean warning?"},
	{GOOD "log: {format: xml}\n", 5, 15, "log.format", "expected auto, text, json or journal"},
	{GOOD "log: {personal_data: yes}\n", 5, 22, "log.personal_data", "expected true or false, found \"yes\""},

	/* klaviyo */
	{V S, 1, 1, "", "klaviyo is missing: write `klaviyo: {api_key: {credential: klaviyo-api-key}}`"},
	{V "klaviyo: pk_secret\n" S, 2, 10, "klaviyo", "expected a mapping such as {api_key:"},
	{V "klaviyo: {hold: true}\n" S, 2, 10, "klaviyo",
	 "api_key is missing: write `api_key: {credential: klaviyo-api-key}`"},
	{V "klaviyo: {api_key: }\n" S, 2, 20, "klaviyo.api_key", "found nothing"},
	{V "klaviyo: {api_key: {credental: x}}\n" S, 2, 21, "klaviyo.api_key.credental", "did you mean credential?"},
	{V "klaviyo: {api_key: {credential: a, file: b}}\n" S, 2, 20, "klaviyo.api_key", "several of them"},
	{V "klaviyo: {api_key: {credential: ../key}}\n" S, 2, 33, "klaviyo.api_key.credential",
	 "a file's name without folder"},
	{V "klaviyo: {api_key: [a, b]}\n" S, 2, 20, "klaviyo.api_key", "expected one secret"},
	{V "klaviyo: {api_key: \"a\\nb\"}\n" S, 2, 20, "klaviyo.api_key", "a secret is one line of text"},
	{V "klaviyo: {api_key: ''}\n" S, 2, 20, "klaviyo.api_key", "the secret is empty"},
	{KLA("  url: http://a.klaviyo.com"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://127.0.0.1.evil.com"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://127.evil.com"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	/* Short forms of addresses count as names, whatever a resolver makes of them. */
	{KLA("  url: http://127.1"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://0x7f.1"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://2130706433"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://0177.0.0.1:80/x"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://localhost.:80"), 4, 8, "klaviyo.url", "plain http is for loopback only"},
	{KLA("  url: http://%31%32%37.0.0.1"), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: \"http://[127.0.0.1]\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: \"http://::1\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: \"http://[::1%25lo]\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: \"http://[::1]x\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: \"https://x:\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: https://x:0"), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: https://x:65536"), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: https:///a"), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: https:/x.example"), 4, 8, "klaviyo.url", "expected a URL such as https://"},
	{KLA("  url: HTTPS://x.example/api"), 4, 8, "klaviyo.url", "did you mean https://x.example/...?"},
	{KLA("  url: Http://x.example:80"), 4, 8, "klaviyo.url", "did you mean http://x.example:80?"},
	{KLA("  url: x.example:443"), 4, 8, "klaviyo.url", "did you mean https://x.example:443?"},
	{KLA("  url: 127.0.0.1:18087"), 4, 8, "klaviyo.url", "did you mean http://127.0.0.1:18087?"},
	{KLA("  url: localhost:18087/a"), 4, 8, "klaviyo.url", "did you mean http://localhost:18087/...?"},
	{KLA("  url: \"[::1]:18087\""), 4, 8, "klaviyo.url", "did you mean http://[::1]:18087?"},
	{KLA("  url: HTTPS://127.0.0.1"), 4, 8, "klaviyo.url", "did you mean https://127.0.0.1?"},
	{KLA("  url: https://müller.example"), 4, 8, "klaviyo.url", "letters beyond ASCII"},
	{KLA("  url: ftp://x"), 4, 8, "klaviyo.url", "expected a URL such as https://"},
	{KLA("  url: \"https://a b\""), 4, 8, "klaviyo.url", "a URL holds no blanks"},
	{KLA("  url: https://u:p@x"), 4, 8, "klaviyo.url", "holds no user and password"},
	{KLA("  url: \"https://:80\""), 4, 8, "klaviyo.url", "host or port is none"},
	{KLA("  url: https://x?y=1"), 4, 8, "klaviyo.url", "without a ?query"},
	{KLA("  revision: newest"), 4, 13, "klaviyo.revision", "expected a revision of Klaviyo's API: a date"},
	{KLA("  revision: 2025-13-01"), 4, 13, "klaviyo.revision", "expected a revision"},
	{KLA("  lane: sinlge"), 4, 9, "klaviyo.lane", "did you mean single?"},
	{KLA("  lane: bulk"), 4, 9, "klaviyo.lane", "expected single, found \"bulk\"; this version sends one"},
	{KLA("  quota: 5"), 4, 10, "klaviyo.quota", "expected a mapping such as {single: …}"},
	{KLA("  quota: {single: {second: 0}}"), 4, 28, "klaviyo.quota.single.second", "must be 1 to 1000000"},
	{KLA("  quota: {bulk: {second: 1}}"), 4, 11, "klaviyo.quota.bulk", "unknown key; known here: single"},
	{KLA("  quota: {single: {hour: 1}}"), 4, 20, "klaviyo.quota.single.hour", "known here: second, minute"},
	{KLA("  quota_share: 1.5"), 4, 16, "klaviyo.quota_share", "must be 0.01 to 1"},
	{KLA("  quota_share: 80%"), 4, 16, "klaviyo.quota_share", "expected a number such as 0.8, found \"80%\""},
	{KLA("  persn_gap: 2s"), 4, 3, "klaviyo.persn_gap", "did you mean person_gap?"},
	{KLA("  person_gap: -2s"), 4, 15, "klaviyo.person_gap", "expected a duration"},
	{KLA("  person_gap: 2 seconds"), 4, 15, "klaviyo.person_gap", "expected a duration"},
	{KLA("  late: 15m"), 4, 9, "klaviyo.late",
	 "expected a mapping such as {opened: 15m, reopened: 15m, closed: 24h}"},
	{KLA("  late: {opened: nevr}"), 4, 18, "klaviyo.late.opened", "or 7d, or never, found"},
	{KLA("  max_age: never"), 4, 12, "klaviyo.max_age", "expected a duration"},
	{KLA("  create_profiles: 0"), 4, 20, "klaviyo.create_profiles", "expected true, found"},
	{KLA("  create_profiles: false"), 4, 20, "klaviyo.create_profiles", "leave the key out"},
	{KLA("  hold: {a: 1}"), 4, 9, "klaviyo.hold", "expected boolean, found a mapping"},
	{KLA("  accounts: {a: {api_key: x}}"), 3, 3, "klaviyo.api_key", "move it into each account"},
	{V "klaviyo: {accounts: {}}\n" S, 2, 21, "klaviyo.accounts", "expected 1 to 64 accounts by name"},
	{V "klaviyo: {accounts: {Main: {api_key: x}}}\n" S, 2, 22, "klaviyo.accounts.Main", "a name is 1 to 63 of a-z"},
	{V "klaviyo: {accounts: {none: {api_key: x}}}\n" S, 2, 22, "klaviyo.accounts.none", "choose another name"},
	{V "klaviyo: {accounts: {a: pk_x}}\n" S, 2, 25, "klaviyo.accounts.a", "expected a mapping such as"},
	{V "klaviyo: {accounts: {a: {hold: true}}}\n" S, 2, 25, "klaviyo.accounts.a", "api_key is missing"},

	/* sources */
	{V K, 1, 1, "", "sources is missing: write the helpdesks, such as"},
	{V K "sources:\n", 3, 9, "sources", "expected 1 to 256 helpdesks by name", 0},
	{V K "sources: {}\n", 3, 10, "sources", "found none"},
	{V K "sources: [gladly]\n", 3, 10, "sources", "found a list"},
	{V K "sources: {Gladly: {preset: bearer}}\n", 3, 11, "sources.Gladly", "a name is 1 to 63"},
	{V K "sources: {a/b: {preset: bearer}}\n", 3, 11, "sources.a/b", "a name is 1 to 63"},
	{V K "sources: {a: bearer}\n", 3, 14, "sources.a", "expected a mapping such as {preset: gladly"},
	{V K "sources: {a: {label: X}}\n", 3, 14, "sources.a", "preset is missing"},
	{V K "sources: {a: {preset: bearr}}\n", 3, 23, "sources.a.preset",
	 "did you mean bearer? there are: basic, bearer, broken"},
	{V K "sources: {a: {preset: helpscout}}\n", 3, 23, "sources.a.preset", "there are: basic, bearer"},
	{V K "sources: {a: {preset: ../bearer}}\n", 3, 23, "sources.a.preset", "there is no preset ../bearer"},
	{V K "sources: {a: {preset: Bearer}}\n", 3, 23, "sources.a.preset", "did you mean bearer?"},
	{V K "sources: {a: {definition: bearer}}\n", 3, 27, "sources.a.definition", "expected a definition (a mapping"},
	{V K "sources: {a: {definition: {label: X}}}\n", 3, 27, "sources.a.definition", "opened", 4},
	{SRC("    presett: x"), 7, 5, "sources.bear.presett", "did you mean preset?"},
	{SRC("    base_url: https://x"), 7, 5, "sources.bear.base_url", "did you mean sources.NAME.lookup.base_url?"},
	{SRC("    path: hooks"), 7, 11, "sources.bear.path", "a path begins with /"},
	{SRC("    path: /a?b"), 7, 11, "sources.bear.path", "a path holds no blanks"},
	{SRC("    path: [/a]"), 7, 11, "sources.bear.path", "expected text, found a list"},
	{SRC("  two: {preset: bearer, authenticate: {secret: s}, path: /webhooks/bear}"), 7, 58, "sources.two.path",
	 "is the path of the source bear too"},
	{SRC("    label: ''"), 7, 12, "sources.bear.label", "is empty"},
	{SRC("    label: {label}"), 7, 12, "sources.bear.label", "put it in quotes"},
	{SRC("    label: \"a\\nb\""), 7, 12, "sources.bear.label", "one line is expected"},
	{SRC("    flag: []"), 7, 11, "sources.bear.flag", "at least one profile property"},
	{SRC("    flag: $email"), 7, 11, "sources.bear.flag", "names that begin with $ are Klaviyo's own"},
	{SRC("    flag: [In Bear Conversation, \"In {label} Conversation\"]"), 7, 11, "sources.bear.flag",
	 "is meant twice"},
	{SRC("    flag: [a, a]"), 7, 15, "sources.bear.flag[1]", "stands twice in this list"},
	{SRC("    flag: \"In {lable}\""), 7, 11, "sources.bear.flag", "only {label} can be used here"},
	{SRC("    label: $x\n    flag: \"{label}\""), 8, 11, "sources.bear.flag",
	 "with this label: names that begin with $ are Klaviyo's own"},
	{V K "sources:\n  a: {definition: {label: " LONG
	     ", verified: live, authenticate: {method: none}, opened: {/t: o}, "
	     "closed: {/t: c}, conversation: /id}}\n",
	 4, 19, "sources.a.definition", "the definition's label: expected a name of at most 100 letters"},
	{SRC("    lookup: {base_url: acme}"), 7, 24, "sources.bear.lookup.base_url", "expected a URL"},
	{SRC("    lookup: {pasword: x}"), 7, 14, "sources.bear.lookup.pasword", "did you mean password?"},
	{SRC("    lookup: https://x"), 7, 13, "sources.bear.lookup", "expected a mapping such as {base_url: …"},
	{SRC("    with: {region: eu}"), 7, 20, "sources.bear.with.region", "parameter"},
	{SRC("    public_url: hooks"), 7, 17, "sources.bear.public_url", "expected a URL"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {method: hmac, header: X, signed: \"{url}{body}\", secret: "
	     "s}}\n",
	 4, 6, "sources.a", "public_url is missing: this helpdesk signs the URL"},
	{V K "sources:\n  a: {preset: bearer, public_url: hooks, authenticate: {method: hmac, header: X, "
	     "signed: \"{url}{body}\", secret: s}}\n",
	 4, 35, "sources.a.public_url", "expected a URL"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {method: hmac, header: X, user: u, password: p}}\n", 4, 69,
	 "sources.a.authenticate.user", "the method hmac takes no user: leave it out", 2},
	{SRC("    expire_after: soon"), 7, 19, "sources.bear.expire_after", "or never"},
	{SRC("    expire_after: 0s"), 7, 19, "sources.bear.expire_after", "must be 1s to 3650d"},
	{SRC("    settle: 1m"), 7, 13, "sources.bear.settle", "expected a mapping such as {open: 0s, close: 0s}"},
	{SRC("    settle: {open: 31d}"), 7, 20, "sources.bear.settle.open", "must be 0s to 30d"},
	{SRC("    emails: first"), 7, 13, "sources.bear.emails", "expected all or primary"},
	{SRC("    ignore_emails: [\"*@acme.com\"]"), 7, 21, "sources.bear.ignore_emails[0]",
	 "\"noreply@*\" (that name at every domain)"},
	{SRC("    ignore_emails: [*@acme.com]"), 7, 22, "", "put it in quotes"},
	{SRC("    test_emails: {a: b}"), 7, 18, "sources.bear.test_emails", "expected a list of texts"},
	{SRC("    test_emails: [[a]]"), 7, 19, "sources.bear.test_emails[0]", "expected text, found a list"},
	{SRC("    keep: nothing"), 7, 11, "sources.bear.keep", "expected matched or all"},

	/* authenticate and lookup against the definition */
	{V K "sources:\n  a: {preset: bearer}\n", 4, 6, "sources.a",
	 "authenticate.secret is missing: the method bearer needs it"},
	{V K "sources:\n  a: {preset: basic}\n", 4, 6, "sources.a", "authenticate.user is missing: the method basic",
	 2},
	{V K "sources:\n  a: {preset: basic, authenticate: {user: u}}\n", 4, 36, "sources.a.authenticate",
	 "authenticate.password is missing: the method basic needs it (`authenticate: {user: deskbridge, password: "
	 "{credential: a-webhook}}`)"},
	{V K "sources:\n  a: {preset: basic, authenticate: {user: u, secret: p}}\n", 4, 54,
	 "sources.a.authenticate.secret", "the method basic takes no secret: write it as password"},
	{V K "sources:\n  a: {preset: basic, authenticate: {user: \"u:v\", password: p}}\n", 4, 43,
	 "sources.a.authenticate.user", "holds no colon"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {password: p}}\n", 4, 48, "sources.a.authenticate.password",
	 "the method bearer takes no password: write it as secret"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {user: u, secret: p}}\n", 4, 44,
	 "sources.a.authenticate.user", "takes no user: leave it out"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {secrt: p}}\n", 4, 38, "sources.a.authenticate.secrt",
	 "did you mean secret?", 2},
	{V K "sources:\n  a: {preset: bearer, authenticate: p}\n", 4, 37, "sources.a.authenticate",
	 "expected a mapping such as {user:"},
	{V K "sources:\n  a: {preset: bearer, authenticate: {method: magic, secret: s}}\n", 4, 46,
	 "sources.a.authenticate.method", "magic"},
	{V K "sources:\n  a: {preset: open}\n", 4, 6, "sources.a", "write `authenticate: {method: none}`"},
	{V K "sources:\n  a: {preset: open, authenticate: {method: none, secret: s}}\n", 4, 58,
	 "sources.a.authenticate.secret", "the method none takes no secret"},
	{V K "sources:\n  a: {preset: desk, authenticate: {user: u, password: p}}\n", 4, 6, "sources.a",
	 "lookup.base_url is missing", 3},
	{V K "sources:\n  a: {preset: desk, authenticate: {user: u, password: p}, lookup: {base_url: \"https://x\", "
	     "password: p}}\n",
	 4, 67, "sources.a.lookup", "lookup.user is missing"},
	{V K "sources:\n  a: {preset: token, authenticate: {secret: s}, lookup: {base_url: \"https://x\", user: u, "
	     "password: p}}\n",
	 4, 57, "sources.a.lookup", "lookup.token is missing"},

	/* rules */
	{GOOD "rules: default\n", 5, 8, "rules", "list"},
	{GOOD "rules: [{on: opend, send: x}, default]\n", 5, 14, "rules[0].on", "opened"},
	{GOOD "rules: [{on: closed}, default]\n", 5, 9, "rules[0]", "expected `send` or `drop`"},
	{GOOD "rules: [{on: closed, send: x}]\n", 5, 8, "rules", "opened"},
	{GOOD "rules: [{on: closed, sned: x, drop: y}, default]\n", 5, 22, "rules[0].sned", "did you mean \"send\"?"},
	{SRC("    label: " LONG_LABEL
	     "\n    rules: [default, {on: closed, send: \"{label} is closed, and so on and on\"}]"),
	 8, 12, "sources.bear.rules", "is longer than the 127 letters that Klaviyo takes"},
	{SRC("    rules: [{when: {\"header:authorization\": x}, drop: y}, default]"), 5, 5, "sources.bear",
	 "header:Authorization, which carries the secret"},
	{ACC "    account: [{when: {\"header:authorization\": x}, use: main}]\n", 8, 5, "sources.b",
	 "which carries the secret"},
	{SRC("    rules: [{drop: 1, send: x}, default]"), 7, 20, "sources.bear.rules[0].drop", "sends or drops"},

	/* account */
	{ACC, 8, 5, "sources.b", "account is missing: with several Klaviyo accounts"},
	{ACC "    account: mian\n", 10, 14, "sources.b.account", "did you mean main? there is: main, other"},
	{ACC "    account: default\n", 10, 14, "sources.b.account", "there is no account of that name"},
	{ACC "    account: {use: main}\n", 10, 14, "sources.b.account",
	 "expected the name of an account, found a mapping"},
	{ACC "    account: []\n", 10, 14, "sources.b.account", "expected at least one {when: MATCHER"},
	{ACC "    account: [main]\n", 10, 15, "sources.b.account[0]",
	 "expected {when: MATCHER, use: NAME or none}, found text"},
	{ACC "    account: [{when: {A: b}}]\n", 10, 15, "sources.b.account[0]", "found no use"},
	{ACC "    account: [{use: main}, {use: other}]\n", 10, 15, "sources.b.account[0]", "never asked: put it last"},
	{ACC "    account: [{use: nobody}]\n", 10, 21, "sources.b.account[0].use", "there is: main, other, or none"},
	{ACC "    account: [{wen: {A: b}, use: main}]\n", 10, 16, "sources.b.account[0].wen", "known here: when, use"},
	{ACC "    account: [{when: {A: {matches: \"(\"}}, use: main}]\n", 10, 36, "sources.b.account[0].when.A.matches",
	 "regular expression"},
};

static void wrong_configurations_are_told_with_place_and_advice(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		const struct wrong *w = &wrongs[i];
		struct problems problems = {0};
		struct config *c = load(w->text, &problems);
		bool found = false;

		for (size_t k = 0; k < problems.n; k++) {
			const struct problem *p = &problems.items[k];

			found = found || (!p->warning && p->line == w->line && p->column == w->column &&
					  strcmp(p->path, w->path) == 0 && strstr(p->text, w->says) &&
					  strcmp(p->file, folder.file) == 0);
		}
		if (c || !found || problems.errors != (w->errors > 0 ? w->errors : 1)) {
			fprintf(stderr, "row %zu, expected %u:%u: %s: …%s…, found %zu:\n", i, w->line, w->column,
				w->path, w->says, problems.errors);
			problems_print(&problems, stderr);
			failed++;
		}
		config_free(c);
		problems_done(&problems);
	}
	assert_int_equal(failed, 0);
}

static void all_errors_of_a_file_are_told_at_once_and_in_order(void **state)
{
	struct problems problems = {0};
	struct config *c = load("listen: {timeout: x}\n"
				"klaviyo: {api_key: {credental: k}, lane: x}\n"
				"sources:\n"
				"  a: {preset: nosuch, emails: x}\n"
				"  b: {preset: bearer}\n"
				"store: nowhere\n"
				"version: 3\n"
				"version: 1\n"
				"unknown: *alias\n",
				&problems);
	static const unsigned lines[] = {1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9};

	(void)state;
	assert_null(c);
	if (problems.n != sizeof(lines) / sizeof(lines[0]))
		problems_print(&problems, stderr);
	assert_int_equal(problems.n, sizeof(lines) / sizeof(lines[0]));
	for (size_t i = 0; i < problems.n; i++)
		assert_int_equal(problems.items[i].line, lines[i]);
	problems_done(&problems);
}

static void errors_of_shared_rules_and_presets_are_told_once(void **state)
{
	struct problems problems = {0};
	struct config *c = load(V K "sources:\n"
				    "  a: {preset: broken, authenticate: {secret: s}}\n"
				    "  b: {preset: broken, authenticate: {secret: s}}\n"
				    "rules: [default, {on: nothing, send: x}]\n",
				&problems);

	(void)state;
	assert_null(c);
	assert_int_equal(problems.errors, 2);
	assert_int_equal(problems.items[0].line, 6);
	assert_non_null(strstr(problems.items[1].file, "helpdesks/broken.yaml"));
	problems_done(&problems);
}

/* ---- warnings ---------------------------------------------------------------------------------------------------- */

struct warned {
	const char *text;
	unsigned line, column;
	const char *says;
};

static const struct warned warned[] = {
	{GOOD "admin: 0.0.0.0:8086\n", 5, 8, "reached from other machines"},
	{GOOD "listen: {trusted_proxies: 0.0.0.0/0}\n", 5, 27, "this is every address"},
	{GOOD "listen: {trusted_proxies: [10.0.0.0/8, \"::/0\"]}\n", 5, 40, "this is every address"},
	{GOOD "listen: {trusted_proxies: [\"::ffff:0:0/96\"]}\n", 5, 28, "this is every address"},
	{GOOD "admin: {address: \":8086\", token: {env: HOME}}\n", 5, 18, "go over the net unencrypted"},
	{V K "sources:\n  a: {preset: unverified, authenticate: {secret: s}}\n", 4, 15,
	 "nobody has verified this definition"},
	{SRC("    lookup: {base_url: \"http://acme.example.com\"}"), 7, 24, "unencrypted: write https"},
	{KLA("  lane: auto"), 4, 9, "auto is taken as single: this version sends one event a request"},
	{SRC("    rules: [{when: {Initated By: agent}, drop: x}, default]"), 7, 12,
	 "sources.bear.rules[0] asks for \"Initated By\", which no event has; did you mean \"Initiated By\"?"},
	{GOOD "rules: [default, {on: closed, send: \"refund in {lable}\"}]\n", 5, 8,
	 "rules[1] asks for \"lable\", which no event has; did you mean \"label\"?"},
	{GOOD "rules: [default, {on: closed, send: x, properties: {A: [\"{Budget}\"]}}]\n", 5, 8,
	 "rules[1] asks for \"Budget\", which no event has"},
	{ACC "    account: [{when: {chanel: chat}, use: none}, {use: main}]\n", 10, 14,
	 "account asks for \"chanel\", which no event has; did you mean \"Channel\"?"},
};

static void what_may_be_meant_is_warned_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(warned) / sizeof(warned[0]); i++) {
		struct problems problems = {0};
		struct config *c = load(warned[i].text, &problems);

		if (problems.n != 1)
			problems_print(&problems, stderr);
		assert_non_null(c);
		assert_int_equal(problems.warnings, 1);
		assert_int_equal(problems.items[0].line, warned[i].line);
		assert_int_equal(problems.items[0].column, warned[i].column);
		assert_non_null(strstr(problems.items[0].text, warned[i].says));
		config_free(c);
		problems_done(&problems);
	}
}

/* A wrong item is left out, so that a later item's number among the texts differs from its number in the file. */
static void a_warning_about_an_item_names_it_behind_one_that_is_wrong_too(void **state)
{
	struct problems problems = {0};

	(void)state;
	assert_null(load(GOOD "listen: {trusted_proxies: [proxy, \"::/0\"]}\n", &problems));
	assert_int_equal(problems.errors, 1);
	assert_int_equal(problems.warnings, 1);
	for (size_t i = 0; i < problems.n; i++) {
		const struct problem *p = &problems.items[i];

		assert_string_equal(p->path, p->warning ? "listen.trusted_proxies[1]" : "listen.trusted_proxies[0]");
		assert_int_equal(p->column, p->warning ? 35 : 28);
	}
	problems_done(&problems);
}

static void a_plain_secret_is_warned_of_where_others_can_read_it(void **state)
{
	struct problems problems = {0};
	struct config *c;

	(void)state;
	folder_write(folder.path, "deskbridge.yaml", GOOD);
	assert_int_equal(chmod(folder.file, 0644), 0);
	c = config_load(folder.file, &problems);
	assert_non_null(c);
	assert_int_equal(problems.warnings, 2);
	assert_int_equal(problems.items[0].line, 2);
	assert_non_null(strstr(problems.items[0].text, "chmod 600"));
	assert_null(strstr(problems.items[0].text, "pk_1"));
	config_free(c);
	problems_done(&problems);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct problems problems = {0};

	(void)state;
	assert_null(config_load("/nonexistent/deskbridge.yaml", &problems));
	assert_int_equal(problems.errors, 1);
	assert_string_equal(problems.items[0].file, "/nonexistent/deskbridge.yaml");
	problems_done(&problems);
}

/* ---- presets ----------------------------------------------------------------------------------------------------- */

static void collect(void *ctx, const char *name, const char *file)
{
	struct buf *to = ctx;

	(void)file;
	buf_addf(to, "%s ", name);
}

static void presets_are_listed_once_each_and_the_nearest_folder_wins(void **state)
{
	CLEANUP(mem_freep) char *other = mem_fmt("%s/other", folder.path);
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(mem_freep) char *expected = mem_fmt("%s/helpdesks/bearer.yaml", folder.path);
	struct buf names;

	(void)state;
	folder_mkdir(folder.path, "other");
	folder_write(folder.path, "other/bearer.yaml", "label: Far\n");
	folder_write(folder.path, "other/zeta.yaml", "label: Zeta\n");
	folder_write(folder.path, "other/No Name.yaml", "label: X\n");
	folder_write(folder.path, "other/readme.txt", "x\n");
	assert_int_equal(setenv("DESKBRIDGE_PRESETS", other, 1), 0);
	buf_init(&names, 4096);
	config_presets(folder.file, collect, &names);
	assert_string_equal(names.data, "basic bearer broken desk open token unverified zeta ");
	buf_done(&names);
	assert_int_equal(config_preset_read(folder.file, "bearer", &file, &text, NULL), 0);
	assert_string_equal(file, expected);
	assert_non_null(strstr(text, "label: Bear"));
	mem_freep(&file);
	mem_freep(&text);
	assert_int_equal(config_preset_read(folder.file, "zeta", &file, &text, NULL), 0);
	assert_string_equal(text, "label: Zeta\n");
	(void)unsetenv("DESKBRIDGE_PRESETS");
}

static void an_unknown_preset_names_the_nearest(void **state)
{
	CLEANUP(mem_freep) char *file = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(config_preset_read(folder.file, "baerer", &file, &text, &err), -ENOENT);
	assert_non_null(strstr(err.text, "did you mean bearer?"));
	assert_int_equal(config_preset_read(folder.file, "../helpdesks/bearer", &file, &text, &err), -ENOENT);
	assert_null(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_in_place_stands_alone_or_over_a_preset),
		cmocka_unit_test(a_lookup_that_does_not_name_base_url_needs_none),
		cmocka_unit_test(rules_may_ask_for_what_any_source_knows),
		cmocka_unit_test(headers_that_anything_of_a_source_looks_at_are_kept),
		cmocka_unit_test(wrong_configurations_are_told_with_place_and_advice),
		cmocka_unit_test(all_errors_of_a_file_are_told_at_once_and_in_order),
		cmocka_unit_test(errors_of_shared_rules_and_presets_are_told_once),
		cmocka_unit_test(what_may_be_meant_is_warned_of),
		cmocka_unit_test(a_warning_about_an_item_names_it_behind_one_that_is_wrong_too),
		cmocka_unit_test(a_plain_secret_is_warned_of_where_others_can_read_it),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(presets_are_listed_once_each_and_the_nearest_folder_wins),
		cmocka_unit_test(an_unknown_preset_names_the_nearest),
	};

	return cmocka_run_group_tests(tests, config_folder_setup, config_folder_teardown);
}

/* SPDX-License-Identifier: MIT */
/* The members that settings fill: by default, by a short form, and each by a value of its own. */
#include <config.h>

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/url.h"
#include "conf/settings.h"
#include "klaviyo/request.h"
#include "fixtures/config_folder.h"

/* Loads a configuration that has no problems. */
static struct config *load(const char *text)
{
	struct problems problems = {0};
	struct config *c;

	folder_write(folder.path, "deskbridge.yaml", text);
	c = config_load(folder.file, &problems);
	problems_print(&problems, stderr);
	assert_non_null(c);
	assert_int_equal(problems.errors + problems.warnings, 0);
	problems_done(&problems);
	return c;
}

#define THREE_KEYS                   \
	"version: 1\n"               \
	"klaviyo: {api_key: pk_1}\n" \
	"sources:\n"                 \
	"  bear: {preset: bearer, authenticate: {secret: s}}\n"

/* ---- members as text --------------------------------------------------------------------------------------------- */

/* A setting, its member's value as member_text() writes it, and the member's name with its struct; NULL: not tested. */
struct member {
	const char *setting, *value, *member;
};

struct unit {
	const char *name;
	int64_t size;
};

/* Returns "7d" or "1MiB": the number in the largest unit that divides it. Shares no code with the reader of
 * settings. */
static char *in_units(int64_t n, const struct unit *units)
{
	if (n == 0)
		return mem_str("0");
	while (n % units->size != 0)
		units++;
	return mem_fmt("%lld%s", (long long)(n / units->size), units->name);
}

static int64_t member_integer(const struct setting *s, const char *at)
{
	int32_t i;
	int64_t n;
	bool b;

	switch (s->size) {
	case sizeof(bool):
		memcpy(&b, at, sizeof(b));
		return b;
	case sizeof(int32_t):
		memcpy(&i, at, sizeof(i));
		return i;
	default:
		assert_int_equal(s->size, sizeof(n));
		memcpy(&n, at, sizeof(n));
		return n;
	}
}

/* Returns the member of the configuration, its first account or its first source as text: "set" or "none" for a
 * secret, "none" for a missing text, the name for a choice. The caller owns it. */
static char *member_text(const struct config *c, const struct setting *s)
{
	static const struct unit times[] = {
		{"d", CLOCK_DAY_MS}, {"h", CLOCK_HOUR_MS}, {"m", CLOCK_MINUTE_MS}, {"s", CLOCK_SECOND_MS}, {"ms", 1}};
	static const struct unit sizes[] = {{"GiB", INT64_C(1) << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};
	const char *at = (s->owner == SETTING_OF_ACCOUNT  ? (const char *)&c->accounts[0]
			  : s->owner == SETTING_OF_SOURCE ? (const char *)&c->sources[0]
							  : (const char *)c) +
			 s->offset;
	const struct strings *list;
	const void *pointer;
	double number;
	int64_t n;

	assert_int_not_equal(s->owner, SETTING_OF_NONE);
	switch (s->type) {
	case SETTING_TEXT:
	case SETTING_ADDRESS:
	case SETTING_URL:
		memcpy(&pointer, at, sizeof(pointer));
		return mem_str(pointer ? pointer : "none");
	case SETTING_SECRET:
		memcpy(&pointer, at, sizeof(pointer));
		return mem_str(pointer ? "set" : "none");
	case SETTING_LIST:
		list = (const struct strings *)(const void *)at;
		return text_join((const char *const *)list->items, list->n, ", ");
	case SETTING_NUMBER:
		memcpy(&number, at, sizeof(number));
		return mem_fmt("%g", number);
	default:
		break;
	}
	n = member_integer(s, at);
	if (s->type == SETTING_DURATION)
		return n == CLOCK_NEVER_MS ? mem_str("never") : in_units(n, times);
	if (s->type == SETTING_SIZE)
		return in_units(n, sizes);
	if (s->type == SETTING_BOOLEAN)
		return mem_str(n ? "true" : "false");
	for (const struct setting_choice *choice = s->choices; choice && choice->name; choice++)
		if (choice->value == n)
			return mem_str(choice->name);
	return mem_fmt("%lld", (long long)n);
}

static void members_are(const struct config *c, const struct member *rows, size_t n)
{
	unsigned failed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct setting *s = settings_find(rows[i].setting);
		CLEANUP(mem_freep) char *text = NULL;

		assert_non_null(s);
		text = member_text(c, s);
		if (strcmp(text, rows[i].value) != 0) {
			fprintf(stderr, "%s: expected %s, found %s\n", rows[i].setting, rows[i].value, text);
			failed++;
		}
		if (rows[i].member && !text_is(s->member, rows[i].member)) {
			fprintf(stderr, "%s: expected the member %s, found %s\n", rows[i].setting, rows[i].member,
				s->member);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

/* Fails for a setting with a member that the table lacks. with_default: only settings that have a default count. */
static void table_is_whole(const struct member *rows, size_t n, bool with_default, const char *except)
{
	unsigned missing = 0;
	const struct setting *s;

	for (size_t i = 0; (s = settings_at(i)); i++) {
		bool found =
			s->owner == SETTING_OF_NONE || (with_default && !s->default_text) || text_is(except, s->name);

		for (size_t k = 0; k < n && !found; k++)
			found = strcmp(rows[k].setting, s->name) == 0;
		if (found)
			continue;
		fprintf(stderr, "%s is not in the table of this test\n", s->name);
		missing++;
	}
	assert_int_equal(missing, 0);
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

static void three_keys_are_enough_and_the_rest_has_the_documented_defaults(void **state)
{
	static const struct member rows[] = {
		{"listen.address", "127.0.0.1:8085"},
		{"listen.max_body", "1MiB"},
		{"listen.max_memory", "64MiB"},
		{"listen.max_connections", "1024"},
		{"listen.per_address", "256"},
		{"listen.timeout", "10s"},
		{"listen.idle", "150s"},
		{"listen.trusted_proxies", ""},
		{"admin.address", "127.0.0.1:8086"},
		{"admin.token", "none"},
		{"admin.hosts", ""},
		{"store.url", "sqlite:/var/lib/deskbridge/deskbridge.db"},
		{"store.retention", "7d"},
		{"store.remember", "400d"},
		{"store.max_size", "4GiB"},
		{"log.level", "info"},
		{"log.format", "auto"},
		{"log.personal_data", "false"},
		{"klaviyo.api_key", "set"},
		{"klaviyo.url", "https://a.klaviyo.com"},
		{"klaviyo.revision", KLAVIYO_REVISION_TESTED},
		{"klaviyo.quota.single.second", "350"},
		{"klaviyo.quota.single.minute", "3500"},
		{"klaviyo.quota_share", "0.8"},
		{"klaviyo.person_gap", "2s"},
		{"klaviyo.late.opened", "15m"},
		{"klaviyo.late.reopened", "15m"},
		{"klaviyo.late.closed", "1d"},
		{"klaviyo.max_age", "14d"},
		{"klaviyo.hold", "false"},
		{"sources.NAME.preset", "bearer"},
		{"sources.NAME.path", "/webhooks/bear"},
		{"sources.NAME.label", "Bear"},
		{"sources.NAME.flag", "In Bear Conversation"},
		{"sources.NAME.expire_after", "30d"},
		{"sources.NAME.settle.open", "0"},
		{"sources.NAME.settle.close", "0"},
		{"sources.NAME.emails", "all"},
		{"sources.NAME.ignore_emails", "mailer-daemon@*, noreply@*, no-reply@*"},
		{"sources.NAME.test_emails", ""},
		{"sources.NAME.keep", "matched"},
	};
	struct config *c = load(THREE_KEYS);
	const struct account *a = &c->accounts[0];
	const struct source *s = &c->sources[0];

	(void)state;
	members_are(c, ROWS(rows));
	table_is_whole(ROWS(rows), true, NULL);
	assert_int_equal(c->listen.trusted_proxies.n, 0);
	assert_false(c->listen.trusted_proxies.local);
	assert_string_equal(c->admin.token_file, "/var/lib/deskbridge/admin-token");
	assert_non_null(c->admin.generated);
	assert_string_equal(c->store.path, "/var/lib/deskbridge/deskbridge.db");
	assert_int_equal(c->accounts_n, 1);
	assert_string_equal(a->name, "default");
	assert_false(url_is_loopback(a->url));
	assert_int_equal(s->policy.accounts_n, 1);
	assert_ptr_equal(s->policy.accounts[0].account, &a->policy);
	assert_null(s->policy.accounts[0].when);
	assert_non_null(s->policy.rules);
	config_free(c);
}

static void brief_forms_mean_their_first_member(void **state)
{
	static const struct member rows[] = {
		{"listen.address", "[::1]:9"},
		{"listen.max_connections", "1024"},
		{"admin.address", "unix:/run/x.sock"},
		{"store.url", "sqlite:x/y.db"},
	};
	struct config *c = load(THREE_KEYS "listen: \"[::1]:9\"\nadmin: unix:/run/x.sock\nstore: sqlite:x/y.db\n");
	CLEANUP(mem_freep) char *path = mem_fmt("%s/x/y.db", folder.path);

	(void)state;
	members_are(c, ROWS(rows));
	assert_string_equal(c->store.path, path);
	config_free(c);
}

static void every_setting_reaches_its_member(void **state)
{
	static const struct member rows[] = {
		{"listen.address", ":8085", "config.listen.address"},
		{"listen.max_body", "2MiB", "config.listen.max_body"},
		{"listen.max_memory", "128MiB", "config.listen.max_memory"},
		{"listen.max_connections", "8", "config.listen.max_connections"},
		{"listen.per_address", "8", "config.listen.per_address"},
		{"listen.timeout", "5s", "config.listen.timeout_ms"},
		{"listen.idle", "70s", "config.listen.idle_ms"},
		{"listen.trusted_proxies", "10.0.0.0/8, ::1, unix", "config.listen.trusted_proxies"},
		{"admin.address", "127.0.0.1:1", "config.admin.address"},
		{"admin.token", "set", "config.admin.token"},
		{"admin.hosts", "a.example, [::2]:80", "config.admin.hosts"},
		{"store.url", "sqlite:/d", "config.store.url"},
		{"store.retention", "1d", "config.store.retention_ms"},
		{"store.remember", "2d", "config.store.remember_ms"},
		{"store.max_size", "1GiB", "config.store.max_size"},
		{"log.level", "debug", "config.log.level"},
		{"log.format", "json", "config.log.format"},
		{"log.personal_data", "true", "config.log.personal_data"},
		{"klaviyo.api_key", "set", "account.api_key"},
		{"klaviyo.url", "http://[::1]:80", "account.url"},
		{"klaviyo.revision", "2025-01-15", "account.revision"},
		{"klaviyo.quota.single.second", "1", "account.single.per_second"},
		{"klaviyo.quota.single.minute", "2", "account.single.per_minute"},
		{"klaviyo.quota_share", "1", "account.single.share"},
		{"klaviyo.person_gap", "500ms", "account.person_gap_ms"},
		{"klaviyo.late.opened", "never", "account.policy.late.opened_ms"},
		{"klaviyo.late.reopened", "1h", "account.policy.late.reopened_ms"},
		{"klaviyo.late.closed", "1d", "account.policy.late.closed_ms"},
		{"klaviyo.max_age", "3d", "account.max_age_ms"},
		{"klaviyo.hold", "true", "account.hold"},
		{"sources.NAME.preset", "desk", "source.preset"},
		{"sources.NAME.path", "/a", "source.path"},
		{"sources.NAME.label", "Acme", "source.policy.label"},
		{"sources.NAME.flag", "In Acme Conversation, In Support", "source.policy.flags"},
		{"sources.NAME.authenticate.user", "u", "source.auth_user"},
		{"sources.NAME.authenticate.password", "set", "source.auth_secret"},
		{"sources.NAME.authenticate.secret", "set", "source.auth_secret"}, /* the same member */
		{"sources.NAME.lookup.base_url", "https://acme.example.com", "source.lookup_base_url"},
		{"sources.NAME.lookup.user", "b@acme.com", "source.lookup_user"},
		{"sources.NAME.lookup.password", "set", "source.lookup_password"},
		{"sources.NAME.lookup.token", "set", "source.lookup_token"},
		{"sources.NAME.public_url", "https://hooks.example.com/a?b=c", "source.public_url"},
		{"sources.NAME.expire_after", "never", "source.policy.expire_after_ms"},
		{"sources.NAME.settle.open", "1m", "source.policy.settle_open_ms"},
		{"sources.NAME.settle.close", "2m", "source.policy.settle_close_ms"},
		{"sources.NAME.emails", "primary", "source.policy.emails_primary"},
		{"sources.NAME.ignore_emails", "", "source.policy.ignore_emails"},
		{"sources.NAME.test_emails", "qa.example.com", "source.policy.test_emails"},
		{"sources.NAME.keep", "all", "source.keep_all"},
	};
	struct config *c = load(
		"version: 1\n"
		"listen: {address: \":8085\", max_body: 2MiB, max_memory: 128MiB,\n"
		"  max_connections: 8, per_address: 8, timeout: 5s, idle: 70s,\n"
		"  trusted_proxies: [10.0.0.0/8, \"::1\", unix]}\n"
		"admin: {address: 127.0.0.1:1, token: [a, b], hosts: [a.example, \"[::2]:80\"]}\n"
		"store: {url: \"sqlite:/d\", retention: 1d, remember: 2d, max_size: 1GiB}\n"
		"log: {level: debug, format: json, personal_data: true}\n"
		"klaviyo:\n"
		"  accounts:\n"
		"    main: {api_key: pk_1, url: \"http://[::1]:80/\", revision: 2025-01-15, lane: single, quota_share: "
		"1,\n"
		"      quota: {single: {second: 1, minute: 2}}, person_gap: 500ms,\n"
		"      late: {opened: never, reopened: 1h}, max_age: 3d, create_profiles: true, hold: true}\n"
		"    other: {api_key: pk_2}\n"
		"sources:\n"
		"  a:\n"
		"    preset: desk\n"
		"    path: /a\n"
		"    account: [{when: {Channel: chat}, use: none}, {use: other}]\n"
		"    label: Acme\n"
		"    flag: [\"In {label} Conversation\", In Support]\n"
		"    authenticate: {user: u, password: [p1, p2]}\n"
		"    lookup: {base_url: \"https://acme.example.com//\", user: b@acme.com, password: x, token: y}\n"
		"    public_url: https://hooks.example.com/a?b=c\n"
		"    expire_after: never\n"
		"    settle: {open: 1m, close: 2m}\n"
		"    emails: primary\n"
		"    ignore_emails: []\n"
		"    test_emails: qa.example.com\n"
		"    keep: all\n");
	const struct account *a = &c->accounts[0];
	const struct source *s = &c->sources[0];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_non_null(rows[i].member);
	members_are(c, ROWS(rows));
	table_is_whole(ROWS(rows), false, "sources.NAME.lookup.ca"); /* test_authority tests it */
	assert_int_equal(c->listen.trusted_proxies.n, 2);
	assert_int_equal(c->listen.trusted_proxies.networks[0].prefix, 8);
	assert_int_equal(c->listen.trusted_proxies.networks[1].prefix, 128);
	assert_true(c->listen.trusted_proxies.local);
	assert_null(c->admin.generated);
	assert_null(c->admin.token_file);
	assert_int_equal(c->accounts_n, 2);
	assert_string_equal(a->name, "main");
	assert_true(url_is_loopback(a->url));
	assert_ptr_equal(config_account(c, "other"), &c->accounts[1]);
	assert_null(config_account(c, "default"));
	assert_int_equal(s->policy.accounts_n, 2);
	assert_non_null(s->policy.accounts[0].when);
	assert_null(s->policy.accounts[0].account);
	assert_ptr_equal(s->policy.accounts[1].account, &c->accounts[1].policy);
	assert_ptr_equal(config_source_at(c, "/a"), s);
	assert_null(config_source_at(c, "/webhooks/a"));
	assert_ptr_equal(config_source(c, "a"), s);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_keys_are_enough_and_the_rest_has_the_documented_defaults),
		cmocka_unit_test(brief_forms_mean_their_first_member),
		cmocka_unit_test(every_setting_reaches_its_member),
	};

	return cmocka_run_group_tests(tests, config_folder_setup, config_folder_teardown);
}

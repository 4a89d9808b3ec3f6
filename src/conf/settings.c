/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "conf/settings.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "conf/check.h"
#include "klaviyo/request.h"

#define MEMBER(owner_, struct_, member_)                                \
	.owner = (owner_), .offset = offsetof(struct struct_, member_), \
	.size = sizeof(((struct struct_ *)0)->member_), .member = #struct_ "." #member_
#define CONFIG(member) MEMBER(SETTING_OF_CONFIG, config, member)
#define ACCOUNT(member) MEMBER(SETTING_OF_ACCOUNT, account, member)
#define SOURCE(member) MEMBER(SETTING_OF_SOURCE, source, member)

static const struct setting_choice log_levels[] = {
	{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
	{"info", LOG_INFO}, {"debug", LOG_DEBUG},     {0},
};
static const struct setting_choice log_formats[] = {
	{"auto", LOG_FORMAT_AUTO},
	{"text", LOG_FORMAT_TEXT},
	{"json", LOG_FORMAT_JSON},
	{"journal", LOG_FORMAT_JOURNAL},
	{0},
};
static const struct setting_choice all_or_primary[] = {{"all", false}, {"primary", true}, {0}};
static const struct setting_choice matched_or_all[] = {{"matched", false}, {"all", true}, {0}};

static const struct setting table[] = {
	{"version", SETTING_INTEGER, .min = "1", .max = "1", .required = true, .example = "`version: 1`",
	 .help = "version of this format: 1"},

	{"listen", SETTING_GROUP, .scalar_member = "address", .help = "where webhooks come in"},
	{"listen.address", SETTING_ADDRESS, "127.0.0.1:8085", .restart = true, CONFIG(listen.address),
	 .help = "ADDRESS:PORT or unix:PATH; a socket passed by systemd takes its place"},
	{"listen.max_body", SETTING_SIZE, "1MiB", .min = "1KiB", .max = "64MiB", .restart = true,
	 CONFIG(listen.max_body), .help = "longer webhooks are refused with 413"},
	{"listen.max_memory", SETTING_SIZE, "64MiB", .min = "1MiB", .max = "64GiB", .restart = true,
	 CONFIG(listen.max_memory), .help = "memory for the bodies of all webhooks in progress; further ones get 503"},
	{"listen.max_connections", SETTING_INTEGER, "1024", .min = "4", .max = "65536", .restart = true,
	 CONFIG(listen.max_connections),
	 .help = "connections served at a time; each holds one webhook until it is committed"},
	{"listen.per_address", SETTING_INTEGER, "256", .min = "1", .max = "65536", .restart = true,
	 CONFIG(listen.per_address),
	 .help = "connections of one address (IPv6: a /64); loopback, unix and trusted_proxies are not counted"},
	{"listen.timeout", SETTING_DURATION, "10s", .min = "1s", .max = "1h", .restart = true,
	 CONFIG(listen.timeout_ms),
	 .help = "a client that is silent for this long, or takes three times as long for a request, is cut off; whole "
		 "seconds"},
	{"listen.idle", SETTING_DURATION, "150s", .min = "1s", .max = "1h", .restart = true, CONFIG(listen.idle_ms),
	 .help = "a connection is kept this long after the answer to a proven webhook; whole seconds"},
	{"listen.trusted_proxies", SETTING_LIST, "[]", .check = check_proxy, .restart = true,
	 CONFIG(listen.trusted_proxies),
	 .help = "proxies whose X-Forwarded-For is believed: addresses, networks, or unix"},

	{"admin", SETTING_GROUP, .scalar_member = "address",
	 .help = "where health and metrics are served, and what the commands ask"},
	{"admin.address", SETTING_ADDRESS, "127.0.0.1:8086", .restart = true, CONFIG(admin.address),
	 .help = "ADDRESS:PORT or unix:PATH"},
	{"admin.token", SETTING_SECRET, .derived = "made by the daemon", .accepts_list = true, .restart = true,
	 CONFIG(admin.token), .help = "bearer token for /api; the daemon makes one where there is none"},
	{"admin.hosts", SETTING_LIST, "[]", .check = check_host, .restart = true, CONFIG(admin.hosts),
	 .help = "names by which /api may be asked, in addition to loopback"},

	{"store", SETTING_GROUP, .scalar_member = "url", .help = "where webhooks, conversations and events are kept"},
	{"store.url", SETTING_TEXT, "sqlite:/var/lib/deskbridge/deskbridge.db", .check = check_store, .restart = true,
	 CONFIG(store.url), .help = "sqlite:PATH"},
	{"store.retention", SETTING_DURATION, "7d", .min = "1s", .max = "3650d", .restart = true,
	 CONFIG(store.retention_ms), .help = "done webhooks and delivered events are kept this long"},
	{"store.remember", SETTING_DURATION, "400d", .min = "1s", .max = "3650d", .restart = true,
	 CONFIG(store.remember_ms), .help = "closed conversations are remembered this long"},
	{"store.max_size", SETTING_SIZE, "4GiB", .min = "1MiB", .max = "1024TiB", .restart = true,
	 CONFIG(store.max_size), .help = "webhooks are refused with 503 when undone work fills this much"},

	{"log", SETTING_GROUP, .help = "what is logged, and how"},
	{"log.level", SETTING_CHOICE, "info", .choices = log_levels, CONFIG(log.level),
	 .help = "least severity that is logged"},
	{"log.format", SETTING_CHOICE, "auto", .choices = log_formats, CONFIG(log.format),
	 .help = "auto: journal fields under systemd, else text"},
	{"log.personal_data", SETTING_BOOLEAN, "false", CONFIG(log.personal_data),
	 .help = "true: e-mail addresses in full"},

	{"klaviyo", SETTING_NODE, .required = true, .example = "`klaviyo: {api_key: {credential: klaviyo-api-key}}`",
	 .help = "the Klaviyo account, or accounts"},
	{"klaviyo.accounts", SETTING_NODE,
	 .help = "several accounts by name, each with the keys below, instead of one"},
	{"klaviyo.api_key", SETTING_SECRET, .required = true, .example = "`api_key: {credential: klaviyo-api-key}`",
	 ACCOUNT(api_key), .help = "a private key with Events: Full"},
	{"klaviyo.url", SETTING_URL, "https://a.klaviyo.com", .check = check_base_url, ACCOUNT(url),
	 .help = "plain http only to loopback (the sandbox)"},
	{"klaviyo.revision", SETTING_TEXT, KLAVIYO_REVISION_TESTED, .check = check_revision, ACCOUNT(revision),
	 .help = "revision of Klaviyo's API"},
	{"klaviyo.lane", SETTING_CHOICE, "single", .only_value = "single", .also_accepts = "auto",
	 .reason = "this version sends one event a request, however long the queue is",
	 .help = "single: one event a request"},
	{"klaviyo.quota", SETTING_GROUP, .help = "Klaviyo's limits for this account, in requests"},
	{"klaviyo.quota.single", SETTING_GROUP, .help = "of the endpoint for one event"},
	{"klaviyo.quota.single.second", SETTING_INTEGER, "350", .min = "1", .max = "1000000",
	 ACCOUNT(single.per_second), .help = "requests a second"},
	{"klaviyo.quota.single.minute", SETTING_INTEGER, "3500", .min = "1", .max = "1000000",
	 ACCOUNT(single.per_minute), .help = "requests a minute"},
	{"klaviyo.quota_share", SETTING_NUMBER, "0.8", .min = "0.01", .max = "1", ACCOUNT(single.share),
	 .help = "how much of the quota is taken; all private keys of an account share it"},
	{"klaviyo.person_gap", SETTING_DURATION, "2s", .min = "0s", .max = "1h", ACCOUNT(person_gap_ms),
	 .help = "least time between two requests for a person where the flag changes"},
	{"klaviyo.late", SETTING_GROUP,
	 .help = "events that go out later than this are sent as backfill: no flow fires"},
	{"klaviyo.late.opened", SETTING_DURATION, TEXT_OF(LATE_OPENED_MINUTES) "m", .min = "0s", .max = "3650d",
	 .accepts_never = true, ACCOUNT(policy.late.opened_ms), .help = "after the opening"},
	{"klaviyo.late.reopened", SETTING_DURATION, TEXT_OF(LATE_REOPENED_MINUTES) "m", .min = "0s", .max = "3650d",
	 .accepts_never = true, ACCOUNT(policy.late.reopened_ms), .help = "after the reopening"},
	{"klaviyo.late.closed", SETTING_DURATION, TEXT_OF(LATE_CLOSED_HOURS) "h", .min = "0s", .max = "3650d",
	 .accepts_never = true, ACCOUNT(policy.late.closed_ms), .help = "after the closing"},
	{"klaviyo.max_age", SETTING_DURATION, "14d", .min = "1s", .max = "3650d", ACCOUNT(max_age_ms),
	 .help = "events still undelivered then become dead letters"},
	{"klaviyo.create_profiles", SETTING_BOOLEAN, "true", .only_value = "true",
	 .reason =
		 "this version cannot ask whether Klaviyo knows an address, so Klaviyo makes (and bills) a profile for "
		 "each new one",
	 .help = "true: Klaviyo makes a profile for an address that it does not know"},
	{"klaviyo.hold", SETTING_BOOLEAN, "false", ACCOUNT(hold), .help = "true: take and queue, send nothing"},

	{"sources", SETTING_NODE, .required = true,
	 .example = "the helpdesks, such as `sources: {gladly: {preset: gladly, authenticate: {user: deskbridge, "
		    "password: {credential: gladly-webhook}}}}`",
	 .help = "the helpdesks, by name"},
	{"sources.NAME.preset", SETTING_TEXT, SOURCE(preset), .help = "the helpdesk's definition, by name"},
	{"sources.NAME.definition", SETTING_NODE, .help = "a definition in place, or what is laid over the preset"},
	{"sources.NAME.path", SETTING_TEXT, .derived = "/webhooks/NAME", .check = check_path, SOURCE(path),
	 .help = "where its webhooks come in"},
	{"sources.NAME.account", SETTING_NODE, .derived = "the only account",
	 .help = "a Klaviyo account, or a list of {when: MATCHER, use: NAME or none}; the first that matches"},
	{"sources.NAME.label", SETTING_TEXT, .derived = "the definition's", .check = check_label, SOURCE(policy.label),
	 .help = "the {label} in metric names"},
	{"sources.NAME.flag", SETTING_LIST, "\"In {label} Conversation\"", .check = check_flag, SOURCE(policy.flags),
	 .help = "profile property that is true while a conversation is open, or a list of them"},
	{"sources.NAME.authenticate", SETTING_NODE, .derived = "the definition's",
	 .help = "how its webhooks are proven: the secrets of the definition's method, or another method"},
	{"sources.NAME.authenticate.method", SETTING_NODE, .derived = "the definition's",
	 .help = "another method than the definition's, with that method's keys; none must be written out"},
	{"sources.NAME.authenticate.user", SETTING_TEXT, SOURCE(auth_user), .help = "user name, for the method basic"},
	{"sources.NAME.authenticate.password", SETTING_SECRET, .accepts_list = true, SOURCE(auth_secret),
	 .help = "password, for the method basic; two in a list are both taken"},
	{"sources.NAME.authenticate.secret", SETTING_SECRET, .accepts_list = true, SOURCE(auth_secret),
	 .help = "secret, for all other methods; two in a list are both taken"},
	{"sources.NAME.lookup", SETTING_GROUP, .help = "how the helpdesk is asked who a customer id is"},
	{"sources.NAME.lookup.base_url", SETTING_URL, .check = check_base_url, SOURCE(lookup_base_url),
	 .help = "the helpdesk's address"},
	{"sources.NAME.lookup.user", SETTING_TEXT, SOURCE(lookup_user), .help = "user name, where it asks for one"},
	{"sources.NAME.lookup.password", SETTING_SECRET, SOURCE(lookup_password),
	 .help = "password or API token for the user"},
	{"sources.NAME.lookup.token", SETTING_SECRET, SOURCE(lookup_token),
	 .help = "API token, where there is no user"},
	{"sources.NAME.lookup.ca", SETTING_TEXT, SOURCE(lookup_ca),
	 .help = "file with the authority's certificate (PEM), for a self-hosted helpdesk"},
	{"sources.NAME.with", SETTING_NODE, .help = "values for the definition's parameters"},
	{"sources.NAME.public_url", SETTING_TEXT, .check = check_signed_url, SOURCE(public_url),
	 .help = "the URL that the vendor posts to, where it is signed"},
	{"sources.NAME.expire_after", SETTING_DURATION, "30d", .min = "1s", .max = "3650d", .accepts_never = true,
	 SOURCE(policy.expire_after_ms), .help = "a conversation open longer than this is closed as expired"},
	{"sources.NAME.settle", SETTING_GROUP, .help = "a transition counts only once it has lasted so long"},
	{"sources.NAME.settle.open", SETTING_DURATION, "0s", .min = "0s", .max = "30d", SOURCE(policy.settle_open_ms),
	 .help = "for openings and reopenings"},
	{"sources.NAME.settle.close", SETTING_DURATION, "0s", .min = "0s", .max = "30d", SOURCE(policy.settle_close_ms),
	 .help = "for closings"},
	{"sources.NAME.emails", SETTING_CHOICE, "all", .choices = all_or_primary, SOURCE(policy.emails_primary),
	 .help = "which addresses of a person with several"},
	{"sources.NAME.ignore_emails", SETTING_LIST, "[\"mailer-daemon@*\", \"noreply@*\", \"no-reply@*\"]",
	 .check = check_pattern, SOURCE(policy.ignore_emails),
	 .help = "never sent: addresses, \"noreply@*\", or a domain"},
	{"sources.NAME.test_emails", SETTING_LIST, "[]", .check = check_pattern, SOURCE(policy.test_emails),
	 .help = "sent with the property Test and as backfill"},
	{"sources.NAME.keep", SETTING_CHOICE, "matched", .choices = matched_or_all, SOURCE(keep_all),
	 .help = "all: webhooks that say nothing of interest are kept too"},
	{"sources.NAME.rules", SETTING_NODE, .derived = "[default]",
	 .help = "its rules; default is the top-level list"},

	{"rules", SETTING_NODE, .derived = "[default]", .help = "rules of all sources; default is the shipped rules"},
};

#define TABLE_N (sizeof(table) / sizeof(table[0]))

const struct setting *settings_at(size_t n)
{
	return n < TABLE_N ? &table[n] : NULL;
}

const struct setting *settings_find(const char *name)
{
	for (size_t i = 0; i < TABLE_N; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const char *setting_type_name(const struct setting *s)
{
	static const char *const names[SETTING_TYPE_MAX_] = {
		[SETTING_GROUP] = "mapping",
		[SETTING_NODE] = "mapping or list",
		[SETTING_INTEGER] = "whole number",
		[SETTING_NUMBER] = "number",
		[SETTING_BOOLEAN] = "boolean",
		[SETTING_DURATION] = "duration",
		[SETTING_SIZE] = "size",
		[SETTING_TEXT] = "text",
		[SETTING_CHOICE] = "choice",
		[SETTING_ADDRESS] = "address",
		[SETTING_URL] = "URL",
		[SETTING_LIST] = "list",
		[SETTING_SECRET] = "SECRET",
	};

	return names[s->type];
}

int settings_describe(unsigned n, const char **ret_name, const char **ret_type, const char **ret_default,
		      const char **ret_help)
{
	for (size_t i = 0; i < TABLE_N; i++) {
		const struct setting *s = &table[i];

		if (s->type == SETTING_GROUP || n-- > 0)
			continue;
		*ret_name = s->name;
		*ret_type = setting_type_name(s);
		*ret_default = s->default_text ? s->default_text
			       : s->derived    ? s->derived
			       : s->required   ? "required"
					       : "none";
		*ret_help = s->help;
		return 0;
	}
	return -ENOENT;
}

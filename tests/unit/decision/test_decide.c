/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/decide.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "conf/yaml.h"
#include "helpdesk/parse/samples.h"

/*
 * A small world in place of the store: what is kept of every conversation, and the events so far. Webhooks are written
 * as JSON, read by a definition and decided, as the pipeline does it.
 */

#define T0 INT64_C(1795276800000) /* 2026-11-21T16:00:00Z */
#define WORLD_MAX 16
#define EVENTS_MAX 256
#define GLADLY_FLAG "In Gladly Conversation"

struct conversation {
	const struct source_policy *source;
	char id[16];
	struct ledger_entry entry;
	struct reached_list reached;
};

struct world {
	struct conversation conversations[WORLD_MAX];
	size_t n;
	struct decision last;
	struct event events[EVENTS_MAX]; /* of all decisions, in order */
	size_t events_n;
	int64_t now_ms, next_webhook;
	int64_t waits_ms; /* between receipt and decision */
	struct buf *explain;
	const struct account_policy *spare; /* an account that no source names; NULL: none */
	bool view_fails;
};

/* ---- sources ----------------------------------------------------------------------------------------------------- */

static const char definition_yaml[] = "label: Gladly\n"
				      "authenticate: {method: none}\n"
				      "opened: {/type: opened}\n"
				      "reopened: {/type: reopened}\n"
				      "closed: {/type: closed}\n"
				      "identified: {/type: identified}\n"
				      "conversation: /conversation\n"
				      "time: /time\n"
				      "emails: /emails/*\n"
				      "primary: /primary/*\n"
				      "attributes:\n"
				      "  Inbox ID: /inbox\n"
				      "  Initiated By: /by\n"
				      "  Channel: /channel\n"
				      "  Tags: /tags/*\n"
				      "  Reason: /reason\n";
static const char state_yaml[] = "reports: state\ncreated: /created\nclosed_at: /closed_at\n";

static struct account_policy main_account = {
	.name = "default",
	.url = "https://a.klaviyo.com",
	.late = {.opened_ms = 15 * CLOCK_MINUTE_MS, .reopened_ms = 16 * CLOCK_MINUTE_MS, .closed_ms = CLOCK_DAY_MS},
};
static struct account_policy other_account = {
	.name = "other",
	.url = "https://other.example.com",
	.late = {.opened_ms = 1, .reopened_ms = 2, .closed_ms = 3},
};

static struct node *tree_of(const char *text)
{
	struct problems problems = {0};
	struct node *tree = NULL;
	int r = yaml_load("test", text, strlen(text), &tree, &problems);

	problems_print(&problems, stderr);
	assert_int_equal(r, 0);
	problems_done(&problems);
	return tree;
}

static struct matcher *matcher_of(const char *text)
{
	struct problems problems = {0};
	struct node *tree = tree_of(text);
	struct matcher *m = matcher_compile(tree, REFERENCE_NAMES, &problems);

	problems_print(&problems, stderr);
	assert_non_null(m);
	problems_done(&problems);
	node_free(tree);
	return m;
}

static void set_list(struct strings *l, const char *items) /* blank between them; "_" is a blank in one */
{
	char *copy = mem_str(items), *at = copy, *item;

	while ((item = strsep(&at, " "))) {
		for (char *c = item; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		strings_add(l, item);
	}
	free(copy);
}

struct desk {
	struct source_policy source;
	struct definition *definition;
	struct account_choice choices[3];
	struct node *trees[2]; /* rules may point into theirs */
};

/* rules: YAML, NULL: the shipped ones. */
static struct source_policy *desk_open(struct desk *d, const char *name, const char *more_definition, const char *rules,
				       const char *flags)
{
	struct problems problems = {0};
	struct source_policy *s = &d->source;
	struct definition_binding binding = {0};
	char *text = mem_fmt("%s%s", definition_yaml, more_definition);

	*d = (struct desk){.choices = {{.account = &main_account}}};
	d->trees[0] = tree_of(text);
	d->trees[1] = rules ? tree_of(rules) : NULL;
	s->name = name;
	s->label = mem_str("Gladly");
	s->definition = d->definition = definition_read(d->trees[0], &binding, &problems);
	s->rules = rules_compile(d->trees[1], NULL, &problems);
	problems_print(&problems, stderr);
	assert_non_null(s->definition);
	assert_non_null(s->rules);
	problems_done(&problems);
	set_list(&s->flags, flags);
	s->accounts = d->choices;
	s->accounts_n = 1;
	s->expire_after_ms = 30 * CLOCK_DAY_MS;
	free(text);
	return s;
}

static struct source_policy *desk_plain(struct desk *d, const char *rules)
{
	return desk_open(d, "gladly", "", rules, "In_Gladly_Conversation");
}

static void desk_close(struct desk *d)
{
	for (size_t i = 0; i < 3; i++)
		matcher_free(d->choices[i].when);
	free(d->source.label);
	definition_free(d->definition);
	rules_free(d->source.rules);
	strings_done(&d->source.flags);
	strings_done(&d->source.ignore_emails);
	strings_done(&d->source.test_emails);
	node_free(d->trees[0]);
	node_free(d->trees[1]);
}

/* ---- the world --------------------------------------------------------------------------------------------------- */

struct view {
	struct world *world;
	const struct conversation *self;
	const struct source_policy *source;
};

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct view *v = ctx;

	for (size_t i = 0; i < v->source->accounts_n; i++)
		if (v->source->accounts[i].account && strcmp(v->source->accounts[i].account->name, name) == 0)
			return v->source->accounts[i].account;
	return v->world->spare;
}

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	struct view *v = ctx;

	if (v->world->view_fails)
		return err_set(reterr, -EIO, "the store is gone");
	*ret = 0;
	for (size_t i = 0; i < v->world->n; i++) {
		const struct conversation *c = &v->world->conversations[i];

		if (c != v->self && c->entry.state == LEDGER_OPEN && reached_has(&c->reached, account, email, flag))
			(*ret)++;
	}
	return 0;
}

static struct conversation *world_find(struct world *w, const struct source_policy *s, const char *id)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->conversations[i].source == s && strcmp(w->conversations[i].id, id) == 0)
			return &w->conversations[i];
	assert_true(w->n < WORLD_MAX);
	struct conversation *c = &w->conversations[w->n++];

	c->source = s;
	(void)snprintf(c->id, sizeof(c->id), "%s", id);
	return c;
}

static struct event event_copy(const struct event *e)
{
	struct event copy = *e;

	copy.account = mem_str(e->account);
	copy.url = mem_str(e->url);
	copy.email = mem_str(e->email);
	copy.metric = mem_str(e->metric);
	copy.source = mem_str(e->source);
	copy.conversation = mem_str(e->conversation);
	copy.properties = mem_str(e->properties);
	copy.profile = mem_str(e->profile);
	copy.reason = mem_str(e->reason);
	return copy;
}

static void world_keep(struct world *w, struct conversation *c)
{
	c->entry = w->last.entry;
	reached_clear(&c->reached);
	reached_copy(&c->reached, &w->last.reached);
	for (size_t i = 0; i < w->last.events_n; i++) {
		assert_true(w->events_n < EVENTS_MAX);
		w->events[w->events_n++] = event_copy(&w->last.events[i]);
	}
}

static int try_decide(struct world *w, struct decide_input *in, struct conversation *c, struct err *reterr)
{
	struct view view = {.world = w, .self = c, .source = in->source};

	decision_done(&w->last);
	in->conversation = c->id;
	in->entry = &c->entry;
	in->reached = &c->reached;
	in->now_ms = w->now_ms + w->waits_ms;
	in->queries = (struct decide_queries){.account = account, .flag_count = flag_count, .ctx = &view};
	in->explain = w->explain;
	return decide(in, &w->last, reterr);
}

/* json: with ' for ". Received at w->now_ms, which a second passes after. keep: as after a commit. */
static int try_post(struct world *w, const struct source_policy *s, const char *json, bool keep, struct err *reterr)
{
	struct webhook webhook = {.id = ++w->next_webhook,
				  .source = mem_str(s->name),
				  .received_ms = w->now_ms,
				  .path = mem_str("/webhooks/gladly"),
				  .query = mem_str(""),
				  .body = mem_str(json)};
	struct decide_input in = {.source = s};
	struct conversation *c;
	struct parsed_webhook *parsed;
	int r;

	for (char *at = webhook.body; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	webhook.body_len = strlen(webhook.body);
	in.webhook = parsed = parsed_webhook_new(s->definition, &webhook, NULL, 0);
	if (parsed->result.kind != PARSE_SIGNAL)
		fail_msg("not a signal: %s: %s", json, parsed->result.reason);
	c = world_find(w, s, parsed->result.signal.conversation);
	r = try_decide(w, &in, c, reterr);
	if (r == 0 && keep)
		world_keep(w, c);
	parsed_webhook_free(parsed);
	w->now_ms += CLOCK_SECOND_MS;
	return r;
}

static const struct decision *post(struct world *w, const struct source_policy *s, const char *json)
{
	struct err err;

	if (try_post(w, s, json, true, &err) != 0)
		fail_msg("%s", err.text);
	return &w->last;
}

/* The usual webhook: type, conversation, milliseconds after T0, further members. */
static const struct decision *say_ms(struct world *w, const struct source_policy *s, const char *type,
				     const char *conversation, int64_t at_ms, const char *more)
{
	char json[600];

	(void)snprintf(json, sizeof(json), "{'type':'%s','conversation':'%s','time':%" PRId64 "%s%s}", type,
		       conversation, T0 + at_ms, *more ? "," : "", more);
	return post(w, s, json);
}

/* The same with seconds after T0. */
static const struct decision *say(struct world *w, const struct source_policy *s, const char *type,
				  const char *conversation, int at, const char *more)
{
	return say_ms(w, s, type, conversation, at * CLOCK_SECOND_MS, more);
}

#define JO "'emails':['jo@example.com']"
#define JO_AND_AL "'emails':['jo@example.com','al@example.org']"

static const struct decision *expire(struct world *w, const struct source_policy *s, const char *conversation)
{
	struct decide_input in = {.source = s};
	struct conversation *c = world_find(w, s, conversation);
	struct err err;

	if (try_decide(w, &in, c, &err) != 0)
		fail_msg("%s", err.text);
	world_keep(w, c);
	return &w->last;
}

static void world_start(struct world *w)
{
	*w = (struct world){.now_ms = T0 + CLOCK_HOUR_MS};
}

static void world_end(struct world *w)
{
	decision_done(&w->last);
	for (size_t i = 0; i < w->n; i++)
		reached_clear(&w->conversations[i].reached);
	for (size_t i = 0; i < w->events_n; i++)
		event_done(&w->events[i]);
}

/* What stands under a name in a JSON text, as text; "-" where nothing does. Three answers may be in use at once. */
static const char *member(const char *json, const char *name)
{
	static char answers[3][300];
	static int turn;
	struct json_object *o = NULL, *value;
	char *text;
	char *to = answers[turn = (turn + 1) % 3];

	assert_int_equal(json_read(json, strlen(json), &o, NULL), 0);
	(void)snprintf(to, sizeof(answers[0]), "-");
	if (json_object_object_get_ex(o, name, &value)) {
		text = json_scalar(value);
		if (!text)
			text = json_text(value);
		(void)snprintf(to, sizeof(answers[0]), "%s", text);
		free(text);
	}
	json_object_put(o);
	return to;
}

#define PROPERTY(d, i, name) member((d)->events[i].properties, name)
#define FLAG(d, i) member((d)->events[i].profile, GLADLY_FLAG)

/* ---- what an event says ------------------------------------------------------------------------------------------ */

static void an_opening_makes_the_documented_event(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1], *want;

	(void)unused;
	world_start(&w);
	w.waits_ms = 700; /* a lookup */
	d = say(&w, s, "opened", "c1", 0, JO ",'channel':'chat','tags':['a','b'],'by':'customer','inbox':'7'");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_null(d->detail);
	assert_int_equal(d->events_n, 1);
	event_unique_id(id, "gladly", "c1", TRANSITION_OPENED, true, T0, 0, "started conversation in Gladly",
			"jo@example.com");
	want = mem_fmt(
		"{\"Helpdesk\":\"Gladly\",\"Conversation ID\":\"c1\",\"Channel\":\"chat\",\"Tags\":[\"a\",\"b\"],"
		"\"Initiated By\":\"customer\",\"Inbox ID\":\"7\",\"Opened At\":\"2026-11-21T16:00:00Z\","
		"\"Reopen Count\":0,\"Open Conversations\":1,\"Event ID\":\"%s\"}",
		id);
	assert_string_equal(d->events[0].properties, want);
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":true}");
	assert_string_equal(d->events[0].unique_id, id);
	assert_string_equal(d->events[0].metric, "started conversation in Gladly");
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(d->events[0].account, "default");
	assert_string_equal(d->events[0].url, "https://a.klaviyo.com");
	assert_string_equal(d->events[0].source, "gladly");
	assert_string_equal(d->events[0].conversation, "c1");
	assert_int_equal(d->events[0].webhook, 1);
	assert_int_equal(d->events[0].transition, TRANSITION_OPENED);
	assert_int_equal(d->events[0].time_ms, T0);
	assert_int_equal(d->events[0].received_ms, T0 + CLOCK_HOUR_MS);
	assert_int_equal(d->events[0].created_ms, T0 + CLOCK_HOUR_MS + 700);
	assert_int_equal(d->events[0].late_ms, 15 * CLOCK_MINUTE_MS);
	assert_false(d->events[0].backfill);
	assert_false(d->events[0].has_value);
	assert_int_equal(d->events[0].state, EVENT_READY);
	free(want);
	world_end(&w);
	desk_close(&desk);
}

static void a_closing_tells_how_long_it_took(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO);
	(void)say(&w, s, "closed", "c1", 100, "");
	d = say(&w, s, "reopened", "c1", 600, JO);
	assert_string_equal(d->events[0].metric, "reopened conversation in Gladly");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:10:00Z");
	assert_string_equal(PROPERTY(d, 0, "Reopen Count"), "1");
	assert_string_equal(PROPERTY(d, 0, "Closed At"), "-");
	assert_int_equal(d->events[0].late_ms, 16 * CLOCK_MINUTE_MS);
	assert_string_equal(FLAG(d, 0), "true");
	d = say(&w, s, "closed", "c1", 900, "'reason':'solved'"); /* no address of its own: those reached */
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:10:00Z");
	assert_string_equal(PROPERTY(d, 0, "Closed At"), "2026-11-21T16:15:00Z");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "300");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "900");
	assert_string_equal(PROPERTY(d, 0, "Reopen Count"), "1");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "0");
	assert_string_equal(PROPERTY(d, 0, "Reason"), "solved");
	assert_string_equal(FLAG(d, 0), "false");
	assert_int_equal(d->events[0].late_ms, CLOCK_DAY_MS);
	world_end(&w);
	desk_close(&desk);
}

static void absent_facts_are_left_out(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "closed", "c1", 0, JO ",'channel':null");
	assert_int_equal(d->events_n, 1);
	assert_null(strstr(d->events[0].properties, "null"));
	assert_string_equal(PROPERTY(d, 0, "Channel"), "-");
	assert_string_equal(PROPERTY(d, 0, "Reason"), "-");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "-");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Conversation URL"), "-");
	assert_string_equal(PROPERTY(d, 0, "Closed At"), "2026-11-21T16:00:00Z");
	assert_string_equal(PROPERTY(d, 0, "Event ID"), d->events[0].unique_id);
	world_end(&w);
	desk_close(&desk);
}

static void the_url_of_the_conversation_is_told_where_it_is_known(void **unused)
{
	struct desk desk;
	struct source_policy *s =
		desk_open(&desk, "gladly", "conversation_url: \"https://desk.example.com/{/conversation}\"\n", NULL,
			  "In_Gladly_Conversation");
	struct world w;

	(void)unused;
	world_start(&w);
	assert_string_equal(PROPERTY(say(&w, s, "opened", "c1", 0, JO), 0, "Conversation URL"),
			    "https://desk.example.com/c1");
	world_end(&w);
	desk_close(&desk);
}

static void a_time_that_runs_backwards_is_no_fact(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 7200, JO); /* the desk's clock was an hour ahead, then was set right */
	d = say(&w, s, "closed", "c1", 3601, "");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_string_equal(FLAG(d, 0), "false");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "-");
	world_end(&w);
	desk_close(&desk);
}

/* The times of an event are whole seconds, rounded down; the durations are what a reader of it computes from them. */
static void durations_are_the_differences_of_the_shown_times(void **unused)
{
	static const struct {
		int64_t opened_ms, closed_ms;
		const char *opened, *closed, *seconds;
	} cases[] = {
		{1900, 3000, "2026-11-21T16:00:01Z", "2026-11-21T16:00:03Z", "2"},
		{1000, 3999, "2026-11-21T16:00:01Z", "2026-11-21T16:00:03Z", "2"},
		{1999, 2000, "2026-11-21T16:00:01Z", "2026-11-21T16:00:02Z", "1"},
		{2000, 2999, "2026-11-21T16:00:02Z", "2026-11-21T16:00:02Z", "0"},
		{2999, 2999, "2026-11-21T16:00:02Z", "2026-11-21T16:00:02Z", "0"},
		{2999, 2001, "-", "2026-11-21T16:00:02Z", "-"}, /* out of order: which opening it ended is not known */
		{3000, 2999, "-", "2026-11-21T16:00:02Z", "-"},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;
		const struct decision *d;

		world_start(&w);
		(void)say_ms(&w, s, "opened", "c1", cases[i].opened_ms, JO);
		d = say_ms(&w, s, "closed", "c1", cases[i].closed_ms, "");
		assert_int_equal(d->events_n, 1);
		assert_string_equal(PROPERTY(d, 0, "Opened At"), cases[i].opened);
		assert_string_equal(PROPERTY(d, 0, "Closed At"), cases[i].closed);
		assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), cases[i].seconds);
		assert_string_equal(PROPERTY(d, 0, "Total Seconds"), cases[i].seconds);
		world_end(&w);
	}
	desk_close(&desk);
}

static void durations_after_a_reopening_run_from_the_openings_that_were_shown(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	s->expire_after_ms = CLOCK_DAY_MS;
	world_start(&w);
	d = say_ms(&w, s, "opened", "c1", 1900, JO);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:01Z");
	(void)say_ms(&w, s, "closed", "c1", 5000, "");
	d = say_ms(&w, s, "reopened", "c1", 7800, JO);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:07Z");
	d = say_ms(&w, s, "closed", "c1", 9100, "");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "2");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "8");
	d = say_ms(&w, s, "closed", "c1", 6000, ""); /* history: which opening it ended is not known */
	assert_int_equal(d->result, DECIDE_HISTORY);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "-");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "5");
	(void)say_ms(&w, s, "reopened", "c1", 11900, JO);
	w.now_ms += 2 * CLOCK_DAY_MS;
	d = expire(&w, s, "c1"); /* a day after the receipt, which was an hour and five seconds after T0 */
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:11Z");
	assert_string_equal(PROPERTY(d, 0, "Closed At"), "2026-11-22T17:00:05Z");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "89994");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "90004");
	world_end(&w);
	desk_close(&desk);
}

static void a_rule_reads_the_duration_that_the_event_shows(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(
		&desk, "[default, {on: closed, when: {Resolution Seconds: 2}, send: \"quick {Resolution Seconds}\"}]");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say_ms(&w, s, "opened", "c1", 1900, JO);
	d = say_ms(&w, s, "closed", "c1", 3000, "");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[1].metric, "quick 2");
	world_end(&w);
	desk_close(&desk);
}

static void a_webhook_without_time_goes_by_its_receipt(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	world_start(&w);
	d = post(&w, s, "{'type':'opened','conversation':'c1'," JO "}");
	event_unique_id(id, "gladly", "c1", TRANSITION_OPENED, false, 0, T0 + CLOCK_HOUR_MS,
			"started conversation in Gladly", "jo@example.com");
	assert_string_equal(d->events[0].unique_id, id);
	assert_int_equal(d->events[0].time_ms, T0 + CLOCK_HOUR_MS);
	/* The same where the address comes late. */
	(void)post(&w, s, "{'type':'opened','conversation':'c2'}");
	event_unique_id(id, "gladly", "c2", TRANSITION_OPENED, false, 0, T0 + CLOCK_HOUR_MS + CLOCK_SECOND_MS,
			"started conversation in Gladly", "jo@example.com");
	d = post(&w, s, "{'type':'identified','conversation':'c2'," JO "}");
	assert_string_equal(d->events[0].unique_id, id);
	world_end(&w);
	desk_close(&desk);
}

static void a_repeat_before_the_commit_makes_the_same_events(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	char first[EVENT_UNIQUE_ID_LEN + 1];
	struct err err;
	static const char *const json[] = {"{'type':'opened','conversation':'c1','time':1795276800," JO_AND_AL "}",
					   "{'type':'closed','conversation':'c1','time':1795276900}"};

	(void)unused;
	world_start(&w);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(try_post(&w, s, json[i], false, &err), 0);
		assert_int_equal(w.last.events_n, 2);
		memcpy(first, w.last.events[1].unique_id, sizeof(first));
		assert_int_equal(try_post(&w, s, json[i], true, &err), 0);
		assert_int_equal(w.last.events_n, 2);
		assert_string_equal(first, w.last.events[1].unique_id);
		/* After the commit it is a duplicate. */
		assert_int_equal(post(&w, s, json[i])->result, DECIDE_DUPLICATE);
		assert_int_equal(w.last.events_n, 0);
	}
	world_end(&w);
	desk_close(&desk);
}

/* ---- the flag ---------------------------------------------------------------------------------------------------- */

static bool is_waiting(const struct world *w, const char *email)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->conversations[i].entry.state == LEDGER_OPEN &&
		    reached_has(&w->conversations[i].reached, "default", email, GLADLY_FLAG))
			return true;
	return false;
}

/* The last event of each address has the flag as the ledger has it. */
static void check_flags(const struct world *w, const char *what)
{
	static const char *const emails[] = {"jo@example.com", "al@example.org"};

	for (size_t k = 0; k < 2; k++) {
		const struct event *last = NULL;

		for (size_t i = 0; i < w->events_n; i++)
			if (strcmp(w->events[i].email, emails[k]) == 0)
				last = &w->events[i];
		if (!last ? is_waiting(w, emails[k])
			  : strcmp(member(last->profile, GLADLY_FLAG), is_waiting(w, emails[k]) ? "true" : "false"))
			fail_msg("%s: the flag of %s is wrong at the end of %s", what, emails[k],
				 last ? last->profile : "nothing");
	}
}

static void two_conversations_keep_the_flag_until_both_are_closed(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO_AND_AL);
	d = say(&w, s, "opened", "c2", 10, JO_AND_AL);
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(d->events[1].email, "al@example.org");
	assert_string_equal(PROPERTY(d, 1, "Open Conversations"), "2");
	d = say(&w, s, "closed", "c1", 20, JO);
	assert_int_equal(d->events_n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(FLAG(d, i), "true");
		assert_string_equal(PROPERTY(d, i, "Open Conversations"), "1");
	}
	d = say(&w, s, "closed", "c2", 30, JO);
	assert_int_equal(d->events_n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(FLAG(d, i), "false");
		assert_string_equal(PROPERTY(d, i, "Open Conversations"), "0");
	}
	world_end(&w);
	desk_close(&desk);
}

struct told {
	const char *type, *conversation;
	int at;
	const char *more;
};

/* Plays them in the order-th of all orders and looks at the flags after each. */
static void play_order(const struct source_policy *s, const struct told *all, size_t n, unsigned order)
{
	size_t left[8], left_n = n;
	struct world w;
	char what[200] = "";

	for (size_t i = 0; i < n; i++)
		left[i] = i;
	world_start(&w);
	while (left_n > 0) {
		size_t k = order % left_n;
		const struct told *t = &all[left[k]];

		order /= (unsigned)left_n;
		left[k] = left[--left_n];
		(void)say(&w, s, t->type, t->conversation, t->at, t->more);
		(void)snprintf(what + strlen(what), sizeof(what) - strlen(what), " %s(%s)", t->type, t->conversation);
		check_flags(&w, what);
	}
	for (size_t i = 0; i < w.n; i++)
		if (w.conversations[i].entry.state != LEDGER_CLOSED)
			fail_msg("%s: %s does not end closed", what, w.conversations[i].id);
	for (size_t i = 0; i < w.events_n; i++) /* each once */
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(w.events[i].unique_id, w.events[k].unique_id);
	world_end(&w);
}

static void the_flag_ends_right_in_every_order_of_arrival(void **unused)
{
	static const struct told two[] = {
		{"opened", "c1", 0, JO_AND_AL},
		{"opened", "c2", 10, JO_AND_AL},
		{"closed", "c1", 20, JO_AND_AL},
		{"closed", "c2", 30, JO_AND_AL},
	};
	static const struct told more[] = {
		{"opened", "c1", 0, JO},           {"opened", "c2", 10, JO_AND_AL}, {"closed", "c1", 20, JO_AND_AL},
		{"reopened", "c1", 25, JO_AND_AL}, {"closed", "c2", 30, ""},        {"closed", "c1", 40, JO},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	for (unsigned order = 0; order < 24; order++)
		play_order(s, two, 4, order);
	for (unsigned order = 0; order < 720; order++)
		play_order(s, more, 6, order);
	desk_close(&desk);
}

static void flags_are_counted_over_all_sources(void **unused)
{
	struct desk a, b;
	struct source_policy *gladly =
		desk_open(&a, "gladly", "", NULL, "In_Gladly_Conversation In_Support_Conversation");
	struct source_policy *zendesk = desk_open(&b, "zendesk", "", NULL, "In_Support_Conversation");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, gladly, "opened", "1", 0, JO);
	assert_string_equal(d->events[0].profile, "{\"In Gladly Conversation\":true,\"In Support Conversation\":true}");
	d = say(&w, zendesk, "opened", "1", 1, JO); /* the same id, of another source */
	assert_string_equal(d->events[0].profile, "{\"In Support Conversation\":true}");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "2");
	d = say(&w, gladly, "closed", "1", 2, "");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].profile,
			    "{\"In Gladly Conversation\":false,\"In Support Conversation\":true}");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "0"); /* of the first flag */
	d = say(&w, zendesk, "closed", "1", 3, "");
	assert_string_equal(d->events[0].profile, "{\"In Support Conversation\":false}");
	world_end(&w);
	desk_close(&a);
	desk_close(&b);
}

static void a_flag_that_was_renamed_is_taken_back_by_its_old_name(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO);
	free(s->flags.items[0]);
	s->flags.items[0] = mem_str("Waiting");
	d = say(&w, s, "closed", "c1", 1, "");
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":false}");
	world_end(&w);
	desk_close(&desk);
}

/* ---- whom it reaches --------------------------------------------------------------------------------------------- */

static void ignored_addresses_get_nothing(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	set_list(&s->ignore_emails, "noreply@* acme.com");
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, "'emails':['noreply@example.com','sam@acme.com']");
	assert_int_equal(d->result, DECIDE_IGNORED);
	assert_string_equal(d->detail, "n***@example.com is in ignore_emails; s***@acme.com is in ignore_emails");
	assert_int_equal(d->events_n, 0);
	assert_int_equal(d->reached.n, 0);
	assert_true(d->entry.addressed); /* not "no address yet" */
	assert_int_equal(say(&w, s, "identified", "c1", 1, JO)->result, DECIDE_NOTHING);
	d = say(&w, s, "closed", "c1", 2, JO);
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_int_equal(d->events_n, 0);
	/* One of two. */
	d = say(&w, s, "opened", "c2", 3, "'emails':['sam@acme.com','jo@example.com']");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].email, "jo@example.com");
	/* Whom an opening reached gets the closing, whatever the list says by then. */
	set_list(&s->ignore_emails, "example.com");
	d = say(&w, s, "closed", "c2", 4, "");
	assert_int_equal(d->events_n, 1);
	world_end(&w);
	desk_close(&desk);
}

static void only_the_primary_address_where_so_configured(void **unused)
{
	static const struct {
		const char *more, *want;
	} cases[] = {
		{"'emails':['jo@example.com','al@example.org'],'primary':[false,true]", "al@example.org"},
		{"'emails':['jo@example.com','al@example.org'],'primary':[false,false]", "jo@example.com"},
		{"'emails':['jo@example.com','al@example.org']", "jo@example.com"},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	s->emails_primary = true;
	for (size_t i = 0; i < 3; i++) {
		struct world w;
		const struct decision *d;

		world_start(&w);
		d = say(&w, s, "opened", "c1", 0, cases[i].more);
		assert_int_equal(d->events_n, 1);
		assert_string_equal(d->events[0].email, cases[i].want);
		assert_int_equal(d->reached.n, 1);
		world_end(&w);
	}
	desk_close(&desk);
}

static void test_addresses_are_marked_and_never_start_a_flow(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	set_list(&s->test_emails, "al@example.org");
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO_AND_AL);
	assert_string_equal(PROPERTY(d, 0, "Test"), "-");
	assert_false(d->events[0].backfill);
	assert_string_equal(PROPERTY(d, 1, "Test"), "true");
	assert_true(d->events[1].backfill);
	d = say(&w, s, "closed", "c1", 1, "");
	assert_string_equal(PROPERTY(d, 1, "Test"), "true");
	assert_true(d->events[1].backfill);
	world_end(&w);
	desk_close(&desk);
}

static void the_account_is_chosen_at_the_opening_and_kept(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	s->accounts_n = 3;
	desk.choices[0] = (struct account_choice){.when = matcher_of("channel: chat"), .account = &other_account};
	desk.choices[1] = (struct account_choice){.when = matcher_of("/inbox: 7"), .account = NULL};
	desk.choices[2] = (struct account_choice){.account = &main_account};
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO ",'channel':'Chat'");
	assert_string_equal(d->events[0].account, "other");
	assert_string_equal(d->events[0].url, "https://other.example.com");
	assert_int_equal(d->events[0].late_ms, 1);
	d = say(&w, s, "closed", "c1", 1, "'channel':'email'");
	assert_string_equal(d->events[0].account, "other");
	assert_int_equal(d->events[0].late_ms, 3);
	d = say(&w, s, "reopened", "c1", 2, JO ",'channel':'email'"); /* chosen anew */
	assert_string_equal(d->events[0].account, "default");
	assert_int_equal(d->reached.n, 1);
	d = say(&w, s, "closed", "c1", 3, "'channel':'chat'");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].account, "default");
	d = say(&w, s, "opened", "c2", 4, JO ",'inbox':'7'");
	assert_int_equal(d->result, DECIDE_IGNORED);
	assert_string_equal(d->detail, "j***@example.com has no account");
	s->accounts_n = 2; /* and none holds */
	d = say(&w, s, "opened", "c3", 5, JO);
	assert_int_equal(d->result, DECIDE_IGNORED);
	world_end(&w);
	desk_close(&desk);
}

static void the_same_person_in_two_accounts_has_two_flags(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	s->accounts_n = 2;
	desk.choices[0] = (struct account_choice){.when = matcher_of("Channel: chat"), .account = &other_account};
	desk.choices[1] = (struct account_choice){.account = &main_account};
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO ",'channel':'chat'");
	d = say(&w, s, "opened", "c2", 1, JO);
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "1");
	d = say(&w, s, "closed", "c1", 2, "");
	assert_string_equal(d->events[0].account, "other");
	assert_string_equal(FLAG(d, 0), "false");
	world_end(&w);
	desk_close(&desk);
}

static void reached_in_two_accounts_gets_the_closing_in_both(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO);
	reached_add(&w.conversations[0].reached, "other", "jo@example.com", GLADLY_FLAG);
	reached_add(&w.conversations[0].reached, "default", "jo@example.com", "Waiting");
	d = say(&w, s, "closed", "c1", 1, "");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[0].account, "default");
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":false,\"Waiting\":false}");
	assert_string_equal(d->events[1].account, "other");
	assert_string_equal(d->events[1].profile, "{\"" GLADLY_FLAG "\":false}");
	assert_string_equal(d->events[0].unique_id, d->events[1].unique_id);
	world_end(&w);
	desk_close(&desk);
}

static void a_closing_waits_for_an_account_that_is_gone(void **unused)
{
	const struct account_policy spare = {.name = "other", .url = "https://new.example.com"};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	desk.choices[0].account = &other_account;
	(void)say(&w, s, "opened", "c1", 0, JO);
	(void)say(&w, s, "opened", "c2", 0, JO);
	desk.choices[0].account = &main_account;
	d = say(&w, s, "closed", "c1", 1, "");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].account, "other");
	assert_string_equal(d->events[0].url, "");
	assert_int_equal(d->events[0].late_ms, CLOCK_DAY_MS);
	w.spare = &spare; /* this source does not name it any more, yet it is there */
	d = say(&w, s, "closed", "c2", 1, "");
	assert_string_equal(d->events[0].url, "https://new.example.com");
	world_end(&w);
	desk_close(&desk);
}

/* ---- no address yet ---------------------------------------------------------------------------------------------- */

static void an_opening_without_address_is_made_good(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, "'emails':['','no address',null]");
	assert_int_equal(d->result, DECIDE_NO_ADDRESS);
	assert_int_equal(d->events_n, 0);
	assert_int_equal(d->entry.state, LEDGER_OPEN);
	d = say(&w, s, "identified", "c1", 50, JO);
	assert_int_equal(d->result, DECIDE_EVENTS);
	event_unique_id(id, "gladly", "c1", TRANSITION_OPENED, true, T0, 0, "started conversation in Gladly",
			"jo@example.com");
	assert_string_equal(d->events[0].unique_id, id);
	assert_int_equal(d->events[0].time_ms, T0);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:00Z");
	assert_string_equal(FLAG(d, 0), "true");
	d = say(&w, s, "closed", "c1", 40, ""); /* older than the address, newer than the opening */
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_string_equal(d->events[0].email, "jo@example.com");
	world_end(&w);
	desk_close(&desk);
}

static void a_closing_that_brings_the_first_address_goes_to_it(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	set_list(&s->ignore_emails, "acme.com");
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, "");
	d = say(&w, s, "closed", "c1", 60, "'emails':['sam@acme.com','jo@example.com']");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "60");
	assert_string_equal(FLAG(d, 0), "false");
	assert_int_equal(d->reached.n, 0);
	(void)say(&w, s, "opened", "c2", 0, "");
	d = say(&w, s, "closed", "c2", 60, "");
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_string_equal(d->detail, "no well-formed address came with it");
	d = say(&w, s, "opened", "c3", 0, "'emails':['kim@example','+49 170 1234567']");
	assert_int_equal(d->result, DECIDE_NO_ADDRESS);
	assert_string_equal(d->detail, "no well-formed address came with it, but *** (no at sign), k***@example (no "
				       "domain dot)");
	world_end(&w);
	desk_close(&desk);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static void a_dropped_opening_reaches_nobody(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, "- when: {Initiated By: agent}\n  drop: outbound\n- default\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 10, JO ",'by':'agent'");
	assert_int_equal(d->result, DECIDE_DROPPED);
	assert_string_equal(d->detail, "outbound");
	assert_int_equal(d->events_n, 0);
	assert_int_equal(d->reached.n, 0);
	assert_true(d->entry.addressed);
	assert_int_equal(say(&w, s, "identified", "c1", 11, JO)->events_n, 0);
	d = say(&w, s, "closed", "c1", 12, JO);
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_string_equal(d->detail, "its opening reached nobody");
	assert_int_equal(d->events_n, 0);
	d = say(&w, s, "closed", "c1", 5, JO); /* history of a dropped one */
	assert_int_equal(d->events_n, 0);
	/* A closing of an unknown one may be dropped. */
	assert_int_equal(say(&w, s, "closed", "c2", 12, JO ",'by':'agent'")->result, DECIDE_DROPPED);
	/* One that has someone to reach may not. */
	(void)say(&w, s, "opened", "c3", 10, JO ",'by':'customer'");
	d = say(&w, s, "closed", "c3", 12, "'by':'agent'");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	world_end(&w);
	desk_close(&desk);
}

static void what_no_rule_sends_reaches_and_is_closed_by_the_shipped_rule(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, "- on: opened\n  when: {Channel: chat}\n  send: \"chat\"\n"
						    "- on: closed\n  when: {Channel: chat}\n  send: \"chat closed\"\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO ",'channel':'email'");
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_string_equal(d->detail, "no rule sends for it");
	assert_int_equal(d->reached.n, 1);
	d = say(&w, s, "closed", "c1", 1, "'channel':'email'");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	world_end(&w);
	desk_close(&desk);
}

static void who_was_sent_something_before_the_drop_is_reached(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(
		&desk, "- default\n- when: {Initiated By: agent}\n  drop: outbound\n- on: opened\n  send: \"x\"\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO ",'by':'agent'");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_int_equal(d->events_n, 1);
	d = say(&w, s, "closed", "c1", 1, "");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(FLAG(d, 0), "false");
	world_end(&w);
	desk_close(&desk);
}

static void every_rule_makes_its_event_for_every_address(void **unused)
{
	struct desk desk;
	struct source_policy *s =
		desk_plain(&desk, "- default\n"
				  "- on: closed\n  when: {Tags: {contains: refund}}\n  send: \"refund {reason}\"\n"
				  "- on: closed\n  send: \"closed conversation in {label}\"\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO_AND_AL);
	d = say(&w, s, "closed", "c1", 1, "'tags':['refund'],'reason':'broken'");
	assert_int_equal(d->events_n, 4); /* the third rule's would be the same as the first's */
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	assert_string_equal(d->events[1].email, "jo@example.com");
	assert_string_equal(d->events[1].metric, "refund broken");
	assert_string_equal(d->events[2].email, "al@example.org");
	assert_string_equal(d->events[3].metric, "refund broken");
	world_end(&w);
	desk_close(&desk);
}

static void a_rule_sees_how_many_conversations_the_person_has(void **unused)
{
	struct desk desk;
	struct source_policy *s =
		desk_plain(&desk, "- default\n"
				  "- on: closed\n  when: {Open Conversations: 0}\n  send: \"all solved\"\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO_AND_AL);
	(void)say(&w, s, "opened", "c2", 0, JO);
	d = say(&w, s, "closed", "c1", 1, ""); /* jo waits for the other one */
	assert_int_equal(d->events_n, 3);
	assert_string_equal(d->events[2].metric, "all solved");
	assert_string_equal(d->events[2].email, "al@example.org");
	world_end(&w);
	desk_close(&desk);
}

static void what_a_rule_adds_lies_over_the_rest_but_for_flag_and_id(void **unused)
{
	struct desk desk;
	struct source_policy *s =
		desk_plain(&desk, "- on: opened\n  send: \"x\"\n"
				  "  properties: {Channel: \"web {channel}\", Event ID: fake, New: \"1\"}\n"
				  "  profile: {In Gladly Conversation: \"no\", Last Desk: \"{label}\"}\n"
				  "  value: 2.5\n  late: 1h\n"
				  "- default\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO ",'channel':'chat'");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(PROPERTY(d, 0, "Channel"), "web chat");
	assert_string_equal(PROPERTY(d, 0, "New"), "1");
	assert_string_equal(PROPERTY(d, 0, "Event ID"), d->events[0].unique_id);
	assert_string_equal(FLAG(d, 0), "true");
	assert_string_equal(member(d->events[0].profile, "Last Desk"), "Gladly");
	assert_true(d->events[0].has_value && d->events[0].value > 2.4 && d->events[0].value < 2.6);
	assert_int_equal(d->events[0].late_ms, CLOCK_HOUR_MS);
	/* And it stays that rule's. */
	assert_string_equal(PROPERTY(d, 1, "Channel"), "chat");
	assert_string_equal(d->events[1].profile, "{\"" GLADLY_FLAG "\":true}");
	assert_int_equal(d->events[1].late_ms, 15 * CLOCK_MINUTE_MS);
	world_end(&w);
	desk_close(&desk);
}

static void a_metric_that_cannot_be_named_fails_its_webhook_only(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, "- on: [opened, closed, expired]\n  send: \"in {Channel}\"\n");
	struct world w;
	struct err err;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO ",'channel':'chat'");
	assert_int_equal(try_post(&w, s, "{'type':'opened','conversation':'c2','time':1795276800," JO "}", true, &err),
			 -EBADMSG);
	assert_int_equal(err.code, -EBADMSG);
	assert_non_null(strstr(err.text, "Channel"));
	assert_int_equal(w.last.events_n, 0);
	/* Whom a conversation reached gets its end all the same. */
	d = say(&w, s, "closed", "c1", 60, JO);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	assert_string_equal(FLAG(d, 0), "false");
	assert_non_null(strstr(d->detail, "cannot be named"));
	(void)say(&w, s, "reopened", "c1", 120, JO ",'channel':'chat'");
	w.now_ms += 31 * CLOCK_DAY_MS;
	d = expire(&w, s, "c1");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	world_end(&w);
	desk_close(&desk);
}

static void a_rule_that_cannot_name_its_metric_stops_no_other(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, "- on: [opened, closed]\n  send: \"in {Channel}\"\n- default\n");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "opened", "c1", 0, JO);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "started conversation in Gladly");
	assert_non_null(strstr(d->detail, "rules[0]: the metric \"in {Channel}\" cannot be named"));
	d = say(&w, s, "closed", "c1", 60, JO ",'channel':'chat'");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[0].metric, "in chat");
	assert_null(d->detail);
	world_end(&w);
	desk_close(&desk);
}

/* ---- history, states, expiry ------------------------------------------------------------------------------------- */

static void closed_before_opened_goes_out_as_history(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "closed", "c1", 100, JO);
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_string_equal(FLAG(d, 0), "false");
	assert_false(d->events[0].backfill);
	d = say(&w, s, "opened", "c1", 0, JO);
	assert_int_equal(d->result, DECIDE_HISTORY);
	assert_string_equal(d->events[0].metric, "started conversation in Gladly");
	assert_int_equal(d->events[0].time_ms, T0);
	assert_true(d->events[0].backfill);
	assert_string_equal(FLAG(d, 0), "false"); /* as it is now */
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "0");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:00Z");
	assert_int_equal(d->reached.n, 0);
	assert_int_equal(d->entry.state, LEDGER_CLOSED);
	world_end(&w);
	desk_close(&desk);
}

static void a_history_closing_goes_to_those_reached_with_the_flag_as_it_is(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO);
	(void)say(&w, s, "reopened", "c1", 100, JO); /* its closing is still on the way */
	d = say(&w, s, "closed", "c1", 50, "'emails':['al@example.org']");
	assert_int_equal(d->result, DECIDE_HISTORY);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(FLAG(d, 0), "true");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "1");
	assert_true(d->events[0].backfill);
	(void)say(&w, s, "closed", "c1", 200, "");
	d = say(&w, s, "closed", "c1", 150, "");
	assert_int_equal(d->events_n, 1); /* reached stays after the closing */
	assert_string_equal(FLAG(d, 0), "false");
	/* Another conversation holds the flag. */
	(void)say(&w, s, "opened", "c2", 300, JO);
	d = say(&w, s, "closed", "c1", 160, "");
	assert_string_equal(FLAG(d, 0), "true");
	world_end(&w);
	desk_close(&desk);
}

static void history_does_not_raise_the_flag_of_whom_the_opening_did_not_reach(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 100, JO);
	d = say(&w, s, "opened", "c1", 50, JO_AND_AL); /* an earlier one, with one address more */
	assert_int_equal(d->result, DECIDE_HISTORY);
	assert_int_equal(d->events_n, 2);
	assert_string_equal(FLAG(d, 0), "true");
	assert_string_equal(FLAG(d, 1), "false"); /* nothing would take it back */
	assert_int_equal(d->reached.n, 1);
	world_end(&w);
	desk_close(&desk);
}

static void what_is_old_goes_by_the_account_that_it_is_for(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_open(&desk, "gladly", state_yaml, NULL, "In_Gladly_Conversation");
	struct world w;

	(void)unused;
	s->accounts_n = 2;
	desk.choices[0] = (struct account_choice){.when = matcher_of("channel: chat"), .account = &main_account};
	desk.choices[1] = (struct account_choice){.account = &other_account}; /* late after milliseconds */
	world_start(&w);
	assert_int_equal(
		say(&w, s, "closed", "c1", 0, JO ",'channel':'chat','closed_at':'2026-11-21T15:00:00Z'")->events_n, 1);
	assert_int_equal(say(&w, s, "closed", "c2", 0, JO ",'closed_at':'2026-11-21T15:00:00Z'")->events_n, 0);
	world_end(&w);
	desk_close(&desk);
}

static void a_state_desk_tells_no_history_and_no_old_closings(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_open(&desk, "gladly", state_yaml, NULL, "In_Gladly_Conversation");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = say(&w, s, "closed", "c1", 100, JO);
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_string_equal(d->detail, "closed before our time");
	d = say(&w, s, "opened", "c1", 50, JO);
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_int_equal(d->events_n, 0);
	d = say(&w, s, "closed", "c2", 100, JO ",'closed_at':'2026-11-21T15:00:00Z'"); /* young */
	assert_int_equal(d->result, DECIDE_EVENTS);
	d = say(&w, s, "opened", "c3", 100, JO ",'created':'2026-11-20T15:00:00Z'"); /* old */
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_true(d->events[0].backfill);
	d = say(&w, s, "opened", "c4", 3500, JO ",'created':'2026-11-21T16:59:00Z'");
	assert_false(d->events[0].backfill);
	world_end(&w);
	desk_close(&desk);
}

/* Received at 17:00. */
static void what_makes_an_old_conversation_known_is_backfill_at_a_change_desk(void **unused)
{
	static const struct {
		const char *type, *times;
		bool want;
	} cases[] = {
		{"opened", "'created':'2026-11-21T16:45:30Z'", false},
		{"opened", "'created':'2026-11-21T16:44:30Z'", true},
		{"reopened", "'created':'2026-11-21T16:44:30Z'", false}, /* late.reopened is a minute more */
		{"reopened", "'created':'2026-11-20T16:44:00Z'", true},
		{"closed", "'created':'2019-11-21T16:00:00Z','closed_at':'2026-11-20T17:30:00Z'", false},
		{"closed", "'created':'2019-11-21T16:00:00Z','closed_at':'2026-11-20T16:30:00Z'", true},
		{"closed", "'created':'2019-11-21T16:00:00Z'", false},
	};
	struct desk desk, patient;
	struct source_policy *s = desk_open(&desk, "gladly", "created: /created\nclosed_at: /closed_at\n", NULL,
					    "In_Gladly_Conversation");
	/* A rule's `late` counts here, too. */
	struct source_policy *p =
		desk_open(&patient, "patient", "created: /created\nclosed_at: /closed_at\n",
			  "- {on: [opened, reopened, closed], send: told, late: never}\n", "In_Gladly_Conversation");
	struct world w;
	char more[200], id[8];

	(void)unused;
	world_start(&w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(more, sizeof(more), JO ",%s", cases[i].times);
		(void)snprintf(id, sizeof(id), "c%zu", i);
		w.now_ms = T0 + CLOCK_HOUR_MS;
		assert_int_equal(say(&w, s, cases[i].type, id, 3599, more)->events_n, 1);
		if (w.last.events[0].backfill != cases[i].want)
			fail_msg("%s, %s", cases[i].type, cases[i].times);
		assert_int_equal(say(&w, p, cases[i].type, id, 3599, more)->events_n, 1);
		assert_false(w.last.events[0].backfill);
	}
	/* A closing of one that is held open, and a reopening of one that is known, are judged by their own time. */
	(void)say(&w, s, "opened", "c9", 3599, JO);
	assert_false(say(&w, s, "closed", "c9", 3600, JO ",'closed_at':'2019-11-21T16:30:00Z'")->events[0].backfill);
	assert_false(say(&w, s, "reopened", "c9", 3601, JO ",'created':'2019-11-21T16:30:00Z'")->events[0].backfill);
	world_end(&w);
	desk_close(&desk);
	desk_close(&patient);
}

static void an_expiry_closes_for_all_reached(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	const struct decision *d;
	const int64_t deadline_ms = T0 + CLOCK_HOUR_MS + 30 * CLOCK_DAY_MS;
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)unused;
	world_start(&w);
	(void)say(&w, s, "opened", "c1", 0, JO_AND_AL);
	w.now_ms = deadline_ms - 1;
	d = expire(&w, s, "c1");
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_int_equal(d->entry.state, LEDGER_OPEN);
	w.now_ms = deadline_ms + 5000;
	d = expire(&w, s, "c1");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_int_equal(d->entry.state, LEDGER_CLOSED);
	assert_int_equal(d->events_n, 2);
	event_unique_id(id, "gladly", "c1", TRANSITION_EXPIRED, true, deadline_ms, 0, "closed conversation in Gladly",
			"jo@example.com");
	assert_string_equal(d->events[0].unique_id, id);
	assert_int_equal(d->events[0].time_ms, deadline_ms);
	assert_int_equal(d->events[0].received_ms, deadline_ms + 5000);
	assert_int_equal(d->events[0].webhook, 0);
	assert_true(d->events[0].backfill);
	assert_string_equal(PROPERTY(d, 0, "Reason"), "expired");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:00Z");
	assert_string_equal(FLAG(d, 0), "false");
	assert_string_equal(FLAG(d, 1), "false");
	world_end(&w);
	desk_close(&desk);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void what_the_view_fails_with_is_passed_on(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct world w;
	struct err err;

	(void)unused;
	world_start(&w);
	w.view_fails = true;
	assert_int_equal(try_post(&w, s, "{'type':'opened','conversation':'c1'," JO_AND_AL "}", true, &err), -EIO);
	assert_string_equal(err.text, "the store is gone");
	assert_int_equal(w.last.events_n, 0);
	world_end(&w);
	desk_close(&desk);
}

static void explain_tells_the_whole_way_without_full_addresses(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);
	struct buf explain;
	struct world w;

	(void)unused;
	set_list(&s->ignore_emails, "acme.com");
	buf_init(&explain, 100000);
	world_start(&w);
	w.explain = &explain;
	(void)say(&w, s, "opened", "c1", 0, "'emails':['sam@acme.com','jo@example.com']");
	assert_non_null(strstr(explain.data, "conversation unknown, opened → open"));
	assert_non_null(strstr(explain.data, "account: default"));
	assert_non_null(strstr(explain.data, "s***@acme.com: in ignore_emails"));
	assert_non_null(strstr(explain.data, "event: \"started conversation in Gladly\" for j***@example.com"));
	assert_non_null(strstr(explain.data, w.last.events[0].unique_id));
	assert_null(strstr(explain.data, "sam@"));
	assert_null(strstr(explain.data, "jo@"));
	buf_clear(&explain);
	(void)say(&w, s, "opened", "c1", -5, JO);
	assert_non_null(strstr(explain.data,
			       "newest time from the helpdesk 2026-11-21T16:00:00Z, newest receipt without a "
			       "time none; opened counts as older → history"));
	buf_clear(&explain);
	(void)say(&w, s, "opened", "c1", 5, JO);
	assert_non_null(strstr(explain.data, "known already"));
	world_end(&w);
	desk_close(&desk);
	buf_done(&explain);
}

static void results_have_names(void **unused)
{
	(void)unused;
	assert_string_equal(decide_result_name(DECIDE_EVENTS), "events");
	assert_string_equal(decide_result_name(DECIDE_HISTORY), "history");
	assert_string_equal(decide_result_name(DECIDE_DUPLICATE), "duplicate");
	assert_string_equal(decide_result_name(DECIDE_NO_ADDRESS), "no address");
	assert_string_equal(decide_result_name(DECIDE_DROPPED), "dropped");
	assert_string_equal(decide_result_name(DECIDE_IGNORED), "ignored");
	assert_string_equal(decide_result_name(DECIDE_NOTHING), "nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_opening_makes_the_documented_event),
		cmocka_unit_test(a_closing_tells_how_long_it_took),
		cmocka_unit_test(absent_facts_are_left_out),
		cmocka_unit_test(the_url_of_the_conversation_is_told_where_it_is_known),
		cmocka_unit_test(a_time_that_runs_backwards_is_no_fact),
		cmocka_unit_test(durations_are_the_differences_of_the_shown_times),
		cmocka_unit_test(durations_after_a_reopening_run_from_the_openings_that_were_shown),
		cmocka_unit_test(a_rule_reads_the_duration_that_the_event_shows),
		cmocka_unit_test(a_webhook_without_time_goes_by_its_receipt),
		cmocka_unit_test(a_repeat_before_the_commit_makes_the_same_events),
		cmocka_unit_test(two_conversations_keep_the_flag_until_both_are_closed),
		cmocka_unit_test(the_flag_ends_right_in_every_order_of_arrival),
		cmocka_unit_test(flags_are_counted_over_all_sources),
		cmocka_unit_test(a_flag_that_was_renamed_is_taken_back_by_its_old_name),
		cmocka_unit_test(ignored_addresses_get_nothing),
		cmocka_unit_test(only_the_primary_address_where_so_configured),
		cmocka_unit_test(test_addresses_are_marked_and_never_start_a_flow),
		cmocka_unit_test(the_account_is_chosen_at_the_opening_and_kept),
		cmocka_unit_test(the_same_person_in_two_accounts_has_two_flags),
		cmocka_unit_test(reached_in_two_accounts_gets_the_closing_in_both),
		cmocka_unit_test(a_closing_waits_for_an_account_that_is_gone),
		cmocka_unit_test(an_opening_without_address_is_made_good),
		cmocka_unit_test(a_closing_that_brings_the_first_address_goes_to_it),
		cmocka_unit_test(a_dropped_opening_reaches_nobody),
		cmocka_unit_test(what_no_rule_sends_reaches_and_is_closed_by_the_shipped_rule),
		cmocka_unit_test(who_was_sent_something_before_the_drop_is_reached),
		cmocka_unit_test(every_rule_makes_its_event_for_every_address),
		cmocka_unit_test(a_rule_sees_how_many_conversations_the_person_has),
		cmocka_unit_test(what_a_rule_adds_lies_over_the_rest_but_for_flag_and_id),
		cmocka_unit_test(a_metric_that_cannot_be_named_fails_its_webhook_only),
		cmocka_unit_test(a_rule_that_cannot_name_its_metric_stops_no_other),
		cmocka_unit_test(closed_before_opened_goes_out_as_history),
		cmocka_unit_test(a_history_closing_goes_to_those_reached_with_the_flag_as_it_is),
		cmocka_unit_test(history_does_not_raise_the_flag_of_whom_the_opening_did_not_reach),
		cmocka_unit_test(what_is_old_goes_by_the_account_that_it_is_for),
		cmocka_unit_test(a_state_desk_tells_no_history_and_no_old_closings),
		cmocka_unit_test(what_makes_an_old_conversation_known_is_backfill_at_a_change_desk),
		cmocka_unit_test(an_expiry_closes_for_all_reached),
		cmocka_unit_test(what_the_view_fails_with_is_passed_on),
		cmocka_unit_test(explain_tells_the_whole_way_without_full_addresses),
		cmocka_unit_test(results_have_names),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decide_world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "conf/yaml.h"
#include "helpdesk/parse/samples.h"

/* ---- desks ------------------------------------------------------------------------------------------------------- */

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

const struct account_policy main_account = {
	.name = "default",
	.url = "https://a.klaviyo.com",
	.late = {.opened_ms = 15 * CLOCK_MINUTE_MS, .reopened_ms = 16 * CLOCK_MINUTE_MS, .closed_ms = CLOCK_DAY_MS},
};
const struct account_policy other_account = {
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

struct matcher *matcher_of(const char *text)
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

void strings_add_words(struct strings *l, const char *items)
{
	char *copy = mem_str(items);
	char *at = copy;
	char *item;

	while ((item = strsep(&at, " "))) {
		for (char *c = item; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		strings_add(l, item);
	}
	free(copy);
}

struct source_policy *desk_open(struct desk *d, const char *name, const char *definition, const char *rules,
				const char *flags)
{
	struct problems problems = {0};
	struct source_policy *s = &d->source;
	struct definition_binding binding = {0};
	char *text = mem_fmt("%s%s", definition_yaml, definition);

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
	strings_add_words(&s->flags, flags);
	s->accounts = d->choices;
	s->accounts_n = 1;
	s->expire_after_ms = 30 * CLOCK_DAY_MS;
	free(text);
	return s;
}

struct source_policy *desk_plain(struct desk *d, const char *rules)
{
	return desk_open(d, "gladly", "", rules, "In_Gladly_Conversation");
}

void desk_close(struct desk *d)
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

/* The context of decide_queries. */
struct query_context {
	struct world *world;
	const struct conversation *self;
	const struct source_policy *source;
};

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct query_context *q = ctx;

	for (size_t i = 0; i < q->source->accounts_n; i++)
		if (q->source->accounts[i].account && strcmp(q->source->accounts[i].account->name, name) == 0)
			return q->source->accounts[i].account;
	return q->world->spare;
}

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	const struct query_context *q = ctx;

	if (q->world->queries_fail)
		return err_set(reterr, -EIO, "the store is gone");
	*ret = 0;
	for (size_t i = 0; i < q->world->n; i++) {
		const struct conversation *c = &q->world->conversations[i];

		if (c != q->self && c->entry.state == LEDGER_OPEN && reached_has(&c->reached, account, email, flag))
			(*ret)++;
	}
	return 0;
}

static struct conversation *world_conversation(struct world *w, const struct source_policy *s, const char *id)
{
	struct conversation *c;

	for (size_t i = 0; i < w->n; i++)
		if (w->conversations[i].source == s && strcmp(w->conversations[i].id, id) == 0)
			return &w->conversations[i];
	assert_true(w->n < WORLD_MAX);
	c = &w->conversations[w->n++];
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
		assert_true(w->events_n < WORLD_EVENTS_MAX);
		w->events[w->events_n++] = event_copy(&w->last.events[i]);
	}
}

static int try_decide(struct world *w, struct decide_input *in, struct conversation *c, struct err *reterr)
{
	struct query_context ctx = {.world = w, .self = c, .source = in->source};

	decision_done(&w->last);
	in->conversation = c->id;
	in->entry = &c->entry;
	in->reached = &c->reached;
	in->now_ms = w->now_ms + w->waits_ms;
	in->queries = (struct decide_queries){.account = account, .flag_count = flag_count, .ctx = &ctx};
	in->explain = w->explain;
	return decide(in, &w->last, reterr);
}

int world_try_post(struct world *w, const struct source_policy *s, const char *json, bool keep, struct err *reterr)
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
	c = world_conversation(w, s, parsed->result.signal.conversation);
	r = try_decide(w, &in, c, reterr);
	if (r == 0 && keep)
		world_keep(w, c);
	parsed_webhook_free(parsed);
	w->now_ms += CLOCK_SECOND_MS;
	return r;
}

const struct decision *world_post(struct world *w, const struct source_policy *s, const char *json)
{
	struct err err;

	if (world_try_post(w, s, json, true, &err) != 0)
		fail_msg("%s", err.text);
	return &w->last;
}

const struct decision *world_say_ms(struct world *w, const struct source_policy *s, const char *type,
				    const char *conversation, int64_t at_ms, const char *more)
{
	char json[600];

	(void)snprintf(json, sizeof(json), "{'type':'%s','conversation':'%s','time':%" PRId64 "%s%s}", type,
		       conversation, T0 + at_ms, *more ? "," : "", more);
	return world_post(w, s, json);
}

const struct decision *world_say(struct world *w, const struct source_policy *s, const char *type,
				 const char *conversation, int at, const char *more)
{
	return world_say_ms(w, s, type, conversation, at * CLOCK_SECOND_MS, more);
}

const struct decision *world_expire(struct world *w, const struct source_policy *s, const char *conversation)
{
	struct decide_input in = {.source = s};
	struct conversation *c = world_conversation(w, s, conversation);
	struct err err;

	if (try_decide(w, &in, c, &err) != 0)
		fail_msg("%s", err.text);
	world_keep(w, c);
	return &w->last;
}

void world_start(struct world *w)
{
	*w = (struct world){.now_ms = T0 + CLOCK_HOUR_MS};
}

void world_end(struct world *w)
{
	decision_done(&w->last);
	for (size_t i = 0; i < w->n; i++)
		reached_clear(&w->conversations[i].reached);
	for (size_t i = 0; i < w->events_n; i++)
		event_done(&w->events[i]);
}

const char *json_text_member(const char *json, const char *name)
{
	static char answers[3][300];
	static int turn;
	struct json_object *o = NULL;
	char *to = answers[turn = (turn + 1) % 3];
	struct json_object *value;
	char *text;

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

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

/* Returns the value of that name of an event, in the form of scenario_step.events. out: memory for values that the
 * event does not hold as text. */
static const char *event_value(const struct event *e, const char *name, const char *want, char *out, size_t size)
{
	const struct {
		const char *name, *value;
	} texts[] = {
		{"metric", e->metric}, {"email", e->email},     {"account", e->account},
		{"url", e->url},       {"profile", e->profile}, {"backfill", e->backfill ? "yes" : "no"},
	};
	char id[EVENT_UNIQUE_ID_LEN + 1];
	enum transition transition;
	const char *at;

	for (size_t i = 0; i < N_OF(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return texts[i].value;
	if (strcmp(name, "flag") == 0)
		return json_text_member(e->profile, GLADLY_FLAG);
	if (strcmp(name, "Last Desk") == 0)
		return json_text_member(e->profile, name);
	if (strcmp(name, "late") == 0) {
		(void)snprintf(out, size, "%" PRId64, e->late_ms);
		return out;
	}
	if (strcmp(name, "time") == 0) {
		(void)snprintf(out, size, "%" PRId64, e->time_ms - T0);
		return out;
	}
	if (strcmp(name, "value") == 0) {
		(void)snprintf(out, size, e->has_value ? "%.1f" : "-", e->value);
		return out;
	}
	if (strcmp(name, "id") != 0)
		return json_text_member(e->properties, name);
	at = strchr(want, '@');
	assert_non_null(at);
	(void)snprintf(out, size, "%.*s", (int)(at - want), want);
	assert_int_equal(transition_parse(out, &transition), 0);
	event_unique_id(id, e->source, e->conversation, transition, true, T0 + atoi(at + 1) * CLOCK_SECOND_MS, 0,
			e->metric, e->email);
	return strcmp(id, e->unique_id) == 0 ? want : e->unique_id;
}

/* where: for the message of a failure. */
static void check_event(const char *where, const struct event *e, const char *want)
{
	CLEANUP(mem_freep) char *copy = mem_str(want);
	char *rest = copy;
	char *one;
	char out[64];

	/* An absent value is left out of an event. */
	if (strstr(e->properties, "null"))
		fail_msg("%s: null in %s", where, e->properties);
	assert_string_equal(json_text_member(e->properties, "Event ID"), e->unique_id);
	while ((one = strsep(&rest, "|")) && *one != '\0') {
		char *value = strchr(one, '=');
		const char *got;

		assert_non_null(value);
		*value++ = '\0';
		got = event_value(e, one, value, out, sizeof(out));
		if (strcmp(got, value) != 0)
			fail_msg("%s: %s is %s, not %s", where, one, got, value);
	}
}

static void check_step(const char *where, const struct decision *d, const struct scenario_step *step)
{
	static const char *const states[] = {
		[LEDGER_UNKNOWN] = "unknown", [LEDGER_OPEN] = "open", [LEDGER_CLOSED] = "closed"};
	size_t n = 0;
	char ledger[100];

	if (d->result != step->result)
		fail_msg("%s: the result is %s, not %s", where, decide_result_name(d->result),
			 decide_result_name(step->result));
	while (n < SCENARIO_EVENTS_MAX && step->events[n])
		n++;
	if (d->events_n != n)
		fail_msg("%s: %zu events, not %zu", where, d->events_n, n);
	for (size_t i = 0; i < n; i++)
		check_event(where, &d->events[i], step->events[i]);
	if (step->detail && strcmp(step->detail, "-") == 0)
		assert_null(d->detail);
	else if (step->detail && (!d->detail || !strstr(d->detail, step->detail)))
		fail_msg("%s: the detail is \"%s\", not \"%s\"", where, d->detail ? d->detail : "", step->detail);
	(void)snprintf(ledger, sizeof(ledger), "%s%s, reached %zu", states[d->entry.state],
		       d->entry.addressed ? ", addressed" : "", d->reached.n);
	if (step->ledger)
		assert_string_equal(ledger, step->ledger);
}

void scenario_holds(void **which)
{
	const struct scenario *scenario = *which;
	struct desk desk;
	struct source_policy *s = desk_open(&desk, "gladly", scenario->definition ? scenario->definition : "",
					    scenario->rules, "In_Gladly_Conversation");
	struct world w;

	if (scenario->ignore_emails)
		strings_add_words(&s->ignore_emails, scenario->ignore_emails);
	if (scenario->test_emails)
		strings_add_words(&s->test_emails, scenario->test_emails);
	if (scenario->other) {
		s->accounts_n = 2;
		desk.choices[0] = (struct account_choice){
			.when = matcher_of(scenario->other),
			.account = scenario->rest_is_other ? &main_account : &other_account,
		};
		desk.choices[1].account = scenario->rest_is_other ? &other_account : &main_account;
	}
	world_start(&w);
	for (size_t i = 0; i < SCENARIO_STEPS_MAX && scenario->steps[i].type; i++) {
		const struct scenario_step *step = &scenario->steps[i];
		CLEANUP(mem_freep)
		char *where = mem_fmt("%s: step %zu, %s %s", scenario->name, i + 1, step->type, step->conversation);

		check_step(where, world_say(&w, s, step->type, step->conversation, step->at, step->more), step);
	}
	world_end(&w);
	desk_close(&desk);
}

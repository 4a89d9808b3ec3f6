/* SPDX-License-Identifier: MIT */
/*
 * Golden cases: webhooks of every desk with their proofs and the helpdesk's answers, and the expected results
 * (tests/data/helpdesks). The functions of the daemon process them from proof to event; only HTTP and the store are
 * left out. Every shipped preset has such a file.
 */
#include <config.h>

#include "golden.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/yaml.h"
#include "decision/decide.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/parse/samples.h"
#include "intake/intake_submission.h"
#include "fixtures/folder.h"
#include "fixtures/lookup_plan.h"

#define FILES_MAX 100
#define LINES_MAX (64 * 1024)

static char *dir; /* for configurations */

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static char *written(const struct node *n)
{
	struct buf b;

	if (!n || n->type == NODE_NULL)
		return NULL;
	if (n->type == NODE_SCALAR)
		return mem_str(n->text);
	buf_init(&b, LINES_MAX);
	for (size_t i = 0; i < n->n; i++)
		buf_addf(&b, "%s%s", i ? "; " : "", n->items[i]->text ? n->items[i]->text : "?");
	return buf_take(&b);
}

/* Compares the member of the expectation as one text. Elements of a list are joined with "; ". */
static void compare(struct golden *g, const struct node *expected, const char *member, const char *found)
{
	CLEANUP(mem_freep) char *text = written(node_get(expected, member));

	golden_text(g, member, text && *text ? text : NULL, found && *found ? found : NULL);
}

static void compare_time(struct golden *g, const struct node *expected, const char *member, bool has, int64_t ms)
{
	const char *text = node_text(expected, member);
	char found[64];
	int64_t wanted;

	clock_iso(ms, found);
	(void)snprintf(found + strlen(found), sizeof(found) - strlen(found), " + %d ms", (int)(ms % 1000));
	if (!text && has)
		golden_differs(g, member, NULL, found);
	else if (text && clock_parse(text, strlen(text), &wanted) < 0)
		golden_differs(g, member, "a time", text);
	else if (text && (!has || wanted != ms))
		golden_differs(g, member, text, has ? found : NULL);
}

/* Returns an attribute as text. Elements of a list are joined with "; ". */
static char *shown(struct json_object *o)
{
	struct buf b;

	if (!json_object_is_type(o, json_type_array))
		return json_scalar(o);
	buf_init(&b, LINES_MAX);
	for (size_t i = 0; i < json_object_array_length(o); i++) {
		CLEANUP(mem_freep) char *text = json_scalar(json_object_array_get_idx(o, i));

		buf_addf(&b, "%s%s", i ? "; " : "", text ? text : "?");
	}
	return buf_take(&b);
}

/* found: NULL where the definition has no attributes. */
static void compare_attributes(struct golden *g, const struct node *expected, struct json_object *found)
{
	const struct node *all = node_get(expected, "attributes");

	for (size_t i = 0; all && i < all->n; i++) {
		CLEANUP(mem_freep) char *member = mem_fmt("attributes.%s", all->items[i]->key);
		CLEANUP(mem_freep) char *wanted = written(all->items[i]);
		CLEANUP(mem_freep) char *value = shown(json_member(found, all->items[i]->key));

		golden_text(g, member, wanted, value);
	}
	if (!found) /* the definition has no attributes */
		return;
	json_object_object_foreach(found, key, value)
	{
		CLEANUP(mem_freep) char *member = mem_fmt("attributes.%s", key);
		CLEANUP(mem_freep) char *text = shown(value);

		if (!node_get(all, key))
			golden_differs(g, member, NULL, text);
	}
}

/* ---- the helpdesk's answers -------------------------------------------------------------------------------------- */

/* answer: an item of `answers`, which is the body of a 200 or {status, body}. */
static enum lookup_plan_verdict take_answer(struct golden *g, struct lookup_plan *q, const struct node *answer)
{
	const char *status = node_text(answer, "status");
	const char *body = answer->type == NODE_MAP ? node_text(answer, "body") : answer->text;
	struct err why = {0};
	enum lookup_plan_verdict v = lookup_plan_answer(q, status ? (unsigned)strtoul(status, NULL, 10) : 200,
							"application/json", body, body ? strlen(body) : 0, &why);

	if (!status && v != LOOKUP_PLAN_CONTINUE)
		golden_differs(g, "answers", "one that can be read", why.text);
	return v;
}

/* Returns true if the plan reached its end. asked: the URLs, joined with "; ". */
static bool walk(struct golden *g, const struct node *answers, struct lookup_plan *q, struct buf *asked)
{
	static const struct lookup_plan_secrets secrets = {.user = "u", .password = "p", .token = "t"};
	enum lookup_plan_verdict v = LOOKUP_PLAN_CONTINUE;

	for (size_t i = 0; v == LOOKUP_PLAN_CONTINUE || v == LOOKUP_PLAN_MOVED; i++) {
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(pairs_done) struct pairs headers = {0};
		struct err why = {0};
		int r = lookup_plan_next(q, &secrets, &url, &headers, &why);

		if (r == 1) {
			if (answers && i < answers->n)
				golden_differs(g, "answers", "no more than are asked for", "more");
			return true;
		}
		if (r < 0) {
			golden_differs(g, "asked", "a question", why.text);
			return false;
		}
		buf_addf(asked, "%s%s", asked->len > 0 ? "; " : "", url);
		if (!answers || i >= answers->n) {
			golden_differs(g, "answers", "one for each question", url);
			return false;
		}
		v = take_answer(g, q, answers->items[i]);
	}
	return false;
}

static bool ask(struct golden *g, const struct node *expected, const struct webhook *w, struct buf *asked,
		struct customer *ret)
{
	const struct node *answers = node_get(expected, "answers");
	struct lookup_plan *q = NULL;
	struct err why = {0};
	bool found;

	if (with_lookup_plan(g->source->definition, w, &q, &why) < 0) {
		golden_differs(g, "asked", "somebody to ask about", why.text);
		return false;
	}
	found = walk(g, answers ? answers : node_get(g->at, "answers"), q, asked);
	if (found)
		lookup_plan_result(q, ret);
	lookup_plan_free(q);
	return found;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct golden *g = ctx;
	const struct account *a = config_account(g->generation->config, name);

	return a ? &a->policy : NULL;
}

static void event_line(const struct golden *g, const struct event *e, struct buf *to)
{
	CLEANUP(json_putp) struct json_object *profile = NULL;
	CLEANUP(mem_freep) char *flag = NULL;

	if (json_read(e->profile, strlen(e->profile), &profile, NULL) == 0)
		flag = json_scalar(json_member(profile, g->source->policy.flags.items[0]));
	buf_addf(to, "%s%s: %s, flag %s%s", to->len > 0 ? "; " : "", e->metric, e->email, flag ? flag : "?",
		 e->backfill ? ", backfill" : "");
}

static void compare_events(struct golden *g, const struct node *expected, const struct parsed_webhook *webhook)
{
	struct ledger_entry entry = {0};
	struct reached_list reached = {0};
	struct decision decision = {0};
	struct err why = {0};
	const struct decide_input in = {.source = &g->source->policy,
					.conversation = webhook->result.signal.conversation,
					.webhook = webhook,
					.entry = &entry,
					.reached = &reached,
					.now_ms = g->now_ms,
					.queries = {.account = account, .flag_count = decide_no_flags, .ctx = g}};
	struct buf lines;

	buf_init(&lines, LINES_MAX);
	if (decide(&in, &decision, &why) < 0) {
		golden_differs(g, "events", "a decision", why.text);
	} else {
		for (size_t i = 0; i < decision.events_n; i++)
			event_line(g, &decision.events[i], &lines);
		compare(g, expected, "events", lines.data);
		decision_done(&decision);
	}
	buf_done(&lines);
}

/* ---- one webhook ------------------------------------------------------------------------------------------------- */

static const char *says(const struct parse_result *r)
{
	switch (r->kind) {
	case PARSE_PING:
		return "ping";
	case PARSE_IGNORED:
		return "ignored";
	case PARSE_UNREADABLE:
		return "unreadable";
	case PARSE_SIGNAL:
		break;
	}
	return r->signal.transition == TRANSITION_NONE ? "identified" : transition_name(r->signal.transition);
}

static void compare_reason(struct golden *g, const struct node *expected, const char *found)
{
	const char *part = node_text(expected, "reason");

	if (part && !strstr(found, part))
		golden_differs(g, "reason", part, found);
}

static void compare_signal(struct golden *g, const struct node *expected, const struct signal *s)
{
	struct buf emails;

	compare(g, expected, "conversation", s->conversation);
	compare(g, expected, "customer", s->customer);
	compare_time(g, expected, "time", s->has_time, s->time_ms);
	compare_time(g, expected, "created", s->created_ms != 0, s->created_ms);
	compare_time(g, expected, "closed_at", s->closed_at_ms != 0, s->closed_at_ms);
	buf_init(&emails, LINES_MAX);
	for (size_t i = 0; i < s->addresses.n; i++)
		buf_addf(&emails, "%s%s", i ? "; " : "", s->addresses.items[i].email);
	compare(g, expected, "emails", emails.data);
	buf_done(&emails);
	compare_attributes(g, expected, s->attributes);
	compare(g, expected, "url", s->conversation_url);
}

/* Parses, makes the lookup that the result wants, and applies its result, as the pipeline does. Takes over the members
 * of w. */
static void compare_webhook(struct golden *g, const struct node *expected, struct webhook *w)
{
	struct parsed_webhook *p = parsed_webhook_new(g->source->definition, w, NULL, 0);
	struct customer customer = {0};
	struct buf asked;

	compare(g, expected, "says", says(&p->result));
	if (node_get(expected, "again"))
		compare(g, expected, "again", p->result.has_delivery ? "duplicate" : "new");
	buf_init(&asked, LINES_MAX);
	if (p->result.kind == PARSE_SIGNAL) {
		parse_result_save(&p->result, &p->webhook);
		if (p->result.signal.wants_lookup && ask(g, expected, &p->webhook, &asked, &customer))
			parsed_webhook_add_lookup(p, &customer);
	}
	if (p->result.kind == PARSE_SIGNAL) {
		compare(g, expected, "asked", asked.data);
		compare_signal(g, expected, &p->result.signal);
		compare_events(g, expected, p);
	} else {
		compare_reason(g, expected, p->result.reason);
	}
	buf_done(&asked);
	customer_done(&customer);
	parsed_webhook_free(p);
}

static void compare_item(struct golden *g, const struct node *expected, const struct batch *b, size_t i)
{
	const struct http_exchange x = {
		.path = g->source->path, .query = g->query, .received_ms = g->now_ms, .method = "POST"};
	CLEANUP(webhook_done) struct webhook w = {0};
	size_t len;
	char *body = batch_item(b, i, &len);

	stored_webhook(g->source, &x, &g->headers, body, len, &w);
	compare_webhook(g, expected, &w);
}

static void compare_batch(struct golden *g, const struct batch *b)
{
	const struct node *items = node_get(g->at, "items");
	size_t n = batch_items(b);
	size_t wanted = items ? items->n : 1;
	char text[32];

	if (n == 0 && !items) {
		compare(g, g->at, "says", "ignored");
		return;
	}
	(void)snprintf(text, sizeof(text), "%zu", n);
	if (n != wanted)
		golden_differs(g, "items", "as many as are told", text);
	for (size_t i = 0; i < n && i < wanted; i++)
		compare_item(g, items ? items->items[i] : g->at, b, i);
}

static void run_case(struct golden *g)
{
	struct batch *batch = NULL;
	struct err why = {0};

	if (!golden_open(g, dir) || !golden_prove(g))
		return;
	if (batch_open(g->source->definition, pairs_get(&g->headers, "Content-Type"), g->body, g->body_len, &batch,
		       &why) < 0) {
		compare(g, g->at, "says", "unreadable");
		compare_reason(g, g->at, why.text);
		return;
	}
	compare_batch(g, batch);
	batch_close(batch);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static const char *const case_keys[] = {"name",   "headers",      "query",      "body", "answers", "proof",
					"says",   "conversation", "customer",   "time", "created", "closed_at",
					"emails", "asked",        "attributes", "url",  "events",  "reason",
					"again",  "items",        "source",     "now",  NULL};

static bool keys_are_known(struct golden *g, const struct node *n)
{
	bool known = true;

	for (size_t i = 0; i < n->n; i++) {
		size_t k = 0;

		while (case_keys[k] && !text_is(case_keys[k], n->items[i]->key))
			k++;
		if (case_keys[k])
			continue;
		golden_differs(g, n->items[i]->key ? n->items[i]->key : "case", "a key that cases have", NULL);
		known = false;
	}
	return known;
}

/* True where a case, or an item of one, says the word. */
static bool is_said(const struct node *cases, const char *word)
{
	for (size_t i = 0; i < cases->n; i++) {
		const struct node *items = node_get(cases->items[i], "items");

		if (text_is(node_text(cases->items[i], "says"), word) || (items && is_said(items, word)))
			return true;
	}
	return false;
}

static void a_desks_webhooks_say_what_is_written_down(void **state)
{
	const char *file = *state;
	CLEANUP(node_freep) struct node *root = NULL;
	struct problems problems = {0};
	unsigned failures = 0;
	const struct node *cases;

	if (yaml_load_file(file, &root, &problems) < 0 || problems.errors > 0)
		problems_print(&problems, stderr);
	assert_int_equal(problems.errors, 0);
	problems_done(&problems);
	cases = node_get(root, "cases");
	assert_non_null(cases);
	assert_true(cases->type == NODE_LIST && cases->n > 0);
	assert_true(is_said(cases, "opened") && is_said(cases, "closed"));
	for (size_t i = 0; i < cases->n; i++) {
		const char *name = node_text(cases->items[i], "name");
		struct golden g = {
			.file = strrchr(file, '/') + 1, .root = root, .at = cases->items[i], .name = name ? name : "?"};

		if (keys_are_known(&g, g.at))
			run_case(&g);
		golden_close(&g);
		failures += g.failures;
	}
	if (failures > 0)
		fail_msg("%s: %u expectations failed", file, failures);
}

struct files {
	char *paths[FILES_MAX];
	size_t n;
};

static int is_yaml(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && text_is(entry->d_name + len - 5, ".yaml");
}

static void files_list(const char *folder, struct files *ret)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_yaml, alphasort);

	for (int i = 0; i < n; i++) {
		if (ret->n < FILES_MAX)
			ret->paths[ret->n++] = mem_fmt("%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void files_done(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->paths[i]);
}

static struct files golden_files, presets;

static void every_preset_that_ships_has_such_a_file(void **state)
{
	unsigned without = 0;

	(void)state;
	assert_true(presets.n > 0);
	for (size_t i = 0; i < presets.n; i++) {
		const char *name = strrchr(presets.paths[i], '/') + 1;
		bool found = false;

		for (size_t k = 0; k < golden_files.n; k++)
			found = found || text_is(strrchr(golden_files.paths[k], '/') + 1, name);
		if (!found)
			fprintf(stderr, "%s: no golden file\n", name);
		without += !found;
	}
	assert_int_equal(without, 0);
}

struct silent {
	const char *file;
	size_t n;
};

static void count_silent(void *ctx, const char *name, const char *shows, enum sample_shape shape)
{
	struct silent *s = ctx;

	if (shape != SHAPE_UNSAID)
		return;
	fprintf(stderr, "%s: %s (%s) has no shape_from\n", s->file, name, shows);
	s->n++;
}

static void every_sample_that_ships_says_where_its_shape_comes_from(void **state)
{
	struct silent silent = {0};

	(void)state;
	for (size_t i = 0; i < presets.n; i++) {
		CLEANUP(node_freep) struct node *tree = NULL;
		struct problems problems = {0};
		struct definition *d;

		assert_int_equal(yaml_load_file(presets.paths[i], &tree, &problems), 0);
		d = definition_read(tree, NULL, &problems);
		assert_non_null(d);
		silent.file = presets.paths[i];
		definition_samples(d, count_silent, &silent);
		definition_free(d);
		problems_done(&problems);
	}
	assert_int_equal(silent.n, 0);
}

static int remove_dir(void **state)
{
	(void)state;
	folder_remove(dir);
	return 0;
}

int main(void)
{
	const char *tests_folder = getenv("TEST_SRCDIR");
	const char *presets_folder = getenv("DESKBRIDGE_PRESETS");
	CLEANUP(mem_freep) char *folder = mem_fmt("%s/data/helpdesks", tests_folder ? tests_folder : "tests");
	struct CMUnitTest tests[FILES_MAX + 2] = {{0}};
	int r;

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	(void)setenv("DESKBRIDGE_PRESETS", presets_folder ? presets_folder : "etc/helpdesks", 1);
	dir = folder_new();
	files_list(folder, &golden_files);
	files_list(getenv("DESKBRIDGE_PRESETS"), &presets);
	tests[0] = (struct CMUnitTest)cmocka_unit_test(every_preset_that_ships_has_such_a_file);
	tests[1] = (struct CMUnitTest)cmocka_unit_test(every_sample_that_ships_says_where_its_shape_comes_from);
	for (size_t i = 0; i < golden_files.n; i++)
		tests[2 + i] = (struct CMUnitTest){.name = strrchr(golden_files.paths[i], '/') + 1,
						   .test_func = a_desks_webhooks_say_what_is_written_down,
						   .initial_state = golden_files.paths[i]};
	r = _cmocka_run_group_tests("golden", tests, 2 + golden_files.n, NULL, remove_dir);
	files_done(&golden_files);
	files_done(&presets);
	return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * decide_world: a fixture for the tests of decide(). It stands in for the store: it holds the conversations and all
 * events so far. Webhooks are JSON, read by a definition and decided in the way of the pipeline.
 *
 * A test starts a world, opens a desk, lets the desk say things and ends both. A scenario does that from a table.
 */
#ifndef TESTS_DECIDE_WORLD_H
#define TESTS_DECIDE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/node.h"
#include "decision/decide.h"

#define N_OF(array) (sizeof(array) / sizeof(*(array)))

#define T0 INT64_C(1795276800000) /* 2026-11-21T16:00:00Z */
#define GLADLY_FLAG "In Gladly Conversation"
#define JO "'emails':['jo@example.com']"
#define JO_AND_AL "'emails':['jo@example.com','al@example.org']"
/* Additions to a desk's definition: it reports states and gives their ages. */
#define DESK_STATES "reports: state\ncreated: /created\nclosed_at: /closed_at\n"

/* ---- desks ------------------------------------------------------------------------------------------------------- */

extern const struct account_policy main_account, other_account; /* "default", "other": late after milliseconds */

struct desk {
	struct source_policy source;
	struct definition *definition;
	struct account_choice choices[3]; /* source.accounts; only the first, main_account, counts at first */
	struct node *trees[2];            /* rules may point into theirs */
};

/* definition: YAML that is added to the definition, "": none. rules: YAML, NULL: the shipped rules. flags: as for
 * strings_add_words. Returns the desk's source. */
struct source_policy *desk_open(struct desk *d, const char *name, const char *definition, const char *rules,
				const char *flags);
/* The desk "gladly" with the flag GLADLY_FLAG. */
struct source_policy *desk_plain(struct desk *d, const char *rules);
void desk_close(struct desk *d);
/* The caller owns the matcher. */
struct matcher *matcher_of(const char *yaml);
/* Adds the items to l: a blank stands between two, and "_" for a blank in one. */
void strings_add_words(struct strings *l, const char *items);

/* ---- the world --------------------------------------------------------------------------------------------------- */

#define WORLD_MAX 16
#define WORLD_EVENTS_MAX 256

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
	struct event events[WORLD_EVENTS_MAX]; /* of all decisions, in order */
	size_t events_n;
	int64_t now_ms, next_webhook;
	int64_t waits_ms; /* between receipt and decision */
	struct buf *explain;
	const struct account_policy *spare; /* an account that no source names; NULL: none */
	bool queries_fail;
};

void world_start(struct world *w);
void world_end(struct world *w);

/*
 * json: a webhook's body, with ' for ". It is received at w->now_ms, and a second passes afterwards. keep: as after a
 * commit. Returns decide()'s result, and the decision in w->last.
 */
int world_try_post(struct world *w, const struct source_policy *s, const char *json, bool keep, struct err *reterr);
/* As world_try_post, but it must succeed, and is kept. Returns &w->last, as do the functions below. */
const struct decision *world_post(struct world *w, const struct source_policy *s, const char *json);
/* Posts the usual webhook: type, conversation, time at_ms after T0, and more members. */
const struct decision *world_say_ms(struct world *w, const struct source_policy *s, const char *type,
				    const char *conversation, int64_t at_ms, const char *more);
/* As world_say_ms, with seconds after T0. */
const struct decision *world_say(struct world *w, const struct source_policy *s, const char *type,
				 const char *conversation, int at, const char *more);
/* Decides the conversation's expiry at w->now_ms. */
const struct decision *world_expire(struct world *w, const struct source_policy *s, const char *conversation);

/* The value of a member of a JSON object's text, as text; "-" where there is none. The last three answers are valid. */
const char *json_text_member(const char *json, const char *name);

#define PROPERTY(d, i, name) json_text_member((d)->events[i].properties, name)
#define FLAG(d, i) json_text_member((d)->events[i].profile, GLADLY_FLAG)

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

#define SCENARIO_STEPS_MAX 8
#define SCENARIO_EVENTS_MAX 4

/* One webhook, and the decision that it must cause. */
struct scenario_step {
	const char *type; /* NULL: no more steps */
	const char *conversation;
	int at;           /* seconds after T0 */
	const char *more; /* members of the webhook */
	enum decide_result result;
	/*
	 * Each event in order, NULL behind the last: "NAME=VALUE|NAME=VALUE", "" for an event of any content. A name is
	 * metric, email, account, url, profile, flag (of GLADLY_FLAG), backfill (yes, no), value, late and time
	 * (milliseconds; time after T0), id (TRANSITION@SECONDS that its unique_id is made of), Last Desk (of the
	 * profile), or a property. "-": there is no such property.
	 */
	const char *events[SCENARIO_EVENTS_MAX];
	const char *detail; /* part of the decision's detail; "-": there is none; NULL: any */
	const char *ledger; /* the entry afterwards: "open, addressed, reached 1"; NULL: any */
};

struct scenario {
	const char *name;
	const char *definition; /* NULL: none; this and rules as for desk_open */
	const char *rules;
	const char *ignore_emails, *test_emails; /* NULL: none; as for strings_add_words */
	const char *other;                       /* a matcher: where it holds, the account is "other"; NULL: never */
	bool rest_is_other;                      /* with `other`: it holds for main_account, the rest is "other" */
	struct scenario_step steps[SCENARIO_STEPS_MAX];
};

/* The function of a cmocka case whose initial_state is a scenario. */
void scenario_holds(void **which);

#endif

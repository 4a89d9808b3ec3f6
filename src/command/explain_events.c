#include <config.h>

#include "command/explain_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "decision/decide.h"
#include "klaviyo/request.h"

static void explain_request(const struct generation *g, const struct event *e, int64_t now_ms)
{
	const struct account *a = config_account(g->config, e->account);
	struct pairs headers = {0};
	struct err error = {0};
	char *body = NULL;

	out_print("Event: %s for %s\n", e->metric, e->email);
	out_print("  account %s, unique_id %s%s%s\n", e->account, e->unique_id,
		  event_is_backfill(e, now_ms) ? ", as backfill: recorded, no metric-triggered flow fires" : "",
		  a && a->hold ? "; the account is ON HOLD: it would wait" : "");
	if (request_single(e, now_ms, &body, &error) < 0) {
		out_print("  %s\n", error.text);
		return;
	}
	out_print("\n  POST %s%s\n", e->url, KLAVIYO_PATH_EVENTS);
	request_headers(&headers, "(not shown)", a ? a->revision : KLAVIYO_REVISION_TESTED);
	for (size_t i = 0; i < headers.n; i++)
		out_print("  %s: %s\n", headers.items[i].name, headers.items[i].value);
	pairs_done(&headers);
	struct json_object *tree = NULL;
	if (json_read(body, strlen(body), &tree, NULL) == 0) {
		CLEANUP(mem_freep) char *pretty = json_shown(tree, true);
		out_print("\n");
		out_lines(stdout, pretty);
		out_print("\n\n");
	}
	json_object_put(tree);
	free(body);
}

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct generation *const *g = ctx;
	const struct account *a = config_account((*g)->config, name);

	return a ? &a->policy : NULL;
}

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	(void)ctx;
	(void)account;
	(void)email;
	(void)flag;
	(void)reterr;
	*ret = 0;
	return 0;
}

static void explain_decision(const struct generation *g, const struct source *s, const struct parsed *p)
{
	const struct webhook *w = &p->webhook;
	struct ledger_entry entry = {0};
	struct reached_list reached = {0};
	struct decision decision = {0};
	struct err error = {0};
	struct buf lines;

	buf_init(&lines, EXPLAIN_MAX);
	struct decide_input in = {.source = &s->policy,
				  .conversation = p->reading.signal.conversation,
				  .webhook = w,
				  .signal = &p->reading.signal,
				  .customer = p->is_told ? &p->customer : NULL,
				  .entry = &entry,
				  .reached = &reached,
				  .now_ms = w->received_ms,
				  .view = {.account = account, .flag_count = flag_count, .ctx = &g},
				  .explain = &lines};
	int r = decide(&in, &decision, &error);
	explain_block("Ledger and rules, as for a conversation that is not known yet", &lines);
	buf_done(&lines);
	if (r < 0) {
		out_print("Dead letter: %s\n", error.text);
		return;
	}
	out_print("Result: %s%s%s\n\n", decide_result_name(decision.result), decision.detail ? ": " : "",
		  decision.detail ? decision.detail : "");
	for (size_t i = 0; i < decision.events_n; i++)
		explain_request(g, &decision.events[i], w->received_ms);
	decision_done(&decision);
}

/* What the pipeline does before the ledger sees it. */
static void explain_settle(const struct source_policy *s, const struct signal *signal)
{
	int64_t settle_ms = signal->transition == TRANSITION_CLOSED ? s->settle_close_ms
			    : signal->transition == TRANSITION_NONE ? 0
								    : s->settle_open_ms;
	char age[CLOCK_ISO_MAX];

	if (settle_ms <= 0)
		return;
	clock_age(settle_ms, age);
	out_print("Settle\n  it counts once it has lasted %s: held back until then, and gone where its opposite comes "
		  "before\n\n",
		  age);
}

void explain_signal(const struct generation *g, const struct source *s, const struct parsed *webhook)
{
	explain_settle(&s->policy, &webhook->reading.signal);
	explain_decision(g, s, webhook);
}

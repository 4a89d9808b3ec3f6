/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/pass_internal.h"

#include "base/log.h"

struct log_about pass_about(const struct pass *p, const char *reason)
{
	return (struct log_about){
		.source = p->webhook->source,
		.conversation = p->webhook->conversation,
		.webhook = p->webhook->id,
		.reason = reason,
	};
}

int pass_wait(struct pass *p, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	int r = store_webhook_wait(p->tc->store, p->webhook->id, why, not_before_ms, reterr);

	p->waits = true;
	return r < 0 ? r : STAGE_END;
}

int pass_done(struct pass *p, const char *result, const char *detail, struct err *reterr)
{
	struct log_about about = pass_about(p, NULL);
	CLEANUP(mem_freep) char *both = detail ? mem_fmt("%s: %s", result, detail) : NULL;
	const char *text = both ? both : result;
	int r = p->is_new ? store_webhook_insert(p->tc->store, &p->parsed->webhook, NULL, text, reterr)
			  : store_webhook_done(p->tc->store, p->webhook->id, text, reterr);

	if (r < 0)
		return r;
	pending_metrics_add(p->tc->pending, METRIC_WEBHOOK_RESULTS, p->webhook->source, result, NULL);
	pending_log_refused(p->tc->pending, &about, &p->signal->addresses);
	log_debug(&about, "%s: %s", transition_name(p->webhook->transition), text);
	return STAGE_END;
}

int pass_dead(struct pass *p, const char *reason, struct err *reterr)
{
	int r = turn_context_webhook_dead(p->tc, p->webhook->source, p->webhook->id, reason, LOG_WARNING,
					  PASS_DEAD_LINE, reterr);

	return r < 0 ? r : STAGE_END;
}

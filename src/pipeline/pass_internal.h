/* SPDX-License-Identifier: MIT */
/*
 * pass_internal: what the parts of a pass share; for pass.c and pass_*.c.
 *
 * pass.c           the stages in their order: reading, settle, order, customer, decision
 * pass_customer.c  the stage that finds out who the customer is
 * pass_end.c      where a webhook comes to rest
 */
#ifndef PIPELINE_PASS_INTERNAL_H
#define PIPELINE_PASS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "decision/ledger.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "pipeline/turn_context.h"

#define PASS_DEAD_LINE "a webhook became a dead letter"

/* A stage returns one of these, or an error: then the pass is undone, and the webhook becomes a dead letter, or the
 * turn is rolled back. */
enum stage {
	STAGE_CONTINUE = 0,
	STAGE_END = 1, /* done, dead or waiting: no stage follows */
};

struct pass {
	struct turn_context *tc;
	const struct source *source;
	struct parsed_webhook *parsed; /* NULL: a question took it over; the pass is at its end */
	const struct webhook *webhook; /* of it */
	const struct signal *signal;   /* of it, where it is one */
	struct ledger_entry entry;
	struct reached_list reached;
	bool waits;
	char *no_lookup_reason; /* why nobody is asked any more who the customer is; NULL: not given up */
};

/* Each brings the webhook to rest and returns STAGE_END, or what the store failed with. pass_done counts the result,
 * and puts the detail, which may be NULL, behind it for people. */
int pass_wait(struct pass *p, enum store_wait why, int64_t not_before_ms, struct err *reterr) MUSTCHECK;
int pass_done(struct pass *p, const char *result, const char *detail, struct err *reterr) MUSTCHECK;
int pass_dead(struct pass *p, const char *reason, struct err *reterr) MUSTCHECK;

/* Lent from p and reason. */
struct log_about pass_about(const struct pass *p, const char *reason);

/* The customer's stage. The reading is told the customer's addresses, as they are kept or as the helpdesk has just
 * answered; or the webhook goes on without them; or it comes to rest, and the question that is asked for it may have
 * taken p->parsed. */
int pass_customer(struct pass *p, struct err *reterr) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pass_internal: shared by the parts of a pass, pass.c and pass_*.c.
 *
 * pass.c           the stages in their order: reading, settle, order, customer, decision
 * pass_customer.c  the stage that finds the customer's addresses
 * pass_end.c       how a pass ends: done, dead or waiting
 */
#ifndef PIPELINE_PASS_INTERNAL_H
#define PIPELINE_PASS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "decision/ledger.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "pipeline/turn_context.h"

#define PASS_DEAD_LINE "a webhook became a dead letter"

/* A stage returns one of these or an error. An error undoes the pass; then the webhook becomes a dead letter, or the
 * turn is rolled back. */
enum stage {
	STAGE_CONTINUE = 0,
	STAGE_END = 1, /* done, dead or waiting: no stage follows */
};

struct pass {
	struct turn_context *tc;
	const struct source *source;
	struct parsed_webhook *parsed; /* NULL: a lookup request took ownership, and the pass ends */
	const struct webhook *webhook; /* parsed's webhook */
	const struct signal *signal;   /* parsed's signal; set only where it is one */
	struct ledger_entry entry;
	struct reached_list reached;
	struct store_conversation row; /* the entry's */
	bool is_new;                   /* the webhook is not inserted yet */
	bool waits;
	char *no_lookup_reason; /* why lookups were given up; NULL: they were not */
};

/* Each ends the pass and returns STAGE_END, or the store's error. pass_done() counts the result. detail (may be NULL)
 * is appended to it for people. */
int pass_wait(struct pass *p, enum store_wait why, int64_t not_before_ms, struct err *reterr) MUSTCHECK;
int pass_done(struct pass *p, const char *result, const char *detail, struct err *reterr) MUSTCHECK;
int pass_dead(struct pass *p, const char *reason, struct err *reterr) MUSTCHECK;

/* Borrows from p and reason. */
struct log_about pass_about(const struct pass *p, const char *reason);

/* The customer's stage. It adds the customer's addresses to the result of parsing, from the store or from the
 * helpdesk's answer. Otherwise the webhook continues without them, or waits for a lookup request, which may have taken
 * p->parsed. */
int pass_customer(struct pass *p, struct err *reterr) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * policy: the part of the configuration that a decision reads: one source and its accounts.
 */
#ifndef DECISION_POLICY_H
#define DECISION_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "decision/rules.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/matcher.h"

/* An event older than this when sent is backfill. CLOCK_NEVER_MS: none is. */
struct late {
	int64_t opened_ms, reopened_ms, closed_ms;
};
/* The defaults, also for an account that is not configured now. */
#define LATE_OPENED_MINUTES 15
#define LATE_REOPENED_MINUTES 15
#define LATE_CLOSED_HOURS 24

struct account_policy {
	const char *name, *url; /* borrowed; url has no trailing slash */
	struct late late;
};

/* One choice of the key `account` of a source. The first choice that holds counts. */
struct account_choice {
	struct matcher *when;                 /* NULL: always */
	const struct account_policy *account; /* borrowed; NULL: no account, so no event */
};

struct source_policy {
	const char *name;                    /* borrowed */
	const struct definition *definition; /* borrowed */
	char *label;
	struct rules *rules;
	struct account_choice *accounts;
	size_t accounts_n;
	struct strings flags; /* rendered: "In Gladly Conversation" */
	bool emails_primary;
	struct strings ignore_emails, test_emails;
	int64_t expire_after_ms; /* CLOCK_NEVER_MS: never */
	int64_t settle_open_ms, settle_close_ms;
};

#endif

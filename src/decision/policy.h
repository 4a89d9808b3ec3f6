/* SPDX-License-Identifier: MIT */
/*
 * policy: what a decision knows of the configuration: one source, and the accounts that it may send to.
 *
 * The configuration (conf/conf.h) fills these structs once and never changes them afterwards; a decision only reads
 * them. Pointers that are said to be borrowed belong to the configuration's own structs, the others to these.
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

/* Events that go out later than this are sent as backfill. CLOCK_NEVER_MS: never. */
struct late {
	int64_t opened_ms, reopened_ms, closed_ms;
};
/* Where nothing is written, and for an account that is not configured any more. */
#define LATE_OPENED_MINUTES 15
#define LATE_REOPENED_MINUTES 15
#define LATE_CLOSED_HOURS 24

struct account_policy {
	const char *name, *url; /* borrowed; the url without a trailing slash */
	struct late late;
};

/* `account` of a source: the first that holds. */
struct account_choice {
	struct matcher *when;                 /* NULL: always */
	const struct account_policy *account; /* borrowed; NULL: none, no event */
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

/* SPDX-License-Identifier: MIT */
/*
 * with_proof: verdicts as tests and golden cases write them.
 */
#ifndef TESTS_WITH_PROOF_H
#define TESTS_WITH_PROOF_H

#include "helpdesk/proof/proof.h"

static inline const char *proof_verdict_name(enum proof_verdict v)
{
	static const char *const names[] = {
		[PROOF_GOOD] = "good",
		[PROOF_MISSING] = "missing",
		[PROOF_WRONG] = "wrong",
		[PROOF_STALE] = "stale",
	};

	return names[v];
}

#endif

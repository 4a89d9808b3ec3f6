/*
 * answer: every answer that the listener gives (DESIGN section 6), as JSON. Pure.
 */
#ifndef INTAKE_ANSWER_H
#define INTAKE_ANSWER_H

#include "http/server.h"
#include "pipeline/pipeline.h"

enum answer {
	ANSWER_ALIVE, /* to HEAD: no body */
	ANSWER_PONG,
	ANSWER_IGNORED,
	ANSWER_EMPTY,
	ANSWER_UNREADABLE,
	ANSWER_AMBIGUOUS, /* two headers where one proves */
	ANSWER_UNAUTHORIZED,
	ANSWER_UNKNOWN_PATH,
	ANSWER_METHOD,
	ANSWER_MULTIPART,
	ANSWER_UNAVAILABLE,
	ANSWER_MAX_
};

/* challenge: for ANSWER_UNAUTHORIZED, the scheme that is expected ("Basic realm=…"), or NULL. */
void answer_give(struct http_exchange *x, enum answer a, const char *challenge);

/* What a committed (or refused) submission is told; resumes x. */
void answer_submission(struct http_exchange *x, const struct intake_submission *s);

#endif

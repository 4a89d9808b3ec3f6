/* SPDX-License-Identifier: MIT */
/*
 * answer: every answer that the listener gives, as JSON. Pure.
 *
 * A proven webhook gets 200 also where it is not readable: a helpdesk gives up what gets 4xx, so it is kept as a dead
 * letter. 4xx is for what has no proof, and for what cannot be taken as it is (no body, too long, another path, method
 * or type); it closes the connection. 503 is for what cannot be committed now: nothing was taken, and the helpdesk
 * sends it again.
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
	ANSWER_TOO_LONG,
	ANSWER_MULTIPART,
	ANSWER_ENCODED, /* a Content-Encoding that is not read */
	ANSWER_UNAVAILABLE,
	ANSWER_MAX_
};

/* scheme: for ANSWER_UNAUTHORIZED, what is expected ("Basic realm=…"), or NULL. */
void answer_send(struct http_exchange *x, enum answer a, const char *scheme);

/* The text of a header that may be echoed in an answer: NULL for none, for an empty or a very long one, and for what is
 * not all printable ASCII. */
#define ANSWER_ECHO_MAX 1024
const char *answer_echo(const char *value);
/* ANSWER_PONG with what a vendor wants echoed when a webhook is set up. */
void answer_challenge(struct http_exchange *x, const char *echo);

/* Answers a submission that was committed (or refused); resumes x. several: the request carried more than one item. */
void answer_submission(struct http_exchange *x, const struct submission *s, bool several);

#endif

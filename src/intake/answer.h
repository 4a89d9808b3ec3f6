/* SPDX-License-Identifier: MIT */
/*
 * answer: all answers of the listener, as JSON. Pure.
 *
 * An unreadable webhook with a good proof gets 200 and becomes a dead letter, because a helpdesk does not repeat a
 * webhook after 4xx. 4xx answers a request without a proof, or one that cannot be accepted (no body, too long, wrong
 * path, method or type). It closes the connection. 503 answers a request that cannot be committed now: nothing is
 * stored, and the helpdesk sends it again.
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
	ANSWER_AMBIGUOUS, /* more than one header for one proof */
	ANSWER_UNAUTHORIZED,
	ANSWER_UNKNOWN_PATH,
	ANSWER_METHOD,
	ANSWER_TOO_LONG,
	ANSWER_MULTIPART,
	ANSWER_ENCODED, /* a Content-Encoding */
	ANSWER_UNAVAILABLE,
	ANSWER_MAX_
};

/* scheme: for ANSWER_UNAUTHORIZED, the WWW-Authenticate value ("Basic realm=…"), or NULL. */
void answer_send(struct http_exchange *x, enum answer a, const char *scheme);

/* Returns the header's text if it may be echoed. NULL: missing, empty, too long, or not printable ASCII. */
#define ANSWER_ECHO_MAX 1024
const char *answer_echo(const char *value);
/* Answers ANSWER_PONG with the text that a vendor expects back during webhook set-up. */
void answer_challenge(struct http_exchange *x, const char *echo);

/* Answers a submission that was committed or refused, and resumes x. several: the request had more than one item. */
void answer_submission(struct http_exchange *x, const struct submission *s, bool several);

#endif

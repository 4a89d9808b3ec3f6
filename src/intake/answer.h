/* SPDX-License-Identifier: MIT */
/*
 * answer: all answers of the listener, as JSON. answer_echo() is pure; the other functions answer an exchange.
 *
 * - 200: the webhooks are committed, or there is nothing to store. An unreadable webhook with a good proof becomes a
 * dead letter and gets 200, too: helpdesks do not repeat a webhook that gets 4xx, so it would be lost.
 * - 4xx: the request has no good proof, or cannot be accepted (no body, too long, wrong path, method or type;
 * unreadable, from a source without a secret). The connection is closed.
 * - 503: the request cannot be committed now. Nothing is stored, and the helpdesk sends it again.
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

/* Answers with a fixed text. scheme: for ANSWER_UNAUTHORIZED, the WWW-Authenticate value ("Basic realm=…"), or NULL. */
void answer_send(struct http_exchange *x, enum answer a, const char *scheme);

#define ANSWER_ECHO_MAX 1024 /* bytes of a header's text that may be echoed */
/* Returns value, a header's text, if it may be echoed. NULL: it is missing, empty, too long, or not printable ASCII. */
const char *answer_echo(const char *value);
/* Answers ANSWER_PONG with the text that a vendor expects back during webhook set-up. */
void answer_challenge(struct http_exchange *x, const char *echo);

/* Answers a submission that was committed or refused. several: the request had more than one item. */
void answer_submission(struct http_exchange *x, const struct submission *s, bool several);

#endif

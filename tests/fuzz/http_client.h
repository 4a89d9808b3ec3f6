/* SPDX-License-Identifier: MIT */
/*
 * http_client: private to tests/fuzz. The client that plays a script, and checks the answers that it gets.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http_script.h"

#define HOLDS(condition)                                  \
	do {                                              \
		if (!(condition))                         \
			stage_fail(#condition, __LINE__); \
	} while (0)
/* Prints the condition, the bytes that were sent and those that came, and aborts. */
void stage_fail(const char *condition, int line) __attribute__((noreturn));

#define CLIENT_END_MS 30000 /* the server must have ended a connection by then */

/* The server for a script. */
struct target {
	int port;              /* of loopback; 0: path */
	const char *path;      /* of a unix socket */
	bool (*is_busy)(void); /* true where the server works on a request */
};

struct played {
	unsigned answers;   /* without 100 */
	unsigned submitted; /* webhooks that came to the pipeline; set by the stage */
	bool is_cut_off;    /* the answers may lack their end: the client left, or was reset */
	unsigned status;    /* of the last answer; 0: none */
};
/* Connects, sends the script, reads all answers, and closes. */
void client_play(const struct script *s, const struct target *at);
/* Returns the bytes of the answers to the last script. */
const char *client_heard(size_t *ret_len);
/* Counts the answers, and aborts where one is malformed, has a status that is_known() does not name, comes after one
 * that closes, or shows a secret. */
void client_check(const struct script *s, struct played *ret);

#endif

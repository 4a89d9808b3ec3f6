/* SPDX-License-Identifier: MIT */
/*
 * scripted: a server on 127.0.0.1 that answers as it was told and remembers what it was asked, and a configuration in a
 * folder of its own. Every wait ends after SCRIPTED_PATIENCE_MS at the latest.
 */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/generation.h"

#define SCRIPTED_PATIENCE_MS 20000

enum scripted_how {
	SCRIPTED_ANSWER,
	SCRIPTED_HOLD,  /* no answer until scripted_release */
	SCRIPTED_RESET, /* the connection is reset */
	SCRIPTED_CLOSE, /* the connection is closed without a word */
};

/* Borrowed texts: string literals. */
struct scripted_answer {
	enum scripted_how how;
	unsigned status;
	const char *type, *body;
	size_t filler; /* so many bytes of body instead */
	const char *header, *value;
};

struct scripted_request {
	char *method, *path, *body;
	char *authorization, *revision, *type, *agent;
	int64_t at_ms;
};

struct scripted;
struct scripted *scripted_start(void);
void scripted_stop(struct scripted *s);
const char *scripted_url(const struct scripted *s); /* "http://127.0.0.1:PORT" */
/* What is answered once, in this order; then, for ever, `always`. */
void scripted_once(struct scripted *s, struct scripted_answer a);
void scripted_always(struct scripted *s, struct scripted_answer a);
/* Waits until at least n requests came. */
void scripted_wait(struct scripted *s, size_t n);
size_t scripted_count(struct scripted *s);
const struct scripted_request *scripted_request(struct scripted *s, size_t i);
size_t scripted_most_at_once(struct scripted *s);
/* Answers all that is held. */
void scripted_release(struct scripted *s, struct scripted_answer a);

/* A folder for configuration and secrets. */
char *scripted_folder(void);
void scripted_folder_remove(char *folder); /* and frees */
void scripted_write(const char *folder, const char *name, const char *text);
/* From FOLDER/deskbridge.yaml; fails the test where that has errors. */
struct generation *scripted_load(const char *folder);

#endif

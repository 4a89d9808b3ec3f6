/* SPDX-License-Identifier: MIT */
/*
 * options: a sub-command's words: --name, --name VALUE, --name=VALUE, and what stands without dashes.
 *
 * Every command understands --help by itself. A wrong word names the nearest right one. A name is written in full: what
 * an abbreviation means would change with each new option. Not for two threads at a time (getopt).
 */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stddef.h>

#include "command/command.h"
#include "helpdesk/expr/webhook.h"

enum option_type {
	OPTION_FLAG,  /* bool *: set to true */
	OPTION_TEXT,  /* const char **: the last one counts */
	OPTION_LIST,  /* struct option_list *: each one */
	OPTION_FILE,  /* as OPTION_TEXT, the name of a file: an empty one is wrong usage */
	OPTION_FILES, /* as OPTION_LIST, in the same way */
	OPTION_COUNT, /* long *: a whole number, at least 1 */
};

#define OPTION_LIST_MAX 64
struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t n;
};

struct option_spec {
	const char *name; /* "--limit" */
	enum option_type type;
	void *target;
};

#define OPTIONS_GO (-1)

/*
 * specs ends with a NULL name. words: at most words_max texts without dashes, all borrowed from argv; *ret_words is how
 * many there are. Returns OPTIONS_GO, or the exit status with which the command ends at once (after --help:
 * COMMAND_GOOD; after a message on stderr: COMMAND_USAGE).
 */
int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv, const char **words,
		  size_t words_max, size_t *ret_words);

/* The word of an argument or option that takes opened, reopened or closed. OPTIONS_GO, or COMMAND_USAGE after a
 * message. */
int options_transition(const struct command *c, const char *word, enum transition *ret);

/* The message about a word that is none of names, NULL-ended: "--state undead: expected ready, delivered or dead", and
 * which of them may be meant. COMMAND_USAGE. */
int options_expected(const struct command *c, const char *what, const char *word, const char *const *names);

#endif

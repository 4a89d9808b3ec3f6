/* SPDX-License-Identifier: MIT */
/*
 * options: parses the arguments of a sub-command: --name, --name VALUE, --name=VALUE, and words without dashes.
 *
 * Every command has --help without naming it. A wrong option is answered with the nearest right one. Abbreviations are
 * refused: a new option would change their meaning. One thread at a time (getopt).
 */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stddef.h>

#include "command/command.h"
#include "helpdesk/expr/webhook.h"

enum option_type {
	OPTION_FLAG,  /* bool *, set to true */
	OPTION_TEXT,  /* const char **, the last one wins */
	OPTION_LIST,  /* struct option_list *, all of them */
	OPTION_FILE,  /* as OPTION_TEXT, for the name of a file: an empty one is wrong usage */
	OPTION_FILES, /* as OPTION_LIST, for names of files: an empty one is wrong usage */
	OPTION_COUNT, /* long *, a whole number of at least 1 */
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
 * specs: the options, up to a NULL name. words: gets at most words_max words without dashes, borrowed from argv.
 * *ret_words: their number.
 *
 * Returns OPTIONS_GO, or the exit status with which the command ends at once: COMMAND_GOOD after --help, COMMAND_USAGE
 * after a message on stderr.
 */
int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv, const char **words,
		  size_t words_max, size_t *ret_words);

/* Parses opened, reopened or closed. Returns OPTIONS_GO, or COMMAND_USAGE after a message. */
int options_transition(const struct command *c, const char *word, enum transition *ret);

/* Prints the message about a word that is not one of names, which end with NULL: "--state undead: expected ready,
 * delivered or dead", and the nearest of them. Returns COMMAND_USAGE. */
int options_expected(const struct command *c, const char *what, const char *word, const char *const *names);

#endif

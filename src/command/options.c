/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 32   /* more than any command has */
#define SHOWN_MAX 100  /* bytes of a wrong word in a message */
#define FIRST_SPEC 256 /* getopt_long's value for the first spec, beyond all letters */

static int unknown(const struct command *c, const struct option_spec *specs, const char *word, size_t len)
{
	CLEANUP(mem_freep) char *name = mem_strn(word, len > SHOWN_MAX ? SHOWN_MAX : len);
	const char *names[NAMES_MAX] = {"--help"};
	size_t n = 1;

	if (strncmp(name, "-c", 2) == 0 || strcmp(name, "--config") == 0)
		return command_usage_error(c, "%s goes before the command: deskbridge -c FILE %s",
					   name[1] == 'c' ? "-c" : name, c->name);
	for (const struct option_spec *s = specs; s->name && n < NAMES_MAX; s++)
		names[n++] = s->name;
	CLEANUP(mem_freep) char *meant = text_suggestion(" (", ")", name, names, n);
	return command_usage_error(c, "unknown option %s%s", name, meant);
}

static int set_value(const struct command *c, const struct option_spec *s, const char *value)
{
	struct option_list *list = s->target;
	uint64_t count;

	if ((s->type == OPTION_FILE || s->type == OPTION_FILES) && *value == '\0')
		return command_usage_error(c, "%s needs a file", s->name);
	switch (s->type) {
	case OPTION_TEXT:
	case OPTION_FILE:
		*(const char **)s->target = value;
		break;
	case OPTION_LIST:
	case OPTION_FILES:
		if (list->n == OPTION_LIST_MAX)
			return command_usage_error(c, "%s: at most %d of them", s->name, OPTION_LIST_MAX);
		list->items[list->n++] = value;
		break;
	case OPTION_COUNT:
		if (text_digits(value, strlen(value), LONG_MAX, &count) < 0 || count < 1)
			return command_usage_error(c, "%s %s: expected a whole number from 1", s->name, value);
		*(long *)s->target = (long)count;
		break;
	case OPTION_FLAG:
		*(bool *)s->target = true;
		break;
	}
	return OPTIONS_GO;
}

int options_expected(const struct command *c, const char *what, const char *word, const char *const *names)
{
	CLEANUP(mem_freep) char *all = NULL;
	CLEANUP(mem_freep) char *meant = NULL;
	size_t n = 0;

	while (names[n])
		n++;
	all = text_join(names, n, " or ");
	meant = text_suggestion("; ", "", word, names, n);
	return command_usage_error(c, "%s%.*s: expected %s%s", what, SHOWN_MAX, word, all, meant);
}

int options_transition(const struct command *c, const char *word, enum transition *ret)
{
	static const char *const names[] = {"opened", "reopened", "closed", NULL};

	for (size_t i = 0; names[i]; i++)
		if (strcmp(word, names[i]) == 0 && transition_parse(word, ret) == 0)
			return OPTIONS_GO;
	return options_expected(c, "", word, names);
}

static int take_word(const struct command *c, const char *word, const char **words, size_t max, size_t *n)
{
	if (*n == max)
		return command_usage_error(c, "\"%s\" is one word too many", word);
	words[(*n)++] = word;
	return OPTIONS_GO;
}

int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv, const char **words,
		  size_t words_max, size_t *ret_words)
{
	struct option known[NAMES_MAX] = {{"help", no_argument, NULL, 'h'}};
	int end = OPTIONS_GO;
	size_t n = 0;
	int got;

	for (int i = 0; specs[i].name; i++) {
		INSIST(i + 2 < NAMES_MAX);
		known[i + 1] = (struct option){specs[i].name + 2,
					       specs[i].type == OPTION_FLAG ? no_argument : required_argument, NULL,
					       FIRST_SPEC + i};
	}
	opterr = 0;
	optind = 0;
	for (const char *word = argv[1]; end == OPTIONS_GO && (got = getopt_long(argc, argv, "-:h", known, NULL)) != -1;
	     word = argv[optind]) {
		int named = got == '?' || got == ':' ? optopt : got;
		const struct option_spec *s = named >= FIRST_SPEC ? &specs[named - FIRST_SPEC] : NULL;
		size_t len = strcspn(word, "=");

		if (got == 1)
			end = take_word(c, word, words, words_max, &n);
		/* getopt_long also accepts the beginning of a name, and letters joined in one word. */
		else if (s ? len != strlen(s->name) : strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0)
			end = unknown(c, specs, word, len);
		else if (got == ':')
			end = command_usage_error(c, "%s needs a value", s->name);
		else if (got == '?')
			end = command_usage_error(c, "%s takes no value", s->name);
		else if (s)
			end = set_value(c, s, optarg);
		else {
			command_print_help(c);
			return COMMAND_GOOD;
		}
	}
	for (; end == OPTIONS_GO && optind < argc; optind++) /* after "--" */
		end = take_word(c, argv[optind], words, words_max, &n);
	if (end == OPTIONS_GO)
		*ret_words = n;
	return end;
}

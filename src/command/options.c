#include <config.h>

#include "command/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/settings.h"

#define NAMES_MAX 32  /* more than any command has */
#define SHOWN_MAX 100 /* bytes of a wrong word that are shown */

static const struct option_spec *find(const struct option_spec *specs, const char *word, size_t len)
{
	for (const struct option_spec *s = specs; s->name; s++)
		if (strlen(s->name) == len && strncmp(s->name, word, len) == 0)
			return s;
	return NULL;
}

static int unknown(const struct command *c, const struct option_spec *specs, const char *word, size_t len)
{
	CLEANUP(mem_freep) char *name = mem_strn(word, len > SHOWN_MAX ? SHOWN_MAX : len);
	const char *names[NAMES_MAX] = {"--help"};
	size_t n = 1;

	if (strncmp(name, "-c", 2) == 0 || strcmp(name, "--config") == 0)
		return command_usage_error(c, "%s stands before the command: deskbridge -c FILE %s",
					   name[1] == 'c' ? "-c" : name, c->name);
	for (const struct option_spec *s = specs; s->name && n < NAMES_MAX; s++)
		names[n++] = s->name;
	CLEANUP(mem_freep) char *meant = text_meant(" (", ")", name, names, n);
	return command_usage_error(c, "unknown option %s%s", name, meant);
}

/* Digits and nothing else. */
static int read_count(const char *text, long *ret)
{
	errno = 0;
	long n = strtol(text, NULL, 10);
	if (errno || *text == '\0' || text[strspn(text, "0123456789")] != '\0' || n < 1)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int set_value(const struct command *c, const struct option_spec *s, const char *value)
{
	struct option_list *list = s->target;

	switch (s->type) {
	case OPTION_TEXT:
		*(const char **)s->target = value;
		break;
	case OPTION_LIST:
		if (list->n == OPTION_LIST_MAX)
			return command_usage_error(c, "%s: at most %d of them", s->name, OPTION_LIST_MAX);
		list->items[list->n++] = value;
		break;
	case OPTION_COUNT:
		if (read_count(value, s->target) < 0)
			return command_usage_error(c, "%s %s: expected a whole number from 1", s->name, value);
		break;
	case OPTION_FLAG:
		return command_usage_error(c, "%s takes no value", s->name);
	}
	return OPTIONS_GO;
}

int options_expected(const struct command *c, const char *what, const char *word, const char *const *names)
{
	CLEANUP(mem_freep) char *all = NULL, *meant = NULL;
	size_t n = 0;

	while (names[n])
		n++;
	all = text_join(names, n, " or ");
	meant = text_meant("; ", "", word, names, n);
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

int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv, const char **words,
		  size_t words_max, size_t *ret_words)
{
	bool only_words = false;
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		if (only_words || word[0] != '-' || word[1] == '\0') {
			if (n == words_max)
				return command_usage_error(c, "\"%s\" is one word too many", word);
			words[n++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			command_print_help(c);
			return COMMAND_GOOD;
		}
		const char *value = strchr(word, '=');
		size_t len = value ? (size_t)(value - word) : strlen(word);
		const struct option_spec *s = find(specs, word, len);
		if (!s)
			return unknown(c, specs, word, len);
		if (s->type == OPTION_FLAG && !value) {
			*(bool *)s->target = true;
			continue;
		}
		if (!value && ++i == argc)
			return command_usage_error(c, "%s needs a value", s->name);
		int end = set_value(c, s, value ? value + 1 : argv[i]);
		if (end != OPTIONS_GO)
			return end;
	}
	*ret_words = n;
	return OPTIONS_GO;
}

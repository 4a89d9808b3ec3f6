#include "config.h"

#include "command/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAR_AWAY 3 /* edits: a word farther off is no typing error */

static const struct option_spec *find(const struct option_spec *specs, const char *word, size_t len)
{
	for (const struct option_spec *s = specs; s->name; s++)
		if (strlen(s->name) == len && strncmp(s->name, word, len) == 0)
			return s;
	return NULL;
}

static int unknown(const struct command *c, const struct option_spec *specs, const char *word, size_t len)
{
	char name[128];
	const char *nearest = NULL;
	unsigned best = FAR_AWAY + 1;

	snprintf(name, sizeof(name), "%.*s", len > 100 ? 100 : (int)len, word);
	for (const struct option_spec *s = specs; s->name; s++) {
		unsigned distance = text_distance(name, s->name, FAR_AWAY);
		if (distance < best) {
			best = distance;
			nearest = s->name;
		}
	}
	if (nearest)
		return command_usage_error(c, "unknown option %s (did you mean %s?)", name, nearest);
	return command_usage_error(c, "unknown option %s", name);
}

static int set_value(const struct command *c, const struct option_spec *s, const char *value)
{
	struct option_list *list = s->target;
	char *end;

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
		errno = 0;
		long n = strtol(value, &end, 10);
		if (errno || end == value || *end || n < 1)
			return command_usage_error(c, "%s %s: expected a whole number from 1", s->name, value);
		*(long *)s->target = n;
		break;
	case OPTION_FLAG:
		return command_usage_error(c, "%s takes no value", s->name);
	}
	return OPTIONS_GO;
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

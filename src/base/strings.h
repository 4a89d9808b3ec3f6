/*
 * strings: a list of texts that it owns. {0} is an empty one. Pure.
 */
#ifndef BASE_STRINGS_H
#define BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items;
	size_t n;
};

void strings_add(struct strings *l, const char *text); /* a copy */
void strings_addn(struct strings *l, const char *text, size_t len);
bool strings_have(const struct strings *l, const char *text);
/* The same texts in the same order. */
bool strings_same(const struct strings *a, const struct strings *b);
void strings_done(struct strings *l); /* leaves it empty */

#endif

/*
 * strings: a list of texts that it owns. Pure.
 */
#ifndef BASE_STRINGS_H
#define BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items;
	size_t n;
};

/* The same texts in the same order. */
bool strings_same(const struct strings *a, const struct strings *b);
void strings_done(struct strings *l); /* leaves it empty */

#endif

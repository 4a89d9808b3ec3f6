#include <config.h>

#include "base/strings.h"

#include <string.h>

#include "base/mem.h"

void strings_add(struct strings *l, const char *text)
{
	strings_addn(l, text, strlen(text));
}

void strings_addn(struct strings *l, const char *text, size_t len)
{
	MEM_ROOM(l->items, l->n);
	l->items[l->n++] = mem_strn(text, len);
}

bool strings_have(const struct strings *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], text) == 0)
			return true;
	return false;
}

bool strings_same(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

void strings_done(struct strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct strings){0};
}

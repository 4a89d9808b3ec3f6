/* SPDX-License-Identifier: MIT */
/* How often a text stands in this process's memory, freed or not. Only for tests, of one thread. */
#ifndef MEMORY_COPIES_H
#define MEMORY_COPIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The sanitizers hold back what is freed, in memory that is too large to look through. */
#define memory_can_be_searched() mem_guards_libraries

/* hidden: the bytes of the text with each bit turned, so that the question itself is no copy. */
static inline size_t memory_copies(const char *hidden)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t len = strlen(hidden), copies = 0;
	unsigned long from, to;
	char line[512], mode[5];

	INSIST(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || strncmp(mode, "rw", 2) != 0)
			continue;
		for (const volatile char *at = (const volatile char *)from; (unsigned long)at + len <= to; at++) {
			size_t same = 0;

			while (same < len && (char)~at[same] == hidden[same])
				same++;
			copies += same == len;
		}
	}
	(void)fclose(maps);
	return copies;
}

/* The other way round: what is hidden as text, and the same again. In place. */
static inline void memory_turn(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)~text[i];
}

#endif

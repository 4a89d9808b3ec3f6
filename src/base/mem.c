#include <config.h>

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Neither stdio nor the log: both may want memory. */
static __attribute__((noreturn)) void mem_die(const char *line)
{
	ssize_t ignored = write(STDERR_FILENO, line, strlen(line));

	(void)ignored;
	abort();
}

static void *mem_check(void *p)
{
	if (!p)
		mem_die("deskbridge: out of memory\n");
	return p;
}

void *mem_new(size_t n, size_t size)
{
	return mem_check(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		mem_die("deskbridge: out of memory (impossible size)\n");
	return mem_check(realloc(p, bytes > 0 ? bytes : 1));
}

void *mem_dup(const void *p, size_t len)
{
	char *copy;

	INSIST(len < SIZE_MAX);
	copy = mem_check(malloc(len + 1));
	if (len > 0)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

char *mem_str(const char *s)
{
	return s ? mem_dup(s, strlen(s)) : NULL;
}

char *mem_strn(const char *s, size_t len)
{
	return s ? mem_dup(s, strnlen(s, len)) : NULL;
}

char *mem_fmt(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return mem_check(n < 0 ? NULL : text);
}

void mem_insist_failed(const char *cond, const char *file, int line, const char *func)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "deskbridge: %s:%d: %s: this cannot happen: not (%s)\n", file, line, func,
		       cond);
	mem_die(text);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/problems.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/node.h"
#include "base/out.h"

#define PROBLEM_TEXT_MAX 2048

/* what: its file and path are borrowed, its text is set here. Also counts past PROBLEMS_MAX. */
static void add(struct problems *p, struct problem what, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void add(struct problems *p, struct problem what, const char *fmt, va_list ap)
{
	char text[PROBLEM_TEXT_MAX];

	*(what.warning ? &p->warnings : &p->errors) += 1;
	if (p->n >= PROBLEMS_MAX)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	what.file = mem_str(what.file ? what.file : "");
	what.path = mem_str(what.path ? what.path : "");
	what.text = mem_str(text);
	MEM_ROOM(p->items, p->n);
	p->items[p->n++] = what;
}

void problems_add(struct problems *p, enum problem_kind kind, const struct node *at, const char *fmt, ...)
{
	struct problem what = {.warning = kind != PROBLEM_ERROR, .notice = kind == PROBLEM_NOTICE};
	va_list ap;

	if (at) {
		what.file = at->file;
		what.line = at->line;
		what.column = at->column;
		what.path = at->path;
	}
	va_start(ap, fmt);
	add(p, what, fmt, ap);
	va_end(ap);
}

bool problems_have(const struct problems *p, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i].text, text) == 0)
			return true;
	return false;
}

void problems_error_at(struct problems *p, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	const struct problem what = {.file = (char *)file, .line = line, .column = column};
	va_list ap;

	va_start(ap, fmt);
	add(p, what, fmt, ap);
	va_end(ap);
}

char *problem_location(const struct problem *one)
{
	const char *path_end = one->path[0] != '\0' ? ": " : "";

	if (one->file[0] != '\0' && one->line > 0)
		return mem_fmt("%s:%u:%u: %s%s", one->file, one->line, one->column, one->path, path_end);
	return mem_fmt("%s%s%s%s", one->file, one->file[0] != '\0' ? ": " : "", one->path, path_end);
}

struct ordered {
	struct problem problem;
	size_t index;
	bool first; /* in the file whose problems come first */
};

static int by_location(const void *a, const void *b)
{
	const struct ordered *x = a;
	const struct ordered *y = b;
	int order;

	if (x->first != y->first)
		return x->first ? -1 : 1;
	order = strcmp(x->problem.file, y->problem.file);
	if (order != 0)
		return order;
	if (x->problem.line != y->problem.line)
		return x->problem.line < y->problem.line ? -1 : 1;
	if (x->problem.column != y->problem.column)
		return x->problem.column < y->problem.column ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_known(const struct problems *p, size_t from, const struct problem *one)
{
	for (size_t i = from; i < p->n; i++) {
		const struct problem *other = &p->items[i];

		if (other->warning == one->warning && other->line == one->line && other->column == one->column &&
		    strcmp(other->file, one->file) == 0 && strcmp(other->path, one->path) == 0 &&
		    strcmp(other->text, one->text) == 0)
			return true;
	}
	return false;
}

static void problem_done(struct problem *one)
{
	free(one->file);
	free(one->path);
	free(one->text);
}

void problems_sort(struct problems *p, size_t from, const char *file)
{
	CLEANUP(mem_freep) struct ordered *sorted = NULL;
	size_t n = p->n - from;

	if (n < 2)
		return;
	sorted = mem_new(n, sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct ordered){
			.problem = p->items[from + i],
			.index = i,
			.first = strcmp(p->items[from + i].file, file) == 0,
		};
	qsort(sorted, n, sizeof(*sorted), by_location);
	p->n = from;
	for (size_t i = 0; i < n; i++) {
		struct problem *one = &sorted[i].problem;

		if (!is_known(p, from, one)) {
			p->items[p->n++] = *one;
			continue;
		}
		*(one->warning ? &p->warnings : &p->errors) -= 1;
		problem_done(one);
	}
}

void problems_print(const struct problems *p, FILE *to)
{
	size_t all = p->errors + p->warnings;

	for (size_t i = 0; i < p->n; i++) {
		const struct problem *one = &p->items[i];
		CLEANUP(mem_freep) char *location = problem_location(one);

		out_to(to, "%s%s%s\n", location, one->notice ? "notice: " : one->warning ? "warning: " : "", one->text);
	}
	if (all > p->n)
		out_to(to, "and %zu more\n", all - p->n);
}

void problems_done(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		problem_done(&p->items[i]);
	free(p->items);
	*p = (struct problems){0};
}

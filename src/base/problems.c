#include <config.h>

#include "base/problems.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/node.h"
#include "base/out.h"

#define PROBLEM_TEXT_MAX 2048

static char *problem_text(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *problem_text(const char *fmt, va_list ap)
{
	char text[PROBLEM_TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return mem_str(text);
}

static bool problems_full(struct problems *p, bool warning)
{
	if (warning)
		p->warnings++;
	else
		p->errors++;
	return p->n >= PROBLEMS_MAX;
}

/* Takes text over. */
static void problems_put(struct problems *p, struct problem found)
{
	MEM_ROOM(p->items, p->n);
	p->items[p->n++] = found;
}

static void problems_put_node(struct problems *p, bool warning, bool notice, const struct node *at, char *text)
{
	problems_put(p, (struct problem){
				.warning = warning,
				.notice = notice,
				.file = mem_str(at && at->file ? at->file : ""),
				.line = at ? at->line : 0,
				.column = at ? at->column : 0,
				.path = mem_str(at && at->path ? at->path : ""),
				.text = text,
			});
}

void problems_error(struct problems *p, const struct node *at, const char *fmt, ...)
{
	va_list ap;

	if (problems_full(p, false))
		return;
	va_start(ap, fmt);
	problems_put_node(p, false, false, at, problem_text(fmt, ap));
	va_end(ap);
}

void problems_warn(struct problems *p, const struct node *at, const char *fmt, ...)
{
	va_list ap;

	if (problems_full(p, true))
		return;
	va_start(ap, fmt);
	problems_put_node(p, true, false, at, problem_text(fmt, ap));
	va_end(ap);
}

void problems_notice(struct problems *p, const struct node *at, const char *fmt, ...)
{
	va_list ap;

	if (problems_full(p, true))
		return;
	va_start(ap, fmt);
	problems_put_node(p, true, true, at, problem_text(fmt, ap));
	va_end(ap);
}

bool problems_told(const struct problems *p, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i].text, text) == 0)
			return true;
	return false;
}

void problems_error_at(struct problems *p, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (problems_full(p, false))
		return;
	va_start(ap, fmt);
	problems_put(p, (struct problem){
				.file = mem_str(file ? file : ""),
				.line = line,
				.column = column,
				.path = mem_str(""),
				.text = problem_text(fmt, ap),
			});
	va_end(ap);
}

char *problem_place(const struct problem *one)
{
	const char *path_end = one->path[0] != '\0' ? ": " : "";

	if (one->file[0] != '\0' && one->line > 0)
		return mem_fmt("%s:%u:%u: %s%s", one->file, one->line, one->column, one->path, path_end);
	return mem_fmt("%s%s%s%s", one->file, one->file[0] != '\0' ? ": " : "", one->path, path_end);
}

void problems_print(const struct problems *p, FILE *to)
{
	size_t all = p->errors + p->warnings;

	for (size_t i = 0; i < p->n; i++) {
		const struct problem *one = &p->items[i];
		CLEANUP(mem_freep) char *place = problem_place(one);

		out_to(to, "%s%s%s\n", place, one->notice ? "notice: " : one->warning ? "warning: " : "", one->text);
	}
	if (all > p->n)
		out_to(to, "and %zu more\n", all - p->n);
}

void problems_done(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].file);
		free(p->items[i].path);
		free(p->items[i].text);
	}
	free(p->items);
	*p = (struct problems){0};
}

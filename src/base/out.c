/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/out.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/known_secrets.h"
#include "base/mem.h"

/* One conversion of a format. */
struct conversion {
	char spec[48]; /* as in the format, with an asterisk replaced by its number */
	bool left;     /* the flag - */
	int width;     /* -1: none */
	int precision; /* -1: none */
	char length[3];
	char letter;
};

/* Reads a number: digits, or an asterisk's argument. */
static int take_number(const char **at, va_list *ap)
{
	int n = 0;

	if (**at == '*') {
		++*at;
		return va_arg(*ap, int);
	}
	for (; **at >= '0' && **at <= '9'; ++*at)
		n = n < INT_MAX / 100 ? n * 10 + (**at - '0') : n;
	return n;
}

/* at: after the %. Returns the position after the conversion. */
static const char *take_conversion(const char *at, va_list *ap, struct conversion *ret)
{
	const char *flags_at = at;
	size_t flags = strspn(at, "-+ #0");
	char width[16] = "";
	char precision[16] = "";
	size_t length;

	*ret = (struct conversion){.left = memchr(at, '-', flags) != NULL, .width = -1, .precision = -1};
	INSIST(flags < 6);
	at += flags;
	if (*at == '*' || (*at >= '0' && *at <= '9')) {
		ret->width = take_number(&at, ap);
		if (ret->width < 0) {
			ret->left = true;
			ret->width = -ret->width;
		}
		(void)snprintf(width, sizeof(width), "%d", ret->width);
	}
	if (*at == '.') {
		at++;
		ret->precision = take_number(&at, ap);
		if (ret->precision >= 0)
			(void)snprintf(precision, sizeof(precision), ".%d", ret->precision);
	}
	length = strspn(at, "hlzjt");
	INSIST(length < sizeof(ret->length));
	memcpy(ret->length, at, length);
	at += length;
	ret->letter = *at;
	(void)snprintf(ret->spec, sizeof(ret->spec), "%%%.*s%s%s%s%c", (int)flags, flags_at, width, precision,
		       ret->length, ret->letter);
	return at + 1;
}

/* Returns the text safe to print; of it at most `precision` bytes (-1: all). The caller owns it. */
static char *printable(const char *text, int precision)
{
	size_t len = precision >= 0 ? strnlen(text, (size_t)precision) : strlen(text);
	CLEANUP(mem_freep) char *part = NULL;
	CLEANUP(mem_freep) char *cleaned = NULL;

	if (precision >= 0 && len == (size_t)precision)
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	part = mem_strn(text, len);
	cleaned = known_secrets_redact(part);
	return escape_text(cleaned);
}

static void put_blanks(FILE *to, size_t n)
{
	while (n-- > 0)
		(void)fputc(' ', to);
}

static void put_text(FILE *to, const struct conversion *c, const char *text)
{
	CLEANUP(mem_freep) char *line = printable(text ? text : "(null)", c->precision);
	size_t width = c->width > 0 ? (size_t)c->width : 0;
	size_t taken = escape_width(line);

	if (!c->left && taken < width)
		put_blanks(to, width - taken);
	(void)fputs(line, to);
	if (c->left && taken < width)
		put_blanks(to, width - taken);
}

/* c->spec is a part of one of this program's own formats. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put(FILE *to, const struct conversion *c, va_list *ap)
{
	char letter[2] = "";

	switch (c->letter) {
	case '%':
		(void)fputc('%', to);
		return;
	case 's':
		put_text(to, c, va_arg(*ap, const char *));
		return;
	case 'c':
		letter[0] = (char)va_arg(*ap, int);
		put_text(to, c, letter);
		return;
	case 'f':
	case 'g':
		(void)fprintf(to, c->spec, va_arg(*ap, double));
		return;
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
		if (strcmp(c->length, "ll") == 0)
			(void)fprintf(to, c->spec, va_arg(*ap, long long));
		else if (c->length[0] == 'l')
			(void)fprintf(to, c->spec, va_arg(*ap, long));
		else if (c->length[0] == 'z')
			(void)fprintf(to, c->spec, va_arg(*ap, size_t));
		else if (c->length[0] == 'j')
			(void)fprintf(to, c->spec, va_arg(*ap, intmax_t));
		else if (c->length[0] == 't')
			(void)fprintf(to, c->spec, va_arg(*ap, ptrdiff_t));
		else
			(void)fprintf(to, c->spec, va_arg(*ap, int));
		return;
	default:
		INSIST(!"a conversion that out.h does not name");
	}
}
#pragma GCC diagnostic pop

void out_to(FILE *to, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt != '\0') {
		size_t plain = strcspn(fmt, "%");
		struct conversion c;

		(void)fwrite(fmt, 1, plain, to);
		fmt += plain;
		if (*fmt == '\0')
			break;
		fmt = take_conversion(fmt + 1, &ap, &c);
		put(to, &c, &ap);
	}
	va_end(ap);
}

void out_lines(FILE *to, const char *text)
{
	CLEANUP(mem_freep) char *cleaned = known_secrets_redact(text);
	CLEANUP(buf_done) struct buf lines;

	buf_init(&lines, INT_MAX);
	escape_add(&lines, cleaned, ESCAPE_LINES);
	(void)fwrite(lines.data, 1, lines.len, to);
}

void out_exact(FILE *to, const char *text)
{
	(void)fputs(text, to);
}

size_t out_width(const char *text)
{
	CLEANUP(mem_freep) char *line = printable(text, -1);

	return escape_width(line);
}

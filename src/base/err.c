/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *reterr, int code, const char *fmt, ...)
{
	va_list ap;

	if (!reterr)
		return code;
	reterr->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *reterr, const char *fmt, ...)
{
	char before[ERR_TEXT_MAX];
	size_t room, n, keep;
	va_list ap;

	if (!reterr)
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(before, sizeof(before) - 2, fmt, ap);
	va_end(ap);
	n = strlen(before);
	memcpy(before + n, ": ", 3);
	n += 2;
	room = sizeof(reterr->text) - 1 - n;
	keep = strnlen(reterr->text, room);
	memmove(reterr->text + n, reterr->text, keep);
	memcpy(reterr->text, before, n);
	reterr->text[n + keep] = '\0';
	return reterr->code;
}

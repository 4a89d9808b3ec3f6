#include <config.h>

#include "decision/decide_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void decide_say(const struct deciding *d, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (!d->in->explain)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_adds(d->in->explain, line);
	buf_addc(d->in->explain, '\n');
}

void decide_note(struct deciding *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One person's reason is often the next one's too. */
	if (strstr(d->detail.data, text))
		return;
	if (d->detail.len > 0)
		buf_adds(&d->detail, "; ");
	buf_adds(&d->detail, text);
}

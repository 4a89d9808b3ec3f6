#include <config.h>

#include "http/wire.h"

#include <microhttpd.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* "Sat, 21 Nov 2026 16:00:00 GMT". The program never leaves the C locale, so the names are English. */
static void add_date(int64_t now_ms, struct buf *to)
{
	time_t now = (time_t)(now_ms / CLOCK_SECOND_MS);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		buf_addf(to, "Date: %s\r\n", text);
}

/* A header with a line end in its value is left out, as libmicrohttpd does. */
static void add_header(const struct pair *h, struct buf *to)
{
	for (const char *c = h->value; *c != '\0'; c++)
		if (*c == '\r' || *c == '\n')
			return;
	buf_addf(to, "%s: %s\r\n", h->name, h->value);
}

void wire_answer(const struct http_answer *a, const char *method, int64_t now_ms, struct buf *to)
{
	buf_addf(to, "HTTP/1.1 %u %s\r\n", a->status, MHD_get_reason_phrase_for(a->status));
	add_date(now_ms, to);
	buf_addf(to, "Connection: close\r\nContent-Length: %zu\r\n", a->body_len);
	if (a->type)
		buf_addf(to, "Content-Type: %s\r\n", a->type);
	for (size_t i = 0; a->headers && i < a->headers->n; i++)
		add_header(&a->headers->items[i], to);
	buf_adds(to, "\r\n");
	if (!text_is(method, "HEAD"))
		buf_add(to, a->body, a->body_len);
}

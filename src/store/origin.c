/*
 * The source, account and conversation of an event or a webhook, for lines of the log: also of rows that do not read,
 * so nothing here fails.
 */
#include <config.h>

#include <stdlib.h>

#include "store/private.h"

void store_origin_done(struct store_origin *o)
{
	free(o->source);
	free(o->conversation);
	*o = (struct store_origin){0};
}

/* An empty text is what did not read. */
static char *text_or_nothing(struct query *q)
{
	char *text = query_text_or_null(q);

	if (text && text[0] == '\0') {
		free(text);
		return NULL;
	}
	return text;
}

void store_webhook_origin(struct store *s, int64_t id, struct store_origin *ret)
{
	*ret = (struct store_origin){0};
	QUERY(q, s, "SELECT source, conversation FROM webhooks WHERE id = ?1", NULL);
	query_bind_int(&q, id);
	if (query_step(&q) <= 0)
		return;
	ret->source = text_or_nothing(&q);
	ret->conversation = text_or_nothing(&q);
	ret->webhook = id;
}

void store_event_origin(struct store *s, int64_t id, struct store_origin *ret)
{
	*ret = (struct store_origin){0};
	QUERY(q, s, "SELECT source, conversation, webhook FROM event_bodies WHERE id = ?1", NULL);
	query_bind_int(&q, id);
	if (query_step(&q) <= 0)
		return;
	ret->source = text_or_nothing(&q);
	ret->conversation = text_or_nothing(&q);
	ret->webhook = query_int(&q);
}

/* SPDX-License-Identifier: MIT */
/*
 * The people whom the openings of a conversation reached.
 *
 * `conversations.people` is the list of one conversation. `open_people` has the same persons by person, of open
 * conversations only: it is an index of these lists. The list decides: whoever reads `open_people` checks that the
 * conversation is open and that its list has the person, so that an entry without either counts for nothing.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "store/tables.h"

/* ---- the bytes of a list ----------------------------------------------------------------------------------------- */

void people_init(struct buf *list)
{
	buf_init(list, INT32_MAX);
}

void people_add(struct buf *list, const char *email, const char *account, const char *flag)
{
	buf_add(list, "", 1);
	buf_add(list, email, strlen(email) + 1);
	buf_add(list, account, strlen(account) + 1);
	buf_add(list, flag, strlen(flag) + 1);
	INSIST(list->error == 0);
}

/* Returns the text at *at, and moves *at behind its NUL. NULL: no NUL is there. */
static const char *text_at(const struct people *list, size_t *at)
{
	const char *text = list->bytes + *at;
	const char *nul = *at < list->n ? memchr(text, '\0', list->n - *at) : NULL;

	if (!nul)
		return NULL;
	*at += (size_t)(nul - text) + 1;
	return text;
}

int people_next(struct people *list, struct person *ret)
{
	size_t n = 1;

	if (list->n == 0)
		return 0;
	if (list->bytes[0] != '\0')
		return -EBADMSG;
	ret->email = text_at(list, &n);
	ret->account = ret->email ? text_at(list, &n) : NULL;
	ret->flag = ret->account ? text_at(list, &n) : NULL;
	if (!ret->flag)
		return -EBADMSG;
	ret->bytes = list->bytes;
	ret->n = n;
	list->bytes += n;
	list->n -= n;
	return 1;
}

static bool people_have(const struct people *list, const struct person *p)
{
	return list->n >= p->n && memmem(list->bytes, list->n, p->bytes, p->n);
}

/* ---- the persons of open conversations --------------------------------------------------------------------------- */

static void open_people_delete(struct change *c, const struct person *p, int64_t conversation)
{
	CHANGE(q, c, "DELETE FROM open_people WHERE person = ?1 AND conversation = ?2");
	query_bind_blob(&q, p->bytes, p->n);
	query_bind_int(&q, conversation);
	(void)change_run(c, &q);
}

/* An entry of a lost conversation with this id may be there. */
static void open_people_insert(struct change *c, const struct person *p, int64_t conversation)
{
	CHANGE(q, c, "INSERT OR IGNORE INTO open_people (person, conversation) VALUES (?1, ?2)");
	query_bind_blob(&q, p->bytes, p->n);
	query_bind_int(&q, conversation);
	(void)change_run(c, &q);
}

void open_people_change(struct change *c, int64_t conversation, struct people was, struct people now)
{
	const struct people before = was;
	const struct people after = now;
	struct person p;

	while (people_next(&was, &p) > 0)
		if (!people_have(&after, &p))
			open_people_delete(c, &p, conversation);
	while (people_next(&now, &p) > 0)
		if (!people_have(&before, &p))
			open_people_insert(c, &p, conversation);
}

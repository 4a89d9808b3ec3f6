/* SPDX-License-Identifier: MIT */
/*
 * The people whom the openings of a conversation reached.
 *
 * `conversations.people` is the list of one conversation. The index of keys finds the open conversations of a person.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "store/numbers.h"
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

void open_people_change(struct change *c, int64_t conversation, struct people was, struct people now)
{
	const struct people before = was;
	const struct people after = now;
	struct person p;

	while (people_next(&was, &p) > 0)
		if (!people_have(&after, &p))
			keys_remove(c, KEY_OPEN_PERSON, key_of_open_person(p.bytes, p.n), conversation);
	while (people_next(&now, &p) > 0)
		if (!people_have(&before, &p))
			keys_add(c, KEY_OPEN_PERSON, key_of_open_person(p.bytes, p.n), conversation);
}

int64_t open_person_next(struct key_walk *walk, const struct buf *person)
{
	struct change *c = walk->change;
	int64_t id;

	while ((id = key_walk_next(walk)) != 0) {
		CHANGE(q, c,
		       "SELECT 1 FROM conversations WHERE id = ?1 AND state = " SQL_OPEN " AND instr(people, ?2) > 0");
		query_bind_int(&q, id);
		query_bind_blob(&q, person->data, person->len);
		if (change_step(c, &q))
			return id;
	}
	return 0;
}

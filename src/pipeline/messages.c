/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/messages.h"

#include <stdlib.h>

#include "base/mem.h"

void message_free(struct message *m)
{
	switch ((enum pipeline_message_kind)m->kind) {
	case MESSAGE_SUBMISSION:
		INSIST(!"a submission is answered, not freed");
		break;
	case MESSAGE_DELIVERY:
		delivery_free(((struct delivery_message *)m)->delivery);
		break;
	case MESSAGE_ANSWER:
		lookup_answer_done(((struct answer_message *)m)->answer);
		free(((struct answer_message *)m)->answer);
		break;
	case MESSAGE_WINDOW:
		free(((struct window_message *)m)->name);
		free(((struct window_message *)m)->reason);
		break;
	case MESSAGE_GENERATION:
		generation_unref(((struct generation_message *)m)->generation);
		break;
	case MESSAGE_PING:
	case MESSAGE_STOP:
	case MESSAGE_RECHECK:
		break;
	}
	free(m);
}

void message_list_add(struct message_list *l, struct message *m)
{
	m->next = NULL;
	if (l->first)
		l->last->next = m;
	else
		l->first = m;
	l->last = m;
}

struct message *message_list_take(struct message_list *l)
{
	struct message *m = l->first;

	if (m)
		l->first = m->next;
	return m;
}

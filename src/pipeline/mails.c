#include <config.h>

#include "pipeline/mails.h"

#include <stdlib.h>

#include "base/mem.h"

void mails_free(struct mail *m)
{
	switch ((enum mail_kind)m->kind) {
	case MAIL_SUBMISSION:
		INSIST(!"a submission is answered, not freed");
		break;
	case MAIL_DELIVERY:
		delivery_free(((struct delivery_mail *)m)->delivery);
		break;
	case MAIL_ANSWER:
		lookup_answer_done(((struct answer_mail *)m)->answer);
		free(((struct answer_mail *)m)->answer);
		break;
	case MAIL_WINDOW:
		free(((struct window_mail *)m)->name);
		free(((struct window_mail *)m)->reason);
		break;
	case MAIL_GENERATION:
		generation_unref(((struct generation_mail *)m)->generation);
		break;
	case MAIL_PING:
	case MAIL_STOP:
	case MAIL_LOOK:
		break;
	}
	free(m);
}

void mails_add(struct mails *l, struct mail *m)
{
	m->next = NULL;
	if (l->first)
		l->last->next = m;
	else
		l->first = m;
	l->last = m;
}

struct mail *mails_take(struct mails *l)
{
	struct mail *m = l->first;

	if (m)
		l->first = m->next;
	return m;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "helpdesk/expr/webhook.h"

#include <errno.h>
#include <string.h>

static const char *const transition_names[] = {
	[TRANSITION_NONE] = "none",     [TRANSITION_OPENED] = "opened",   [TRANSITION_REOPENED] = "reopened",
	[TRANSITION_CLOSED] = "closed", [TRANSITION_EXPIRED] = "expired",
};

const char *transition_name(enum transition t)
{
	return transition_names[t];
}

int transition_parse(const char *s, enum transition *ret)
{
	for (size_t i = 0; i < sizeof(transition_names) / sizeof(*transition_names); i++) {
		if (strcmp(s, transition_names[i]) != 0)
			continue;
		*ret = (enum transition)i;
		return 0;
	}
	return -EINVAL;
}

void webhook_done(struct webhook *w)
{
	free(w->source);
	free(w->path);
	free(w->query);
	pairs_done(&w->headers);
	free(w->body);
	free(w->conversation);
	free(w->customer);
	*w = (struct webhook){0};
}

void webhook_copy(struct webhook *to, const struct webhook *from)
{
	*to = *from;
	to->source = mem_str(from->source);
	to->path = mem_str(from->path);
	to->query = mem_str(from->query);
	to->headers = (struct pairs){0};
	for (size_t i = 0; i < from->headers.n; i++)
		pairs_add(&to->headers, from->headers.items[i].name, from->headers.items[i].value);
	to->body = from->body ? mem_dup(from->body, from->body_len) : NULL;
	to->conversation = mem_str(from->conversation);
	to->customer = mem_str(from->customer);
}

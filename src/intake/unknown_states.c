/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "intake/unknown_states.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"

#define LINE_MAX_BYTES 1000

struct known_source {
	struct known_source *next;
	char *source;
	unsigned char mark[DIGEST_SHA256_BYTES]; /* states_mark of the definition that does not name these states */
	char *states[UNKNOWN_STATES_MAX];        /* "REFERENCE STATE" */
	size_t n;
	bool full; /* the line about further ones was logged */
};

struct unknown_states {
	struct lock lock;         /* protects all below */
	struct known_source *all; /* at most one for each source that was ever configured */
};

struct unknown_states *unknown_states_new(void)
{
	struct unknown_states *u = mem_new(1, sizeof(*u));

	lock_init(&u->lock);
	return u;
}

static void forget(struct known_source *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(TAKE(k->states[i]));
	k->n = 0;
	k->full = false;
}

void unknown_states_free(struct unknown_states *u)
{
	if (!u)
		return;
	for (struct known_source *k = u->all, *next; k; k = next) {
		next = k->next;
		forget(k);
		free(k->source);
		free(k);
	}
	lock_done(&u->lock);
	free(u);
}

/* Returns the source's entry; makes it where there is none, and empties it if the definition's states changed. */
static struct known_source *source_get(struct unknown_states *u, const struct source *s)
{
	const unsigned char *mark = definition_about(s->definition)->states_mark;
	struct known_source *k = u->all;

	INSIST(lock_is_mine(&u->lock));
	while (k && strcmp(k->source, s->name) != 0)
		k = k->next;
	if (!k) {
		k = mem_new(1, sizeof(*k));
		k->source = mem_str(s->name);
		k->next = u->all;
		u->all = k;
	}
	if (memcmp(k->mark, mark, sizeof(k->mark)) != 0) {
		forget(k);
		memcpy(k->mark, mark, sizeof(k->mark));
	}
	return k;
}

enum state_note {
	STATE_NOTE_NONE,
	STATE_NOTE_STATE, /* a state that was not logged yet */
	STATE_NOTE_MANY,  /* the first state that is not remembered */
};

/* Remembers the state. Returns the kind of line to log. */
static enum state_note remember(struct unknown_states *u, const struct source *s, const struct unknown_state *state)
{
	CLEANUP(mem_freep) char *name = mem_fmt("%s %s", state->reference, state->text);
	enum state_note note = STATE_NOTE_STATE;
	struct known_source *k;

	lock_acquire(&u->lock);
	k = source_get(u, s);
	for (size_t i = 0; i < k->n; i++)
		if (text_same(k->states[i], name))
			note = STATE_NOTE_NONE;
	if (note == STATE_NOTE_STATE && k->n < UNKNOWN_STATES_MAX) {
		k->states[k->n++] = TAKE(name);
	} else if (note == STATE_NOTE_STATE) {
		note = k->full ? STATE_NOTE_NONE : STATE_NOTE_MANY;
		k->full = true;
	}
	lock_release(&u->lock);
	return note;
}

void unknown_states_note(struct unknown_states *u, const struct source *s, const struct parse_result *r)
{
	const struct log_about about = {
		.source = s->name, .conversation = r->signal.conversation, .reason = "unknown state"};
	struct buf line;

	if (!r->unknown_state.text)
		return;
	metrics_add(METRIC_UNKNOWN_STATES, s->name, NULL, NULL, 1);
	switch (remember(u, s, &r->unknown_state)) {
	case STATE_NOTE_NONE:
		break;
	case STATE_NOTE_STATE:
		buf_init(&line, LINE_MAX_BYTES);
		parse_result_describe_unknown_state(r, s->name, &line);
		log_warning(&about, "%s", line.data);
		buf_done(&line);
		break;
	case STATE_NOTE_MANY:
		log_warning(
			&about,
			"more than %d states are unknown to the definition; no further one is logged: is the reference "
			"in `states` right?",
			UNKNOWN_STATES_MAX);
		break;
	}
}

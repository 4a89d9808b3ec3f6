/* SPDX-License-Identifier: MIT */
/*
 * unknown_states: the log of states that a source's definition does not know: a line for each source and state. Every
 * such webhook is counted (deskbridge_unknown_states_total), which `status` shows.
 *
 * Any thread; one lock. Bounded: UNKNOWN_STATES_MAX states of a source are remembered, and a last line tells of the
 * others. A source's are forgotten when its definition says something else of states; a webhook that is still judged by
 * the former configuration then may be told once more.
 */
#ifndef INTAKE_UNKNOWN_STATES_H
#define INTAKE_UNKNOWN_STATES_H

#include "conf/conf.h"
#include "helpdesk/parse/parsed_webhook.h"

#define UNKNOWN_STATES_MAX 32

struct unknown_states;

struct unknown_states *unknown_states_new(void);
void unknown_states_free(struct unknown_states *u);
/* r: a reading by the source's definition; one without an unknown state is nothing to note. */
void unknown_states_note(struct unknown_states *u, const struct source *s, const struct parse_result *r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * unknown_states: logs states that a source's definition does not name, one line for each source and state. It counts
 * every such webhook (deskbridge_unknown_states_total, which `status` shows).
 *
 * Any thread; one lock. It remembers UNKNOWN_STATES_MAX states of a source. A last line says that there are more. A
 * source's states are forgotten when its definition says something else about states. A webhook of the former
 * configuration may then be logged again.
 */
#ifndef INTAKE_UNKNOWN_STATES_H
#define INTAKE_UNKNOWN_STATES_H

#include "conf/conf.h"
#include "helpdesk/parse/parsed_webhook.h"

#define UNKNOWN_STATES_MAX 32

struct unknown_states;

struct unknown_states *unknown_states_new(void);
void unknown_states_free(struct unknown_states *u);
/* r: the result of parsing by the source's definition. A result without an unknown state is ignored. */
void unknown_states_note(struct unknown_states *u, const struct source *s, const struct parse_result *r);

#endif

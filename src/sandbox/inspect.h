/*
 * inspect: /sandbox/…: what the sandbox holds, for people and tests; and the faults, while it runs.
 *
 *   GET    /sandbox/events[?after=N][&limit=M]   in order of arrival; at most INSPECT_EVENTS_MAX an answer
 *   DELETE /sandbox/events                       forgets events, profiles, metrics and counters
 *   GET    /sandbox/profiles, /sandbox/stats, /sandbox/faults
 *   POST   /sandbox/faults                       one specification a line: all are added, or none
 *   DELETE /sandbox/faults
 *   GET, POST /sandbox/customers                 desk.h
 */
#ifndef SANDBOX_INSPECT_H
#define SANDBOX_INSPECT_H

#include "http/server.h"
#include "sandbox/answer.h"
#include "sandbox/state.h"

#define INSPECT_EVENTS_MAX 10000

void inspect_serve(struct state *s, struct http_exchange *x, struct answer *ret);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The numbers of enums as literals of SQL: "… WHERE state = " SQL_PENDING " AND …".
 *
 * They are literals and not parameters, because most indexes hold undone work only (WHERE state = 0), and SQLite uses
 * such an index only for a statement with the same literal. Rows hold these numbers. Never change a number or its
 * meaning.
 */
#ifndef STORE_NUMBERS_H
#define STORE_NUMBERS_H

#include "base/text.h"
#include "decision/event.h"
#include "decision/ledger.h"
#include "store/store.h"

#define SQL_TEXT(number) TEXT_OF(number)

/* webhooks.state: enum store_webhook_state */
#define N_PENDING 0
#define N_WEBHOOK_DONE 1
#define N_WEBHOOK_DEAD 2
#define SQL_PENDING SQL_TEXT(N_PENDING)
#define SQL_WEBHOOK_DONE SQL_TEXT(N_WEBHOOK_DONE)
#define SQL_WEBHOOK_DEAD SQL_TEXT(N_WEBHOOK_DEAD)
_Static_assert(STORE_WEBHOOK_PENDING == N_PENDING && STORE_WEBHOOK_DONE == N_WEBHOOK_DONE &&
		       STORE_WEBHOOK_DEAD == N_WEBHOOK_DEAD,
	       "rows hold it");

/* webhooks.wait: enum store_wait */
#define N_WAIT_NONE 0
#define N_WAIT_TIME 1
#define N_WAIT_RETRY 2
#define N_WAIT_LOOKUP 3
#define N_WAIT_SLOT 4
#define N_WAIT_BEHIND 5
#define N_WAIT_UNCONFIGURED 6
#define N_WAIT_PARKED 7
#define SQL_WAIT_NONE SQL_TEXT(N_WAIT_NONE)
#define SQL_WAIT_TIME SQL_TEXT(N_WAIT_TIME)
#define SQL_WAIT_RETRY SQL_TEXT(N_WAIT_RETRY)
#define SQL_WAIT_LOOKUP SQL_TEXT(N_WAIT_LOOKUP)
#define SQL_WAIT_SLOT SQL_TEXT(N_WAIT_SLOT)
#define SQL_WAIT_BEHIND SQL_TEXT(N_WAIT_BEHIND)
#define SQL_WAIT_UNCONFIGURED SQL_TEXT(N_WAIT_UNCONFIGURED)
#define SQL_WAIT_PARKED SQL_TEXT(N_WAIT_PARKED)
#define SQL_WAIT_LAST SQL_WAIT_PARKED
_Static_assert(STORE_WAIT_NONE == N_WAIT_NONE && STORE_WAIT_TIME == N_WAIT_TIME && STORE_WAIT_RETRY == N_WAIT_RETRY &&
		       STORE_WAIT_LOOKUP == N_WAIT_LOOKUP && STORE_WAIT_SLOT == N_WAIT_SLOT &&
		       STORE_WAIT_BEHIND == N_WAIT_BEHIND && STORE_WAIT_UNCONFIGURED == N_WAIT_UNCONFIGURED &&
		       STORE_WAIT_PARKED == N_WAIT_PARKED && STORE_WAIT_LAST == N_WAIT_PARKED,
	       "rows hold it");

/* events.state: enum event_state */
#define N_READY 0
#define N_DELIVERED 1
#define N_EVENT_DEAD 2
#define SQL_READY SQL_TEXT(N_READY)
#define SQL_DELIVERED SQL_TEXT(N_DELIVERED)
#define SQL_EVENT_DEAD SQL_TEXT(N_EVENT_DEAD)
_Static_assert(EVENT_READY == N_READY && EVENT_DELIVERED == N_DELIVERED && EVENT_DEAD == N_EVENT_DEAD, "rows hold it");

/* conversations.state: enum ledger_state */
#define N_UNKNOWN 0
#define N_OPEN 1
#define SQL_UNKNOWN SQL_TEXT(N_UNKNOWN)
#define SQL_OPEN SQL_TEXT(N_OPEN)
_Static_assert(LEDGER_UNKNOWN == N_UNKNOWN && LEDGER_OPEN == N_OPEN, "rows hold it");

/* webhooks.transition: enum transition */
#define N_TRANSITION_NONE 0
#define N_TRANSITION_OPENED 1
#define N_TRANSITION_REOPENED 2
#define SQL_TRANSITION_NONE SQL_TEXT(N_TRANSITION_NONE)
#define SQL_OPENINGS SQL_TEXT(N_TRANSITION_OPENED) ", " SQL_TEXT(N_TRANSITION_REOPENED)
_Static_assert(TRANSITION_NONE == N_TRANSITION_NONE && TRANSITION_OPENED == N_TRANSITION_OPENED &&
		       TRANSITION_REOPENED == N_TRANSITION_REOPENED,
	       "rows hold it");

/* Lists of waits, for indexes that hold the wait before the id. All waits: */
#define SQL_WAITS_ALL                                                                                    \
	"(" SQL_WAIT_NONE ", " SQL_WAIT_TIME ", " SQL_WAIT_RETRY ", " SQL_WAIT_LOOKUP ", " SQL_WAIT_SLOT \
	", " SQL_WAIT_BEHIND ", " SQL_WAIT_UNCONFIGURED ", " SQL_WAIT_PARKED ")"
/* Waits of a webhook that may end without another one: all but BEHIND and PARKED. A webhook BEHIND ends only after
 * another, and a PARKED one has had a failed lookup. */
#define SQL_WAITS_PROGRESSING                                                                            \
	"(" SQL_WAIT_NONE ", " SQL_WAIT_TIME ", " SQL_WAIT_RETRY ", " SQL_WAIT_LOOKUP ", " SQL_WAIT_SLOT \
	", " SQL_WAIT_UNCONFIGURED ")"
/* Waits of a webhook that other webhooks of its customer wait for: all but TIME and BEHIND. A held webhook (TIME)
 * orders only its own conversation. Webhooks BEHIND are found by a statement of their own (waiting.c). */
#define SQL_WAITS_OF_CUSTOMER                                                                                    \
	"(" SQL_WAIT_NONE ", " SQL_WAIT_RETRY ", " SQL_WAIT_LOOKUP ", " SQL_WAIT_SLOT ", " SQL_WAIT_UNCONFIGURED \
	", " SQL_WAIT_PARKED ")"

#endif

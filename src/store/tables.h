/*
 * tables: what the files of the uppermost layer share: a webhook's and an event's place and state, and the mending of
 * rows that are damaged. Only for src/store.
 */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include "store/private.h"
#include "store/query.h"

/* How many waiting webhooks one call makes ready: a few milliseconds. */
#define STORE_RELEASE_ROWS 256
#define EVENT_UNIQUE_ID_BYTES (EVENT_UNIQUE_ID_LEN / 2)

/* Whether this is a store that this version knows; changes nothing. -EPROTO, -ENOTSUP. */
int schema_check(struct store *s, int64_t *ret_version, struct err *reterr) MUSTCHECK;
/* Makes the schema, or brings an older one forward; s->schema is the newest then. */
int schema_forward(struct store *s, int64_t version, struct err *reterr) MUSTCHECK;

/* What a change of a webhook needs to know of it. source is never NULL, conversation and customer may be. */
struct webhook_place {
	int64_t id;
	enum store_webhook_state state;
	enum store_wait wait;
	int64_t received_ms;
	char *source, *conversation, *customer;
};
void webhook_place_done(struct webhook_place *p);
int webhook_place_load(struct store *s, int64_t id, struct webhook_place *ret, struct err *reterr) MUSTCHECK;
/* Changes state and wait and counts it; p follows. */
int webhook_move(struct store *s, struct webhook_place *p, enum store_webhook_state state, enum store_wait wait,
		 int64_t not_before_ms, struct err *reterr) MUSTCHECK;
/* Lets go on who waits BEHIND p, which has ended or is only held by `settle`. */
int webhook_let_go(struct store *s, const struct webhook_place *p, struct err *reterr) MUSTCHECK;

/* What an index says of an undone webhook. source, conversation and customer are NULL, and not_before_ms 0, where that
 * index does not hold them. */
struct webhook_claim {
	int64_t id;
	enum store_wait wait;
	int64_t not_before_ms;
	const char *source, *conversation, *customer;
};
/* Takes out an index entry whose row is not there or is not as the entry says. Where it is not there it becomes a dead
 * letter, and those behind it go on. */
int webhook_mend(struct store *s, const struct webhook_claim *c, struct err *reterr) MUSTCHECK;
/* Makes it ready, or mends it. */
int webhook_make_ready(struct store *s, const struct webhook_claim *claim, struct err *reterr) MUSTCHECK;
/* ids are what an index names; claim tells what it says of each of them. */
int webhooks_make_ready(struct store *s, const struct ids *ids, const struct webhook_claim *claim,
			struct err *reterr) MUSTCHECK;
/* SQLite refuses each change of a row that holds a value of another type than its column's: makes them what they are to
 * be, for a row that comes to its end. */
int webhook_retype(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;
int event_retype(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;
void releases_committed(struct store *s);
void releases_undone(struct store *s); /* back to the last commit */
void releases_done(struct store *s);

/* Reads an event. lenient: for people; what does not read is left empty. */
int event_row_load(struct store *s, int64_t id, bool lenient, struct event *ret, struct err *reterr) MUSTCHECK;
/* An event that events_due names: where its row is not there, or not due, the entry is taken out. One that is not there
 * becomes a dead letter, and its person goes on. */
int event_mend_due(struct store *s, const char *account, int64_t id, int64_t due_ms, int64_t now_ms,
		   struct err *reterr) MUSTCHECK;
/* 1: the index named an event with that unique_id, whose row is not there; it names none any more. */
int event_mend_unique(struct store *s, const char *account, const unsigned char *unique_id,
		      struct err *reterr) MUSTCHECK;
/* An event is lost whose address is not known: the people whom its conversation reached go on. */
int event_wake_people(struct store *s, int64_t id, const char *account, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* 1: the index named a conversation whose row is not there; it names none any more. */
int conversation_mend(struct store *s, const char *source, const char *conversation, struct err *reterr) MUSTCHECK;
/* An open conversation that conversations_open names: where its row is not there, or is another, the entry is taken
 * out. */
int conversation_mend_open(struct store *s, const char *source, int64_t id, int64_t received_ms,
			   struct err *reterr) MUSTCHECK;
/* An open conversation that the index of names does not hold: its name is put in, or, where another conversation has
 * that name by now, a name that nobody has. */
int conversation_mend_name(struct store *s, const char *source, int64_t id, const char *conversation,
			   struct err *reterr) MUSTCHECK;
/* Makes a ready event a dead letter; see store_event_dead. */
int event_set_aside(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr) MUSTCHECK;

#endif

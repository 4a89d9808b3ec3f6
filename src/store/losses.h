/*
 * losses: notes of what the store mended or set aside, for the log of its caller (store_losses). In memory only. Only
 * for src/store.
 */
#ifndef STORE_LOSSES_H
#define STORE_LOSSES_H

#include "store/private.h"

/* Notes what was mended or set aside; once a row (id 0: whatever it is). name: its source or account. */
void loss_note(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null, const char *reason);
extern const struct transaction_hook losses_hook;
void losses_done(struct store *s);

#endif

/*
 * refused: counts and logs what stood where a customer's address should stand and is none, and the addresses beyond the
 * most that count.
 */
#ifndef PIPELINE_REFUSED_H
#define PIPELINE_REFUSED_H

#include "helpdesk/expr/addresses.h"
#include "pipeline/tally.h"

/* about: the source, and the webhook and conversation where there is one; its reason is not looked at. */
void refused_note(struct tally *t, const struct log_about *about, const struct addresses *a);

#endif

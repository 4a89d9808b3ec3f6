/*
 * amount: numbers with what they count or measure, as a message shows them. Pure.
 */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdint.h>

#define AMOUNT_MAX 64

/* "1 event", "0 events", "12 events". thing: in the singular; its plural is made with an s. Returns out. */
const char *amount_of(char out[AMOUNT_MAX], long long n, const char *thing);
/* "0 bytes", "1 byte", "1000 bytes", "3.4 KiB", "64 MiB": in the largest unit of which it is one at least, cut after a
 * tenth, so that only nothing is shown as 0. Returns out. */
const char *amount_size(char out[AMOUNT_MAX], int64_t bytes);

#endif

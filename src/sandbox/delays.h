/*
 * delays: answers that wait, and connections that are cut. One thread for all of them, so that hundreds can wait while
 * the server's few threads go on.
 */
#ifndef SANDBOX_DELAYS_H
#define SANDBOX_DELAYS_H

#include <stdint.h>

#include "http/server.h"
#include "sandbox/answer.h"
#include "sandbox/faults.h"

struct delays;

struct delays *delays_new(void); /* starts the thread */
/*
 * x was suspended by the caller just before and is given away. At due_mono_ms (clock_mono_ms; it may have passed) it is
 * answered, or cut as `cut` says; *a is taken over.
 */
void delays_post(struct delays *d, struct http_exchange *x, int64_t due_mono_ms, enum fault_cut cut, struct answer *a);
/* Answers all that wait at once; from then on what is posted is answered at once. */
void delays_close(struct delays *d);
void delays_free(struct delays *d); /* closed, and nobody posts any more; NULL allowed */

#endif

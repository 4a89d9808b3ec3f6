/* SPDX-License-Identifier: MIT */
/*
 * batch: splits a POST with several items (`each`) into one body for each item. Pure.
 *
 * The body of an item is the whole body with the array cut down to that item. So the members next to the array are
 * still there ("root:/…"), and the definition that split it also reads the stored webhook. Without `each` the body is
 * the only item, byte for byte.
 */
#ifndef HELPDESK_PARSE_BATCH_H
#define HELPDESK_PARSE_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "helpdesk/definition/definition.h"

struct batch;

#define BATCH_ITEMS_MAX 1000
#define BATCH_BYTES_MAX (64 * 1024 * 1024) /* of the bodies of all items together */

/* False where each body of the definition is one item: then no batch is needed. */
bool batch_may_split(const struct definition *d);
/*
 * Opens a batch. type: the request's Content-Type, or NULL. text is borrowed until batch_close. -EINVAL: unreadable
 * (reason in reterr), no array at `each`, or more than BATCH_ITEMS_MAX or BATCH_BYTES_MAX: the whole POST is then one
 * unreadable webhook.
 */
int batch_open(const struct definition *d, const char *type, const char *text, size_t len, struct batch **ret,
	       struct err *reterr) MUSTCHECK;
void batch_close(struct batch *b);
size_t batch_items(const struct batch *b); /* returns the number of items; 0: an empty array */
/* Returns the body of an item, NUL-terminated behind *ret_len bytes. The caller owns it. */
char *batch_item(const struct batch *b, size_t i, size_t *ret_len) MUSTCHECK;
/* Takes the tree of the only item and an estimate of its memory, for parsed_webhook_new; NULL where it was not parsed,
 * and for several items. Call once; the caller owns it. */
struct json_object *batch_take_tree(struct batch *b, size_t *ret_bytes) MUSTCHECK;

#endif

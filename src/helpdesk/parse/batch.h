/* SPDX-License-Identifier: MIT */
/*
 * batch: one POST that carries several items (`each`), taken apart into bodies of one item each. Pure.
 *
 * The body of an item is the whole body with the array cut down to that item: so what stands beside the array is still
 * there ("root:/…"), and a stored webhook is read by the very definition that split it. Without `each` a body is a
 * batch of one: itself, byte for byte.
 */
#ifndef HELPDESK_PARSE_BATCH_H
#define HELPDESK_PARSE_BATCH_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "helpdesk/definition/definition.h"

struct batch;

#define BATCH_ITEMS_MAX 1000
#define BATCH_BYTES_MAX (64 * 1024 * 1024) /* of all items' bodies together */

/*
 * type: the request's Content-Type, or NULL. text is borrowed until batch_close. -EINVAL: not readable (reason in
 * reterr), no array at `each`, more than BATCH_ITEMS_MAX or BATCH_BYTES_MAX: then the whole is one webhook that cannot
 * be read.
 */
int batch_open(const struct definition *d, const char *type, const char *text, size_t len, struct batch **ret,
	       struct err *reterr) MUSTCHECK;
void batch_close(struct batch *b);
size_t batch_items(const struct batch *b); /* 0: an empty array */
/* NUL-terminated behind *ret_len bytes; the caller owns it. */
char *batch_item(const struct batch *b, size_t i, size_t *ret_len) MUSTCHECK;
/* The tree of the only item and an estimate of what it takes, for parsed_webhook_new; NULL where it was not parsed, and
 * of several. Once; the caller owns it. */
struct json_object *batch_take_tree(struct batch *b, size_t *ret_bytes) MUSTCHECK;

#endif

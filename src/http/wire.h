/*
 * http/wire: private to src/http. An answer as the bytes that go over the wire, for the moments in which libmicrohttpd
 * takes none: while a body comes in. Pure.
 */
#ifndef HTTP_WIRE_H
#define HTTP_WIRE_H

#include <stdint.h>

#include "base/buf.h"
#include "http/server.h"

/* The answer to a request of that method, the last one on its connection. `to` needs room for all of it. */
void wire_answer(const struct http_answer *a, const char *method, int64_t now_ms, struct buf *to);

#endif

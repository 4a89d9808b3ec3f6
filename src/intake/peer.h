/*
 * peer: who sent a request, for the log: the peer of the connection, or, behind a trusted proxy, whom it names. Pure.
 */
#ifndef INTAKE_PEER_H
#define INTAKE_PEER_H

#include "base/strings.h"

#define PEER_MAX 64

/* Whether an address ("192.0.2.1", "2001:db8::1", "unix") is among these addresses and networks ("192.0.2.0/24"). */
bool peer_is_among(const struct strings *among, const char *address);

/*
 * forwarded: the X-Forwarded-For of the request, all lines of it in one list, or NULL. Walks back from the peer over
 * trusted proxies; stops at the first address that is none of them, or before an element that is no address. An element
 * may carry a port and brackets ("203.0.113.7:4711", "[2001:db8::1]:443"); out has the address alone. Returns out.
 */
const char *peer_of(const struct strings *proxies, const char *peer, const char *forwarded, char out[PEER_MAX]);

#endif

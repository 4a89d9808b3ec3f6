/* SPDX-License-Identifier: MIT */
/*
 * http/address: addresses to listen at, in the operator's notation.
 *
 * "127.0.0.1:8085", "[::1]:8085", "localhost:8085" (IPv4), ":8085" (all addresses, also IPv6 where the machine has it),
 * "unix:PATH". Only numeric addresses and "localhost": no name is resolved. Port 0: any free port.
 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/mem.h"

struct http_address {
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un local;
	} socket;
	socklen_t len;
	bool all; /* written without a host: all addresses */
};

/* -EINVAL: not an address; reterr says what was expected. Pure. */
int http_address_parse(const char *text, struct http_address *ret, struct err *reterr) MUSTCHECK;
/* True for loopback addresses (base/ip.h) and unix sockets: only this machine can connect. */
bool http_address_is_loopback(const struct http_address *a);
static inline bool http_address_is_unix(const struct http_address *a)
{
	return a->socket.any.sa_family == AF_UNIX;
}
/* Returns a non-blocking listening socket, or a negative errno. Replaces a unix socket's stale file; its mode is
 * 0660. */
int http_address_listen(const struct http_address *a, struct err *reterr) MUSTCHECK;
/* Returns the mode of a unix socket's file, which decides who may connect; 0777 for an abstract socket. False: fd is
 * not a unix socket. */
bool http_address_socket_mode(int fd, unsigned *ret_mode);
/* Returns the address at which fd listens: "127.0.0.1:8085", "[::1]:8085" or "unix:PATH". The caller owns it. */
char *http_address_of_socket(int fd) MUSTCHECK;
/* Returns the host alone: "127.0.0.1" (also for an IPv4 peer of an IPv6 socket), "::1" or "unix". The caller owns
 * it. */
char *http_address_host(const struct sockaddr *a) MUSTCHECK;

#endif

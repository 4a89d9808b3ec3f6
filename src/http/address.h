/* SPDX-License-Identifier: MIT */
/*
 * http/address: where a server listens, as an operator writes it.
 *
 * "127.0.0.1:8085", "[::1]:8085", "localhost:8085" (IPv4), ":8085" (all addresses, IPv6 too where there is IPv6),
 * "unix:PATH". Numbers only: no name is looked up. Port 0: any free one.
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
	bool all; /* written without a host */
};

/* -EINVAL where the text is no address; reterr says what was expected. Pure. */
int http_address_parse(const char *text, struct http_address *ret, struct err *reterr) MUSTCHECK;
/* Reached from this machine only: loopback (base/ip.h), a unix socket. */
bool http_address_is_loopback(const struct http_address *a);
static inline bool http_address_is_unix(const struct http_address *a)
{
	return a->socket.any.sa_family == AF_UNIX;
}
/* A non-blocking listening socket, or a negative errno. A unix socket's stale file is replaced, its mode is 0660. */
int http_address_listen(const struct http_address *a, struct err *reterr) MUSTCHECK;
/* The mode of a unix socket's file, through which others connect; 0777 where it has none (an abstract one). false: fd
 * is no unix socket. */
bool http_address_socket_mode(int fd, unsigned *ret_mode);
/* "127.0.0.1:8085", "[::1]:8085", "unix:PATH": where fd listens. The caller owns it. */
char *http_address_of_socket(int fd) MUSTCHECK;
/* The host alone: "127.0.0.1" (also of an IPv4 peer at an IPv6 socket), "::1", "unix". The caller owns it. */
char *http_address_host(const struct sockaddr *a) MUSTCHECK;

#endif

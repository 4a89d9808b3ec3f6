/* SPDX-License-Identifier: MIT */
/*
 * url: the parts of an http or https URL, by its text. Pure.
 *
 * curl's URL API is not used, as it mends what it reads: it takes a missing or a third slash, port 0 and "host:",
 * decodes the host, cuts off a zone, and makes 127.0.0.1 of "127.1", "0x7f.1" and "2130706433". Here the text counts as
 * it stands, so that messages, the configuration and host_is_loopback() have the same host.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

/* Borrowed from the text. None of it is judged. */
struct url {
	bool https;
	const char *authority; /* host and port, perhaps a user */
	size_t authority_len;
	const char *rest; /* from the first of "/?#" behind the authority; "" */
};

/* The bytes of "http://" or "https://" at the beginning of text, in letters of any case; 0: it begins with neither. */
size_t url_scheme(const char *text);
/* True for the beginning of a URL that is asked: "http://" or "https://" in small letters. */
bool url_begins(const char *text);
/* False: as url_scheme 0. */
bool url_split(const char *text, struct url *ret);

/* The host without port and brackets, in which an IPv6 address stands and nothing else does. NULL where there is none,
 * or its port is no number from 1 to 65535. The caller owns it. */
char *url_host(const char *text) MUSTCHECK;
bool url_is_plain(const char *text);    /* http */
bool url_is_loopback(const char *text); /* its host is this machine (base/ip.h) */
const char *url_path(const char *text); /* the part behind the host; "" where it is no such URL. Borrowed. */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * url: the parts of an http or https URL, taken from its text. Pure.
 *
 * curl's URL API is not used because it corrects what it reads: it accepts a missing or a third slash, port 0 and
 * "host:", decodes the host, cuts off a zone, and reads "127.1", "0x7f.1" and "2130706433" as 127.0.0.1. Here the text
 * is taken literally, so that messages, the configuration and host_is_loopback() see the same host.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

/* Pointers into the text. The parts are not checked. */
struct url {
	bool https;
	const char *authority; /* host and port, perhaps with a user */
	size_t authority_len;
	const char *rest; /* from the first of "/?#" after the authority; "": none */
};

/* Returns the length of "http://" or "https://" at the beginning of text (case ignored); 0: neither. */
size_t url_scheme(const char *text);
/* True where the text begins with "http://" or "https://" in lower case, as a URL that can be requested. */
bool url_begins(const char *text);
/* Splits a URL. False: it begins with neither scheme (url_scheme). */
bool url_split(const char *text, struct url *ret);

/* Returns the host without port and brackets. The caller owns it. NULL: there is no host; an IPv6 address is not in
 * brackets, or another host is; or the port is not a number from 1 to 65535. */
char *url_host(const char *text) MUSTCHECK;
bool url_is_plain(const char *text);    /* http, not https */
bool url_is_loopback(const char *text); /* the host is this machine (host_is_loopback) */
const char *url_path(const char *text); /* the part after the host; "": no such URL. Borrowed. */

#endif

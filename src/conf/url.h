/*
 * url: what the configuration may name as a web address. Pure.
 */
#ifndef CONF_URL_H
#define CONF_URL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/* http or https, a host, perhaps a port and a path; no user, query or fragment. -EINVAL says what was expected. */
int url_check(const char *url, struct err *reterr) MUSTCHECK;
/* The same, but a query is allowed: a URL that a vendor signs as it stands. */
int url_check_signed(const char *url, struct err *reterr) MUSTCHECK;
/* Of a URL that passed: */
bool url_is_plain(const char *url);    /* http */
const char *url_path(const char *url); /* from the first / behind the host; "" where there is none */
bool url_is_loopback(const char *url); /* its host is this machine (base/ip.h) */

/* whole begins with base. The bytes at the end of base that whole repeats right behind it, in whole segments of the
 * path: "/api/v1" of https://acme.example/api/v1 in https://acme.example/api/v1/api/v1/users. 0: none. */
size_t url_repeats(const char *base, const char *whole);

#endif

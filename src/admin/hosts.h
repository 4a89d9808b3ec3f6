/*
 * hosts: by which names /api may be asked, and from which web pages: what keeps a page that a name of its own leads to
 * this machine (DNS rebinding), or that posts across origins, away from it. Pure.
 */
#ifndef ADMIN_HOSTS_H
#define ADMIN_HOSTS_H

#include <stdbool.h>

#include "base/strings.h"

/*
 * host: the value of a Host header. Loopback with any port, or one of `hosts`: names without regard to case and to a
 * dot at the end, addresses by value; an entry without a port stands for every port.
 */
bool hosts_allow(const char *host, const struct strings *hosts);
/* origin, of a request with that Host, is the page that this very host and port serve, by http or https. "null" is not.
 */
bool hosts_is_own_origin(const char *origin, const char *host);

#endif

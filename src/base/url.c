/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/url.h"

#include <string.h>
#include <strings.h>

#include "base/ip.h"

size_t url_scheme(const char *text)
{
	if (strncasecmp(text, "https://", 8) == 0)
		return 8;
	return strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
}

bool url_begins(const char *text)
{
	return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

bool url_split(const char *text, struct url *ret)
{
	size_t scheme = url_scheme(text);

	if (scheme == 0)
		return false;
	ret->https = scheme == 8;
	ret->authority = text + scheme;
	ret->authority_len = strcspn(ret->authority, "/?#");
	ret->rest = ret->authority + ret->authority_len;
	return true;
}

char *url_host(const char *text)
{
	CLEANUP(mem_freep) char *authority = NULL;
	CLEANUP(mem_freep) char *host = NULL;
	struct url u;

	if (!url_split(text, &u))
		return NULL;
	authority = mem_strn(u.authority, u.authority_len);
	host = host_without_port(authority);
	if (!host || (strchr(host, ':') != NULL) != (authority[0] == '['))
		return NULL;
	return TAKE(host);
}

bool url_is_plain(const char *text)
{
	struct url u;

	return url_split(text, &u) && !u.https;
}

bool url_is_loopback(const char *text)
{
	CLEANUP(mem_freep) char *host = url_host(text);

	return host && host_is_loopback(host);
}

const char *url_path(const char *text)
{
	struct url u;

	return url_split(text, &u) ? u.rest : "";
}

#include <config.h>

#include "config/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

#define URL_MAX 2000

/* Behind "http://" or "https://", or NULL. */
static const char *url_rest(const char *url)
{
	if (strncmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

/* The host without port and brackets. The caller owns it; NULL where there is none or its port is none. */
static char *url_host(const char *url)
{
	const char *rest = url_rest(url), *end, *colon;
	size_t len;

	if (!rest)
		return NULL;
	len = strcspn(rest, "/?#");
	end = rest + len;
	if (rest[0] == '[') {
		const char *close = memchr(rest, ']', len);

		if (!close || (close + 1 != end && close[1] != ':'))
			return NULL;
		colon = close + 1 == end ? NULL : close + 1;
		rest++;
		len = (size_t)(close - rest);
	} else {
		colon = memchr(rest, ':', len);
		len = colon ? (size_t)(colon - rest) : len;
	}
	if (colon) {
		long port = 0;

		for (const char *s = colon + 1; s < end; s++) {
			if (*s < '0' || *s > '9' || port > 65535)
				return NULL;
			port = port * 10 + (*s - '0');
		}
		if (port < 1 || port > 65535)
			return NULL;
	}
	return len > 0 ? mem_dup(rest, len) : NULL;
}

static bool host_is_good(const char *host)
{
	struct in6_addr in6;

	if (strchr(host, ':'))
		return inet_pton(AF_INET6, host, &in6) == 1;
	return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(host);
}

int url_check_signed(const char *url, struct err *reterr)
{
	CLEANUP(mem_freep) char *host = NULL;

	if (!url_rest(url))
		return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com");
	if (strlen(url) > URL_MAX)
		return err_set(reterr, -EINVAL, "a URL has at most %d letters", URL_MAX);
	for (const char *s = url; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("\"<>\\^`{|}", *s))
			return err_set(reterr, -EINVAL,
				       "a URL holds no blanks, quotes, braces or letters beyond ASCII");
	if (memchr(url_rest(url), '@', strcspn(url_rest(url), "/?#")))
		return err_set(reterr, -EINVAL,
			       "user and password do not stand in a URL here: they have keys of their own");
	host = url_host(url);
	if (!host || !host_is_good(host))
		return err_set(reterr, -EINVAL,
			       "the URL's host or port is none; expected one such as https://acme.example.com");
	if (strchr(url, '#'))
		return err_set(reterr, -EINVAL, "a URL that is asked has no #fragment");
	return 0;
}

int url_check(const char *url, struct err *reterr)
{
	int r = url_check_signed(url, reterr);

	if (r == 0 && strchr(url, '?'))
		return err_set(reterr, -EINVAL, "expected the URL without a ?query: paths are put behind it");
	return r;
}

bool url_is_plain(const char *url)
{
	return strncmp(url, "http://", 7) == 0;
}

bool url_is_loopback(const char *url)
{
	CLEANUP(mem_freep) char *host = url_host(url);
	struct in_addr in;

	if (!host)
		return false;
	if (inet_pton(AF_INET, host, &in) == 1)
		return ntohl(in.s_addr) >> 24 == 127;
	return text_same(host, "localhost") || text_is(host, "::1");
}

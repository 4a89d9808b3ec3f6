#include <config.h>

#include "config/url.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
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
	CLEANUP(mem_freep) char *authority = NULL, *host = NULL;
	const char *rest = url_rest(url);

	if (!rest)
		return NULL;
	authority = mem_strn(rest, strcspn(rest, "/?#"));
	host = host_without_port(authority);
	/* In a URL an IPv6 address stands in brackets, and nothing else does. */
	if (!host || (strchr(host, ':') != NULL) != (authority[0] == '['))
		return NULL;
	return TAKE(host);
}

static bool host_is_good(const char *host)
{
	struct ip ip;

	if (strchr(host, ':'))
		return ip_read(host, &ip);
	return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(host);
}

/* Other letters in the scheme, another scheme, or none. */
static int scheme_missing(const char *url, struct err *reterr)
{
	const char *end = strstr(url, "://"), *rest = end ? end + 3 : url;
	CLEANUP(mem_freep) char *scheme = mem_strn(url, end ? (size_t)(end - url) : 0);
	CLEANUP(mem_freep)
	char *meant = mem_fmt("%s://%s", text_same(scheme, "http") ? "http" : "https", rest);

	if ((end && !text_same(scheme, "http") && !text_same(scheme, "https")) || !strpbrk(rest, ".:") ||
	    strpbrk(rest, "?@") || /* a secret may stand there */
	    url_check_signed(meant, NULL) < 0)
		return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com");
	return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com; did you mean %.200s?", meant);
}

int url_check_signed(const char *url, struct err *reterr)
{
	CLEANUP(mem_freep) char *host = NULL;

	if (!url_rest(url))
		return scheme_missing(url, reterr);
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

const char *url_path(const char *url)
{
	const char *rest = url_rest(url);

	return rest ? rest + strcspn(rest, "/?#") : "";
}

size_t url_repeats(const char *base, const char *whole)
{
	const char *path = url_path(base), *behind = whole + strlen(base);

	if (strncmp(base, whole, strlen(base)) != 0)
		return 0;
	for (const char *from = path; from; from = *from == '/' ? strchr(from + 1, '/') : NULL) {
		size_t len = strlen(from);

		if (len > 1 && strncmp(from, behind, len) == 0 && (behind[len] == '\0' || strchr("/?#", behind[len])))
			return len;
	}
	return 0;
}

bool url_is_loopback(const char *url)
{
	CLEANUP(mem_freep) char *host = url_host(url);

	return host && host_is_loopback(host);
}

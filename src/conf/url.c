#include <config.h>

#include "conf/url.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"

#define URL_MAX 2000
#define TOP_LEVEL_MAX 24 /* letters; the longest one that is in use */
#define LABEL_MAX 63     /* of the DNS */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

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
	return strspn(host, LETTERS "0123456789.-_") == strlen(host);
}

/* Whether it looks like a host that somebody would write: a name below a top-level domain, or an address. A token with
 * dots in it that was put into the wrong place does not. */
static bool host_is_told(const char *host)
{
	const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : "";
	size_t len = strlen(last);
	struct ip ip;

	if (ip_read(host, &ip) || text_same(host, "localhost"))
		return true;
	if (len < 2 || len > TOP_LEVEL_MAX || strspn(last, LETTERS) != len)
		return false;
	for (const char *label = host; *label != '\0'; label += strspn(label, ".")) {
		len = strcspn(label, ".");
		if (len == 0 || len > LABEL_MAX)
			return false;
		label += len;
	}
	return true;
}

/* Other letters in the scheme, another scheme, or none. What stands behind the host may be a secret and is not shown.
 */
static int scheme_missing(const char *url, struct err *reterr)
{
	const char *end = strstr(url, "://"), *rest = end ? end + 3 : url;
	CLEANUP(mem_freep) char *scheme = mem_strn(url, end ? (size_t)(end - url) : 0);
	bool http = text_same(scheme, "http"), known = !end || http || text_same(scheme, "https");
	size_t len = strcspn(rest, "/?#");
	CLEANUP(mem_freep)
	char *meant = mem_fmt("%s://%.*s", http ? "http" : "https", (int)(len > URL_MAX ? 0 : len), rest);
	CLEANUP(mem_freep) char *host = url_host(meant);

	if (!known || !host || !host_is_good(host) || !host_is_told(host))
		return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com");
	return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com; did you mean %s%s?", meant,
		       rest[len] != '\0' ? "/..." : "");
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
	const char *path = url_path(base), *behind;

	if (strncmp(base, whole, strlen(base)) != 0)
		return 0;
	behind = whole + strlen(base);
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

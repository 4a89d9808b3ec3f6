/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "conf/check.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "base/url.h"
#include "helpdesk/expr/email.h"
#include "klaviyo/request.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define NAME_MAX_BYTES 63

#define URL_MAX 2000
#define TOP_LEVEL_MAX 24 /* letters; the longest one in use */

static bool is_name(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= NAME_MAX_BYTES && s[0] != '-' && s[0] != '_' && strspn(s, NAME_LETTERS) == len;
}

int check_name(const char *s, struct err *reterr)
{
	CLEANUP(mem_freep) char *meant = NULL;

	if (is_name(s))
		return 0;
	/* "Help Scout" is help-scout. */
	meant = mem_str(s);
	text_lower(meant);
	for (char *c = meant; *c != '\0'; c++)
		if (!strchr(NAME_LETTERS, *c))
			*c = '-';
	return err_set(reterr, -EINVAL,
		       "a name is 1 to %d of a-z, 0-9, - and _, beginning with a letter or digit%s%s%s", NAME_MAX_BYTES,
		       is_name(meant) ? "; did you mean " : "", is_name(meant) ? meant : "", is_name(meant) ? "?" : "");
}

/* True where a URL can hold the text without encoding. */
static bool fits_a_url(const char *s)
{
	while (*s > ' ' && *s < 0x7f && !strchr("\"<>\\^`{|}", *s))
		s++;
	return *s == '\0';
}

int check_path(const char *s, struct err *reterr)
{
	if (s[0] != '/')
		return err_set(reterr, -EINVAL, "a path begins with /, like /webhooks/gladly");
	if (strlen(s) > 1000)
		return err_set(reterr, -EINVAL, "a path has at most 1000 letters");
	if (!fits_a_url(s) || strpbrk(s, "?#"))
		return err_set(reterr, -EINVAL, "a path holds no blanks, quotes, braces, ?, # or letters beyond ASCII");
	return 0;
}

int check_revision(const char *s, struct err *reterr)
{
	long days;

	if (request_revision_days_left(s, 0, &days) < 0)
		return err_set(reterr, -EINVAL, "expected a revision of Klaviyo's API: a date such as %s",
			       KLAVIYO_REVISION_TESTED);
	return 0;
}

int check_store(const char *s, struct err *reterr)
{
	if (strncmp(s, "sqlite:", 7) != 0 || s[7] == '\0')
		return err_set(reterr, -EINVAL, "expected sqlite:PATH, like sqlite:/var/lib/deskbridge/deskbridge.db");
	return 0;
}

int check_pattern(const char *s, struct err *reterr)
{
	if (email_pattern_check(s) < 0)
		return err_set(
			reterr, -EINVAL,
			"expected an address, \"noreply@*\" (that name at every domain) or a domain such as acme.com");
	return 0;
}

int check_proxy(const char *s, struct err *reterr)
{
	struct ip_network network;

	if (text_is(s, "unix") || ip_network_read(s, &network))
		return 0;
	return err_set(reterr, -EINVAL,
		       "expected an address such as 10.0.0.1 or ::1, a network such as 10.0.0.0/8, or unix");
}

int check_label(const char *s, struct err *reterr)
{
	if (strlen(s) > CHECK_LABEL_MAX || !text_is_one_line(s, strlen(s)))
		return err_set(reterr, -EINVAL, "expected a name of at most %d letters in one line, like Gladly",
			       CHECK_LABEL_MAX);
	return 0;
}

int check_host(const char *s, struct err *reterr)
{
	CLEANUP(mem_freep) char *host = host_without_port(s);
	bool brackets = s[0] == '[';
	size_t len = host ? strlen(host) : 0;
	struct ip ip;

	if (host && (brackets || strchr(host, ':'))
		    ? strchr(host, ':') && ip_read(host, &ip)
		    : len > 0 && len <= HOST_MAX && host[0] != '.' && strspn(host, HOST_LETTERS) == len)
		return 0;
	return err_set(
		reterr, -EINVAL,
		"expected what stands in a Host header: a name or address such as bridge.example.com, 10.0.0.1 or "
		"[2001:db8::1], with a port where only that one is meant");
}

int check_flag(const char *s, struct err *reterr)
{
	if (strlen(s) > 200 || !text_is_one_line(s, strlen(s)))
		return err_set(reterr, -EINVAL,
			       "expected the name of a profile property in one line, like "
			       "\"In {label} Conversation\"");
	if (s[0] == '$')
		return err_set(reterr, -EINVAL,
			       "names that begin with $ are Klaviyo's own; expected one like "
			       "\"In {label} Conversation\"");
	return 0;
}

/* ---- URLs -------------------------------------------------------------------------------------------------------- */

static bool host_is_good(const char *host)
{
	struct ip ip;

	if (strchr(host, ':'))
		return ip_read(host, &ip);
	return strspn(host, HOST_LETTERS) == strlen(host);
}

/* True for a host as people write it: a name below a top-level domain, or an address. A token with dots that was put
 * into the wrong place is not one. */
static bool host_is_complete(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot ? dot + 1 : "";
	size_t len = strlen(last);
	struct ip ip;

	if (ip_read(host, &ip) || text_same(host, "localhost"))
		return true;
	if (len < 2 || len > TOP_LEVEL_MAX || strspn(last, TEXT_LETTERS) != len)
		return false;
	for (const char *label = host; *label != '\0'; label += strspn(label, ".")) {
		len = strcspn(label, ".");
		if (len == 0 || len > HOST_LABEL_MAX)
			return false;
		label += len;
	}
	return true;
}

/* Reports a URL whose scheme is in capitals, unknown or missing. It suggests https, or http for this machine, where
 * the sandbox listens. The part after the host may be a secret and is not shown. */
static int scheme_missing(const char *url, struct err *reterr)
{
	const char *end = strstr(url, "://");
	const char *rest = end ? end + 3 : url;
	CLEANUP(mem_freep) char *scheme = mem_strn(url, end ? (size_t)(end - url) : 0);
	bool http = text_same(scheme, "http");
	bool known = !end || http || text_same(scheme, "https");
	size_t len = strcspn(rest, "/?#");
	CLEANUP(mem_freep) char *plain = mem_fmt("http://%.*s", (int)(len > URL_MAX ? 0 : len), rest);
	CLEANUP(mem_freep) char *host = url_host(plain);
	bool secure = end ? !http : !url_is_loopback(plain);

	if (!known || !host || !host_is_good(host) || !host_is_complete(host))
		return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com");
	return err_set(reterr, -EINVAL, "expected a URL such as https://acme.example.com; did you mean http%s%s%s?",
		       secure ? "s" : "", plain + strlen("http"), rest[len] != '\0' ? "/..." : "");
}

int check_signed_url(const char *url, struct err *reterr)
{
	CLEANUP(mem_freep) char *host = NULL;
	struct url u;

	if (!url_begins(url) || !url_split(url, &u))
		return scheme_missing(url, reterr);
	if (strlen(url) > URL_MAX)
		return err_set(reterr, -EINVAL, "a URL has at most %d letters", URL_MAX);
	if (!fits_a_url(url))
		return err_set(reterr, -EINVAL, "a URL holds no blanks, quotes, braces or letters beyond ASCII");
	if (memchr(u.authority, '@', u.authority_len))
		return err_set(reterr, -EINVAL, "a URL here holds no user and password: they have their own keys");
	host = url_host(url);
	if (!host || !host_is_good(host))
		return err_set(reterr, -EINVAL,
			       "the URL's host or port is none; expected one such as https://acme.example.com");
	if (strchr(url, '#'))
		return err_set(reterr, -EINVAL, "a URL that is asked has no #fragment");
	return 0;
}

int check_base_url(const char *url, struct err *reterr)
{
	int r = check_signed_url(url, reterr);

	if (r == 0 && strchr(url, '?'))
		return err_set(reterr, -EINVAL, "expected the URL without a ?query: paths are appended to it");
	return r;
}

int check_filled(const char *s, struct err *reterr)
{
	const char *left = strstr(s, "YOUR-");

	if (left)
		return err_set(reterr, -EINVAL, "fill in %.*s",
			       (int)strspn(left, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), left);
	if (strcmp(s, "YOU@example.com") == 0)
		return err_set(reterr, -EINVAL, "fill in %s", s);
	return 0;
}

#include <config.h>

#include "conf/check.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "conf/url.h"
#include "helpdesk/expr/email.h"
#include "klaviyo/request.h"

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define NAME_MAX_BYTES 63

static bool is_name(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= NAME_MAX_BYTES && s[0] != '-' && s[0] != '_' && strspn(s, NAME_LETTERS) == len;
}

/* "Help Scout" to "help-scout". The caller owns it. */
static char *as_name(const char *s)
{
	char *name = mem_str(s);

	text_lower(name);
	for (char *c = name; *c != '\0'; c++)
		if (!strchr(NAME_LETTERS, *c))
			*c = '-';
	return name;
}

int check_name(const char *s, struct err *reterr)
{
	CLEANUP(mem_freep) char *meant = NULL;

	if (is_name(s))
		return 0;
	meant = as_name(s);
	return err_set(reterr, -EINVAL,
		       "a name is 1 to %d of a-z, 0-9, - and _, beginning with a letter or digit%s%s%s", NAME_MAX_BYTES,
		       is_name(meant) ? "; did you mean " : "", is_name(meant) ? meant : "", is_name(meant) ? "?" : "");
}

int check_path(const char *s, struct err *reterr)
{
	if (s[0] != '/')
		return err_set(reterr, -EINVAL, "a path begins with /, like /webhooks/gladly");
	if (strlen(s) > 1000)
		return err_set(reterr, -EINVAL, "a path has at most 1000 letters");
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("?#\"<>\\^`{|}", *s))
			return err_set(reterr, -EINVAL,
				       "a path holds no blanks, quotes, braces, ?, # or letters beyond ASCII");
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
	if (text_is(s, "unix") || ip_is_network(s))
		return 0;
	return err_set(reterr, -EINVAL,
		       "expected an address such as 10.0.0.1 or ::1, a network such as 10.0.0.0/8, or unix");
}

/* Text that people read and Klaviyo keeps: one line. */
static bool is_one_line(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

int check_label(const char *s, struct err *reterr)
{
	if (strlen(s) > CHECK_LABEL_MAX || !is_one_line(s))
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
		    : len > 0 && len <= 253 && host[0] != '.' && strspn(host, HOST_LETTERS) == len)
		return 0;
	return err_set(
		reterr, -EINVAL,
		"expected what stands in a Host header: a name or address such as bridge.example.com, 10.0.0.1 or "
		"[2001:db8::1], with a port where only that one is meant");
}

int check_flag(const char *s, struct err *reterr)
{
	if (strlen(s) > 200 || !is_one_line(s))
		return err_set(reterr, -EINVAL,
			       "expected the name of a profile property in one line, like "
			       "\"In {label} Conversation\"");
	if (s[0] == '$')
		return err_set(reterr, -EINVAL,
			       "names that begin with $ are Klaviyo's own; expected one like "
			       "\"In {label} Conversation\"");
	return 0;
}

int check_base_url(const char *s, struct err *reterr)
{
	return url_check(s, reterr);
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

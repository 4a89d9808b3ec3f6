#include <config.h>

#include "helpdesk/expr/link.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/idn.h"
#include "base/ip.h"
#include "base/percent.h"
#include "base/text.h"
#include "base/url.h"

/* ---- the host ---------------------------------------------------------------------------------------------------- */

/* A name or an IPv4 address: labels of letters, digits, "-" and "_" with dots between; one dot may end it. */
static bool is_name(const char *host)
{
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > HOST_MAX || strspn(host, HOST_LETTERS) < len)
		return false;
	for (const char *label = host; label <= host + len;) {
		size_t letters = strspn(label, HOST_LABEL_LETTERS);

		if (letters == 0 || letters > HOST_LABEL_MAX)
			return false;
		label += letters + 1;
	}
	return true;
}

/* "HOST:" is as good as "HOST" (RFC 3986, section 3.2.3). */
static void cut_empty_port(char *authority)
{
	size_t len = strlen(authority);

	if (len > 0 && authority[len - 1] == ':' && strchr(authority, ':') == authority + len - 1)
		authority[len - 1] = '\0';
}

/* The name between scheme and path as the DNS has it, with its port. The caller owns *ret. */
static int read_authority(const char *text, size_t len, char **ret)
{
	CLEANUP(mem_freep) char *authority = mem_strn(text, len);
	CLEANUP(mem_freep) char *host = NULL, *plain = NULL, *ascii = NULL;
	const char *port;
	struct ip ip;

	cut_empty_port(authority);
	host = host_without_port(authority);
	if (!host)
		return -EINVAL;
	if (authority[0] == '[') {
		if (!strchr(host, ':') || !ip_read(host, &ip))
			return -EINVAL;
		*ret = TAKE(authority);
		return 0;
	}
	/* Outside of brackets a ":" is the port's. */
	port = authority + strcspn(authority, ":");
	if (strchr(host, ':') || percent_read(host, strlen(host), false, &plain) < 0 ||
	    idn_to_ascii(plain, &ascii) < 0 || !is_name(ascii))
		return -EINVAL;
	*ret = mem_fmt("%s%s", ascii, port);
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

int link_make(const char *text, char **ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *copy = mem_str(text), *host = NULL;
	struct buf b;
	struct url u;

	if (!url_split(text_trim_unseen(copy), &u))
		return err_set(reterr, -EINVAL, "no absolute http or https URL");
	if (memchr(u.authority, '@', u.authority_len))
		return err_set(reterr, -EINVAL, "a URL with a user or a password in it");
	if (read_authority(u.authority, u.authority_len, &host) < 0)
		return err_set(reterr, -EINVAL, "a URL without a usable host");
	buf_init(&b, LINK_MAX);
	buf_addf(&b, "%s%s", u.https ? "https://" : "http://", host);
	percent_add_partly(&b, u.rest, PERCENT_URL);
	if (b.error < 0) {
		buf_done(&b);
		return err_set(reterr, -EMSGSIZE, "a URL of more than %d bytes", LINK_MAX);
	}
	*ret = buf_take(&b);
	return 0;
}

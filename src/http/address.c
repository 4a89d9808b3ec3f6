/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/text.h"

#define ADDRESS_BACKLOG 1024
#define ADDRESS_EXPECTED \
	"expected ADDRESS:PORT like 127.0.0.1:8085 or [::1]:8085, :PORT for all addresses, or unix:PATH"

static int parse_unix(const char *path, struct http_address *a, struct err *reterr)
{
	struct sockaddr_un *local = &a->socket.local;
	size_t len = strlen(path);

	if (len == 0)
		return err_set(reterr, -EINVAL, "\"unix:\" names no path; %s", ADDRESS_EXPECTED);
	if (path[0] != '/')
		return err_set(reterr, -EINVAL,
			       "the path of this unix socket is relative: write an absolute path, like "
			       "unix:/run/deskbridge/admin.sock");
	if (len >= sizeof(local->sun_path))
		return err_set(reterr, -EINVAL, "the path of a unix socket has at most %zu letters, this one %zu",
			       sizeof(local->sun_path) - 1, len);
	local->sun_family = AF_UNIX;
	memcpy(local->sun_path, path, len + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

static void set_ipv4(struct http_address *a, struct in_addr host, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = host, .sin_port = htons(port)};

	memcpy(&a->socket, &in, sizeof(in));
	a->len = sizeof(in);
}

/* host: without brackets; "": all addresses. */
static bool set_host(struct http_address *a, const char *host, bool brackets, uint16_t port)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT, .sin6_port = htons(port)};
	struct in_addr in;

	a->all = host[0] == '\0' && !brackets;
	if (a->all || (brackets && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)) {
		memcpy(&a->socket, &in6, sizeof(in6));
		a->len = sizeof(in6);
		return true;
	}
	if (brackets || inet_pton(AF_INET, text_same(host, "localhost") ? "127.0.0.1" : host, &in) != 1)
		return false;
	set_ipv4(a, in, port);
	return true;
}

int http_address_parse(const char *text, struct http_address *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *host = NULL;
	struct http_address a = {0};
	const char *colon;
	bool brackets;
	uint64_t port;
	int r;

	if (strncmp(text, "unix:", 5) == 0) {
		r = parse_unix(text + 5, &a, reterr);
		if (r < 0)
			return r;
		*ret = a;
		return 0;
	}
	colon = strrchr(text, ':');
	if (!colon)
		return err_set(reterr, -EINVAL, "\"%s\" is no address; %s", text, ADDRESS_EXPECTED);
	if (text_digits(colon + 1, strlen(colon + 1), UINT16_MAX, &port) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is no port (0 to 65535); %s", colon + 1, ADDRESS_EXPECTED);

	brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	host = mem_strn(text + brackets, (size_t)(colon - text) - 2 * brackets);
	if (!brackets && strchr(host, ':'))
		return err_set(reterr, -EINVAL, "\"%s\": an IPv6 address stands in brackets, like [::1]:8085", text);
	if (!set_host(&a, host, brackets, (uint16_t)port))
		return err_set(reterr, -EINVAL, "\"%s\" is no numeric address; %s", host, ADDRESS_EXPECTED);
	*ret = a;
	return 0;
}

bool http_address_is_loopback(const struct http_address *a)
{
	struct ip ip;

	return http_address_is_unix(a) || (ip_of_socket(&a->socket.any, &ip) && ip_is_loopback(&ip));
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

/* Removes the file of a socket without a listener, and nothing else. */
static int clear_stale(const struct http_address *a, struct err *reterr)
{
	const char *path = a->socket.local.sun_path;
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return 0; /* bind() reports what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode))
		return err_set(reterr, -EEXIST,
			       "cannot listen: there is a file of that name that is no socket: move it away, or choose "
			       "another path");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot listen: %s", strerror(errno));
	r = connect(fd, &a->socket.any, a->len) < 0 ? errno : 0;
	(void)close(fd);
	if (r != ECONNREFUSED)
		return err_set(
			reterr, -EADDRINUSE,
			"cannot listen: another program listens there, or this one runs already: end that one, or "
			"choose another path");
	(void)unlink(path);
	return 0;
}

static const char *listen_hint(int code)
{
	switch (code) {
	case -EADDRINUSE:
		return "; another program listens there, or this one runs already: end that one (`ss -ltnp` shows it), "
		       "or choose another port";
	case -EADDRNOTAVAIL:
		return "; this machine does not have that address: choose one that `ip address` shows, or "
		       ":PORT for all";
	case -EACCES:
		return "; a port below 1024, or the folder of a unix socket, needs more rights: choose a port from "
		       "1024 on, or a folder of the user who runs this";
	case -ENOENT:
		return "; the folder of the unix socket is not there: make it, or choose another path";
	default:
		return "";
	}
}

static int listen_once(const struct http_address *a)
{
	const int fd = socket(a->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	const int off = 0;
	const bool is_unix = http_address_is_unix(a);
	const bool both = a->all && a->socket.any.sa_family == AF_INET6;
	int code;

	if (fd < 0)
		return -errno;
	if ((is_unix || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
	    (!both || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
	    bind(fd, &a->socket.any, a->len) == 0 &&
	    /* Before listen(): until then no client can connect, whatever the umask allows. */
	    (!is_unix || chmod(a->socket.local.sun_path, 0660) == 0) && listen(fd, ADDRESS_BACKLOG) == 0)
		return fd;
	code = -errno;
	(void)close(fd);
	return code;
}

int http_address_listen(const struct http_address *a, struct err *reterr)
{
	int fd, r;

	if (http_address_is_unix(a)) {
		r = clear_stale(a, reterr);
		if (r < 0)
			return r;
	}
	fd = listen_once(a);
	if (fd < 0 && a->all && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		struct http_address ipv4 = {.all = true};
		struct sockaddr_in6 in6;

		memcpy(&in6, &a->socket, sizeof(in6));
		set_ipv4(&ipv4, (struct in_addr){INADDR_ANY}, ntohs(in6.sin6_port));
		fd = listen_once(&ipv4);
	}
	if (fd < 0)
		return err_set(reterr, fd, "cannot listen: %s%s", strerror(-fd), listen_hint(fd));
	return fd;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

char *http_address_host(const struct sockaddr *a)
{
	char text[IP_TEXT_MAX];
	struct ip ip;

	return mem_str(ip_of_socket(a, &ip) ? ip_text(&ip, text) : "unix");
}

bool http_address_socket_mode(int fd, unsigned *ret_mode)
{
	struct http_address a = {.len = sizeof(a.socket)};
	struct stat st;

	if (getsockname(fd, &a.socket.any, &a.len) < 0 || !http_address_is_unix(&a))
		return false;
	a.socket.local.sun_path[sizeof(a.socket.local.sun_path) - 1] = '\0';
	*ret_mode = stat(a.socket.local.sun_path, &st) == 0 ? st.st_mode & 0777 : 0777;
	return true;
}

char *http_address_of_socket(int fd)
{
	CLEANUP(mem_freep) char *host = NULL;
	struct http_address a = {0};
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	a.len = sizeof(a.socket);
	if (getsockname(fd, &a.socket.any, &a.len) < 0)
		return mem_str("unknown");
	host = http_address_host(&a.socket.any);
	if (a.socket.any.sa_family == AF_INET) {
		memcpy(&in, &a.socket, sizeof(in));
		return mem_fmt("%s:%u", host, ntohs(in.sin_port));
	}
	if (a.socket.any.sa_family == AF_INET6) {
		memcpy(&in6, &a.socket, sizeof(in6));
		return mem_fmt("[%s]:%u", host, ntohs(in6.sin6_port));
	}
	return mem_fmt("unix:%.*s", (int)sizeof(a.socket.local.sun_path), a.socket.local.sun_path);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWERS_MAX (4 * 1024 * 1024)
#define YIELDS_MAX 500 /* for which a client waits for a server without work */

static char heard[ANSWERS_MAX];
static size_t heard_len;
static bool was_reset; /* the server reset the last connection */

struct client_side {
	int fd;
	bool ended; /* no more bytes come */
	bool reset; /* it ended as the server had not read everything */
};

static int dial(const struct target *at)
{
	const struct linger at_once = {.l_onoff = 1}; /* no port stays in TIME_WAIT */
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const int on = 1;
	int fd;

	if (at->port > 0) {
		in.sin_port = htons((uint16_t)at->port);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0);
		HOLDS(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
		HOLDS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	} else {
		(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", at->path);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	}
	HOLDS(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return fd;
}

/* Reads all bytes that have come. */
static void receive(struct client_side *c)
{
	ssize_t n;

	while (!c->ended) {
		n = recv(c->fd, heard + heard_len, ANSWERS_MAX - heard_len, 0);
		if (n > 0)
			heard_len += (size_t)n;
		HOLDS(heard_len < ANSWERS_MAX);
		if (n < 0 && errno == EAGAIN)
			return;
		c->reset |= n < 0;
		c->ended = n <= 0;
	}
}

/* Sends bytes and reads meanwhile, so that neither side waits for the other. Stops where the server has closed. */
static void send_all(struct client_side *c, const char *bytes, size_t n)
{
	const int64_t until = clock_mono_ms() + CLIENT_END_MS;

	while (n > 0 && !c->ended) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLOUT};

			HOLDS(clock_mono_ms() < until);
			(void)poll(&p, 1, CLIENT_END_MS);
		} else { /* earlier answers can still be read */
			receive(c);
			c->ended = c->reset = true;
		}
		receive(c);
	}
}

/* Waits until the server has read all bytes, and, with `answered`, has answered. The wait is bounded, as a body without
 * its end keeps the server busy. */
static void wait_until_read(struct client_side *c, const struct target *at, bool answered)
{
	for (int i = 0; i < YIELDS_MAX && !c->ended; i++) {
		int unread = 0;

		if (ioctl(c->fd, SIOCOUTQ, &unread) == 0 && unread == 0 && !(answered && at->is_busy()) && i > 3)
			break;
		(void)sched_yield();
		receive(c);
	}
}

static void wait_for_end(struct client_side *c)
{
	const int64_t until = clock_mono_ms() + CLIENT_END_MS;

	receive(c);
	while (!c->ended) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};

		HOLDS(clock_mono_ms() < until && "the server ends the connection");
		(void)poll(&p, 1, CLIENT_END_MS);
		receive(c);
	}
}

static void play(const struct script *s, const struct target *at, struct client_side *c)
{
	size_t from = 0;

	for (size_t i = 0; i < s->cuts_n; i++) {
		send_all(c, s->bytes + from, s->cuts[i] - from);
		from = s->cuts[i];
		wait_until_read(c, at, false);
	}
	send_all(c, s->bytes + from, s->len - from);
	if (s->flags & STAGE_GONE)
		return;
	if (s->flags & STAGE_OPEN) {
		wait_until_read(c, at, true);
		return;
	}
	(void)shutdown(c->fd, SHUT_WR);
	wait_for_end(c);
}

void client_play(const struct script *s, const struct target *at)
{
	struct client_side c = {.fd = dial(at)};

	heard_len = 0;
	play(s, at, &c);
	was_reset = c.reset;
	HOLDS(close(c.fd) == 0);
}

const char *client_heard(size_t *ret_len)
{
	*ret_len = heard_len;
	return heard;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/*
 * The statuses of the listeners (intake/answer.c, admin/api.c), and 100. libmicrohttpd answers 414, 501 and 505 to
 * malformed HTTP, and 0.9.75 also 500 to a chunk's extension that fills its memory, without calling a handler.
 */
static bool is_known(unsigned status, bool admin)
{
	static const unsigned known[] = {100, 200, 400, 401, 404, 405, 413, 415, 417, 431, 503, 414, 500, 501, 505};
	static const unsigned admins[] = {403, 409, 422};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i] == status)
			return true;
	for (size_t i = 0; admin && i < sizeof(admins) / sizeof(*admins); i++)
		if (admins[i] == status)
			return true;
	return false;
}

struct answer_head {
	unsigned status;
	size_t length; /* of the body */
	bool has_length, closes;
};

/* Returns the next line without its end; NULL where there is no complete line. */
static const char *line_of(const char **at, const char *end, size_t *ret_len)
{
	const char *line = *at;
	const char *nl = memmem(line, (size_t)(end - line), "\r\n", 2);

	if (!nl)
		return NULL;
	*ret_len = (size_t)(nl - line);
	*at = nl + 2;
	for (size_t i = 0; i < *ret_len; i++)
		HOLDS(((unsigned char)line[i] >= ' ' || line[i] == '\t') && line[i] != 0x7f);
	return line;
}

static bool has_name(const char *line, size_t len, const char *name)
{
	return len > strlen(name) && strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':';
}

static void read_field(const char *line, size_t len, struct answer_head *head)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name = strspn(line, token);

	HOLDS(name > 0 && name < len && line[name] == ':');
	if (has_name(line, len, "Content-Length")) {
		HOLDS(!head->has_length);
		head->has_length = true;
		head->length = strtoul(line + name + 1, NULL, 10);
		HOLDS(head->length < ANSWERS_MAX);
	}
	HOLDS(!has_name(line, len, "Transfer-Encoding"));
	if (has_name(line, len, "Connection"))
		head->closes |= memmem(line, len, "close", 5) != NULL;
}

/* Parses the head of an answer. False where it is cut off. */
static bool read_head(const char **at, const char *end, bool admin, struct answer_head *head)
{
	size_t len;
	const char *line = line_of(at, end, &len);

	*head = (struct answer_head){0};
	if (!line)
		return false;
	HOLDS(len >= 12 && (memcmp(line, "HTTP/1.1 ", 9) == 0 || memcmp(line, "HTTP/1.0 ", 9) == 0));
	head->status = (unsigned)strtoul(line + 9, NULL, 10);
	if (!is_known(head->status, admin))
		fprintf(stderr, "the answer is %.*s\n", (int)len, line);
	HOLDS(is_known(head->status, admin));
	while ((line = line_of(at, end, &len)) && len > 0)
		read_field(line, len, head);
	return line != NULL;
}

static bool begins_answer(const char *at, const char *end)
{
	return at == end || (end - at >= 7 && memcmp(at, "HTTP/1.", 7) == 0);
}

/* libmicrohttpd 0.9.75 sends the head of its own errors about headers twice. The status is right, and it closes the
 * connection. */
static void skip_second_head(const char **at, const char *end, struct answer_head *head, bool admin)
{
	const char *first = *at;
	struct answer_head again;

	if (!head->closes || head->status < 400 || *at == end || !begins_answer(*at, end))
		return;
	if (!read_head(at, end, admin, &again) || again.status != head->status || again.length != head->length)
		*at = first;
}

/* Checks all answers. An answer to HEAD has no body, even with a Content-Length. */
static void check_answers(const struct script *s, struct played *played)
{
	const char *at = heard;
	const char *end = heard + heard_len;
	const bool cut_off = played->is_cut_off = was_reset || (s->flags & (STAGE_GONE | STAGE_OPEN));
	bool may_be_head = holds_word(s->bytes, s->len, "HEAD");
	struct answer_head head;

	while (at < end) {
		if (!read_head(&at, end, s->flags & STAGE_ADMIN, &head)) {
			HOLDS(cut_off);
			return;
		}
		if (head.status == 100)
			continue;
		HOLDS(head.has_length);
		if (head.status == 500)
			HOLDS(holds_word(at, (size_t)(end - at), "developer of this Web server"));
		skip_second_head(&at, end, &head, s->flags & STAGE_ADMIN);
		if (!(may_be_head && begins_answer(at, end))) {
			if ((size_t)(end - at) < head.length) {
				HOLDS(cut_off);
				return;
			}
			at += head.length;
		}
		played->answers++;
		played->status = head.status;
		/* Intake closes the connection after every 4xx. */
		if (head.closes || (head.status / 100 == 4 && !(s->flags & STAGE_ADMIN)))
			HOLDS(at == end);
	}
}

void client_check(const struct script *s, struct played *ret)
{
	check_answers(s, ret);
	/* A challenge echoes what the client sent. */
	HOLDS(!secret_in(heard, heard_len) || holds_word(heard, heard_len, "\"challenge\""));
}

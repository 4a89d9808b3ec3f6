/* SPDX-License-Identifier: MIT */
/*
 * Starts and stops the server: sockets, libmicrohttpd's options, the order of the end. exchange.c handles requests.
 */
#include <config.h>

#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/address.h"
#include "http/exchange.h"

#define SERVER_THREADS_MIN 2 /* libmicrohttpd treats 1 as no pool */
#define SERVER_THREADS_MAX 4

/* libmicrohttpd's memory of a connection: head, the piece of the body that was read last, head of the answer. It clears
 * one and a half times as much for each request, so with many connections a larger one empties the processor's cache:
 * with 32 KiB, its default, and 256 connections the pool's threads need a quarter more time for a webhook. */
#define CONNECTION_BYTES (16 * 1024)

static void on_message(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void on_message(void *cls, const char *fmt, va_list ap)
{
	char text[512];

	(void)cls;
	if (!log_wants(LOG_DEBUG))
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug(NULL, "libmicrohttpd: %s", text);
}

static size_t keep_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

/* Opens a socket where the service manager passed none. */
static int listen_at(struct http_server *s, const char *where, struct err *reterr)
{
	struct http_address address;
	int fd, r;

	r = http_address_parse(where, &address, reterr);
	if (r < 0)
		return r;
	fd = http_address_listen(&address, reterr);
	if (fd < 0) {
		(void)err_prefix(reterr, "%s", where);
		return fd;
	}
	s->listeners[s->listeners_n++].fd = fd;
	s->own_fd = true;
	if (http_address_is_unix(&address))
		s->unlink_path = mem_str(address.socket.local.sun_path);
	return 0;
}

static int server_listen(struct http_server *s, const struct http_server_options *o, struct err *reterr)
{
	const struct http_sockets *passed = &o->sockets;
	int r = passed->n > 0 ? 0 : listen_at(s, o->address, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; i < passed->n; i++) {
		int flags = fcntl(passed->fds[i], F_GETFL);

		if (flags < 0 || fcntl(passed->fds[i], F_SETFL, flags | O_NONBLOCK) < 0)
			return err_set(reterr, -errno, "the socket passed in cannot be used: %s", strerror(errno));
		s->listeners[s->listeners_n++].fd = passed->fds[i];
	}
	for (size_t i = 0; i < s->listeners_n; i++) {
		CLEANUP(mem_freep) char *one = http_address_of_socket(s->listeners[i].fd);
		CLEANUP(mem_freep) char *former = s->address;

		s->address = former ? mem_fmt("%s and %s", former, one) : TAKE(one);
	}
	return 0;
}

static void report_drop(void *ctx, enum http_drop_reason why, const struct ip *from)
{
	struct http_server *s = ctx;
	char text[IP_TEXT_MAX];

	if (s->handler.dropped)
		s->handler.dropped(s->handler.ctx, why, from ? ip_text(from, text) : "unix");
}

static unsigned threads_per_socket(unsigned threads, unsigned sockets)
{
	unsigned share = (threads + sockets - 1) / sockets;

	if (share < SERVER_THREADS_MIN)
		return SERVER_THREADS_MIN;
	return share < SERVER_THREADS_MAX ? share : SERVER_THREADS_MAX;
}

static struct MHD_Daemon *server_daemon(struct http_server *s, int fd, const struct http_server_options *o)
{
	const unsigned threads = threads_per_socket(o->threads, (unsigned)s->listeners_n);
	/* libmicrohttpd divides the limit among the threads, and 0 would mean no limit. */
	const unsigned connections = o->max_connections > threads ? o->max_connections : threads;
	/* The logger comes first, otherwise start-up messages go to stderr. */
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_message, NULL},
		{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
		{MHD_OPTION_THREAD_POOL_SIZE, threads, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, connections, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, s->timeout_s, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_request_line, s},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoded, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, s},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_on_connection, s},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	/* The pool inherits the mask, so that only the main program gets signals. */
	sigfillset(&all);
	INSIST(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
				  NULL, http_on_request, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	INSIST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return daemon;
}

static unsigned whole_seconds(int64_t ms)
{
	return ms > CLOCK_SECOND_MS ? (unsigned)((ms + CLOCK_SECOND_MS - 1) / CLOCK_SECOND_MS) : 1;
}

static int server_start(struct http_server *s, const struct http_server_options *o, struct err *reterr)
{
	const struct conn_limits_options conn_limits = {
		.request_ms = (int64_t)s->timeout_s * CLOCK_SECOND_MS * HTTP_SLOW_TIMEOUTS,
		.idle_ms = (int64_t)s->idle_s * CLOCK_SECOND_MS,
		.most = o->max_connections,
		.per_address = o->per_address,
		.dropped = report_drop,
		.ctx = s,
	};
	int r = server_listen(s, o, reterr);

	if (r < 0)
		return r;
	s->conn_limits = conn_limits_new(&conn_limits);
	for (size_t i = 0; i < s->listeners_n; i++) {
		s->listeners[i].daemon = server_daemon(s, s->listeners[i].fd, o);
		if (!s->listeners[i].daemon)
			return err_set(reterr, errno > 0 ? -errno : -EIO, "cannot start the server on %s: %s",
				       s->address, errno > 0 ? strerror(errno) : "libmicrohttpd refused");
	}
	return 0;
}

int http_server_start(const struct http_server_options *o, const struct http_handler *h, struct http_server **ret,
		      struct err *reterr)
{
	struct http_server *s = mem_new(1, sizeof(*s));
	int r;

	INSIST(o->sockets.n <= HTTP_SOCKETS_MAX);
	s->handler = *h;
	s->error_member = mem_str(o->error_member);
	s->malformed = o->malformed;
	s->max_body = o->max_body;
	s->timeout_s = whole_seconds(o->timeout_ms);
	s->idle_s = o->idle_ms > 0 ? whole_seconds(o->idle_ms) : s->timeout_s;
	s->uncounted = mem_new(o->uncounted_n, sizeof(*s->uncounted));
	for (; s->uncounted_n < o->uncounted_n; s->uncounted_n++)
		s->uncounted[s->uncounted_n] = o->uncounted[s->uncounted_n];
	r = server_start(s, o, reterr);
	if (r < 0) {
		http_server_stop(s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

void http_server_quiesce(struct http_server *s)
{
	INSIST(!s->quiesced);
	s->quiesced = true;
	for (size_t i = 0; i < s->listeners_n; i++)
		if (s->listeners[i].daemon)
			INSIST(MHD_quiesce_daemon(s->listeners[i].daemon) == s->listeners[i].fd);
}

void http_server_wait_headers(struct http_server *s, int64_t until_mono_ms)
{
	conn_limits_wait_headers(s->conn_limits, until_mono_ms);
}

unsigned http_server_suspended(const struct http_server *s)
{
	return atomic_load(&s->suspended);
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	/* Without quiescing, stopping a pool also shuts down systemd's copy of the socket. */
	if (!s->quiesced)
		http_server_quiesce(s);
	if (s->conn_limits)
		conn_limits_stop(s->conn_limits);
	for (size_t i = 0; i < s->listeners_n; i++)
		if (s->listeners[i].daemon)
			MHD_stop_daemon(s->listeners[i].daemon);

	if (s->conn_limits)
		conn_limits_free(s->conn_limits);
	for (size_t i = 0; s->own_fd && i < s->listeners_n; i++)
		(void)close(s->listeners[i].fd);
	if (s->unlink_path)
		(void)unlink(s->unlink_path);
	free(s->uncounted);
	free(s->unlink_path);
	free(s->error_member);
	free(s->address);
	free(s);
}

const char *http_server_library(void)
{
	return MHD_get_version();
}

/*
 * Starting and stopping: the socket, the pool's options, the order in which it ends. What happens to a request is in
 * exchange.c.
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

#define SERVER_THREADS_MIN 2 /* libmicrohttpd takes a pool of one for no pool */
#define SERVER_THREADS_MAX 4

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

static size_t leave_as_it_came(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static int server_listen(struct http_server *s, const struct http_server_options *o, struct err *reterr)
{
	struct http_address address;
	int flags, r;

	if (o->listen_fd >= 0) {
		flags = fcntl(o->listen_fd, F_GETFL);
		if (flags < 0 || fcntl(o->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
			return err_set(reterr, -errno, "the socket passed in cannot be used: %s", strerror(errno));
		s->listen_fd = o->listen_fd;
	} else {
		r = http_address_parse(o->address, &address, reterr);
		if (r < 0)
			return r;
		r = http_address_listen(&address, reterr);
		if (r < 0) {
			(void)err_prefix(reterr, "%s", o->address);
			return r;
		}
		s->listen_fd = r;
		s->own_fd = true;
		if (http_address_is_unix(&address))
			s->unlink_path = mem_str(address.socket.local.sun_path);
	}
	s->address = http_address_of_socket(s->listen_fd);
	return 0;
}

static struct MHD_Daemon *server_daemon(struct http_server *s, const struct http_server_options *o)
{
	unsigned threads = o->threads;
	unsigned connections = o->max_connections;
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	if (threads < SERVER_THREADS_MIN)
		threads = SERVER_THREADS_MIN;
	if (threads > SERVER_THREADS_MAX)
		threads = SERVER_THREADS_MAX;
	if (connections < threads) /* the limit is divided among the threads, and 0 would be no limit */
		connections = threads;

	/* The logger first, or messages of the start go to stderr. */
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_message, NULL},
		{MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
		{MHD_OPTION_THREAD_POOL_SIZE, threads, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, connections, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)((s->timeout_ms + 999) / 1000), NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_request_line, s},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_it_came, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, s},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_on_connection, s},
		{MHD_OPTION_END, 0, NULL},
	};

	/* The pool inherits the mask: signals are for main alone. */
	sigfillset(&all);
	INSIST(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
				  NULL, http_on_request, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	INSIST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return daemon;
}

static void server_free(struct http_server *s)
{
	if (s->patience)
		patience_free(s->patience);
	if (s->own_fd)
		(void)close(s->listen_fd);
	if (s->unlink_path)
		(void)unlink(s->unlink_path);
	free(s->unlink_path);
	free(s->error_type);
	free(s->address);
	free(s);
}

int http_server_start(const struct http_server_options *o, const struct http_handler *h, struct http_server **ret,
		      struct err *reterr)
{
	struct http_server *s = mem_new(1, sizeof(*s));
	int r;

	s->handler = *h;
	s->error_type = mem_str(o->error_type);
	s->malformed = o->malformed;
	s->max_body = o->max_body;
	s->timeout_ms = o->timeout_ms > CLOCK_SECOND_MS ? o->timeout_ms : CLOCK_SECOND_MS;
	r = server_listen(s, o, reterr);
	if (r < 0) {
		server_free(s);
		return r;
	}
	s->patience = patience_new(s->timeout_ms * HTTP_SLOW_TIMEOUTS);
	s->daemon = server_daemon(s, o);
	if (!s->daemon) {
		patience_stop(s->patience);
		r = err_set(reterr, errno > 0 ? -errno : -EIO, "cannot start the server on %s: %s", s->address,
			    errno > 0 ? strerror(errno) : "libmicrohttpd refused");
		server_free(s);
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
	INSIST(MHD_quiesce_daemon(s->daemon) == s->listen_fd);
}

void http_server_wait_heard(struct http_server *s, int64_t until_us)
{
	patience_wait_heard(s->patience, until_us);
}

unsigned http_server_suspended(const struct http_server *s)
{
	return atomic_load(&s->suspended);
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	/* Without it, stopping a pool shuts the socket down for systemd's copy too. */
	if (!s->quiesced)
		http_server_quiesce(s);
	patience_stop(s->patience);
	MHD_stop_daemon(s->daemon);
	server_free(s);
}

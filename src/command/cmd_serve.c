/* SPDX-License-Identifier: MIT */
/*
 * serve: the daemon. The main thread starts all other threads, then sleeps in one poll. It wakes for signals (received
 * by serve_signals), changed secret files, a set clock, the watchdog, requested reloads and changes of the status. It
 * owns the current generation; all other work is done by the threads that it started.
 *
 * Start: configuration, log, pipeline (with store and courier), admin, intake. Stop: intake accepts no more requests.
 * The pipeline commits and answers the pending ones, and deliveries under way get some time. Admin answers until the
 * end. A stop may take SERVE_STOP_MS from the signal on (serve_signals ends the process then).
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/text.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_out.h"
#include "base/mask.h"
#include "base/metrics.h"
#include "command/command.h"
#include "command/load.h"
#include "command/options.h"
#include "command/serve_internal.h"
#include "intake/intake.h"

#define TRANSFERS_MS 5000 /* from the signal on, for deliveries under way */
#define COALESCE_MS 100   /* changes of secret files within this time are read together */

struct serve {
	const struct command_context *context;
	struct generation *generation; /* owns a reference */
	struct pipeline *pipeline;
	struct admin *admin;
	struct intake *intake;
	struct http_sockets listen_sockets, admin_sockets; /* passed by systemd, if any */
	struct serve_signals *signals;
	struct serve_reloads *reloads;
	struct serve_watch *watch;
	int coalesce;   /* timerfd: readable when the secrets are to be read again */
	int watchdog;   /* timerfd: readable when feed_watchdog() is due; -1: the watchdog is off */
	int clock;      /* timerfd: readable once the system's clock was set */
	int store;      /* inotify: readable once the store's files changed; -1: not watched */
	uint64_t token; /* of the last ping to the pipeline (feed_watchdog) */
};

/* ---- timers, log ------------------------------------------------------------------------------------------------- */

static void set_timer(int fd, int64_t first_us, int64_t interval_us)
{
	const struct itimerspec spec = {
		.it_value = {first_us / 1000000, first_us % 1000000 * 1000},
		.it_interval = {interval_us / 1000000, interval_us % 1000000 * 1000},
	};

	INSIST(timerfd_settime(fd, 0, &spec, NULL) == 0);
}

static void drain_timer(int fd)
{
	uint64_t times;

	(void)!read(fd, &times, sizeof(times));
}

static int timer_new(clockid_t clock, struct err *reterr)
{
	int fd = timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd < 0 ? err_set(reterr, -errno, "no timer: %s", strerror(errno)) : fd;
}

/* Arms a timer that never expires. Setting the system's clock cancels it, which poll() reports. */
static void clock_watch(int fd)
{
	const struct itimerspec never = {
		.it_value.tv_sec = sizeof(time_t) > 4 ? (time_t)INT64_C(9000000000) : (time_t)INT32_MAX,
	};

	/* ECANCELED: the clock was set once more since the last read(). The timer is armed all the same. */
	INSIST(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0 ||
	       errno == ECANCELED);
}

static void apply_log_settings(const struct generation *g)
{
	const struct config *c = g->config;

	log_setup(c->log.format, c->log.level, c->log.personal_data);
}

static void log_problems(const struct problems *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct problem *one = &p->items[i];
		CLEANUP(mem_freep) char *place = problem_location(one);

		log_write(one->notice    ? LOG_NOTICE
			  : one->warning ? LOG_WARNING
					 : LOG_ERR,
			  NULL, "%s%s", place, one->text);
	}
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* A socket unit passes sockets for webhooks, or sockets named "listen" and "admin". Several sockets of one name,
 * such as one for IPv4 and one for IPv6, serve the same. */
static int take_sockets(struct serve *s, struct err *reterr)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	int r = n < 0 ? err_set(reterr, n, "the sockets of the service manager: %s", strerror(-n)) : 0;

	for (int i = 0; r == 0 && i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		struct http_sockets *to = text_is(names[i], "admin") ? &s->admin_sockets : &s->listen_sockets;

		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			r = err_set(reterr, -EINVAL,
				    "the service manager passed something that is no listening socket: check the "
				    "socket unit");
		else if (to->n < HTTP_SOCKETS_MAX)
			to->fds[to->n++] = fd;
		else
			r = err_set(reterr, -EINVAL,
				    "the service manager passed more than %d sockets for webhooks or for admin",
				    HTTP_SOCKETS_MAX);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

static int make_timers(struct serve *s, struct err *reterr)
{
	uint64_t usec = 0;

	s->watchdog = -1;
	s->coalesce = timer_new(CLOCK_MONOTONIC, reterr);
	if (s->coalesce < 0)
		return s->coalesce;
	s->clock = timer_new(CLOCK_REALTIME, reterr);
	if (s->clock < 0)
		return s->clock;
	clock_watch(s->clock);
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	s->watchdog = timer_new(CLOCK_MONOTONIC, reterr);
	if (s->watchdog < 0)
		return s->watchdog;
	/* Four checks within systemd's time limit: an answer that comes after one check counts at the next. */
	set_timer(s->watchdog, (int64_t)usec / 4, (int64_t)usec / 4);
	return 0;
}

static void stop(struct serve *s)
{
	if (s->reloads)
		serve_reloads_close(s->reloads);
	if (s->intake)
		intake_quiesce(s->intake);
	if (s->pipeline)
		pipeline_stop(s->pipeline, serve_signals_stop_ms(s->signals) + TRANSFERS_MS);
	if (s->intake)
		intake_stop(s->intake);
	if (s->admin)
		admin_stop(s->admin);
	pipeline_free(s->pipeline);
	serve_reloads_free(s->reloads);
	serve_watch_free(s->watch);
	for (size_t i = 0; i < 4; i++) {
		int fd = (const int[]){s->coalesce, s->watchdog, s->clock, s->store}[i];

		if (fd >= 0)
			close(fd);
	}
	generation_unref(s->generation);
}

/* Starts the timer `coalesce`. A running one is not set again: a file that is written again and again would delay it
 * for ever. */
static void read_secrets_soon(struct serve *s)
{
	struct itimerspec left;

	INSIST(timerfd_gettime(s->coalesce, &left) == 0);
	if (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
		set_timer(s->coalesce, COALESCE_MS * 1000, 0);
}

/* Watches the files of the current generation's secrets. Reads them once more, for changes between reading and
 * watching. */
static void watch_secrets(struct serve *s)
{
	serve_watch_free(s->watch);
	s->watch = serve_watch_new(s->generation->secrets);
	read_secrets_soon(s);
}

/* The service manager waits for so long from now on, whatever limit the unit has. */
#define OPENING_US 60000000

static void opening_works(const char *what)
{
	serve_notify("EXTEND_TIMEOUT_USEC=%d\nSTATUS=opening the store: %s", OPENING_US, what);
}

static int start(struct serve *s, struct err *reterr)
{
	const struct config *c = s->generation->config;
	int r = serve_signals_start(&s->signals, reterr);

	if (r == 0)
		r = take_sockets(s, reterr);
	if (r == 0)
		r = make_timers(s, reterr);
	if (r == 0)
		r = pipeline_start(s->generation, opening_works, &s->pipeline, reterr);
	if (r == 0)
		r = serve_reloads_new(s->context->config_file, &s->reloads, reterr);
	if (r == 0) {
		const struct admin_reloader reloader = {.ask = serve_reloads_ask, .ctx = s->reloads};
		r = admin_start(s->pipeline, c, &s->admin_sockets, &reloader, &s->admin, reterr);
	}
	if (r == 0)
		r = intake_start(s->pipeline, c, &s->listen_sockets, &s->intake, reterr);
	if (r < 0)
		return r;
	s->store = serve_store_watch(c->store.path);
	watch_secrets(s);
	return 0;
}

/* more: further lines for the service manager, or "". */
static void notify_status(struct serve *s, const char *more)
{
	CLEANUP(mem_freep)
	char *listening = mem_fmt("listening on %s, admin on %s", intake_address(s->intake), admin_address(s->admin));
	CLEANUP(mem_freep) char *status = serve_status(s->pipeline, listening);

	serve_notify("%sSTATUS=%s", more, status);
}

/* ---- a new generation -------------------------------------------------------------------------------------------- */

/* Makes next the current generation for all threads. Takes ownership of the caller's reference. */
static void use_generation(struct serve *s, struct generation *next)
{
	generation_make_current(generation_ref(next));
	pipeline_generation(s->pipeline, next);
	generation_unref(s->generation);
	s->generation = next;
	watch_secrets(s);
}

/* Reads the configuration anew, and takes it if it is good. asked: the requests that wait for the verdict, or NULL.
 * They are answered last, after READY=1 was sent. */
static void reload(struct serve *s, struct admin_reload *asked)
{
	struct problems problems = {0};
	struct serve_token token = {.former = s->generation->config};
	struct err e = {0};
	struct admin_verdict verdict = {.config = s->context->config_file, .problems = &problems, .error = e.text};
	struct generation *next;
	struct admin_reload *following;
	char errors[AMOUNT_MAX];

	serve_notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the configuration", clock_mono_us());
	next = generation_load_prepared(s->context->config_file, serve_token_prepare, &token, &problems);
	log_problems(&problems);
	if (!next) {
		verdict.kind = ADMIN_RELOAD_WRONG;
		err_set(&e, -EINVAL, "%s", amount_of(errors, (long long)problems.errors, "error"));
	} else if (generation_may_follow(s->generation, next, &e) < 0) {
		verdict.kind = ADMIN_RELOAD_RESTART;
		generation_unref(next);
	} else {
		verdict.kind = ADMIN_RELOAD_TAKEN;
		verdict.error = NULL;
		apply_log_settings(next);
		serve_token_log(&token, next->config);
		use_generation(s, next);
		log_notice(NULL, "the configuration was read anew (generation %" PRIu64 ")", next->number);
	}
	if (verdict.error)
		log_error(NULL, "the configuration was not taken: %s; the former one stays", e.text);
	metrics_add(METRIC_CONFIG_RELOADS, verdict.error ? "failed" : "good", NULL, NULL, 1);
	notify_status(s, "READY=1\n");
	verdict.generation = s->generation->number;
	for (; asked; asked = following) {
		following = (struct admin_reload *)(void *)asked->message.next;
		admin_reload_answer(asked, &verdict);
	}
	problems_done(&problems);
}

static bool secret_differs(const struct secret *secret, const struct secrets *a, const struct secrets *b)
{
	size_t a_n, b_n;
	const char *const *a_values = secret_values(a, secret, &a_n);
	const char *const *b_values = secret_values(b, secret, &b_n);

	if (a_n != b_n)
		return true;
	for (size_t i = 0; i < a_n; i++)
		if (strcmp(a_values[i], b_values[i]) != 0)
			return true;
	return false;
}

/* Reads the secret files again, and takes changed secrets. */
static void refresh_secrets(struct serve *s)
{
	struct problems problems = {0};
	struct generation *next = generation_refresh(s->generation, &problems);
	const struct config *c = s->generation->config; /* both generations share it */
	struct generation *former;

	log_problems(&problems);
	problems_done(&problems);
	if (!next) {
		if (serve_watch_is_stale(s->watch))
			watch_secrets(s);
		return;
	}
	/* Logged only after the change: a reader of the line may use the new secret at once. */
	former = generation_ref(s->generation);
	use_generation(s, next);
	for (size_t i = 0; i < c->secrets_n; i++)
		if (secret_differs(c->secrets[i], former->secrets, next->secrets))
			log_notice(NULL, "a secret changed: %s", secret_where(c->secrets[i]));
	generation_unref(former);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Returns false if the daemon is to stop. */
static bool take_signals(struct serve *s)
{
	bool hup;
	int stop;

	serve_signals_take(s->signals, &hup, &stop);
	if (stop != 0)
		log_notice(NULL, "stopping: %s", strsignal(stop));
	else if (hup)
		reload(s, NULL);
	return stop == 0;
}

/* Pings systemd only after both the pipeline and the courier have answered the last ping: if one of them hangs,
 * systemd restarts the daemon. */
static void feed_watchdog(struct serve *s)
{
	drain_timer(s->watchdog);
	if (!pipeline_alive(s->pipeline, s->token))
		return;
	serve_notify_alive();
	pipeline_ping(s->pipeline, ++s->token);
}

/* The descriptors that the main thread waits for. */
enum {
	ON_SIGNAL,
	ON_SECRETS,
	ON_COALESCE,
	ON_WATCHDOG,
	ON_CLOCK,
	ON_STORE,
	ON_RELOAD,
	ON_NEWS,
	ON_MAX_
};

static void loop(struct serve *s)
{
	struct admin_reload *asked;

	for (;;) {
		struct pollfd fds[ON_MAX_] = {
			[ON_SIGNAL] = {.fd = serve_signals_fd(s->signals), .events = POLLIN},
			[ON_SECRETS] = {.fd = serve_watch_fd(s->watch), .events = POLLIN},
			[ON_COALESCE] = {.fd = s->coalesce, .events = POLLIN},
			[ON_WATCHDOG] = {.fd = s->watchdog, .events = POLLIN},
			[ON_CLOCK] = {.fd = s->clock, .events = POLLIN},
			[ON_STORE] = {.fd = s->store, .events = POLLIN},
			[ON_RELOAD] = {.fd = serve_reloads_fd(s->reloads), .events = POLLIN},
			[ON_NEWS] = {.fd = pipeline_news_fd(s->pipeline), .events = POLLIN},
		};

		if (poll(fds, ON_MAX_, -1) < 0) {
			INSIST(errno == EINTR);
			continue;
		}
		if (fds[ON_WATCHDOG].revents)
			feed_watchdog(s);
		if (fds[ON_CLOCK].revents) {
			drain_timer(s->clock);
			clock_watch(s->clock);
			pipeline_recheck(s->pipeline);
		}
		if (fds[ON_STORE].revents) {
			serve_store_read(s->store);
			pipeline_recheck(s->pipeline);
		}
		if (fds[ON_SECRETS].revents && serve_watch_read(s->watch))
			read_secrets_soon(s);
		if (fds[ON_COALESCE].revents) {
			drain_timer(s->coalesce);
			refresh_secrets(s);
		}
		if (fds[ON_RELOAD].revents && (asked = serve_reloads_take(s->reloads)))
			reload(s, asked);
		if (fds[ON_NEWS].revents) {
			pipeline_read_news(s->pipeline);
			notify_status(s, "");
		}
		if (fds[ON_SIGNAL].revents && !take_signals(s))
			return;
	}
}

/* As load_generation(), but the problems go through the log's writer, so that this thread does not wait for their
 * reader. */
static struct generation *load(const struct command_context *ctx, struct serve_token *token)
{
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(mem_freep) char *masked = NULL;
	struct problems problems = {0};
	struct generation *g = generation_load_prepared(ctx->config_file, serve_token_prepare, token, &problems);
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	INSIST(to);
	problems_print(&problems, to);
	load_note(ctx, g != NULL, to);
	INSIST(fclose(to) == 0);
	masked = mask_text(text);
	log_out_text(masked, strlen(masked));
	problems_done(&problems);
	return g;
}

static int serve(struct serve *s)
{
	struct serve_token token = {0};
	struct err e = {0};
	int r;

	s->generation = load(s->context, &token);
	if (!s->generation)
		return COMMAND_CONFIG;
	apply_log_settings(s->generation);
	serve_files_allow(s->generation->config->listen.max_connections);
	generation_make_current(generation_ref(s->generation));
	r = start(s, &e);
	if (r < 0) { /* only the reason is logged, not the token's state */
		log_error(NULL, "deskbridge cannot start: %s", e.text);
	} else {
		serve_token_log(&token, s->generation->config);
		log_info(NULL, "deskbridge %s: listening on %s", PACKAGE_VERSION, intake_address(s->intake));
		log_info(NULL, "admin on %s", admin_address(s->admin));
		notify_status(s, "READY=1\n");
		if (s->watchdog >= 0)
			pipeline_ping(s->pipeline, ++s->token);
		loop(s);
		serve_notify("STOPPING=1\nSTATUS=stopping");
	}
	stop(s);
	generation_make_current(NULL);
	if (r == 0)
		log_info(NULL, "stopped");
	return r < 0 ? COMMAND_FAILED : COMMAND_GOOD;
}

static int run(const struct command_context *ctx, int argc, char **argv)
{
	static const struct option_spec none[] = {{NULL}};
	struct serve s = {.context = ctx, .coalesce = -1, .watchdog = -1, .clock = -1, .store = -1};
	size_t words;
	int r = options_parse(&command_serve, none, argc, argv, NULL, 0, &words);

	if (r != OPTIONS_GO)
		return r;
	log_out_start(log_dropped);
	serve_notify_start();
	r = serve(&s);
	serve_notify_stop();
	log_out_stop();
	/* Last: the signal thread ends the process where the steps before take too long. */
	serve_signals_stop(s.signals);
	return r;
}

const struct command command_serve = {
	.name = "serve",
	.arguments = "",
	.summary = "run the daemon in the foreground",
	.help = "Takes webhooks, keeps them, sends their events to Klaviyo; logs to stderr or the journal.\n"
		"\n"
		"SIGHUP, like `deskbridge reload`, takes a changed configuration. Where that fails, the former one "
		"stays\n"
		"and the log says why. SIGTERM and SIGINT stop: accepted webhooks are committed and answered,\n"
		"deliveries under way get 5 seconds.\n"
		"Changed secret files are taken at once.\n"
		"\n"
		"Exit status: 0 stopped by a signal, 1 cannot start (address or store), 78 configuration error.\n",
	.run = run,
};

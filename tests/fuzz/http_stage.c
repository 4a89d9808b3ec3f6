/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "http_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/budget.h"
#include "http/exchange.h"
#include "intake/intake.h"
#include "store/store.h"

#define SHOWN_MAX 2000

static const char config_text[] =
	"version: 1\n"
	"listen: {address: \"unix:%s/in\", max_body: 96KiB, max_memory: 1MiB, max_connections: 64, timeout: 30s, "
	"trusted_proxies: [unix, "
	"127.0.0.0/8, \"::1\"]}\n"
	"admin: {address: \"127.0.0.1:0\", token: " ADMIN_TOKEN "}\n"
	"store: \"sqlite:%s/stage.db\"\n"
	"log: {level: info, format: text}\n"
	"klaviyo: {api_key: " API_KEY "}\n"
	"sources:\n"
	"  generic: {preset: generic, authenticate: {secret: " BEARER_SECRET "}}\n"
	"  gladly: {preset: gladly, authenticate: {user: " USER ", password: " BASIC_SECRET "}, keep: all,\n"
	"    lookup: {base_url: \"https://desk.example.com\", user: u, password: lookup-password}}\n"
	"  gorgias: {preset: gorgias, authenticate: {secret: " HEADER_SECRET "}}\n"
	"  groove: {preset: groove, authenticate: {secret: " QUERY_SECRET "},\n"
	"    lookup: {base_url: \"https://desk.example.com\", token: lookup-token}}\n"
	"  missive: {preset: missive, authenticate: {secret: " HMAC_SECRET "}}\n"
	"  helpscout: {preset: helpscout, authenticate: {secret: " HMAC_SECRET "}}\n"
	"  front: {preset: front, authenticate: {secret: " HMAC_SECRET "}}\n"
	"  sealed: {preset: chatwoot, authenticate: {secret: " SEALED_SECRET "}}\n"
	"  open: {definition: {label: Open, authenticate: {method: none}, opened: {/s: open}, closed: {/s: closed},\n"
	"    ping: {/s: ping}, each: /list, conversation: /c, emails: /e}}\n";

static struct {
	char dir[64];
	struct intake *unix_intake, *tcp_intake;
	struct admin *admin;
	int tcp_port, admin_port;
	pthread_t pipeline;
	struct mailbox *mailbox;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t less;
	unsigned connections, exchanges;
	uint64_t arrived;   /* connections, ever */
	unsigned begun;     /* of this script */
	unsigned submitted; /* of this script */
	unsigned answered;  /* of this script, by handlers */
	bool not_ready;
	struct http_server *servers[3];
	unsigned servers_n;
	struct budget *budgets[3]; /* of bodies' memory */
	unsigned budgets_n;
	uint64_t dialled;             /* connections that the client opened */
	const struct script *playing; /* NULL between scripts */
} stage = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void show(const char *what, const char *bytes, size_t n)
{
	fprintf(stderr, "%s %zu bytes:\n", what, n);
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		if (bytes[i] == '\n' || (bytes[i] >= ' ' && bytes[i] <= '~'))
			fputc(bytes[i], stderr);
		else if (bytes[i] != '\r')
			fprintf(stderr, "\\x%02x", (unsigned char)bytes[i]);
	}
	fprintf(stderr, n > SHOWN_MAX ? "…\n" : "\n");
}

void stage_fail(const char *condition, int line)
{
	size_t len;
	const char *heard = client_heard(&len);

	fprintf(stderr, "does not hold: %s (line %d)\n", condition, line);
	if (stage.playing) {
		show("sent", stage.playing->bytes, stage.playing->len);
		show("heard", heard, len);
	}
	abort();
}

static void stage_lock(void)
{
	HOLDS(pthread_mutex_lock(&stage.lock) == 0);
}

static void stage_unlock(void)
{
	HOLDS(pthread_mutex_unlock(&stage.lock) == 0);
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */

/* Answers a submission. The conversation's id says how. */
static void answer_submission(struct submission *s)
{
	stage_lock();
	HOLDS(stage.playing);
	stage.submitted += (unsigned)s->n;
	for (size_t i = 0; i < s->n; i++) {
		struct submission_item *item = &s->items[i];
		const struct webhook *w = &item->parsed->webhook;
		const char *name = w->conversation ? w->conversation : "";

		HOLDS(script_proves(stage.playing, w) && script_has_body(stage.playing, w));
		item->id = 1 + (int64_t)i;
		item->result = item->store_as_ignored ? SUBMISSION_IGNORED : SUBMISSION_ACCEPTED;
		if (strstr(name, "seen"))
			item->result = SUBMISSION_DUPLICATE;
		s->refused |= strstr(name, "full") != NULL;
		/* The real pipeline takes the parsed webhook where a pass follows. */
		if (item->result == SUBMISSION_ACCEPTED && !item->dead_reason)
			parsed_webhook_free(TAKE(item->parsed));
	}
	stage_unlock();
	s->answered(s);
}

#define MESSAGE_STOP 1

static void *pipeline_run(void *arg)
{
	bool stop = false;
	struct message *message;
	struct message *next;

	(void)arg;
	while (!stop) {
		mailbox_wait(stage.mailbox, CLOCK_NEVER_MS);
		for (message = mailbox_take(stage.mailbox); message; message = next) {
			next = message->next;
			stop |= message->kind == MESSAGE_STOP;
			if (message->kind != MESSAGE_STOP)
				answer_submission((struct submission *)(void *)message);
		}
	}
	return NULL;
}

void pipeline_submit(struct pipeline *p, struct submission *s)
{
	(void)p;
	s->message.kind = 0;
	mailbox_post(stage.mailbox, &s->message);
}

/* Always true, as trees take the most memory. */
bool pipeline_caches_parsed(const struct pipeline *p)
{
	(void)p;
	return true;
}

bool pipeline_is_ready(const struct pipeline *p)
{
	bool ready;

	(void)p;
	stage_lock();
	ready = !stage.not_ready;
	stage_unlock();
	return ready;
}

bool pipeline_readiness(struct pipeline *p, struct err *ret)
{
	if (pipeline_is_ready(p))
		return true;
	(void)err_set(ret, -ENOSPC, "the disk is full");
	return false;
}

void pipeline_parked(struct pipeline *p, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx)
{
	(void)p;
	fn(ctx, "account", "default", "paused for the stage");
}

static void refuse_reload(void *ctx, struct admin_reload *asked)
{
	(void)ctx;
	admin_reload_answer(asked, &(struct admin_verdict){.kind = ADMIN_RELOAD_STOPPING,
							   .config = "stage.yaml",
							   .generation = 1,
							   .error = "the daemon stops"});
}

/* ---- what is counted --------------------------------------------------------------------------------------------- */
/*
 * The linker puts these functions before those of the server (module.am).
 */

struct handlers {
	struct http_handler real;
	bool admin;
};

static int on_begin(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	stage_lock();
	stage.exchanges++;
	stage.begun++;
	HOLDS(stage.playing && x->method && x->path && x->query);
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->method));
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->path));
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->query));
	stage_unlock();
	return h->real.begin(h->real.ctx, x);
}

static int on_reserve(void *ctx, struct http_exchange *x, size_t bytes)
{
	struct handlers *h = ctx;

	return h->real.reserve ? h->real.reserve(h->real.ctx, x, bytes) : 0;
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	HOLDS(x->body && x->body[x->body_len] == '\0');
	h->real.complete(h->real.ctx, x);
}

static void on_woken(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	h->real.woken(h->real.ctx, x);
}

static void on_turned_away(void *ctx, enum http_drop_reason why, const char *peer)
{
	struct handlers *h = ctx;

	if (h->real.dropped)
		h->real.dropped(h->real.ctx, why, peer);
}

static void on_done(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	if (h->real.done)
		h->real.done(h->real.ctx, x);
	stage_lock();
	HOLDS(stage.exchanges > 0);
	stage.exchanges--;
	(void)pthread_cond_broadcast(&stage.less);
	stage_unlock();
}

int __real_http_server_start(const struct http_server_options *o, const struct http_handler *h,
			     struct http_server **ret, struct err *reterr);
int __wrap_http_server_start(const struct http_server_options *o, const struct http_handler *h,
			     struct http_server **ret, struct err *reterr);
int __wrap_http_server_start(const struct http_server_options *o, const struct http_handler *h,
			     struct http_server **ret, struct err *reterr)
{
	static struct handlers handlers[3];
	struct handlers *mine = &handlers[stage.servers_n];
	const struct http_handler counting = {.begin = on_begin,
					      .reserve = on_reserve,
					      .complete = on_complete,
					      .woken = on_woken,
					      .done = on_done,
					      .ctx = mine,
					      .user_bytes = h->user_bytes,
					      .dropped = on_turned_away};
	int r;

	HOLDS(stage.servers_n < 3);
	mine->real = *h;
	r = __real_http_server_start(o, &counting, ret, reterr);
	if (r == 0)
		stage.servers[stage.servers_n++] = *ret;
	return r;
}

struct budget *__real_budget_new(size_t max_bytes);
struct budget *__wrap_budget_new(size_t max_bytes);
struct budget *__wrap_budget_new(size_t max_bytes)
{
	struct budget *b = __real_budget_new(max_bytes);

	HOLDS(stage.budgets_n < 3);
	stage.budgets[stage.budgets_n++] = b;
	return b;
}

/* True where the budget is unused: its whole size can be reserved. */
static bool is_free(struct budget *b)
{
	struct reservation all = {0};
	bool is;

	reservation_init(&all, b, NULL);
	is = reservation_resize(&all, reservation_max(&all));
	reservation_release(&all);
	return is;
}

void __real_http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode toe);
void __wrap_http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode toe);
void __wrap_http_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode toe)
{
	__real_http_on_connection(cls, connection, socket_context, toe);
	stage_lock();
	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		stage.connections++;
		stage.arrived++;
	} else {
		stage.connections--;
	}
	(void)pthread_cond_broadcast(&stage.less);
	stage_unlock();
}

/* True where "HOST" or "HOST:PORT" is this machine, by other code than the server's. */
static bool is_this_machine(const char *host)
{
	static const unsigned char loopback[16] = {[15] = 1};
	size_t len = strlen(host);
	size_t port = len;
	char name[64];
	unsigned char bytes[16];

	while (port > 0 && host[port - 1] >= '0' && host[port - 1] <= '9')
		port--;
	if (port > 1 && host[port - 1] == ':' && (host[port - 2] == ']' || !memchr(host, ':', port - 1)))
		len = port - 1;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (inet_pton(AF_INET, name, bytes) == 1)
		return bytes[0] == 127;
	if (inet_pton(AF_INET6, name, bytes) == 1)
		return memcmp(bytes, loopback, 16) == 0 ||
		       (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0 && bytes[12] == 127);
	return strcasecmp(name, "localhost") == 0;
}

/* Checks that the API may answer: the request has the token and is not from a page of another machine. The host of an
 * absolute target counts before Host. */
static void check_api_answer(struct http_exchange *x)
{
	const char *host = http_header(x, "Host");
	const char *origin = http_header(x, "Origin");

	HOLDS(script_sends(stage.playing, ADMIN_TOKEN));
	if (host && !script_sends_in_any_case(stage.playing, " http"))
		HOLDS(is_this_machine(host));
	if (origin)
		HOLDS(strstr(origin, "://") && is_this_machine(strstr(origin, "://") + 3));
}

void __real_http_answer(struct http_exchange *x, const struct http_answer *a);
void __wrap_http_answer(struct http_exchange *x, const struct http_answer *a);
void __wrap_http_answer(struct http_exchange *x, const struct http_answer *a)
{
	if (a->status == 200 && strncmp(x->path, "/api", 4) == 0)
		check_api_answer(x);
	stage_lock();
	stage.answered++;
	stage_unlock();
	__real_http_answer(x, a);
}

void __real_http_resume(struct http_exchange *x, const struct http_answer *a);
void __wrap_http_resume(struct http_exchange *x, const struct http_answer *a);
void __wrap_http_resume(struct http_exchange *x, const struct http_answer *a)
{
	stage_lock();
	stage.answered++;
	stage_unlock();
	__real_http_resume(x, a);
}

/* Checks the lines of the log: no control characters and no secret. */
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	const unsigned char *text = bytes;

	if (fd != STDERR_FILENO)
		return __real_write(fd, bytes, n);
	HOLDS(n > 0 && text[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++)
		HOLDS(text[i] >= ' ' && text[i] != 0x7f);
	HOLDS(!secret_in(bytes, n));
	return (ssize_t)n;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static struct http_sockets listening(int *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	HOLDS(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 64) == 0);
	HOLDS(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	*ret_port = ntohs(at.sin_port);
	return (struct http_sockets){.fds = {fd}, .n = 1};
}

static struct generation *configured(void)
{
	CLEANUP(mem_freep) char *file = mem_fmt("%s/stage.yaml", stage.dir);
	struct problems problems = {0};
	FILE *to = fopen(file, "we");
	struct generation *g;

	HOLDS(to && fprintf(to, config_text, stage.dir, stage.dir) > 0 && fclose(to) == 0);
	HOLDS(chmod(file, 0600) == 0);
	g = generation_load(file, &problems);
	if (!g)
		problems_print(&problems, stderr);
	HOLDS(g);
	problems_done(&problems);
	return g;
}

/* Creates the store, which the API reads. */
static void make_store(const struct config *c)
{
	const struct store_options options = {.path = c->store.path, .max_size = c->store.max_size};
	struct err e = {0};
	struct store *store;

	if (store_open(&options, STORE_WRITE, &store, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
	store_close(store);
}

#define MUST(call)                                          \
	do {                                                \
		struct err err_ = {0};                      \
		struct err *err = &err_;                    \
		if ((call) < 0) {                           \
			fprintf(stderr, "%s\n", err_.text); \
			abort();                            \
		}                                           \
	} while (0)

void stage_start(void)
{
	const struct admin_reloader reloader = {.ask = refuse_reload};
	struct http_sockets tcp, admin;
	pthread_condattr_t attr;
	struct generation *g;

	(void)signal(SIGPIPE, SIG_IGN);
	HOLDS(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	HOLDS(pthread_cond_init(&stage.less, &attr) == 0 && pthread_condattr_destroy(&attr) == 0);
	strcpy(stage.dir, "/tmp/deskbridge-fuzz-XXXXXX");
	HOLDS(mkdtemp(stage.dir));
	g = configured();
	log_setup(g->config->log.format, g->config->log.level, g->config->log.personal_data);
	make_store(g->config);
	stage.mailbox = mailbox_new();
	thread_start(&stage.pipeline, "stage", pipeline_run, NULL);
	generation_make_current(generation_ref(g));
	MUST(intake_start(NULL, g->config, &(struct http_sockets){0}, &stage.unix_intake, err));
	tcp = listening(&stage.tcp_port);
	MUST(intake_start(NULL, g->config, &tcp, &stage.tcp_intake, err));
	admin = listening(&stage.admin_port);
	MUST(admin_start(NULL, g->config, &admin, &reloader, &stage.admin, err));
	generation_unref(g);
}

void stage_stop(void)
{
	struct message stop = {.kind = MESSAGE_STOP};
	CLEANUP(mem_freep) char *command = mem_fmt("rm -rf %s", stage.dir);

	intake_quiesce(stage.unix_intake);
	intake_quiesce(stage.tcp_intake);
	mailbox_post(stage.mailbox, &stop);
	thread_join(stage.pipeline);
	intake_stop(stage.unix_intake);
	intake_stop(stage.tcp_intake);
	admin_stop(stage.admin);
	mailbox_free(stage.mailbox);
	generation_make_current(NULL);
	HOLDS(system(command) == 0);
}

/* ---- playing ----------------------------------------------------------------------------------------------------- */

static bool is_busy(void)
{
	bool busy;

	stage_lock();
	busy = stage.exchanges > 0;
	stage_unlock();
	return busy;
}

/* Waits until nothing of the connection is left in the server. */
static void wait_until_forgotten(void)
{
	struct timespec until;

	HOLDS(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_sec += CLIENT_END_MS / 1000;
	stage_lock();
	while (stage.arrived < stage.dialled || stage.connections > 0 || stage.exchanges > 0)
		HOLDS(pthread_cond_timedwait(&stage.less, &stage.lock, &until) == 0 &&
		      "the server forgets the connection");
	stage_unlock();
	for (unsigned i = 0; i < stage.servers_n; i++)
		HOLDS(http_server_suspended(stage.servers[i]) == 0);
	for (unsigned i = 0; i < stage.budgets_n; i++)
		HOLDS(is_free(stage.budgets[i]));
}

struct played stage_play(const struct script *s)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/in", stage.dir);
	const bool admin = s->flags & STAGE_ADMIN;
	const bool tcp = s->flags & STAGE_TCP;
	const struct target at = {.port = admin ? stage.admin_port
					  : tcp ? stage.tcp_port
						: 0,
				  .path = path,
				  .is_busy = is_busy};
	struct played played = {0};
	const char *heard;
	size_t len;

	stage_lock();
	stage.playing = s;
	stage.begun = stage.submitted = stage.answered = 0;
	stage.not_ready = (s->flags & STAGE_NOT_READY) != 0;
	stage.dialled++;
	stage_unlock();
	client_play(s, &at);
	wait_until_forgotten();
	stage_lock();
	played.submitted = stage.submitted;
	client_check(s, &played);
	/* Each request has one answer, and malformed input one of the library. */
	HOLDS(played.answers <= stage.begun + 1);
	/* A client that has only shut its sending side gets the handlers' answers. */
	HOLDS(played.is_cut_off || played.answers >= stage.answered);
	heard = client_heard(&len);
	HOLDS(stage.submitted > 0 || !holds_word(heard, len, "{\"status\":\"accepted\""));
	stage.playing = NULL;
	stage_unlock();
	return played;
}

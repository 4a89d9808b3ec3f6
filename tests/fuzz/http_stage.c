#include <config.h>

#include "http_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/budget.h"
#include "http/exchange.h"
#include "intake/intake.h"
#include "store/store.h"

#define BYTES_MAX (192 * 1024) /* of a script */
#define REPEATED_MAX 64        /* bytes of a repeated text */
#define ANSWERS_MAX (4 * 1024 * 1024)
#define END_MS 30000   /* the server must have ended a connection by then */
#define YIELDS_MAX 500 /* that a client waits for a server that has nothing to do */
#define SHOWN_MAX 2000
#define NEXT_REQUEST 0xFD
#define WAIT_HERE 0xFE

#define USER "deskbridge"
#define BEARER_SECRET "b3arer-pr00f-of-generic"
#define BASIC_SECRET "gl4dly-pr00f1"
#define HEADER_SECRET "g0rgias-pr00f-of-a-header"
#define QUERY_SECRET "gr00ve-pr00f-of-a-query"
#define HMAC_SECRET "s1gned-pr00f-of-a-body"
#define SEALED_SECRET "n0body-ever-signs-with-this"
#define ADMIN_TOKEN "4dmin-t0ken-of-the-stage"
#define API_KEY "pk_k1aviyo-key-of-the-stage"

static const char *const secrets[] = {BEARER_SECRET, BASIC_SECRET,  HEADER_SECRET, QUERY_SECRET,
				      HMAC_SECRET,   SEALED_SECRET, ADMIN_TOKEN,   API_KEY};
#define SECRETS_N (sizeof(secrets) / sizeof(*secrets))

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

/* What the client must have sent before a source's webhook may come in. */
enum needed {
	NEEDED_NOTHING,
	NEEDED_WORD,
	NEEDED_HMAC256,
	NEEDED_HMAC1,
	NEEDED_NEVER,
};
static struct {
	const char *source;
	enum needed needed;
	const char *word;
} proofs[] = {
	{"generic", NEEDED_WORD, BEARER_SECRET},
	{"gladly", NEEDED_WORD, NULL}, /* base64, made at start */
	{"gorgias", NEEDED_WORD, HEADER_SECRET},
	{"groove", NEEDED_WORD, QUERY_SECRET},
	{"missive", NEEDED_HMAC256},
	{"helpscout", NEEDED_HMAC1},
	{"front", NEEDED_HMAC1},
	{"sealed", NEEDED_NEVER},
	{"open", NEEDED_NOTHING},
};
#define PROOFS_N (sizeof(proofs) / sizeof(*proofs))

static struct {
	char dir[64];
	char *basic; /* base64 of user and password */
	struct intake *unix_intake, *tcp_intake;
	struct admin *admin;
	int tcp_port, admin_port;
	pthread_t pipeline;
	struct mailbox *mails;

	pthread_mutex_t lock; /* over all below */
	pthread_cond_t less;
	unsigned connections, exchanges;
	uint64_t arrived;   /* connections, ever */
	unsigned begun;     /* of this script */
	unsigned submitted; /* of this script */
	bool not_ready;
	struct http_server *servers[3];
	unsigned servers_n;
	struct budget *budgets[3]; /* of bodies' memory */
	unsigned budgets_n;
	uint64_t dialled;             /* the client's own */
	const struct script *playing; /* NULL between scripts */
	char *decoded;                /* its bytes, percent-decoded */
} stage = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the client was answered. */
static char heard[ANSWERS_MAX];
static size_t heard_len;

#define HOLDS(condition)                            \
	do {                                        \
		if (!(condition))                   \
			fail(#condition, __LINE__); \
	} while (0)

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

static __attribute__((noreturn)) void fail(const char *condition, int line)
{
	fprintf(stderr, "does not hold: %s (line %d)\n", condition, line);
	if (stage.playing) {
		show("sent", stage.playing->bytes, stage.playing->len);
		show("heard", heard, heard_len);
	}
	abort();
}

static void hold(void)
{
	HOLDS(pthread_mutex_lock(&stage.lock) == 0);
}

static void release(void)
{
	HOLDS(pthread_mutex_unlock(&stage.lock) == 0);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

static void add(struct script *s, const void *bytes, size_t n)
{
	if (n > BYTES_MAX - s->len)
		n = BYTES_MAX - s->len;
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

/* "{N*text}" at the beginning of at: how long it is, 0: it is none. */
static size_t repeat(struct script *s, const char *at, size_t size)
{
	size_t i = 1, times = 0, start;
	const char *end;

	if (size < 5 || at[0] != '{')
		return 0;
	for (; i < size && i < 7 && at[i] >= '0' && at[i] <= '9'; i++)
		times = 10 * times + (size_t)(at[i] - '0');
	if (i == 1 || i >= size || at[i] != '*')
		return 0;
	start = i + 1;
	end = memchr(at + start, '}', size - start < REPEATED_MAX ? size - start : REPEATED_MAX);
	if (!end)
		return 0;
	for (size_t n = (size_t)(end - at) - start; times > 0 && n > 0 && s->len < BYTES_MAX; times--)
		add(s, at + start, n);
	return (size_t)(end - at) + 1;
}

static void hmac(enum digest_algorithm a, const char *body, size_t len, unsigned char out[DIGEST_BYTES_MAX])
{
	struct digest_hmac *h = digest_hmac_new(a, HMAC_SECRET, strlen(HMAC_SECRET));

	digest_hmac_add(h, body, len);
	digest_hmac_end(h, out);
}

static char *hmac_text(enum digest_algorithm a, const char *body, size_t len)
{
	unsigned char bytes[DIGEST_BYTES_MAX];
	char hex[2 * DIGEST_BYTES_MAX + 1];

	hmac(a, body, len, bytes);
	if (a == DIGEST_SHA1)
		return digest_base64(bytes, digest_bytes(a));
	digest_hex(bytes, digest_bytes(a), hex);
	return mem_str(hex);
}

/* Where its body begins. */
static size_t head_end(const char *request, size_t len)
{
	const char *end = memmem(request, len, "\r\n\r\n", 4);

	if (end)
		return (size_t)(end - request) + 4;
	end = memmem(request, len, "\n\n", 2);
	return end ? (size_t)(end - request) + 2 : len;
}

/* One request: what stands for its body's length and signature is put in. */
static void add_request(struct script *s, const char *request, size_t len)
{
	size_t head = head_end(request, len), body_len = 0;
	static char body[BYTES_MAX];

	for (size_t i = head; i < len; i++)
		if ((unsigned char)request[i] != WAIT_HERE)
			body[body_len++] = request[i];
	for (size_t i = 0; i < head;) {
		const char *at = request + i;
		size_t left = head - i, used;
		CLEANUP(mem_freep) char *text = NULL;

		if (left >= 5 && memcmp(at, "{len}", 5) == 0) {
			text = mem_fmt("%zu", body_len);
			used = 5;
		} else if (left >= 9 && memcmp(at, "{hmac256}", 9) == 0) {
			text = hmac_text(DIGEST_SHA256, body, body_len);
			used = 9;
			s->is_signed = true;
		} else if (left >= 7 && memcmp(at, "{hmac1}", 7) == 0) {
			text = hmac_text(DIGEST_SHA1, body, body_len);
			used = 7;
			s->is_signed = true;
		} else {
			used = 1;
		}
		add(s, text ? text : at, text ? strlen(text) : 1);
		i += used;
	}
	add(s, request + head, len - head);
}

/* Takes the marks out. */
static void find_cuts(struct script *s)
{
	size_t to = 0;

	for (size_t i = 0; i < s->len; i++) {
		if ((unsigned char)s->bytes[i] != WAIT_HERE)
			s->bytes[to++] = s->bytes[i];
		else if (s->cuts_n < sizeof(s->cuts) / sizeof(*s->cuts))
			s->cuts[s->cuts_n++] = to;
	}
	s->len = to;
}

void script_make(const uint8_t *input, size_t size, struct script *ret)
{
	static char whole_bytes[BYTES_MAX], all_bytes[BYTES_MAX];
	const char *text = (const char *)input + 1;
	struct script whole = {.bytes = whole_bytes};

	*ret = (struct script){.flags = size > 0 ? input[0] & 31u : 0, .bytes = all_bytes};
	size = size > 0 ? size - 1 : 0;
	for (size_t i = 0; i <= size; i++) {
		size_t used;

		if (i == size || (unsigned char)text[i] == NEXT_REQUEST) {
			add_request(ret, whole.bytes, whole.len);
			whole.len = 0;
			continue;
		}
		used = repeat(&whole, text + i, size - i);
		if (used > 0)
			i += used - 1;
		else
			add(&whole, text + i, 1);
	}
	find_cuts(ret);
	ret->bytes = mem_dup(ret->bytes, ret->len); /* on its own, NUL-terminated */
}

void script_done(struct script *s)
{
	free(s->bytes);
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static char *percent_decoded(const struct script *s)
{
	char *to = mem_new(s->len + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (s->bytes[i] == '%' && i + 2 < s->len && hex_of(s->bytes[i + 1]) >= 0 &&
		    hex_of(s->bytes[i + 2]) >= 0) {
			to[n++] = (char)(hex_of(s->bytes[i + 1]) << 4 | hex_of(s->bytes[i + 2]));
			i += 2;
		} else {
			to[n++] = s->bytes[i];
		}
	}
	return to;
}

static bool holds_word(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

/* As it came, or behind percent signs. decoded: of s, as long as s. */
static bool was_sent(const struct script *s, const char *decoded, const char *word)
{
	return holds_word(s->bytes, s->len, word) || holds_word(decoded, s->len, word);
}

bool script_is_proven(const struct script *s)
{
	CLEANUP(mem_freep) char *decoded = percent_decoded(s);

	if (s->is_signed || was_sent(s, decoded, ADMIN_TOKEN))
		return true;
	for (size_t i = 0; i < PROOFS_N; i++)
		if (proofs[i].needed == NEEDED_WORD && was_sent(s, decoded, proofs[i].word))
			return true;
	return false;
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */

static bool holds_of_any_case(const struct script *s, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= s->len; i++)
		if (strncasecmp(s->bytes + i, word, len) == 0)
			return true;
	return false;
}

/* Hexadecimal digits may be of either case. The last letters of base64 have bits that mean nothing. */
static bool signature_was_sent(const struct script *s, enum digest_algorithm a, const struct webhook *w)
{
	CLEANUP(mem_freep) char *text = hmac_text(a, w->body, w->body_len);

	if (a == DIGEST_SHA1)
		return memmem(s->bytes, s->len, text, strlen(text) - 2) != NULL;
	return holds_of_any_case(s, text);
}

static bool may_come_in(const struct webhook *w)
{
	for (size_t i = 0; i < PROOFS_N; i++) {
		if (strcmp(proofs[i].source, w->source) != 0)
			continue;
		switch (proofs[i].needed) {
		case NEEDED_NOTHING:
			return true;
		case NEEDED_WORD:
			return was_sent(stage.playing, stage.decoded, proofs[i].word);
		case NEEDED_HMAC256:
			return signature_was_sent(stage.playing, DIGEST_SHA256, w);
		case NEEDED_HMAC1:
			return signature_was_sent(stage.playing, DIGEST_SHA1, w);
		case NEEDED_NEVER:
			return false;
		}
	}
	return false;
}

/* A body that came in one piece is what the client sent. A batch's items are written anew. */
static bool is_of_client(const struct webhook *w)
{
	return strcmp(w->source, "open") == 0 || w->body_len == 0 || holds_of_any_case(stage.playing, "chunked") ||
	       memmem(stage.playing->bytes, stage.playing->len, w->body, w->body_len);
}

/* A conversation says what becomes of it. */
static void settle(struct intake_submission *s)
{
	hold();
	HOLDS(stage.playing);
	stage.submitted += (unsigned)s->n;
	for (size_t i = 0; i < s->n; i++) {
		struct intake_item *item = &s->items[i];
		const char *name = item->webhook.conversation ? item->webhook.conversation : "";

		HOLDS(item->kept && may_come_in(&item->webhook) && is_of_client(&item->webhook));
		item->webhook.id = 1 + (int64_t)i;
		item->result = item->ignored ? INTAKE_IGNORED : INTAKE_ACCEPTED;
		if (strstr(name, "seen"))
			item->result = INTAKE_DUPLICATE;
		s->refused |= strstr(name, "full") != NULL;
	}
	release();
	s->answered(s);
}

#define MAIL_STOP 1

static void *pipeline_run(void *arg)
{
	struct mail *mail, *next;
	bool stop = false;

	(void)arg;
	while (!stop) {
		mailbox_wait(stage.mails, CLOCK_NEVER_MS);
		for (mail = mailbox_take(stage.mails); mail; mail = next) {
			next = mail->next;
			stop |= mail->kind == MAIL_STOP;
			if (mail->kind != MAIL_STOP)
				settle((struct intake_submission *)(void *)mail);
		}
	}
	return NULL;
}

void pipeline_submit(struct pipeline *p, struct intake_submission *s)
{
	(void)p;
	s->mail.kind = 0;
	mailbox_post(stage.mails, &s->mail);
}

bool pipeline_is_ready(const struct pipeline *p)
{
	bool ready;

	(void)p;
	hold();
	ready = !stage.not_ready;
	release();
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

/* ---- what is counted ---------------------------------------------------------------------------------------------
 *
 * The linker puts these functions before those of the server (module.am).
 */

struct handlers {
	struct http_handler real;
	bool admin;
};

static int on_begin(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	hold();
	stage.exchanges++;
	stage.begun++;
	HOLDS(stage.playing && x->method && x->path && x->query);
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->method));
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->path));
	HOLDS(holds_word(stage.playing->bytes, stage.playing->len, x->query));
	release();
	return h->real.begin(h->real.ctx, x);
}

static int on_room(void *ctx, struct http_exchange *x, size_t bytes)
{
	struct handlers *h = ctx;

	return h->real.room ? h->real.room(h->real.ctx, x, bytes) : 0;
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	HOLDS(x->body && x->body[x->body_len] == '\0');
	h->real.complete(h->real.ctx, x);
}

static void on_turned_away(void *ctx, enum http_turned_away why, const char *peer)
{
	struct handlers *h = ctx;

	if (h->real.turned_away)
		h->real.turned_away(h->real.ctx, why, peer);
}

static void on_done(void *ctx, struct http_exchange *x)
{
	struct handlers *h = ctx;

	if (h->real.done)
		h->real.done(h->real.ctx, x);
	hold();
	HOLDS(stage.exchanges > 0);
	stage.exchanges--;
	(void)pthread_cond_broadcast(&stage.less);
	release();
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
					      .room = on_room,
					      .complete = on_complete,
					      .done = on_done,
					      .ctx = mine,
					      .turned_away = on_turned_away};
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

/* Nothing of it is taken: all that one may ever have is to be had. */
static bool is_free(struct budget *b)
{
	struct claim all = {0};
	bool is;

	claim_open(&all, b, NULL);
	is = claim_set(&all, claim_most(&all));
	claim_release(&all);
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
	hold();
	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		stage.connections++;
		stage.arrived++;
	} else {
		stage.connections--;
	}
	(void)pthread_cond_broadcast(&stage.less);
	release();
}

/* Of "HOST" and "HOST:PORT", by other means than the server's. */
static bool is_this_machine(const char *host)
{
	char name[64];
	size_t len = strlen(host), port = len;
	unsigned char bytes[16];
	static const unsigned char loopback[16] = {[15] = 1};

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

/* The API answers those who show the token, and no page of another machine. The host in an absolute target would count
 * before Host. */
static void check_api_answer(struct http_exchange *x)
{
	const char *host = http_header(x, "Host"), *origin = http_header(x, "Origin");

	HOLDS(was_sent(stage.playing, stage.decoded, ADMIN_TOKEN));
	if (host && !holds_of_any_case(stage.playing, " http"))
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
	__real_http_answer(x, a);
}

/* The log. */
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
	for (size_t i = 0; i < SECRETS_N; i++)
		HOLDS(!holds_word(bytes, n, secrets[i]));
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
	struct generation *g;
	FILE *to = fopen(file, "we");

	HOLDS(to && fprintf(to, config_text, stage.dir, stage.dir) > 0 && fclose(to) == 0);
	HOLDS(chmod(file, 0600) == 0);
	g = generation_load(file, &problems);
	if (!g)
		problems_print(&problems, stderr);
	HOLDS(g);
	problems_done(&problems);
	return g;
}

/* The API reads it. */
static void make_store(const struct config *c)
{
	const struct store_options options = {.path = c->store.path, .max_size = c->store.max_size};
	struct store *store;
	struct err e = {0};

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
	CLEANUP(mem_freep) char *pair = mem_fmt("%s:%s", USER, BASIC_SECRET);
	struct http_sockets tcp, admin;
	pthread_condattr_t attr;
	struct generation *g;

	(void)signal(SIGPIPE, SIG_IGN);
	HOLDS(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	HOLDS(pthread_cond_init(&stage.less, &attr) == 0 && pthread_condattr_destroy(&attr) == 0);
	stage.basic = digest_base64(pair, strlen(pair));
	proofs[1].word = stage.basic;
	strcpy(stage.dir, "/tmp/deskbridge-fuzz-XXXXXX");
	HOLDS(mkdtemp(stage.dir));
	g = configured();
	log_setup(g->config->log.format, g->config->log.level, g->config->log.personal_data);
	make_store(g->config);
	stage.mails = mailbox_new();
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
	struct mail stop = {.kind = MAIL_STOP};
	CLEANUP(mem_freep) char *command = mem_fmt("rm -rf %s", stage.dir);

	intake_quiesce(stage.unix_intake);
	intake_quiesce(stage.tcp_intake);
	mailbox_post(stage.mails, &stop);
	thread_join(stage.pipeline);
	intake_stop(stage.unix_intake);
	intake_stop(stage.tcp_intake);
	admin_stop(stage.admin);
	mailbox_free(stage.mails);
	generation_make_current(NULL);
	free(stage.basic);
	HOLDS(system(command) == 0);
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

struct client_side {
	int fd;
	bool ended; /* nothing more comes */
	bool reset; /* … because the server had not read all */
};

static int dial(const struct script *s)
{
	const struct linger at_once = {.l_onoff = 1}; /* no port waits for its next use */
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const int on = 1;
	int fd;

	if (s->flags & (STAGE_ADMIN | STAGE_TCP)) {
		in.sin_port = htons((uint16_t)(s->flags & STAGE_ADMIN ? stage.admin_port : stage.tcp_port));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0);
		HOLDS(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
		HOLDS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	} else {
		(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/in", stage.dir);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		HOLDS(fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	}
	HOLDS(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return fd;
}

/* All that is there now. */
static void hear(struct client_side *c)
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

/* Reads meanwhile, so that neither side waits for the other. A server that has closed ends it. */
static void say(struct client_side *c, const char *bytes, size_t n)
{
	const int64_t until = clock_mono_ms() + END_MS;

	while (n > 0 && !c->ended) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLOUT};

			HOLDS(clock_mono_ms() < until);
			(void)poll(&p, 1, END_MS);
		} else { /* what was answered before is still there to be read */
			hear(c);
			c->ended = c->reset = true;
		}
		hear(c);
	}
}

static bool is_busy(void)
{
	bool busy;

	hold();
	busy = stage.exchanges > 0;
	release();
	return busy;
}

/* Until the server has read all that was sent, and has answered where it is asked for that. A body that lacks its end
 * keeps it busy: the patience has an end. */
static void wait_until_read(struct client_side *c, bool answered)
{
	for (int i = 0; i < YIELDS_MAX && !c->ended; i++) {
		int unread = 0;

		if (ioctl(c->fd, SIOCOUTQ, &unread) == 0 && unread == 0 && !(answered && is_busy()) && i > 3)
			break;
		(void)sched_yield();
		hear(c);
	}
}

static void wait_for_end(struct client_side *c)
{
	const int64_t until = clock_mono_ms() + END_MS;

	hear(c);
	while (!c->ended) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};

		HOLDS(clock_mono_ms() < until && "the server ends the connection");
		(void)poll(&p, 1, END_MS);
		hear(c);
	}
}

/* Nothing of it is left in the server. */
static void wait_until_forgotten(void)
{
	struct timespec until;

	HOLDS(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_sec += END_MS / 1000;
	hold();
	while (stage.arrived < stage.dialled || stage.connections > 0 || stage.exchanges > 0)
		HOLDS(pthread_cond_timedwait(&stage.less, &stage.lock, &until) == 0 &&
		      "the server forgets the connection");
	release();
	for (unsigned i = 0; i < stage.servers_n; i++)
		HOLDS(http_server_suspended(stage.servers[i]) == 0);
	for (unsigned i = 0; i < stage.budgets_n; i++)
		HOLDS(is_free(stage.budgets[i]));
}

static void play(const struct script *s, struct client_side *c)
{
	size_t from = 0;

	for (size_t i = 0; i < s->cuts_n; i++) {
		say(c, s->bytes + from, s->cuts[i] - from);
		from = s->cuts[i];
		wait_until_read(c, false);
	}
	say(c, s->bytes + from, s->len - from);
	if (s->flags & STAGE_GONE)
		return;
	if (s->flags & STAGE_OPEN) {
		wait_until_read(c, true);
		return;
	}
	(void)shutdown(c->fd, SHUT_WR);
	wait_for_end(c);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/*
 * DESIGN section 6, and 100. 414, 501 and 505 are libmicrohttpd's, for broken HTTP. So is 500 in 0.9.75, for a chunk's
 * extension that fills its memory: nothing of ours is asked.
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

/* A line without its end; NULL: there is no whole line. */
static const char *line_of(const char **at, const char *end, size_t *ret_len)
{
	const char *line = *at, *nl = memmem(line, (size_t)(end - line), "\r\n", 2);

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

/* false: it is cut off. */
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

/* libmicrohttpd 0.9.75 sends the head of its own errors about headers twice. The status is right, and it closes. */
static void skip_second_head(const char **at, const char *end, struct answer_head *head, bool admin)
{
	struct answer_head again;
	const char *first = *at;

	if (!head->closes || head->status < 400 || *at == end || !begins_answer(*at, end))
		return;
	if (!read_head(at, end, admin, &again) || again.status != head->status || again.length != head->length)
		*at = first;
}

/* An answer to HEAD has no body, whatever its length says. */
static void check_answers(const struct script *s, const struct client_side *c, struct played *played)
{
	const char *at = heard, *end = heard + heard_len;
	bool cut_off = c->reset || (s->flags & (STAGE_GONE | STAGE_OPEN));
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
		/* Of intake every 4xx closes. */
		if (head.closes || (head.status / 100 == 4 && !(s->flags & STAGE_ADMIN)))
			HOLDS(at == end);
	}
}

/* A challenge echoes what the client sent. */
static void check_secrets(void)
{
	for (size_t i = 0; i < SECRETS_N; i++)
		HOLDS(!holds_word(heard, heard_len, secrets[i]) || holds_word(heard, heard_len, "\"challenge\""));
}

struct played stage_play(const struct script *s)
{
	struct client_side c = {0};
	struct played played = {0};

	hold();
	stage.playing = s;
	stage.decoded = percent_decoded(s);
	stage.begun = stage.submitted = 0;
	heard_len = 0;
	stage.not_ready = (s->flags & STAGE_NOT_READY) != 0;
	release();
	c.fd = dial(s);
	stage.dialled++;
	play(s, &c);
	HOLDS(close(c.fd) == 0);
	wait_until_forgotten();
	hold();
	played.submitted = stage.submitted;
	check_answers(s, &c, &played);
	/* One answer for each request, and one of the library's for what is no request. */
	HOLDS(played.answers <= stage.begun + 1);
	check_secrets();
	HOLDS(stage.submitted > 0 || !holds_word(heard, heard_len, "{\"status\":\"accepted\""));
	stage.playing = NULL;
	free(stage.decoded);
	release();
	return played;
}

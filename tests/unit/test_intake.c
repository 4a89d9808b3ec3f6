/*
 * The listener against a pipeline that only remembers what it was handed: it takes the real one's place when the test
 * is linked. What needs the whole daemon is tested in tests/e2e.
 */
#include <config.h>

#include "intake/intake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "intake/keep.h"
#include "intake/passage.h"
#include "intake/peer.h"

/* ---- the pipeline -------------------------------------------------------------------------------------------------
 */

static struct {
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t submitted;
	bool not_ready, hold, refuse;
	enum intake_result result;
	struct intake_submission *held;
	char source[32], conversation[32], query[64], headers[128];
	char dead_reason[256];
	bool ignored;
	unsigned n;
	char items[512]; /* "CONVERSATION;" of each item of the last one, "dead;", "ignored;" */
	char body[256];  /* of its last item */
} took = {.lock = PTHREAD_MUTEX_INITIALIZER, .submitted = PTHREAD_COND_INITIALIZER};

/* A conversation "seen" is there already. */
static void remember_item(struct intake_item *item, int64_t id)
{
	const struct webhook *w = &item->webhook;
	const char *word = item->dead_reason ? "dead" : item->ignored ? "ignored" : w->conversation;

	assert_true(item->kept);
	(void)snprintf(took.items + strlen(took.items), sizeof(took.items) - strlen(took.items), "%s;", word);
	(void)snprintf(took.body, sizeof(took.body), "%s", w->body);
	item->webhook.id = id;
	item->result = text_is(word, "seen") ? INTAKE_DUPLICATE : item->ignored ? INTAKE_IGNORED : took.result;
}

static void remember(const struct intake_submission *s)
{
	const struct intake_item *item = &s->items[0];
	const struct webhook *w = &item->webhook;

	took.n++;
	(void)snprintf(took.source, sizeof(took.source), "%s", w->source);
	(void)snprintf(took.conversation, sizeof(took.conversation), "%s", w->conversation ? w->conversation : "-");
	(void)snprintf(took.query, sizeof(took.query), "%s", w->query);
	took.headers[0] = '\0';
	for (size_t i = 0; i < w->headers.n; i++)
		(void)snprintf(took.headers + strlen(took.headers), sizeof(took.headers) - strlen(took.headers),
			       "%s=%s;", w->headers.items[i].name, w->headers.items[i].value);
	(void)snprintf(took.dead_reason, sizeof(took.dead_reason), "%s", item->dead_reason ? item->dead_reason : "");
	took.ignored = item->ignored;
	took.items[0] = '\0';
	for (size_t i = 0; i < s->n; i++)
		remember_item(&s->items[i], 500 + (int64_t)i);
}

void pipeline_submit(struct pipeline *p, struct intake_submission *s)
{
	bool hold;

	(void)p;
	(void)pthread_mutex_lock(&took.lock);
	remember(s);
	s->refused = took.refuse;
	hold = took.hold;
	took.held = hold ? s : NULL;
	(void)pthread_cond_broadcast(&took.submitted);
	(void)pthread_mutex_unlock(&took.lock);
	if (!hold)
		s->answered(s);
}

bool pipeline_is_ready(const struct pipeline *p)
{
	bool ready;

	(void)p;
	(void)pthread_mutex_lock(&took.lock);
	ready = !took.not_ready;
	(void)pthread_mutex_unlock(&took.lock);
	return ready;
}

/* ---- the listener -------------------------------------------------------------------------------------------------
 */

static const char config_text[] =
	"version: 1\n"
	"listen: {address: 127.0.0.1:0, max_body: 4KiB}\n"
	"store: \"sqlite:/nonexistent/deskbridge.db\"\n"
	"klaviyo: {api_key: pk_test}\n"
	"sources:\n"
	"  desk: {keep: all, authenticate: {secret: sesame}, definition: {label: Desk, authenticate: {method: query, "
	"name: key},\n"
	"    opened: {/s: open}, closed: {\"header:X-State\": closed}, ping: {/s: ping}, conversation: /c, emails: "
	"/e}}\n"
	"  many: {authenticate: {secret: sesame}, definition: {label: Many, authenticate: {method: query, name: key},\n"
	"    each: /list, opened: {/s: open}, closed: {/s: closed}, ping: {/s: ping}, conversation: /c, emails: /e,\n"
	"    challenge: {header: X-Challenge}}}\n"
	"  kept: {keep: all, definition: {label: Kept, authenticate: {method: none}, each: \"\", opened: {/s: open},\n"
	"    closed: {/s: closed}, ping: {/s: ping}, conversation: /c, emails: /e}}\n"
	"  open: {definition: {label: Open, authenticate: {method: none}, opened: {/s: open}, closed: {/s: closed},\n"
	"    conversation: /c, emails: /e}}\n";

static char dir[64];
static struct intake *intake;

static int listener_start(void **state)
{
	struct problems problems = {0};
	struct generation *g;
	struct err e = {0};
	char file[96];
	FILE *to;

	(void)state;
	strcpy(dir, "/tmp/deskbridge-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/deskbridge.yaml", dir);
	to = fopen(file, "we");
	assert_non_null(to);
	assert_true(fputs(config_text, to) >= 0);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(file, 0600), 0);
	g = generation_load(file, &problems);
	if (!g)
		problems_print(&problems, stderr);
	assert_non_null(g);
	problems_done(&problems);
	if (intake_start(NULL, g->config, -1, &intake, &e) < 0)
		fail_msg("%s", e.text);
	generation_make_current(g);
	return 0;
}

static int listener_stop(void **state)
{
	char command[96];

	(void)state;
	if (intake)
		intake_stop(intake);
	intake = NULL;
	generation_make_current(NULL);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int reset(void **state)
{
	(void)state;
	(void)pthread_mutex_lock(&took.lock);
	took.not_ready = took.hold = took.refuse = took.ignored = false;
	took.result = INTAKE_ACCEPTED;
	took.n = 0;
	(void)pthread_mutex_unlock(&took.lock);
	metrics_reset();
	return 0;
}

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(intake_address(intake), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Until the listener closes. */
static void hear(int fd, char *to, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size && (n = recv(fd, to + len, size - len - 1, 0)) > 0)
		len += (size_t)n;
	to[len] = '\0';
	close(fd);
}

static char answer[8192];

static void ask(const char *method, const char *target, const char *headers, const char *body)
{
	char request[8192];
	int fd = dial();

	(void)snprintf(request, sizeof(request),
		       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method,
		       target, headers, strlen(body), body);
	say(fd, request);
	hear(fd, answer, sizeof(answer));
}

static void assert_answer(const char *status, const char *part)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0 || !strstr(answer, part))
		fail_msg("expected %s with %s, got: %s", status, part, answer);
}

#define DESK "/webhooks/desk?key=sesame"
#define OPENED "{\"s\":\"open\",\"c\":\"1\",\"e\":\"jo@example.com\"}"

/* ---- section 6, row by row ----------------------------------------------------------------------------------------
 */

static void each_request_gets_its_answer(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body, *status, *part;
		unsigned submitted;
		const char *counted; /* as a result of source desk; NULL: not looked at */
	} rows[] = {
		{"POST", DESK, "", OPENED, "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", 1,
		 "accepted"},
		{"POST", DESK, "", "{\"s\":\"ping\"}", "200", "{\"status\":\"pong\"}", 0, "pong"},
		{"POST", DESK, "", "{\"s\":\"other\"}", "200", "{\"status\":\"ignored\"}", 1, "ignored"},
		{"POST", "/webhooks/open", "", "{\"s\":\"other\"}", "200", "{\"status\":\"ignored\"}", 0, NULL},
		{"POST", DESK, "", "{\"s\":", "200", "\"accepted\"", 1, "unreadable"},
		{"POST", DESK, "", "{\"s\":\"open\"}", "200", "\"accepted\"", 1, "unreadable"},
		{"POST", "/webhooks/open", "", "{\"s\":", "400", "{\"status\":\"unreadable\"}", 0, NULL},
		{"POST", "/webhooks/desk", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0, "missing proof"},
		{"POST", "/webhooks/desk?key=wrong", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0,
		 "wrong proof"},
		{"POST", "/webhooks/desk?key=", "", OPENED, "401", "{\"status\":\"unauthorized\"}", 0, NULL},
		{"POST", DESK, "", "", "400", "{\"status\":\"empty\"}", 0, "empty"},
		{"POST", "/webhooks/none", "", OPENED, "404", "{\"status\":\"not found\"}", 0, NULL},
		{"POST", "/webhooks/desk/", "", OPENED, "404", "not found", 0, NULL},
		{"GET", DESK, "", "", "405", "Allow: POST, HEAD\r\n", 0, NULL},
		{"DELETE", DESK, "", "", "405", "Allow: POST, HEAD\r\n", 0, NULL},
		{"HEAD", DESK, "", "", "200", "\r\n\r\n", 0, NULL},
		{"POST", DESK, "Content-Type: Multipart/form-data; boundary=x\r\n", "x", "415", "unsupported", 0, NULL},
		{"POST", DESK, "Authorization: a\r\nAuthorization: b\r\n", OPENED, "400", "ambiguous", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		ask(rows[i].method, rows[i].target, rows[i].headers, rows[i].body);
		assert_answer(rows[i].status, rows[i].part);
		assert_int_equal(took.n, rows[i].submitted);
		if (rows[i].counted)
			assert_true(metrics_get(METRIC_WEBHOOKS, "desk", rows[i].counted, NULL) == 1);
	}
}

static void the_pipelines_verdict_is_the_answer(void **state)
{
	(void)state;
	took.result = INTAKE_DUPLICATE;
	ask("POST", DESK, "", OPENED);
	assert_answer("200", "{\"status\":\"duplicate\"}");
	took.refuse = true;
	ask("POST", DESK, "", OPENED);
	assert_answer("503", "Retry-After: 5\r\n");
	assert_true(metrics_get(METRIC_WEBHOOKS, "desk", "refused", NULL) == 1);
}

static void while_the_store_cannot_commit_nothing_is_read_but_all_else_is_judged(void **state)
{
	(void)state;
	took.not_ready = true;
	ask("POST", DESK, "", OPENED);
	assert_answer("503", "{\"status\":\"unavailable\"}");
	ask("POST", "/webhooks/desk", "", OPENED);
	assert_answer("401", "unauthorized");
	ask("HEAD", DESK, "", "");
	assert_answer("200", "");
	assert_int_equal(took.n, 0);
}

static void what_is_kept_holds_what_was_read_and_no_secret(void **state)
{
	(void)state;
	ask("POST", "/webhooks/desk?a=1&key=sesame&b=2", "X-State: closed\r\nX-Other: y\r\nCookie: z\r\n",
	    "{\"c\":\"77\"}");
	assert_answer("200", "accepted");
	assert_string_equal(took.source, "desk");
	assert_string_equal(took.conversation, "77");
	assert_string_equal(took.query, "a=1&b=2");
	assert_string_equal(took.headers, "X-State=closed;");
}

static void an_unreadable_one_carries_its_reason(void **state)
{
	(void)state;
	ask("POST", DESK, "", "{\"s\":\"open\",\"e\":\"jo@example.com\"}");
	assert_answer("200", "accepted");
	assert_non_null(strstr(took.dead_reason, "conversation"));
	assert_string_equal(took.conversation, "-");
}

/* ---- several items a request ---------------------------------------------------------------------------------------
 */

#define MANY "/webhooks/many?key=sesame"
#define ITEM(s, c) "{\"s\":\"" s "\",\"c\":\"" c "\"}"

static void a_request_with_several_items_gets_one_answer(void **state)
{
	static const struct {
		const char *target, *body, *status, *part, *items;
	} rows[] = {
		{MANY, "{\"list\":[" ITEM("open", "1") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\",\"00000000000001f5\"]}", "1;2;"},
		{MANY, "{\"list\":[" ITEM("open", "1") "]}", "200",
		 "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "1;"},
		{MANY, "{\"list\":[" ITEM("note", "1") "," ITEM("ping", "1") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\"]}", "2;"},
		{MANY, "{\"list\":[" ITEM("open", "seen") "," ITEM("closed", "2") "]}", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f5\"]}", "seen;2;"},
		{MANY, "{\"list\":[" ITEM("open", "seen") "," ITEM("note", "2") "]}", "200",
		 "{\"status\":\"duplicate\"}", "seen;"},
		{MANY, "{\"list\":[{\"s\":\"open\"}," ITEM("open", "2") "]}", "200",
		 "\"webhooks\":[\"00000000000001f4\",\"00000000000001f5\"]}", "dead;2;"},
		{MANY, "{\"list\":[" ITEM("note", "1") "," ITEM("ping", "2") "]}", "200", "{\"status\":\"ignored\"}",
		 ""},
		{MANY, "{\"list\":[" ITEM("ping", "1") "," ITEM("ping", "2") "]}", "200", "{\"status\":\"pong\"}", ""},
		{MANY, "{\"list\":[]}", "200", "{\"status\":\"ignored\"}", ""},
		{MANY, "{\"list\":{}}", "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "dead;"},
		{MANY, "{\"list\":[", "200", "{\"status\":\"accepted\",\"webhook\":\"00000000000001f4\"}", "dead;"},
		{"/webhooks/kept", "[" ITEM("note", "1") "," ITEM("open", "2") "," ITEM("ping", "3") "]", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f5\"]}", "ignored;2;"},
		{"/webhooks/kept", "[" ITEM("note", "1") "," ITEM("note", "2") "]", "200", "{\"status\":\"ignored\"}",
		 "ignored;ignored;"},
		{"/webhooks/kept", "[{\"s\":\"open\"}," ITEM("open", "2") "]", "200",
		 "{\"status\":\"accepted\",\"webhooks\":[\"00000000000001f4\"]}", "2;"},
		{"/webhooks/kept", "[{\"s\":\"open\"}," ITEM("ping", "2") "]", "400", "{\"status\":\"unreadable\"}",
		 ""},
		{"/webhooks/kept", "{}", "400", "{\"status\":\"unreadable\"}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		ask("POST", rows[i].target, "", rows[i].body);
		assert_answer(rows[i].status, rows[i].part);
		assert_int_equal(took.n, *rows[i].items != '\0');
		if (took.n > 0)
			assert_string_equal(took.items, rows[i].items);
	}
}

static void each_item_is_counted_and_stored_as_a_body_of_its_own(void **state)
{
	(void)state;
	ask("POST", MANY, "",
	    "{\"batch\":7,\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM(
		    "ping", "3") ",{\"s\":\"open\"}," ITEM("closed", "4") "]}");
	assert_answer("200", "accepted");
	assert_string_equal(took.items, "1;dead;4;");
	assert_string_equal(took.body, "{\"batch\":7,\"list\":[" ITEM("closed", "4") "]}");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "accepted", NULL) == 2);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "unreadable", NULL) == 1);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "ignored", NULL) == 1);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
}

static void what_cannot_be_taken_apart_is_kept_as_it_came(void **state)
{
	(void)state;
	ask("POST", MANY, "", "{\"list\": [1, 2");
	assert_answer("200", "accepted");
	assert_string_equal(took.body, "{\"list\": [1, 2");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "unreadable", NULL) == 1);
}

static void a_batch_is_refused_as_a_whole(void **state)
{
	(void)state;
	took.refuse = true;
	ask("POST", MANY, "",
	    "{\"list\":[" ITEM("open", "1") "," ITEM("note", "2") "," ITEM("ping", "3") "," ITEM("closed", "4") "]}");
	assert_answer("503", "Retry-After: 5\r\n");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "refused", NULL) == 4);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "accepted", NULL) == 0);
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 0);
}

static void what_repeats_a_large_body_waits_for_room(void **state)
{
	static const char batch[] = "{\"pad\":\"0123456789\",\"list\":[" ITEM("open", "1") "," ITEM("open", "2") "]}";
	static const char single[] = "{\"pad\":\"0123456789\",\"list\":[" ITEM("open", "1") "]}";
	CLEANUP(generation_unrefp) struct generation *g = generation_current();
	const struct source *s = config_source(g->config, "many");
	struct http_exchange x = {.path = "/", .query = "", .body = batch, .body_len = strlen(batch)};
	const struct pairs headers = {0};
	atomic_size_t held = PASSAGES_BYTES_MAX;
	struct passage *p = passage_new(s, &x, &headers, &held);

	(void)state;
	assert_false(passage_has_room(p));
	passage_drop(p);
	assert_true(atomic_load(&held) == PASSAGES_BYTES_MAX);
	x.body = single;
	x.body_len = strlen(single);
	p = passage_new(s, &x, &headers, &held);
	assert_true(passage_has_room(p));
	passage_drop(p);
	x.body = batch;
	x.body_len = strlen(batch);
	atomic_store(&held, PASSAGES_BYTES_MAX - 1000);
	p = passage_new(s, &x, &headers, &held);
	assert_true(passage_has_room(p));
	passage_drop(p);
}

/* ---- what a vendor asks while a webhook is set up
 * --------------------------------------------------------------------
 */

static void a_challenge_is_echoed_to_whoever_asks_and_has_no_effect(void **state)
{
	static const struct {
		const char *target, *headers, *body, *part;
	} rows[] = {
		{"/webhooks/many", "X-Challenge: abc\r\n", "{}", "{\"status\":\"pong\",\"challenge\":\"abc\"}"},
		{"/webhooks/many", "x-challenge: abc\r\n", "", "{\"status\":\"pong\",\"challenge\":\"abc\"}"},
		{"/webhooks/many", "X-Challenge: a\"b\\c</x>\r\n", "{}", "\"challenge\":\"a\\\"b\\\\c</x>\"}"},
		{"/webhooks/many?key=wrong", "X-Challenge: abc\r\n", "{\"list\":[" ITEM("open", "1") "]}",
		 "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("ping", "1") "]}", "\"challenge\":\"abc\""},
		{MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("note", "1") ",{\"s\":\"open\"}]}",
		 "\"challenge\":\"abc\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)reset(NULL);
		took.not_ready = true; /* nothing is to be kept, so nothing has to be ready */
		ask("POST", rows[i].target, rows[i].headers, rows[i].body);
		assert_answer("200", rows[i].part);
		assert_int_equal(took.n, 0);
		assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
	}
}

static void a_proven_signal_with_a_challenge_is_a_signal(void **state)
{
	(void)state;
	ask("POST", MANY, "X-Challenge: abc\r\n", "{\"list\":[" ITEM("note", "1") "," ITEM("open", "2") "]}");
	assert_answer("200", "{\"status\":\"accepted\"");
	assert_string_equal(took.items, "2;");
}

static void a_challenge_that_cannot_be_echoed_is_none(void **state)
{
	char headers[1200] = "X-Challenge: ";

	(void)state;
	ask("POST", "/webhooks/many", "X-Challenge: \xc3\xa9\r\n", "{}");
	assert_answer("401", "unauthorized");
	ask("POST", "/webhooks/many", "X-Challenge:\r\n", "{}");
	assert_answer("401", "unauthorized");
	ask("POST", DESK, "X-Challenge: abc\r\n", "{\"s\":\"other\"}");
	assert_answer("200", "ignored");
	memset(headers + strlen(headers), 'x', 1024);
	strcpy(headers + 13 + 1024, "\r\n");
	ask("POST", "/webhooks/many", headers, "{}");
	assert_answer("200", "xxx");
	strcpy(headers + 13 + 1024, "x\r\n");
	ask("POST", "/webhooks/many", headers, "{}");
	assert_answer("401", "unauthorized");
	assert_true(metrics_get(METRIC_WEBHOOKS, "many", "pong", NULL) == 1);
}

/* ---- pieces -------------------------------------------------------------------------------------------------------
 */

static void the_secret_parameter_is_cut_out_wherever_it_stands(void **state)
{
	static const struct {
		const char *query, *name, *kept;
	} rows[] = {
		{"", "key", ""},
		{"key=x", "key", ""},
		{"a=1&key=x", "key", "a=1"},
		{"key=x&a=1", "key", "a=1"},
		{"a=1&key=x&b=2", "key", "a=1&b=2"},
		{"key=x&a=1&key=y", "key", "a=1"},
		{"%6bey=x&a=1", "key", "a=1"},
		{"keys=x", "key", "keys=x"},
		{"a=key", "key", "a=key"},
		{"key", "key", ""},
		{"a=%zz&b", "key", "a=%zz&b"},
		{"key=x", NULL, "key=x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		CLEANUP(mem_freep) char *kept = keep_query(rows[i].query, rows[i].name);

		assert_string_equal(kept, rows[i].kept);
	}
}

static void behind_trusted_proxies_the_log_names_whom_they_name(void **state)
{
	char *trusted[] = {(char *)"127.0.0.1", (char *)"10.0.0.0/8", (char *)"unix", (char *)"2001:db8::/33"};
	const struct string_list proxies = {trusted, 4};
	static const struct {
		const char *peer, *forwarded, *who;
	} rows[] = {
		{"192.0.2.1", NULL, "192.0.2.1"},
		{"192.0.2.1", "198.51.100.7", "192.0.2.1"},
		{"127.0.0.1", NULL, "127.0.0.1"},
		{"127.0.0.1", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"},
		{"127.0.0.1", "6.6.6.6, 198.51.100.7 ,10.9.8.7", "198.51.100.7"},
		{"unix", "2001:db8:1::5", "2001:db8:1::5"},
		{"2001:db8:7fff::1", "198.51.100.7", "198.51.100.7"},
		{"2001:db8:8000::1", "198.51.100.7", "2001:db8:8000::1"},
		{"127.0.0.1", "nonsense\"", "127.0.0.1"},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", ",,", "127.0.0.1"},
		{"11.0.0.1", "198.51.100.7", "11.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[PEER_MAX];

		assert_string_equal(peer_of(&proxies, rows[i].peer, rows[i].forwarded, out), rows[i].who);
	}
}

/* ---- the end ------------------------------------------------------------------------------------------------------
 */

static void after_quiesce_what_is_suspended_is_still_answered_and_all_else_refused(void **state)
{
	char late[4096];
	int waiting = dial(), kept = dial();
	struct intake_submission *held;

	(void)state;
	took.hold = true;
	say(kept, "HEAD /webhooks/desk HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(recv(kept, late, sizeof(late), 0) > 0);
	(void)snprintf(late, sizeof(late), "POST " DESK " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
		       strlen(OPENED), OPENED);
	say(waiting, late);
	(void)pthread_mutex_lock(&took.lock);
	while (!took.held)
		(void)pthread_cond_wait(&took.submitted, &took.lock);
	held = took.held;
	took.hold = false;
	(void)pthread_mutex_unlock(&took.lock);
	intake_quiesce(intake);
	say(kept, late);
	shutdown(kept, SHUT_WR);
	hear(kept, answer, sizeof(answer));
	assert_answer("503", "Retry-After");
	held->answered(held);
	intake_stop(intake);
	intake = NULL;
	hear(waiting, answer, sizeof(answer));
	assert_answer("200", "accepted");
	assert_int_equal(took.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_answer),
		cmocka_unit_test_setup(the_pipelines_verdict_is_the_answer, reset),
		cmocka_unit_test_setup(while_the_store_cannot_commit_nothing_is_read_but_all_else_is_judged, reset),
		cmocka_unit_test_setup(what_is_kept_holds_what_was_read_and_no_secret, reset),
		cmocka_unit_test_setup(an_unreadable_one_carries_its_reason, reset),
		cmocka_unit_test(a_request_with_several_items_gets_one_answer),
		cmocka_unit_test_setup(each_item_is_counted_and_stored_as_a_body_of_its_own, reset),
		cmocka_unit_test_setup(what_cannot_be_taken_apart_is_kept_as_it_came, reset),
		cmocka_unit_test_setup(a_batch_is_refused_as_a_whole, reset),
		cmocka_unit_test(what_repeats_a_large_body_waits_for_room),
		cmocka_unit_test(a_challenge_is_echoed_to_whoever_asks_and_has_no_effect),
		cmocka_unit_test_setup(a_proven_signal_with_a_challenge_is_a_signal, reset),
		cmocka_unit_test_setup(a_challenge_that_cannot_be_echoed_is_none, reset),
		cmocka_unit_test(the_secret_parameter_is_cut_out_wherever_it_stands),
		cmocka_unit_test(behind_trusted_proxies_the_log_names_whom_they_name),
		cmocka_unit_test_setup(after_quiesce_what_is_suspended_is_still_answered_and_all_else_refused, reset),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	return cmocka_run_group_tests(tests, listener_start, listener_stop);
}

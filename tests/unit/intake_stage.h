/* SPDX-License-Identifier: MIT */
/*
 * intake_stage: the listener against a pipeline that only remembers what it was handed: it takes the real one's place
 * when the test is linked. Included by one program each.
 */
#ifndef INTAKE_STAGE_H
#define INTAKE_STAGE_H

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

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */

static struct {
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t submitted;
	bool not_ready, hold, refuse;
	enum submission_result result;
	struct submission *held;
	char source[32], conversation[32], query[64], headers[128];
	char dead_reason[256];
	bool ignored;
	unsigned n;
	char items[512]; /* "CONVERSATION;" of each item of the last one, "dead;", "ignored;" */
	char body[256];  /* of its last item */
} took = {.lock = PTHREAD_MUTEX_INITIALIZER, .submitted = PTHREAD_COND_INITIALIZER};

/* A conversation "seen" is there already. */
static void remember_item(struct submission_item *item, int64_t id)
{
	const struct webhook *w = &item->parsed->webhook;
	const char *word = item->dead_reason ? "dead" : item->ignored ? "ignored" : w->conversation;

	assert_true(item->kept);
	(void)snprintf(took.items + strlen(took.items), sizeof(took.items) - strlen(took.items), "%s;", word);
	(void)snprintf(took.body, sizeof(took.body), "%s", w->body);
	item->id = id;
	item->result = text_is(word, "seen") ? SUBMISSION_DUPLICATE : item->ignored ? SUBMISSION_IGNORED : took.result;
}

static void remember(const struct submission *s)
{
	const struct submission_item *item = &s->items[0];
	const struct webhook *w = &item->parsed->webhook;

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

void pipeline_submit(struct pipeline *p, struct submission *s)
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

bool pipeline_caches_parsed(const struct pipeline *p)
{
	(void)p;
	return true;
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

/* ---- the listener ------------------------------------------------------------------------------------------------ */

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
	if (intake_start(NULL, g->config, &(struct http_sockets){0}, &intake, &e) < 0)
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
	took.result = SUBMISSION_ACCEPTED;
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

#endif

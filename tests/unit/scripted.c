/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "scripted.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server.h"

#define REQUESTS_MAX 4096
#define SCRIPT_MAX 256

struct scripted {
	struct http_server *server;
	char *url;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t came;
	struct scripted_answer script[SCRIPT_MAX], always;
	size_t script_n, script_at;
	struct scripted_request requests[REQUESTS_MAX];
	size_t requests_n;
	struct http_exchange *held[REQUESTS_MAX];
	size_t held_n, most_held;
};

static char *copy(const char *text)
{
	return mem_str(text ? text : "");
}

static int begin(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	(void)x;
	return 0;
}

static void give(struct http_exchange *x, const struct scripted_answer *a, bool resumed)
{
	CLEANUP(mem_freep) char *filler = NULL;
	struct pairs headers = {0};
	struct http_answer answer = {.status = a->status, .type = a->type, .body = a->body, .headers = &headers};

	if (a->header)
		pairs_add(&headers, a->header, a->value);
	if (a->filler > 0) {
		filler = mem_new(1, a->filler + 1);
		memset(filler, ' ', a->filler);
		answer.body = filler;
	}
	answer.body_len = answer.body ? strlen(answer.body) : 0;
	if (resumed)
		http_resume(x, &answer);
	else
		http_answer(x, &answer);
	pairs_done(&headers);
}

static void remember(struct scripted *s, struct http_exchange *x)
{
	assert_true(s->requests_n < REQUESTS_MAX);
	s->requests[s->requests_n++] = (struct scripted_request){
		.method = copy(x->method),
		.path = copy(x->path),
		.body = copy(x->body),
		.authorization = copy(http_header(x, "Authorization")),
		.revision = copy(http_header(x, "revision")),
		.type = copy(http_header(x, "Content-Type")),
		.agent = copy(http_header(x, "User-Agent")),
		.at_ms = clock_mono_ms(),
	};
}

static void complete(void *ctx, struct http_exchange *x)
{
	struct scripted *s = ctx;
	struct scripted_answer a;

	pthread_mutex_lock(&s->lock);
	remember(s, x);
	a = s->script_at < s->script_n ? s->script[s->script_at++] : s->always;
	if (a.how == SCRIPTED_HOLD) {
		http_suspend(x);
		s->held[s->held_n++] = x;
		if (s->held_n > s->most_held)
			s->most_held = s->held_n;
	}
	pthread_cond_broadcast(&s->came);
	pthread_mutex_unlock(&s->lock);
	if (a.how == SCRIPTED_ANSWER) {
		give(x, &a, false);
	} else if (a.how == SCRIPTED_RESET || a.how == SCRIPTED_CLOSE) {
		http_suspend(x);
		http_resume_cut(x, a.how == SCRIPTED_RESET);
	}
}

struct scripted *scripted_start(void)
{
	struct scripted *s = mem_new(1, sizeof(*s));
	struct http_server_options options = {.address = "127.0.0.1:0",
					      .threads = 2,
					      .max_connections = 256,
					      .max_body = 1 << 20,
					      .timeout_ms = 60000,
					      .error_member = "status"};
	struct http_handler handler = {.begin = begin, .complete = complete, .ctx = s};
	struct err why;

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->came, NULL);
	s->always = (struct scripted_answer){.status = 202};
	if (http_server_start(&options, &handler, &s->server, &why) < 0)
		fail_msg("%s", why.text);
	s->url = mem_fmt("http://%s", http_server_address(s->server));
	return s;
}

void scripted_stop(struct scripted *s)
{
	scripted_always(s, (struct scripted_answer){.status = 503});
	scripted_release(s, (struct scripted_answer){.status = 503});
	http_server_stop(s->server);
	for (size_t i = 0; i < s->requests_n; i++) {
		struct scripted_request *r = &s->requests[i];

		free(r->method);
		free(r->path);
		free(r->body);
		free(r->authorization);
		free(r->revision);
		free(r->type);
		free(r->agent);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->came);
	free(s->url);
	free(s);
}

const char *scripted_url(const struct scripted *s)
{
	return s->url;
}

void scripted_once(struct scripted *s, struct scripted_answer a)
{
	pthread_mutex_lock(&s->lock);
	assert_true(s->script_n < SCRIPT_MAX);
	s->script[s->script_n++] = a;
	pthread_mutex_unlock(&s->lock);
}

void scripted_always(struct scripted *s, struct scripted_answer a)
{
	pthread_mutex_lock(&s->lock);
	s->always = a;
	pthread_mutex_unlock(&s->lock);
}

void scripted_wait(struct scripted *s, size_t n)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SCRIPTED_PATIENCE_MS / 1000;
	pthread_mutex_lock(&s->lock);
	while (s->requests_n < n && r == 0)
		r = pthread_cond_timedwait(&s->came, &s->lock, &until);
	pthread_mutex_unlock(&s->lock);
	if (r == ETIMEDOUT)
		fail_msg("only %zu of %zu requests came", scripted_count(s), n);
}

size_t scripted_count(struct scripted *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->requests_n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

const struct scripted_request *scripted_request(struct scripted *s, size_t i)
{
	assert_true(i < scripted_count(s));
	return &s->requests[i];
}

size_t scripted_most_at_once(struct scripted *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->most_held;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void scripted_release(struct scripted *s, struct scripted_answer a)
{
	pthread_mutex_lock(&s->lock);
	while (s->held_n > 0)
		give(s->held[--s->held_n], &a, true);
	pthread_mutex_unlock(&s->lock);
}

/* ---- configuration ----------------------------------------------------------------------------------------------- */

char *scripted_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	char *folder = mem_fmt("%s/deskbridge-test-XXXXXX", tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(folder));
	return folder;
}

void scripted_folder_remove(char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)))
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

void scripted_write(const char *folder, const char *name, const char *text)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/%s", folder, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(fclose(f), 0);
}

struct generation *scripted_load(const char *folder)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/deskbridge.yaml", folder);
	struct problems problems = {0};
	struct generation *g = generation_load(path, &problems);

	if (!g) {
		problems_print(&problems, stderr);
		fail_msg("the configuration does not load");
	}
	problems_done(&problems);
	return g;
}

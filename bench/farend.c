/* SPDX-License-Identifier: MIT */
/*
 * The far end of the benches: Klaviyo without quotas, and a helpdesk for lookups. It costs as little as it can, because
 * it shares the processors with what is measured.
 *
 *   POST /api/events      202 as Klaviyo answers; counts the request and its unique_id
 *   GET /customers/NAME   the address NAME@example.com, DELAY milliseconds later
 *   GET /stats            {"requests": N, "recorded": N, "unidentified": N, "lookups": N}; recorded: distinct
 *                         unique_ids; unidentified: requests without one
 *
 * Usage: farend PORT [DELAY]. It ends with its standard input.
 */
#include <config.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MAX (32 * 1024) /* of a request, what is searched for the unique_id */
#define LATE_MAX 65536       /* lookups that wait at a time */

struct request {
	struct MHD_Connection *connection;
	bool posted, waited;
	int64_t due_ms;
	size_t n;
	char body[];
};

/* Digests of the unique_ids; 0 is a free place. At most half of the places are in use. */
static struct {
	pthread_mutex_t lock;
	uint64_t *digests;
	size_t n, places;
	uint64_t requests, unidentified, lookups;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Lookups that wait, in the order of their due times, because all wait equally long. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct request *ring[LATE_MAX];
	size_t first, n;
} late = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static struct MHD_Response *accepted, *not_found;
static long delay_ms;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- unique_ids ------------------------------------------------------------------------------------------------- */

/* FNV-1a, then mixed, because the lowest bits choose the place. */
static uint64_t digest(const char *s, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
	h = (h ^ (h >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
	return h ? h : 1;
}

static void insert(uint64_t *digests, size_t places, uint64_t h, size_t *n)
{
	size_t i = (size_t)(h >> 20) & (places - 1);

	while (digests[i] && digests[i] != h)
		i = (i + 1) & (places - 1);
	*n += !digests[i];
	digests[i] = h;
}

static void grow(void)
{
	size_t places = seen.places ? seen.places * 2 : 1 << 16;
	uint64_t *digests = calloc(places, sizeof(*digests));
	size_t n = 0;

	if (!digests)
		abort();
	for (size_t i = 0; i < seen.places; i++)
		if (seen.digests[i])
			insert(digests, places, seen.digests[i], &n);
	free(seen.digests);
	seen.digests = digests;
	seen.places = places;
}

static void count_event(const char *body, size_t n)
{
	static const char key[] = "\"unique_id\":\"";
	const char *id = memmem(body, n, key, strlen(key));
	const char *end;

	if (id)
		id += strlen(key);
	end = id ? memchr(id, '"', n - (size_t)(id - body)) : NULL;
	pthread_mutex_lock(&seen.lock);
	seen.requests++;
	if (seen.n * 2 >= seen.places)
		grow();
	if (end)
		insert(seen.digests, seen.places, digest(id, (size_t)(end - id)), &seen.n);
	else
		seen.unidentified++;
	pthread_mutex_unlock(&seen.lock);
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result answer_json(struct MHD_Connection *connection, const char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	done = MHD_queue_response(connection, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result answer_stats(struct MHD_Connection *connection)
{
	char text[256];

	pthread_mutex_lock(&seen.lock);
	snprintf(text, sizeof(text),
		 "{\"requests\": %llu, \"recorded\": %zu, \"unidentified\": %llu, \"lookups\": %llu}",
		 (unsigned long long)seen.requests, seen.n, (unsigned long long)seen.unidentified,
		 (unsigned long long)seen.lookups);
	pthread_mutex_unlock(&seen.lock);
	return answer_json(connection, text);
}

static enum MHD_Result answer_customer(struct MHD_Connection *connection, const char *name)
{
	char text[256];

	pthread_mutex_lock(&seen.lock);
	seen.lookups++;
	pthread_mutex_unlock(&seen.lock);
	snprintf(text, sizeof(text), "{\"emails\":[\"%.100s@example.com\"]}", name);
	return answer_json(connection, text);
}

/* A thread: resumes each lookup when it is due. */
static void *release(void *ctx)
{
	(void)ctx;
	for (;;) {
		struct request *r;
		int64_t wait_ms;

		pthread_mutex_lock(&late.lock);
		while (late.n == 0)
			pthread_cond_wait(&late.filled, &late.lock);
		r = late.ring[late.first];
		late.first = (late.first + 1) % LATE_MAX;
		late.n--;
		pthread_mutex_unlock(&late.lock);
		wait_ms = r->due_ms - now_ms();
		if (wait_ms > 0)
			nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000}, NULL);
		MHD_resume_connection(r->connection);
	}
	return NULL;
}

static void make_late(struct request *r)
{
	r->waited = true;
	r->due_ms = now_ms() + delay_ms;
	MHD_suspend_connection(r->connection);
	pthread_mutex_lock(&late.lock);
	if (late.n == LATE_MAX)
		abort();
	late.ring[(late.first + late.n++) % LATE_MAX] = r;
	pthread_cond_signal(&late.filled);
	pthread_mutex_unlock(&late.lock);
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *size, void **state)
{
	static const char customers[] = "/customers/";
	struct request *r = *state;
	size_t taken;

	(void)ctx;
	(void)version;
	if (!r) {
		bool posted = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

		r = malloc(sizeof(*r) + (posted ? BODY_MAX : 0));
		if (!r)
			return MHD_NO;
		*r = (struct request){.connection = connection, .posted = posted};
		*state = r;
		return MHD_YES;
	}
	if (*size > 0) {
		taken = r->posted ? BODY_MAX - r->n : 0;
		taken = *size < taken ? *size : taken;
		memcpy(r->body + r->n, data, taken);
		r->n += taken;
		*size = 0;
		return MHD_YES;
	}
	if (r->posted && strcmp(url, "/api/events") == 0) {
		count_event(r->body, r->n);
		return MHD_queue_response(connection, MHD_HTTP_ACCEPTED, accepted);
	}
	if (!r->posted && strcmp(url, "/stats") == 0)
		return answer_stats(connection);
	if (r->posted || strncmp(url, customers, strlen(customers)) != 0)
		return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND, not_found);
	if (delay_ms > 0 && !r->waited) {
		make_late(r);
		return MHD_YES;
	}
	return answer_customer(connection, url + strlen(customers));
}

static void done(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	(void)ctx;
	(void)connection;
	(void)how;
	free(*state);
	*state = NULL;
}

int main(int argc, char **argv)
{
	long port = argc == 2 || argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	static char empty[] = "";
	pthread_t thread;

	delay_ms = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	if (port < 1 || port > 65535 || delay_ms < 0 || delay_ms > 60000) {
		fprintf(stderr, "usage: farend PORT [DELAY in ms]\n");
		return 2;
	}
	accepted = MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
	not_found = MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
	if (!accepted || !not_found || pthread_create(&thread, NULL, release, NULL) != 0)
		return 1;
	if (!MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
			      handle, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT, 2048u,
			      MHD_OPTION_NOTIFY_COMPLETED, done, NULL, MHD_OPTION_END)) {
		fprintf(stderr, "farend: cannot listen on port %ld\n", port);
		return 1;
	}
	while (getchar() != EOF)
		;
	return 0; /* connections that wait cannot be stopped; the process ends with them */
}

/* SPDX-License-Identifier: MIT */
/*
 * Fails every allocation of a parse once, its own and those of libraries. The process must end, or the webhook must be
 * parsed as without the failure. It must never count as of no interest.
 */
#include <config.h>

#include "fixtures/child.h"
#include "fixtures/definition.h"
#include "fixtures/parse_result.h"
#include "fixtures/tap.h"

#include <signal.h>

#include "helpdesk/parse/batch.h"

static bool armed;
static size_t allocations, fails_at;
static bool fails_on; /* this one and all after it */

/* True where this allocation fails. */
static bool fails(void)
{
	if (!armed)
		return false;
	allocations++;
	return allocations == fails_at || (fails_on && allocations > fails_at);
}

static void *failing_malloc(size_t size);
static void *failing_calloc(size_t n, size_t size);
static void *failing_realloc(void *p, size_t size);

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

/* mem.c looks up the allocator's functions by name. */
void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name)
{
	void *found = __real_dlsym(handle, name);

	if (strcmp(name, "malloc") == 0) {
		real_malloc = (void *(*)(size_t))found;
		return (void *)failing_malloc;
	}
	if (strcmp(name, "calloc") == 0) {
		real_calloc = (void *(*)(size_t, size_t))found;
		return (void *)failing_calloc;
	}
	if (strcmp(name, "realloc") == 0) {
		real_realloc = (void *(*)(void *, size_t))found;
		return (void *)failing_realloc;
	}
	return found;
}

static void *failing_malloc(size_t size)
{
	return fails() ? NULL : real_malloc(size);
}

static void *failing_calloc(size_t n, size_t size)
{
	return fails() ? NULL : real_calloc(n, size);
}

static void *failing_realloc(void *p, size_t size)
{
	return fails() ? NULL : real_realloc(p, size);
}

/* ---- one try, in a child ----------------------------------------------------------------------------------------- */

enum end {
	END_READ_WHOLE, /* no allocation was left to fail */
	END_READ,       /* one failed, and the result is right */
	END_READ_WRONG, /* ignored, unreadable, or incomplete */
	END_OF_PROCESS, /* mem_lacking()'s exit */
	END_UNEXPECTED,
};

static const char more[] = "ping: {/type: {matches: \"^(ping|hello|test)$\"}}\ntime: /at\nemails: /mail/*\n"
			   "attributes: {Team: /team, Tags: /tags/*, Number: /number, Score: /score}\n"
			   "conversation_url: \"https://x.example/{/id}\"\n";
static const char json[] =
	"{\"type\":\"opened\",\"id\":9400111899223334445556,\"at\":1763739999.5,\"mail\":[\"jo@example.com\",\"x\"],"
	"\"team\":\"one\nteam, in a text that is longer than json-c keeps within its own object, which is some "
	"letters\","
	"\"tags\":[\"a\",\"b\",\"c\"],\"number\":9400111899223334445557,\"score\":1.50,\"rest\":{\"a\":{\"b\":[1,2.5,"
	"null,true]},"
	"\"c\":\"\\u00e4\",\"d\":1,\"e\":2,\"f\":3,\"g\":4,\"h\":5,\"i\":6,\"j\":7,\"k\":8,\"l\":9,\"m\":10,\"n\":11,"
	"\"o\":12}}";
static const char said[] = "{\"Team\":\"one\\nteam, in a text that is longer than json-c keeps within its own object, "
			   "which is some letters\","
			   "\"Tags\":[\"a\",\"b\",\"c\"],\"Number\":\"9400111899223334445557\",\"Score\":1.50}";
static const char form[] = "type=opened&id=9400111899223334445556&at=1763739999.5&mail=jo%40example.com&mail=x&team=one"
			   "&tags=a&tags=b&tags=c&number=7&score=1";
static const char form_said[] = "{\"Team\":\"one\",\"Tags\":[\"a\",\"b\",\"c\"],\"Number\":\"7\",\"Score\":\"1\"}";

struct task {
	const struct definition *definition;
	struct webhook *webhook;
	const char *attributes; /* the expected values */
};

/* Runs in the child. */
static int read_once(void *ctx)
{
	const struct task *task = ctx;
	const struct definition *d = task->definition;
	struct webhook *w = task->webhook;
	char *shown = NULL;
	char *item = NULL;
	struct batch *batch = NULL;
	struct parse_result r;
	bool right;
	size_t len;

	armed = true;
	right = batch_open(d, NULL, w->body, w->body_len, &batch, NULL) == 0 && batch_items(batch) == 1;
	item = right ? batch_item(batch, 0, &len) : NULL;
	with_parse_result(d, w, NULL, &r);
	shown = json_text(r.signal.attributes);
	armed = false;
	right = right && item && r.kind == PARSE_SIGNAL && r.signal.transition == TRANSITION_OPENED &&
		strcmp(r.signal.conversation, "9400111899223334445556") == 0 && r.signal.addresses.n == 1 &&
		strcmp(r.signal.conversation_url, "https://x.example/9400111899223334445556") == 0 &&
		strcmp(shown, task->attributes) == 0;
	if (!right)
		return END_READ_WRONG;
	return allocations < fails_at ? END_READ_WHOLE : END_READ;
}

static enum end read_in_a_process(const struct definition *d, struct webhook *w, const char *attributes)
{
	struct task task = {.definition = d, .webhook = w, .attributes = attributes};
	int r = child_run(read_once, &task);

	if (r >= 0)
		return (enum end)r;
	return r == -SIGABRT ? END_OF_PROCESS : END_UNEXPECTED;
}

static void fail_each(const char *form_line, const char *body, const char *attributes)
{
	CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s%s", BARE_DEFINITION, more, form_line);
	struct definition *d = with_definition(yaml, NULL);
	struct webhook w = {.received_ms = INT64_C(1763740800000), .body = mem_str(body), .body_len = strlen(body)};
	size_t ended = 0;
	enum end end;

	w.source = mem_str("desk");
	w.path = mem_str("/webhooks/desk");
	w.query = mem_str("");
	for (fails_at = 1;; fails_at++) {
		end = read_in_a_process(d, &w, attributes);
		if (end == END_READ_WHOLE)
			break;
		ended += end == END_OF_PROCESS;
		if (end != END_OF_PROCESS && end != END_READ)
			fail_msg("allocation %zu failed, and the webhook was read wrong (%d)", fails_at, end);
	}
	assert_true(ended > 30); /* else no allocation failed */
	webhook_done(&w);
	definition_free(d);
}

static void a_reading_without_memory_is_right_or_the_process_ends(void **state)
{
	(void)state;
	for (int on = 0; on < 2; on++) {
		fails_on = on;
		fail_each("", json, said);
		fail_each("body: form\n", form, form_said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reading_without_memory_is_right_or_the_process_ends),
	};

	if (!mem_guards_libraries)
		return tap_skip("the sanitizers have an allocator of their own");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

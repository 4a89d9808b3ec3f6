/* SPDX-License-Identifier: MIT */
/*
 * Measures the heap in use after very many unproven requests. It plays the stored inputs of fuzz_http that prove
 * nothing, and mutations of them, against the listeners (http_stage.h), and reads malloc_info() after a warm-up and at
 * the end. A request that leaks memory shows as growth. Sanitizers' allocators have no malloc_info().
 *
 * Without arguments it is a test of `make check`: every stored input once, and a short measurement.
 */
#include <config.h>

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_stage.h"

#define INPUT_MAX (64 * 1024)
#define INPUTS_MAX 4096
#define STEPS 10 /* lines between the warm-up and the end */

struct input {
	char *name;
	uint8_t *bytes;
	size_t len;
};

static struct input inputs[INPUTS_MAX];
static size_t inputs_n;
static uint64_t chance = 0x9e3779b97f4a7c15u;

static uint64_t draw(uint64_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return below > 0 ? chance % below : 0;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static bool proves(const uint8_t *bytes, size_t len)
{
	struct script s;
	bool is;

	script_make(bytes, len, &s);
	is = script_is_proven(&s);
	script_done(&s);
	return is;
}

/* all: reads also the inputs that prove something. */
static void read_file(const char *folder, const char *name, bool all)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/%s", folder, name);
	FILE *from = fopen(path, "re");
	struct input *in = &inputs[inputs_n];

	if (!from || name[0] == '.' || inputs_n == INPUTS_MAX) {
		if (from)
			(void)fclose(from);
		return;
	}
	in->bytes = mem_new(INPUT_MAX, 1);
	in->len = fread(in->bytes, 1, INPUT_MAX, from);
	(void)fclose(from);
	if (!all && proves(in->bytes, in->len)) {
		free(in->bytes);
		return;
	}
	in->name = mem_str(name);
	inputs_n++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static void read_folder(const char *folder, bool all)
{
	DIR *d = opendir(folder);

	for (struct dirent *e; d && (e = readdir(d));)
		read_file(folder, e->d_name, all);
	if (d)
		(void)closedir(d);
	if (inputs_n == 0) {
		fprintf(stderr, "heap_http: no inputs in %s\n", folder);
		exit(2);
	}
	qsort(inputs, inputs_n, sizeof(*inputs), by_name);
}

/* Mutates an input: some bytes are changed, left out, repeated, or taken from another input. */
static size_t mutate(const struct input *in, uint8_t to[INPUT_MAX])
{
	size_t len = in->len;

	memcpy(to, in->bytes, len);
	for (uint64_t n = 1 + draw(3); n > 0 && len > 1; n--) {
		size_t at = draw(len);
		size_t part = 1 + draw(len - at < 64 ? len - at : 64);
		const struct input *other = &inputs[draw(inputs_n)];

		switch (draw(4)) {
		case 0:
			to[at] = (uint8_t)draw(256);
			break;
		case 1:
			memmove(to + at, to + at + part, len - at - part);
			len -= part;
			break;
		case 2:
			if (len + part > INPUT_MAX)
				break;
			memmove(to + at + part, to + at, len - at);
			len += part;
			break;
		default:
			if (part <= other->len && at + part <= len)
				memcpy(to + at, other->bytes + draw(other->len - part + 1), part);
		}
	}
	return len;
}

/* Plays every input unchanged, then mutations. */
static void play_one(uint64_t n)
{
	const struct input *in = &inputs[n % inputs_n];
	size_t len = in->len;
	static uint8_t changed[INPUT_MAX];
	struct script s;

	memcpy(changed, in->bytes, len);
	if (n / inputs_n % 2 == 1)
		len = mutate(in, changed);
	script_make(changed, len, &s);
	if (!script_is_proven(&s))
		(void)stage_play(&s);
	script_done(&s);
}

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

static uint64_t size_behind(const char *xml, const char *element)
{
	const char *last = NULL;

	/* The last value of each kind is the sum over all arenas. */
	for (const char *at = xml; (at = strstr(at, element)); at++)
		last = at;
	last = last ? strstr(last, "size=\"") : NULL;
	return last ? strtoull(last + 6, NULL, 10) : 0;
}

/* Returns the bytes in use: the size of the arenas without their free space, and separately mapped blocks. */
static uint64_t heap_in_use(void)
{
	char *xml = NULL;
	size_t len;
	FILE *to = open_memstream(&xml, &len);
	uint64_t used;

	if (!to || malloc_info(0, to) != 0 || fclose(to) != 0 || !strstr(xml, "<system type=\"current\"")) {
		fprintf(stderr, "heap_http: malloc_info() says nothing\n");
		exit(2);
	}
	used = size_behind(xml, "<system type=\"current\"") - size_behind(xml, "<total type=\"fast\"") -
	       size_behind(xml, "<total type=\"rest\"") + size_behind(xml, "<total type=\"mmap\"");
	free(xml);
	return used;
}

static uint64_t play_some(uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < from + n; i++)
		play_one(i);
	return heap_in_use();
}

/* Prints the answer to each input, and the inputs that leak memory. */
static int measure_each(uint64_t times)
{
	for (size_t i = 0; i < inputs_n; i++) {
		struct played played = {0};
		uint64_t before = 0;
		struct script s;

		script_make(inputs[i].bytes, inputs[i].len, &s);
		for (uint64_t n = 0; n < 2 * times; n++) {
			if (n == times)
				before = heap_in_use();
			played = stage_play(&s);
		}
		printf("%-40s %3u answers, the last %3u; %u webhooks; %8.1f bytes left\n", inputs[i].name,
		       played.answers, played.status, played.submitted,
		       (double)(int64_t)(heap_in_use() - before) / (double)times);
		script_done(&s);
	}
	return 0;
}

/* Prints TAP. The requests are enough to show a leak of 1 KiB in one input of a hundred. */
static int check(const char *tests)
{
	CLEANUP(mem_freep) char *folder = mem_fmt("%s/fuzz/corpus-http", tests);
	const uint64_t warm_up = 2000;
	const uint64_t requests = 15000;
	const uint64_t limit = 64 * 1024;
	uint64_t before, growth;

	stage_start();
	read_folder(folder, true);
	for (size_t i = 0; i < inputs_n; i++) {
		struct script s;

		printf("# %s\n", inputs[i].name); /* the last name printed is that of an input that aborts */
		(void)fflush(stdout);
		script_make(inputs[i].bytes, inputs[i].len, &s);
		(void)stage_play(&s);
		script_done(&s);
	}
	printf("1..%d\n", mem_guards_libraries ? 2 : 1);
	printf("ok 1 - every kept input is answered as HTTP, takes no webhook without proof and shows no secret\n");
	if (!mem_guards_libraries) { /* the allocator is a sanitizer's */
		stage_stop();
		return 0;
	}
	before = play_some(0, warm_up);
	growth = play_some(warm_up, requests) - before;
	printf("%s 2 - unproven requests leave nothing in the heap\n",
	       (int64_t)growth < (int64_t)limit ? "ok" : "not ok");
	printf("# %" PRIu64 " requests: %+" PRId64 " bytes, allowed %" PRIu64 "\n", requests, (int64_t)growth, limit);
	stage_stop();
	return 0;
}

/* malloc_info() counts the threads' caches as in use, so the measuring process has none. */
static void without_caches(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	(void)setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
	(void)execv("/proc/self/exe", argv);
}

static int usage(void)
{
	fprintf(stderr, "usage: heap_http [--warm-up N] [--requests N] [--limit BYTES] [--each N] FOLDER\n"
			"  --each N   each input N times after N times: what it is answered, and what each time left "
			"in the heap\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"warm-up", required_argument, NULL, 'w'},
		{"requests", required_argument, NULL, 'r'},
		{"limit", required_argument, NULL, 'l'},
		{"each", required_argument, NULL, 'e'},
		{0},
	};
	uint64_t warm_up = 10000;
	uint64_t requests = 100000;
	uint64_t limit = 1024 * 1024;
	uint64_t each = 0;
	uint64_t after = 0;
	uint64_t before;
	int64_t start_ms;

	without_caches(argv);
	if (argc == 1 && getenv("TEST_SRCDIR"))
		return check(getenv("TEST_SRCDIR"));
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint64_t *to = c == 'w' ? &warm_up : c == 'r' ? &requests : c == 'l' ? &limit : c == 'e' ? &each : NULL;

		if (!to)
			return usage();
		*to = strtoull(optarg, NULL, 10);
	}
	if (optind + 1 != argc)
		return usage();
	stage_start();
	read_folder(argv[optind], each > 0);
	if (each > 0)
		return measure_each(each);
	start_ms = clock_mono_ms();
	before = play_some(0, warm_up);
	printf("%zu inputs that prove nothing; heap in use after %" PRIu64 " requests: %" PRIu64 " bytes\n", inputs_n,
	       warm_up, before);
	for (uint64_t i = 0; i < STEPS; i++) {
		uint64_t from = requests * i / STEPS;
		uint64_t until = requests * (i + 1) / STEPS;

		after = play_some(warm_up + from, until - from);
		printf("  after another %7" PRIu64 ": %+" PRId64 " bytes\n", until, (int64_t)(after - before));
		(void)fflush(stdout);
	}
	printf("%" PRIu64 " requests in %.1f s; growth %" PRId64 " bytes, allowed %" PRIu64
	       "; mallinfo2 says %zu in use\n",
	       warm_up + requests, (double)(clock_mono_ms() - start_ms) / 1000, (int64_t)(after - before), limit,
	       mallinfo2().uordblks + mallinfo2().hblkhd);
	stage_stop();
	return (int64_t)(after - before) < (int64_t)limit ? 0 : 1;
}

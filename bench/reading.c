/* SPDX-License-Identifier: MIT */
/*
 * Measures the time to read one webhook (JSON parse, matchers, pointer walks), and that of the parse alone in the same
 * loop.
 *
 *   bench/reading FOLDER [ROUNDS]     FOLDER: the definitions, whose own samples are read, each filled up to 1.5 KiB
 *
 * Rounds of parsing and reading alternate, so that the machine's noise is in both; the medians are printed.
 */
#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/yaml.h"
#include "helpdesk/parse/batch.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "helpdesk/parse/samples.h"

#define RECEIVED_MS INT64_C(1795176000000)
#define BYTES 1536
#define TIMES 500 /* webhooks per round */
#define ROUNDS_MAX 1001

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Adds a member that is not read, so that the body is BYTES long, as webhooks have many such members. */
static char *filled_up(const char *body)
{
	size_t len = strlen(body);
	CLEANUP(mem_freep) char *text = NULL;

	if (body[0] != '{' || len + 24 > BYTES)
		return mem_str(body);
	text = mem_new(BYTES - len, 1);
	memset(text, 'x', BYTES - len - 24);
	return mem_fmt("{\"description\":\"%s\",%s", text, body + 1);
}

static double parse_once(const struct webhook *w)
{
	int64_t start = clock_mono_us();

	for (int i = 0; i < TIMES; i++) {
		struct json_object *o = NULL;

		if (json_read(w->body, w->body_len, &o, NULL) < 0)
			return 0;
		json_object_put(o);
	}
	return (double)(clock_mono_us() - start) / TIMES;
}

static double read_once(const struct definition *d, const struct webhook *w)
{
	int64_t start = clock_mono_us();

	for (int i = 0; i < TIMES; i++) {
		struct parsed_webhook *p = parsed_webhook_borrow(d, w);

		if (p->result.kind != PARSE_SIGNAL) {
			fprintf(stderr, "bench/reading: %s\n", p->result.reason);
			exit(1);
		}
		parsed_webhook_free(p);
	}
	return (double)(clock_mono_us() - start) / TIMES;
}

static void measure(const char *name, const struct definition *d, size_t rounds)
{
	const struct sample_values values = {.now_ms = RECEIVED_MS};
	struct webhook w = {.received_ms = RECEIVED_MS};
	static double parsing[ROUNDS_MAX], reading[ROUNDS_MAX];
	struct sample sample;

	if (definition_sample_fill(d, TRANSITION_OPENED, &values, &sample) < 0)
		return;
	w.query = sample.query;
	w.headers = sample.headers;
	w.body = filled_up(sample.body);
	w.body_len = strlen(w.body);
	for (size_t i = 0; i < rounds; i++) {
		parsing[i] = parse_once(&w);
		reading[i] = read_once(d, &w);
	}
	qsort(parsing, rounds, sizeof(*parsing), compare);
	qsort(reading, rounds, sizeof(*reading), compare);
	printf("%-16s %6zu %10.2f %10.2f %8.2f\n", name, w.body_len, parsing[rounds / 2], reading[rounds / 2],
	       parsing[rounds / 2] > 0 ? reading[rounds / 2] / parsing[rounds / 2] : 0);
	free(w.body);
	sample_done(&sample);
}

static void measure_file(const char *folder, const char *file, size_t rounds)
{
	static const struct definition_binding binding = {.base_url = "https://desk.example.com"};
	CLEANUP(mem_freep) char *path = mem_fmt("%s/%s", folder, file);
	CLEANUP(mem_freep) char *name = mem_strn(file, strlen(file) - strlen(".yaml"));
	struct problems problems = {0};
	struct definition *d = NULL;
	struct node *tree = NULL;

	if (yaml_load_file(path, &tree, &problems) == 0)
		d = definition_read(tree, &binding, &problems);
	if (d)
		measure(name, d, rounds);
	else
		problems_print(&problems, stderr);
	definition_free(d);
	node_free(tree);
	problems_done(&problems);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 31;
	struct dirent **files;
	int n = argc > 1 ? scandir(argv[1], &files, NULL, alphasort) : -1;

	if (n < 0 || rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench/reading FOLDER-OF-DEFINITIONS [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
		return 2;
	}
	printf("%-16s %6s %10s %10s %8s\n", "DEFINITION", "BYTES", "PARSE us", "READ us", "RATIO");
	for (int i = 0; i < n; i++) {
		const char *end = strrchr(files[i]->d_name, '.');

		if (end && strcmp(end, ".yaml") == 0)
			measure_file(argv[1], files[i]->d_name, rounds);
		free(files[i]);
	}
	free(files);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/faults.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "sandbox/check.h"

#define SPEC_MAX 1024

struct fault {
	char *spec; /* as given */
	/* what */
	struct fault_verdict verdict;
	/* which requests; NULL: any */
	char *path, *method, *email, *account;
	/* when: of the requests that match, counted from 1 */
	unsigned long first, after, every; /* 0: not given */
	int64_t until_ms;                  /* CLOCK_NEVER_MS: no end */
	unsigned long matched, fired;
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int read_number(const char *key, const char *value, unsigned long min, unsigned long max, unsigned long *ret,
		       struct err *reterr)
{
	uint64_t n;

	if (text_digits(value, strlen(value), max, &n) < 0 || n < min)
		return err_set(reterr, -EINVAL, "%s=%s: expected a whole number from %lu to %lu", key, value, min, max);
	*ret = n;
	return 0;
}

static int read_duration(const char *key, const char *value, int64_t *ret_ms, struct err *reterr)
{
	long long ms;

	if (text_duration(value, &ms) < 0 || ms < 0 || ms > CLOCK_DAY_MS)
		return err_set(reterr, -EINVAL, "%s=%s: expected a duration of at most a day, such as 500ms or 10s",
			       key, value);
	*ret_ms = ms;
	return 0;
}

static int read_path(const char *value, char **ret, struct err *reterr)
{
	static const char *const names[][2] = {
		{"events", "/api/events"},     {"bulk", "/api/event-bulk-create-jobs"}, {"metrics", "/api/metrics"},
		{"profiles", "/api/profiles"}, {"accounts", "/api/accounts"},
	};
	const char *path = *value == '/' ? value : NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !path; i++)
		if (strcmp(names[i][0], value) == 0)
			path = names[i][1];
	if (!path)
		return err_set(reterr, -EINVAL,
			       "path=%s: expected events, bulk, metrics, profiles, accounts, or a path with a /",
			       value);
	free(*ret);
	*ret = mem_strn(path, strlen(path) - (strlen(path) > 1 && path[strlen(path) - 1] == '/'));
	return 0;
}

static void replace_text(char **to, const char *value)
{
	free(*to);
	*to = mem_str(value);
}

static int read_valued(struct fault *f, const char *key, const char *value, int64_t now_ms, struct err *reterr)
{
	int64_t ms = 0;
	unsigned long n;
	int r = 0;

	if (strcmp(key, "status") == 0) {
		r = read_number(key, value, 200, 599, &n, reterr);
		if (r == 0)
			f->verdict.status = (unsigned)n;
	} else if (strcmp(key, "retry-after") == 0) {
		r = read_number(key, value, 0, 86400, &n, reterr);
		if (r == 0)
			f->verdict.retry_after_s = (long)n;
	} else if (strcmp(key, "delay") == 0) {
		r = read_duration(key, value, &f->verdict.delay_ms, reterr);
	} else if (strcmp(key, "for") == 0) {
		r = read_duration(key, value, &ms, reterr);
		if (r == 0)
			f->until_ms = now_ms + ms;
	} else if (strcmp(key, "first") == 0) {
		r = read_number(key, value, 1, UINT_MAX, &f->first, reterr);
	} else if (strcmp(key, "after") == 0) {
		r = read_number(key, value, 0, UINT_MAX, &f->after, reterr);
	} else if (strcmp(key, "every") == 0) {
		r = read_number(key, value, 1, UINT_MAX, &f->every, reterr);
	} else if (strcmp(key, "path") == 0) {
		r = read_path(value, &f->path, reterr);
	} else if (strcmp(key, "method") == 0) {
		replace_text(&f->method, value);
	} else if (strcmp(key, "email") == 0) {
		replace_text(&f->email, value);
	} else if (strcmp(key, "account") == 0) {
		replace_text(&f->account, value);
	} else {
		r = -ENOENT;
	}
	return r;
}

static int read_flag(struct fault *f, const char *word)
{
	static const char *const forms[] = {[FAULT_FORM_HTML] = "html",
					    [FAULT_FORM_JSON] = "json",
					    [FAULT_FORM_TEXT] = "text",
					    [FAULT_FORM_EMPTY] = "empty"};

	for (enum fault_form form = FAULT_FORM_HTML; form <= FAULT_FORM_EMPTY; form++) {
		if (strcmp(word, forms[form]) != 0)
			continue;
		f->verdict.form = form;
		return 0;
	}
	if (strcmp(word, "reset") == 0) {
		f->verdict.cut = FAULT_CUT_RESET;
	} else if (strcmp(word, "die") == 0) {
		f->verdict.cut = FAULT_CUT_DIE;
	} else if (strcmp(word, "challenge") == 0) {
		f->verdict.status = 403;
		f->verdict.form = FAULT_FORM_HTML;
		f->verdict.challenge = true;
	} else {
		return -ENOENT;
	}
	return 0;
}

static int read_word(struct fault *f, char *word, int64_t now_ms, struct err *reterr)
{
	static const char *const words[] = {"status",    "retry-after", "html",  "json",  "text",  "empty",
					    "challenge", "reset",       "die",   "delay", "path",  "method",
					    "email",     "account",     "after", "first", "every", "for"};
	CLEANUP(mem_freep) char *meant = NULL;
	char *value = strchr(word, '=');
	int r;

	if (value)
		*value++ = '\0';
	r = value ? read_valued(f, word, value, now_ms, reterr) : read_flag(f, word);
	if (r != -ENOENT)
		return r;
	meant = text_suggestion(" (", ")", word, words, sizeof(words) / sizeof(words[0]));
	return err_set(reterr, -EINVAL, "unknown word \"%s\"%s", word, meant);
}

static int fault_check(const struct fault *f, struct err *reterr)
{
	const struct fault_verdict *v = &f->verdict;

	if (v->status == 0 && v->cut == FAULT_CUT_NONE && v->delay_ms == 0)
		return err_set(reterr, -EINVAL, "nothing goes wrong: say status=N, reset, die, challenge or delay=…");
	if (v->status != 0 && v->cut != FAULT_CUT_NONE)
		return err_set(reterr, -EINVAL, "an answer (status) and none (reset, die) exclude each other");
	if (v->status == 0 && (v->retry_after_s >= 0 || v->form != FAULT_FORM_OWN))
		return err_set(reterr, -EINVAL, "retry-after, html, json, text and empty need a status");
	return 0;
}

static void fault_done(struct fault *f)
{
	free(f->spec);
	free(f->path);
	free(f->method);
	free(f->email);
	free(f->account);
}

int faults_add(struct faults *f, const char *spec, int64_t now_ms, struct err *reterr)
{
	struct fault new = {.verdict.retry_after_s = -1, .until_ms = CLOCK_NEVER_MS};
	CLEANUP(mem_freep) char *copy = mem_str(spec);
	char *rest = copy;
	char *word;
	int r = 0;

	if (f->n == FAULTS_MAX)
		return err_set(reterr, -ENOSPC, "more than %d faults", FAULTS_MAX);
	if (strlen(spec) > SPEC_MAX)
		return err_set(reterr, -EINVAL, "longer than %d characters", SPEC_MAX);
	while (r == 0 && (word = strsep(&rest, ",")))
		r = read_word(&new, text_trim(word), now_ms, reterr);
	if (r == 0)
		r = fault_check(&new, reterr);
	if (r < 0) {
		fault_done(&new);
		(void)err_prefix(reterr, "fault \"%.100s\"", spec);
		return r;
	}
	new.spec = mem_str(spec);
	MEM_ROOM(f->items, f->n);
	f->items[f->n++] = new;
	return 0;
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

struct fault_verdict faults_judge(struct faults *f, const struct fault_subject *s)
{
	struct fault_verdict v = {.retry_after_s = -1};
	int64_t delay_ms = 0;
	bool decided = false;

	for (size_t i = 0; i < f->n; i++) {
		struct fault *item = &f->items[i];

		if (s->now_ms >= item->until_ms || (item->path && strcmp(item->path, s->path) != 0) ||
		    (item->method && !text_same(item->method, s->method)) ||
		    (item->account && strcmp(item->account, s->account) != 0) ||
		    (item->email && !check_concerns(s->body, item->email)))
			continue;
		item->matched++;
		if (decided || item->matched <= item->after)
			continue;
		if (item->every != 0 && (item->matched - item->after) % item->every != 0)
			continue;
		if (item->first != 0 && item->fired >= item->first)
			continue;
		item->fired++;
		delay_ms += item->verdict.delay_ms;
		if (item->verdict.status != 0 || item->verdict.cut != FAULT_CUT_NONE) {
			v = item->verdict;
			decided = true;
		}
	}
	v.delay_ms = delay_ms;
	return v;
}

void faults_clear(struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		fault_done(&f->items[i]);
	free(f->items);
	*f = (struct faults){0};
}

struct json_object *faults_json(const struct faults *f)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < f->n; i++) {
		struct json_object *o = json_object_new_object();

		json_set_str(o, "spec", f->items[i].spec);
		json_set_int(o, "matched", (int64_t)f->items[i].matched);
		json_set_int(o, "fired", (int64_t)f->items[i].fired);
		json_object_array_add(list, o);
	}
	return list;
}

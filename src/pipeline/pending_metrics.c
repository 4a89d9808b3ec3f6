/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/pending_metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

void pending_metrics_add_many(struct pending_metrics *t, enum metric m, const char *label1, const char *label2,
			      const char *label3, size_t n)
{
	const char *labels[3] = {label1, label2, label3};
	struct pending_count *c;

	/* A turn meets few different series; the latest come again. */
	for (size_t i = t->counts_n; i-- > 0;) {
		c = &t->counts[i];
		if (c->metric == m && text_is(c->labels[0], label1) && text_is(c->labels[1], label2) &&
		    text_is(c->labels[2], label3)) {
			c->n += (double)n;
			return;
		}
	}
	MEM_ROOM_KEPT(t->counts, t->counts_n, t->counts_alloc);
	c = &t->counts[t->counts_n++];
	*c = (struct pending_count){.metric = m, .n = (double)n};
	for (unsigned i = 0; i < 3; i++)
		c->labels[i] = mem_str(labels[i]);
}

void pending_metrics_observe(struct pending_metrics *t, enum metric m, double seconds)
{
	MEM_ROOM_KEPT(t->observations, t->observations_n, t->observations_alloc);
	t->observations[t->observations_n].metric = m;
	t->observations[t->observations_n++].seconds = seconds;
}

static void lines_cut(struct pending_metrics *t, size_t n)
{
	while (t->lines_n > n) {
		struct pending_line *l = &t->lines[--t->lines_n];

		free((char *)(uintptr_t)l->about.source);
		free((char *)(uintptr_t)l->about.account);
		free((char *)(uintptr_t)l->about.conversation);
		free((char *)(uintptr_t)l->about.reason);
		free(l->text);
	}
}

void pending_log_line(struct pending_metrics *t, int level, const struct log_about *about, bool rare, const char *fmt,
		      ...)
{
	char text[512];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	MEM_ROOM_KEPT(t->lines, t->lines_n, t->lines_alloc);
	t->lines[t->lines_n++] = (struct pending_line){
		.level = level,
		.about = {.source = mem_str(about->source),
			  .account = mem_str(about->account),
			  .conversation = mem_str(about->conversation),
			  .reason = mem_str(about->reason),
			  .webhook = about->webhook,
			  .event = about->event},
		.text = mem_str(text),
		.rare = rare,
	};
}

static struct pending_rare_line *rare_get(struct pending_metrics *t, const struct log_about *about)
{
	for (size_t i = 0; i < t->rare_n; i++)
		if (text_is(t->rare[i].source, about->source) && text_is(t->rare[i].reason, about->reason))
			return &t->rare[i];
	MEM_ROOM(t->rare, t->rare_n);
	t->rare[t->rare_n] =
		(struct pending_rare_line){.source = mem_str(about->source), .reason = mem_str(about->reason)};
	return &t->rare[t->rare_n++];
}

void pending_log_refused(struct pending_metrics *t, const struct log_about *about, const struct addresses *a)
{
	struct log_about line = *about;

	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++) {
		const struct addresses_refused *r = &a->refused[f];

		if (r->n == 0)
			continue;
		line.reason = email_fault_name(f);
		pending_metrics_add_many(t, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, r->n);
		if (r->n == 1)
			pending_log_line(t, LOG_NOTICE, &line, true, "a text is no address and was passed over: %s",
					 r->shown);
		else
			pending_log_line(t, LOG_NOTICE, &line, true,
					 "a text is no address and was passed over: %s (%zu of them)", r->shown, r->n);
	}
	if (a->left_out == 0)
		return;
	line.reason = ADDRESSES_TOO_MANY;
	pending_metrics_add_many(t, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, a->left_out);
	pending_log_line(t, LOG_WARNING, &line, true, "%zu address%s left out: a customer has at most %d here",
			 a->left_out, a->left_out == 1 ? " was" : "es were", ADDRESSES_MAX);
}

void pending_metrics_savepoint(struct pending_metrics *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		t->counts[i].kept = t->counts[i].n;
	t->observations_kept = t->observations_n;
	t->lines_kept = t->lines_n;
}

/* A series that came since then stays, at 0. */
void pending_metrics_undo(struct pending_metrics *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		t->counts[i].n = t->counts[i].kept;
	t->observations_n = t->observations_kept;
	lines_cut(t, t->lines_kept);
}

void pending_metrics_publish(struct pending_metrics *t, int64_t mono_ms)
{
	for (size_t i = 0; i < t->counts_n; i++) {
		const struct pending_count *c = &t->counts[i];

		if (c->n > 0)
			metrics_add(c->metric, c->labels[0], c->labels[1], c->labels[2], c->n);
	}
	for (size_t i = 0; i < t->observations_n; i++)
		metrics_observe(t->observations[i].metric, t->observations[i].seconds);
	for (size_t i = 0; i < t->lines_n; i++) {
		const struct pending_line *l = &t->lines[i];
		char more[RATELIMIT_MORE_MAX];
		unsigned left_out = 0;

		if (l->rare && !ratelimit_passes(&rare_get(t, &l->about)->limit, mono_ms, PENDING_RARE_MS, &left_out))
			continue;
		log_write(l->level, &l->about, "%s%s", l->text, ratelimit_suffix(left_out, more));
	}
	pending_metrics_drop(t);
}

void pending_metrics_drop(struct pending_metrics *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		for (unsigned k = 0; k < 3; k++)
			free(t->counts[i].labels[k]);
	t->counts_n = 0;
	t->observations_n = t->observations_kept = 0;
	lines_cut(t, 0);
	t->lines_kept = 0;
}

void pending_metrics_done(struct pending_metrics *t)
{
	pending_metrics_drop(t);
	free(t->counts);
	free(t->observations);
	free(t->lines);
	for (size_t i = 0; i < t->rare_n; i++) {
		free(t->rare[i].source);
		free(t->rare[i].reason);
	}
	free(t->rare);
	*t = (struct pending_metrics){0};
}

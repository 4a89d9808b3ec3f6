/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/pending_metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

#define PENDING_SERIES_KEPT 32

void pending_metrics_add_many(struct pending_metrics *p, enum metric m, const char *label1, const char *label2,
			      const char *label3, size_t n)
{
	const char *labels[3] = {label1, label2, label3};
	struct pending_count *c;

	/* A turn has few series, and the latest are likely to repeat. */
	for (size_t i = p->counts_n; i-- > 0;) {
		c = &p->counts[i];
		if (c->metric == m && text_is(c->labels[0], label1) && text_is(c->labels[1], label2) &&
		    text_is(c->labels[2], label3)) {
			c->n += (double)n;
			return;
		}
	}
	MEM_ROOM_KEPT(p->counts, p->counts_n, p->counts_alloc);
	c = &p->counts[p->counts_n++];
	*c = (struct pending_count){.metric = m, .n = (double)n};
	for (unsigned i = 0; i < 3; i++)
		c->labels[i] = mem_str(labels[i]);
}

void pending_metrics_observe(struct pending_metrics *p, enum metric m, double seconds)
{
	MEM_ROOM_KEPT(p->observations, p->observations_n, p->observations_alloc);
	p->observations[p->observations_n].metric = m;
	p->observations[p->observations_n++].seconds = seconds;
}

static void lines_cut(struct pending_metrics *p, size_t n)
{
	while (p->lines_n > n) {
		struct pending_line *l = &p->lines[--p->lines_n];

		free((char *)(uintptr_t)l->about.source);
		free((char *)(uintptr_t)l->about.account);
		free((char *)(uintptr_t)l->about.conversation);
		free((char *)(uintptr_t)l->about.reason);
		free(l->text);
	}
}

void pending_log_line(struct pending_metrics *p, int level, const struct log_about *about, bool rare, const char *fmt,
		      ...)
{
	char text[512];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	MEM_ROOM_KEPT(p->lines, p->lines_n, p->lines_alloc);
	p->lines[p->lines_n++] = (struct pending_line){
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

static struct pending_rare_line *rare_get(struct pending_metrics *p, const struct log_about *about)
{
	for (size_t i = 0; i < p->rare_n; i++)
		if (text_is(p->rare[i].source, about->source) && text_is(p->rare[i].reason, about->reason))
			return &p->rare[i];
	MEM_ROOM(p->rare, p->rare_n);
	p->rare[p->rare_n] =
		(struct pending_rare_line){.source = mem_str(about->source), .reason = mem_str(about->reason)};
	return &p->rare[p->rare_n++];
}

void pending_log_refused(struct pending_metrics *p, const struct log_about *about, const struct addresses *a)
{
	struct log_about line = *about;

	for (enum email_fault f = EMAIL_GOOD; f < EMAIL_FAULTS_; f++) {
		const struct addresses_refused *r = &a->refused[f];

		if (r->n == 0)
			continue;
		line.reason = email_fault_name(f);
		pending_metrics_add_many(p, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, r->n);
		if (r->n == 1)
			pending_log_line(p, LOG_NOTICE, &line, true, "a text is no address and was passed over: %s",
					 r->shown);
		else
			pending_log_line(p, LOG_NOTICE, &line, true,
					 "a text is no address and was passed over: %s (%zu of them)", r->shown, r->n);
	}
	if (a->left_out == 0)
		return;
	line.reason = ADDRESSES_TOO_MANY;
	pending_metrics_add_many(p, METRIC_ADDRESSES_REFUSED, about->source, line.reason, NULL, a->left_out);
	pending_log_line(p, LOG_WARNING, &line, true, "%zu address%s left out: a customer has at most %d here",
			 a->left_out, a->left_out == 1 ? " was" : "es were", ADDRESSES_MAX);
}

void pending_metrics_savepoint(struct pending_metrics *p)
{
	for (size_t i = 0; i < p->counts_n; i++)
		p->counts[i].kept = p->counts[i].n;
	p->observations_kept = p->observations_n;
	p->lines_kept = p->lines_n;
}

/* A series that was added after the savepoint stays, at 0. */
void pending_metrics_undo(struct pending_metrics *p)
{
	for (size_t i = 0; i < p->counts_n; i++)
		p->counts[i].n = p->counts[i].kept;
	p->observations_n = p->observations_kept;
	lines_cut(p, p->lines_kept);
}

void pending_metrics_publish(struct pending_metrics *p, int64_t mono_ms)
{
	for (size_t i = 0; i < p->counts_n; i++) {
		const struct pending_count *c = &p->counts[i];

		if (c->n > 0)
			metrics_add(c->metric, c->labels[0], c->labels[1], c->labels[2], c->n);
	}
	for (size_t i = 0; i < p->observations_n; i++)
		metrics_observe(p->observations[i].metric, p->observations[i].seconds);
	for (size_t i = 0; i < p->lines_n; i++) {
		const struct pending_line *l = &p->lines[i];
		unsigned left_out = 0;
		char more[RATELIMIT_MORE_MAX];

		if (l->rare && !ratelimit_passes(&rare_get(p, &l->about)->limit, mono_ms, PENDING_RARE_MS, &left_out))
			continue;
		log_write(l->level, &l->about, "%s%s", l->text, ratelimit_suffix(left_out, more));
	}
	pending_metrics_drop(p);
}

static void counts_clear(struct pending_metrics *p)
{
	for (size_t i = 0; i < p->counts_n; i++)
		for (unsigned k = 0; k < 3; k++)
			free(p->counts[i].labels[k]);
	p->counts_n = 0;
}

void pending_metrics_drop(struct pending_metrics *p)
{
	/* The next turn is likely to have the same series, so they stay, at 0. */
	if (p->counts_n > PENDING_SERIES_KEPT)
		counts_clear(p);
	for (size_t i = 0; i < p->counts_n; i++)
		p->counts[i].n = p->counts[i].kept = 0;
	p->observations_n = p->observations_kept = 0;
	lines_cut(p, 0);
	p->lines_kept = 0;
}

void pending_metrics_done(struct pending_metrics *p)
{
	pending_metrics_drop(p);
	counts_clear(p);
	free(p->counts);
	free(p->observations);
	free(p->lines);
	for (size_t i = 0; i < p->rare_n; i++) {
		free(p->rare[i].source);
		free(p->rare[i].reason);
	}
	free(p->rare);
	*p = (struct pending_metrics){0};
}

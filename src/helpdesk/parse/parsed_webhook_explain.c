/* SPDX-License-Identifier: MIT */
/*
 * A reading for people: every matcher that was asked and what it saw, and what stood at each place of the definition.
 * It is for the operator who runs explain: addresses are shown as they are, as they are in the events below it.
 */
#include <config.h>

#include "helpdesk/parse/parsed_webhook.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/expr/property_value.h"

struct telling {
	const struct definition *d;
	const struct eval_context *s;
	struct buf *to;
	bool later; /* of the references under look: one is a name that only a lookup tells */
};

/* ---- matchers ---------------------------------------------------------------------------------------------------- */

/* Whether it holds; its conditions stand indented below its name. */
static bool tell_matcher(const char *name, const struct matcher *m, const struct telling *t)
{
	struct buf lines;
	bool holds;

	if (!m)
		return false;
	buf_init(&lines, t->to->cap);
	holds = matcher_explain(m, t->s, &lines);
	buf_addf(t->to, "%s: %s\n", name, holds ? "yes" : "no");
	for (const char *line = lines.data; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		buf_addf(t->to, "  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	buf_done(&lines);
	return holds;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void tell_value_expr(const char *name, const struct value_expr *f, const struct telling *t)
{
	CLEANUP(mem_freep) char *text = f ? value_expr_text(f, t->s) : NULL;
	char shown[PROPERTY_SHOWN_MAX];

	if (f)
		buf_addf(t->to, "%s: %s %s%s\n", name, value_expr_written(f), text ? "is " : "holds nothing",
			 text ? property_value_line(text, shown) : "");
}

/* As it stands there, and as it is understood. */
static void tell_time(const char *name, const struct value_expr *f, const struct telling *t)
{
	CLEANUP(mem_freep) char *text = f ? value_expr_text(f, t->s) : NULL;
	char shown[PROPERTY_SHOWN_MAX], iso[CLOCK_ISO_MAX];
	int64_t ms;

	if (!text) {
		tell_value_expr(name, f, t);
		return;
	}
	buf_addf(t->to, "%s: %s is %s", name, value_expr_written(f), property_value_line(text, shown));
	if (clock_parse(text, strlen(text), &ms) < 0) {
		buf_adds(t->to, ", which is no time that can be read\n");
		return;
	}
	clock_iso(ms, iso);
	buf_addf(t->to, "%s%s\n", strcmp(iso, text) == 0 ? "" : ", which is ", strcmp(iso, text) == 0 ? "" : iso);
}

void addresses_describe_refused_lines(const struct addresses *a, const char *before, struct buf *to)
{
	struct buf refused;

	buf_init(&refused, to->cap);
	addresses_describe_refused(a, &refused);
	if (refused.len > 0)
		buf_addf(to, "%sno address: %s\n", before, refused.data);
	if (a->left_out > 0)
		buf_addf(to, "%s%zu more than the %d that count %s left out\n", before, a->left_out, ADDRESSES_MAX,
			 a->left_out == 1 ? "is" : "are");
	buf_done(&refused);
}

static void tell_emails(const struct telling *t)
{
	const struct email_refs *p = &t->d->emails;
	struct addresses found = {0};

	if (p->n == 0)
		return;
	(void)email_refs_read(p, t->s, &found);
	buf_adds(t->to, "emails: ");
	for (size_t i = 0; i < p->n; i++)
		buf_addf(t->to, "%s%s", i > 0 ? " or " : "", reference_text(p->emails[i]));
	buf_adds(t->to, found.n > 0 ? " holds " : " holds no address");
	for (size_t i = 0; i < found.n; i++)
		buf_addf(t->to, "%s%s%s", i > 0 ? ", " : "", found.items[i].email,
			 found.items[i].primary ? " (primary)" : "");
	buf_addc(t->to, '\n');
	addresses_describe_refused_lines(&found, "emails: ", t->to);
	addresses_done(&found);
}

/* ---- attributes and URL ------------------------------------------------------------------------------------------ */

/* A name without a value that a step of the lookup takes. */
static void see_later(void *ctx, const struct reference *r)
{
	struct telling *t = ctx;
	const char *name = reference_name(r);
	CLEANUP(mem_freep) char *value = name ? reference_scalar(r, t->s) : NULL;

	for (size_t i = 0; name && !value && i < t->d->steps_n; i++)
		t->later = t->later || step_takes(&t->d->steps[i], name);
}

static void tell_attribute(void *ctx, const char *name, const struct value_expr *from, struct json_object *value)
{
	struct telling *t = ctx;
	/* A value that the map leaves out is in the webhook all the same. */
	CLEANUP(json_putp) struct json_object *there = value ? NULL : value_expr_json(from, t->s);
	CLEANUP(mem_freep) char *text = value || there ? json_text(value ? value : there) : NULL;
	char shown[PROPERTY_SHOWN_MAX];

	buf_addf(t->to, "attribute %s: ", name);
	if (value) {
		buf_addf(t->to, "%s, by %s\n", property_value_line(text, shown), value_expr_written(from));
		return;
	}
	t->later = false;
	value_expr_references(from, see_later, t);
	buf_adds(t->to, value_expr_written(from));
	if (text)
		buf_addf(t->to, " is %s, which its map leaves out\n", property_value_line(text, shown));
	else
		buf_addf(t->to, " holds nothing%s\n", t->later ? " before the lookup" : "");
}

static void tell_url(struct telling *t)
{
	CLEANUP(mem_freep) char *url = NULL;
	struct err e;

	if (!t->d->conversation_url)
		return;
	if (links_render(t->d->conversation_url, t->s, &url, &e) == 0) {
		buf_addf(t->to, "conversation_url: %s\n", url);
		return;
	}
	t->later = false;
	if (!t->s->taken)
		links_references(t->d->conversation_url, see_later, t);
	buf_addf(t->to, "conversation_url: left out, %s%s\n", e.text, t->later ? " before the lookup" : "");
}

void parsed_webhook_explain_url(const struct parsed_webhook *p, struct buf *to)
{
	struct telling t = {.d = p->definition, .s = &p->context, .to = to};

	if (p->has_item)
		tell_url(&t);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

void parse_result_describe_unknown_state(const struct parse_result *r, const char *source, struct buf *to)
{
	const char *transition = transition_name(r->signal.transition);
	char outcome[64];

	if (r->kind == PARSE_SIGNAL)
		(void)snprintf(outcome, sizeof(outcome), "the webhook is read as %s",
			       r->signal.transition == TRANSITION_NONE ? "identified" : transition);
	else
		(void)snprintf(outcome, sizeof(outcome), "the webhook %s",
			       r->kind == PARSE_IGNORED ? "is ignored" : "cannot be read");
	unknown_state_describe(&r->unknown_state, source, outcome, to);
}

void parsed_webhook_explain(const struct parsed_webhook *p, struct buf *to)
{
	const struct definition *d = p->definition;
	struct telling t = {.d = d, .s = &p->context, .to = to};
	bool said;

	if (!p->has_item) {
		buf_addf(to, "%s\n", p->result.reason);
		return;
	}
	if (p->webhook.read)
		buf_addf(to, "the first reading said %s, and that stands\n", transition_name(p->webhook.transition));
	/* In the order in which they are asked, up to the one that holds. */
	said = tell_matcher("ping", d->ping, &t);
	for (size_t i = 0; i < MATCH_ORDER_N && !said; i++)
		said = tell_matcher(transition_name(match_order[i]), d->says[match_order[i]], &t);
	if (!said)
		(void)tell_matcher("identified", d->identified, &t);
	tell_value_expr("conversation", d->conversation, &t);
	tell_value_expr("customer", d->customer, &t);
	tell_emails(&t);
	tell_time("time", d->time, &t);
	tell_time("created", d->created, &t);
	tell_time("closed_at", d->closed_at, &t);
	if (d->delivery && value_expr_is_body(d->delivery, t.s))
		buf_adds(to, "delivery: body: path, query, transition and body together\n");
	else
		tell_value_expr("delivery", d->delivery, &t);
	attributes_each(d->attributes, t.s, tell_attribute, &t);
	tell_url(&t);
}

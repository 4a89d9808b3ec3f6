/* SPDX-License-Identifier: MIT */
/*
 * Explains a parse for people: every evaluated matcher with the values it read, and the value of each expression of the
 * definition. It is for the operator who runs explain, so addresses are not masked.
 */
#include <config.h>

#include "helpdesk/parse/parsed_webhook.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/expr/property_value.h"

struct explanation {
	const struct definition *d;
	const struct eval_context *s;
	struct buf *to;
	bool later; /* an examined reference is a name that only a lookup gives */
};

/* ---- matchers ---------------------------------------------------------------------------------------------------- */

/* Adds a matcher, with its conditions indented below its name. True where it holds. */
static bool explain_matcher(const char *name, const struct matcher *m, const struct explanation *e)
{
	struct buf lines;
	bool holds;

	if (!m)
		return false;
	buf_init(&lines, e->to->cap);
	holds = matcher_explain(m, e->s, &lines);
	buf_addf(e->to, "%s: %s\n", name, holds ? "yes" : "no");
	for (const char *line = lines.data; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		buf_addf(e->to, "  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	buf_done(&lines);
	return holds;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void explain_value_expr(const char *name, const struct value_expr *f, const struct explanation *e)
{
	CLEANUP(mem_freep) char *text = f ? value_expr_text(f, e->s) : NULL;
	char shown[PROPERTY_SHOWN_MAX];

	if (f)
		buf_addf(e->to, "%s: %s %s%s\n", name, value_expr_written(f), text ? "is " : "holds nothing",
			 text ? property_value_line(text, shown) : "");
}

/* Adds a time as it is written and as it is parsed. */
static void explain_time(const char *name, const struct value_expr *f, const struct explanation *e)
{
	CLEANUP(mem_freep) char *text = f ? value_expr_text(f, e->s) : NULL;
	char shown[PROPERTY_SHOWN_MAX], iso[CLOCK_ISO_MAX];
	int64_t ms;

	if (!text) {
		explain_value_expr(name, f, e);
		return;
	}
	buf_addf(e->to, "%s: %s is %s", name, value_expr_written(f), property_value_line(text, shown));
	if (clock_parse(text, strlen(text), &ms) < 0) {
		buf_adds(e->to, ", which is no time that can be read\n");
		return;
	}
	clock_iso(ms, iso);
	buf_addf(e->to, "%s%s\n", strcmp(iso, text) == 0 ? "" : ", which is ", strcmp(iso, text) == 0 ? "" : iso);
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

static void explain_emails(const struct explanation *e)
{
	const struct email_refs *p = &e->d->emails;
	struct addresses found = {0};

	if (p->n == 0)
		return;
	(void)email_refs_read(p, e->s, &found);
	buf_adds(e->to, "emails: ");
	for (size_t i = 0; i < p->n; i++)
		buf_addf(e->to, "%s%s", i > 0 ? " or " : "", reference_text(p->emails[i]));
	buf_adds(e->to, found.n > 0 ? " holds " : " holds no address");
	for (size_t i = 0; i < found.n; i++)
		buf_addf(e->to, "%s%s%s", i > 0 ? ", " : "", found.items[i].email,
			 found.items[i].primary ? " (primary)" : "");
	buf_addc(e->to, '\n');
	addresses_describe_refused_lines(&found, "emails: ", e->to);
	addresses_done(&found);
}

/* ---- attributes and URL ------------------------------------------------------------------------------------------ */

/* Notes a name without a value that a step of the lookup takes. */
static void note_later(void *ctx, const struct reference *r)
{
	struct explanation *e = ctx;
	const char *name = reference_name(r);
	CLEANUP(mem_freep) char *value = name ? reference_scalar(r, e->s) : NULL;

	for (size_t i = 0; name && !value && i < e->d->steps_n; i++)
		e->later = e->later || step_takes(&e->d->steps[i], name);
}

static void explain_attribute(void *ctx, const char *name, const struct value_expr *from, struct json_object *value)
{
	struct explanation *e = ctx;
	/* A value that the value map leaves out is in the webhook all the same. */
	CLEANUP(json_putp) struct json_object *there = value ? NULL : value_expr_json(from, e->s);
	CLEANUP(mem_freep) char *text = value || there ? json_text(value ? value : there) : NULL;
	char shown[PROPERTY_SHOWN_MAX];

	buf_addf(e->to, "attribute %s: ", name);
	if (value) {
		buf_addf(e->to, "%s, by %s\n", property_value_line(text, shown), value_expr_written(from));
		return;
	}
	e->later = false;
	value_expr_references(from, note_later, e);
	buf_adds(e->to, value_expr_written(from));
	if (text)
		buf_addf(e->to, " is %s, which its map leaves out\n", property_value_line(text, shown));
	else
		buf_addf(e->to, " holds nothing%s\n", e->later ? " before the lookup" : "");
}

static void explain_url(struct explanation *e)
{
	CLEANUP(mem_freep) char *url = NULL;
	struct err why;

	if (!e->d->conversation_url)
		return;
	if (links_render(e->d->conversation_url, e->s, &url, &why) == 0) {
		buf_addf(e->to, "conversation_url: %s\n", url);
		return;
	}
	e->later = false;
	if (!e->s->taken)
		links_references(e->d->conversation_url, note_later, e);
	buf_addf(e->to, "conversation_url: left out, %s%s\n", why.text, e->later ? " before the lookup" : "");
}

void parsed_webhook_explain_url(const struct parsed_webhook *p, struct buf *to)
{
	struct explanation e = {.d = p->definition, .s = &p->context, .to = to};

	if (p->has_item)
		explain_url(&e);
}

/* ---- the whole webhook ------------------------------------------------------------------------------------------- */

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
	struct explanation e = {.d = d, .s = &p->context, .to = to};
	bool holds;

	if (!p->has_item) {
		buf_addf(to, "%s\n", p->result.reason);
		return;
	}
	if (p->webhook.read)
		buf_addf(to, "transition: %s, kept from the first parse\n", transition_name(p->webhook.transition));
	/* In the order of evaluation, up to the matcher that holds. */
	holds = explain_matcher("ping", d->ping, &e);
	for (size_t i = 0; i < MATCH_ORDER_N && !holds; i++)
		holds = explain_matcher(transition_name(match_order[i]), d->transitions[match_order[i]], &e);
	if (!holds)
		(void)explain_matcher("identified", d->identified, &e);
	explain_value_expr("conversation", d->conversation, &e);
	explain_value_expr("customer", d->customer, &e);
	explain_emails(&e);
	explain_time("time", d->time, &e);
	explain_time("created", d->created, &e);
	explain_time("closed_at", d->closed_at, &e);
	if (d->delivery && value_expr_is_body(d->delivery, e.s))
		buf_adds(to, "delivery: body: path, query, transition and body together\n");
	else
		explain_value_expr("delivery", d->delivery, &e);
	attributes_each(d->attributes, e.s, explain_attribute, &e);
	explain_url(&e);
}

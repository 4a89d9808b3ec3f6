/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "shop_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

#define STEPS "[{url: \"{base_url}/customers/{/customer}\", authenticate: basic, emails: /emails/*}]"

struct generation *shop_desk_load(const char *folder, const struct shop_desk *s)
{
	CLEANUP(mem_freep)
	char *text = mem_fmt("version: 1\n"
			     "store: sqlite:%s/deskbridge.db\n"
			     "klaviyo: %s\n"
			     "sources:\n"
			     "  %s:\n"
			     "    %s%s\n"
			     "    authenticate: {method: none}\n"
			     "    %s%s\n"
			     "    definition:\n"
			     "      label: Desk\n"
			     "      authenticate: {method: none}\n"
			     "      opened: {/type: open}\n"
			     "      closed: {/type: close}\n"
			     "      conversation: /conversation\n"
			     "      customer: /customer\n"
			     "      %s%s\n",
			     folder, s->klaviyo, s->source ? s->source : "desk", s->account ? "account: " : "",
			     s->account ? s->account : "", s->lookup ? "lookup: " : "", s->lookup ? s->lookup : "",
			     s->lookup ? "lookup: " : "emails: ",
			     !s->lookup ? "/emails"
			     : s->steps ? s->steps
					: STEPS);

	scripted_write(folder, "deskbridge.yaml", text);
	return scripted_load(folder);
}

struct generation *shop_desk_secret(struct generation *g, const char *folder, const char *file, const char *text)
{
	struct problems problems = {0};
	struct generation *next;

	scripted_write(folder, file, text);
	next = generation_refresh(g, &problems);
	problems_done(&problems);
	assert_non_null(next);
	generation_unref(g);
	return next;
}

struct event *shop_desk_event(int64_t id, unsigned person, const char *url)
{
	struct event *e = mem_new(1, sizeof(*e));

	e->id = id;
	e->webhook = 7;
	e->source = mem_str("desk");
	e->conversation = mem_str("c1");
	e->account = mem_str("shop");
	e->url = mem_str(url);
	e->email = mem_fmt("p%u@example.com", person);
	e->metric = mem_str("closed conversation in Desk");
	(void)snprintf(e->unique_id, sizeof(e->unique_id), "%032x", (unsigned)id);
	e->properties = mem_str("{}");
	e->profile = mem_str("{\"In Desk Conversation\":false}");
	e->time_ms = clock_now_ms() - CLOCK_MINUTE_MS;
	e->late_ms = CLOCK_NEVER_MS;
	return e;
}

struct lookup_request *shop_desk_question(const char *customer, bool is_new)
{
	struct lookup_request *q = mem_new(1, sizeof(*q));
	struct webhook w = {.source = mem_str("desk"), .query = mem_str(""), .path = mem_str("/webhooks/desk")};

	w.body = mem_fmt("{\"type\":\"open\",\"conversation\":\"c1\",\"customer\":\"%s\"}", customer);
	w.body_len = strlen(w.body);
	q->source = mem_str("desk");
	q->key = mem_str(customer);
	q->parsed = parsed_webhook_unparsed(&w);
	q->is_new = is_new;
	return q;
}

/* SPDX-License-Identifier: MIT */
/*
 * with_parse_result: what a webhook says, without more of it; and the walk of its lookup.
 */
#ifndef TESTS_WITH_READING_H
#define TESTS_WITH_READING_H

#include <errno.h>
#include <stdlib.h>

#include "helpdesk/parse/parsed_webhook.h"
#include "helpdesk/plan/lookup_plan.h"

/* told: NULL: nobody was asked. The caller ends the reading. */
static inline void with_parse_result(const struct definition *d, const struct webhook *w, const struct customer *told,
				     struct parse_result *ret)
{
	struct parsed_webhook *p = parsed_webhook_borrow(d, w);
	struct customer c = {0};

	if (told) {
		addresses_copy(&c.addresses, &told->addresses);
		for (size_t i = 0; i < told->taken.n; i++)
			pairs_add(&c.taken, told->taken.items[i].name, told->taken.items[i].value);
		parsed_webhook_add_lookup(p, &c);
	}
	*ret = p->result;
	p->result = (struct parse_result){0};
	parsed_webhook_free(p);
}

static struct parsed_webhook *with_inquiry_webhooks[64];

static inline void with_inquiry_end(void)
{
	for (size_t i = 0; i < sizeof(with_inquiry_webhooks) / sizeof(*with_inquiry_webhooks); i++)
		parsed_webhook_free(with_inquiry_webhooks[i]);
}

/* lookup_plan_new over a copy of w that lives to the end of the test program; d must, too, but for its inquiries. */
static inline int with_inquiry(const struct definition *d, const struct webhook *w, struct lookup_plan **ret,
			       struct err *reterr)
{
	static size_t n;
	struct webhook copy;
	struct parsed_webhook *p;

	if (n == 0)
		(void)atexit(with_inquiry_end);
	webhook_copy(&copy, w);
	p = parsed_webhook_new(d, &copy, NULL, 0);
	parsed_webhook_free(with_inquiry_webhooks[n % 64]);
	with_inquiry_webhooks[n++ % 64] = p;
	return p->is_open ? lookup_plan_new(d, &p->context, ret, reterr)
			  : err_set(reterr, -EINVAL, "%s", p->result.reason);
}

#endif

/*
 * customer: what a helpdesk told about a customer id: addresses, and the names that the definition took. Pure.
 */
#ifndef HELPDESK_EXPR_CUSTOMER_H
#define HELPDESK_EXPR_CUSTOMER_H

#include "base/err.h"
#include "base/text.h"
#include "helpdesk/expr/addresses.h"

struct customer {
	struct addresses addresses;
	struct pairs taken; /* name → value of every `take` */
};
void customer_done(struct customer *c);
/* One JSON line for the store's cache, and back; -EINVAL on anything else. */
char *customer_text(const struct customer *c) MUSTCHECK;
int customer_read(const char *text, struct customer *ret, struct err *reterr) MUSTCHECK;

#endif

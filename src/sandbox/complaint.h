/*
 * complaint: what is wrong with a request, in the form in which Klaviyo says it (JSON:API errors).
 *
 * Pure but for the random id that each error carries. The codes and titles are those seen from Klaviyo where one was
 * seen (400, 401, 429); the rest is in their manner. Nobody should depend on them, and the daemon does not.
 */
#ifndef SANDBOX_COMPLAINT_H
#define SANDBOX_COMPLAINT_H

#include <stddef.h>

#define COMPLAINTS_MAX 1000 /* more of one request are not told */
#define COMPLAINT_TYPE "application/vnd.api+json"

struct complaint {
	unsigned status;
	char *where; /* a JSON Pointer, or a parameter's name */
	char *detail;
};

struct complaints {
	struct complaint *items;
	size_t n;
};

/* where begins with a "/": a pointer into the body; anything else names a parameter or header. Copied. */
void complaints_add(struct complaints *c, unsigned status, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void complaints_done(struct complaints *c);

/* {"errors": […]}; c has at least one. The caller owns the text. */
char *complaints_body(const struct complaints *c) __attribute__((warn_unused_result));

#endif

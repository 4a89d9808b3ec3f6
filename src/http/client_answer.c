/* SPDX-License-Identifier: MIT */
/* The caller's side of a response: its failure in words, and waiting for it (http_fetch). */
#include <config.h>

#include <stdio.h>

#include "base/clock.h"
#include "http/client.h"

/* ---- the failure in words ---------------------------------------------------------------------------------------- */

static const char *remedy_of(enum http_failure failure, const char *issuer)
{
	switch (failure) {
	case HTTP_TLS:
		return "the port speaks no TLS, or no version that deskbridge speaks: check the URL's port";
	case HTTP_ISSUER:
		return issuer;
	case HTTP_EXPIRED:
		return "it is not valid at this time: the server needs a new one, unless this machine's clock is wrong";
	case HTTP_OTHER_HOST:
		return "the certificate is for other hosts: the URL must name one of them";
	default:
		return NULL;
	}
}

bool http_why_has_remedy(enum http_failure failure)
{
	return remedy_of(failure, "") != NULL;
}

const char *http_why(const struct http_response *response, const char *issuer, char out[HTTP_WHY_MAX])
{
	const char *remedy = remedy_of(response->failure, issuer);

	(void)snprintf(out, HTTP_WHY_MAX, remedy ? "%s (%s)" : "%s", response->error, remedy);
	return out;
}

/* ---- one transfer on the calling thread -------------------------------------------------------------------------- */

struct fetch {
	struct http_response *to;
	bool done;
};

/* Moves the response out: the transfer frees an empty one. */
static void fetch_done(void *ctx, const struct http_response *response)
{
	struct http_response *from = (struct http_response *)response;
	struct fetch *f = ctx;

	*f->to = *from;
	from->type = NULL;
	from->headers = (struct pairs){0};
	buf_init(&from->body, 0);
	f->done = true;
}

int http_fetch(const struct http_request *request, const char *user_agent, struct http_response *ret,
	       struct err *reterr)
{
	struct http_client *c = http_client_new(user_agent);
	struct fetch f = {.to = ret};
	int r;

	r = http_client_start(c, request, fetch_done, &f, reterr);
	while (r == 0 && !f.done)
		http_client_turn(c, CLOCK_NEVER_MS);
	http_client_free(c);
	return r;
}

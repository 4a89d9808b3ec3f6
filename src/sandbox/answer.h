/*
 * answer: what goes back to a client, owned, until the server copies it.
 */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H


#include "base/json.h"
#include "base/text.h"
#include "sandbox/complaint.h"

struct answer {
	unsigned status;
	const char *type; /* NULL: no body */
	char *body;
	struct pairs headers;
};

/* Each sets a whole answer; *ret is empty before ({0}) but for headers. */
void answer_json(struct answer *ret, unsigned status, const char *type, struct json_object *o); /* o is put */
void answer_complaints(struct answer *ret, const struct complaints *c); /* the status of the first */
void answer_complaint(struct answer *ret, unsigned status, const char *where, const char *detail);
void answer_html(struct answer *ret, unsigned status); /* Cloudflare's page */
void answer_text(struct answer *ret, unsigned status, const char *type, const char *text);
void answer_header(struct answer *ret, const char *name, long value);
void answer_done(struct answer *a);

#endif

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "intake/answer.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"

#define RETRY_AFTER "5" /* seconds */
#define ANSWER_BYTES_MAX (64 * 1024)

static const struct answer_spec {
	unsigned status;
	const char *word; /* the value of {"status": …}; NULL: no body */
} specs[ANSWER_MAX_] = {
	[ANSWER_ALIVE] = {200, NULL},
	[ANSWER_PONG] = {200, "pong"},
	[ANSWER_IGNORED] = {200, "ignored"},
	[ANSWER_EMPTY] = {400, "empty"},
	[ANSWER_UNREADABLE] = {400, "unreadable"},
	[ANSWER_AMBIGUOUS] = {400, "ambiguous"},
	[ANSWER_UNAUTHORIZED] = {401, "unauthorized"},
	[ANSWER_UNKNOWN_PATH] = {404, "not found"},
	[ANSWER_METHOD] = {405, "method not allowed"},
	[ANSWER_TOO_LONG] = {413, "too long"},
	[ANSWER_MULTIPART] = {415, "unsupported media type: send JSON, or a form that is no multipart"},
	[ANSWER_ENCODED] = {415, "unsupported content encoding: send the body uncompressed"},
	[ANSWER_UNAVAILABLE] = {503, "unavailable"},
};

void answer_send(struct http_exchange *x, enum answer a, const char *scheme)
{
	CLEANUP(pairs_done) struct pairs headers = {0};
	char body[128] = "";
	/* A client with a wrong request does not need its connection, which counts against listen.max_connections. */
	struct http_answer answer = {.status = specs[a].status,
				     .headers = &headers,
				     .body = body,
				     .close = specs[a].status >= 400 && specs[a].status < 500};

	if (a == ANSWER_METHOD)
		pairs_add(&headers, "Allow", "POST, HEAD");
	if (a == ANSWER_ENCODED)
		pairs_add(&headers, "Accept-Encoding", "identity"); /* RFC 9110, 15.5.16 */
	if (a == ANSWER_UNAVAILABLE)
		pairs_add(&headers, "Retry-After", RETRY_AFTER);
	if (a == ANSWER_UNAUTHORIZED && scheme)
		pairs_add(&headers, "WWW-Authenticate", scheme);
	if (specs[a].word) {
		answer.body_len = (size_t)snprintf(body, sizeof(body), "{\"status\":\"%s\"}", specs[a].word);
		answer.type = "application/json";
	}
	http_answer(x, &answer);
}

#define ID_DIGITS 16

/* Writes an id as it is shown everywhere, and a NUL. */
static void write_id(int64_t id, char out[ID_DIGITS + 1])
{
	const uint64_t bytes = htobe64((uint64_t)id);

	hex_write(&bytes, sizeof(bytes), out);
}

static void write_ids(const struct submission *s, struct buf *to)
{
	const char *between = "";
	char digits[ID_DIGITS + 1];

	buf_adds(to, ",\"webhooks\":[");
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].result != SUBMISSION_ACCEPTED)
			continue;
		write_id(s->items[i].id, digits);
		buf_adds(to, between);
		buf_addc(to, '"');
		buf_adds(to, digits);
		buf_addc(to, '"');
		between = ",";
	}
	buf_addc(to, ']');
}

const char *answer_echo(const char *value)
{
	size_t len = value ? strlen(value) : 0;

	if (len == 0 || len > ANSWER_ECHO_MAX)
		return NULL;
	for (const char *c = value; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			return NULL;
	return value;
}

void answer_challenge(struct http_exchange *x, const char *echo)
{
	struct json_object *o = json_object_new_object();
	CLEANUP(mem_freep) char *body = NULL;
	struct http_answer answer = {.status = 200, .type = "application/json"};

	json_set_str(o, "status", specs[ANSWER_PONG].word);
	json_set_str(o, "challenge", echo);
	body = json_text(o);
	json_object_put(o);
	answer.body = body;
	answer.body_len = strlen(body);
	http_answer(x, &answer);
}

/* Answers for a POST with one item, as most are. */
static void answer_one(struct http_exchange *x, const char *word, const struct submission_item *item)
{
	char body[128];
	struct http_answer answer = {.status = 200, .type = "application/json", .body = body};
	char *to = stpcpy(stpcpy(body, "{\"status\":\""), word);

	if (item->result == SUBMISSION_ACCEPTED) {
		to = stpcpy(to, "\",\"webhook\":\"");
		write_id(item->id, to);
		to += ID_DIGITS;
	}
	answer.body_len = (size_t)(stpcpy(to, "\"}") - body);
	http_answer(x, &answer);
}

void answer_submission(struct http_exchange *x, const struct submission *s, bool several)
{
	static const char *const words[] = {
		[SUBMISSION_ACCEPTED] = "accepted",
		[SUBMISSION_DUPLICATE] = "duplicate",
		[SUBMISSION_IGNORED] = "ignored",
	};
	struct http_answer answer = {.status = 200, .type = "application/json"};
	enum submission_result result = SUBMISSION_IGNORED;
	struct buf body;

	if (s->refused) {
		answer_send(x, ANSWER_UNAVAILABLE, NULL);
		return;
	}
	/* Accepted if any item was; otherwise duplicate if any was; otherwise ignored. */
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].result == SUBMISSION_ACCEPTED || result == SUBMISSION_IGNORED)
			result = s->items[i].result;
	if (!several) {
		answer_one(x, words[result], &s->items[0]);
		return;
	}
	buf_init(&body, ANSWER_BYTES_MAX);
	buf_adds(&body, "{\"status\":\"");
	buf_adds(&body, words[result]);
	buf_addc(&body, '"');
	if (result == SUBMISSION_ACCEPTED)
		write_ids(s, &body);
	buf_addc(&body, '}');
	answer.body = body.data;
	answer.body_len = body.len;
	http_answer(x, &answer);
	buf_done(&body);
}

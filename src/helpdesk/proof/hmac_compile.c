/* SPDX-License-Identifier: MIT */
/*
 * Compiles the keys of the method hmac, and the fixed ones of standard-webhooks.
 */
#include <config.h>

#include "helpdesk/proof/proof_internal.h"

#include <string.h>

#include "base/clock.h"
#include "helpdesk/expr/keys.h"

#define HMAC_TOLERANCE_MS (5 * CLOCK_MINUTE_MS)
#define HMAC_TOLERANCE_MAX_MS (366 * CLOCK_DAY_MS)

static struct hmac *hmac_new(void)
{
	struct hmac *h = mem_new(1, sizeof(*h));

	h->algorithm = DIGEST_SHA256;
	h->tolerance_ms = HMAC_TOLERANCE_MS;
	return h;
}

void hmac_free(struct hmac *h)
{
	if (!h)
		return;
	pieces_done(&h->format);
	pieces_done(&h->message);
	reference_free(h->timestamp);
	free(h->header);
	free(h);
}

/* ---- single keys ------------------------------------------------------------------------------------------------- */

/* Returns the member's text; the fallback where it is missing, or with a problem where it is no text. */
static const char *member_text(const struct node *n, const char *key, const char *fallback, struct problems *problems)
{
	const struct node *member = node_get(n, key);

	if (!member)
		return fallback;
	if (member->type == NODE_SCALAR && member->text[0] != '\0')
		return member->text;
	problems_error(problems, member, "expected text, not %s%s",
		       member->type == NODE_SCALAR ? "nothing" : node_kind(member),
		       member->type == NODE_MAP ? "; a text that begins with \"{\" must stand in quotes" : "");
	return fallback;
}

/* Returns the index of the word; 0 where the member is missing. */
static unsigned member_word(const struct node *n, const char *key, const char *const *words, struct problems *problems)
{
	const char *text = member_text(n, key, words[0], problems);

	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	keys_error(node_get(n, key), key, text, words, problems);
	return 0;
}

static void read_words(struct hmac *h, const struct node *n, struct problems *problems)
{
	static const char *const algorithms[] = {"sha256", "sha1", "sha512", NULL};
	static const enum digest_algorithm as_algorithm[] = {DIGEST_SHA256, DIGEST_SHA1, DIGEST_SHA512};
	static const char *const encodings[] = {"hex", "base64", NULL};
	static const char *const keys[] = {"text", "hex", "base64", NULL};
	static const char *const units[] = {"s", "ms", "iso", NULL};

	h->algorithm = as_algorithm[member_word(n, "algorithm", algorithms, problems)];
	h->encoding = (enum hmac_encoding)member_word(n, "encoding", encodings, problems);
	h->key = (enum hmac_key)member_word(n, "key", keys, problems);
	h->unit = (enum hmac_unit)member_word(n, "unit", units, problems);
}

static void read_tolerance(struct hmac *h, const struct node *n, struct problems *problems)
{
	const struct node *member = node_get(n, "tolerance");
	long long ms;

	if (!member)
		return;
	if (member->type != NODE_SCALAR || text_duration(member->text, &ms) < 0 || ms <= 0 ||
	    ms > HMAC_TOLERANCE_MAX_MS)
		problems_error(problems, member, "expected a duration above zero and up to 366d, such as 5m");
	else
		h->tolerance_ms = ms;
}

/* ---- the time of signing ----------------------------------------------------------------------------------------- */

static void read_timestamp(struct hmac *h, const struct node *n, struct problems *problems)
{
	const struct node *member = node_get(n, "timestamp");
	const char *text = member_text(n, "timestamp", NULL, problems);
	struct err e;

	if (pieces_have(&h->format, PIECE_TIMESTAMP)) {
		h->timestamp_in = HMAC_TIMESTAMP_IN_FORMAT;
		if (member)
			problems_error(problems, member, "the timestamp stands in `format` already: leave one out");
		return;
	}
	if (!text)
		return;
	if (reference_compile(text, REFERENCE_NO_NAMES, &h->timestamp, &e) < 0)
		problems_error(problems, member, "%s", e.text);
	else if (reference_header(h->timestamp))
		h->timestamp_in = HMAC_TIMESTAMP_IN_HEADER;
	else
		h->timestamp_in = reference_query(h->timestamp) ? HMAC_TIMESTAMP_IN_QUERY : HMAC_TIMESTAMP_IN_BODY;
}

/* True where the signature covers the timestamp. */
static bool timestamp_is_signed(const struct hmac *h)
{
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_BODY || pieces_have(&h->message, PIECE_TIMESTAMP))
		return true;
	for (size_t i = 0; h->timestamp_in == HMAC_TIMESTAMP_IN_HEADER && i < h->message.n; i++)
		if (h->message.items[i].kind == PIECE_HEADER &&
		    text_same(h->message.items[i].text, reference_header(h->timestamp)))
			return true;
	return false;
}

/* Reports keys that need a timestamp where there is none, and a timestamp that proves nothing. */
static void check_timestamp(const struct hmac *h, const struct node *n, struct problems *problems)
{
	static const char *const with[] = {"tolerance", "unit"};
	const struct node *at = node_get(n, "timestamp");

	if (at && h->timestamp_in == HMAC_TIMESTAMP_NONE)
		return; /* wrong, and reported already */
	if (h->timestamp_in != HMAC_TIMESTAMP_NONE) {
		if (!timestamp_is_signed(h))
			problems_warn(problems, at ? at : node_get(n, "format"),
				      "the timestamp is not signed, so anybody can make an old webhook new: put "
				      "{timestamp} into `signed` if the helpdesk signs it");
		return;
	}
	if (pieces_have(&h->message, PIECE_TIMESTAMP))
		problems_error(problems, node_get(n, "signed"),
			       "{timestamp} is signed, but nothing gives one: set `timestamp` (header:NAME, query:NAME "
			       "or a pointer into the body), or put {timestamp} into `format`");
	for (size_t i = 0; i < sizeof(with) / sizeof(*with); i++)
		if (node_get(n, with[i]))
			problems_error(problems, node_get(n, with[i]), "`%s` needs a `timestamp`", with[i]);
}

/* ---- the two methods --------------------------------------------------------------------------------------------- */

struct hmac *hmac_compile(const struct node *n, struct problems *problems)
{
	const struct node *format = node_get(n, "format");
	const struct node *message = node_get(n, "signed");
	const struct node *header = node_get(n, "header");
	struct hmac *h = hmac_new();
	size_t errors = problems->errors;

	h->header = mem_str(member_text(n, "header", NULL, problems));
	if (!header)
		problems_error(problems, n, "expected `header`: the name of the header that holds the signature");
	else if (h->header && !reference_header_is_good(h->header))
		problems_error(problems, header, "\"%.64s\" is no name of a header", h->header);
	read_words(h, n, problems);
	read_tolerance(h, n, problems);
	/* In single quotes YAML keeps \n as two letters, and no signature would ever be right. */
	if (message && message->type == NODE_SCALAR && strstr(message->text, "\\n"))
		problems_error(problems, message,
			       "a backslash and an n stand here: for a line end write it in double quotes, as in "
			       "\"{timestamp}\\n{body}\"");
	if (pieces_compile_format(format ? format : n, member_text(n, "format", "{signature}", problems), &h->format,
				  problems) &&
	    pieces_compile_signed(message ? message : n, member_text(n, "signed", "{body}", problems), &h->message,
				  problems)) {
		read_timestamp(h, n, problems);
		check_timestamp(h, n, problems);
	}
	if (problems->errors == errors)
		return h;
	hmac_free(h);
	return NULL;
}

struct hmac *hmac_compile_standard(const struct node *n, struct problems *problems)
{
	struct hmac *h = hmac_new();
	size_t errors = problems->errors;

	h->header = mem_str("webhook-signature");
	h->many = true;
	h->encoding = HMAC_BASE64;
	h->key = HMAC_KEY_WHSEC;
	h->timestamp_in = HMAC_TIMESTAMP_IN_HEADER;
	INSIST(pieces_compile_format(n, "v1,{signature}", &h->format, problems));
	INSIST(pieces_compile_signed(n, "{header:webhook-id}.{timestamp}.{body}", &h->message, problems));
	INSIST(reference_compile("header:webhook-timestamp", REFERENCE_NO_NAMES, &h->timestamp, NULL) == 0);
	read_tolerance(h, n, problems);
	if (problems->errors == errors)
		return h;
	hmac_free(h);
	return NULL;
}

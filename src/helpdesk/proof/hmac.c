/* SPDX-License-Identifier: MIT */
/*
 * The methods hmac and standard-webhooks: a signature over the body, byte for byte as received, and over the other
 * parts that the helpdesk signs.
 *
 * The verdicts in order: a signature, a timestamp or a signed header that the request does not have is MISSING; a
 * signature that no secret makes, or a timestamp that cannot be read, is WRONG; a right signature of another time is
 * STALE. The body is parsed for its timestamp only after the signature is right, unless the timestamp is signed
 * separately. Every secret is tried and every signature compared, so that the time taken reveals nothing.
 */
#include <config.h>

#include "helpdesk/proof/proof_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/percent.h"
#include "helpdesk/expr/body.h"

#define HMAC_SIGNATURES_MAX 8 /* of one webhook */
#define HMAC_OUT_MAX (1 << 20)

/* ---- reading the request ----------------------------------------------------------------------------------------- */

struct shown_signatures {
	struct span signatures[HMAC_SIGNATURES_MAX];
	size_t n;
	char *timestamp; /* NULL: none, or not read yet */
};

static void shown_done(struct shown_signatures *s)
{
	free(s->timestamp);
}

/* Reads "v1,SIGNATURE v1,SIGNATURE v2,…": only the signatures of v1. */
static void shown_read_many(const char *value, struct shown_signatures *ret)
{
	for (;;) {
		struct span words[2]; /* version and signature, separated by blanks and commas */

		for (size_t i = 0; i < 2; i++) {
			value += strspn(value, " \t,");
			words[i] = (struct span){value, strcspn(value, " \t,")};
			value += words[i].len;
		}
		if (words[1].len == 0)
			return;
		if (words[0].len == 2 && memcmp(words[0].at, "v1", 2) == 0 && ret->n < HMAC_SIGNATURES_MAX)
			ret->signatures[ret->n++] = words[1];
	}
}

static enum proof_verdict shown_read_signature(const struct hmac *h, const char *value, struct shown_signatures *ret)
{
	struct span signature, timestamp;

	if (!value || value[strspn(value, " \t")] == '\0')
		return PROOF_MISSING;
	if (strlen(value) > HMAC_SHOWN_MAX)
		return PROOF_WRONG;
	if (h->many) {
		shown_read_many(value, ret);
		return ret->n > 0 ? PROOF_GOOD : PROOF_WRONG;
	}
	if (!pieces_match(&h->format, value, &signature, &timestamp))
		return PROOF_WRONG;
	if (signature.len == 0 || (h->timestamp_in == HMAC_TIMESTAMP_IN_FORMAT && timestamp.len == 0))
		return PROOF_MISSING;
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_FORMAT)
		ret->timestamp = mem_strn(timestamp.at, timestamp.len);
	ret->signatures[ret->n++] = signature;
	return PROOF_GOOD;
}

/* Returns the timestamp in a header or in the query; NULL: none. The caller owns it. */
static char *timestamp_without_body(const struct hmac *h, const struct pairs *headers, const char *query)
{
	struct pairs parameters = {0};
	struct eval_context context = {.headers = headers, .query = &parameters};
	char *timestamp;

	if (h->timestamp_in == HMAC_TIMESTAMP_IN_QUERY)
		percent_read_query(query, &parameters);
	timestamp = reference_scalar(h->timestamp, &context);
	pairs_done(&parameters);
	return timestamp;
}

static char *timestamp_in_body(const struct hmac *h, const char *body, size_t len)
{
	CLEANUP(json_putp) struct json_object *tree = NULL;
	struct eval_context context = {0};

	if (body_read(BODY_EITHER, body, len, &tree, NULL, NULL) < 0)
		return NULL;
	context.item = tree;
	return reference_scalar(h->timestamp, &context);
}

/* Reads the parts in headers and query. The body's timestamp is read later. */
static enum proof_verdict shown_read(const struct hmac *h, const struct pairs *headers, const char *query,
				     struct shown_signatures *ret)
{
	enum proof_verdict v = shown_read_signature(h, pairs_get(headers, h->header), ret);

	if (v == PROOF_MISSING)
		return v;
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_HEADER || h->timestamp_in == HMAC_TIMESTAMP_IN_QUERY) {
		ret->timestamp = timestamp_without_body(h, headers, query);
		if (!ret->timestamp)
			return PROOF_MISSING;
	}
	for (size_t i = 0; i < h->message.n; i++)
		if (h->message.items[i].kind == PIECE_HEADER && !pairs_get(headers, h->message.items[i].text))
			return PROOF_MISSING;
	return v;
}

static bool hmac_is_present(const struct proof *p, const struct pairs *headers, const char *query)
{
	CLEANUP(shown_done) struct shown_signatures shown = {0};

	return shown_read(p->hmac, headers, query, &shown) != PROOF_MISSING;
}

/* ---- keys and signatures ----------------------------------------------------------------------------------------- */

/* Decodes base64 with or without padding. */
static int unbase64(const char *text, size_t len, char **ret, size_t *ret_len)
{
	char *padded;
	int r;

	if (len % 4 == 0 || len % 4 == 1 || text[len - 1] == '=')
		return digest_unbase64(text, len, ret, ret_len);
	padded = mem_new(len + 3, 1);
	memcpy(padded, text, len);
	memcpy(padded + len, "==", 4 - len % 4);
	r = digest_unbase64(padded, len + (4 - len % 4), ret, ret_len);
	mem_wipe(padded, len);
	return r;
}

static int unhex(const char *text, size_t len, char **ret, size_t *ret_len)
{
	CLEANUP(mem_freep) char *bytes = mem_new(len / 2 + 1, 1);
	int r = hex_read(text, len, bytes);

	if (r < 0)
		return r;
	*ret_len = len / 2;
	*ret = TAKE(bytes);
	return 0;
}

struct key {
	const char *bytes;
	size_t len;
	char *own; /* the bytes, where they were decoded; NULL: they are borrowed from the secret */
};

static void key_done(struct key *k)
{
	mem_wipe(k->own, k->len);
}

/* Returns NULL and fills the key, or why the secret is none. The secret must outlive the key. */
static const char *key_read(const struct hmac *h, const char *secret, struct key *ret)
{
	const char *text = secret;
	const char *fault = NULL;

	switch (h->key) {
	case HMAC_KEY_TEXT:
		ret->len = strlen(text);
		ret->bytes = text;
		return ret->len == 0 ? "is empty" : NULL;
	case HMAC_KEY_HEX:
		if (unhex(text, strlen(text), &ret->own, &ret->len) < 0)
			fault = "is not hexadecimal, as the keys of this helpdesk are";
		break;
	case HMAC_KEY_WHSEC:
		text += strncmp(text, "whsec_", 6) == 0 ? 6 : 0;
		if (unbase64(text, strlen(text), &ret->own, &ret->len) < 0)
			fault = "is no key of standard-webhooks: expected whsec_ followed by base64";
		break;
	case HMAC_KEY_BASE64:
		if (unbase64(text, strlen(text), &ret->own, &ret->len) < 0)
			fault = "is not base64, as the keys of this helpdesk are";
		break;
	}
	ret->bytes = ret->own;
	if (!fault && ret->len == 0) {
		fault = "is empty";
		key_done(ret);
		*ret = (struct key){0};
	}
	return fault;
}

const char *proof_secret_fault(const struct proof *p, const char *secret)
{
	CLEANUP(key_done) struct key key = {0};

	return p->hmac ? key_read(p->hmac, secret, &key) : NULL;
}

/* Computes the signature. more: headers that come before the request's own; NULL: none. */
static void sign(const struct hmac *h, const struct key *key, const struct proof_request *request,
		 const struct pairs *more, const char *timestamp, unsigned char *out)
{
	struct digest_hmac *d;

	/* Most helpdesks sign the body alone. */
	if (h->message.n == 1 && h->message.items[0].kind == PIECE_BODY) {
		digest_hmac_of(h->algorithm, key->bytes, key->len, request->body, request->body_len, out);
		return;
	}
	d = digest_hmac_new(h->algorithm, key->bytes, key->len);
	for (size_t i = 0; i < h->message.n; i++) {
		const struct piece *p = &h->message.items[i];
		const char *text = NULL;

		switch (p->kind) {
		case PIECE_BODY:
			digest_hmac_add(d, request->body, request->body_len);
			break;
		case PIECE_TEXT:
			text = p->text;
			break;
		case PIECE_TIMESTAMP:
			text = timestamp;
			break;
		case PIECE_METHOD:
			text = request->method;
			break;
		case PIECE_URL:
			text = request->url;
			break;
		case PIECE_HEADER:
			text = more ? pairs_get(more, p->text) : NULL;
			text = text ? text : pairs_get(request->headers, p->text);
			break;
		case PIECE_SIGNATURE:
			break; /* not allowed in `signed` */
		}
		if (text)
			digest_hmac_add(d, text, strlen(text));
	}
	digest_hmac_end(d, out);
}

int hmac_decode(const struct hmac *h, struct span shown, char **ret, size_t *ret_len)
{
	return h->encoding == HMAC_HEX ? unhex(shown.at, shown.len, ret, ret_len)
				       : unbase64(shown.at, shown.len, ret, ret_len);
}

/* Decodes a signature. False: it has not the encoding and length of one. */
static bool signature_read(const struct hmac *h, struct span shown, unsigned char out[DIGEST_BYTES_MAX])
{
	const size_t bytes = digest_bytes(h->algorithm);
	CLEANUP(mem_freep) char *decoded = NULL;
	size_t len = 0;

	if (h->encoding == HMAC_HEX)
		return shown.len == 2 * bytes && hex_read(shown.at, shown.len, out) == 0;
	if (hmac_decode(h, shown, &decoded, &len) < 0 || len != bytes)
		return false;
	memcpy(out, decoded, bytes);
	return true;
}

static bool signature_holds(const struct hmac *h, const struct proof_secrets *s, const struct proof_request *request,
			    const struct shown_signatures *shown)
{
	bool good = false;
	unsigned char digest[DIGEST_BYTES_MAX], bytes[DIGEST_BYTES_MAX];

	for (size_t i = 0; i < s->n; i++) {
		CLEANUP(key_done) struct key key = {0};

		if (!s->secrets[i] || key_read(h, s->secrets[i], &key) != NULL)
			continue;
		sign(h, &key, request, NULL, shown->timestamp, digest);
		for (size_t k = 0; k < shown->n; k++)
			if (signature_read(h, shown->signatures[k], bytes) &&
			    digest_equal(bytes, digest_bytes(h->algorithm), digest, digest_bytes(h->algorithm)))
				good = true;
	}
	return good;
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

static enum proof_verdict timestamp_verdict(const struct hmac *h, const char *timestamp, int64_t now_ms)
{
	int64_t ms;

	if (clock_parse(timestamp, strlen(timestamp), &ms) < 0)
		return PROOF_WRONG;
	return ms < now_ms - h->tolerance_ms || ms > now_ms + h->tolerance_ms ? PROOF_STALE : PROOF_GOOD;
}

enum proof_verdict hmac_check_without_body(const struct hmac *h, const struct proof_request *request)
{
	CLEANUP(shown_done) struct shown_signatures shown = {0};
	enum proof_verdict v = shown_read(h, request->headers, request->query, &shown);
	bool possible = false; /* one of the signatures has the right encoding and length */
	unsigned char bytes[DIGEST_BYTES_MAX];

	if (v != PROOF_GOOD)
		return v;
	for (size_t i = 0; i < shown.n && !possible; i++)
		possible = signature_read(h, shown.signatures[i], bytes);
	if (!possible || (!request->url && pieces_have(&h->message, PIECE_URL)))
		return PROOF_WRONG;
	return shown.timestamp ? timestamp_verdict(h, shown.timestamp, request->now_ms) : PROOF_GOOD;
}

static enum proof_verdict hmac_check(const struct proof *p, const struct proof_secrets *s,
				     const struct proof_request *request)
{
	const struct hmac *h = p->hmac;
	CLEANUP(shown_done) struct shown_signatures shown = {0};
	enum proof_verdict v = shown_read(h, request->headers, request->query, &shown);

	if (v != PROOF_GOOD)
		return v;
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_BODY && pieces_have(&h->message, PIECE_TIMESTAMP)) {
		shown.timestamp = timestamp_in_body(h, request->body, request->body_len);
		if (!shown.timestamp)
			return PROOF_MISSING;
	}
	if (!request->url && pieces_have(&h->message, PIECE_URL))
		return PROOF_WRONG;
	if (!signature_holds(h, s, request, &shown))
		return PROOF_WRONG;
	if (h->timestamp_in == HMAC_TIMESTAMP_NONE)
		return PROOF_GOOD;
	if (!shown.timestamp)
		shown.timestamp = timestamp_in_body(h, request->body, request->body_len);
	return shown.timestamp ? timestamp_verdict(h, shown.timestamp, request->now_ms) : PROOF_MISSING;
}

bool proof_signed_at(const struct proof *p, const struct proof_request *request, int64_t *ret_ms)
{
	const struct hmac *h = p->hmac;
	CLEANUP(shown_done) struct shown_signatures shown = {0};

	if (!h || h->timestamp_in == HMAC_TIMESTAMP_NONE ||
	    shown_read(h, request->headers, request->query, &shown) != PROOF_GOOD)
		return false;
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_BODY)
		shown.timestamp = timestamp_in_body(h, request->body, request->body_len);
	return shown.timestamp && clock_parse(shown.timestamp, strlen(shown.timestamp), ret_ms) == 0;
}

char *hmac_timestamp(const struct hmac *h, const struct proof_request *request)
{
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_BODY)
		return timestamp_in_body(h, request->body, request->body_len);
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_HEADER || h->timestamp_in == HMAC_TIMESTAMP_IN_QUERY)
		return timestamp_without_body(h, request->headers, request->query);
	return NULL;
}

/* ---- making a signature ------------------------------------------------------------------------------------------ */

/* Returns the time of signing as text; NULL: the method has none, or the body lacks it. The caller owns it. */
static char *timestamp_make(const struct hmac *h, const struct proof_request *request)
{
	char iso[CLOCK_ISO_MAX];

	if (h->timestamp_in == HMAC_TIMESTAMP_NONE)
		return NULL;
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_BODY)
		return timestamp_in_body(h, request->body, request->body_len);
	switch (h->unit) {
	case HMAC_MILLISECONDS:
		return mem_fmt("%" PRId64, request->now_ms);
	case HMAC_ISO:
		clock_iso(request->now_ms, iso);
		return mem_str(iso);
	case HMAC_SECONDS:
		break;
	}
	return mem_fmt("%" PRId64, request->now_ms / CLOCK_SECOND_MS);
}

/* Adds the headers and the query that are signed together with the body. */
static void make_without_body(const struct hmac *h, const struct proof_request *request, const char *timestamp,
			      struct pairs *headers, char **query)
{
	struct buf b;

	if (h->timestamp_in == HMAC_TIMESTAMP_IN_HEADER)
		pairs_add(headers, reference_header(h->timestamp), timestamp);
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_QUERY) {
		buf_init(&b, HMAC_OUT_MAX);
		buf_addf(&b, "%s=", reference_query(h->timestamp));
		percent_add(&b, timestamp, "");
		*query = buf_take(&b);
	}
	for (size_t i = 0; i < h->message.n; i++) {
		const struct piece *p = &h->message.items[i];
		CLEANUP(mem_freep) char *value = NULL;

		if (p->kind != PIECE_HEADER || pairs_get(headers, p->text) ||
		    (request->headers && pairs_get(request->headers, p->text)))
			continue;
		value = mem_fmt("sample-%" PRId64, request->now_ms);
		pairs_add(headers, p->text, value);
	}
}

static void make_signature(const struct hmac *h, const unsigned char *digest, const char *timestamp,
			   struct pairs *headers)
{
	CLEANUP(mem_freep) char *base64 = digest_base64(digest, digest_bytes(h->algorithm));
	CLEANUP(mem_freep) char *value = NULL;
	char hex[2 * DIGEST_BYTES_MAX + 1];
	struct buf b;

	hex_write(digest, digest_bytes(h->algorithm), hex);
	buf_init(&b, HMAC_OUT_MAX);
	for (size_t i = 0; i < h->format.n; i++) {
		const struct piece *p = &h->format.items[i];

		if (p->kind == PIECE_TEXT)
			buf_adds(&b, p->text);
		else if (p->kind == PIECE_TIMESTAMP)
			buf_adds(&b, timestamp);
		else
			buf_adds(&b, h->encoding == HMAC_HEX ? hex : base64);
	}
	value = buf_take(&b);
	pairs_add(headers, h->header, value);
}

/* Makes nothing where no right signature is possible: without the key, the URL or the body's timestamp. */
static void hmac_make(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		      struct pairs *headers, char **query)
{
	const struct hmac *h = p->hmac;
	CLEANUP(mem_freep) char *timestamp = timestamp_make(h, request);
	CLEANUP(key_done) struct key key = {0};
	unsigned char digest[DIGEST_BYTES_MAX];

	if (key_read(h, s->secrets[0], &key) || (!timestamp && h->timestamp_in != HMAC_TIMESTAMP_NONE) ||
	    (!request->url && pieces_have(&h->message, PIECE_URL)))
		return;
	make_without_body(h, request, timestamp, headers, query);
	sign(h, &key, request, headers, timestamp, digest);
	make_signature(h, digest, timestamp, headers);
}

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

static const char *const hmac_keys[] = {"header", "format",    "algorithm", "encoding",  "key",
					"signed", "timestamp", "unit",      "tolerance", NULL};
static const char *const standard_keys[] = {"tolerance", NULL};

const struct proof_method proof_hmac = {
	.name = "hmac",
	.needs_secret = true,
	.keys = hmac_keys,
	.compile = hmac_compile,
	.is_present = hmac_is_present,
	.check = hmac_check,
	.make = hmac_make,
};

const struct proof_method proof_standard_webhooks = {
	.name = "standard-webhooks",
	.needs_secret = true,
	.keys = standard_keys,
	.compile = hmac_compile_standard,
	.is_present = hmac_is_present,
	.check = hmac_check,
	.make = hmac_make,
};

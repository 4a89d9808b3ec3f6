/* SPDX-License-Identifier: MIT */
/*
 * Explains a missing or wrong proof to the operator who runs explain: missing headers, values in another form than the
 * definition's, and else the parts that may differ from the desk's. Never a secret, and never a signature that we
 * computed.
 */
#include <config.h>

#include "helpdesk/proof/proof_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/percent.h"
#include "helpdesk/expr/property_value.h"

struct explanation {
	const struct proof *p;
	const struct proof_request *request;
	struct buf *to;
};

/* ---- missing parts ----------------------------------------------------------------------------------------------- */

/* Reports a missing header and returns true then. value: the beginning of its value. */
static bool explain_header_missing(const struct explanation *e, const char *name, const char *value)
{
	if (pairs_get(e->request->headers, name))
		return false;
	buf_addf(e->to, "%s is not among the given headers: --header '%s: %s'\n", name, name, value);
	return true;
}

static void explain_parameter_missing(const struct explanation *e, const char *name)
{
	CLEANUP(pairs_done) struct pairs all = {0};

	percent_read_query(e->request->query, &all);
	if (!pairs_get(&all, name))
		buf_addf(e->to, "%s is not in the given query: --query '%s=…'\n", name, name);
}

/* ---- the secret itself ------------------------------------------------------------------------------------------- */

static void explain_basic(const struct explanation *e, const struct proof_secrets *s)
{
	const char *shown = pairs_get(e->request->headers, "Authorization");
	CLEANUP(mem_freep) char *pair = NULL;
	const char *colon;
	size_t len;

	shown += strcspn(shown, " ");
	shown += strspn(shown, " ");
	colon = digest_unbase64(shown, strlen(shown), &pair, &len) < 0 ? NULL : memchr(pair, ':', len);
	if (!colon)
		buf_adds(e->to, "Authorization holds no USER:PASSWORD in base64\n");
	else if (!s->user || strlen(s->user) != (size_t)(colon - pair) || memcmp(s->user, pair, strlen(s->user)) != 0)
		buf_adds(e->to, "the user is not that of the source's `authenticate`\n");
	else
		buf_adds(e->to, "the password is not that of the source's `authenticate`\n");
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

/* Returns `format` as the definition writes it. The caller owns it. */
static char *format_written(const struct hmac *h)
{
	struct buf b;

	if (h->many)
		return mem_str("v1,{signature}");
	buf_init(&b, HMAC_SHOWN_MAX);
	for (size_t i = 0; i < h->format.n; i++) {
		const struct piece *p = &h->format.items[i];

		for (const char *c = p->kind == PIECE_TEXT ? p->text : ""; *c != '\0'; c++)
			buf_addf(&b, *c == '{' || *c == '}' ? "%c%c" : "%c", *c, *c);
		if (p->kind != PIECE_TEXT)
			buf_adds(&b, p->kind == PIECE_SIGNATURE ? "{signature}" : "{timestamp}");
	}
	return buf_take(&b);
}

/* Reports all missing headers and parameters. True where there was one. */
static bool explain_signature_missing(const struct explanation *e)
{
	const struct hmac *h = e->p->hmac;
	size_t before = e->to->len;

	(void)explain_header_missing(e, h->header, "…");
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_HEADER)
		(void)explain_header_missing(e, reference_header(h->timestamp), "…");
	if (h->timestamp_in == HMAC_TIMESTAMP_IN_QUERY)
		explain_parameter_missing(e, reference_query(h->timestamp));
	for (size_t i = 0; i < h->message.n; i++)
		if (h->message.items[i].kind == PIECE_HEADER)
			(void)explain_header_missing(e, h->message.items[i].text, "…");
	return e->to->len > before;
}

/* Parses one signature of the header, and the time next to it. True where the header has the right form. */
static bool take_apart(const struct hmac *h, const char *value, struct span *ret_signature, struct span *ret_timestamp)
{
	const char *version;

	if (strlen(value) > HMAC_SHOWN_MAX)
		return false;
	if (!h->many)
		return pieces_match(&h->format, value, ret_signature, ret_timestamp) && ret_signature->len > 0 &&
		       (h->timestamp_in != HMAC_TIMESTAMP_IN_FORMAT || ret_timestamp->len > 0);
	version = strstr(value, "v1,");
	*ret_timestamp = (struct span){0};
	*ret_signature = (struct span){0};
	if (version)
		*ret_signature = (struct span){version + 3, strcspn(version + 3, " \t,")};
	return ret_signature->len > 0;
}

/* Reports a signature with a wrong encoding or length. True where it did. */
static bool explain_encoding(const struct explanation *e, struct span signature)
{
	const struct hmac *h = e->p->hmac;
	const char *encoding = h->encoding == HMAC_HEX ? "hex" : "base64";
	CLEANUP(mem_freep) char *bytes = NULL;
	size_t len = 0;

	if (hmac_decode(h, signature, &bytes, &len) < 0) {
		buf_addf(e->to, "the signature in %s is not %s, as `encoding` says\n", h->header, encoding);
		return true;
	}
	if (len == digest_bytes(h->algorithm))
		return false;
	buf_addf(e->to,
		 "the signature in %s is, read as %s, %zu bytes long, where `algorithm` makes %zu: one of `encoding` "
		 "and "
		 "`algorithm` is not the desk's\n",
		 h->header, encoding, len, digest_bytes(h->algorithm));
	return true;
}

static bool explain_timestamp(const struct explanation *e, struct span inside)
{
	CLEANUP(mem_freep)
	char *timestamp = inside.at ? mem_strn(inside.at, inside.len) : hmac_timestamp(e->p->hmac, e->request);
	char shown[PROPERTY_SHOWN_MAX];
	int64_t ms;

	if (e->p->hmac->timestamp_in == HMAC_TIMESTAMP_NONE)
		return false;
	if (!timestamp) {
		buf_addf(e->to, "no time of signing at %s\n", reference_text(e->p->hmac->timestamp));
		return true;
	}
	if (clock_parse(timestamp, strlen(timestamp), &ms) == 0)
		return false;
	buf_addf(e->to, "the time of signing, \"%s\", is no time that can be read\n",
		 property_value_shown(timestamp, shown));
	return true;
}

static void explain_signature(const struct explanation *e)
{
	const struct hmac *h = e->p->hmac;
	const char *value = pairs_get(e->request->headers, h->header);
	CLEANUP(mem_freep) char *format = format_written(h);
	struct span signature, timestamp;

	if (explain_signature_missing(e))
		return;
	if (!take_apart(h, value, &signature, &timestamp))
		buf_addf(e->to, "%s does not fit the format \"%s\"\n", h->header, format);
	else if (explain_encoding(e, signature) || explain_timestamp(e, timestamp))
		; /* reported */
	else if (h->many)
		buf_adds(e->to,
			 "the signature differs: the secret is not the desk's, or the body was not saved byte for "
			 "byte\n");
	else
		buf_adds(e->to,
			 "the signature differs: the secret, `signed`, `key`, `encoding` or `algorithm` is not the "
			 "desk's, or the body was not saved byte for byte\n");
	if (pieces_have(&h->message, PIECE_URL))
		buf_addf(e->to,
			 "%s is signed, too: is it, letter for letter and with its query, the URL that the desk posts "
			 "to?\n",
			 e->request->url ? e->request->url : "public_url");
}

void proof_explain(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		   struct buf *to)
{
	const struct explanation e = {.p = p, .request = request, .to = to};
	const char *header = p->about.secret_header;
	const char *scheme = p->ops->scheme ? p->ops->scheme : "";
	CLEANUP(mem_freep) char *begin = mem_fmt("%s%s…", scheme, *scheme != '\0' ? " " : "");

	if (p->hmac)
		explain_signature(&e);
	else if (proof_is_present(p, request->headers, request->query) && p->ops->needs_user)
		explain_basic(&e, secrets);
	else if (proof_is_present(p, request->headers, request->query))
		buf_adds(to, "the secret is not that of the source's `authenticate`\n");
	else if (!header)
		explain_parameter_missing(&e, p->about.secret_query);
	else if (!explain_header_missing(&e, header, begin))
		buf_addf(to, "%s does not begin with \"%s \"\n", header, scheme);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/proof.h"
#include "fixtures/yaml.h"

#include <gnutls/gnutls.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "helpdesk/proof/proof.h"

/* Counts the comparisons: our digest_equal comes before the library's. */
static unsigned compared;

int gnutls_memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;
	unsigned char differs = 0;

	compared++;
	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(x[i] ^ y[i]);
	return differs != 0;
}

/* ---- the schemes of helpdesks; every signature was made by another program --------------------------------------- */

#define AT_S INT64_C(1795280400000)  /* 2026-11-21T17:00:00Z */
#define AT_MS INT64_C(1795280400123) /* the same, and 123 ms */
#define KEY "desk signing key"
#define BODY "{\"event\":\"conversation.closed\",\"id\":4711,\"name\":\"J\u00f6rg\"}"

struct named {
	const char *name, *value;
};

struct scheme {
	const char *yaml, *secret, *body;
	struct named signature, timestamp; /* the header of the time; name NULL: none of its own */
	struct named other;                /* signed too; name NULL: none */
	const char *query;
	int64_t timestamp_ms; /* 0: no timestamp */
};

static const struct scheme schemes[] = {
	/* zendesk */
	{.yaml = "{method: hmac, header: X-Zendesk-Webhook-Signature, encoding: base64, signed: '{timestamp}{body}', "
		 "timestamp: 'header:X-Zendesk-Webhook-Signature-Timestamp', unit: iso}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Zendesk-Webhook-Signature", "IDxzHRWeIATwpzrbls1BcHb2ambq5O60BCX++1BO6VY="},
	 .timestamp = {"X-Zendesk-Webhook-Signature-Timestamp", "2026-11-21T17:00:00Z"},
	 .timestamp_ms = AT_S},
	/* intercom, zammad */
	{.yaml = "{method: hmac, header: X-Hub-Signature, format: 'sha1={signature}', algorithm: sha1}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Hub-Signature", "sha1=4f6202deba4a649c23a1ea367cabf26c80754788"}},
	/* helpscout: from its documentation */
	{.yaml = "{method: hmac, header: X-HelpScout-Signature, algorithm: sha1, encoding: base64}",
	 .secret = "asdfasdf",
	 .body = "{\"id\":123}",
	 .signature = {"X-HelpScout-Signature", "7S2+kN8bZsrdAEADJ+yYfWWsf/4="}},
	/* front, a rule */
	{.yaml = "{method: hmac, header: X-Front-Signature, algorithm: sha1, encoding: base64}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Front-Signature", "T2IC3rpKZJwjoeo2fKvybIB1R4g="}},
	/* front, an application */
	{.yaml = "{method: hmac, header: X-Front-Signature, encoding: base64, signed: '{timestamp}:{body}', "
		 "timestamp: 'header:X-Front-Request-Timestamp', unit: ms}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Front-Signature", "PfQIzptS45o5wcEY/a2zjLG3Ri7DgH/fEFuTlco+d0I="},
	 .timestamp = {"X-Front-Request-Timestamp", "1795280400123"},
	 .timestamp_ms = AT_MS},
	/* kustomer */
	{.yaml = "{method: hmac, header: X-Kustomer-Webhook-Signature}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Kustomer-Webhook-Signature",
		       "0bdd5cfb52eaae5f4d82edc71ed8df3d82afd70a16d44ba385368291b867bcef"}},
	/* chatwoot */
	{.yaml = "{method: hmac, header: X-Chatwoot-Signature, format: 'sha256={signature}', "
		 "signed: '{timestamp}.{body}', timestamp: 'header:X-Chatwoot-Timestamp'}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Chatwoot-Signature",
		       "sha256=9bdd4a3ae1f016e3246a8eedce757d96a06ca7f277bf4989c26ae2683a1172c1"},
	 .timestamp = {"X-Chatwoot-Timestamp", "1795280400"},
	 .timestamp_ms = AT_S},
	/* hubspot, version 3 */
	{.yaml = "{method: hmac, header: X-HubSpot-Signature-v3, encoding: base64, "
		 "signed: '{method}{url}{body}{timestamp}', timestamp: 'header:X-HubSpot-Request-Timestamp', unit: ms}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-HubSpot-Signature-v3", "0bE6x6BglOCp3h2ohKld9LI3PtvQRWk3GQyQRMyG//8="},
	 .timestamp = {"X-HubSpot-Request-Timestamp", "1795280400123"},
	 .timestamp_ms = AT_MS},
	/* dixa */
	{.yaml = "{method: hmac, header: X-DIXA-SIGNATURE, format: 't={timestamp},v1={signature}', key: hex, "
		 "signed: '{timestamp}.{body}', unit: ms}",
	 .secret = "00ff10a5c3d2e1f04b5a69788796a5b4",
	 .body = BODY,
	 .signature = {"X-DIXA-SIGNATURE",
		       "t=1795280400123,v1=eb77febe8614ab768996491696a2152113f64a6991d4fe7b44d39a544926cbef"},
	 .timestamp_ms = AT_MS},
	/* crisp */
	{.yaml = "{method: hmac, header: X-Crisp-Signature, signed: '[{timestamp};{body}]', "
		 "timestamp: 'header:X-Crisp-Request-Timestamp', unit: ms}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Crisp-Signature", "bd63d8498908cccf587f306104b89a0e246a444760a2fac35bea576e77a5027f"},
	 .timestamp = {"X-Crisp-Request-Timestamp", "1795280400123"},
	 .timestamp_ms = AT_MS},
	/* trengo */
	{.yaml = "{method: hmac, header: Trengo-Signature, format: '{timestamp};{signature}', "
		 "signed: '{timestamp}.{body}'}",
	 .secret = KEY,
	 .body = "ticket_id=81&event=TICKET_CLOSED&subject=a%20b",
	 .signature = {"Trengo-Signature",
		       "1795280400;cdd12865a06ad60feb6ba272e73cf526e92bc405af16ef75bd07d57d777c6048"},
	 .timestamp_ms = AT_S},
	/* freescout: the secret is md5 of the application's key and "webhook_key" */
	{.yaml = "{method: hmac, header: X-FreeScout-Signature, algorithm: sha1, encoding: base64}",
	 .secret = "22ff6d3d601dca4ca433c3ac5b488ff9",
	 .body = BODY,
	 .signature = {"X-FreeScout-Signature", "ATgEG9cHgNh0MWm+fl45nnDP3r4="}},
	/* missive */
	{.yaml = "{method: hmac, header: X-Hook-Signature, format: 'sha256={signature}'}",
	 .secret = KEY,
	 .body = BODY,
	 .signature = {"X-Hook-Signature", "sha256=0bdd5cfb52eaae5f4d82edc71ed8df3d82afd70a16d44ba385368291b867bcef"}},
	/* the Standard Webhooks specification */
	{.yaml = "{method: standard-webhooks}",
	 .secret = "whsec_AQIDc3RhbmRhcmQgd2ViaG9va3Mga2V5/w==",
	 .body = BODY,
	 .signature = {"webhook-signature", "v1,EehCpWbJvETT0udRFbbvf+FeAC+7mJUECZdI4uriWjM="},
	 .timestamp = {"webhook-timestamp", "1795280400"},
	 .other = {"webhook-id", "msg_27"},
	 .timestamp_ms = AT_S},
	/* of no helpdesk: the other keys of the language */
	{.yaml = "{method: hmac, header: X-S, algorithm: sha512, encoding: base64, key: base64, "
		 "signed: '{header:X-Event-Id}|{body}|{{x}}'}",
	 .secret = "AQIDc3RhbmRhcmQgd2ViaG9va3Mga2V5/w",
	 .body = BODY,
	 .signature = {"X-S", "wdn5vWPRtEBkDWpIDoNEndBpCJOA392rdP3VO8Hm3P+"
			      "GIl+qEQ6rzf1dWFJuqB2I2Qioz41+zMovuA99sB8WyQ=="},
	 .other = {"X-Event-Id", "evt_9"}},
	{.yaml = "{method: hmac, header: X-S, algorithm: sha1, timestamp: /meta/sent}",
	 .secret = KEY,
	 .body = "{\"meta\":{\"sent\":\"2026-11-21T17:00:00Z\"},\"id\":1}",
	 .signature = {"X-S", "8336d224335b8be5ad806f50e16beda9e2b3b79b"},
	 .timestamp_ms = AT_S},
	{.yaml = "{method: hmac, header: X-S, timestamp: /sent}",
	 .secret = KEY,
	 .body = "id=1&sent=2026-11-21T17%3A00%3A00Z",
	 .signature = {"X-S", "b88cc009d75836a66fb13e7b42e6fccdb10527cf1fb23e1e4c65eae8a35a5cdb"},
	 .timestamp_ms = AT_S},
	{.yaml = "{method: hmac, header: X-S, signed: '{timestamp}/{body}', timestamp: /meta/sent}",
	 .secret = KEY,
	 .body = "{\"meta\":{\"sent\":\"2026-11-21T17:00:00Z\"},\"id\":1}",
	 .signature = {"X-S", "21da6f9b0ce9f74405701faa3e8807346fab87084cec6091f15146ed23020bd3"},
	 .timestamp_ms = AT_S},
	{.yaml = "{method: hmac, header: X-S, signed: \"{timestamp}\\n{body}\", timestamp: 'query:ts'}",
	 .secret = KEY,
	 .body = BODY,
	 .query = "a=b&ts=1795280400",
	 .signature = {"X-S", "9afbc2c7876704b84ad9b8787b39f3e4eb743c7af155b4714a427bd6af0a5cb7"},
	 .timestamp_ms = AT_S},
};
#define SCHEMES (sizeof(schemes) / sizeof(*schemes))
#define TOLERANCE_MS (5 * CLOCK_MINUTE_MS)

/* ---- one request, and changes to it ------------------------------------------------------------------------------ */

struct stage {
	struct proof *proof;
	struct pairs headers;
	const char *secrets[2];
	struct proof_secrets known;
	char *body, *query;
	struct proof_request request;
};

static void add_header(struct pairs *headers, const struct named *h)
{
	if (h->name)
		pairs_add(headers, h->name, h->value);
}

static void stage_set(struct stage *s, const struct scheme *from)
{
	*s = (struct stage){.proof = with_proof(from->yaml), .secrets = {from->secret}};
	pairs_add(&s->headers, "Content-Type", "application/json");
	add_header(&s->headers, &from->signature);
	add_header(&s->headers, &from->timestamp);
	add_header(&s->headers, &from->other);
	s->known = (struct proof_secrets){.secrets = s->secrets, .n = 1};
	s->body = mem_str(from->body);
	s->query = mem_str(from->query ? from->query : "");
	s->request = (struct proof_request){.method = "POST",
					    .url = "https://hooks.example.com/webhooks/hubspot?a=b",
					    .headers = &s->headers,
					    .query = s->query,
					    .body = s->body,
					    .body_len = strlen(s->body),
					    .now_ms = from->timestamp_ms};
}

static void stage_done(struct stage *s)
{
	proof_free(s->proof);
	pairs_done(&s->headers);
	free(s->body);
	free(s->query);
}

/* Checks when only the headers have arrived. */
static enum proof_verdict stage_check_outside(const struct stage *s)
{
	struct proof_request request = s->request;

	request.body = NULL;
	request.body_len = 0;
	return proof_check_without_body(s->proof, &s->known, &request);
}

/* The headers alone never refuse a request that the whole proves, in all tests. */
static enum proof_verdict stage_check(const struct stage *s)
{
	enum proof_verdict outside = stage_check_outside(s);
	enum proof_verdict whole = proof_check(s->proof, &s->known, &s->request);

	if (whole == PROOF_GOOD && outside != PROOF_GOOD)
		fail_msg("the headers alone are %s, the whole is good", proof_verdict_name(outside));
	return whole;
}

/* Returns the value of the n-th header, to be changed. */
static char *stage_header(struct stage *s, const char *name)
{
	for (size_t i = 0; i < s->headers.n; i++)
		if (strcmp(s->headers.items[i].name, name) == 0)
			return s->headers.items[i].value;
	fail_msg("no header %s", name);
	return NULL;
}

static void stage_replace(struct stage *s, const char *name, const char *value)
{
	for (size_t i = 0; i < s->headers.n; i++) {
		if (strcmp(s->headers.items[i].name, name) != 0)
			continue;
		free(s->headers.items[i].value);
		s->headers.items[i].value = mem_str(value);
	}
}

#define ASSERT_VERDICT(s, verdict)                                                                                   \
	do {                                                                                                         \
		enum proof_verdict is_ = stage_check(s);                                                             \
		if (is_ != (verdict))                                                                                \
			fail_msg("scheme %zu: %s, not %s", i, proof_verdict_name(is_), proof_verdict_name(verdict)); \
	} while (0)

/* ---- every scheme ------------------------------------------------------------------------------------------------ */

static void every_scheme_s_right_signature_proves(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct stage s;

		stage_set(&s, &schemes[i]);
		assert_true(proof_is_present(s.proof, &s.headers, s.query));
		ASSERT_VERDICT(&s, PROOF_GOOD);
		assert_true(proof_about(s.proof)->needs_secret);
		assert_false(proof_about(s.proof)->needs_user);
		assert_null(proof_about(s.proof)->secret_header);
		assert_null(proof_about(s.proof)->secret_query);
		assert_null(proof_secret_fault(s.proof, schemes[i].secret));
		stage_done(&s);
	}
}

static void one_flipped_bit_of_the_body_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct stage s;

		stage_set(&s, &schemes[i]);
		for (size_t k = 0; k < s.request.body_len; k++) {
			s.body[k] ^= 1;
			if (stage_check(&s) == PROOF_GOOD)
				fail_msg("scheme %zu: good with byte %zu of the body changed", i, k);
			s.body[k] ^= 1;
		}
		s.request.body_len--;
		assert_int_not_equal(stage_check(&s), PROOF_GOOD);
		stage_done(&s);
	}
}

static void one_flipped_bit_of_a_header_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		const struct named *named[] = {&schemes[i].signature, &schemes[i].timestamp, &schemes[i].other};
		struct stage s;

		stage_set(&s, &schemes[i]);
		for (size_t n = 0; n < 3 && named[n]->name; n++) {
			char *value = stage_header(&s, named[n]->name);

			for (size_t k = 0; value[k] != '\0'; k++) {
				value[k] ^= 1;
				ASSERT_VERDICT(&s, PROOF_WRONG);
				value[k] ^= 1;
			}
		}
		ASSERT_VERDICT(&s, PROOF_GOOD);
		stage_done(&s);
	}
}

static void what_is_not_shown_is_missing(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		const char *const names[] = {schemes[i].signature.name, schemes[i].timestamp.name,
					     schemes[i].other.name};

		for (size_t n = 0; n < 3; n++) {
			struct stage s;
			char *name;

			if (!names[n])
				continue;
			stage_set(&s, &schemes[i]);
			name = stage_header(&s, names[n]);
			for (size_t k = 0; k < s.headers.n; k++)
				if (s.headers.items[k].value == name)
					s.headers.items[k].name[0] = '_';
			ASSERT_VERDICT(&s, PROOF_MISSING);
			assert_false(proof_is_present(s.proof, &s.headers, s.query));
			stage_done(&s);
		}
	}
}

static void a_timestamp_beyond_the_tolerance_is_stale(void **state)
{
	static const struct {
		int64_t away_ms;
		enum proof_verdict verdict;
	} cases[] = {
		{0, PROOF_GOOD},
		{TOLERANCE_MS, PROOF_GOOD},
		{TOLERANCE_MS + 1, PROOF_STALE},
		{-TOLERANCE_MS, PROOF_GOOD},
		{-TOLERANCE_MS - 1, PROOF_STALE},
		{3650 * CLOCK_DAY_MS, PROOF_STALE},
		{-3650 * CLOCK_DAY_MS, PROOF_STALE},
	};

	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct stage s;

		stage_set(&s, &schemes[i]);
		for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
			s.request.now_ms = schemes[i].timestamp_ms + cases[k].away_ms;
			ASSERT_VERDICT(&s, schemes[i].timestamp_ms > 0 ? cases[k].verdict : PROOF_GOOD);
		}
		s.known.secrets = (const char *const[]){"00"};
		ASSERT_VERDICT(&s, PROOF_WRONG); /* not stale: the signature comes first */
		stage_done(&s);
	}
}

#define ASSERT_OUTSIDE(s, verdict)                                                                                   \
	do {                                                                                                         \
		enum proof_verdict is_ = stage_check_outside(s);                                                     \
		if (is_ != (verdict))                                                                                \
			fail_msg("scheme %zu: %s, not %s", i, proof_verdict_name(is_), proof_verdict_name(verdict)); \
		assert_true(is_ == PROOF_GOOD || stage_check(s) != PROOF_GOOD);                                      \
	} while (0)

static void the_headers_alone_refuse_what_no_body_can_make_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		bool timestamp_outside = schemes[i].timestamp_ms > 0 && !strstr(schemes[i].yaml, "timestamp: /");
		char *signature;
		struct stage s;

		stage_set(&s, &schemes[i]);
		assert_true(proof_about(s.proof)->needs_body);
		ASSERT_OUTSIDE(&s, PROOF_GOOD);
		s.known.n = 0;
		s.request.now_ms = schemes[i].timestamp_ms + TOLERANCE_MS + 1;
		ASSERT_OUTSIDE(&s, timestamp_outside ? PROOF_STALE : PROOF_GOOD);
		s.request.now_ms = schemes[i].timestamp_ms;

		signature = stage_header(&s, schemes[i].signature.name);
		signature[strlen(signature) - 5] = '!'; /* in neither encoding */
		ASSERT_OUTSIDE(&s, PROOF_WRONG);
		stage_replace(&s, schemes[i].signature.name, "");
		ASSERT_OUTSIDE(&s, PROOF_MISSING);
		stage_done(&s);

		stage_set(&s, &schemes[i]);
		signature = stage_header(&s, schemes[i].signature.name);
		signature[strlen(signature) - 8] = '\0'; /* of no length of a digest, with or without padding */
		ASSERT_OUTSIDE(&s, PROOF_WRONG);
		stage_done(&s);

		stage_set(&s, &schemes[i]);
		s.request.url = NULL;
		ASSERT_OUTSIDE(&s, strstr(schemes[i].yaml, "{url}") ? PROOF_WRONG : PROOF_GOOD);
		if (schemes[i].timestamp.name) {
			s.request.url = "https://hooks.example.com/webhooks/hubspot?a=b";
			stage_replace(&s, schemes[i].timestamp.name, "today");
			ASSERT_OUTSIDE(&s, PROOF_WRONG);
		}
		stage_done(&s);
	}
}

static void any_secret_of_a_rotation_proves(void **state)
{
	static const char *const others[] = {"0123456789abcdef", "YWJjZA=="};

	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		const char *right = schemes[i].secret;
		struct stage s;

		stage_set(&s, &schemes[i]);
		s.known.n = 2;
		for (size_t k = 0; k < 2; k++) {
			s.known.secrets = (const char *const[]){right, others[k]};
			ASSERT_VERDICT(&s, PROOF_GOOD);
			s.known.secrets = (const char *const[]){others[k], right};
			ASSERT_VERDICT(&s, PROOF_GOOD);
		}
		s.known.secrets = others;
		ASSERT_VERDICT(&s, PROOF_WRONG);
		s.known.secrets = (const char *const[]){"", right}; /* an impossible secret does not stop the others */
		ASSERT_VERDICT(&s, PROOF_GOOD);
		s.known.secrets = (const char *const[]){"!", right};
		ASSERT_VERDICT(&s, PROOF_GOOD);
		stage_done(&s);
	}
}

/* A signature made with the empty key proves nothing. */
static void no_secret_proves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct stage s;

		stage_set(&s, &schemes[i]);
		s.known.secrets = (const char *const[]){"", NULL, "whsec_", "whsec_="};
		s.known.n = 2;
		ASSERT_VERDICT(&s, PROOF_WRONG);
		s.known.n = strstr(schemes[i].yaml, "standard") ? 4 : 0;
		ASSERT_VERDICT(&s, PROOF_WRONG);
		assert_non_null(proof_secret_fault(s.proof, ""));
		stage_done(&s);
	}
}

static void every_secret_is_tried_though_the_first_was_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		const char *const secrets[] = {schemes[i].secret, schemes[i].secret, "YWJjZA=="};
		struct stage s;

		stage_set(&s, &schemes[i]);
		s.known = (struct proof_secrets){.secrets = secrets, .n = 2};
		compared = 0;
		ASSERT_VERDICT(&s, PROOF_GOOD);
		assert_int_equal(compared, 2);
		stage_done(&s);
	}
}

static void what_is_made_is_what_the_helpdesk_makes(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		CLEANUP(mem_freep) char *query = NULL;
		struct pairs given = {0};
		struct pairs made;
		struct stage s;

		stage_set(&s, &schemes[i]);
		add_header(&given, &schemes[i].other);
		s.request.headers = &given;
		proof_make(s.proof, &s.known, &s.request, &made, &query);
		if (!text_is(pairs_get(&made, schemes[i].signature.name), schemes[i].signature.value))
			fail_msg("scheme %zu: made %s", i, pairs_get(&made, schemes[i].signature.name));
		if (schemes[i].timestamp.name)
			assert_string_equal(pairs_get(&made, schemes[i].timestamp.name), schemes[i].timestamp.value);
		assert_true(text_is(query, schemes[i].query ? "ts=1795280400" : NULL));
		pairs_done(&given);
		pairs_done(&made);
		stage_done(&s);
	}
}

static void what_is_made_proves_at_any_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		CLEANUP(mem_freep) char *query = NULL;
		struct pairs made;
		struct stage s;

		if (strstr(schemes[i].yaml, "/sent"))
			continue; /* the time in the body is signed */
		stage_set(&s, &schemes[i]);
		s.request.headers = NULL;
		s.request.now_ms = AT_MS + 1234567;
		proof_make(s.proof, &s.known, &s.request, &made, &query);
		s.request.headers = &made;
		s.request.query = query;
		ASSERT_VERDICT(&s, PROOF_GOOD);
		s.request.now_ms += TOLERANCE_MS - 1000;
		ASSERT_VERDICT(&s, PROOF_GOOD);
		pairs_done(&made);
		stage_done(&s);
	}
}

static void nothing_is_made_where_nothing_right_can_be(void **state)
{
	static const struct scheme cases[] = {
		{.yaml = "{method: hmac, header: X-S, key: hex}", .secret = "no", .body = "{}"},
		{.yaml = "{method: hmac, header: X-S}", .secret = "", .body = "{}"},
		{.yaml = "{method: hmac, header: X-S, timestamp: /at}", .secret = KEY, .body = "{}"},
		{.yaml = "{method: hmac, header: X-S, signed: '{url}{body}'}", .secret = KEY, .body = "{}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *query = NULL;
		struct pairs made;
		struct stage s;

		stage_set(&s, &cases[i]);
		s.request.url = NULL;
		proof_make(s.proof, &s.known, &s.request, &made, &query);
		assert_int_equal(made.n, 0);
		assert_null(query);
		stage_done(&s);
	}
}

/* ---- forms of the header ----------------------------------------------------------------------------------------- */

#define HEX "0bdd5cfb52eaae5f4d82edc71ed8df3d82afd70a16d44ba385368291b867bcef"
#define HEX_UPPER "0BDD5CFB52EAAE5F4D82EDC71ED8DF3D82AFD70A16D44BA385368291B867BCEF"
#define STANDARD "EehCpWbJvETT0udRFbbvf+FeAC+7mJUECZdI4uriWjM="
#define OTHER "AAAApWbJvETT0udRFbbvf+FeAC+7mJUECZdI4uriWjM="
#define EIGHT_OTHERS \
	"v1," OTHER " v1," OTHER " v1," OTHER " v1," OTHER " v1," OTHER " v1," OTHER " v1," OTHER " v1," OTHER

static void the_header_s_form_is_the_format_s(void **state)
{
	static const struct {
		size_t scheme;
		const char *value;
		enum proof_verdict verdict;
	} cases[] = {
		{5, HEX_UPPER, PROOF_GOOD},
		{5, " " HEX "\t", PROOF_GOOD},
		{5, HEX "00", PROOF_WRONG},
		{5, "0bdd", PROOF_WRONG},
		{5, "sha256=" HEX, PROOF_WRONG},
		{5, "C91c+1Lqrl9Ngu3HHtjfPYKv1woW1Eujg1OoKRuGe87w==", PROOF_WRONG},
		{5, "", PROOF_MISSING},
		{5, "  ", PROOF_MISSING},
		{12, "SHA256=" HEX_UPPER, PROOF_GOOD},
		{12, "sha256 = " HEX, PROOF_GOOD},
		{12, "sha1=" HEX, PROOF_WRONG},
		{12, HEX, PROOF_WRONG},
		{12, "sha256=", PROOF_MISSING},
		{12, "sha256", PROOF_WRONG},
		{2, "7S2+kN8bZsrdAEADJ+yYfWWsf/4", PROOF_GOOD},
		{2, "7S2+kN8bZsrdAEADJ+yYfWWsf/5", PROOF_WRONG},
		{2, "7S2+kN8bZsrdAEADJ+yYfWWsf/4==", PROOF_WRONG},
		{8, "t=1795280400123, v1=eb77febe8614ab768996491696a2152113f64a6991d4fe7b44d39a544926cbef", PROOF_GOOD},
		{8, "v1=eb77febe8614ab768996491696a2152113f64a6991d4fe7b44d39a544926cbef,t=1795280400123", PROOF_WRONG},
		{8, "t=,v1=eb77febe8614ab768996491696a2152113f64a6991d4fe7b44d39a544926cbef", PROOF_MISSING},
		{8, "t=1795280400123,v1=", PROOF_MISSING},
		{8, "t=1795280400123", PROOF_WRONG},
		{8, "t=01795280400123,v1=eb77febe8614ab768996491696a2152113f64a6991d4fe7b44d39a544926cbef",
		 PROOF_WRONG},
		{10, "1795280400;", PROOF_MISSING},
		{10, ";cdd12865a06ad60feb6ba272e73cf526e92bc405af16ef75bd07d57d777c6048", PROOF_MISSING},
		{13, "v1," STANDARD " v1," OTHER, PROOF_GOOD},
		{13, "v1," OTHER " v1," STANDARD, PROOF_GOOD},
		{13, "v1," OTHER ",v1," STANDARD, PROOF_GOOD},
		{13, "v1a,xyz v1," STANDARD, PROOF_GOOD},
		{13, "v1," OTHER, PROOF_WRONG},
		{13, "v2," STANDARD, PROOF_WRONG},
		{13, "v1a," STANDARD, PROOF_WRONG},
		{13, STANDARD, PROOF_WRONG},
		{13, "v1,", PROOF_WRONG},
		{13, ",,, ,", PROOF_WRONG},
		{13, EIGHT_OTHERS " v1," STANDARD, PROOF_WRONG}, /* nine keys are more than any rotation */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct scheme *scheme = &schemes[cases[i].scheme];
		struct stage s;

		stage_set(&s, scheme);
		stage_replace(&s, scheme->signature.name, cases[i].value);
		if (stage_check(&s) != cases[i].verdict)
			fail_msg("%s: %s", cases[i].value, proof_verdict_name(stage_check(&s)));
		assert_int_equal(proof_is_present(s.proof, &s.headers, s.query), cases[i].verdict != PROOF_MISSING);
		stage_done(&s);
	}
}

static void a_header_that_is_too_long_is_not_taken_apart(void **state)
{
	char *value = mem_new(1 << 20, 1);
	struct stage s;

	(void)state;
	stage_set(&s, &schemes[8]);
	memset(value, ' ', (1 << 20) - 1);
	memcpy(value, "t=", 2);
	memcpy(value + (1 << 20) - 9, ",v1=abcd", 8);
	stage_replace(&s, schemes[8].signature.name, value);
	assert_int_equal(stage_check(&s), PROOF_WRONG);
	assert_true(proof_is_present(s.proof, &s.headers, s.query));
	free(value);
	stage_done(&s);
}

/* The cost of a stranger's header is linear in its length, whatever it contains: quadratic, these would take seconds.
 */
static void a_header_of_blanks_costs_no_more_than_any_other(void **state)
{
	static const char fills[] = " \t,;";
	static const size_t of[] = {8, 10};
	char value[4096 + 1];

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof(fills) - 1); i++) {
		clock_t begin, took;
		struct stage s;

		memset(value, fills[i / 2], sizeof(value) - 1);
		memcpy(value, "t=", 2);
		value[sizeof(value) - 1] = '\0';
		stage_set(&s, &schemes[of[i % 2]]);
		stage_replace(&s, schemes[of[i % 2]].signature.name, value);
		begin = clock();
		for (size_t k = 0; k < 300; k++)
			assert_int_not_equal(stage_check(&s), PROOF_GOOD);
		took = clock() - begin;
		if (took > CLOCKS_PER_SEC)
			fail_msg("'%c': %.1f s of the processor", fills[i / 2], (double)took / CLOCKS_PER_SEC);
		stage_done(&s);
	}
}

/* ---- timestamps -------------------------------------------------------------------------------------------------- */

/* Signs by the scheme, with any timestamp. */
static char *signature_of(const char *timestamp, const char *body, size_t body_len)
{
	struct digest_hmac *d = digest_hmac_new(DIGEST_SHA256, KEY, strlen(KEY));
	unsigned char digest[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	digest_hmac_add(d, timestamp, strlen(timestamp));
	digest_hmac_add(d, ".", 1);
	digest_hmac_add(d, body, body_len);
	digest_hmac_end(d, digest);
	hex_write(digest, sizeof(digest), hex);
	return mem_fmt("sha256=%s", hex);
}

static void a_timestamp_may_be_written_in_any_way(void **state)
{
	static const struct {
		const char *timestamp;
		enum proof_verdict verdict;
	} cases[] = {
		{"1795280400", PROOF_GOOD},
		{"1795280400.5", PROOF_GOOD},
		{"1795280400123", PROOF_GOOD},
		{"2026-11-21T17:00:00Z", PROOF_GOOD},
		{"2026-11-21T18:00:00.25+01:00", PROOF_GOOD},
		{"1795270000", PROOF_STALE},
		{"0", PROOF_STALE},
		{"999999999999999", PROOF_STALE},
		{"2025-11-21T17:00:00Z", PROOF_STALE},
		{"-1", PROOF_WRONG},
		{"now", PROOF_WRONG},
		{"1795280400 s", PROOF_WRONG},
		{"99999999999999999999", PROOF_WRONG},
		{"", PROOF_MISSING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *signature = signature_of(cases[i].timestamp, BODY, strlen(BODY));
		struct stage s;

		stage_set(&s, &schemes[6]);
		stage_replace(&s, "X-Chatwoot-Signature", signature);
		stage_replace(&s, "X-Chatwoot-Timestamp", cases[i].timestamp);
		if (stage_check(&s) != cases[i].verdict)
			fail_msg("\"%s\": %s", cases[i].timestamp, proof_verdict_name(stage_check(&s)));
		stage_done(&s);
	}
}

static void the_body_s_timestamp_is_asked_for_once_the_signature_is_right(void **state)
{
	static const struct {
		const char *body, *signature;
		enum proof_verdict verdict;
	} cases[] = {
		/* of sha1 over the body alone */
		{"{\"id\":1}", "1799c66fcc52cd5b7c9b5c4b7ac4a02c0e4a1e6f", PROOF_WRONG},
		{"{\"id\":1}", "@", PROOF_MISSING},
		{"no JSON", "@", PROOF_MISSING},
		{"null", "@", PROOF_MISSING},
		{"meta=1&sent=1795280400", "@", PROOF_MISSING},
		{"{\"meta\":{\"sent\":\"soon\"}}", "@", PROOF_WRONG},
		{"{\"meta\":{\"sent\":1795280400123}}", "@", PROOF_GOOD},
		{"{\"meta\":{\"sent\":1795280400.25}}", "@", PROOF_GOOD},
		{"{\"meta\":{\"sent\":1695280400}}", "@", PROOF_STALE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scheme scheme = schemes[15];
		struct digest_hmac *d = digest_hmac_new(DIGEST_SHA1, KEY, strlen(KEY));
		char hex[2 * DIGEST_BYTES_MAX + 1];
		unsigned char digest[DIGEST_BYTES_MAX];
		struct stage s;

		digest_hmac_add(d, cases[i].body, strlen(cases[i].body));
		digest_hmac_end(d, digest);
		hex_write(digest, digest_bytes(DIGEST_SHA1), hex);
		scheme.body = cases[i].body;
		scheme.signature.value = cases[i].signature[0] == '@' ? hex : cases[i].signature;
		stage_set(&s, &scheme);
		ASSERT_VERDICT(&s, cases[i].verdict);
		stage_done(&s);
	}
}

static void the_tolerance_is_the_definition_s(void **state)
{
	static const char *const yamls[] = {
		"{method: hmac, header: Trengo-Signature, format: '{timestamp};{signature}', signed: "
		"'{timestamp}.{body}', tolerance: 1h}",
		"{method: standard-webhooks, tolerance: 1h}",
	};
	static const size_t of[] = {10, 13};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scheme scheme = schemes[of[i]];
		struct stage s;

		scheme.yaml = yamls[i];
		stage_set(&s, &scheme);
		s.request.now_ms += CLOCK_HOUR_MS;
		ASSERT_VERDICT(&s, PROOF_GOOD);
		s.request.now_ms++;
		ASSERT_VERDICT(&s, PROOF_STALE);
		stage_done(&s);
	}
}

/* ---- bodies and URLs --------------------------------------------------------------------------------------------- */

static void a_nul_in_the_body_is_signed_like_any_byte(void **state)
{
	static const char body[] = "{\"a\":\"\0b\"}";
	struct scheme scheme = schemes[5];
	struct stage s;

	(void)state;
	scheme.signature.value = "396d29a6f462b7c17b5f18e23729a9881a6a99ba761693fd9eee4b6d3aa01691";
	stage_set(&s, &scheme);
	s.request.body = body;
	s.request.body_len = sizeof(body) - 1;
	assert_int_equal(stage_check(&s), PROOF_GOOD);
	s.request.body_len = strlen(body);
	assert_int_equal(stage_check(&s), PROOF_WRONG);
	stage_done(&s);
}

static void a_signed_url_is_the_source_s(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct stage s;

		stage_set(&s, &schemes[i]);
		assert_int_equal(proof_about(s.proof)->signs_url, i == 7);
		s.request.url = "https://hooks.example.com/webhooks/hubspot";
		ASSERT_VERDICT(&s, i == 7 ? PROOF_WRONG : PROOF_GOOD);
		s.request.url = NULL;
		ASSERT_VERDICT(&s, i == 7 ? PROOF_WRONG : PROOF_GOOD);
		stage_done(&s);
	}
}

static void the_method_is_signed_as_it_came(void **state)
{
	struct stage s;

	(void)state;
	stage_set(&s, &schemes[7]);
	s.request.method = "PUT";
	assert_int_equal(stage_check(&s), PROOF_WRONG);
	stage_done(&s);
}

/* ---- secrets ----------------------------------------------------------------------------------------------------- */

static void a_secret_that_can_be_none_is_told_without_it(void **state)
{
	static const struct {
		const char *yaml, *secret, *says; /* NULL: it can be one */
	} cases[] = {
		{"{method: hmac, header: X-S}", "anything", NULL},
		{"{method: hmac, header: X-S}", "", "is empty"},
		{"{method: hmac, header: X-S, key: hex}", "00fFA9", NULL},
		{"{method: hmac, header: X-S, key: hex}", "00f", "is not hexadecimal"},
		{"{method: hmac, header: X-S, key: hex}", "s3cret", "is not hexadecimal"},
		{"{method: hmac, header: X-S, key: hex}", "", "is empty"},
		{"{method: hmac, header: X-S, key: base64}", "YWJj", NULL},
		{"{method: hmac, header: X-S, key: base64}", "YWI=", NULL},
		{"{method: hmac, header: X-S, key: base64}", "YWI", NULL},
		{"{method: hmac, header: X-S, key: base64}", "YQ", NULL},
		{"{method: hmac, header: X-S, key: base64}", "Y", "is not base64"},
		{"{method: hmac, header: X-S, key: base64}", "s3cret!", "is not base64"},
		{"{method: hmac, header: X-S, key: base64}", "whsec_YWJj", "is not base64"},
		{"{method: standard-webhooks}", "whsec_YWJj", NULL},
		{"{method: standard-webhooks}", "YWI=", NULL},
		{"{method: standard-webhooks}", "whsec_", "is empty"},
		{"{method: standard-webhooks}", "whsec_s3cret!", "expected whsec_"},
		{"{method: basic}", "anything", NULL},
		{"{method: query, name: key}", "anything", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct proof *p = with_proof(cases[i].yaml);
		const char *fault = proof_secret_fault(p, cases[i].secret);

		if (!fault != !cases[i].says || (fault && !strstr(fault, cases[i].says)))
			fail_msg("%s, \"%s\": %s", cases[i].yaml, cases[i].secret, fault ? fault : "nothing");
		assert_false(fault && *cases[i].secret && strstr(fault, cases[i].secret));
		proof_free(p);
	}
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

static void mistakes_are_told_at_their_place(void **state)
{
	static const struct {
		const char *yaml, *says;
		unsigned column;
	} cases[] = {
		{"{method: hmac}", "expected `header`", 1},
		{"{method: hmac, header: }", "expected text, not nothing", 0},
		{"{method: hmac, header: [X]}", "expected text, not a list", 24},
		{"{method: hmac, header: 'X Y'}", "no name of a header", 24},
		{"{method: hmac, header: X, name: Y}", "has no name", 33},
		{"{method: hmac, header: X, formt: Y}", "did you mean \"format\"?", 27},
		{"{method: hmac, header: X, algorithm: sha265}", "did you mean \"sha256\"?", 38},
		{"{method: hmac, header: X, algorithm: md5}", "sha256, sha1, sha512", 38},
		{"{method: hmac, header: X, encoding: bas64}", "did you mean \"base64\"?", 37},
		{"{method: hmac, header: X, key: plain}", "expected one of text, hex, base64", 32},
		{"{method: hmac, header: X, format: {signature}}", "must stand in quotes", 35},
		{"{method: hmac, header: X, format: 'sha1='}", "{signature} once", 35},
		{"{method: hmac, header: X, format: '{signature};{signature}'}", "{signature} once", 35},
		{"{method: hmac, header: X, format: '{signture}'}", "did you mean \"signature\"?", 35},
		{"{method: hmac, header: X, format: '{body}{signature}'}", "unknown placeholder \"body\"", 35},
		{"{method: hmac, header: X, format: '{timestamp}{signature}'}", "be told apart", 35},
		{"{method: hmac, header: X, format: '{timestamp} {signature}'}", "be told apart", 35},
		{"{method: hmac, header: X, format: '{signature} '}", "be told apart", 35},
		{"{method: hmac, header: X, signed: '{method}\\n{body}'}", "a backslash and an n", 35},
		{"{method: hmac, header: X, format: '{signature'}", "without its \"}\"", 35},
		{"{method: hmac, header: X, format: 'x}{signature}'}", "without its \"{\"", 35},
		{"{method: hmac, header: X, signed: '{bdy}'}", "did you mean \"body\"?", 35},
		{"{method: hmac, header: X, signed: '{/id}{body}'}", "body, method, url, header:NAME", 35},
		{"{method: hmac, header: X, signed: '{signature}{body}'}", "unknown placeholder \"signature\"", 35},
		{"{method: hmac, header: X, signed: '{header:}{body}'}", "expected the name of a header", 35},
		{"{method: hmac, header: X, signed: '{method}{url}'}", "expected {body}", 35},
		{"{method: hmac, header: X, signed: ''}", "expected text, not nothing", 35},
		{"{method: hmac, header: X, signed: '{timestamp}.{body}'}", "nothing gives one", 35},
		{"{method: hmac, header: X, tolerance: 5m}", "`tolerance` needs a `timestamp`", 38},
		{"{method: hmac, header: X, unit: ms}", "`unit` needs a `timestamp`", 33},
		{"{method: hmac, header: X, timestamp: sent}", "is no reference", 38},
		{"{method: hmac, header: X, timestamp: 'header:A B'}", "name of a header", 38},
		{"{method: hmac, header: X, timestamp: {/a: b}}", "expected text, not a mapping", 38},
		{"{method: hmac, header: X, format: 't={timestamp},v1={signature}', timestamp: /at}",
		 "stands in `format` already", 78},
		{"{method: hmac, header: X, timestamp: /at, unit: min}", "s, ms, iso", 49},
		{"{method: hmac, header: X, timestamp: /at, tolerance: 5}", "expected a duration", 54},
		{"{method: hmac, header: X, timestamp: /at, tolerance: 0s}", "above zero", 54},
		{"{method: hmac, header: X, timestamp: /at, tolerance: 400d}", "up to 366d", 54},
		{"{method: standard-webhooks, header: X}", "belongs to method hmac, not to standard-webhooks", 29},
		{"{method: standard-webhooks, tolerance: soon}", "expected a duration", 40},
		{"{method: basic, unit: s}", "belongs to method hmac", 17},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_yaml(cases[i].yaml);
		struct problems p = {0};

		assert_null(proof_compile(n, &p));
		for (size_t k = 0; k < p.n && cases[i].column > 0; k++)
			if (strstr(p.items[k].text, cases[i].says) && p.items[k].column != cases[i].column)
				fail_msg("%s: at column %u, not %u", cases[i].yaml, p.items[k].column, cases[i].column);
		if (!problems_say(&p, false, cases[i].says))
			fprintf(stderr, "%s\n", cases[i].yaml);
		assert_problem(&p, cases[i].says);
	}
}

static void all_mistakes_are_told_at_once(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml("{method: hmac, algorithm: x, encoding: y, key: z, unit: u, "
				   "tolerance: t, signed: '{a}'}");
	struct problems p = {0};

	(void)state;
	assert_null(proof_compile(n, &p));
	assert_int_equal(p.errors, 7);
	problems_done(&p);
}

static void a_timestamp_that_is_not_signed_is_warned_of(void **state)
{
	static const struct {
		const char *yaml;
		bool warned;
	} cases[] = {
		{"{method: hmac, header: X, timestamp: 'header:T'}", true},
		{"{method: hmac, header: X, timestamp: 'query:t'}", true},
		{"{method: hmac, header: X, format: '{timestamp};{signature}'}", true},
		{"{method: hmac, header: X, timestamp: 'header:T', signed: '{timestamp}{body}'}", false},
		{"{method: hmac, header: X, timestamp: 'header:T', signed: '{header:t}{body}'}", false},
		{"{method: hmac, header: X, timestamp: /at}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_yaml(cases[i].yaml);
		struct problems p = {0};
		struct proof *proof = proof_compile(n, &p);

		assert_non_null(proof);
		assert_int_equal(problems_say(&p, true, "not signed"), cases[i].warned);
		proof_free(proof);
		assert_no_problem(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scheme_s_right_signature_proves),
		cmocka_unit_test(one_flipped_bit_of_the_body_is_wrong),
		cmocka_unit_test(one_flipped_bit_of_a_header_is_wrong),
		cmocka_unit_test(what_is_not_shown_is_missing),
		cmocka_unit_test(a_timestamp_beyond_the_tolerance_is_stale),
		cmocka_unit_test(the_headers_alone_refuse_what_no_body_can_make_good),
		cmocka_unit_test(any_secret_of_a_rotation_proves),
		cmocka_unit_test(no_secret_proves_nothing),
		cmocka_unit_test(every_secret_is_tried_though_the_first_was_right),
		cmocka_unit_test(what_is_made_is_what_the_helpdesk_makes),
		cmocka_unit_test(what_is_made_proves_at_any_time),
		cmocka_unit_test(nothing_is_made_where_nothing_right_can_be),
		cmocka_unit_test(the_header_s_form_is_the_format_s),
		cmocka_unit_test(a_header_that_is_too_long_is_not_taken_apart),
		cmocka_unit_test(a_header_of_blanks_costs_no_more_than_any_other),
		cmocka_unit_test(a_timestamp_may_be_written_in_any_way),
		cmocka_unit_test(the_body_s_timestamp_is_asked_for_once_the_signature_is_right),
		cmocka_unit_test(the_tolerance_is_the_definition_s),
		cmocka_unit_test(a_nul_in_the_body_is_signed_like_any_byte),
		cmocka_unit_test(a_signed_url_is_the_source_s),
		cmocka_unit_test(the_method_is_signed_as_it_came),
		cmocka_unit_test(a_secret_that_can_be_none_is_told_without_it),
		cmocka_unit_test(mistakes_are_told_at_their_place),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(a_timestamp_that_is_not_signed_is_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

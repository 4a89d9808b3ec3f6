/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "http_script.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/mem.h"

#define BYTES_MAX (192 * 1024) /* of a script */
#define REPEATED_MAX 64        /* bytes of a repeated text */
#define NEXT_REQUEST 0xFD
#define WAIT_HERE 0xFE

static const char *const secrets[] = {BEARER_SECRET, BASIC_SECRET,  HEADER_SECRET, QUERY_SECRET,
				      HMAC_SECRET,   SEALED_SECRET, ADMIN_TOKEN,   API_KEY};
#define SECRETS_N (sizeof(secrets) / sizeof(*secrets))

/* The proof that the client must send for a webhook of a source. */
enum needed {
	NEEDED_NOTHING,
	NEEDED_WORD,
	NEEDED_BASIC, /* the word, encoded in base64 */
	NEEDED_HMAC256,
	NEEDED_HMAC1,
	NEEDED_NEVER,
};
static const struct known_proof {
	const char *source;
	enum needed needed;
	const char *word;
} proofs[] = {
	{"generic", NEEDED_WORD, BEARER_SECRET},
	{"gladly", NEEDED_BASIC, USER ":" BASIC_SECRET},
	{"gorgias", NEEDED_WORD, HEADER_SECRET},
	{"groove", NEEDED_WORD, QUERY_SECRET},
	{"missive", NEEDED_HMAC256},
	{"helpscout", NEEDED_HMAC1},
	{"front", NEEDED_HMAC1},
	{"sealed", NEEDED_NEVER},
	{"open", NEEDED_NOTHING},
};
#define PROOFS_N (sizeof(proofs) / sizeof(*proofs))

/* ---- making them ------------------------------------------------------------------------------------------------- */

static void add(struct script *s, const void *bytes, size_t n)
{
	if (n > BYTES_MAX - s->len)
		n = BYTES_MAX - s->len;
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

/* Returns the length of the "{N*text}" at the beginning of at; 0 where there is none. */
static size_t repeat(struct script *s, const char *at, size_t size)
{
	size_t i = 1;
	size_t times = 0;
	size_t start;
	const char *end;

	if (size < 5 || at[0] != '{')
		return 0;
	for (; i < size && i < 7 && at[i] >= '0' && at[i] <= '9'; i++)
		times = 10 * times + (size_t)(at[i] - '0');
	if (i == 1 || i >= size || at[i] != '*')
		return 0;
	start = i + 1;
	end = memchr(at + start, '}', size - start < REPEATED_MAX ? size - start : REPEATED_MAX);
	if (!end)
		return 0;
	for (size_t n = (size_t)(end - at) - start; times > 0 && n > 0 && s->len < BYTES_MAX; times--)
		add(s, at + start, n);
	return (size_t)(end - at) + 1;
}

static void hmac(enum digest_algorithm a, const char *body, size_t len, unsigned char out[DIGEST_BYTES_MAX])
{
	struct digest_hmac *h = digest_hmac_new(a, HMAC_SECRET, strlen(HMAC_SECRET));

	digest_hmac_add(h, body, len);
	digest_hmac_end(h, out);
}

static char *hmac_text(enum digest_algorithm a, const char *body, size_t len)
{
	unsigned char bytes[DIGEST_BYTES_MAX];
	char hex[2 * DIGEST_BYTES_MAX + 1];

	hmac(a, body, len, bytes);
	if (a == DIGEST_SHA1)
		return digest_base64(bytes, digest_bytes(a));
	hex_write(bytes, digest_bytes(a), hex);
	return mem_str(hex);
}

/* Returns the offset of the request's body. */
static size_t head_end(const char *request, size_t len)
{
	const char *end = memmem(request, len, "\r\n\r\n", 4);

	if (end)
		return (size_t)(end - request) + 4;
	end = memmem(request, len, "\n\n", 2);
	return end ? (size_t)(end - request) + 2 : len;
}

/* Adds one request, with the length and signature of its body in place of their forms. */
static void add_request(struct script *s, const char *request, size_t len)
{
	size_t head = head_end(request, len);
	size_t body_len = 0;
	static char body[BYTES_MAX];

	for (size_t i = head; i < len; i++)
		if ((unsigned char)request[i] != WAIT_HERE)
			body[body_len++] = request[i];
	for (size_t i = 0; i < head;) {
		const char *at = request + i;
		size_t left = head - i;
		CLEANUP(mem_freep) char *text = NULL;
		size_t used;

		if (left >= 5 && memcmp(at, "{len}", 5) == 0) {
			text = mem_fmt("%zu", body_len);
			used = 5;
		} else if (left >= 9 && memcmp(at, "{hmac256}", 9) == 0) {
			text = hmac_text(DIGEST_SHA256, body, body_len);
			used = 9;
			s->is_signed = true;
		} else if (left >= 7 && memcmp(at, "{hmac1}", 7) == 0) {
			text = hmac_text(DIGEST_SHA1, body, body_len);
			used = 7;
			s->is_signed = true;
		} else {
			used = 1;
		}
		add(s, text ? text : at, text ? strlen(text) : 1);
		i += used;
	}
	add(s, request + head, len - head);
}

/* Removes the marks 0xFE, and notes where the client waits. */
static void find_cuts(struct script *s)
{
	size_t to = 0;

	for (size_t i = 0; i < s->len; i++) {
		if ((unsigned char)s->bytes[i] != WAIT_HERE)
			s->bytes[to++] = s->bytes[i];
		else if (s->cuts_n < sizeof(s->cuts) / sizeof(*s->cuts))
			s->cuts[s->cuts_n++] = to;
	}
	s->len = to;
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static char *percent_decoded(const struct script *s)
{
	char *to = mem_new(s->len + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (s->bytes[i] == '%' && i + 2 < s->len && hex_of(s->bytes[i + 1]) >= 0 &&
		    hex_of(s->bytes[i + 2]) >= 0) {
			to[n++] = (char)(hex_of(s->bytes[i + 1]) << 4 | hex_of(s->bytes[i + 2]));
			i += 2;
		} else {
			to[n++] = s->bytes[i];
		}
	}
	return to;
}

void script_make(const uint8_t *input, size_t size, struct script *ret)
{
	static char whole_bytes[BYTES_MAX], all_bytes[BYTES_MAX];
	const char *text = (const char *)input + 1;
	struct script whole = {.bytes = whole_bytes};

	*ret = (struct script){.flags = size > 0 ? input[0] & 31u : 0, .bytes = all_bytes};
	size = size > 0 ? size - 1 : 0;
	for (size_t i = 0; i <= size; i++) {
		size_t used;

		if (i == size || (unsigned char)text[i] == NEXT_REQUEST) {
			add_request(ret, whole.bytes, whole.len);
			whole.len = 0;
			continue;
		}
		used = repeat(&whole, text + i, size - i);
		if (used > 0)
			i += used - 1;
		else
			add(&whole, text + i, 1);
	}
	find_cuts(ret);
	ret->bytes = mem_dup(ret->bytes, ret->len); /* a copy, so that a read past its end is detected */
	ret->decoded = percent_decoded(ret);
}

void script_done(struct script *s)
{
	free(s->bytes);
	free(s->decoded);
}

/* ---- what they prove --------------------------------------------------------------------------------------------- */

bool holds_word(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

bool script_sends(const struct script *s, const char *word)
{
	return holds_word(s->bytes, s->len, word) || holds_word(s->decoded, s->len, word);
}

static bool sends_proof(const struct script *s, const struct known_proof *p)
{
	CLEANUP(mem_freep) char *basic = p->needed == NEEDED_BASIC ? digest_base64(p->word, strlen(p->word)) : NULL;

	return script_sends(s, basic ? basic : p->word);
}

bool script_is_proven(const struct script *s)
{
	if (s->is_signed || script_sends(s, ADMIN_TOKEN))
		return true;
	for (size_t i = 0; i < PROOFS_N; i++)
		if (proofs[i].word && sends_proof(s, &proofs[i]))
			return true;
	return false;
}

bool script_sends_in_any_case(const struct script *s, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= s->len; i++)
		if (strncasecmp(s->bytes + i, word, len) == 0)
			return true;
	return false;
}

/* True where the client sent the signature. Hexadecimal digits may have either case. The last letters of base64 have
 * unused bits. */
static bool signature_was_sent(const struct script *s, enum digest_algorithm a, const struct webhook *w)
{
	CLEANUP(mem_freep) char *text = hmac_text(a, w->body, w->body_len);

	if (a == DIGEST_SHA1)
		return memmem(s->bytes, s->len, text, strlen(text) - 2) != NULL;
	return script_sends_in_any_case(s, text);
}

bool script_proves(const struct script *s, const struct webhook *w)
{
	for (size_t i = 0; i < PROOFS_N; i++) {
		if (strcmp(proofs[i].source, w->source) != 0)
			continue;
		switch (proofs[i].needed) {
		case NEEDED_NOTHING:
			return true;
		case NEEDED_WORD:
		case NEEDED_BASIC:
			return sends_proof(s, &proofs[i]);
		case NEEDED_HMAC256:
			return signature_was_sent(s, DIGEST_SHA256, w);
		case NEEDED_HMAC1:
			return signature_was_sent(s, DIGEST_SHA1, w);
		case NEEDED_NEVER:
			return false;
		}
	}
	return false;
}

bool script_has_body(const struct script *s, const struct webhook *w)
{
	return strcmp(w->source, "open") == 0 || w->body_len == 0 || script_sends_in_any_case(s, "chunked") ||
	       memmem(s->bytes, s->len, w->body, w->body_len);
}

const char *secret_in(const char *text, size_t len)
{
	for (size_t i = 0; i < SECRETS_N; i++)
		if (holds_word(text, len, secrets[i]))
			return secrets[i];
	return NULL;
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct digest {
	gnutls_hash_hd_t hash;
};

struct digest *digest_new(void)
{
	struct digest *d = mem_new(1, sizeof(*d));

	INSIST(gnutls_hash_init(&d->hash, GNUTLS_DIG_SHA256) == 0);
	return d;
}

void digest_add(struct digest *d, const void *bytes, size_t n)
{
	if (n > 0)
		INSIST(gnutls_hash(d->hash, bytes, n) == 0);
}

void digest_end(struct digest *d, unsigned char out[DIGEST_SHA256_BYTES])
{
	gnutls_hash_deinit(d->hash, out);
	free(d);
}

void digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SHA256_BYTES])
{
	INSIST(gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, n, out) == 0);
}

uint64_t digest_number(const void *bytes, size_t n)
{
	unsigned char sha[DIGEST_SHA256_BYTES];
	uint64_t number = 0;

	digest_sha256(bytes, n, sha);
	for (int i = 0; i < 8; i++)
		number = number << 8 | sha[i];
	return number;
}

static const struct {
	gnutls_mac_algorithm_t mac;
	size_t bytes;
} digest_algorithms[] = {
	[DIGEST_SHA1] = {GNUTLS_MAC_SHA1, 20},
	[DIGEST_SHA256] = {GNUTLS_MAC_SHA256, DIGEST_SHA256_BYTES},
	[DIGEST_SHA512] = {GNUTLS_MAC_SHA512, DIGEST_BYTES_MAX},
};

struct digest_hmac {
	gnutls_hmac_hd_t hmac;
};

size_t digest_bytes(enum digest_algorithm a)
{
	return digest_algorithms[a].bytes;
}

struct digest_hmac *digest_hmac_new(enum digest_algorithm a, const void *key, size_t key_len)
{
	struct digest_hmac *h = mem_new(1, sizeof(*h));

	INSIST(gnutls_hmac_init(&h->hmac, digest_algorithms[a].mac, key, key_len) == 0);
	return h;
}

void digest_hmac_add(struct digest_hmac *h, const void *bytes, size_t n)
{
	if (n > 0)
		INSIST(gnutls_hmac(h->hmac, bytes, n) == 0);
}

void digest_hmac_end(struct digest_hmac *h, unsigned char *out)
{
	gnutls_hmac_deinit(h->hmac, out);
	free(h);
}

void digest_hmac_of(enum digest_algorithm a, const void *key, size_t key_len, const void *bytes, size_t n,
		    unsigned char *out)
{
	INSIST(gnutls_hmac_fast(digest_algorithms[a].mac, key, key_len, bytes, n, out) == 0);
}

bool digest_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	return a_len == 0 || gnutls_memcmp(a, b, a_len) == 0;
}

void digest_random(void *out, size_t n)
{
	INSIST(gnutls_rnd(GNUTLS_RND_RANDOM, out, n) == 0);
}

uint64_t digest_random_below(uint64_t n)
{
	uint64_t value, short_of;

	INSIST(n > 0);
	short_of = -n % n; /* 2^64 mod n: values below it would make small results more likely */
	do
		digest_random(&value, sizeof(value));
	while (value < short_of);
	return value % n;
}

char *digest_base64(const void *bytes, size_t n)
{
	gnutls_datum_t in, out;
	char *text;

	if (n == 0)
		return mem_str("");
	INSIST(n <= UINT_MAX / 2);
	in.data = mem_dup(bytes, n);
	in.size = (unsigned)n;
	INSIST(gnutls_base64_encode2(&in, &out) == 0);
	text = mem_dup(out.data, out.size);
	gnutls_free(out.data);
	free(in.data);
	return text;
}

int digest_unbase64(const char *text, size_t len, char **ret, size_t *ret_len)
{
	size_t letters = len;
	gnutls_datum_t in, out;
	int r;

	if (len > UINT_MAX / 2 || len % 4 != 0)
		return -EINVAL;
	/* GnuTLS skips blanks and line ends. In a secret they are a mistake, which must be reported. */
	while (letters > 0 && len - letters < 2 && text[letters - 1] == '=')
		letters--;
	for (size_t i = 0; i < letters; i++)
		if (text[i] == '\0' || !strchr(TEXT_ALNUM "+/", text[i]))
			return -EINVAL;
	if (len == 0) {
		*ret = mem_str("");
		*ret_len = 0;
		return 0;
	}
	in.data = mem_dup(text, len);
	in.size = (unsigned)len;
	r = gnutls_base64_decode2(&in, &out);
	free(in.data);
	if (r < 0)
		return -EINVAL;
	*ret = mem_dup(out.data, out.size);
	*ret_len = out.size;
	gnutls_free(out.data);
	return 0;
}

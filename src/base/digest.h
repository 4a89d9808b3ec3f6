/* SPDX-License-Identifier: MIT */
/*
 * digest: hashes, keyed hashes, constant-time comparison, random bytes; GnuTLS underneath. Any thread.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA256_BYTES 32
#define DIGEST_DELIVERY_BYTES 16

struct digest; /* a SHA-256 in the making */
struct digest *digest_new(void);
void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_end(struct digest *d, unsigned char out[DIGEST_SHA256_BYTES]); /* frees d */

/* 8 bytes of the SHA-256 of a text, as a number: equal for equal texts, and for no others that are met. */
uint64_t digest_number(const char *text);

enum digest_algorithm {
	DIGEST_SHA1,
	DIGEST_SHA256,
	DIGEST_SHA512,
};
#define DIGEST_BYTES_MAX 64
size_t digest_bytes(enum digest_algorithm a); /* how long a digest of it is */

struct digest_hmac; /* an HMAC (RFC 2104) in the making */
struct digest_hmac *digest_hmac_new(enum digest_algorithm a, const void *key, size_t key_len);
void digest_hmac_add(struct digest_hmac *h, const void *bytes, size_t n);
void digest_hmac_end(struct digest_hmac *h, unsigned char *out); /* digest_bytes() of them; frees h */

/* Equal, in a time that depends on the lengths only. */
bool digest_equal(const void *a, size_t a_len, const void *b, size_t b_len);

void digest_random(void *out, size_t n);
uint64_t digest_random_below(uint64_t n); /* uniform in 0…n-1; n > 0 */

/* RFC 4648 base64. Encoding: the caller owns the text. Decoding: -EINVAL on anything that is not base64; ret NUL-ended.
 */
char *digest_base64(const void *bytes, size_t n) __attribute__((warn_unused_result));
int digest_unbase64(const char *text, size_t len, char **ret, size_t *ret_len) __attribute__((warn_unused_result));

#endif

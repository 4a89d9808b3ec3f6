/* SPDX-License-Identifier: MIT */
/*
 * digest: hashes, HMACs, constant-time comparison, random bytes and base64, by GnuTLS. Any thread.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA256_BYTES 32
#define DIGEST_DELIVERY_BYTES 16

struct digest; /* a SHA-256 under construction */
struct digest *digest_new(void);
void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_end(struct digest *d, unsigned char out[DIGEST_SHA256_BYTES]); /* frees d */

/* The SHA-256 of bytes that lie together; allocates nothing. */
void digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SHA256_BYTES]);

/* Returns the first 8 bytes of the SHA-256 as a number, high byte first. Equal bytes have equal numbers; a collision of
 * different ones is too unlikely to matter. */
uint64_t digest_number(const void *bytes, size_t n);

enum digest_algorithm {
	DIGEST_SHA1,
	DIGEST_SHA256,
	DIGEST_SHA512,
};
#define DIGEST_BYTES_MAX 64
size_t digest_bytes(enum digest_algorithm a); /* the bytes of a digest */

struct digest_hmac; /* an HMAC (RFC 2104) under construction */
struct digest_hmac *digest_hmac_new(enum digest_algorithm a, const void *key, size_t key_len);
void digest_hmac_add(struct digest_hmac *h, const void *bytes, size_t n);
void digest_hmac_end(struct digest_hmac *h, unsigned char *out); /* writes digest_bytes() bytes; frees h */

/* Writes the HMAC of the bytes. Takes less than the three functions above, which allocate. */
void digest_hmac_of(enum digest_algorithm a, const void *key, size_t key_len, const void *bytes, size_t n,
		    unsigned char *out);

/* True where both are equal. The time that it takes depends on the lengths only. */
bool digest_equal(const void *a, size_t a_len, const void *b, size_t b_len);

void digest_random(void *out, size_t n);  /* cryptographically secure */
uint64_t digest_random_below(uint64_t n); /* uniform in 0…n-1; n must not be 0 */

/* Base64 (RFC 4648). The caller owns the texts. Decoding returns -EINVAL for anything that is not base64, blanks and
 * line ends too; a NUL follows the bytes of *ret. */
char *digest_base64(const void *bytes, size_t n) __attribute__((warn_unused_result));
int digest_unbase64(const char *text, size_t len, char **ret, size_t *ret_len) __attribute__((warn_unused_result));

#endif

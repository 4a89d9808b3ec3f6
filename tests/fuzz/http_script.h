/* SPDX-License-Identifier: MIT */
/*
 * http_script: the bytes that a client sends for an input of fuzz_http, and the proofs in them. Pure.
 *
 * An input is one byte of flags, then the client's bytes, with these forms in them:
 *
 *   0xFD         the next request begins; {len} and signatures are of one request
 *   0xFE         the client waits until the server has read all bytes so far
 *   {N*text}     text, N times (at most 64 bytes without "}")
 *   {len}        in a request's head: the length of its body
 *   {hmac256}    in a request's head: the hexadecimal HMAC-SHA-256 of its body, with the secret of the signed sources
 *   {hmac1}      the same in base64 of HMAC-SHA-1
 */
#ifndef HTTP_SCRIPT_H
#define HTTP_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpdesk/expr/webhook.h"

/* The first byte, plus 0x40 ("@"), so that it is a letter. */
#define STAGE_ADMIN 1u     /* sends to the admin listener, else to intake */
#define STAGE_TCP 2u       /* over loopback, else over a unix socket; admin is always loopback */
#define STAGE_OPEN 4u      /* does not close its writing end until the server is done */
#define STAGE_GONE 8u      /* closes when it has sent all bytes, and reads nothing */
#define STAGE_NOT_READY 16 /* the store cannot commit */

/* The secrets of the stage's configuration. */
#define USER "deskbridge"
#define BEARER_SECRET "b3arer-pr00f-of-generic"
#define BASIC_SECRET "gl4dly-pr00f1"
#define HEADER_SECRET "g0rgias-pr00f-of-a-header"
#define QUERY_SECRET "gr00ve-pr00f-of-a-query"
#define HMAC_SECRET "s1gned-pr00f-of-a-body"
#define SEALED_SECRET "n0body-ever-signs-with-this"
#define ADMIN_TOKEN "4dmin-t0ken-of-the-stage"
#define API_KEY "pk_k1aviyo-key-of-the-stage"

/* The bytes that a client sends, in pieces. */
struct script {
	unsigned flags;
	char *bytes; /* NUL-terminated */
	size_t len;
	char *decoded;   /* the bytes percent-decoded; of the same length, filled with NUL */
	size_t cuts[64]; /* where it waits for the server to read */
	size_t cuts_n;
	bool is_signed; /* holds a valid signature */
};

void script_make(const uint8_t *input, size_t size, struct script *ret);
void script_done(struct script *s);

bool holds_word(const char *text, size_t len, const char *word);
/* True where the script holds the word, as it is or percent-encoded. */
bool script_sends(const struct script *s, const char *word);
bool script_sends_in_any_case(const struct script *s, const char *word);
/* True where the client sends anything that is a proof for a source or for admin. */
bool script_is_proven(const struct script *s);
/* True where the client sends the proof of this webhook's source. */
bool script_proves(const struct script *s, const struct webhook *w);
/* True where the client sends the webhook's body. Also true for chunked bodies and for the items of batches (source
 * `open`), which are not compared. */
bool script_has_body(const struct script *s, const struct webhook *w);
/* Returns the first secret found in the text, or NULL. */
const char *secret_in(const char *text, size_t len);

#endif

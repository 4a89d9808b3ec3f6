/* SPDX-License-Identifier: MIT */
/*
 * http_script: an input of fuzz_http as what a client sends, and what that proves. Pure.
 *
 * An input: one byte of flags, then what the client sends, with these forms in it:
 *
 *   0xFD         the next request begins; it bounds what {len} and signatures are made of
 *   0xFE         wait here until the server has read all that was sent so far
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

/* The first byte, 0x40 ("@") added to it so that it is a letter. */
#define STAGE_ADMIN 1u     /* to the admin listener, else to intake */
#define STAGE_TCP 2u       /* over loopback, else over a unix socket; admin is always loopback */
#define STAGE_OPEN 4u      /* does not close its writing end: keeps the connection until the server is done */
#define STAGE_GONE 8u      /* closes as soon as it has sent all, reads nothing */
#define STAGE_NOT_READY 16 /* the store cannot commit meanwhile */

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

/* What a client sends, in pieces. */
struct script {
	unsigned flags;
	char *bytes; /* NUL-terminated */
	size_t len;
	char *decoded;   /* the same, percent-decoded; as long, the rest is NUL */
	size_t cuts[64]; /* where it waits for the server to read */
	size_t cuts_n;
	bool is_signed; /* a right signature is in it */
};

void script_make(const uint8_t *input, size_t size, struct script *ret);
void script_done(struct script *s);

bool holds_word(const char *text, size_t len, const char *word);
/* As it stands there, or behind percent signs. */
bool script_sends(const struct script *s, const char *word);
bool script_sends_in_any_case(const struct script *s, const char *word);
/* Whether the client sends anything that proves something to a source or to admin. */
bool script_is_proven(const struct script *s);
/* Whether it sends what proves this webhook to its source. */
bool script_proves(const struct script *s, const struct webhook *w);
/* Whether the webhook's body is what it sends. Of chunks and of a batch's items nothing is known. */
bool script_has_body(const struct script *s, const struct webhook *w);
/* One of the secrets, or NULL. */
const char *secret_in(const char *text, size_t len);

#endif

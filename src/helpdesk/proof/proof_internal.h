/* SPDX-License-Identifier: MIT */
/*
 * proof_internal: shared by the files of this folder; only for them.
 */
#ifndef HELPDESK_PROOF_PROOF_INTERNAL_H
#define HELPDESK_PROOF_PROOF_INTERNAL_H

#include "base/digest.h"
#include "base/mem.h"
#include "helpdesk/proof/proof.h"
#include "helpdesk/expr/reference.h"

struct hmac;

/* One method: a row of the table in proof.c. */
struct proof_method {
	const char *name;
	bool needs_user, needs_secret, needs_name;
	bool in_header, in_query; /* where the secret stands */
	const char *scheme;       /* the word before it in Authorization; NULL: none */
	const char *const *keys;  /* the keys of hmac that the method takes, NULL-terminated; NULL: none */
	/* For a method that signs. Returns NULL with errors in problems. */
	struct hmac *(*compile)(const struct node *authenticate, struct problems *problems);
	/* All three are NULL for the method `none` and set for all others. */
	bool (*is_present)(const struct proof *p, const struct pairs *headers, const char *query);
	enum proof_verdict (*check)(const struct proof *p, const struct proof_secrets *s,
				    const struct proof_request *request);
	void (*make)(const struct proof *p, const struct proof_secrets *s, const struct proof_request *request,
		     struct pairs *headers, char **query);
};

extern const struct proof_method proof_hmac, proof_standard_webhooks; /* in hmac.c; the others are in proof.c */

struct proof {
	const struct proof_method *ops;
	struct proof_about about; /* borrows from the other members */
	char *name;               /* of the header or query parameter that carries the secret; NULL: none of its own */
	struct hmac *hmac;        /* of a method that signs */
};

/* ---- pieces: texts with placeholders in braces (pieces.c) -------------------------------------------------------- */

enum piece_kind {
	PIECE_TEXT,
	PIECE_SIGNATURE,
	PIECE_TIMESTAMP,
	PIECE_BODY,
	PIECE_METHOD,
	PIECE_URL,
	PIECE_HEADER,
};

struct piece {
	enum piece_kind kind;
	char *text; /* the text, or the header's name */
};

#define PIECES_MAX 16
struct pieces {
	struct piece items[PIECES_MAX];
	size_t n;
};

/* Compiles `signed`. False with a problem at `at`. */
bool pieces_compile_signed(const struct node *at, const char *text, struct pieces *ret, struct problems *problems);
/* Compiles `format`: one {signature}, at most one {timestamp}, text between them. False with a problem at `at`. */
bool pieces_compile_format(const struct node *at, const char *text, struct pieces *ret, struct problems *problems);
void pieces_done(struct pieces *p);
bool pieces_have(const struct pieces *p, enum piece_kind kind);

struct span {
	const char *at; /* borrowed; NULL: the format has no such part */
	size_t len;
};
/* Parses a header's value by a format, without regard to case and blanks. False: it does not match. */
bool pieces_match(const struct pieces *format, const char *value, struct span *ret_signature,
		  struct span *ret_timestamp);

/* ---- hmac: the compiled keys of a signature (hmac_compile.c) ----------------------------------------------------- */

enum hmac_encoding {
	HMAC_HEX,
	HMAC_BASE64,
};

enum hmac_key {
	HMAC_KEY_TEXT,
	HMAC_KEY_HEX,
	HMAC_KEY_BASE64,
	HMAC_KEY_WHSEC, /* base64, with or without "whsec_" before it */
};

enum hmac_unit {
	HMAC_SECONDS,
	HMAC_MILLISECONDS,
	HMAC_ISO,
};

/* The place of the time of signing. */
enum hmac_timestamp_in {
	HMAC_TIMESTAMP_NONE,
	HMAC_TIMESTAMP_IN_FORMAT,
	HMAC_TIMESTAMP_IN_HEADER,
	HMAC_TIMESTAMP_IN_QUERY,
	HMAC_TIMESTAMP_IN_BODY,
};

struct hmac {
	char *header;
	bool many;                     /* the header is a list of "v1,SIGNATURE" */
	struct pieces format, message; /* `format`, `signed` */
	enum digest_algorithm algorithm;
	enum hmac_encoding encoding;
	enum hmac_key key;
	enum hmac_timestamp_in timestamp_in;
	struct reference *timestamp; /* for header, query and body */
	enum hmac_unit unit;         /* of times that we write; any is accepted */
	int64_t tolerance_ms;
};

#define HMAC_SHOWN_MAX 4096 /* bytes of a header that is parsed; no signature is this long */

struct hmac *hmac_compile(const struct node *authenticate, struct problems *problems);
struct hmac *hmac_compile_standard(const struct node *authenticate, struct problems *problems);
void hmac_free(struct hmac *h); /* NULL allowed */

/* Decodes a signature. The caller owns the bytes. -EINVAL: not in the encoding. */
int hmac_decode(const struct hmac *h, struct span shown, char **ret, size_t *ret_len) MUSTCHECK;
/* Returns the time of signing from header, query or body as text; NULL: none there. The caller owns it. */
char *hmac_timestamp(const struct hmac *h, const struct proof_request *request) MUSTCHECK;
/* As proof_check_without_body. */
enum proof_verdict hmac_check_without_body(const struct hmac *h, const struct proof_request *request);

#endif

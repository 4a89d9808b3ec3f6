/*
 * http_stage: the real listeners (intake and admin, with their HTTP server and the shipped definitions) in this
 * process, and a client that plays one input against them and looks at everything that comes back. fuzz_http and
 * heap_http share it.
 *
 * The pipeline is a stand-in: a thread that answers what intake submits (the suspending and resuming are real), accepts
 * what it is given, and aborts where a webhook comes in whose proof the client did not send.
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
#ifndef HTTP_STAGE_H
#define HTTP_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first byte, 0x40 ("@") added to it so that it is a letter. */
#define STAGE_ADMIN 1u     /* to the admin listener, else to intake */
#define STAGE_TCP 2u       /* over loopback, else over a unix socket; admin is always loopback */
#define STAGE_OPEN 4u      /* does not close its writing end: keeps the connection until the server is done */
#define STAGE_GONE 8u      /* closes as soon as it has sent all, reads nothing */
#define STAGE_NOT_READY 16 /* the store cannot commit meanwhile */

/* What a client sends, in pieces. */
struct script {
	unsigned flags;
	char *bytes;
	size_t len;
	size_t cuts[64]; /* where it waits for the server to read */
	size_t cuts_n;
	bool is_signed; /* a right signature is in it */
};

/* Starts the listeners; once. DESKBRIDGE_PRESETS says where the definitions are. */
void stage_start(void);
/* Ends them. */
void stage_stop(void);

void script_make(const uint8_t *input, size_t size, struct script *ret);
void script_done(struct script *s);
/* Whether the client sends anything that proves something to a source or to admin. */
bool script_is_proven(const struct script *s);

struct played {
	unsigned answers;   /* final ones */
	unsigned submitted; /* webhooks that came to the pipeline */
	unsigned status;    /* of the last answer; 0: none */
};
/* Plays it and returns when the server has forgotten the connection. Aborts, with a line that says what does not hold,
 * where an answer is malformed or says what it must not, a secret is in an answer or in the log, an unproven webhook
 * was taken, or the server does not end. */
struct played stage_play(const struct script *s);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * err: one error message for people.
 *
 * Fallible functions return 0 (or a positive result) on success and a negative errno on failure. A function whose error
 * is shown to people has a last parameter `struct err *reterr`, which may be NULL. It is written on failure only. The
 * text names what is wrong and where, what was expected and what to do. It holds no secret and no full e-mail address.
 * A configuration file may have many errors at once: see problems.h.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 1024

struct err {
	int code; /* the negative errno that was returned; 0: no failure */
	char text[ERR_TEXT_MAX];
};

/* Writes the text (cut at ERR_TEXT_MAX) and the code. Returns code, so that a caller can write `return err_set(…)`. */
int err_set(struct err *reterr, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted text and ": " before the text that is there. Returns the code that is there; 0 where reterr is
 * NULL. */
int err_prefix(struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * err: one error, for a person.
 *
 * Fallible functions return 0 (or a positive answer) on success and a negative errno on failure. Where a person will
 * read what went wrong, the last parameter is a `struct err *reterr`: it is written only on failure, and may be NULL.
 * The text names the place, what was expected and what to do; it holds no secret and no full e-mail address.
 * Many errors at once (a configuration file): see problems.h.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 1024

struct err {
	int code; /* negative errno, as returned; 0 where nothing failed */
	char text[ERR_TEXT_MAX];
};

/* Writes the text (cut at ERR_TEXT_MAX) and the code; returns code, so that `return err_set(…)` reads straight. */
int err_set(struct err *reterr, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the text that is there. Returns the code that is there. */
int err_prefix(struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

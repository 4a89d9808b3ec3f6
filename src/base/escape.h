/* SPDX-License-Identifier: MIT */
/*
 * escape: makes text from outside safe to show to people: on a terminal, in the log, as a metric's label.
 *
 * A terminal obeys control characters, and marks that turn the direction of writing deceive the reader. So these
 * characters are written as escapes like \x1b, \u0085 and \u202e:
 * - C0 and DEL, C1;
 * - the marks and controls of bidirectional text (U+061C, U+200E, U+200F, U+202A–U+202E, U+2066–U+206F);
 * - the separators of lines and paragraphs (U+2028, U+2029), and U+FEFF.
 *
 * A byte that is not UTF-8 is written as \xff. Pure.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum escape {
	ESCAPE_LINE,   /* escapes all of the above */
	ESCAPE_QUOTED, /* for text in double quotes: also writes a backslash before " and \ */
	ESCAPE_LINES,  /* leaves line ends (LF) and tabs */
	/* For a JSON text, whose value stays the same: controls become JSON's \uXXXX, line ends between values stay; a
	 * byte that is not UTF-8 becomes the text \xff. */
	ESCAPE_JSON,
};

/* Adds the escaped text. */
void escape_add(struct buf *to, const char *text, enum escape how);
/* Escapes as ESCAPE_LINE. The caller owns the result. */
char *escape_text(const char *text) __attribute__((warn_unused_result));
/* True where the character of n bytes is one of the controls above. It must be well-formed (text_step). */
bool escape_is_control(const char *s, size_t n);
size_t escape_width(const char *text); /* counts the characters of a text without controls */

#endif

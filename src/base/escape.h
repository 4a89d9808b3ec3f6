/* SPDX-License-Identifier: MIT */
/*
 * escape: text from outside as it may leave the process for people: on a terminal, in the log, as a metric's label.
 *
 * A terminal obeys control characters, and a reader is deceived by those that turn the direction of writing. So these
 * stand as the letters \x1b, \u0085, \u202e: C0 and DEL, C1, the marks and controls of bidirectional text (U+061C,
 * U+200E, U+200F, U+202A–U+202E, U+2066–U+206F), the separators of lines and paragraphs (U+2028, U+2029), U+FEFF; and
 * each byte that is not UTF-8 as \xff. Pure.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum escape {
	ESCAPE_LINE,   /* all of the above */
	ESCAPE_QUOTED, /* for what stands in double quotes: a backslash before " and \ too */
	ESCAPE_LINES,  /* line ends and tabs stay */
	/* For the text of JSON, which stays the same JSON: controls are JSON's \uXXXX, a byte that is not UTF-8 is the
	 * text \xff. */
	ESCAPE_JSON,
};

void escape_add(struct buf *to, const char *text, enum escape how);
/* ESCAPE_LINE. The caller's. */
char *escape_text(const char *text) __attribute__((warn_unused_result));
/* Whether the character of n bytes, which is well-formed (text_step), is one of the controls above. */
bool escape_is_control(const char *s, size_t n);
size_t escape_width(const char *text); /* the characters of a text without controls */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * hex: bytes and numbers as hexadecimal digits. The readers take digits of either case and nothing else: no blank, no
 * sign, no "0x". Pure.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

int hex_digit(char c); /* returns its value, 0 to 15; -1: not a hexadecimal digit */

/* Writes n bytes in lower case and a NUL. out: 2 n + 1 bytes. */
void hex_write(const void *bytes, size_t n, char *out);
/* Reads len / 2 bytes into out. -EINVAL: len is odd, or a character is not a digit; the content of out is undefined
 * then. */
int hex_read(const char *text, size_t len, void *out) __attribute__((warn_unused_result));
/* Reads one number of len digits. -EINVAL: no digits, or another character; -ERANGE: more than 64 bits. */
int hex_number(const char *text, size_t len, uint64_t *ret) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * hex: bytes and numbers as hexadecimal digits. Reading takes either case, and digits only: no blank, no sign, no "0x".
 * Pure.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

int hex_digit(char c); /* its value, 0 to 15; -1: c is none */

/* Writes n bytes in lower case; out has room for 2 n + 1. */
void hex_write(const void *bytes, size_t n, char *out);
/* Reads len / 2 bytes into out. -EINVAL: half a byte, or anything but digits; what out holds then is undefined. */
int hex_read(const char *text, size_t len, void *out) __attribute__((warn_unused_result));
/* Reads one number of len digits. -EINVAL: anything but digits, or none at all; -ERANGE: more than 64 bits. */
int hex_number(const char *text, size_t len, uint64_t *ret) __attribute__((warn_unused_result));

#endif

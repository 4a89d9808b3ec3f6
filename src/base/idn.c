/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/idn.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define IDN_NAME_MAX 1024 /* bytes; a name has at most 253 letters */
#define IDN_ASCII TEXT_ALNUM "-."

/*
 * True where the library would drop a character from a name: an ASCII letter that no name has ("/", "_"), a character
 * that is mapped to one, or an invisible one. The library does not refuse them, and the rest would be the name of
 * another host.
 */
static bool is_left_out(const char *at, size_t len)
{
	CLEANUP(mem_freep) char *between = NULL;
	gnutls_datum_t ascii;
	bool out;

	if (len == 1)
		return !strchr(IDN_ASCII, *at);
	between = mem_fmt("a%.*sa", (int)len, at);
	if (gnutls_idna_map(between, (unsigned)strlen(between), &ascii, 0) < 0)
		return false; /* checked with the whole name */
	out = ascii.size == 2;
	gnutls_free(ascii.data);
	return out;
}

int idn_to_ascii(const char *host, char **ret)
{
	size_t len = strlen(host);
	size_t plain = 0;
	gnutls_datum_t ascii;

	if (len > IDN_NAME_MAX)
		return -EINVAL;
	while (plain < len && (unsigned char)host[plain] < 0x80)
		plain++;
	if (plain == len) {
		*ret = mem_str(host);
		return 0;
	}
	for (size_t i = 0, step; i < len; i += step) {
		step = text_step(host + i, len - i);
		if (step == 0 || is_left_out(host + i, step))
			return -EINVAL;
	}
	if (gnutls_idna_map(host, (unsigned)len, &ascii, 0) < 0)
		return -EINVAL;
	*ret = mem_strn((const char *)ascii.data, ascii.size);
	gnutls_free(ascii.data);
	return 0;
}

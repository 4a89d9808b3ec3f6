#include <config.h>

#include "base/idn.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/mem.h"

#define IDN_NAME_MAX 1024 /* bytes; a name has at most 253 letters */

int idn_to_ascii(const char *host, char **ret)
{
	size_t len = strlen(host);
	gnutls_datum_t ascii;

	if (len > IDN_NAME_MAX || gnutls_idna_map(host, (unsigned)len, &ascii, 0) < 0)
		return -EINVAL;
	*ret = mem_strn((const char *)ascii.data, ascii.size);
	gnutls_free(ascii.data);
	return 0;
}

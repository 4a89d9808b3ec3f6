/* SPDX-License-Identifier: MIT */
/*
 * authority: the certificates of authorities that a source's lookups trust. The only file of conf that uses GnuTLS.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <errno.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "conf/access.h"

int authority_read(const char *path, char **ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = NULL;
	gnutls_x509_crt_t *all = NULL;
	unsigned n = 0;
	size_t len;
	int r = file_read(path, FILE_REGULAR, AUTHORITY_SIZE_MAX, &text, &len);
	gnutls_datum_t pem;

	if (r == -EFBIG)
		return err_set(reterr, r, "%s is longer than a file of certificates may be (1 MiB)", path);
	if (r < 0)
		return access_refused(path, r, reterr);
	pem = (gnutls_datum_t){(unsigned char *)text, (unsigned)len};
	r = gnutls_x509_crt_list_import2(&all, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0 || n == 0)
		return err_set(
			reterr, -EINVAL,
			"%s holds no certificate: expected the authority's, as PEM (-----BEGIN CERTIFICATE-----)%s%s",
			path, r < 0 ? "; " : "", r < 0 ? gnutls_strerror(r) : "");
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(all[i]);
	gnutls_free(all);
	*ret = TAKE(text);
	return 0;
}

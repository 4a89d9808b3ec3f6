/*
 * authority: the certificates of authorities that a source's lookups trust. The only place in conf that knows GnuTLS.
 */
#include <config.h>

#include "conf/conf_parts.h"

#include <errno.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "conf/access.h"

static int check_certificates(const char *path, char *text, size_t len, struct err *reterr)
{
	const gnutls_datum_t pem = {(unsigned char *)text, (unsigned)len};
	gnutls_x509_crt_t *all = NULL;
	unsigned n = 0;
	int code = gnutls_x509_crt_list_import2(&all, &n, &pem, GNUTLS_X509_FMT_PEM, 0);

	if (code < 0 || n == 0)
		return err_set(
			reterr, -EINVAL,
			"%s holds no certificate: expected the authority's, as PEM (-----BEGIN CERTIFICATE-----)%s%s",
			path, code < 0 ? "; " : "", code < 0 ? gnutls_strerror(code) : "");
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(all[i]);
	gnutls_free(all);
	return 0;
}

int authority_read(const char *path, char **ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = NULL;
	size_t len;
	int r = file_read(path, FILE_REGULAR, AUTHORITY_SIZE_MAX, &text, &len);

	if (r == -EFBIG)
		return err_set(reterr, r, "%s is longer than a file of certificates may be (1 MiB)", path);
	if (r < 0)
		return access_refused(path, r, reterr);
	r = check_certificates(path, text, len, reterr);
	if (r == 0)
		*ret = TAKE(text);
	return r;
}

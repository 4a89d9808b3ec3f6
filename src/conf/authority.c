#include <config.h>

#include "conf/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/access.h"

static int file_open(const char *path, struct err *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0) {
		int error = -errno;
		CLEANUP(mem_freep) char *advice = access_advice(path, error);

		return err_set(reterr, error, "%s cannot be read: %s%s", path, strerror(-error), advice);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(reterr, -EINVAL, "%s is not a regular file", path);
	}
	return fd;
}

static int file_text(const char *path, struct buf *to, struct err *reterr)
{
	char piece[4096];
	ssize_t n;
	int fd = file_open(path, reterr), error = 0;

	if (fd < 0)
		return fd;
	while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(to, piece, (size_t)n);
	if (n < 0)
		error = -errno;
	(void)close(fd);
	if (error < 0)
		return err_set(reterr, error, "%s cannot be read: %s", path, strerror(-error));
	if (to->error < 0)
		return err_set(reterr, -EFBIG, "%s is longer than a file of certificates may be (1 MiB)", path);
	return 0;
}

static int check_certificates(const char *path, const struct buf *text, struct err *reterr)
{
	const gnutls_datum_t pem = {(unsigned char *)text->data, (unsigned)text->len};
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
	CLEANUP(buf_done) struct buf text;
	int r;

	buf_init(&text, AUTHORITY_SIZE_MAX);
	r = file_text(path, &text, reterr);
	if (r == 0)
		r = check_certificates(path, &text, reterr);
	if (r == 0)
		*ret = buf_take(&text);
	return r;
}

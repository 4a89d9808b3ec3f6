/* SPDX-License-Identifier: MIT */
/*
 * secret_value: reads one value from a file or the environment. Each buffer that held it is wiped before it is freed.
 */
#include <config.h>

#include "conf/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "conf/access.h"

#define TOO_LONG "is longer than 64 KiB, which no secret is"
#define FILL_ENV "set it for the daemon (in its unit: EnvironmentFile=)"
#define VALUE_OVERHEAD_BYTES 5 /* a byte order mark before the value, a line end after it */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *secret_value_wrong(const char *value, size_t len)
{
	if (len == 0)
		return "is empty";
	if (len > SECRET_SIZE_MAX)
		return TOO_LONG;
	if (is_blank(value[0]) || is_blank(value[len - 1]))
		return "has a blank before or behind it, which HTTP takes off a header: remove it";
	if (!text_is_one_line(value, len))
		return "holds a line break or control character inside: a secret is one line of text";
	return NULL;
}

/* Returns the text without a byte order mark, which some editors write, and without line ends at its end. fill: what
 * to do where nothing is left. */
static int value_make(const char *text, size_t len, const char *what, const char *fill, char **ret, struct err *reterr)
{
	size_t mark = text_bom(text, len);
	const char *wrong;

	text += mark;
	len -= mark;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	wrong = secret_value_wrong(text, len);
	if (wrong)
		return err_set(reterr, -EINVAL, "%s %s%s%s", what, wrong, len == 0 ? ": " : "", len == 0 ? fill : "");
	*ret = mem_dup(text, len);
	return 0;
}

int secret_file_read(const char *path, char **ret, struct err *reterr)
{
	char *text;
	size_t len;
	int r = file_read(path, FILE_REGULAR, SECRET_SIZE_MAX + VALUE_OVERHEAD_BYTES, &text, &len);

	if (r == -ENOENT) {
		CLEANUP(mem_freep) char *word = shell_quote(path);

		return err_set(reterr, r,
			       "%s is not there: put the secret into it, readable for the user that the daemon runs "
			       "as (`install -D -m 640 -g deskbridge /dev/stdin %s`, paste it, Ctrl-D)",
			       path, word);
	}
	if (r == -EFBIG)
		return err_set(reterr, -EINVAL, "%s %s", path, TOO_LONG);
	if (r < 0)
		return access_refused(path, r, reterr);
	r = value_make(text, len, path, "put the secret into it, as one line of text", ret, reterr);
	mem_wipe(text, len);
	return r;
}

int secret_env_read(const char *name, char **ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *what = mem_fmt("the environment variable %s", name);
	const char *value = getenv(name);
	char *copy;
	int r;

	if (!value)
		return err_set(reterr, -ENOENT, "%s is not set: " FILL_ENV, what);
	copy = mem_str(value);
	r = value_make(copy, strlen(copy), what, FILL_ENV, ret, reterr);
	mem_wipe_str(copy);
	return r;
}

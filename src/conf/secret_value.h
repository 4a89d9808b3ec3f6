/*
 * secret_value: what the text of a secret must be, and reading one from a file or the environment. Blocks on files. Any
 * thread.
 */
#ifndef CONF_SECRET_VALUE_H
#define CONF_SECRET_VALUE_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

/* The fault of a value, in words; NULL: it has none. Static. */
const char *secret_value_wrong(const char *value, size_t len);
/* Without the line ends behind it, and without a byte order mark before it. -ENOENT, -EACCES, …; -EINVAL: what is there
 * can be no secret. The caller wipes and frees it. */
int secret_file_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;
int secret_env_read(const char *name, char **ret, struct err *reterr) MUSTCHECK;

#endif

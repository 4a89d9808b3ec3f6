/*
 * authority: the file with the certificates of authorities that a source's lookups trust (`lookup.ca`).
 */
#ifndef CONF_AUTHORITY_H
#define CONF_AUTHORITY_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define AUTHORITY_SIZE_MAX ((size_t)1024 * 1024)

/* The file's text, in which at least one certificate (PEM) stands. The caller owns it. Blocks on the file system, but
 * not on a named pipe. */
int authority_read(const char *path, char **ret, struct err *reterr) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * access: why this process may not read a file, and the command that mends it. Blocks on files.
 */
#ifndef CONF_ACCESS_H
#define CONF_ACCESS_H

#include "base/err.h"
#include "base/mem.h"

/*
 * Advice for where opening path failed with error (a negative errno), to stand behind strerror's text: "; the user
 * deskbridge may not read it: chgrp deskbridge FILE && chmod 640 FILE". A folder on the way is named where it is the
 * reason. "" for other errors than -EACCES. The caller owns it.
 */
char *access_advice(const char *path, int error) MUSTCHECK;
/* Says that path cannot be read: with the advice, or as no regular file (-EMEDIUMTYPE of base/file.h). Returns the
 * code.
 */
int access_refused(const char *path, int error, struct err *reterr);
/* The advice that takes the place of a chgrp, where this process's user is not the one who is to read; NULL: the chgrp.
 * Copied. Before there are threads. */
void access_set_advice(const char *advice);
/* The name of this process's user; its number where it has none. The caller owns it. */
char *access_user(void) MUSTCHECK;
/* The group whose members a file lets in, or the folder on the way that is closed to this process; NULL: neither has
 * one that could be joined. The caller owns it. */
char *access_group_of(const char *path) MUSTCHECK;
/* The path as a shell takes it for one word. The caller owns it. */
char *shell_quote(const char *path) MUSTCHECK;

#endif

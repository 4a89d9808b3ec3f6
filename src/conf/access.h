/* SPDX-License-Identifier: MIT */
/*
 * access: the reason why this process may not read a file, and the command that corrects it. Blocks on files.
 */
#ifndef CONF_ACCESS_H
#define CONF_ACCESS_H

#include "base/err.h"
#include "base/mem.h"

/*
 * Returns advice on a failed open of path, to follow the text of strerror: "; the user deskbridge may not read it:
 * chgrp deskbridge FILE && chmod 640 FILE". Names a folder on the way to the file where that folder is the cause.
 * error: a negative errno; for others than -EACCES the advice is "". The caller owns it.
 */
char *access_advice(const char *path, int error) MUSTCHECK;
/* Sets reterr: path cannot be read, with the advice, or is no regular file (-EMEDIUMTYPE of base/file.h). Returns
 * its code: -EINVAL for -EMEDIUMTYPE, else error. */
int access_refused(const char *path, int error, struct err *reterr);
/* Sets the advice that replaces the chgrp, where the user of this process is not the one that must read the files.
 * NULL: the chgrp again. Copied. Before there are threads. */
void access_set_advice(const char *advice);
/* Returns the name of this process's user, or its number where it has no name. The caller owns it. */
char *access_user(void) MUSTCHECK;
/* Returns the group whose members may read the file; where a folder on the way is closed to this process, the group
 * whose members may enter that folder. NULL: there is no such group, or it is root's. The caller owns it. */
char *access_group_of(const char *path) MUSTCHECK;
/* Returns the path as one word of a shell, quoted where it needs that. The caller owns it. */
char *shell_quote(const char *path) MUSTCHECK;

#endif

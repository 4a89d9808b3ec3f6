/* SPDX-License-Identifier: MIT */
/*
 * path: paths as texts, and the walk from a path to its file: the names that the kernel looks up, with symbolic links
 * followed. path_walk() and path_sync_folder() block on the file system. Any thread.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/mem.h"

/* Returns the folder part of a path; "." where it has none. Looks at the text only. The caller owns it. */
char *path_folder(const char *path) MUSTCHECK;
/* Resolves a name against a folder: "/etc" and "key" give "/etc/key", "." and "key" give "./key". An absolute name
 * stays as it is. The caller owns the result. */
char *path_join(const char *folder, const char *name) MUSTCHECK;
/* Syncs the folder that path is in, so that renames and deletions in it are on the disk. Returns 0 or a negative errno;
 * 0 also where the file system cannot sync folders. */
int path_sync_folder(const char *path) MUSTCHECK;

/* ---- path walk --------------------------------------------------------------------------------------------------- */

#define PATH_LINKS_MAX 40 /* Linux follows the same number */

enum path_kind {
	PATH_FOLDER, /* a folder on the way */
	PATH_LINK,   /* a symbolic link; its target is walked next */
	PATH_LAST,   /* the path's last name: a file or a folder */
	PATH_ABSENT, /* the name does not exist, or the folder does not allow the look-up: the walk ends */
};

struct path_stop {
	enum path_kind kind;
	const char *folder; /* the folder in which the name is looked up, without symbolic links; borrowed */
	const char *name;   /* borrowed */
	int error;          /* PATH_ABSENT: a positive errno; EACCES: no search permission on `folder` */
};

/* Calls fn for each look-up, in the kernel's order. Returns 0, or a negative errno where the walk ended early. */
int path_walk(const char *path, void (*fn)(void *ctx, const struct path_stop *stop), void *ctx);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * path: paths as texts, and the names that the kernel looks up on the way from a path to a file, symbolic links
 * followed. path_walk and path_sync_folder block on the file system. Any thread.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/mem.h"

/* The folder that a path is in, by its text: "." where it has none. The caller owns it. */
char *path_folder(const char *path) MUSTCHECK;
/* A name as it is meant in a folder: "/etc" and "key" give "/etc/key", "." and "key" "./key"; an absolute name stays
 * as it is. The caller owns it. */
char *path_join(const char *folder, const char *name) MUSTCHECK;
/* Puts what happened to the names in the folder that path is in on the disk. 0 also where the file system cannot. */
int path_sync_folder(const char *path) MUSTCHECK;

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

#define PATH_LINKS_MAX 40 /* as many as Linux follows */

enum path_kind {
	PATH_FOLDER, /* a folder on the way */
	PATH_LINK,   /* a symbolic link; its target is walked next */
	PATH_LAST,   /* what the path names in the end: a file, or a folder */
	PATH_ABSENT, /* the name is not there, or the folder does not let it be looked up: the walk ends */
};

struct path_stop {
	enum path_kind kind;
	const char *folder; /* where the name is looked up; links in it are resolved. Borrowed. */
	const char *name;   /* borrowed */
	int error;          /* PATH_ABSENT: a positive errno; EACCES: `folder` may not be passed */
};

/* Calls fn for each look-up, in the kernel's order. 0, or a negative errno where the walk ended before the path's end.
 */
int path_walk(const char *path, void (*fn)(void *ctx, const struct path_stop *stop), void *ctx);

#endif

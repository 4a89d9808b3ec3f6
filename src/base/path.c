/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? mem_str(".") : slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
}

char *path_join(const char *folder, const char *name)
{
	size_t len = strlen(folder);

	if (name[0] == '/')
		return mem_str(name);
	return mem_fmt("%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name);
}

int path_sync_folder(const char *path)
{
	CLEANUP(mem_freep) char *folder = path_folder(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	(void)close(fd);
	return r;
}

/* ---- path walk --------------------------------------------------------------------------------------------------- */

struct walk {
	char *folder; /* the folder of the next look-up */
	char *rest;   /* names not looked up yet */
	unsigned links;
	void (*fn)(void *ctx, const struct path_stop *stop);
	void *ctx;
};

static void replace(char **text, char *owned)
{
	free(*text);
	*text = owned;
}

static void stop_at(const struct walk *w, enum path_kind kind, const char *name, int error)
{
	w->fn(w->ctx, &(struct path_stop){.kind = kind, .folder = w->folder, .name = name, .error = error});
}

static int follow_link(struct walk *w, const char *whole, const char *name)
{
	char target[PATH_MAX];
	ssize_t n;

	n = readlink(whole, target, sizeof(target) - 1);
	if (n < 0 || ++w->links > PATH_LINKS_MAX) {
		int error = n < 0 ? errno : ELOOP;

		stop_at(w, PATH_ABSENT, name, error);
		return -error;
	}
	target[n] = '\0';
	stop_at(w, PATH_LINK, name, 0);
	replace(&w->rest, mem_fmt("%s/%s", target, w->rest));
	if (target[0] == '/')
		replace(&w->folder, mem_str("/"));
	return 0;
}

static int look_up(struct walk *w, const char *name)
{
	/* A folder is reported in the usual form: "a/b", not "./a/b". */
	CLEANUP(mem_freep) char *whole = strcmp(w->folder, ".") == 0 ? mem_str(name) : path_join(w->folder, name);
	struct stat st;

	if (lstat(whole, &st) < 0) {
		int error = errno;

		stop_at(w, PATH_ABSENT, name, error);
		return -error;
	}
	if (S_ISLNK(st.st_mode))
		return follow_link(w, whole, name);
	if (w->rest[strspn(w->rest, "/")] == '\0') {
		stop_at(w, PATH_LAST, name, 0);
		return 0;
	}
	stop_at(w, PATH_FOLDER, name, 0);
	replace(&w->folder, TAKE(whole));
	return 0;
}

int path_walk(const char *path, void (*fn)(void *ctx, const struct path_stop *stop), void *ctx)
{
	struct walk w = {.folder = mem_str(path[0] == '/' ? "/" : "."), .rest = mem_str(path), .fn = fn, .ctx = ctx};
	int r = 0;

	while (r == 0) {
		const char *from = w.rest + strspn(w.rest, "/");
		size_t len = strcspn(from, "/");
		CLEANUP(mem_freep) char *name = mem_strn(from, len);

		if (len == 0)
			break;
		replace(&w.rest, mem_str(from + len));
		r = strcmp(name, ".") == 0 ? 0 : look_up(&w, name);
	}
	free(w.folder);
	free(w.rest);
	return r;
}

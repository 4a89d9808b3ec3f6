#include <config.h>

#include "command/serve_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

/* A rename, a link put there (secret managers swap a whole folder so), or an end of writing; and the end of the folder
 * itself, in whose place another may come. */
#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVE_SELF | IN_DELETE_SELF)

struct serve_watch {
	int fd; /* inotify; -1: nothing to watch */
	char **folders;
	size_t folders_n;
	bool missing; /* a folder is not there: the one above it is watched instead */
	bool stale;   /* what is watched may not be what is at those paths now */
};

static bool is_watched(const struct serve_watch *w, const char *folder)
{
	for (size_t i = 0; i < w->folders_n; i++)
		if (text_is(w->folders[i], folder))
			return true;
	return false;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? mem_str(".") : slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
}

/* The folder of this path or, where that is not there, the nearest one above it that is. */
static void watch_folder_of(struct serve_watch *w, const char *path)
{
	CLEANUP(mem_freep) char *folder = folder_of(path);

	if (is_watched(w, folder))
		return;
	if (inotify_add_watch(w->fd, folder, CHANGES | IN_ONLYDIR) >= 0) {
		w->folders = mem_grow(w->folders, w->folders_n + 1, sizeof(*w->folders));
		w->folders[w->folders_n++] = TAKE(folder);
	} else if (errno == ENOENT && strcmp(folder, ".") != 0 && strcmp(folder, "/") != 0) {
		w->missing = true;
		watch_folder_of(w, folder);
	} else {
		log_warning(NULL, "%s cannot be watched (%s): a changed secret there is taken with a reload", folder,
			    strerror(errno));
	}
}

static void watch_file(void *ctx, const char *path, bool fixed)
{
	if (!fixed) /* systemd's own: a restart brings the new ones */
		watch_folder_of(ctx, path);
}

struct serve_watch *serve_watch_new(const struct secrets *secrets)
{
	struct serve_watch *w = mem_new(1, sizeof(*w));

	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		log_warning(NULL, "secret files cannot be watched (%s): changed ones are taken with a reload",
			    strerror(errno));
	else
		secrets_files(secrets, watch_file, w);
	return w;
}

void serve_watch_free(struct serve_watch *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	for (size_t i = 0; i < w->folders_n; i++)
		free(w->folders[i]);
	free(w->folders);
	free(w);
}

int serve_watch_fd(const struct serve_watch *w)
{
	return w->fd;
}

bool serve_watch_read(struct serve_watch *w)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;
	ssize_t n;

	while ((n = read(w->fd, buffer, sizeof(buffer))) > 0) {
		const struct inotify_event *e;

		any = true;
		for (const char *at = buffer; at < buffer + n; at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(const void *)at;
			if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED | IN_Q_OVERFLOW))
				w->stale = true;
		}
	}
	w->stale = w->stale || (any && w->missing);
	return any;
}

bool serve_watch_is_stale(const struct serve_watch *w)
{
	return w->stale;
}

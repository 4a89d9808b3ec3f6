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

/* A rename, a link put there (secret managers swap a whole folder so), or an end of writing. */
#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE)

struct serve_watch {
	int fd; /* inotify; -1: nothing to watch */
	char **folders;
	size_t folders_n;
};

static bool is_watched(const struct serve_watch *w, const char *folder)
{
	for (size_t i = 0; i < w->folders_n; i++)
		if (text_is(w->folders[i], folder))
			return true;
	return false;
}

static void watch_file(void *ctx, const char *path, bool fixed)
{
	struct serve_watch *w = ctx;
	const char *slash = strrchr(path, '/');
	CLEANUP(mem_freep) char *folder = NULL;

	if (fixed) /* systemd's own: a restart brings the new ones */
		return;
	folder = !slash ? mem_str(".") : slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
	if (is_watched(w, folder))
		return;
	if (inotify_add_watch(w->fd, folder, CHANGES | IN_ONLYDIR) < 0) {
		log_warning(NULL, "%s cannot be watched (%s): a changed secret there is taken with a reload", folder,
			    strerror(errno));
		return;
	}
	w->folders = mem_grow(w->folders, w->folders_n + 1, sizeof(*w->folders));
	w->folders[w->folders_n++] = TAKE(folder);
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

	while (read(w->fd, buffer, sizeof(buffer)) > 0)
		any = true;
	return any;
}

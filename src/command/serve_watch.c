/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

/* Changes of a name in a folder: a rename to or from it, a new file or link, the end of a write, new rights, a
 * deletion. */
#define OF_NAMES (IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB)
/* Changes of the folder itself: another may take its place. */
#define OF_FOLDER (IN_MOVE_SELF | IN_DELETE_SELF)

/* A name whose change matters, in a folder that is watched. */
struct watch {
	int wd;
	char *name;
	bool file; /* the secret's file itself, as opposed to a link or folder on the way to it */
};

struct serve_watch {
	int fd; /* inotify; -1: nothing to watch */
	struct watch *watches;
	size_t watches_n;
	struct strings warned; /* folders that cannot be watched, each logged once */
	bool stale;            /* other files than the watched ones may be at the paths now */
};

/* ---- secrets: watches -------------------------------------------------------------------------------------------- */

static void watch_name(struct serve_watch *w, const char *folder, const char *name, bool file)
{
	int wd = inotify_add_watch(w->fd, folder, OF_NAMES | OF_FOLDER | IN_ONLYDIR | IN_MASK_ADD);

	if (wd < 0 && errno == ENOENT) {
		w->stale = true; /* deleted since the walk */
		return;
	}
	if (wd < 0 && !strings_have(&w->warned, folder)) {
		log_warning(NULL, "%s cannot be watched (%s): a changed secret there is taken with a reload", folder,
			    strerror(errno));
		strings_add(&w->warned, folder);
	}
	if (wd < 0)
		return;
	for (size_t i = 0; i < w->watches_n; i++)
		if (w->watches[i].wd == wd && text_is(w->watches[i].name, name)) {
			w->watches[i].file = w->watches[i].file && file;
			return;
		}
	MEM_ROOM(w->watches, w->watches_n);
	w->watches[w->watches_n++] = (struct watch){.wd = wd, .name = mem_str(name), .file = file};
}

/* Watches one name on the way to a secret's file: each link may change, each folder may be moved or deleted, and a
 * missing name may appear. A folder that may be entered but not read cannot be watched itself. */
static void watch_stop(void *ctx, const struct path_stop *stop)
{
	CLEANUP(mem_freep) char *whole = path_join(stop->folder, stop->name);
	struct serve_watch *w = ctx;

	if (stop->kind != PATH_FOLDER)
		watch_name(w, stop->folder, stop->name, stop->kind == PATH_LAST);
	else if (inotify_add_watch(w->fd, whole, OF_FOLDER | IN_ONLYDIR | IN_MASK_ADD) < 0 && errno == EACCES)
		watch_name(w, stop->folder, stop->name, false);
}

static void watch_file(void *ctx, const char *path, bool fixed)
{
	if (!fixed) /* a credential of systemd changes only with a restart */
		(void)path_walk(path, watch_stop, ctx);
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
	for (size_t i = 0; i < w->watches_n; i++)
		free(w->watches[i].name);
	free(w->watches);
	strings_done(&w->warned);
	free(w);
}

int serve_watch_fd(const struct serve_watch *w)
{
	return w->fd;
}

/* ---- secrets: events --------------------------------------------------------------------------------------------- */

/* True where the event may concern a secret. */
static bool take_event(struct serve_watch *w, const struct inotify_event *e)
{
	const struct watch *watch = NULL;

	for (size_t i = 0; e->len > 0 && !watch && i < w->watches_n; i++)
		if (w->watches[i].wd == e->wd && text_is(w->watches[i].name, e->name))
			watch = &w->watches[i];
	if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED | IN_Q_OVERFLOW))
		w->stale = true;
	else if (watch && (!watch->file || (e->mask & (IN_MOVED_TO | IN_CREATE))))
		w->stale = true; /* a link may have replaced the file */
	else if (!watch && e->len > 0)
		return false; /* another file in the folder */
	return true;
}

bool serve_watch_read(struct serve_watch *w)
{
	bool any = false;
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(w->fd, buffer, sizeof(buffer))) > 0) {
		const struct inotify_event *e;

		for (const char *at = buffer; at < buffer + n; at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(const void *)at;
			any = take_event(w, e) || any;
		}
	}
	return any;
}

bool serve_watch_is_stale(const struct serve_watch *w)
{
	return w->stale;
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

/* IN_ATTRIB: the deletion of an open file changes only its number of links, which is an attribute. */
#define OF_FILE (IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

int serve_store_watch(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int watched = 0;

	for (size_t i = 0; fd >= 0 && i < sizeof(ends) / sizeof(*ends); i++) {
		CLEANUP(mem_freep) char *file = mem_fmt("%s%s", path, ends[i]);

		watched += inotify_add_watch(fd, file, OF_FILE) >= 0;
	}
	if (watched > 0)
		return fd;
	log_warning(NULL, "the store's files cannot be watched (%s): that they are gone is seen when there is work",
		    strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void serve_store_read(int fd)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

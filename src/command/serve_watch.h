/*
 * serve_watch: tells when a file that a secret was read from may have changed. Main thread only.
 *
 * Watches the folders, because editors and secret managers put a new file, a new link or a whole new folder in the
 * place of the old one: of each path, every link that is followed, what it leads to, and the folders on the way.
 */
#ifndef COMMAND_SERVE_WATCH_H
#define COMMAND_SERVE_WATCH_H

#include <stdbool.h>

#include "conf/secret.h"

struct serve_watch;

/* Folders that cannot be watched are logged once and left out. */
struct serve_watch *serve_watch_new(const struct secrets *secrets);
void serve_watch_free(struct serve_watch *w); /* NULL allowed */
/* To be polled for reading; -1 where there is nothing to watch. */
int serve_watch_fd(const struct serve_watch *w);
/* Takes what was told. Whether one of the files may have changed. Never blocks. */
bool serve_watch_read(struct serve_watch *w);
/* Whether folders came or went by what was told, so that it must be made anew. */
bool serve_watch_is_stale(const struct serve_watch *w);

#endif

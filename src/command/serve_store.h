/*
 * serve_store: tells when one of the store's files may have been deleted, renamed or replaced. Main thread only.
 */
#ifndef COMMAND_SERVE_STORE_H
#define COMMAND_SERVE_STORE_H

/* path: the store, which is open. Returns a descriptor to be polled for reading, the caller's to close; -1 where the
 * files cannot be watched, which is logged: the loss is then seen when there is work. */
int serve_store_watch(const char *path);
/* Takes what was told. Never blocks. */
void serve_store_read(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * wal_vfs: a VFS of SQLite that joins the small writes of a commit to the WAL into few large ones.
 *
 * SQLite writes each page of the WAL by two calls: 24 bytes of frame header, and the page. A commit of one webhook has
 * some 20 pages, and one of a turn some hundred. This VFS collects consecutive writes and hands them to the default VFS
 * at the next sync, or before anything else looks at the file. All other files are those of the default VFS.
 *
 * Durability and visibility are SQLite's. With synchronous=FULL a commit syncs the WAL before it publishes its frames
 * in the WAL's index, so no reader looks for a frame that is not in the file. A write that fails is reported by the
 * sync (or the read) that caused it, as an I/O error, so that SQLite ends the transaction. What was not written is
 * dropped then.
 *
 * A commit can leave its sync to a call of wal_vfs_sync() on another thread. Its frames are in the file and published
 * by then, but a power cut may take them away. The VFS keeps a copy of them until they are synced. A commit of more
 * than 4 MiB is synced at once, and so is the header of a new WAL, because SQLite relies on its order.
 *
 * Source: "The OS Interface Or VFS" and sqlite3_io_methods in SQLite's documentation.
 */
#ifndef STORE_WAL_VFS_H
#define STORE_WAL_VFS_H

#include <stdbool.h>

/* For sqlite3_open_v2. */
#define WAL_VFS_NAME "deskbridge"

struct sqlite3_file;

/* From now on (defer) SQLite's syncs of the WAL may only write, and wal_vfs_sync() must follow. Returns false where f
 * is a file of another VFS, which syncs as ever. */
bool wal_vfs_defer(struct sqlite3_file *f, bool defer);
/* Syncs what was written up to SQLite's last sync. One call at a time, on any thread; the connection may be used
 * meanwhile. Returns 0 or a negative errno. Linux reports a failed write-back once and takes
 * the pages for written then. So the next call after a failure first writes the copy again; the connection is not used
 * during that call. */
int wal_vfs_sync(struct sqlite3_file *f);
/* Drops the bytes that are not written, after a rollback: another process may write to their place now. f: the WAL's
 * file of a connection; a file of another VFS is left alone. */
void wal_vfs_drop(struct sqlite3_file *f);
/* Registers the VFS. Call it once in a process, before a connection uses it. Returns SQLite's result. */
int wal_vfs_register(void);

#endif

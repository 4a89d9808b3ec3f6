/*
 * serve_files: how many files the daemon may have open. Main thread, before the listeners start.
 */
#ifndef COMMAND_SERVE_FILES_H
#define COMMAND_SERVE_FILES_H

/* Raises the process's limit of open files as far as it may. A warning is logged where the listener's connections and
 * all else need more. */
void serve_files_allow(unsigned max_connections);

#endif

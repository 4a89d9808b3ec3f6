/*
 * bystander: a user who runs a command and is neither root nor the daemon's user. Rights that this user lacks are no
 * fault of the installation.
 */
#ifndef COMMAND_BYSTANDER_H
#define COMMAND_BYSTANDER_H

/* Where the process runs as such a user, advice on files that cannot be read names who can run the command instead of
 * a chgrp, which would lock the daemon out. Once, before there are threads. Blocks on files. */
void bystander_note(const char *command);

#endif

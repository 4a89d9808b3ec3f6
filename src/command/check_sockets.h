/*
 * check_sockets: what `check` says of the folders of unix sockets to listen on.
 */
#ifndef COMMAND_CHECK_SOCKETS_H
#define COMMAND_CHECK_SOCKETS_H

#include <stdbool.h>

#include "command/check_judge.h"
#include "conf/conf.h"

/* An address of the configuration whose socket this process could not make: its folder is not there, or is not its to
 * write to. */
bool check_socket_is_closed(const char *address);
/* Prints a warning for each of `listen` and `admin` whose socket the daemon could not make, judged for its user where
 * one judged. A folder that the unit makes (RuntimeDirectory=) is good. Blocks on files. */
void check_sockets(const struct config *c, const struct check_judge *judge);

#endif

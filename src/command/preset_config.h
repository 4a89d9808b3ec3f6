/*
 * preset_config: a whole configuration for one helpdesk, for `presets NAME --config`: what is left to do is to fill in
 * what stands in capitals.
 */
#ifndef COMMAND_PRESET_CONFIG_H
#define COMMAND_PRESET_CONFIG_H

#include "base/node.h"
#include "helpdesk/definition/definition.h"

/* Prints it to standard output. tree: what d was compiled from. */
void preset_config_print(const char *name, const struct node *tree, const struct definition *d);

#endif

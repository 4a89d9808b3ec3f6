/*
 * preset_print: what `presets` prints of one definition, to standard output: what it rests on, for people (the facts
 * that nobody confirms, and who shows the shapes of its samples), and a whole configuration for its helpdesk.
 */
#ifndef COMMAND_PRESET_PRINT_H
#define COMMAND_PRESET_PRINT_H

#include "base/node.h"
#include "helpdesk/definition/definition.h"

#define PRESET_GROUNDS_WORD_MAX 64

/* Prints facts and samples, as YAML comments below a line that marks where they begin. */
void preset_grounds_print(const struct definition *d);
/* How many bytes of a definition's file are its own: a copy that was made of `presets NAME` ends with such comments. */
size_t preset_grounds_begin(const char *text);
/* "3 facts, 2 samples": how many facts nobody confirms, and of how many samples nobody shows the shape, or it is not
 * said who does. "-" where there are none. Returns out. */
const char *preset_grounds_word(const struct definition *d, char out[PRESET_GROUNDS_WORD_MAX]);

/* Prints a configuration in which only what stands in capitals is left to fill in. tree: what d was compiled from. */
void preset_config_print(const char *name, const struct node *tree, const struct definition *d);

#endif

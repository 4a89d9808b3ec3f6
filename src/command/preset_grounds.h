/*
 * preset_grounds: what a definition rests on, for people: the facts that nobody confirms, and who shows the shapes of
 * its samples.
 */
#ifndef COMMAND_PRESET_GROUNDS_H
#define COMMAND_PRESET_GROUNDS_H

#include "helpdesk/definition/definition.h"

#define PRESET_GROUNDS_WORD_MAX 64

/* Prints the facts to standard output, numbered, as YAML comments below a heading; nothing where there is none. */
void preset_facts_print(const struct definition *d);
/* Prints how far the definition was verified to standard output: one YAML comment. */
void preset_verified_print(const struct definition *d);
/* Prints facts and samples to standard output, as YAML comments below a line that marks where they begin. */
void preset_grounds_print(const struct definition *d);
/* How many bytes of a definition's file are its own: a copy that was made of `presets NAME` ends with such comments. */
size_t preset_grounds_begin(const char *text);
/* "3 facts, 2 samples": how many facts nobody confirms, and of how many samples nobody shows the shape, or it is not
 * said who does. "-" where there are none. Returns out. */
const char *preset_grounds_word(const struct definition *d, char out[PRESET_GROUNDS_WORD_MAX]);

#endif

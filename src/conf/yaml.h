/* SPDX-License-Identifier: MIT */
/*
 * yaml: reads YAML into a tree of nodes that know their places (base/node.h). The only file that uses libyaml.
 *
 * The files of this project use a plain part of YAML: one document of mappings, lists and text. Anchors, aliases, tags,
 * duplicate keys and keys that are not text are errors at their places. So are more than YAML_DEPTH_MAX levels,
 * YAML_NODES_MAX values or YAML_SIZE_MAX bytes. Each scalar stays text; an unquoted empty value, `~` and `null` are
 * NODE_NULL.
 *
 * Returns 0 and an owned tree. Errors that do not stop the reading, such as a duplicate key or an alias, are in
 * problems, and the tree is returned all the same: a caller that must not use such a tree checks problems->errors.
 * Returns -EINVAL or another negative errno, with problems, where the text could not be read to its end. Pure, except
 * yaml_load_file, which reads one file.
 */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include <stddef.h>

#include "base/mem.h"
#include "base/node.h"
#include "base/problems.h"

#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 100000
#define YAML_SIZE_MAX (1 << 20)
#define YAML_KEY_MAX 256   /* bytes of one key */
#define YAML_PATH_MAX 1024 /* bytes of all keys down to a value */

/* file: the name of the text in messages and nodes. */
int yaml_load(const char *file, const char *text, size_t len, struct node **ret, struct problems *problems) MUSTCHECK;
int yaml_load_file(const char *file, struct node **ret, struct problems *problems) MUSTCHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * yaml: a YAML file to a tree of nodes with the place of each value (base/node.h). The only place that knows libyaml.
 *
 * What the files of this project may use is YAML's plain half: one document of mappings, lists and text. Anchors,
 * aliases, tags, duplicate keys and keys that are not text are errors at their place; so is more than YAML_DEPTH_MAX
 * levels, YAML_NODES_MAX values or YAML_SIZE_MAX bytes. Every scalar stays text; unquoted nothing, `~` and `null` are
 * NODE_NULL.
 *
 * Returns 0 and an owned tree; where something could be passed over (a duplicate key, an alias), the errors stand in
 * problems all the same: who must not use such a tree looks at problems->errors. -EINVAL or another negative errno,
 * told in problems, where the file could not be read to its end. Pure but for yaml_load_file, which reads one file.
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

/* file: how the text is called in messages and nodes. */
int yaml_load(const char *file, const char *text, size_t len, struct node **ret, struct problems *problems) MUSTCHECK;
int yaml_load_file(const char *file, struct node **ret, struct problems *problems) MUSTCHECK;

#endif

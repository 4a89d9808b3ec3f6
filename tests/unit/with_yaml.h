/* SPDX-License-Identifier: MIT */
/*
 * with_yaml: node trees, JSON trees and problems for the tests of what is compiled from YAML.
 */
#ifndef TESTS_WITH_YAML_H
#define TESTS_WITH_YAML_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "conf/yaml.h"

/* The text as a tree; it must be good YAML. */
static inline struct node *with_yaml(const char *text)
{
	struct problems p = {0};
	struct node *n = NULL;

	assert_int_equal(yaml_load("test.yaml", text, strlen(text), &n, &p), 0);
	problems_print(&p, stderr);
	assert_int_equal(p.errors, 0);
	problems_done(&p);
	return n;
}

static inline struct json_object *with_json(const char *text)
{
	struct json_object *o = NULL;
	struct err e;

	if (json_read(text, strlen(text), &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return o;
}

static inline bool problems_say(const struct problems *p, bool warning, const char *part)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].warning == warning && strstr(p->items[i].text, part))
			return true;
	return false;
}

/* One error or more, and one of them says that. Empties p. */
static inline void assert_problem(struct problems *p, const char *part)
{
	if (!problems_say(p, false, part)) {
		problems_print(p, stderr);
		fail_msg("no error says \"%s\"", part);
	}
	problems_done(p);
}

/* No error. Empties p. */
static inline void assert_no_problem(struct problems *p)
{
	if (p->errors > 0)
		problems_print(p, stderr);
	assert_int_equal(p->errors, 0);
	problems_done(p);
}

#endif

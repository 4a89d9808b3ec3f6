/* SPDX-License-Identifier: MIT */
/*
 * with_definition: compiled definitions for tests: the shipped one, and small ones of a test's own.
 */
#ifndef TESTS_WITH_DEFINITION_H
#define TESTS_WITH_DEFINITION_H

#include "with_yaml.h"

#include <stdlib.h>

#include "helpdesk/parse/samples.h"

/* The least that a definition needs; tests append keys. */
#define BARE_DEFINITION                   \
	"label: Desk\n"                   \
	"authenticate: {method: basic}\n" \
	"opened: {/type: opened}\n"       \
	"closed: {/type: closed}\n"       \
	"conversation: /id\n"

static inline struct definition *with_definition(const char *yaml, const char *base_url)
{
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	const struct definition_binding binding = {.base_url = base_url};
	struct problems p = {0};
	struct definition *d = definition_read(n, &binding, &p);

	assert_no_problem(&p);
	assert_non_null(d);
	return d;
}

/* The shipped definition of that name. */
static inline struct node *with_preset(const char *name)
{
	const char *folder = getenv("DESKBRIDGE_PRESETS");
	CLEANUP(mem_freep) char *file = mem_fmt("%s/%s.yaml", folder ? folder : "etc/helpdesks", name);
	struct problems p = {0};
	struct node *n = NULL;

	assert_int_equal(yaml_load_file(file, &n, &p), 0);
	assert_no_problem(&p);
	return n;
}

static inline struct definition *with_gladly(void)
{
	CLEANUP(node_freep) struct node *n = with_preset("gladly");
	const struct definition_binding binding = {.base_url = "https://acme.gladly.com/"};
	struct problems p = {0};
	struct definition *d = definition_read(n, &binding, &p);

	assert_no_problem(&p);
	assert_non_null(d);
	return d;
}

#endif

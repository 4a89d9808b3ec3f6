/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "conf/admin_settings.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/known_secrets.h"
#include "base/path.h"
#include "conf/admin_token.h"
#include "conf/conf_internal.h"
#include "conf/secret.h"
#include "conf/yaml.h"

/* Returns the lines of one top-level key: the error of the file may be elsewhere. NULL: there is no such key. The
 * caller owns it. */
static char *lines_of(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *from = text;
	const char *end;

	while (from && (strncmp(from, key, len) != 0 || from[len] != ':')) {
		from = strchr(from, '\n');
		from = from ? from + 1 : NULL;
	}
	if (!from)
		return NULL;
	end = strchr(from, '\n');
	while (end && strchr(" \t\r\n#", end[1]) && end[1] != '\0')
		end = strchr(end + 1, '\n');
	return end ? mem_strn(from, (size_t)(end - from)) : mem_str(from);
}

/* Reads both groups from the tree of the whole file, or each from its own lines where the file is not YAML. */
static void read_groups(struct settings_reader *r, const char *file, struct admin_settings *ret)
{
	static const char *const groups[] = {"admin", "store"};
	struct problems problems = {0};
	struct node *tree = NULL;
	char *text;
	size_t len;
	int code = file_read(file, FILE_ANY, YAML_SIZE_MAX, &text, &len);

	ret->file_is_closed = code == -EACCES;
	ret->file_is_missing = code == -ENOENT;
	if (code < 0)
		return;
	ret->file_is_yaml = yaml_load(file, text, len, &tree, &problems) == 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		struct node *part = ret->file_is_yaml ? tree : NULL;
		char *lines = part ? NULL : lines_of(text, groups[i]);

		if (lines && yaml_load(file, lines, strlen(lines), &part, &problems) < 0)
			part = NULL;
		mem_wipe_str(lines);
		if (node_get(part, groups[i]))
			settings_read_group(r, settings_find(groups[i]), node_get(part, groups[i]), r->config);
		if (part && part != tree)
			config_add_tree(r->config, part);
	}
	if (ret->file_is_yaml)
		config_add_tree(r->config, tree);
	mem_wipe(text, len);
	problems_done(&problems);
}

void admin_settings_take_token(struct admin_settings *a, const char *file)
{
	struct err why = {0};

	mem_wipe_str(a->token);
	free(a->token_fault);
	a->token = a->token_fault = NULL;
	a->token_code = secret_file_read(file, &a->token, &why);
	if (a->token_code == -ENOENT)
		a->token_fault = mem_fmt("%s is not there", file);
	else if (a->token_code < 0)
		a->token_fault = mem_str(why.text);
	else
		known_secrets_add((const char *const *)&a->token, 1);
}

void admin_settings_read(const char *file, struct admin_settings *ret)
{
	CLEANUP(mem_freep) char *folder = path_folder(file);
	struct config *c = mem_new(1, sizeof(*c));
	struct problems problems = {0};
	struct problems faults = {0};
	struct settings_reader reader = {.config = c, .secret_context = {.folder = folder}, .problems = &problems};

	*ret = (struct admin_settings){0};
	settings_defaults(&reader, SETTING_OF_CONFIG, c);
	read_groups(&reader, file, ret);
	ret->address = mem_str(c->admin.address);
	if (c->admin.token) {
		struct secrets *secrets = secrets_read(c->secrets, c->secrets_n, NULL, &faults);

		ret->token = mem_str(secret_value(secrets, c->admin.token));
		if (!ret->token) {
			ret->token_fault = mem_str(faults.n > 0 ? faults.items[0].text : "it has no value");
			ret->token_code = -EINVAL;
		}
		secrets_free(secrets);
	} else {
		config_resolve_store_path(c, folder);
		ret->token_file = admin_token_path(c->store.path);
		admin_settings_take_token(ret, ret->token_file);
	}
	config_free(c);
	problems_done(&problems);
	problems_done(&faults);
}

void admin_settings_done(struct admin_settings *a)
{
	mem_wipe_str(a->token);
	free(a->address);
	free(a->token_file);
	free(a->token_fault);
	*a = (struct admin_settings){0};
}

/* SPDX-License-Identifier: MIT */
/*
 * conf_load: reads the configuration file, in the order in which one part is checked against another.
 */
#include <config.h>

#include "conf/conf_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "conf/admin_token.h"
#include "conf/yaml.h"

/* True where others than the owner and this process's group can read the file. The README gives the file and the
 * credentials to the group of the daemon's user, and `check` reads as that user too. */
static bool others_can_read(const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	return (st.st_mode & S_IROTH) != 0 || ((st.st_mode & S_IRGRP) != 0 && st.st_gid != getegid());
}

struct config *config_read(const char *file, struct problems *problems)
{
	CLEANUP(mem_freep) char *folder = path_folder(file);
	struct node *root = NULL;
	struct loader l = {.file = file};
	struct config *c;

	if (access(file, F_OK) < 0 && errno == ENOENT) {
		problems_error_at(problems, file, 0, 0,
				  "cannot be read: %s; `deskbridge presets NAME --config` prints one to begin with, "
				  "for a helpdesk that `deskbridge presets` names",
				  strerror(ENOENT));
		return NULL;
	}
	if (yaml_load_file(file, &root, problems) < 0)
		return NULL;
	c = mem_new(1, sizeof(*c));
	c->file = mem_str(file);
	config_add_tree(c, root);
	if (root->type != NODE_MAP) {
		problems_error(problems, root,
			       "expected a mapping that begins with `version: 1`, found %s; `deskbridge presets NAME "
			       "--config` prints a beginning",
			       node_kind(root));
		return c;
	}
	l.root = root;
	l.reader = (struct settings_reader){
		.config = c,
		.secret_context = {.folder = folder, .exposed = others_can_read(file)},
		.problems = problems,
	};
	settings_defaults(&l.reader, SETTING_OF_CONFIG, c);
	settings_read(&l.reader, "", root, c);
	config_check_listen(&l);
	config_resolve_store_path(c, folder);
	/* Without a configured token the generated one is used. */
	if (!c->admin.token && !node_get(node_get(root, "admin"), "token")) {
		c->admin.token_file = admin_token_path(c->store.path);
		c->admin.generated = secret_new_optional(c->admin.token_file, c->secrets_n);
		config_add_secret(c, c->admin.generated);
	}
	config_read_accounts(&l);
	config_read_sources(&l);
	config_check_references(&l);
	return c;
}

struct config *config_load(const char *file, struct problems *problems)
{
	size_t errors = problems->errors;
	size_t from = problems->n;
	struct config *c = config_read(file, problems);

	problems_sort(problems, from, file); /* removes repeats: shared rules are compiled for each source */
	if (problems->errors > errors) {
		config_free(c);
		return NULL;
	}
	return c;
}

/* SPDX-License-Identifier: MIT */
/*
 * preset: finds definitions by name in the folders of presets.
 */
#include <config.h>

#include "conf/conf.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "conf/access.h"
#include "conf/check.h"
#include "conf/yaml.h"

#define PRESET_FOLDERS 3
#define PRESETS_MAX 1000
#define PRESET_SUFFIX ".yaml"

/* Returns the folders in the order of precedence. The caller frees each; an entry may be NULL. */
static void preset_folders(const char *config_file, char *out[PRESET_FOLDERS])
{
	const char *env = getenv("DESKBRIDGE_PRESETS");
	CLEANUP(mem_freep)
	char *config_folder = config_file ? path_folder(config_file) : mem_str(DESKBRIDGE_SYSCONFDIR);

	out[0] = path_join(config_folder, "helpdesks");
	out[1] = env && env[0] != '\0' ? mem_str(env) : NULL;
	out[2] = mem_str(DESKBRIDGE_PRESETDIR);
}

/* Returns the name of the preset in a file of that name; NULL: it is not a preset's. The caller owns it. */
static char *preset_name(const char *file)
{
	size_t len = strlen(file);
	size_t suffix = strlen(PRESET_SUFFIX);
	char *name;

	if (len <= suffix || strcmp(file + len - suffix, PRESET_SUFFIX) != 0)
		return NULL;
	name = mem_dup(file, len - suffix);
	if (check_name(name, NULL) < 0) {
		free(name);
		return NULL;
	}
	return name;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static void presets_add_folder(struct pairs *all, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while (all->n < PRESETS_MAX && (entry = readdir(dir))) {
		CLEANUP(mem_freep) char *name = preset_name(entry->d_name);
		CLEANUP(mem_freep) char *file = NULL;

		if (!name || pairs_get(all, name))
			continue;
		file = path_join(folder, entry->d_name);
		if (access(file, R_OK) == 0)
			pairs_add(all, name, file);
	}
	(void)closedir(dir);
}

static void presets_all(const char *config_file, struct pairs *all)
{
	char *folders[PRESET_FOLDERS];

	preset_folders(config_file, folders);
	for (size_t i = 0; i < PRESET_FOLDERS; i++) {
		if (folders[i])
			presets_add_folder(all, folders[i]);
		free(folders[i]);
	}
	if (all->n > 1)
		qsort(all->items, all->n, sizeof(*all->items), by_name);
}

size_t config_presets(const char *config_file, void (*fn)(void *ctx, const char *name, const char *file), void *ctx)
{
	struct pairs all = {0};
	size_t n;

	presets_all(config_file, &all);
	for (size_t i = 0; i < all.n; i++)
		fn(ctx, all.items[i].name, all.items[i].value);
	n = all.n;
	pairs_done(&all);
	return n;
}

static int preset_unknown(const char *config_file, const char *name, struct err *reterr)
{
	struct pairs all = {0};
	CLEANUP(mem_freep) const char **names = NULL;
	CLEANUP(mem_freep) char *joined = NULL;
	CLEANUP(mem_freep) char *meant = NULL;

	presets_all(config_file, &all);
	names = mem_new(all.n, sizeof(*names));
	for (size_t i = 0; i < all.n; i++)
		names[i] = all.items[i].name;
	meant = text_suggestion("; ", " ", name, names, all.n);
	joined = text_join(names, all.n, ", ");
	if (all.n == 0)
		err_set(reterr, -ENOENT, "there is no preset of that name, and no other: are they installed (%s)?",
			DESKBRIDGE_PRESETDIR);
	else
		err_set(reterr, -ENOENT, "there is no preset %.64s%s%sthere are: %s", name[0] != '\0' ? name : "\"\"",
			meant, meant[0] != '\0' ? "" : "; ", joined);
	pairs_done(&all);
	return -ENOENT;
}

int config_preset_read(const char *config_file, const char *name, char **ret_file, char **ret_text, struct err *reterr)
{
	int r = -ENOENT;
	char *folders[PRESET_FOLDERS];

	if (check_name(name, NULL) < 0)
		return preset_unknown(config_file, name, reterr);
	preset_folders(config_file, folders);
	for (size_t i = 0; i < PRESET_FOLDERS; i++) {
		CLEANUP(mem_freep) char *file = folders[i] ? mem_fmt("%s/%s" PRESET_SUFFIX, folders[i], name) : NULL;
		size_t len;

		free(folders[i]);
		if (!file || r != -ENOENT)
			continue;
		r = file_read(file, FILE_ANY, YAML_SIZE_MAX, ret_text, &len);
		if (r == 0) {
			*ret_file = TAKE(file);
		} else if (r != -ENOENT) {
			CLEANUP(mem_freep) char *advice = access_advice(file, r);

			err_set(reterr, r, "the preset %s cannot be read: %s%s", file, strerror(-r), advice);
		}
	}
	return r == -ENOENT ? preset_unknown(config_file, name, reterr) : r;
}

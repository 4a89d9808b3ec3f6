/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/daemon_unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

#define UNIT "deskbridge.service"
#define UNIT_SIZE_MAX 65536
#define FOLDERS_DEFAULT                                                                                               \
	"/etc/systemd/system:/run/systemd/system:/usr/local/lib/systemd/system:/usr/lib/systemd/system:/lib/systemd/" \
	"system"

/* The settings that name folders which systemd makes, and their parent folders. */
static const struct {
	const char *key, *root;
} directory_settings[DAEMON_UNIT_DIRECTORIES] = {
	{"RuntimeDirectory", "/run/"},
	{"StateDirectory", "/var/lib/"},
	{"CacheDirectory", "/var/cache/"},
	{"LogsDirectory", "/var/log/"},
};

/* ---- assignments ------------------------------------------------------------------------------------------------- */

static void set(char **text, char *owned)
{
	free(*text);
	*text = owned;
}

/* An empty assignment resets the setting. */
static void set_word(char **text, const char *value)
{
	set(text, *value != '\0' ? mem_str(value) : NULL);
}

static void add_words(struct strings *to, const char *value)
{
	if (*value == '\0')
		strings_done(to);
	while (*(value += strspn(value, " \t")) != '\0') {
		size_t len = strcspn(value, " \t");

		strings_addn(to, value, len);
		value += len;
	}
}

static void passed_clear(struct daemon_unit *u)
{
	for (size_t i = 0; i < u->passed_n; i++) {
		free(u->passed[i].name);
		free(u->passed[i].path);
	}
	u->passed_n = 0;
}

/* Adds NAME:PATH, or NAME alone; a later assignment replaces one of the same name. Keeps only a path that this
 * process can open as written: no specifiers, no folder. */
static void passed_add(struct daemon_unit *u, const char *value, bool plain)
{
	size_t len = strcspn(value, ":");
	const char *path = value[len] == ':' ? value + len + 1 : "";
	CLEANUP(mem_freep) char *name = mem_strn(value, len);
	size_t i = 0;

	if (*value == '\0') {
		passed_clear(u);
		return;
	}
	while (i < u->passed_n && strcmp(u->passed[i].name, name) != 0)
		i++;
	if (i == u->passed_n) {
		MEM_ROOM(u->passed, u->passed_n);
		u->passed[u->passed_n++] = (struct secret_passed){.name = TAKE(name)};
	}
	set(&u->passed[i].path, plain && path[0] == '/' && !strchr(path, '%') ? mem_str(path) : NULL);
}

/* Sets the word after -c in the command line; NULL: there is none, or an empty line resets it. */
static void set_config(struct daemon_unit *u, const char *value)
{
	const char *option = strstr(value, " -c ");
	const char *from = option ? option + 4 + strspn(option + 4, " ") : NULL;

	set(&u->config, from ? mem_strn(from, strcspn(from, " \t")) : NULL);
}

/* Sets the word of the command line that ends with /sbin/deskbridge, without systemd's prefixes; NULL: there is
 * none, or an empty line resets it. */
static void set_former(char **path, const char *value)
{
	static const char name[] = "/sbin/deskbridge";
	const char *at = strstr(value, name);
	const char *from = at;
	const char *end = at ? at + strlen(name) : NULL;

	while (from && from > value && !strchr(" \"", from[-1]))
		from--;
	while (from && strchr("@-:+!|", *from))
		from++;
	set(path, at && (*end == '\0' || strchr(" \"", *end)) ? mem_strn(from, (size_t)(end - from)) : NULL);
}

/* True for a boolean that systemd reads as true. */
static bool is_on(const char *value)
{
	return strcmp(value, "on") == 0 || (*value != '\0' && strchr("1yYtT", *value) && strcmp(value, "tmpfs") != 0);
}

static void take(struct daemon_unit *u, const char *key, const char *value)
{
	if (strcmp(key, "User") == 0)
		set_word(&u->user, value);
	else if (strcmp(key, "Group") == 0)
		set_word(&u->group, value);
	else if (strcmp(key, "ProtectHome") == 0)
		u->hides_home = is_on(value) || strcmp(value, "tmpfs") == 0;
	else if (strcmp(key, "PrivateTmp") == 0)
		u->hides_tmp = is_on(value) || strcmp(value, "disconnected") == 0;
	else if (strcmp(key, "SupplementaryGroups") == 0)
		add_words(&u->groups, value);
	else if (strcmp(key, "LoadCredential") == 0)
		passed_add(u, value, true);
	else if (strcmp(key, "LoadCredentialEncrypted") == 0 || strcmp(key, "SetCredential") == 0 ||
		 strcmp(key, "SetCredentialEncrypted") == 0)
		passed_add(u, value, false);
	else if (strcmp(key, "ExecReload") == 0)
		set_former(&u->former_reload, value);
	else if (strcmp(key, "ExecStart") == 0) {
		set_config(u, value);
		set_former(&u->former_start, value);
	} else {
		for (size_t i = 0; i < DAEMON_UNIT_DIRECTORIES; i++)
			if (strcmp(key, directory_settings[i].key) == 0)
				add_words(&u->directories[i], value);
	}
}

void daemon_unit_parse(struct daemon_unit *u, const char *file)
{
	CLEANUP(mem_freep) char *whole = mem_str(file);
	const char *text = whole;
	bool service = false;

	/* A backslash at the end of a line joins it with the next line by a blank; tabs become blanks. */
	for (char *at = whole; (at = strstr(at, "\\\n"));)
		at[0] = at[1] = ' ';
	for (char *at = whole; (at = strchr(at, '\t'));)
		*at = ' ';
	while (*text != '\0') {
		CLEANUP(mem_freep) char *line = mem_strn(text, strcspn(text, "\n"));
		char *key = line + strspn(line, " \t");
		char *equals = strchr(key, '=');
		char *end = key + strlen(key);

		text += strlen(line) + (text[strlen(line)] == '\n');
		while (end > key && strchr(" \t\r", end[-1]))
			*--end = '\0';
		if (*key == '[')
			service = strcmp(key, "[Service]") == 0;
		if (!service || strchr("[#;", *key) || !equals)
			continue;
		*equals = '\0';
		for (char *c = equals; c > key && strchr(" \t", c[-1]); c--)
			c[-1] = '\0';
		take(u, key, equals + 1 + strspn(equals + 1, " \t"));
	}
}

/* ---- the files --------------------------------------------------------------------------------------------------- */

static bool parse_file(struct daemon_unit *u, const char *file)
{
	CLEANUP(mem_freep) char *text = NULL;
	size_t len;

	if (file_read(file, FILE_ANY, UNIT_SIZE_MAX, &text, &len) < 0)
		return false;
	daemon_unit_parse(u, text);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

/* Adds the NAME.conf of one folder; a former folder's file of the same name hides this one. */
static void drop_ins_of(struct pairs *all, const char *folder)
{
	CLEANUP(mem_freep) char *whole = path_join(folder, UNIT ".d");
	DIR *dir = opendir(whole);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		CLEANUP(mem_freep) char *file = NULL;

		if (len < 6 || strcmp(entry->d_name + len - 5, ".conf") != 0 || pairs_get(all, entry->d_name))
			continue;
		file = path_join(whole, entry->d_name);
		pairs_add(all, entry->d_name, file);
	}
	if (dir)
		(void)closedir(dir);
}

bool daemon_unit_read(struct daemon_unit *ret)
{
	const char *path = getenv("SYSTEMD_UNIT_PATH");
	CLEANUP(pairs_done) struct pairs drop_ins = {0};
	bool found = false;

	*ret = (struct daemon_unit){0};
	path = path && *path != '\0' ? path : FOLDERS_DEFAULT;
	while (*path != '\0') {
		size_t len = strcspn(path, ":");
		CLEANUP(mem_freep) char *folder = mem_strn(path, len);
		CLEANUP(mem_freep) char *file = path_join(folder, UNIT);

		path += len + (path[len] == ':');
		found = found || parse_file(ret, file);
		drop_ins_of(&drop_ins, folder);
	}
	if (drop_ins.n > 1)
		qsort(drop_ins.items, drop_ins.n, sizeof(*drop_ins.items), by_name);
	for (size_t i = 0; found && i < drop_ins.n; i++)
		(void)parse_file(ret, drop_ins.items[i].value);
	if (!found)
		daemon_unit_done(ret);
	return found;
}

static bool is_below(const char *path, const char *const *folders)
{
	for (; *folders; folders++)
		if (strncmp(path, *folders, strlen(*folders)) == 0)
			return true;
	return false;
}

const char *daemon_unit_hides(const struct daemon_unit *u, const char *path)
{
	static const char *const homes[] = {"/home/", "/root/", "/run/user/", NULL};
	static const char *const tmps[] = {"/tmp/", "/var/tmp/", NULL};

	if (u->hides_home && is_below(path, homes))
		return "ProtectHome=";
	return u->hides_tmp && is_below(path, tmps) ? "PrivateTmp=" : NULL;
}

bool daemon_unit_makes(const struct daemon_unit *u, const char *folder)
{
	const char *path = folder + (strncmp(folder, "/var/run/", 9) == 0 ? 4 : 0);

	for (size_t i = 0; i < DAEMON_UNIT_DIRECTORIES; i++) {
		size_t root = strlen(directory_settings[i].root);
		size_t len;

		if (strncmp(path, directory_settings[i].root, root) != 0)
			continue;
		len = strlen(path + root);
		while (len > 0 && path[root + len - 1] == '/')
			len--;
		for (size_t k = 0; k < u->directories[i].n; k++) {
			const char *name = u->directories[i].items[k];

			/* "NAME:LINK" also makes a link to it */
			if (strcspn(name, ":") == len && strncmp(name, path + root, len) == 0)
				return true;
		}
	}
	return false;
}

void daemon_unit_done(struct daemon_unit *u)
{
	strings_done(&u->groups);
	for (size_t i = 0; i < DAEMON_UNIT_DIRECTORIES; i++)
		strings_done(&u->directories[i]);
	passed_clear(u);
	free(u->user);
	free(u->group);
	free(u->config);
	free(u->former_start);
	free(u->former_reload);
	free(u->passed);
	*u = (struct daemon_unit){0};
}

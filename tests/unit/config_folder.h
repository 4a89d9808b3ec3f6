/* SPDX-License-Identifier: MIT */
/* A folder of its own for a test's configuration file, definitions and credentials. Only for tests. */
#ifndef CONFIG_FOLDER_H
#define CONFIG_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct config_folder {
	char path[256];
	char file[300]; /* deskbridge.yaml in it */
};

static inline void folder_write(const struct config_folder *f, const char *name, const char *text)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/%s", f->path, name);
	FILE *to;

	(void)unlink(path);
	to = fopen(path, "we");
	INSIST(to != NULL && chmod(path, 0600) == 0);
	INSIST(fputs(text, to) >= 0 && fclose(to) == 0);
}

static inline void folder_mkdir(const struct config_folder *f, const char *name)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/%s", f->path, name);

	INSIST(mkdir(path, 0700) == 0);
}

#define FOLDER_DEFINITION(label, authenticate)                               \
	"label: " label "\nverified: live\nauthenticate: " authenticate "\n" \
	"opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n"

/* With the definitions bearer, basic, open (no proof), desk (basic and a lookup) and unverified. */
static inline void folder_make(struct config_folder *f)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(f->path, sizeof(f->path), "%.200s/deskbridge-test-XXXXXX", tmp ? tmp : "/tmp");
	INSIST(mkdtemp(f->path) != NULL);
	(void)snprintf(f->file, sizeof(f->file), "%s/deskbridge.yaml", f->path);
	folder_mkdir(f, "credentials");
	folder_mkdir(f, "helpdesks");
	folder_write(f, "helpdesks/bearer.yaml", FOLDER_DEFINITION("Bear", "{method: bearer}"));
	folder_write(f, "helpdesks/basic.yaml", FOLDER_DEFINITION("Basic", "{method: basic}"));
	folder_write(f, "helpdesks/open.yaml", FOLDER_DEFINITION("Open", "{method: none}"));
	folder_write(f, "helpdesks/desk.yaml",
		     FOLDER_DEFINITION("Desk", "{method: basic}") "customer: /customer\nlookup:\n"
								  "  - {url: \"{base_url}/c/{/customer}\", "
								  "authenticate: basic, emails: /email}\n");
	folder_write(f, "helpdesks/token.yaml",
		     FOLDER_DEFINITION("Token", "{method: bearer}") "customer: /customer\nlookup:\n"
								    "  - {url: \"{base_url}/c/{/customer}\", "
								    "authenticate: bearer, emails: /email}\n");
	folder_write(f, "helpdesks/unverified.yaml",
		     "label: U\nverified: no\nauthenticate: {method: bearer}\n"
		     "opened: {/type: opened}\nclosed: {/type: closed}\nconversation: /id\n");
	folder_write(f, "helpdesks/broken.yaml", "label: [\n");
}

static inline void folder_remove(const struct config_folder *f)
{
	CLEANUP(mem_freep) char *command = mem_fmt("rm -rf '%s'", f->path);

	INSIST(system(command) == 0);
}

#endif

/*
 * Whether the files that the store has open are still those that stand at their names. A daemon that goes on with a
 * deleted file takes webhooks into nothing, one whose file was replaced works beside the new one.
 */
#include <config.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/private.h"

static const char *const suffixes[STORE_FILES] = {"", "-wal", "-shm"};

struct store_files *store_files_new(const struct store *s)
{
	struct store_files *f = mem_new(1, sizeof(*f));

	for (int i = 0; i < STORE_FILES; i++) {
		struct stat st;

		f->paths[i] = mem_fmt("%s%s", s->path, suffixes[i]);
		if (stat(f->paths[i], &st) < 0)
			continue;
		f->known[i] = true;
		f->devices[i] = st.st_dev;
		f->inodes[i] = st.st_ino;
	}
	return f;
}

void store_files_free(struct store_files *f)
{
	for (int i = 0; f && i < STORE_FILES; i++)
		free(f->paths[i]);
	free(f);
}

/* A file that cannot be looked at for another reason counts as there. */
bool store_file_is_lost(const struct store_files *f, enum store_file i)
{
	struct stat st;

	if (!f->known[i])
		return false;
	if (stat(f->paths[i], &st) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return st.st_dev != f->devices[i] || st.st_ino != f->inodes[i];
}

bool store_file_is_anothers(const struct store_files *f, enum store_file i)
{
	return store_file_is_lost(f, i) && access(f->paths[i], F_OK) == 0;
}

int store_files_look(const struct store_files *f, struct err *reterr)
{
	for (int i = 0; i < STORE_FILES; i++)
		if (store_file_is_lost(f, (enum store_file)i))
			return err_set(reterr, -ESTALE,
				       "the store file %s was deleted or replaced while deskbridge had it "
				       "open: " STORE_LOST_ADVICE,
				       f->paths[i]);
	return 0;
}

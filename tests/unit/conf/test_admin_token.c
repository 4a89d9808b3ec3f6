/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "conf/admin_token.h"
#include "conf/secret.h"
#include "fixtures/config_folder.h"

#define RACERS 8

/* Returns the path of the token's file in a new folder. The caller owns it. */
static char *path_in(const char *name)
{
	CLEANUP(mem_freep) char *store = mem_fmt("%s/%s/deskbridge.db", folder.path, name);

	folder_mkdir(folder.path, name);
	return admin_token_path(store);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* Returns the number of names in the file's folder. */
static unsigned neighbours(const char *path)
{
	CLEANUP(mem_freep) char *place = mem_strn(path, (size_t)(strrchr(path, '/') - path));
	DIR *dir = opendir(place);
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void write_there(const char *path, const char *text, unsigned mode)
{
	FILE *to = fopen(path, "we");

	assert_non_null(to);
	assert_true(fputs(text, to) >= 0 && fclose(to) == 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void it_stands_beside_the_stores_file(void **state)
{
	static const char *const rows[][2] = {
		{"/var/lib/deskbridge/deskbridge.db", "/var/lib/deskbridge/admin-token"},
		{"/x.db", "/admin-token"},
		{"./x.db", "./admin-token"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		CLEANUP(mem_freep) char *path = admin_token_path(rows[i][0]);
		assert_string_equal(path, rows[i][1]);
	}
}

static void it_is_made_once_whole_and_for_the_group(void **state)
{
	CLEANUP(mem_freep) char *path = path_in("once");
	CLEANUP(mem_freep) char *first = NULL;
	CLEANUP(mem_freep) char *again = NULL;
	struct err e = {0};
	mode_t before = umask(0077);
	struct admin_token_found found;

	(void)state;
	assert_int_equal(admin_token_ensure(path, &found, &e), 0);
	umask(before);
	assert_true(found.generated && !found.was_open);
	assert_int_equal(mode_of(path), 0640);
	assert_int_equal(neighbours(path), 1);
	assert_int_equal(secret_file_read(path, &first, &e), 0);
	assert_int_equal(strlen(first), 64);
	assert_int_equal(admin_token_ensure(path, &found, &e), 0);
	assert_false(found.generated);
	assert_int_equal(secret_file_read(path, &again, &e), 0);
	assert_string_equal(first, again);
}

static void what_is_there_is_left_as_it_is(void **state)
{
	CLEANUP(mem_freep) char *path = path_in("there");
	CLEANUP(mem_freep) char *value = NULL;
	struct err e = {0};
	struct admin_token_found found;

	(void)state;
	write_there(path, "of my own\n", 0400);
	assert_int_equal(admin_token_ensure(path, &found, &e), 0);
	assert_true(!found.generated && !found.was_open);
	assert_int_equal(mode_of(path), 0400);
	assert_int_equal(secret_file_read(path, &value, &e), 0);
	assert_string_equal(value, "of my own");
}

static void others_lose_what_they_may_do(void **state)
{
	static const unsigned modes[][2] = {{0644, 0640}, {0666, 0640}, {0604, 0600},
					    {0642, 0640}, {0641, 0640}, {0660, 0660}};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		char name[16];
		snprintf(name, sizeof(name), "open%zu", i);
		CLEANUP(mem_freep) char *path = path_in(name);
		struct admin_token_found found;
		struct err e = {0};

		write_there(path, "of my own\n", modes[i][0]);
		assert_int_equal(admin_token_ensure(path, &found, &e), 0);
		assert_int_equal(found.was_open, (modes[i][0] & 7) != 0);
		assert_int_equal(mode_of(path), modes[i][1]);
	}
}

static void what_can_be_no_token_is_told_and_kept(void **state)
{
	static const char *const texts[] = {"", "\n", "a\nb\n", "\x01\n"};
	CLEANUP(mem_freep) char *path = path_in("wrong");
	struct admin_token_found found;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err e = {0};

		write_there(path, texts[i], 0640);
		assert_int_equal(admin_token_ensure(path, &found, &e), -EINVAL);
		assert_non_null(strstr(e.text, path));
		assert_non_null(strstr(e.text, "delete it"));
		assert_int_equal(neighbours(path), 1);
	}
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(admin_token_ensure(path, &found, NULL), -EINVAL);
	rmdir(path);
}

static void where_nothing_can_be_made_the_reason_is_told(void **state)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s/not/there/admin-token", folder.path);
	CLEANUP(mem_freep) char *dangling = path_in("dangling");
	struct err e = {0};
	struct admin_token_found found;

	(void)state;
	assert_int_equal(admin_token_ensure(path, &found, &e), -ENOENT);
	assert_non_null(strstr(e.text, "cannot be made: No such file"));
	assert_int_equal(symlink("nowhere", dangling), 0);
	e = (struct err){0};
	assert_int_equal(admin_token_ensure(dangling, &found, &e), -EEXIST);
	assert_non_null(strstr(e.text, "a link to nothing"));
	assert_non_null(strstr(e.text, "delete it"));
	assert_int_equal(neighbours(dangling), 1);
}

/* The target of a link may belong to another user, or need to be readable. */
static void the_mode_behind_a_link_is_told_and_kept(void **state)
{
	CLEANUP(mem_freep) char *behind = path_in("behind");
	CLEANUP(mem_freep) char *path = path_in("link");
	struct err e = {0};
	struct admin_token_found found;

	(void)state;
	write_there(behind, "of my own\n", 0644);
	assert_int_equal(symlink(behind, path), 0);
	assert_int_equal(admin_token_ensure(path, &found, &e), -ELOOP);
	assert_non_null(strstr(e.text, "every account"));
	assert_non_null(strstr(e.text, "link"));
	assert_int_equal(mode_of(behind), 0644);
	assert_int_equal(chmod(behind, 0640), 0);
	assert_int_equal(admin_token_ensure(path, &found, &e), 0);
	assert_false(found.was_open);
}

/* Each process reports the token that it read: all read the same, and one made it. */
static void of_many_at_once_one_makes_it(void **state)
{
	CLEANUP(mem_freep) char *path = path_in("race");
	unsigned made = 0;
	pid_t racers[RACERS];

	(void)state;
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = fork();
		assert_true(racers[i] >= 0);
		if (racers[i] == 0) {
			struct admin_token_found found;
			int r = admin_token_ensure(path, &found, NULL);
			_exit(r < 0 ? 2 : found.generated);
		}
	}
	for (size_t i = 0; i < RACERS; i++) {
		int status = -1;
		assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		made += (unsigned)WEXITSTATUS(status);
	}
	assert_int_equal(made, 1);
	assert_int_equal(neighbours(path), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stands_beside_the_stores_file),
		cmocka_unit_test(it_is_made_once_whole_and_for_the_group),
		cmocka_unit_test(what_is_there_is_left_as_it_is),
		cmocka_unit_test(others_lose_what_they_may_do),
		cmocka_unit_test(what_can_be_no_token_is_told_and_kept),
		cmocka_unit_test(where_nothing_can_be_made_the_reason_is_told),
		cmocka_unit_test(the_mode_behind_a_link_is_told_and_kept),
		cmocka_unit_test(of_many_at_once_one_makes_it),
	};

	return cmocka_run_group_tests_name("admin_token", tests, config_folder_setup, config_folder_teardown);
}

/* SPDX-License-Identifier: MIT */
/* Tests path: the names that are looked up on the way to a file, with links followed. */
#include <config.h>

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "fixtures/folder.h"

static char *folder;

static int make(void **state)
{
	(void)state;
	folder = mem_str("/tmp/deskbridge-path-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("volume", 0700), 0);
	assert_int_equal(mkdir("volume/..v1", 0700), 0);
	assert_int_equal(close(creat("volume/..v1/key", 0600)), 0);
	assert_int_equal(symlink("..v1", "volume/..data"), 0);
	assert_int_equal(symlink("..data/key", "volume/key"), 0);
	assert_int_equal(symlink("volume//key", "key"), 0);
	assert_int_equal(symlink("gone/key", "dangling"), 0);
	assert_int_equal(symlink("../volume/./key", "volume/up"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	folder_remove(folder);
	return 0;
}

static void add_stop(void *ctx, const struct path_stop *stop)
{
	static const char kinds[] = {[PATH_FOLDER] = 'f', [PATH_LINK] = 'l', [PATH_LAST] = 'e', [PATH_ABSENT] = 'a'};

	buf_addf(ctx, "%c:%s|%s ", kinds[stop->kind], stop->folder, stop->name);
}

/* Writes the stops as text. Returns the walk's result. */
static int walk(const char *path, char text[1024])
{
	struct buf stops;
	int r;

	buf_init(&stops, 1023);
	r = path_walk(path, add_stop, &stops);
	(void)snprintf(text, 1024, "%s", stops.data ? stops.data : "");
	buf_done(&stops);
	return r;
}

struct row {
	const char *path, *stops;
	int result;
};

static const struct row rows[] = {
	{"volume/..v1/key", "f:.|volume f:volume|..v1 e:volume/..v1|key ", 0},
	{"./volume//..v1/./key", "f:.|volume f:volume|..v1 e:volume/..v1|key ", 0},
	{"volume/key", "f:.|volume l:volume|key l:volume|..data f:volume|..v1 e:volume/..v1|key ", 0},
	{"key", "l:.|key f:.|volume l:volume|key l:volume|..data f:volume|..v1 e:volume/..v1|key ", 0},
	{"volume/up",
	 "f:.|volume l:volume|up f:volume|.. f:volume/..|volume l:volume/../volume|key l:volume/../volume|..data "
	 "f:volume/../volume|..v1 e:volume/../volume/..v1|key ",
	 0},
	{"dangling", "l:.|dangling a:.|gone ", -ENOENT},
	{"volume/none", "f:.|volume a:volume|none ", -ENOENT},
	{"volume", "e:.|volume ", 0},
	{"volume/", "e:.|volume ", 0},
	{"", "", 0},
};

static void each_name_is_looked_up_where_the_kernel_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024];

		assert_int_equal(walk(rows[i].path, text), rows[i].result);
		assert_string_equal(text, rows[i].stops);
	}
}

static void an_absolute_link_begins_at_the_root(void **state)
{
	CLEANUP(mem_freep) char *target = mem_fmt("%s/volume/..v1/key", folder);
	CLEANUP(mem_freep) char *wanted = mem_fmt("l:.|absolute f:/|tmp f:/tmp|%s ", folder + strlen("/tmp/"));
	char text[1024];

	(void)state;
	assert_int_equal(symlink(target, "absolute"), 0);
	assert_int_equal(walk("absolute", text), 0);
	assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
}

static void a_link_to_itself_ends(void **state)
{
	char text[1024];

	(void)state;
	assert_int_equal(walk("loop", text), -ELOOP);
	assert_non_null(strstr(text, "a:.|loop"));
}

static void a_folder_is_told_by_the_text(void **state)
{
	static const char *const paths[][2] = {{"a", "."}, {"/a", "/"}, {"/a/b", "/a"}, {"a/b/c", "a/b"}, {"", "."}};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		CLEANUP(mem_freep) char *got = path_folder(paths[i][0]);

		assert_string_equal(got, paths[i][1]);
	}
}

static void a_name_is_meant_in_a_folder(void **state)
{
	static const char *const names[][3] = {
		{"/etc", "key", "/etc/key"}, {"/etc/", "key", "/etc/key"}, {"/", "key", "/key"},
		{".", "key", "./key"},       {"a/b", "c/d", "a/b/c/d"},    {"/etc", "../key", "/etc/../key"},
		{"/etc", "/key", "/key"},    {"/etc", "", "/etc/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CLEANUP(mem_freep) char *got = path_join(names[i][0], names[i][1]);

		assert_string_equal(got, names[i][2]);
	}
}

static void the_folder_of_a_file_is_put_on_the_disk(void **state)
{
	(void)state;
	assert_int_equal(path_sync_folder("key"), 0);
	assert_int_equal(path_sync_folder("volume/none"), 0); /* the file itself need not exist */
	assert_int_equal(path_sync_folder("none/key"), -ENOENT);
	assert_int_equal(path_sync_folder("volume/..v1/key/x"), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_is_looked_up_where_the_kernel_does),
		cmocka_unit_test(an_absolute_link_begins_at_the_root),
		cmocka_unit_test(a_link_to_itself_ends),
		cmocka_unit_test(a_folder_is_told_by_the_text),
		cmocka_unit_test(a_name_is_meant_in_a_folder),
		cmocka_unit_test(the_folder_of_a_file_is_put_on_the_disk),
	};

	return cmocka_run_group_tests(tests, make, clean);
}

/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/admin_token.h"
#include "fixtures/config_folder.h"
#include "fixtures/tap.h"

#define STRANGER 12345

/* Another account that may write into the folder must not choose the daemon's token. */
static void a_file_of_a_stranger_is_told(void **state)
{
	CLEANUP(mem_freep) char *store = mem_fmt("%s/deskbridge.db", folder.path);
	CLEANUP(mem_freep) char *path = admin_token_path(store);
	struct err e = {0};
	struct admin_token_found found;

	(void)state;
	folder_write(folder.path, "admin-token", "of a stranger\n");
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(chown(path, STRANGER, (gid_t)-1), 0);
	assert_int_equal(admin_token_ensure(path, &found, &e), -EPERM);
	assert_non_null(strstr(e.text, "delete it"));
	/* The folder's owner could replace the file anyway. */
	assert_int_equal(chown(folder.path, STRANGER, (gid_t)-1), 0);
	assert_int_equal(admin_token_ensure(path, &found, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_of_a_stranger_is_told),
	};

	if (geteuid() != 0)
		return tap_skip("only root can make a file of another account");
	return cmocka_run_group_tests_name("admin_token_owner", tests, config_folder_setup, config_folder_teardown);
}

/* SPDX-License-Identifier: MIT */
/* The settings of systemd's unit files about the daemon's user and secrets. */
#include <config.h>

#include "command/daemon_unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_service_section_is_read(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u,
			  "[Unit]\nUser=wrong\n# User=wrong\n[Service]\n User = desk \r\n;User=wrong\nGroup=bridge\n"
			  "ExecStart=/usr/bin/deskbridge -c /srv/d.yaml serve\n"
			  "SupplementaryGroups=a  b\nSupplementaryGroups=c\n"
			  "LoadCredential=key:/etc/key\nLoadCredential=plain\nLoadCredential=odd:%h/key\n"
			  "LoadCredentialEncrypted=sealed:/etc/sealed\nSetCredential=set:value\n[Install]\nUser=wrong");
	assert_string_equal(u.user, "desk");
	assert_string_equal(u.group, "bridge");
	assert_string_equal(u.config, "/srv/d.yaml");
	assert_int_equal(u.groups.n, 3);
	assert_string_equal(u.groups.items[1], "b");
	assert_int_equal(u.passed_n, 5);
	assert_string_equal(u.passed[0].name, "key");
	assert_string_equal(u.passed[0].path, "/etc/key");
	for (size_t i = 1; i < u.passed_n; i++)
		assert_null(u.passed[i].path);
	assert_string_equal(u.passed[3].name, "sealed");
	daemon_unit_done(&u);
}

static void an_assignment_of_nothing_takes_back(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nUser=a\nSupplementaryGroups=x y\nLoadCredential=k:/k\n");
	daemon_unit_parse(&u, "[Service]\nUser=\nSupplementaryGroups=\nSupplementaryGroups=z\nLoadCredential=\n");
	assert_null(u.user);
	assert_int_equal(u.groups.n, 1);
	assert_string_equal(u.groups.items[0], "z");
	assert_int_equal(u.passed_n, 0);
	daemon_unit_done(&u);
}

static void the_last_word_counts(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nExecStart=/usr/bin/deskbridge -c /srv/d.yaml serve\n"
			      "LoadCredential=k:/old\nLoadCredential=other:/o\n");
	daemon_unit_parse(&u, "[Service]\nLoadCredential=k:/new\n");
	assert_string_equal(u.config, "/srv/d.yaml");
	assert_int_equal(u.passed_n, 2);
	assert_string_equal(u.passed[0].path, "/new");
	daemon_unit_parse(&u, "[Service]\nExecStart=\nExecStart=/usr/bin/deskbridge serve\n");
	assert_null(u.config);
	daemon_unit_done(&u);
}

static void a_line_may_go_on_in_the_next(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nExecStart=/usr/bin/deskbridge \\\n\t-c /srv/d.yaml \\\nserve\nUser=desk\n");
	assert_string_equal(u.config, "/srv/d.yaml");
	assert_string_equal(u.user, "desk");
	daemon_unit_done(&u);
}

static void the_former_place_of_the_program_is_known(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nExecStart=/usr/bin/deskbridge -c /srv/d.yaml serve\n"
			      "ExecReload=/usr/bin/deskbridge -c /srv/d.yaml reload\n");
	assert_null(u.former_start);
	assert_null(u.former_reload);
	daemon_unit_parse(&u, "[Service]\nExecStart=\nExecStart=-/usr/sbin/deskbridge -c /srv/d.yaml serve\n");
	assert_string_equal(u.former_start, "/usr/sbin/deskbridge");
	assert_string_equal(u.config, "/srv/d.yaml");
	daemon_unit_parse(&u, "[Service]\nExecStart=\nExecStart=/usr/bin/env A=b /usr/local/sbin/deskbridge serve\n"
			      "ExecReload=\nExecReload=/usr/sbin/deskbridge\n");
	assert_string_equal(u.former_start, "/usr/local/sbin/deskbridge");
	assert_string_equal(u.former_reload, "/usr/sbin/deskbridge");
	daemon_unit_parse(&u, "[Service]\nExecStart=\nExecStart=-!\"/opt/desk-bridge@1:2/sbin/deskbridge\" serve\n"
			      "ExecReload=\nExecReload=+:/opt/a|b/sbin/deskbridge reload\n");
	assert_string_equal(u.former_start, "/opt/desk-bridge@1:2/sbin/deskbridge");
	assert_string_equal(u.former_reload, "/opt/a|b/sbin/deskbridge");
	daemon_unit_parse(&u, "[Service]\nExecStart=\nExecReload=\nExecReload=/usr/sbin/deskbridge-helper\n");
	assert_null(u.former_start);
	assert_null(u.former_reload);
	daemon_unit_done(&u);
}

static void the_folders_that_the_unit_makes_are_known(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nRuntimeDirectory=bridge a/b\nRuntimeDirectory=linked:other\n");
	assert_true(daemon_unit_makes(&u, "/run/bridge"));
	assert_true(daemon_unit_makes(&u, "/var/run/bridge"));
	assert_true(daemon_unit_makes(&u, "/run/bridge/"));
	assert_true(daemon_unit_makes(&u, "/run/a/b"));
	assert_true(daemon_unit_makes(&u, "/run/linked"));
	assert_false(daemon_unit_makes(&u, "/run"));
	assert_false(daemon_unit_makes(&u, "/run/"));
	assert_false(daemon_unit_makes(&u, "/run/a"));
	assert_false(daemon_unit_makes(&u, "/run/bridge/deeper"));
	assert_false(daemon_unit_makes(&u, "/run/bridges"));
	assert_false(daemon_unit_makes(&u, "bridge"));
	daemon_unit_parse(&u, "[Service]\nRuntimeDirectory=\nStateDirectory=bridge a/b\nCacheDirectory=c\n"
			      "LogsDirectory=l\n");
	assert_false(daemon_unit_makes(&u, "/run/bridge"));
	assert_true(daemon_unit_makes(&u, "/var/lib/bridge"));
	assert_true(daemon_unit_makes(&u, "/var/lib/a/b/"));
	assert_false(daemon_unit_makes(&u, "/var/lib/a"));
	assert_false(daemon_unit_makes(&u, "/var/lib/bridge/deeper"));
	assert_false(daemon_unit_makes(&u, "/var/lib/"));
	assert_true(daemon_unit_makes(&u, "/var/cache/c"));
	assert_true(daemon_unit_makes(&u, "/var/log/l"));
	daemon_unit_done(&u);
}

static void what_the_unit_hides_is_known(void **state)
{
	struct daemon_unit u = {0};

	(void)state;
	daemon_unit_parse(&u, "[Service]\nProtectHome=yes\nPrivateTmp=true\n");
	assert_string_equal(daemon_unit_hides(&u, "/home/jo/key"), "ProtectHome=");
	assert_string_equal(daemon_unit_hides(&u, "/var/tmp/key"), "PrivateTmp=");
	assert_null(daemon_unit_hides(&u, "/homes/key"));
	daemon_unit_parse(&u, "[Service]\nProtectHome=read-only\nPrivateTmp=no\n");
	assert_null(daemon_unit_hides(&u, "/root/key"));
	assert_null(daemon_unit_hides(&u, "/tmp/key"));
	daemon_unit_parse(&u, "[Service]\nProtectHome=tmpfs\n");
	assert_string_equal(daemon_unit_hides(&u, "/root/key"), "ProtectHome=");
	daemon_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_service_section_is_read),
		cmocka_unit_test(an_assignment_of_nothing_takes_back),
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(a_line_may_go_on_in_the_next),
		cmocka_unit_test(what_the_unit_hides_is_known),
		cmocka_unit_test(the_former_place_of_the_program_is_known),
		cmocka_unit_test(the_folders_that_the_unit_makes_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

# SPDX-License-Identifier: MIT
"""`check` by root checks what the daemon's user can read."""

import os
import pathlib
import pwd
import shutil
import struct
import subprocess
import tempfile

import pytest

from harness import PRESETS, PROGRAM, user_group
from test_reload_command import needs_another_user

pytestmark = needs_another_user


class Desk:
    """A configuration that is owned by root, as in the README, with the group of nobody."""

    def __init__(self, daemon):
        self.daemon, self.dir, self.file = daemon, daemon.dir, daemon.file
        self.credentials = self.dir / "credentials"
        self.key = self.credentials / "klaviyo-api-key"
        for path in (self.dir, self.credentials):
            self.open(path, 0o750)
        for path in (self.file, *self.credentials.iterdir()):
            self.open(path, 0o640)

    def open(self, path, mode):
        shutil.chown(path, "root", "nogroup")
        path.chmod(mode)

    def check(self, *words, **env):
        return self.daemon.command("check", *words, env=env)


@pytest.fixture
def desk(stage):
    return Desk(stage.daemon(start=False))


def test_what_the_user_can_read_is_good(desk):
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 0 and "files: read as the user nobody\n" in ended.stdout, ended
    assert ended.stdout.endswith("good, but for 3 warnings (above)\n")  # two of them, as these tests use port 0
    assert f"store: warning: {desk.dir} is not writable for the user nobody: chown nobody {desk.dir}\n" in ended.stdout


def test_the_command_that_mends_it_is_told(desk):
    desk.key.chmod(0o600)
    assert desk.check().returncode == 0, "root can read it"
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78
    told = f"chgrp nogroup {desk.key} && chmod 640 {desk.key}"
    assert f"klaviyo.api_key: {desk.key} cannot be read: Permission denied; the user nobody may not read it: {told}" in ended.stderr
    assert "deskbridge: files: read as the user nobody" in ended.stderr
    subprocess.run(told, shell=True, check=True)
    assert desk.check("--user", "nobody").returncode == 0


def test_the_command_that_mends_it_is_safe_to_paste_whatever_the_path(desk):
    """The path has blanks, quotes and characters that a shell interprets."""
    folder = desk.dir / "it's; touch $(echo pwned) `x`"
    folder.mkdir(0o755)
    key = folder / "a key"
    shutil.copy(desk.key, key)
    key.chmod(0o600)
    desk.daemon.configure({"klaviyo": {"api_key": {"credential": None, "file": str(key)}}})
    desk.open(desk.file, 0o640)
    ended = desk.check("--user", "nobody")
    told = ended.stderr[ended.stderr.index("chgrp nogroup") :].splitlines()[0]
    subprocess.run(told, shell=True, check=True, cwd=desk.dir)
    assert desk.check("--user", "nobody").returncode == 0
    assert not (desk.dir / "pwned").exists()


def test_the_configuration_itself_is_judged(desk):
    desk.file.chmod(0o600)
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78 and f"{desk.file}: cannot be read: Permission denied" in ended.stderr
    assert f"chgrp nogroup {desk.file} && chmod 640 {desk.file}" in ended.stderr


def test_definitions_are_judged(desk):
    own = desk.dir / "helpdesks"
    own.mkdir(0o755)
    shutil.copy(pathlib.Path(PRESETS) / "gladly.yaml", own)
    (own / "gladly.yaml").chmod(0o600)
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78 and f"chgrp nogroup {own}/gladly.yaml && chmod 640 {own}/gladly.yaml" in ended.stderr
    (own / "gladly.yaml").chmod(0o644)
    own.chmod(0o700)
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78 and f"the folder {own} is closed to the user nobody: chgrp nogroup {own}" in ended.stderr


def test_a_folder_on_the_way_is_named(desk):
    desk.credentials.chmod(0o700)
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78
    assert f"the folder {desk.credentials} is closed to the user nobody: chgrp nogroup {desk.credentials}" in ended.stderr
    assert f"&& chmod 750 {desk.credentials}" in ended.stderr


def test_a_link_into_a_closed_folder_names_that_folder(desk):
    vault = desk.dir / "vault"
    vault.mkdir(0o700)
    desk.key.rename(vault / "key")
    desk.key.symlink_to("../vault/key")
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78 and f"chmod 750 {desk.dir}/credentials/../vault" in ended.stderr


def test_an_access_list_counts(desk):
    owner, user, group, mask, other = 1, 2, 4, 16, 32
    read, write, nobody_ = 4, 2, pwd.getpwnam("nobody").pw_uid
    entries = [(owner, read | write, -1), (user, read, nobody_), (group, 0, -1), (mask, read, -1), (other, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    desk.key.chmod(0o600)
    shutil.chown(desk.key, group="root")
    assert desk.check("--user", "nobody").returncode == 78
    try:
        os.setxattr(desk.key, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    assert desk.check("--user", "nobody").returncode == 0


def test_all_other_errors_are_told_too(desk):
    desk.key.chmod(0o600)
    desk.daemon.configure({"klavio": {}})
    desk.open(desk.file, 0o640)
    ended = desk.check("--user", "nobody")
    assert ended.returncode == 78 and "klavio: unknown key" in ended.stderr and "chgrp nogroup" in ended.stderr


def test_nobody_but_root_judges_for_another(desk):
    program = shutil.which(PROGRAM)
    words = ["setpriv", "--reuid", "nobody", "--regid", user_group("nobody"), "--clear-groups", program, "-c", desk.file]
    env = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS}
    ended = subprocess.run([*words, "check", "--user", "root"], capture_output=True, text=True, env=env)
    assert ended.returncode == 1 and "only root can judge for another user" in ended.stderr
    ended = subprocess.run([*words, "check", "--user", "nobody"], capture_output=True, text=True, env=env)
    assert ended.returncode == 0, ended


def as_nobody(file, *words, **env):
    command = ["setpriv", "--reuid", "nobody", "--regid", user_group("nobody"), "--clear-groups", shutil.which(PROGRAM), "-c", file, *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS, **env})


@pytest.mark.parametrize("words", [["check"], ["explain", "gladly"], ["sample", "gladly", "opened"]], ids=" ".join)
def test_a_user_who_is_not_the_daemons_is_told_to_ask_as_another(desk, unit, words):
    env = unit("User=daemon")
    said = f"run it as root or as the daemon's user (sudo -u daemon deskbridge {words[0]})"
    desk.key.chmod(0o600)
    ended = as_nobody(desk.file, *words, **env)
    assert ended.returncode == 78 and f"{desk.key} cannot be read: Permission denied; the user nobody may not read it: {said}" in ended.stderr
    shutil.chown(desk.dir, "daemon", "daemon")
    closed = as_nobody(desk.file, *words, **env)
    assert closed.returncode == 78 and f"the folder {desk.dir} is closed to the user nobody: {said}" in closed.stderr
    assert "chgrp" not in ended.stderr + closed.stderr


def test_the_daemons_user_itself_is_told_the_command(desk, unit):
    desk.key.chmod(0o600)
    ended = as_nobody(desk.file, "check", **unit("User=nobody"))
    assert ended.returncode == 78 and f"chgrp nogroup {desk.key} && chmod 640 {desk.key}" in ended.stderr


def test_a_configuration_that_this_user_may_not_read_is_not_called_broken(desk):
    """The command needs --admin and --token-file then."""
    desk.daemon.start()
    desk.file.chmod(0o600)
    desk.open(desk.daemon.token_file, 0o640)
    note = f"deskbridge: note: the user nobody may not read the configuration {desk.file}; {desk.daemon.admin} is asked"
    for words in (["status"], ["queue", "list"], ["reload"]):
        words += ["--admin", desk.daemon.admin]
        ended = as_nobody(desk.file, *words)
        assert ended.returncode == 1 and ended.stdout == "" and ended.stderr.startswith(note), ended
        assert "admin token" in ended.stderr and "--token-file" in ended.stderr
        ended = as_nobody(desk.file, *words, "--token-file", desk.daemon.token_file)
        assert ended.returncode == 0 and ended.stderr == "", ended


def test_a_user_that_is_not_there_is_2(desk):
    ended = desk.check("--user", "no-such-user")
    assert ended.returncode == 2 and "there is no user no-such-user" in ended.stderr


# ---- the unit


@pytest.fixture
def unit(desk):
    """Writes deskbridge.service and drop-ins; returns the environment by which check finds them."""

    folder = tempfile.TemporaryDirectory(prefix="deskbridge-test-unit-")
    tmp_path = pathlib.Path(folder.name)
    tmp_path.chmod(0o755)  # as in systemd's folders, every user can read the unit

    def write(*service, file=desk.file, **drop_ins):
        lines = ["[Unit]", "User=root", "[Service]", f"ExecStart=/usr/bin/deskbridge -c {file} serve", *service]
        (tmp_path / "deskbridge.service").write_text("\n".join(lines) + "\n")
        (tmp_path / "deskbridge.service.d").mkdir(exist_ok=True)
        for name, line in drop_ins.items():
            (tmp_path / "deskbridge.service.d" / f"{name}.conf").write_text(f"[Service]\n{line}\n")
        return {"SYSTEMD_UNIT_PATH": f"/nonexistent:{tmp_path}"}

    yield write
    folder.cleanup()


def test_by_default_root_judges_for_the_user_of_the_unit(desk, unit):
    env = unit("User=nobody")
    ended = desk.check(**env)
    assert ended.returncode == 0
    assert "files: read as the user nobody, whom deskbridge.service runs the daemon as\n" in ended.stdout
    desk.key.chmod(0o600)
    assert desk.check(**env).returncode == 78


def test_a_drop_in_that_names_the_former_place_of_the_program_is_warned_of(desk, unit):
    assert "unit: warning" not in desk.check(**unit("User=nobody")).stdout
    line = f"ExecStart=\nExecStart=/usr/sbin/deskbridge -c {desk.file} serve"
    ended = desk.check(**unit("User=nobody", program=line))
    assert ended.returncode == 0
    assert (
        "unit: warning: ExecStart= in deskbridge.service or a drop-in names /usr/sbin/deskbridge, which goes with the next release: "
        "name /usr/bin/deskbridge there\n"
    ) in ended.stdout


def test_a_drop_in_has_the_last_word(desk, unit):
    env = unit("User=root", a="User=bin", b="User = nobody")
    assert "read as the user nobody," in desk.check(**env).stdout


def test_the_units_groups_count(desk, unit):
    shutil.chown(desk.key, group="daemon")
    env = unit("User=nobody", a="SupplementaryGroups=bin daemon")
    assert desk.check(**env).returncode == 0
    shutil.chown(desk.key, group="sys")
    assert desk.check(**env).returncode == 78


def test_the_units_groups_count_for_its_own_user_only(desk, unit):
    env = unit("User=daemon", "Group=bin", a="SupplementaryGroups=sys nogroup")
    assert desk.check("--user", "nobody", **env).returncode == 0, "nobody's own group is enough"
    for group in ("bin", "sys"):
        shutil.chown(desk.key, group=group)
        assert desk.check(**env).returncode == 0
        assert desk.check("--user", "daemon", **env).returncode == 0
        ended = desk.check("--user", "nobody", **env)
        assert ended.returncode == 78, f"nobody is not in {group}"
        assert f"the user nobody may not read it: chgrp nogroup {desk.key} && chmod 640 {desk.key}" in ended.stderr


def test_credentials_that_systemd_reads_need_no_rights(desk, unit):
    desk.key.chmod(0o600)
    vault = desk.dir / "vault"
    vault.mkdir(0o700)
    (desk.credentials / "gladly-webhook").rename(vault / "webhook")
    env = unit("User=nobody", f"LoadCredential=klaviyo-api-key:{desk.key}", f"LoadCredential=gladly-webhook:{vault}/webhook")
    ended = desk.check(**env)
    assert ended.returncode == 0 and ended.stderr == "", ended
    assert "a changed one is taken with a restart only" in ended.stdout
    assert f"credential gladly-webhook ({vault}/webhook)" not in ended.stdout  # only keys are listed
    (vault / "webhook").unlink()
    ended = desk.check(**env)
    assert ended.returncode == 78 and f"{vault}/webhook is not there" in ended.stderr


def test_a_file_that_is_not_the_units_is_read_as_root(desk, unit):
    desk.key.chmod(0o600)
    ended = desk.check(**unit("User=nobody", file="/etc/deskbridge/deskbridge.yaml"))
    assert ended.returncode == 0 and "files: read as root, as this is not the file of deskbridge.service" in ended.stdout
    assert "--user nobody" in ended.stdout


def test_what_the_unit_hides_from_the_daemon_is_told(desk, unit):
    assert str(desk.dir).startswith("/tmp/") or pytest.skip("not below /tmp")
    ended = desk.check(**unit("User=nobody", "PrivateTmp=yes"))
    assert ended.returncode == 1 and "good" not in ended.stdout.splitlines()[-1]
    assert f"files: {desk.key} is hidden from the daemon by PrivateTmp= in deskbridge.service: put it elsewhere" in ended.stdout


def test_a_user_that_is_not_made_yet_is_told(desk, unit):
    ended = desk.check(**unit("User=no-such-user"))
    assert ended.returncode == 0 and "files: read as root: there is no user no-such-user yet" in ended.stdout


# ---- unix sockets


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_the_folder_of_a_unix_socket_is_judged_for_the_daemons_user(desk, unit, key):
    def configure(folder):
        desk.daemon.configure({key: f"unix:{folder}/x.sock"})
        desk.open(desk.file, 0o640)

    folder = desk.dir / "sockets"
    env = unit("User=nobody", "RuntimeDirectory=bridge deskbridge-test")
    configure(folder)
    for words in ([], ["--user", "nobody"]):
        ended = desk.check(*words, **env)
        assert f"{key}: warning: {folder} is not there: mkdir -p {folder}; serve will not start" in ended.stdout, ended
    folder.mkdir()
    desk.open(folder, 0o750)
    for words in ([], ["--user", "nobody"]):
        ended = desk.check(*words, **env)
        assert f"{key}: warning: the user nobody cannot make a socket in {folder}; serve will not start" in ended.stdout, ended
    shutil.chown(folder, "nobody")
    ended = desk.check(**env)
    assert ended.returncode == 0 and f"{key}: warning" not in ended.stdout, ended
    # The folders that the unit creates exist when the daemon starts.
    for made in ("/run/deskbridge-test", "/var/run/bridge"):
        configure(made)
        ended = desk.check(**env)
        assert ended.returncode == 0 and f"{key}: warning" not in ended.stdout, ended
    configure("/run/deskbridge-test-2")
    assert f"{key}: warning: /run/deskbridge-test-2 is not there" in desk.check(**env).stdout


def test_no_admin_token_is_spoken_of_where_a_unix_socket_needs_none(desk):
    assert "admin token: " in desk.check().stdout
    desk.daemon.configure({"admin": f"unix:{desk.dir}/admin.sock"})
    assert "admin token: " not in desk.check().stdout

# SPDX-License-Identifier: MIT
"""The package's scripts without root: the files that a purge removes, and those that it leaves and names.
tests/fault/systemd-boot.sh tests the real package."""

import os
import pathlib
import shutil
import subprocess

import pytest

TREE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve().parent
POSTRM = TREE / "debian" / "deskbridge.postrm"


class Machine:
    """A root folder for the package's scripts, with the files that a configured deskbridge leaves there."""

    def __init__(self, root):
        self.root = root
        self.file("var/lib/deskbridge/deskbridge.db")
        self.file("var/lib/deskbridge/admin-token")
        self.file("etc/deskbridge/credentials/klaviyo-api-key")
        self.file("run/deskbridge/admin.sock")
        self.configure("version: 1")

    def file(self, path, text="kept"):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def configure(self, *lines):
        self.file("etc/deskbridge/deskbridge.yaml", "\n".join(lines) + "\n")

    def postrm(self, action):
        ended = subprocess.run(
            ["sh", POSTRM, action],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DPKG_ROOT": str(self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    def has(self, path):
        return os.path.lexists(self.root / path)


@pytest.fixture
def machine(tmp_path):
    if not POSTRM.exists():
        pytest.skip("needs debian/ of the source tree, which is not in the tarball")
    return Machine(tmp_path)


@pytest.mark.parametrize("action", ["remove", "upgrade", "failed-upgrade", "abort-install", "abort-upgrade", "disappear"])
def test_only_a_purge_removes_what_the_operator_has_made(machine, action):
    assert machine.postrm(action) == ""
    assert machine.has("var/lib/deskbridge/deskbridge.db") and machine.has("etc/deskbridge/credentials/klaviyo-api-key")


def test_a_purge_removes_store_secrets_and_configuration_and_says_nothing(machine):
    machine.file("var/lib/deskbridge/.hidden")
    assert machine.postrm("purge") == ""
    assert not any(machine.has(path) for path in ("var/lib/deskbridge", "etc/deskbridge", "run/deskbridge"))
    assert machine.has("var/lib") and machine.has("etc")
    assert machine.postrm("purge") == ""


def test_a_purge_follows_no_link(machine):
    outside = machine.file("outside/file")
    (machine.root / "var/lib/deskbridge/folder").symlink_to(outside.parent)
    (machine.root / "etc/deskbridge/credentials/other").symlink_to(outside)
    assert machine.postrm("purge") == ""
    assert outside.read_text() == "kept" and not machine.has("var/lib/deskbridge")


def test_a_purge_removes_a_link_in_place_of_the_store_alone_and_names_where_it_led(machine):
    shutil.move(machine.root / "var/lib/deskbridge", machine.root / "moved")
    (machine.root / "var/lib/deskbridge").symlink_to(machine.root / "moved")
    assert machine.postrm("purge") == f"deskbridge: /var/lib/deskbridge was a link; what it led to stays: {machine.root}/moved\n"
    assert machine.has("moved/deskbridge.db") and not machine.has("var/lib/deskbridge")


@pytest.mark.parametrize("line", ["", "store: sqlite:/var/lib/deskbridge/deskbridge.db"])
def test_a_purge_names_where_a_link_in_place_of_the_stores_file_led(machine, line):
    outside = machine.file("srv/moved.db")
    (machine.root / "var/lib/deskbridge/deskbridge.db").unlink()
    (machine.root / "var/lib/deskbridge/deskbridge.db").symlink_to(outside)
    machine.configure("version: 1", line)
    assert machine.postrm("purge") == f"deskbridge: the store /var/lib/deskbridge/deskbridge.db was a link; what it led to stays: {outside}\n"
    assert outside.read_text() == "kept" and not machine.has("var/lib/deskbridge")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a folder, which needs root")
@pytest.mark.parametrize("var", ["var", "a disk/var"])
def test_a_purge_leaves_a_folder_alone_with_something_mounted_below_it(machine, var):
    if var != "var":
        (machine.root / var).parent.mkdir()
        shutil.move(machine.root / "var", machine.root / var)
        (machine.root / "var").symlink_to(var)
    outside = machine.file("outside/file")
    (machine.root / "var/lib/deskbridge/mounted").mkdir()
    mount = f"mount --bind '{outside.parent}' '{machine.root}/var/lib/deskbridge/mounted' || exit 77; exec sh '{POSTRM}' purge"
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], env={**os.environ, "DPKG_ROOT": str(machine.root)}, capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode == 77 or "unshare" in ended.stderr:
        pytest.skip(f"nothing can be mounted here: {ended.stderr.strip()}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("deskbridge: /var/lib/deskbridge stays, as something is mounted below it")
    assert outside.read_text() == "kept" and machine.has("var/lib/deskbridge/deskbridge.db") and not machine.has("etc/deskbridge")


@pytest.mark.parametrize(
    "lines",
    [
        ("store: sqlite:/srv/a store.db",),
        ("store: sqlite:/srv/a store.db  # elsewhere",),
        ('store: "sqlite:/srv/a store.db" # elsewhere',),
        ("store: 'sqlite:/srv/a store.db'",),
        ("store: {retention: 7d, url: sqlite:/srv/a store.db, remember: 400d}",),
        ('store: {url: "sqlite:/srv/a store.db"}',),
        ("store:", "  retention: 7d", "  url: sqlite:/srv/a store.db"),
        ("klaviyo:", "  url: https://a.klaviyo.com", "store:", "  url: sqlite:/srv/a store.db"),
        ("# store: sqlite:/srv/other.db", "store: sqlite:/srv/a store.db"),
        ("store: sqlite:../../srv/a store.db",),
    ],
)
def test_a_purge_names_a_store_elsewhere_which_stays(machine, lines):
    machine.file("srv/a store.db")
    machine.file("srv/other.db")
    machine.configure("version: 1", *lines)
    said = machine.postrm("purge")
    assert said.startswith("deskbridge: the store /") and "srv/a store.db stays" in said and said.count("\n") == 1
    assert machine.has("srv/a store.db") and not machine.has("etc/deskbridge")


@pytest.mark.parametrize(
    "line",
    ["store: sqlite:/var/lib/deskbridge/deskbridge.db", "store: sqlite:here.db", "# store: sqlite:/srv/x.db", "store: sqlite:/srv/none.db"],
)
def test_a_purge_names_no_store_that_it_removes_or_that_is_not_there(machine, line):
    machine.file("srv/x.db")
    machine.configure("version: 1", line)
    assert machine.postrm("purge") == ""


def test_a_purge_names_units_of_the_administrator_which_stay(machine):
    machine.file("etc/systemd/system/deskbridge.service.d/override.conf")
    assert machine.postrm("purge") == "deskbridge: /etc/systemd/system/deskbridge.service.d stays, which the package did not make\n"
    assert machine.has("etc/systemd/system/deskbridge.service.d/override.conf")

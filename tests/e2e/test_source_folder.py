# SPDX-License-Identifier: MIT
"""Folders in which the source can be built, and the errors of configure and the scripts in others."""

import os
import pathlib
import shutil
import subprocess

import pytest

TREE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve().parent


@pytest.fixture
def clone(tmp_path):
    """Creates a folder of this name that looks like a clone, with links to this tree's files."""

    def make(name):
        folder = tmp_path / name
        (folder / "build").mkdir(parents=True)
        for entry in ("configure", "build-aux", "src", "scripts", "Makefile.in", "config.h.in"):
            if not (TREE / entry).exists():
                pytest.skip("needs a source tree in which autoreconf was run")
            # Scripts look for the tree in their own folder, so they are copied.
            (shutil.copytree if entry == "scripts" else os.symlink)(TREE / entry, folder / entry)
        return folder

    return make


def run(folder, *command, **environment):
    """Runs a command without the variables that `make check` passes to another make, as they would change its
    output."""
    handed_down = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GNUMAKEFLAGS")
    ours = {name: value for name, value in os.environ.items() if name not in handed_down}
    return subprocess.run(
        command,
        cwd=folder,
        env={**ours, "PWD": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_folder_with_blanks_can_be_configured(clone):
    """This tests configure's check of folders; scripts/test-release builds and tests in such a folder."""
    with subprocess.Popen(
        ["../configure", "--no-create"], cwd=clone("a desk bridge") / "build", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        said = []
        for line in started.stdout:
            said.append(line)
            if "whether build environment is sane" in line:
                break
        started.terminate()
        started.stdout.read()
    assert said[-1].strip() == "checking whether build environment is sane... yes", said


def test_configure_by_a_path_with_blanks_says_how_to_call_it(clone, tmp_path):
    folder = clone("a desk bridge")
    (tmp_path / "elsewhere").mkdir()
    ended = run(tmp_path / "elsewhere", folder / "configure", "--no-create")
    assert ended.returncode == 1 and "mkdir build && cd build && ../configure" in ended.stderr
    assert "unsafe" not in ended.stderr


ODD = ["it's", 'a "desk"', "desk&bridge", "desk#bridge", "desk$bridge", "desk`bridge", "desk\\bridge", "desk\nbridge"]


@pytest.mark.parametrize("name", ODD)
def test_configure_says_to_rename_a_folder_that_make_cannot_take(clone, name):
    ended = run(clone(name) / "build", "../configure", "--no-create")
    assert ended.returncode == 1 and "Rename that folder, or move or clone the source" in ended.stderr
    assert "unsafe" not in ended.stderr


@pytest.mark.parametrize("script", ["quickstart", "test"])
@pytest.mark.parametrize("name", ODD)
def test_scripts_say_at_once_to_rename_a_folder_that_make_cannot_take(clone, name, script):
    folder = clone(name)
    ended = run(folder, folder / "scripts" / script)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Rename that folder, or move or clone the source" in ended.stderr and name in ended.stderr


@pytest.mark.parametrize("name", ODD)
def test_the_package_says_at_once_to_rename_a_folder_that_make_cannot_take(clone, name):
    if not (TREE / "debian").exists():
        pytest.skip("needs debian/ of the source tree, which is not in the tarball")
    folder = clone(name)
    os.symlink(TREE / "debian", folder / "debian")
    ended = run(folder, "make", "-f", "debian/rules", "clean")
    assert ended.returncode == 2 and ended.stdout == ""
    assert "Rename that folder, or move or clone the source" in ended.stderr and "cannot be built in this folder" in ended.stderr


def test_configure_says_what_to_do_where_the_source_was_built_in_place(clone):
    folder = clone("deskbridge")
    (folder / "config.status").touch()
    ended = run(folder / "build", "../configure", "--no-create")
    assert ended.returncode == 1 and "Run make distclean there, or take a fresh clone" in ended.stderr


@pytest.mark.parametrize("script", ["quickstart", "test"])
def test_scripts_say_at_once_what_to_do_where_the_source_was_built_in_place(clone, script):
    folder = clone("deskbridge")
    (folder / "config.status").touch()
    ended = run(folder, folder / "scripts" / script)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"Run this in {folder}, and then the script again:\n  make distclean\n" in ended.stderr

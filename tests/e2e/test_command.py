# SPDX-License-Identifier: MIT
"""The command line: commands, help, versions, errors about wrong words, exit statuses."""

import ctypes
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

from harness import HANG, PROGRAM, run


def commands():
    lines = run("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines]


def test_help_lists_the_commands():
    assert set(commands()) == {"serve", "reload", "check", "explain", "sample", "presets", "sandbox", "status", "queue"}
    for words in (["--help"], ["-h"], ["help"]):
        ended = run(*words)
        assert ended.returncode == 0 and ended.stdout.startswith("Usage: deskbridge ") and ended.stderr == ""


def test_every_command_has_help():
    for command in commands():
        shown = run(command, "--help")
        assert shown.returncode == 0 and shown.stderr == "", command
        assert shown.stdout.startswith(f"Usage: deskbridge [-c FILE] {command}"), command
        assert len(shown.stdout.splitlines()) > 3, command
        assert run("help", command).stdout == shown.stdout


def test_every_command_refuses_an_unknown_option():
    for command in commands():
        ended = run(command, "--no-such-option")
        assert ended.returncode == 2 and "--no-such-option" in ended.stderr and ended.stdout == "", command


def test_version_names_the_libraries():
    lines = run("--version").stdout.splitlines()
    assert lines[0] == "deskbridge 0.1.0"
    for library in ("libmicrohttpd", "libcurl", "json-c", "SQLite", "GnuTLS"):
        assert re.search(rf"{library} \d+\.\d+", lines[1]), lines


def test_version_names_the_commit_where_a_clone_was_built():
    """In a tarball there is no commit and no such line."""
    lines = [line for line in run("--version").stdout.splitlines() if line.startswith("source ")]
    assert all(re.fullmatch(r"source \S*[0-9a-f]{7,}(-dirty)?", line) for line in lines), lines
    build = pathlib.Path(PROGRAM).parent / "build-source.h"
    if build.exists():
        known = build.read_text().split('"')[1]
        assert lines == ([f"source {known}"] if known else [])


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "Usage:"),
        (["srve"], 'unknown command "srve" (did you mean serve?)'),
        (["bogus-command"], 'unknown command "bogus-command"'),
        (["help", "sandbx"], "(did you mean sandbox?)"),
        (["--vresion"], 'unknown option "--vresion" (did you mean --version?)'),
        (["--vers"], 'unknown option "--vers" (did you mean --version?)'),
        (["--hel"], 'unknown option "--hel" (did you mean --help?)'),
        (["--conf=x", "check"], 'unknown option "--conf=x"'),
        (["--help=x"], 'unknown option "--help=x"'),
        (["-hV"], 'unknown option "-hV"'),
        (["--", "check"], 'unknown option "--"'),
        (["-", "check"], 'unknown option "-"'),
        (["-x"], 'unknown option "-x"'),
        (["-c"], "-c needs a file"),
        (["--config=", "check"], "needs a file"),
        (["sandbox", "--lisen", "x"], "(did you mean --listen?)"),
        (["sandbox", "--listen"], "--listen needs a value"),
        (["sandbox", "word"], '"word" is one word too many'),
        (["sandbox", "--events", "0"], "expected a whole number from 1"),
        (["sandbox", "--listen", "18087"], '--listen: "18087" is no address; expected ADDRESS:PORT'),
        (["sandbox", "--listen="], "--listen: "),
        (["sandbox", "--customer", "c1"], '--customer: "c1": expected ID=EMAIL'),
        (["sandbox", "--customer", "c1=jo@example.com", "--customer", "=x"], "expected ID=EMAIL"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(words, said):
    ended = run(*words)
    assert ended.returncode == 2 and said in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("words", [["-c", "/nonexistent.yaml"], ["-c/nonexistent.yaml"], ["--config", "/nonexistent.yaml"]])
def test_configuration_that_is_not_there_is_78(words):
    ended = run(*words, "check")
    assert ended.returncode == 78 and "/nonexistent.yaml" in ended.stderr


# ---- the sandbox, a program of its own


def test_the_sandbox_belongs_beside_the_program(tmp_path):
    """The sandbox is found there even where the program is called by a link. No other is searched for, neither by PATH
    nor in the working folder."""
    alone = tmp_path / "alone" / "deskbridge"
    alone.parent.mkdir()
    shutil.copy2(shutil.which(PROGRAM), alone)
    elsewhere = tmp_path / "deskbridge-sandbox"
    elsewhere.write_text("#!/bin/sh\necho another\n")
    elsewhere.chmod(0o755)
    asked = {"cwd": tmp_path, "env": {"PATH": str(tmp_path)}, "capture_output": True, "text": True, "timeout": HANG, "check": False}
    ended = subprocess.run([alone, "sandbox", "--quiet"], **asked)
    assert (ended.returncode, ended.stdout) == (1, "")
    missing = alone.with_name("deskbridge-sandbox")
    assert ended.stderr == f"deskbridge sandbox: cannot start {missing}: No such file or directory: it belongs beside the program deskbridge\n"

    link = tmp_path / "deskbridge"
    link.symlink_to(pathlib.Path(shutil.which(PROGRAM)).resolve())
    ended = subprocess.run([link, "sandbox", "--help"], **asked)
    assert ended.returncode == 0 and ended.stdout == run("sandbox", "--help").stdout


def test_the_sandbox_can_be_started_by_its_own_name():
    own = pathlib.Path(shutil.which(PROGRAM)).resolve().with_name("deskbridge-sandbox")

    def said(*words):
        ended = subprocess.run([own, *words], capture_output=True, text=True, timeout=HANG, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    assert said("--help") == (0, run("sandbox", "--help").stdout, "")
    for words in (["--lisen", "x"], ["-c"], ["--config=x"], ["word"]):
        by_name, by_command = said(*words), run("sandbox", *words)
        assert by_name == (by_command.returncode, by_command.stdout, by_command.stderr) and by_name[0] == 2
    assert said("-c", "/nonexistent.yaml")[0] == 78
    assert said("-c", "/nonexistent.yaml", "--", "--events", "0")[0] == 2
    told = 'deskbridge sandbox: -c needs a file\nTry "deskbridge sandbox --help".\n'
    assert said("-c", "") == said("-c", "", "--", "--quiet") == (2, "", told)


@pytest.mark.parametrize(
    "words, status, said",
    [
        (["--listen", ""], 2, '--listen: "" is no address; expected ADDRESS:PORT'),
        (["--listen", "unix:"], 2, '--listen: "unix:" names no path'),
        (["--listen", "unix:/nonexistent/folder/socket"], 1, "--listen: unix:/nonexistent/folder/socket"),
        (["--customer", "jo"], 2, '--customer: "jo": expected ID=EMAIL[,EMAIL…]'),
    ],
)
def test_what_the_sandbox_cannot_start_with_names_its_option(words, status, said):
    ended = run("sandbox", *words)
    assert ended.returncode == status and ended.stderr.startswith(f"deskbridge sandbox: {said}") and ended.stdout == ""


def test_the_daemons_unit_is_read_once(tmp_path):
    """The unit is read once even where one program starts the other."""
    unit = tmp_path / "deskbridge.service"
    unit.write_text("[Service]\nUser=nobody\n")
    libc = ctypes.CDLL(None, use_errno=True)
    watch, opened, closed = libc.inotify_init1(os.O_NONBLOCK), 0x20, 0x10
    try:
        assert libc.inotify_add_watch(watch, bytes(unit), opened | closed) >= 0
        for command in ("sandbox", "presets"):
            assert run(command, "--help", env={"SYSTEMD_UNIT_PATH": str(tmp_path)}).returncode == 0
            masks = [mask for _, mask, _, _ in struct.iter_unpack("iIII", os.read(watch, 4096))]
            assert masks == [opened, closed], command
    finally:
        os.close(watch)


def test_the_daemon_holds_nothing_of_the_sandbox_and_the_sandbox_neither_store_nor_client():
    """The code that a program links shows in the libraries that it needs and in its texts, even where it is
    stripped."""
    program = pathlib.Path(shutil.which(PROGRAM)).resolve()
    own = program.with_name("deskbridge-sandbox")

    def libraries(file):
        return subprocess.run(["ldd", file], capture_output=True, text=True, timeout=HANG, check=True).stdout

    if shutil.which("nm"):
        defined = subprocess.run(["nm", "--defined-only", program], capture_output=True, text=True, timeout=HANG, check=True).stdout
        assert not re.search(r" (sandbox|faults|feed)_\w+$", defined, re.M)
    assert b"/sandbox/customers" in own.read_bytes() and b"/sandbox/customers" not in program.read_bytes()
    assert "libsqlite3" in libraries(program) and "libcurl" in libraries(program)
    assert "libsqlite3" not in libraries(own) and "libcurl" not in libraries(own)

"""The program's face: commands, help, versions, what is said of a wrong word, exit statuses."""

import pathlib
import re

import pytest

from harness import PROGRAM, run


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
    """In a tarball there is none; then there is no such line."""
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
        (["-x"], 'unknown option "-x"'),
        (["-c"], "-c needs a file"),
        (["--config=", "check"], "needs a file"),
        (["sandbox", "--lisen", "x"], "(did you mean --listen?)"),
        (["sandbox", "--listen"], "--listen needs a value"),
        (["sandbox", "word"], '"word" is one word too many'),
        (["sandbox", "--events", "0"], "expected a whole number from 1"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(words, said):
    ended = run(*words)
    assert ended.returncode == 2 and said in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("words", [["-c", "/nonexistent.yaml"], ["-c/nonexistent.yaml"], ["--config", "/nonexistent.yaml"]])
def test_configuration_that_is_not_there_is_78(words):
    ended = run(*words, "check")
    assert ended.returncode == 78 and "/nonexistent.yaml" in ended.stderr

# SPDX-License-Identifier: MIT
"""scripts/test and scripts/quickstart after a fresh clone: their output about wrong options, missing tools and
packages, ports in use, and progress."""

import contextlib
import os
import pathlib
import pty
import re
import shutil
import socket
import stat
import subprocess
import sys

import pytest

from harness import HANG, PROGRAM, TIMEOUT

TREE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve().parent
SCRIPTS = TREE / "scripts"
TOOLS = "sh awk dirname cat cksum cut date env find grep head id ls mkdir mktemp nproc printf python3 rm sed sleep sort tail tr touch uname wc".split()

pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="needs the scripts of the source tree")


@pytest.fixture
def machine(tmp_path):
    """Runs a script on a simulated machine with the usual tools and those that the test adds. Nothing is installed on
    the real machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        if shutil.which(tool):
            (folder / tool).symlink_to(shutil.which(tool))

    class Machine:
        def has(self, name, text="exit 0"):
            file = folder / name
            file.unlink(missing_ok=True)
            file.write_text(f"#!/bin/sh\n{text}\n")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

        def run(self, script, *arguments, **environment):
            return subprocess.run(
                [SCRIPTS / script, *arguments],
                env={"PATH": str(folder), "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=HANG,
                check=False,
            )

    return Machine()


@pytest.fixture
def debian(machine):
    """A machine with apt and all packages."""
    machine.has("apt-get", "echo apt-get was called; exit 1")
    machine.has("dpkg-query", "printf installed")
    return machine


@pytest.fixture
def clone(debian, tmp_path):
    """A small clone in which nothing is built. It has this tree's scripts, two tests, and the `make` that makes()
    writes."""
    folder = tmp_path / "clone"
    shutil.copytree(SCRIPTS, folder / "scripts")
    for name, text in (
        ("configure.ac", ""),
        ("Makefile.in", ""),
        ("configure", "#!/bin/sh\n"),
        ("tests/unit/base/test_a.c", 'static void one_thing(void **state)\n\t{"a row of a table", 1},\n'),
        ("tests/check-a.sh", ""),
        ("tests/e2e/test_b.py", "def test_another_thing():\n    pass\n"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "configure").chmod(0o755)
    os.utime(folder / "configure.ac", (0, 0))

    class Clone:
        def makes(self, built=0, checked=0, cases="", log=None):
            """Writes a `make` with this exit status; for `make check` also with this output and the output of
            pytest."""
            (folder / "cases").write_text(cases)
            written = ":" if log is None else "cat log >build-test/tests/e2e/run.log"
            (folder / "log").write_text(log or "")
            debian.has("make", f'case " $* " in *" check "*) cat cases; {written}; exit {checked} ;; esac; exit {built}')

        def tests(self, *arguments):
            return debian.run(folder / "scripts/test", *arguments)

    return Clone()


# ---- options and words


def test_a_word_that_no_test_has_is_told_and_counted_nowhere(clone):
    ended = clone.tests("-k", "nosuchword")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "scripts/test: no test has that word: nosuchword\n"


@pytest.mark.parametrize("word, found", [("base", True), ("test_a", True), ("ONE_thing", True), ("a_row_of", True), ("check-a", True), ("unit", False)])
def test_a_word_finds_a_folder_a_file_a_case_and_a_check(clone, word, found):
    clone.makes()
    ended = clone.tests("-k", word)
    assert ("==> testing in build-test/" in ended.stdout) == found
    assert (ended.stderr == f"scripts/test: no test has that word: {word}\n") != found


def test_the_word_that_stands_for_none_is_in_no_test_here():
    """`scripts/test -k nosuch` finds no test in this tree. Status 5 of pytest means that no test was collected."""
    listed = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--collect-only", "-k", "nosuch", TREE / "tests/e2e"]
    ended = subprocess.run(listed, cwd=TREE, capture_output=True, text=True, timeout=HANG, check=False)
    assert ended.returncode == 5, ended.stdout + ended.stderr


def test_an_expression_that_does_not_read_is_told(clone):
    ended = clone.tests("-k", "crash lookup")
    assert ended.returncode == 2
    assert 'pytest cannot read "crash lookup"' in ended.stderr and "Wrong expression" in ended.stderr
    assert "failed" not in ended.stdout


@pytest.mark.parametrize(
    "script, arguments, said",
    [
        ("test", ["--unheard-of"], "unknown option --unheard-of"),
        ("test", ["crash"], "unexpected argument crash: -k crash chooses tests by a word"),
        ("test", ["-k"], "-k needs a word"),
        ("test", ["-k", ""], "-k needs a word"),
        ("test", ["-k", "a", "-k", "b"], "-k is given twice"),
        ("test", ["--sanitizers"], "--sanitizers needs a list"),
        ("test", ["--sanitizers="], "--sanitizers needs a list"),
        ("test", ["--sanitizers=adress"], "unknown sanitizers adress: address,undefined or thread"),
        ("test", ["--all", "-k", "crash"], "--all and --ci take no other option"),
        ("quickstart", ["--unheard-of"], "unknown option or argument --unheard-of"),
        ("quickstart", ["--keep", "more"], "unknown option or argument more"),
        ("test-release", [], "which release? bookworm or trixie"),
        ("test-release", ["sid"], "unknown option or release sid"),
        ("../tests/fuzz/run", ["--unheard-of"], "unknown option or argument --unheard-of"),
        ("../tests/fuzz/run", ["--seconds"], "--seconds needs a number of seconds"),
        ("../tests/fuzz/run", ["--seconds", "soon"], "--seconds needs a number of seconds"),
        ("../tests/fuzz/run", ["--only", "json"], "--only needs webhook, http or heap"),
    ],
)
def test_wrong_options_are_told_before_anything_is_done(machine, script, arguments, said):
    ended = machine.run(script, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr and f"usage: {script.removeprefix('../') if '/' in script else 'scripts/' + script}" in ended.stderr


# ---- what is missing


@pytest.mark.parametrize("script", ["test", "quickstart"])
def test_without_apt_the_packages_are_named(machine, script):
    ended = machine.run(script)
    assert ended.returncode == 1
    assert "This is no Debian" in ended.stderr and "libmicrohttpd-dev" in ended.stderr and "HACKING.md" in ended.stderr


def test_without_root_and_sudo_the_command_for_root_is_printed(machine):
    machine.has("apt-get")
    machine.has("dpkg-query", "exit 1")
    machine.has("id", "echo 1000")
    ended = machine.run("test")
    assert ended.returncode == 1
    assert "Only root can install them, and there is no sudo here. Run as root:" in ended.stderr
    assert re.search(r"^  apt-get update && apt-get install --no-install-recommends .*\bpython3-pytest\b", ended.stderr, re.M)


@pytest.mark.parametrize("sudo", ["echo 'sudo: a password is required' >&2; exit 1", 'exec "$@"'])
def test_what_apt_or_sudo_said_is_shown_where_nothing_could_be_installed(machine, sudo):
    machine.has("apt-get", "echo E: no network; exit 100")
    machine.has("dpkg-query", "exit 1")
    machine.has("id", "echo 1000")
    machine.has("sudo", sudo)
    ended = machine.run("test")
    assert ended.returncode == 1
    assert ("a password is required" if "password" in sudo else "E: no network") in ended.stderr
    assert "The packages were not installed" in ended.stderr


def test_a_program_that_is_not_there_is_told(machine):
    ended = machine.run("quickstart", DESKBRIDGE="/nowhere/deskbridge")
    assert ended.returncode == 1
    assert "/nowhere/deskbridge, which DESKBRIDGE names, is no program" in ended.stderr


# ---- ports


def listener(port):
    """Returns a socket that listens on the port, or None where another process does."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except OSError:
        made.close()
        return None
    made.listen()
    return made


@contextlib.contextmanager
def all_taken(ports, port):
    """Listens on one of the ports. Yields the ports that quickstart may find in use, as a developer's own deskbridge
    may use others."""
    probes = {one: listener(one) for one in ports}
    for one in ports:
        if one != port and probes[one]:
            probes[one].close()
    with probes[port] or contextlib.nullcontext():
        yield {str(one) for one in ports if one == port or probes[one] is None}


TAKEN = re.compile(r"==> taken by another program: ports? ([\d and]+)\. .*listens on (\d+) and (\d+), instead of 8085 and 8086")


def told(said, taken):
    """Returns the port that quickstart used instead for webhooks."""
    line = TAKEN.search(said)
    assert line, said
    assert line[1].split(" and ")[0] in taken
    assert f"listen: 127.0.0.1:{line[2]}\nadmin: 127.0.0.1:{line[3]}\n" in said
    return line[2]


@pytest.mark.parametrize("port", [8085, 8086], ids=["webhooks", "admin"])
def test_quickstart_says_which_port_is_taken_and_which_it_takes_instead(usual_ports, port, tmp_path):
    """quickstart runs to its first command. Then it gets a signal, and must leave nothing behind."""
    with all_taken(usual_ports, port) as taken, subprocess.Popen(
        [SCRIPTS / "quickstart"],
        env={**os.environ, "DESKBRIDGE": shutil.which(PROGRAM), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        said = ""
        for line in started.stdout:
            said += line
            if "/webhooks/gladly" in line:
                break
        started.terminate()
        started.stdout.read()
        assert started.wait(TIMEOUT) == 143
    assert f"http://127.0.0.1:{told(said, taken)}/webhooks/gladly" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_quickstart_works_with_a_program_and_temporary_files_in_folders_with_odd_names(usual_ports, tmp_path):
    odd = tmp_path / "it's an \"odd\" #: one"
    odd.mkdir()
    for name in ("deskbridge", "deskbridge-sandbox"):
        shutil.copy2(pathlib.Path(shutil.which(PROGRAM)).resolve().with_name(name), odd / name)
    ended = subprocess.run(
        [SCRIPTS / "quickstart"],
        env={**os.environ, "DESKBRIDGE": str(odd / "deskbridge"), "TMPDIR": str(odd)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=max(TIMEOUT, 120),
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "the files go into /tmp: TMPDIR is no" in ended.stdout
    assert ended.stdout.count('{"status":"accepted"') == 4
    assert set(os.listdir(odd)) == {"deskbridge", "deskbridge-sandbox"}


# ---- progress


SLOW = """
. scripts/packages
slowly() { echo one; sleep 1.2; echo two; return 7; }
logged last_line "$1" slowly || echo "ended with $?"
"""


def test_a_terminal_sees_how_far_it_is_in_one_line_that_is_wiped(tmp_path):
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    ended = subprocess.Popen(["sh", "-c", SLOW, "sh", tmp_path / "log"], cwd=TREE, stdout=theirs, env={**env, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:  # the other end of the terminal is closed
            break
        if not more:
            break
        seen += more
    os.close(ours)
    assert ended.wait(TIMEOUT) == 0
    assert b"\r\x1b[K    1 s  one" in seen
    assert seen.count(b"\n") == 1 and seen.endswith(b"\r\x1b[Kended with 7\r\n")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_pipe_sees_nothing_of_that(tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    ended = subprocess.run(
        ["sh", "-c", SLOW, "sh", tmp_path / "log"], cwd=TREE, env={**env, "TERM": "xterm"}, capture_output=True, timeout=HANG, check=False
    )
    assert ended.stdout == b"ended with 7\n"


# ---- what is red

GOOD = "PASS: tests/unit/base/test_a 1 - one\nPASS: tests/e2e/run.sh\n"
RED = {
    "a build that fails": ({"built": 2}, "0 passed, 0 failed, 0 skipped; not built: 1", ""),
    "a unit test": (
        {"checked": 2, "cases": GOOD + "FAIL: tests/unit/base/test_b 1 - two\n", "log": "1 passed in 1.00s\n"},
        "2 passed, 1 failed, 0 skipped",
        "FAIL: tests/unit/base/test_b 1 - two",
    ),
    "a black-box test": (
        {
            "checked": 2,
            "cases": "PASS: tests/unit/base/test_a 1 - one\nFAIL: tests/e2e/run.sh\n",
            "log": "E   assert 1 == 2\nFAILED test_b.py::test_c - assert\n1 failed, 3 passed, 2 skipped in 1.00s\n",
        },
        "4 passed, 1 failed, 2 skipped",
        "E   assert 1 == 2",
    ),
    "a file that pytest cannot read": (
        {"checked": 2, "cases": "FAIL: tests/e2e/run.sh\n", "log": "ERROR test_b.py\n=== 3 passed, 1 error in 1.00s ===\n"},
        "3 passed, 1 failed, 0 skipped",
        "ERROR test_b.py",
    ),
    "a test that no compiler takes": ({"checked": 2, "cases": "test_b.c:1: error: no\n"}, "0 passed, 1 failed, 0 skipped", "error: no"),
    "pytest that finds no test": (
        {"checked": 2, "cases": "PASS: tests/unit/base/test_a 1 - one\nFAIL: tests/e2e/run.sh\n", "log": "no tests ran in 1.00s\n"},
        "1 passed, 1 failed, 0 skipped",
        "no tests ran",
    ),
    "pytest that is killed": (
        {"checked": 2, "cases": "PASS: tests/unit/base/test_a 1 - one\nFAIL: tests/e2e/run.sh\n", "log": "....\nFAIL tests/e2e/run.sh (exit status: 137)\n"},
        "1 passed, 1 failed, 0 skipped",
        "exit status: 137",
    ),
    "no pytest": (
        {"cases": "PASS: tests/unit/base/test_a 1 - one\nSKIP: tests/e2e/run.sh\n", "log": "no pytest for python3: apt-get install\n"},
        "1 passed, 1 failed, 0 skipped",
        "no pytest for python3",
    ),
    "nothing at all": ({}, "0 passed, 0 failed, 0 skipped", ""),
}


@pytest.mark.parametrize("made, counted, why", RED.values(), ids=RED)
def test_what_fails_ends_with_1_is_counted_and_told(clone, made, counted, why):
    clone.makes(**made)
    ended = clone.tests()
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, counted), ended
    assert why in ended.stderr


def test_where_all_is_good_it_ends_with_0_and_the_count(clone):
    clone.makes(cases=GOOD, log="SKIPPED [1] test_b.py:1: no curl\n7 passed, 1 skipped in 1.00s\n")
    ended = clone.tests()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "    1 skipped: no curl (test_b.py)\n\n8 passed, 0 failed, 1 skipped\n" in ended.stdout


# ---- what was left out


def test_each_reason_for_a_skip_is_told_once_with_the_number_and_the_files(tmp_path):
    (tmp_path / "tests/e2e").mkdir(parents=True)
    (tmp_path / "check.out").write_text(
        "PASS: tests/unit/base/test_a 1 - one\n"
        "SKIP: tests/unit/base/test_b - only root can do it\n"
        "SKIP: tests/unit/base/test_c 2 - two # SKIP no such clock\n"
        "SKIP: tests/check-settings.sh\n"
        "SKIP: tests/e2e/run.sh\n"
    )
    (tmp_path / "tests/check-settings.log").write_text("the compiler tells too little\nSKIP tests/check-settings.sh (exit status: 77)\n")
    (tmp_path / "tests/e2e/run.log").write_text(
        "SKIPPED [3] ../tests/e2e/test_x.py:12: needs: a mount\n"
        "SKIPPED [4] ../../a b/tests/e2e/test_y.py: needs: a mount\n"
        "SKIPPED [1] tests/e2e/test_x.py:40: no curl\n"
    )
    functions = (SCRIPTS / "test").read_text()
    part = functions[functions.index("# cases FILE:") : functions.index("# why TREE:")]
    said = subprocess.run(["sh", "-euc", part + 'skips "$1"', "sh", tmp_path], capture_output=True, text=True, timeout=HANG, check=True)
    assert said.stdout.splitlines() == [
        "    7 skipped: needs: a mount (test_x.py, test_y.py)",
        "    1 skipped: no curl (test_x.py)",
        "    1 skipped: no such clock (test_c)",
        "    1 skipped: only root can do it (test_b)",
        "    1 skipped: the compiler tells too little (check-settings.sh)",
    ]


# ---- roots of other systems (scripts/roots)


@pytest.fixture
def roots(tmp_path):
    """roots(SCRIPT): runs SCRIPT with the functions of scripts/roots and a root in ./bare, in its own mount
    namespace."""
    apart = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0 or subprocess.run([*apart, "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode != 0:
        pytest.skip("mounts file systems, which needs root")
    here = tmp_path / "desk bridge"
    for folder in ("bare/proc", "bare/etc", "outside"):
        (here / folder).mkdir(parents=True)
    (here / "bare/etc/hostname").write_text("bare\n")
    (here / "outside/file").write_text("of this machine\n")

    def run(script):
        script = f". '{SCRIPTS}/roots'\nset -eu\n{script}"
        return subprocess.run([*apart, "sh", "-c", script], cwd=here, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    run.here = here
    return run


def test_what_stayed_mounted_in_a_root_is_unmounted_and_not_copied(roots):
    mounted = 'mount --bind outside bare/proc; mount -t tmpfs none bare/etc; touch bare/etc/in-memory; mkdir "bare/a b"; mount --bind outside "bare/a b"'
    ended = roots(f"{mounted}\ncopy_root bare root\nmounts_below .")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    copied = sorted(str(path.relative_to(roots.here / "root")) for path in (roots.here / "root").rglob("*"))
    assert copied == ["a b", "etc", "etc/hostname", "proc"]
    ended = roots("mount --bind outside bare/proc\nremove_root bare")
    assert (ended.returncode, ended.stderr) == (0, "") and not (roots.here / "bare").exists()
    assert (roots.here / "outside/file").exists()


@pytest.mark.parametrize("does", ["copy_root bare root", "remove_root bare"])
def test_a_root_with_a_mount_in_use_is_left_alone_and_told(roots, does):
    ended = roots(f"mount --bind outside bare/proc\nexec 3<bare/proc/file\n{does} && echo done")
    assert ended.returncode == 1 and ended.stdout == ""
    assert "Something is mounted below bare and in use" in ended.stderr and f"    {roots.here}/bare/proc\n" in ended.stderr
    assert (roots.here / "outside/file").exists() and (roots.here / "bare/etc/hostname").exists()
    assert not (roots.here / "root").exists()


def test_no_script_copies_or_removes_a_root_by_itself():
    for script in (SCRIPTS / "test-release", TREE / "tests/fault/systemd-boot.sh"):
        for line in script.read_text().splitlines():
            assert not re.search(r"""\bcp -a\w* "\$bare"|\brm -rf? (-- )?["'\\]*\$(bare|root|work)["'\\]*( |$)""", line), f"{script}: {line}"

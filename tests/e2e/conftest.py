# SPDX-License-Identifier: MIT
"""Fixtures of the black-box tests; harness/__init__.py describes the pieces that they return."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import PROGRAM, Stage


def pytest_configure(config):
    if not shutil.which(PROGRAM):
        pytest.exit(f"{PROGRAM} is not there: build the program, and name it in $DESKBRIDGE", returncode=99)


@pytest.fixture
def stage(request):
    """Creates sandboxes, Gladlys and daemons, for tests that need others than those of the fixtures below."""
    made = Stage()
    request.node.stage = made
    yield made
    made.close()


@pytest.fixture
def usual_ports():
    """The default ports of a daemon, for a test that opens them or connects to them. A lock lets one such test run at a
    time, over all checkouts of this user."""
    with open(pathlib.Path(tempfile.gettempdir()) / f"deskbridge-test-ports.{os.geteuid()}", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield 8085, 8086


@pytest.fixture
def mounted():
    """mounted("size=2m"): mounts a tmpfs with that option until the test ends; skips where none can be mounted."""
    places = []

    def mount(options):
        place = tempfile.mkdtemp(prefix="deskbridge-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
        if done.returncode != 0:
            os.rmdir(place)
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", place], check=True)
        os.rmdir(place)


@pytest.fixture
def sandbox(stage):
    """A sandbox with Klaviyo's quotas and without faults."""
    return stage.sandbox()


@pytest.fixture
def gladly(stage):
    """A stand-in for Gladly without customers."""
    return stage.gladly()


@pytest.fixture
def clock(stage):
    """The wall clock of `daemon`, for tests that set it."""
    return stage.clock()


@pytest.fixture
def daemon(stage, sandbox, gladly, request):
    """A daemon with the default configuration between `gladly` and `sandbox`. It runs on the test's clock where the
    test asks for `clock`."""
    env = request.getfixturevalue("clock").env if "clock" in request.fixturenames else None
    return stage.daemon(sandbox, gladly, env=env)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    stage = getattr(item, "stage", None)
    if report.when == "call" and report.failed and stage:
        for name, text in stage.reports():
            if text:
                report.sections.append((f"log of {name}", text))


os.environ.setdefault("ASAN_OPTIONS", "abort_on_error=0:detect_leaks=1")
# By default a process with running threads waits for a second at its exit, which would count as the daemon's own time.
os.environ.setdefault("TSAN_OPTIONS", "atexit_sleep_ms=100")

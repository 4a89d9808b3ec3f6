# SPDX-License-Identifier: MIT
"""Libraries of the tests that are loaded before the C library: a clock and a disk that a test sets."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import time

from .process import PROGRAM

_by_links = None


def preload_name(library):
    """The library's path for $LD_PRELOAD, where blanks and colons separate names: by a link, where its path has one."""
    global _by_links
    if not re.search(r"[\s:]", str(library)):
        return str(library)
    if _by_links is None:
        _by_links = tempfile.TemporaryDirectory(prefix="deskbridge-test-libraries-")
        os.chmod(_by_links.name, 0o755)
    link = pathlib.Path(_by_links.name) / library.name
    if not link.exists():
        link.symlink_to(library)
    return str(link)


def preloaded(name):
    """$LD_PRELOAD for a library of the tests' own, which stands beside the built program; skips where it does not."""
    library = pathlib.Path(shutil.which(PROGRAM)).resolve().parent / "tests/e2e" / name
    if not library.exists():
        import pytest

        pytest.skip(f"{library} is not there")
    # A sanitizer's runtime wants to be the first.
    linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    first = re.findall(r"=> (/\S*/lib[at]san\.so\S*)", linked)
    return ":".join([*first, preload_name(library), *filter(None, [os.environ.get("LD_PRELOAD")])])


class Clock:
    """The wall clock of a process, set by the test while it runs: Daemon(env=clock.env). Its monotonic clock, and every
    other process's clocks, stay as they are. It works by fakeclock.c."""

    def __init__(self, ahead=0):
        """ahead: by how many seconds the clock is ahead of the machine's; negative: behind."""
        library = preloaded("fakeclock.so")
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-clock-")
        self.env = {"LD_PRELOAD": library, "FAKECLOCK": self._file.name}
        self.ahead = 0
        self.set(ahead)

    def set(self, ahead):
        self.ahead = ahead
        os.pwrite(self._file.fileno(), struct.pack("=q", int(ahead * 1000)), 0)

    def jump(self, seconds):
        self.set(self.ahead + seconds)

    def now(self):
        return time.time() + self.ahead

    def close(self):
        self._file.close()

    def report(self):
        return ""


class SlowDisk:
    """The disk of a process, slow as the test says while it runs: Daemon(env=disk.env). It works by slowdisk.c."""

    def __init__(self):
        library = preloaded("slowdisk.so")
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-disk-")
        self.env = {"LD_PRELOAD": library, "SLOWDISK": self._file.name}
        os.ftruncate(self._file.fileno(), 16)

    def set(self, seconds):
        """How long each fsync takes from now on."""
        os.pwrite(self._file.fileno(), struct.pack("=q", int(seconds * 1000)), 0)

    def waiting(self):
        """How many fsyncs wait just now."""
        return struct.unpack("=q", os.pread(self._file.fileno(), 8, 8))[0]

    def close(self):
        self._file.close()

    def report(self):
        return ""

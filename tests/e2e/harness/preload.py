# SPDX-License-Identifier: MIT
"""The tests' libraries for $LD_PRELOAD: a clock and a disk that a test sets, a power cut, and counts of
work."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import time

from .process import PROGRAM
from .wait import wait_for

_by_links = None


def preload_name(library):
    """Returns the library's path for $LD_PRELOAD, in which blanks and colons separate names. A path with one of these
    is replaced by a link's."""
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
    """Returns $LD_PRELOAD for one of the tests' libraries, which was built with the program. Skips the test where it is
    not there."""
    library = pathlib.Path(shutil.which(PROGRAM)).resolve().parent / "tests/e2e" / name
    if not library.exists():
        import pytest

        pytest.skip(f"{library} is not there")
    # A sanitizer's runtime must be the first.
    linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    first = re.findall(r"=> (/\S*/lib[at]san\.so\S*)", linked)
    return ":".join([*first, preload_name(library), *filter(None, [os.environ.get("LD_PRELOAD")])])


class Clock:
    """The wall clock of a process, which the test sets while it runs: Daemon(env=clock.env). The process's monotonic
    clock and the clocks of other processes do not change. It uses fakeclock.c."""

    def __init__(self, ahead=0):
        """ahead: the seconds by which the clock is ahead of the machine's; negative: behind."""
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
    """The disk of a process, which the test slows down while it runs: Daemon(env=disk.env). It uses slowdisk.c."""

    def __init__(self):
        library = preloaded("slowdisk.so")
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-disk-")
        self.env = {"LD_PRELOAD": library, "SLOWDISK": self._file.name}
        os.ftruncate(self._file.fileno(), 16)

    def set(self, seconds):
        """Sets how long each fsync takes from now on."""
        os.pwrite(self._file.fileno(), struct.pack("=q", int(seconds * 1000)), 0)

    def waiting(self):
        """Returns the number of fsyncs that wait now."""
        return struct.unpack("=q", os.pread(self._file.fileno(), 8, 8))[0]

    def close(self):
        self._file.close()

    def report(self):
        return ""


class PowerCut:
    """A process whose WAL loses what was not synced: Daemon(env=cut.env). It uses powercut.c."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="deskbridge-power-cut-")
        self._kept = pathlib.Path(self._folder.name) / "wal"
        self.env = {"LD_PRELOAD": preloaded("powercut.so"), "POWERCUT": str(self._kept)}

    def cut(self, store):
        """Leaves of the store's WAL what it had when its last successful sync began. The process has been killed."""
        wal = pathlib.Path(f"{store}-wal")
        if self._kept.exists() and wal.exists():
            shutil.copyfile(self._kept, wal)
        pathlib.Path(f"{store}-shm").unlink(missing_ok=True)

    def close(self):
        self._folder.cleanup()

    def report(self):
        return ""


class Work:
    """Counts of a process's work: Daemon(env=work.env). It uses countwork.c, which says what is counted. disk: a
    SlowDisk of the same process."""

    NAMES = ("statements", "commits", "WAL bytes", "allocations")

    def __init__(self, disk=None):
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-work-")
        os.ftruncate(self._file.fileno(), 48)
        more = disk.env if disk else {}
        # The environment's own libraries, which preloaded() adds, are in the disk's list.
        names = [preloaded("countwork.so"), *filter(None, [more.get("LD_PRELOAD")])]
        self.env = {**more, "LD_PRELOAD": ":".join(names), "COUNTWORK": self._file.name}

    def counts(self):
        return dict(zip(self.NAMES, struct.unpack("=4q", os.pread(self._file.fileno(), 32, 0))))

    def mark(self, allocate):
        """Makes the process's next allocation call countwork_mark(), and waits for that. allocate(): something for
        which the process allocates."""
        before = struct.unpack("=q", os.pread(self._file.fileno(), 8, 40))
        os.pwrite(self._file.fileno(), struct.pack("=q", 1), 32)
        allocate()
        wait_for(lambda: struct.unpack("=q", os.pread(self._file.fileno(), 8, 40)) != before, what="countwork_mark()")

    def close(self):
        self._file.close()

    def report(self):
        return ""

# SPDX-License-Identifier: MIT
"""Processes of the program, the lines that they write, and reserved ports."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from .wait import HANG, TIMEOUT, patience

PROGRAM = os.environ.get("DESKBRIDGE", "deskbridge")
PRESETS = os.environ.get("DESKBRIDGE_PRESETS", str(pathlib.Path(__file__).resolve().parents[3] / "etc" / "helpdesks"))


class Lines:
    """The lines of a stream. A thread reads them as they come, so that the writer never blocks."""

    def __init__(self, stream):
        self._stream, self._lines, self._ended = stream, [], False
        self._more = threading.Condition()
        self._reads = threading.Event()
        self._reads.set()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with self._stream:
            for line in self._stream:
                self._reads.wait()
                with self._more:
                    self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def hold(self):
        """Stops reading until go_on(), so that the pipe fills."""
        self._reads.clear()

    def go_on(self):
        self._reads.set()

    def all(self):
        with self._more:
            return list(self._lines)

    def find(self, pattern, since=0):
        """Returns the match of the first line, from number `since` on, in which the regular expression is found, or
        None."""
        with self._more:
            return self._find(pattern, since)

    def _find(self, pattern, since):
        for line in self._lines[since:]:
            found = re.search(pattern, line)
            if found:
                return found
        return None

    def wait(self, pattern, since=0, timeout=None):
        """As find(), but waits for the line. Returns None where the stream ends or the deadline passes without it."""
        deadline = time.monotonic() + patience(timeout)
        with self._more:
            while True:
                found = self._find(pattern, since)
                if found or self._ended:
                    return found
                if not self._more.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    return self._find(pattern, since)

    def join(self):
        self._thread.join(TIMEOUT)


def user_group(user):
    """Returns the name of a user's primary group."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def listens(address):
    """True where a process listens at this address. At a default address that is a daemon of the machine, not of the
    tests."""
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class Process:
    """A process of the program. stdout and stderr are collected; pid is the program's own. user: the user who runs it,
    which needs root and setpriv; default: the user who runs the tests. under: a command that becomes the program."""

    def __init__(self, args, env=None, cwd=None, user=None, under=()):
        self.args = [*under, PROGRAM, *map(str, args)]
        self.killed = False
        environment = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS, **(env or {})}
        environment = {name: value for name, value in environment.items() if value is not None}
        # setpriv becomes the program and keeps its pid. The kernel ends the program where the test run dies.
        setpriv = shutil.which("setpriv")
        rights = ["--reuid", user, "--regid", user_group(user), "--init-groups"] if user else []
        command = [setpriv, *rights, "--pdeathsig", "KILL", *self.args] if setpriv else self.args
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=cwd
        )
        self.pid = self._process.pid
        self.stdout, self.stderr = Lines(self._process.stdout), Lines(self._process.stderr)

    @property
    def running(self):
        return self._process.poll() is None

    @property
    def returncode(self):
        return self._process.poll()

    def signal(self, number):
        self._process.send_signal(number)

    def kill9(self):
        """Kills the process with SIGKILL; returns when it is gone."""
        self.killed = True
        self._process.kill()
        self._process.wait()
        self.stdout.join()  # its output is read to the end
        self.stderr.join()

    def wait_exit(self, timeout=None):
        """Waits until the process ends; returns its exit status (negative: the signal that killed it)."""
        try:
            status = self._process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.args)} did not end; its log:\n{self.report()}") from None
        self.stderr.go_on()
        self.stdout.join()
        self.stderr.join()
        return status

    def terminate(self, timeout=None):
        """Sends SIGTERM and returns the exit status. Kills the process and fails where it does not end."""
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait_exit(timeout)
        except AssertionError:
            self.kill9()
            raise

    def close(self):
        """Ends the process when the test ends; fails where its exit status is not 0."""
        was_killed, status = self.killed, self.terminate()
        if status != 0 and not was_killed:
            raise AssertionError(f"{' '.join(self.args)} ended with status {status}:\n{self.report()}")

    def report(self):
        return "\n".join(self.stderr.all()[-200:])


def run(*args, input=None, env=None, timeout=None):
    """Runs a command of the program to its end. Returns an object with returncode, stdout, stderr (text)."""
    environment = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS, **(env or {})}
    return subprocess.run(
        [PROGRAM, *map(str, args)],
        input=input,
        stdin=None if input is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={name: value for name, value in environment.items() if value is not None},
        timeout=max(HANG, timeout or 0),
    )


class HeldPort:
    """A reserved port of 127.0.0.1. A server of the test may listen there or not, in which case connections are
    refused. The socket is bound and does not listen. It has SO_REUSEADDR, as the servers have, so they can bind the
    port, too. The kernel gives the port to no other process."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]

    def close(self):
        self._socket.close()

    def report(self):
        return ""

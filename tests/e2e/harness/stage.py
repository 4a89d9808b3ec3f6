# SPDX-License-Identifier: MIT
"""Creates and closes the pieces of a test."""

from .daemon import Daemon
from .desks import Gladly, Helpdesk
from .preload import Clock, PowerCut, SlowDisk, Work
from .process import HeldPort
from .sandbox import Sandbox


class Stage:
    """Creates the pieces of a test, and closes them in reverse order."""

    def __init__(self):
        self._pieces = []

    def _keep(self, piece):
        self._pieces.append(piece)
        return piece

    def sandbox(self, *args, **kwargs):
        return self._keep(Sandbox(*args, **kwargs))

    def gladly(self, tls=None):
        return self._keep(Gladly(tls))

    def helpdesk(self):
        return self._keep(Helpdesk())

    def clock(self, ahead=0):
        return self._keep(Clock(ahead))

    def address(self):
        """Returns an address for a daemon that closes it and opens it again. The port is reserved meanwhile."""
        return self._keep(HeldPort()).address

    def slow_disk(self):
        return self._keep(SlowDisk())

    def power_cut(self):
        return self._keep(PowerCut())

    def work(self, disk=None):
        return self._keep(Work(disk))

    def daemon(self, *args, **kwargs):
        """Creates a Daemon(…). It is recorded before it starts, so that a daemon that fails to start is closed, too."""
        start = kwargs.pop("start", True)
        daemon = self._keep(Daemon(*args, start=False, **kwargs))
        return daemon.start() if start else daemon

    def close(self):
        problems = []
        while self._pieces:
            try:
                self._pieces.pop().close()
            except Exception as problem:
                problems.append(f"{type(problem).__name__}: {problem}")
        assert not problems, "\n".join(problems)

    def reports(self):
        return [(type(piece).__name__, piece.report()) for piece in self._pieces]

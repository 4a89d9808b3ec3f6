# SPDX-License-Identifier: MIT
"""Deadlines, waiting for a condition, and times."""

import os
import threading
import time
from datetime import datetime, timezone

TIMEOUT = float(os.environ.get("DESKBRIDGE_TEST_TIMEOUT", "15"))
HANG = max(TIMEOUT, 60)  # seconds after which a command hangs that has only to run to its end
POLL = 0.02  # seconds between two looks of wait_for: never less
HOUR, DAY = 3600, 86400


def patience(timeout=None):
    """How many seconds to wait: TIMEOUT, or longer where the test says so."""
    return max(TIMEOUT, timeout or 0)


def side_by_side(items, do, threads=4):
    """do(item) for all of them, several at a time; each thread takes its own in order. Raises where a thread has failed."""
    problems = []

    def some(mine):
        try:
            for item in mine:
                do(item)
        except Exception as problem:
            problems.append(problem)

    workers = [threading.Thread(target=some, args=(items[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]


def wait_for(predicate, timeout=None, what=None):
    """Calls predicate() until it is true and returns what it gave; fails the test at the deadline."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what or 'the condition'}; last seen: {result!r}")
        time.sleep(POLL)


def iso(at=None):
    """A time as Gladly writes it. at: None (now), seconds since 1970, a datetime, or text that is taken as it is."""
    if isinstance(at, str):
        return at
    if at is None:
        at = time.time()
    if isinstance(at, datetime):
        at = at.timestamp()
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

# SPDX-License-Identifier: MIT
"""Deadlines, waiting for a condition, and times."""

import os
import threading
import time
from datetime import datetime, timezone

TIMEOUT = float(os.environ.get("DESKBRIDGE_TEST_TIMEOUT", "15"))
HANG = max(TIMEOUT, 60)  # seconds after which a command that must end counts as hanging
POLL = 0.02  # seconds between two calls of wait_for()'s predicate
HOUR, DAY = 3600, 86400


def patience(timeout=None):
    """Returns the seconds to wait: TIMEOUT, or timeout where that is longer."""
    return max(TIMEOUT, timeout or 0)


def side_by_side(items, do, threads=4):
    """Calls do(item) for all items in several threads. Each thread takes its share in order. Raises where a thread
    failed."""
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
    """Calls predicate() until its result is true and returns that; fails the test at the deadline."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what or 'the condition'}; last seen: {result!r}")
        time.sleep(POLL)


def iso(at=None):
    """Returns a time as Gladly writes it. at: None (now), seconds since 1970, a datetime, or text, which is returned as
    it is."""
    if isinstance(at, str):
        return at
    if at is None:
        at = time.time()
    if isinstance(at, datetime):
        at = at.timestamp()
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

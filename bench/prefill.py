# SPDX-License-Identifier: MIT
"""Stores that are filled before a measurement. Each is made once for each program and kept in the work folder; a
measurement gets a copy."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import sys
import time
from pathlib import Path

import load
from stage import NOWHERE, Daemon, Server, program

SOURCE = Path(__file__).read_bytes()  # stores of another version of this file are made anew
CONNECTIONS = 256
# Where the events of these stores go: an event keeps the URL of its time, and is a dead letter with another one.
PORT = 18097
URL = f"http://127.0.0.1:{PORT}"
# Webhooks whose customer's address is asked for at a desk that is not there: they stay pending.
UNREACHABLE = """\
      customer: /customer
      lookup:
        - {url: "{base_url}/customers/{/customer}", authenticate: bearer, emails: "/emails/*"}
    lookup: {base_url: "%s", token: bench-token}
""" % NOWHERE


def fill(d, n, count, seconds=2):
    """Posts webhooks until count() says n. The last run is shortened, so that a little more than n are there."""
    have = count()
    while have < n:
        began = have
        load.wrk(d.url, CONNECTIONS, seconds, load.request())
        time.sleep(1.1)  # the gauge of the queue is written once a second
        have = count()
        if have <= began:
            sys.exit("bench: the store does not fill")
        rate = max(1, (have - began) / seconds)
        seconds = max(1, min(30, int((n - have) / rate)))


def settled(d):
    """Waits until all that can be processed and delivered is, and the gauges say so."""
    last = None
    while (d.processed(), d.delivered()) != last:
        last = (d.processed(), d.delivered())
        time.sleep(1.1)


class Store:
    """A filled store. n: what it holds, exactly. kib: the disk that it uses."""

    def __init__(self, file):
        self.file = file
        self.n = int(file.with_suffix(".n").read_text())
        self.kib = file.stat().st_size / 1024

    def copy_to(self, home):
        subprocess.run(["cp", "--reflink=auto", str(self.file), str(Path(home) / "bench.db")], check=True)
        os.sync()  # or the copy would be written to the disk while the daemon syncs its commits


def work_folder(bench, build):
    """Returns the folder of this program's stores. Those of a former program of the same build are removed."""
    file = Path(program(build))
    mark = hashlib.sha256(file.read_bytes() + SOURCE).hexdigest()
    folder = bench.work / hashlib.sha256(str(file).encode()).hexdigest()[:12]
    if folder.exists() and (folder / "program").read_text() != mark:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program").write_text(mark)
    return folder


def make(bench, build, name, n, count, hold=True, more="", emails="/email"):
    folder = work_folder(bench, build)
    file = folder / f"{name}{n}.db"
    if file.with_suffix(".n").exists():
        return Store(file)
    bench.note(f"filling a store: {name} {n:,}")
    with tempfile.TemporaryDirectory(dir=folder) as home:
        with Daemon(program(build), home, URL, hold, more, emails=emails) as d:
            fill(d, n, lambda: count(d))
            settled(d)
            n = int(count(d))
        (Path(home) / "bench.db").rename(file)
    file.with_suffix(".n").write_text(str(n))
    return Store(file)


def queue(bench, build, n):
    """A store with n events that wait, and the webhooks that made them."""
    return make(bench, build, "queue", n, Daemon.queued)


def kept(bench, build, n):
    """A store with n done webhooks and their delivered events, which `retention` keeps."""
    with Server(bench.tools / "farend", port=PORT):
        return make(bench, build, "kept", n, Daemon.delivered, hold=False)


def pending(bench, build, n):
    """A store with n webhooks that wait for lookups, after a clean stop."""
    return make(bench, build, "pending", n, waiting, more=UNREACHABLE, emails="/nothing")


def waiting(d):
    return d.accepted() - d.processed()

# SPDX-License-Identifier: MIT
"""Load: one run of wrk against a daemon or a server."""
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent / "webhook.lua"
UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}

# Each run has ids of its own, also beside the runs of an earlier bench in a kept store: a run takes at least a second.
RUNS = itertools.count(int(time.time()))


def request(kind="opened", size=1536, key="", token="", pause_ms=0, run=None):
    """Returns the environment of webhook.lua for requests of one kind."""
    found = {"BENCH_RUN": str(next(RUNS) if run is None else run), "BENCH_KIND": kind, "BENCH_SIZE": str(size)}
    found.update({"BENCH_KEY": key} if key else {})
    found.update({"BENCH_TOKEN": token} if token else {})
    found.update({"BENCH_PAUSE": str(pause_ms)} if pause_ms else {})
    return found


def milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()
    return float(number) * UNITS_MS[unit]


class Load:
    """wrk while it runs. end() waits for it and returns {rate, p50_ms, p99_ms, requests}."""

    def __init__(self, url, connections, seconds, environment, refused=False):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency"]
        command += ["-s", str(SCRIPT), url]
        self.refused = refused
        self.p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env={**os.environ, **environment})

    def __enter__(self):
        return self

    def __exit__(self, *how):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()

    def end(self):
        out = self.p.communicate()[0]
        if self.p.returncode != 0 or "Requests/sec" not in out:
            sys.exit("bench: wrk: " + out)
        requests = int(re.search(r"(\d+) requests in", out).group(1))
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        if bool(bad) != self.refused or (bad and int(bad.group(1)) != requests):
            sys.exit("bench: unexpected answers: " + out)
        broken = re.search(r"Socket errors: (.*)", out)
        if broken and not self.refused:
            print("bench: wrk:", broken.group(0), file=sys.stderr)
        return {"requests": requests, "rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1)),
                "p50_ms": milliseconds(re.search(r" 50%\s+(\S+)", out).group(1)),
                "p99_ms": milliseconds(re.search(r" 99%\s+(\S+)", out).group(1))}


def wrk(url, connections, seconds, environment, refused=False):
    with Load(url, connections, seconds, environment, refused) as load:
        return load.end()

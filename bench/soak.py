# SPDX-License-Identifier: MIT
"""The case soak: minutes at half of the rate that lasts, with memory and file sizes as CSV and as a plot of text."""
import csv
import time
from pathlib import Path

import load
from report import Row
from stage import Daemon, Server, program

CONNECTIONS = 64
WIDTH, HEIGHT = 60, 8
COLUMNS = ("seconds", "accepted", "delivered", "pending", "rss_mib", "store_mib", "wal_mib")


def plot(name, values):
    """Returns lines: values from left to right, one column each, or the greatest of several that share a column."""
    width = min(WIDTH, len(values))
    columns = [max(values[i * len(values) // width:(i + 1) * len(values) // width]) for i in range(width)]
    top = max(columns) or 1
    rows = [f"{name}, 0 to {top:,.1f}"]
    for level in range(HEIGHT, 0, -1):
        rows.append("  |" + "".join("#" if c >= top * (level - 0.5) / HEIGHT else " " for c in columns))
    return rows + ["  +" + "-" * width]


def size_mib(file):
    return file.stat().st_size / 1024 / 1024 if file.exists() else 0


def sample(d, home, began):
    return {"seconds": time.monotonic() - began, "accepted": d.accepted(), "delivered": d.delivered(),
            "pending": max(0, d.accepted() - d.processed()), "rss_mib": d.rss_mib(),
            "store_mib": size_mib(Path(home) / "bench.db"), "wal_mib": size_mib(Path(home) / "bench.db-wal")}


def watch(d, home, seconds, half):
    """Returns samples under a load of `half` webhooks a second: each connection waits before each request."""
    found, began = [], time.monotonic()
    environment = load.request(pause_ms=max(1, round(1000 * CONNECTIONS / half)))
    with load.Load(d.url, CONNECTIONS, seconds, environment) as running:
        while time.monotonic() - began < seconds:
            found.append(sample(d, home, began))
            time.sleep(max(0, began + len(found) * max(1, seconds / 120) - time.monotonic()))
        running.end()
    return found


def soak(bench, case, lasting):
    """lasting(build): the rate end to end that lasts."""
    for name, build in bench.builds:
        half = lasting(build) / 2
        with bench.home() as home, Server(bench.tools / "farend") as far:
            with Daemon(program(build), home, far.url, False) as d:
                found = watch(d, home, bench.args.soak_seconds, half)
        file = bench.work / f"soak-{name}.csv"
        with file.open("w", newline="") as out:
            table = csv.DictWriter(out, COLUMNS)
            table.writeheader()
            table.writerows({key: round(value, 2) for key, value in s.items()} for s in found)
        rate = found[-1]["accepted"] / found[-1]["seconds"]
        bench.report.add(Row(case, name, [{key: s[key] for key in COLUMNS[3:]} for s in found]))
        bench.note(f"{rate:.0f} webhooks a second, planned {half:.0f}; samples in {file}")
        for key in COLUMNS[4:]:
            for line in plot(key, [s[key] for s in found]):
                bench.report.line(line)

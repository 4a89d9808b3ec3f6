# SPDX-License-Identifier: MIT
"""What a bench found: rows of measures, their targets, the tables and the JSON."""
import os
import platform
import statistics

# The targets of the cases: measure, comparison, limit. The ratio's floor is named in the row.
TARGETS = {
    "ack1": [("ratio", ">=", 0.45)],
    "hmac64": [("ratio", ">=", 0.25), ("p99_ms", "<=", 10), ("cpu_us", "<=", 50)],
    "hmac256": [("ratio", ">=", 0.30), ("p99_ms", "<=", 30)],
    "ignored": [("ratio", ">=", 0.5)],
    "refused": [("ratio", ">=", 0.5)],
    "end64": [("ratio", ">=", 0.10), ("cpu_us", "<=", 110)],
    "end256": [("ratio", ">=", 0.10), ("cpu_us", "<=", 110)],
    "queue170k": [("ratio", ">=", 0.83), ("cpu_ratio", "<=", 1.2)],
    "queue1m": [("ratio", ">=", 0.83), ("cpu_ratio", "<=", 1.2)],
    "disk": [("kib", "<=", 3)],
    "start1m": [("ready_s", "<=", 2)],
    "pending": [("ready_s", "<=", 2), ("done_s", "<=", 20)],
    "memory": [("idle_mib", "<=", 16), ("queued_mib", "<=", 48), ("load256_mib", "<=", 64)],
    "idle": [("thread_hz", "<=", 1)],
    "stalls": [(f"slowest{n}", ">=", 1) for n in (127, 128, 129, 256, 512)],
}

# What is measured beside the columns of the table, in words.
WORDS = {
    "cpu_ratio": "CPU to that with an empty queue",
    "kib": "KiB of disk a queued webhook with its event",
    "ready_s": "s from the start to ready",
    "done_s": "s from the start until none of them is pending",
    "new_rate": "new webhooks a second meanwhile",
    "idle_mib": "MiB idle",
    "queued_mib": "MiB with 100,000 queued",
    "load256_mib": "MiB at most, under load of 256 connections",
    "thread_hz": "wake-ups a second of the busiest thread",
    "all_hz": "wake-ups a second of all threads",
    "store_mib": "MiB of the store's file",
    "wal_mib": "MiB of its WAL",
    "rss_mib": "MiB resident",
    "pending": "webhooks pending",
}
WORDS.update({f"slowest{n}": f"answers in the slowest second, {n} connections" for n in (127, 128, 129, 256, 512)})

# The two tables: rates, and figures without a rate.
LOAD = {"case": -10, "build": -5, "rate/s": 8, "floor/s": 8, "floor": -8, "ratio: min": 10, "median": 6, "max": 6,
        "p50 ms": 7, "p99 ms": 7, "CPU us": 7, "RSS MiB": 7, "pending": 8, "to base": 7, "target": -1}
FIGURES = {"case": -10, "build": -5, "measure": -48, "min": 9, "median": 9, "max": 9, "to base": 7, "target": -1}
IN_LOAD = ("rate", "floor", "ratio", "p50_ms", "p99_ms", "cpu_us", "rss_mib", "pending")


class Row:
    """What one case found with one build. samples: a dict of each round, with the same keys. floor: the name of what
    the ratios refer to, whose rates stand in samples as "floor"."""

    def __init__(self, case, build, samples, floor=""):
        self.case, self.build, self.floor = case, build, floor
        self.values = {name: [s[name] for s in samples] for name in samples[0]}
        if "floor" in self.values:
            self.values["ratio"] = [s["rate"] / s["floor"] for s in samples]

    def median(self, name):
        return statistics.median(self.values[name])

    def targets(self):
        """Yields (measure, comparison, limit, met)."""
        for name, comparison, limit in TARGETS.get(self.case, ()):
            if name in self.values:
                value = self.median(name)
                yield name, comparison, limit, value >= limit if comparison == ">=" else value <= limit

    def target_text(self):
        return ", ".join(f"{name.partition('_')[0] if name in IN_LOAD else name} {comparison} {limit:g} "
                         f"{'met' if met else 'MISSED'}" for name, comparison, limit, met in self.targets())

    def as_json(self):
        measures = {name: {"min": min(v), "median": statistics.median(v), "max": max(v), "rounds": v}
                    for name, v in self.values.items()}
        targets = [{"measure": name, "comparison": comparison, "limit": limit, "met": met}
                   for name, comparison, limit, met in self.targets()]
        return {"case": self.case, "build": self.build, "floor": self.floor, "measures": measures, "targets": targets}


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def line(columns, cells):
    """Returns a line of a table. columns: {title: width}; a width below 0 is of text, which begins at the left."""
    return " ".join(f"{c:<{-w}}" if w < 0 else f"{c:>{w}}" for c, w in zip(cells, columns.values()))


class Report:
    """Prints each row when it is found. base: the build that the others are compared with, or None."""

    def __init__(self, out, base):
        self.out, self.base, self.rows, self.columns = out, base, [], None

    def line(self, text=""):
        print(text.rstrip(), file=self.out, flush=True)

    def header(self, columns):
        if columns is not self.columns:
            self.line()
            self.line(line(columns, columns))
        self.columns = columns

    def to_base(self, row, name):
        for other in self.rows if row.build != self.base else ():
            if other.case == row.case and other.build == self.base and other.median(name) > 0:
                return f"{row.median(name) / other.median(name):.2f}"
        return ""

    def add(self, row):
        self.rows.append(row)
        if "rate" in row.values:
            self.header(LOAD)
            self.add_load(row)
        else:
            self.header(FIGURES)
            self.add_figures(row)

    def add_load(self, row):
        def cell(name):
            return number(row.median(name)) if name in row.values else ""
        ratios = row.values.get("ratio", ())
        three = [f"{of(ratios):.3f}" if ratios else "" for of in (min, statistics.median, max)]
        rest = [cell(name) for name in ("p50_ms", "p99_ms", "cpu_us", "rss_mib", "pending")]
        self.line(line(LOAD, [row.case, row.build, cell("rate"), cell("floor"), row.floor, *three, *rest,
                              self.to_base(row, "rate"), row.target_text()]))
        for name in row.values:
            if name in WORDS and name not in IN_LOAD:
                self.line(f"{'':<17}{WORDS[name]}: {number(row.median(name))}")

    def add_figures(self, row):
        targets = {name: f"{comparison} {limit:g} {'met' if met else 'MISSED'}"
                   for name, comparison, limit, met in row.targets()}
        for name, values in row.values.items():
            three = [number(of(values)) for of in (min, statistics.median, max)]
            self.line(line(FIGURES, [row.case, row.build, WORDS.get(name, name), *three, self.to_base(row, name),
                                     targets.get(name, "")]))

    def as_json(self, **about):
        machine = {"cores": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine()}
        return {**about, "machine": machine, "rows": [row.as_json() for row in self.rows]}

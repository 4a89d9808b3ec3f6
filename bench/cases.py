# SPDX-License-Identifier: MIT
"""The cases of bench/run. README.md beside this file says what each means."""
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import load
import prefill
import soak
from report import Row
from stage import HMAC, HMAC_KEY, NOWHERE, Daemon, Server, program, wait_for

SECOND_DESK = """\
  desk:
    authenticate: {method: bearer, secret: bench-secret}
    definition:
      label: Desk
      verified: live
      authenticate: {method: bearer}
      delivery: /id
      opened: {/type: opened}
      closed: {/type: closed}
      conversation: /conversation
      time: /timestamp
      customer: /customer
      lookup:
        - {url: "{base_url}/customers/{/customer}", authenticate: bearer, emails: "/emails/*"}
    lookup: {base_url: "%s", token: bench-token}
"""
ROOM = "512MiB"  # listen.max_memory where bodies are large


class Bench:
    """What the cases share. builds: (name, folder), the base first. tools: the build with the programs of bench/."""

    def __init__(self, args, report):
        self.args, self.report = args, report
        self.builds, self.tools, self.work = args.builds, args.build / "bench", args.work
        self.servers = {}

    def note(self, text):
        self.report.line(f"# {text}")

    def server(self, *command):
        """Returns a running program of bench/ that all cases use."""
        if command not in self.servers:
            self.servers[command] = Server(self.tools / command[0], *command[1:])
        return self.servers[command]

    def end(self):
        for server in self.servers.values():
            server.stop()

    def home(self):
        return tempfile.TemporaryDirectory(dir=self.args.tmp, prefix="deskbridge-bench-")

    def rounds(self, case, once, floor=None, floor_name=""):
        """Measures all builds and the floor in turn and reports a row for each build. once(build): a dict of numbers.
        floor(): the rate to compare with."""
        samples = {name: [] for name, _ in self.builds}
        floors = []
        for r in range(self.args.rounds):
            turns = [*self.builds, *([("", None)] if floor else [])]
            for name, build in turns[:: -1 if r % 2 else 1]:
                if build is None:
                    floors.append(floor())
                else:
                    samples[name].append(once(build))
        for name, found in samples.items():
            for sample, rate in zip(found, floors):
                sample["floor"] = rate
            self.report.add(Row(case, name, found, floor_name))


def loaded(d, environment, connections, seconds, refused=False):
    """Runs wrk against a daemon. Returns what was measured. The processors' time contains that for the webhooks that
    are still pending when wrk ends, for at most ten seconds."""
    cpu, before = d.cpu_s(), d.received()
    found = load.wrk(d.url, connections, seconds, environment, refused)
    found.update(rss_mib=d.rss_mib(), pending=max(0, d.accepted() - d.processed()))
    end = time.monotonic() + 10
    while d.processed() < d.accepted() and time.monotonic() < end:
        time.sleep(0.1)
    found.update(cpu_us=(d.cpu_s() - cpu) / (d.received() - before) * 1e6)
    return found


# ---- acknowledgement -------------------------------------------------------------------------------------------------

def acknowledge(bench, case, connections, size=1536, hmac=False, kind="opened"):
    seconds, refused = bench.args.seconds, kind == "refused"
    what = {"size": size, "key": HMAC_KEY if hmac else "", "kind": kind}
    if refused:
        what.update(kind="opened", token="wrong-secret")
    proof = {"proof": HMAC} if hmac else {}

    def once(build):
        with bench.home() as home:
            with Daemon(program(build), home, NOWHERE, True, memory=ROOM if size > 65536 else "64MiB", **proof) as d:
                environment = load.request(**what)
                if kind == "duplicate":
                    load.wrk(d.url, connections, 1, environment)
                return loaded(d, environment, connections, seconds, refused)

    def floor():
        url = bench.server("bare", *(["close"] if refused else [])).url + "/"
        return load.wrk(url, connections, seconds, load.request(**what), refused)["rate"]

    def commits():
        with bench.home() as home:
            command = [str(bench.tools / "commits"), str(Path(home) / "rows.db"), str(seconds)]
            return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    bench.rounds(case, once, *((commits, "commits") if connections == 1 else (floor, "closing" if refused else "bare")))


def lookups(bench, case, delay_ms):
    def once(build):
        desk = bench.server("farend", str(delay_ms))
        with bench.home() as home, Daemon(program(build), home, NOWHERE, True, SECOND_DESK % desk.url) as d:
            return loaded(d, load.request("lookup"), 64, bench.args.seconds)

    bench.rounds(case, once, lambda: bare(bench, 64), "bare")


def bare(bench, connections):
    return load.wrk(bench.server("bare").url + "/", connections, bench.args.seconds, load.request())["rate"]


def filled(bench, case, n, fill=prefill.queue):
    """Acknowledgement with a filled store. The floor is the same program with an empty one: each build has its own."""
    def alone(build, store):
        with bench.home() as home:
            if store:
                store.copy_to(home)
            with Daemon(program(build), home, prefill.URL, True) as d:
                return loaded(d, load.request(), 64, bench.args.seconds)

    for name, build in bench.builds:
        store, samples = fill(bench, build, n), []
        for r in range(bench.args.rounds):
            turns = [store, None][:: -1 if r % 2 else 1]
            full, empty = (alone(build, s) for s in turns)
            if turns[0] is None:
                full, empty = empty, full
            full.update(floor=empty["rate"], cpu_ratio=full["cpu_us"] / empty["cpu_us"])
            samples.append(full)
        bench.report.add(Row(case, name, samples, "empty"))


def stalls(bench, case):
    """The slowest second of a minute, by the daemon's own counter, at numbers of connections where libmicrohttpd's
    epoll stalls."""
    def once(build):
        found = {}
        for connections in (127, 128, 129, 256, 512):
            with bench.home() as home, Daemon(program(build), home, NOWHERE, True) as d:
                with load.Load(d.url, connections, bench.args.stall_seconds, load.request()) as running:
                    time.sleep(1)
                    began, counts = time.monotonic(), [d.accepted()]
                    for i in range(1, bench.args.stall_seconds - 1):
                        time.sleep(max(0, began + i - time.monotonic()))
                        counts.append(d.accepted())
                    running.end()
                found[f"slowest{connections}"] = min(b - a for a, b in zip(counts, counts[1:]))
        return found

    for name, build in bench.builds:
        bench.report.add(Row(case, name, [once(build)]))


# ---- end to end ------------------------------------------------------------------------------------------------------

def end_to_end_once(bench, build, connections):
    with bench.home() as home, Server(bench.tools / "farend") as far:
        with Daemon(program(build), home, far.url, False) as d:
            cpu, start = d.cpu_s(), time.monotonic()
            found = load.wrk(d.url, connections, bench.args.seconds, load.request())
            sent, rss, pending = d.accepted(), d.rss_mib(), max(0, d.accepted() - d.processed())
            wait_for(lambda: far.stats()["recorded"] >= sent, 600)
            took = time.monotonic() - start
            wait_for(lambda: d.delivered() >= sent)
            found.update(rate=sent / took, cpu_us=(d.cpu_s() - cpu) / sent * 1e6, rss_mib=rss, pending=pending)
            return found


def end_to_end(bench, case, connections):
    def once(build):
        return end_to_end_once(bench, build, connections)

    bench.rounds(case, once, lambda: bare(bench, connections), "bare")


def soaked(bench, case):
    soak.soak(bench, case, lambda build: end_to_end_once(bench, build, soak.CONNECTIONS)["rate"])


def backlog(bench, case, n=100000):
    def once(build):
        store = prefill.queue(bench, build, n)
        with bench.home() as home, Server(bench.tools / "farend", port=prefill.PORT) as far:
            store.copy_to(home)
            with Daemon(program(build), home, far.url, False) as d:
                began, cpu = time.monotonic(), d.cpu_s()
                wait_for(lambda: far.stats()["recorded"] >= store.n, 600)
                took = time.monotonic() - began
                return {"rate": store.n / took, "cpu_us": (d.cpu_s() - cpu) / store.n * 1e6, "rss_mib": d.rss_mib()}

    for _, build in bench.builds:
        prefill.queue(bench, build, n)
    bench.rounds(case, once)


# ---- start, disk, memory, idle ---------------------------------------------------------------------------------------

def start(bench, case, n):
    def once(build):
        with bench.home() as home:
            prefill.queue(bench, build, n).copy_to(home)
            with Daemon(program(build), home, prefill.URL, True) as d:
                return {"ready_s": d.start_s}

    for _, build in bench.builds:
        prefill.queue(bench, build, n)
    bench.rounds(case, once)


def pending(bench, case, n=100000):
    """Webhooks that waited for a lookup are ready with a definition without one. New ones come on four connections."""
    def once(build):
        store = prefill.pending(bench, build, n)
        with bench.home() as home:
            store.copy_to(home)
            began = time.monotonic()
            with Daemon(program(build), home, prefill.URL, True) as d:
                with load.Load(d.url, 4, 20, load.request()) as running:
                    wait_for(lambda: d.processed() >= store.n + d.accepted() - 100, 600)
                    done = time.monotonic() - began
                    return {"ready_s": d.start_s, "done_s": done, "new_rate": running.end()["rate"]}

    for _, build in bench.builds:
        prefill.pending(bench, build, n)
    bench.rounds(case, once)


def disk(bench, case, n=100000):
    for name, build in bench.builds:
        store = prefill.queue(bench, build, n)
        bench.report.add(Row(case, name, [{"kib": store.kib / store.n}]))


def memory(bench, case, n=100000):
    for name, build in bench.builds:
        with bench.home() as home, Daemon(program(build), home, NOWHERE, True) as d:
            found = {"idle_mib": d.rss_mib()}
            prefill.fill(d, n, d.queued)
            found["queued_mib"] = d.rss_mib()
        with bench.home() as home, Daemon(program(build), home, NOWHERE, True) as d:
            load.wrk(d.url, 256, bench.args.seconds, load.request())
            found["load256_mib"] = d.peak_mib()
        bench.report.add(Row(case, name, [found]))


def idle(bench, case, seconds=10):
    for name, build in bench.builds:
        with bench.home() as home, Daemon(program(build), home, NOWHERE, False) as d:
            time.sleep(3)
            before = d.wakeups()
            time.sleep(seconds)
            counts = {thread: (n - before.get(thread, 0)) / seconds for thread, n in d.wakeups().items()}
        busiest = max(counts, key=counts.get)
        bench.report.add(Row(case, name, [{"thread_hz": counts[busiest], "all_hz": sum(counts.values())}]))
        for thread, hz in sorted(counts.items()):
            if hz > 0:
                bench.note(f"{thread}: {hz:.1f} a second")


def reading(bench, case):
    """Microseconds to read one webhook, by definition."""
    helpdesks = str(Path(__file__).resolve().parent.parent / "etc/helpdesks")
    found = {name: [] for name, _ in bench.builds}
    for r in range(bench.args.rounds):
        for name, build in bench.builds[:: -1 if r % 2 else 1]:
            command = [str(build / "bench/reading"), helpdesks, "11"]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows = re.findall(r"^(\S+) +\d+ +[0-9.]+ +([0-9.]+) ", text, re.M)
            found[name].append({f"us to read one of {desk}": float(took) for desk, took in rows})
    for name, samples in found.items():
        bench.report.add(Row(case, name, samples))


# ---- the list --------------------------------------------------------------------------------------------------------

CASES = {  # name: function, arguments, part of the default run
    "ack1": (acknowledge, {"connections": 1}, True),
    "ack16": (acknowledge, {"connections": 16}, True),
    "ack64": (acknowledge, {"connections": 64}, True),
    "ack256": (acknowledge, {"connections": 256}, True),
    "hmac64": (acknowledge, {"connections": 64, "hmac": True}, True),
    "hmac256": (acknowledge, {"connections": 256, "hmac": True}, True),
    "body512": (acknowledge, {"connections": 64, "size": 512}, True),
    "body16k": (acknowledge, {"connections": 64, "size": 16 * 1024}, True),
    "body256k": (acknowledge, {"connections": 64, "size": 256 * 1024}, True),
    "duplicates": (acknowledge, {"connections": 64, "kind": "duplicate"}, True),
    "ignored": (acknowledge, {"connections": 64, "kind": "ignored"}, True),
    "refused": (acknowledge, {"connections": 64, "kind": "refused"}, True),
    "lookup5": (lookups, {"delay_ms": 5}, True),
    "lookup200": (lookups, {"delay_ms": 200}, True),
    "end64": (end_to_end, {"connections": 64}, True),
    "end256": (end_to_end, {"connections": 256}, True),
    "backlog": (backlog, {}, True),
    "queue100k": (filled, {"n": 100000}, True),
    "queue170k": (filled, {"n": 170000}, True),
    "queue1m": (filled, {"n": 1000000}, False),
    "kept100k": (filled, {"n": 100000, "fill": prefill.kept}, True),
    "start1m": (start, {"n": 1000000}, False),
    "pending": (pending, {}, True),
    "disk": (disk, {}, True),
    "memory": (memory, {}, True),
    "idle": (idle, {}, True),
    "stalls": (stalls, {}, False),
    "soak": (soaked, {}, False),
    "reading": (reading, {}, False),
}

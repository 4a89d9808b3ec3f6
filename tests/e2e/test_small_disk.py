# SPDX-License-Identifier: MIT
"""A store whose disk is small or nearly full, whose files are deleted or replaced, or that has two names. Acknowledged
webhooks are delivered, and webhooks that cannot be stored are refused."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time

import pytest

from harness import gladly_webhook, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system, which needs root")


def store_of(daemon):
    return daemon.dir / "deskbridge.db"


def free(place):
    left = os.statvfs(place)
    return left.f_bavail * left.f_frsize


def large(n, size=20000):
    body = gladly_webhook("opened", f"conv-{n}", f"cust-{n}")
    body["content"]["note"] = "x" * size
    return body


def fill(daemon, first, size=20000, most=4000):
    """Posts webhooks of that size until the store is full and stays full. Returns the number after the last accepted
    one."""
    n, refused = first, 0
    while n < first + most:
        answer = daemon.post("gladly", large(n, size))
        if answer.status == 200:
            n, refused = n + 1, 0
            continue
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
        refused = refused or time.monotonic()
        if time.monotonic() - refused > 3:  # the daemon checks the free space every second
            return n
    raise AssertionError(f"{most} webhooks were taken, and none was refused")


def hog(place, leave):
    path = os.path.join(place, "hog")
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):  # the daemon may write meanwhile
        while free(place) > leave:
            file.write(b"x" * 4096)
    return path


def takes_again(daemon):
    return wait_for(lambda: daemon.api("/readyz").status == 200, timeout=40)


@needs_root
@pytest.mark.parametrize("size, each", [("6m", 20000), ("16m", 50000)])
def test_a_small_disk_that_is_full_works_off_what_it_took_and_takes_again(stage, sandbox, gladly, mounted, size, each):
    """No space is freed from outside: finished work is removed, and new work takes its space. This happens twice."""
    place = mounted(f"size={size}")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3000)}
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    taken = 0
    for _ in range(2):
        gladly.down()
        before, taken = taken, fill(daemon, taken, each)
        assert taken - before > 30
        wait_for(lambda: daemon.api("/readyz").status == 503)
        gladly.up()
        daemon.reload()  # starts lookups at once, as their waits have grown
        sandbox.wait_for(lambda s, n=taken: len(s.events()) == n, timeout=60)
        takes_again(daemon)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("closed", "conv-1", "cust-1")).status == 200)
    sandbox.wait_for(lambda s: len(s.events()) == taken + 1, timeout=40)
    assert not [line for line in daemon.log() if "dead letter" in line]
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(f"{place}/deskbridge.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@needs_root
@pytest.mark.parametrize("size, each", [("6m", 20000), ("16m", 50000)])
def test_a_small_disk_that_is_full_survives_kill_9(stage, sandbox, gladly, mounted, size, each):
    place = mounted(f"size={size}")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3000)}
    gladly.down()
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    taken = fill(daemon, 0, each)
    daemon.kill9()
    gladly.up()
    daemon.restart()
    sandbox.wait_for(lambda s: len(s.events()) == taken, timeout=60)
    takes_again(daemon)


@needs_root
@pytest.mark.parametrize("leave", [0, 40 << 10, 300 << 10], ids=["nothing", "40k", "300k"])
def test_a_disk_that_others_fill_and_empty_again_needs_no_restart(stage, sandbox, gladly, mounted, leave):
    place = mounted("size=6m")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(400)}
    if leave:
        gladly.delay = 3600
    else:
        gladly.down()  # refused lookups are stored, too, but then none is repeated before a pause has ended
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    for n in range(60):
        daemon.accepted("gladly", large(n))
    file = hog(place, leave)
    taken = fill(daemon, 60)
    wait_for(lambda: daemon.api("/readyz").status == 503)
    gladly.release()
    gladly.up()
    os.remove(file)
    sandbox.wait_for(lambda s: len(s.events()) == taken, timeout=40)
    takes_again(daemon)
    daemon.accepted("gladly", large(taken))
    sandbox.wait_for(lambda s: len(s.events()) == taken + 1, timeout=40)


@needs_root
def test_a_webhook_that_is_larger_than_the_room_is_refused_alone(stage, sandbox, gladly, mounted):
    place = mounted("size=6m")
    gladly.customers = {"cust-1": ["jo@example.com"], "cust-2": ["jo-2@example.com"]}
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db", "listen": {"address": "127.0.0.1:0", "max_body": "8MiB"}})
    daemon.start()
    assert daemon.post("gladly", large(1, size=4_000_000)).status == 503
    daemon.wait_log("has no room for it")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="jo-2@example.com")
    assert daemon.api("/readyz").status == 200


# ---- files that are deleted or replaced


def is_unready(daemon, *words):
    answer = wait_for(lambda: (a := daemon.api("/readyz")).status == 503 and a)
    for word in words:
        assert word in answer.body.decode(), answer
    assert daemon.api("/healthz").status == 200


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_store_file_that_is_deleted_makes_the_daemon_unready(stage, sandbox, gladly, suffix):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(1)
    file = f"{store_of(daemon)}{suffix}"
    os.rename(file, f"{file}.away")
    is_unready(daemon, "was deleted or replaced", "put it back, or restart deskbridge and lose", f"deskbridge.db{suffix}")
    daemon.wait_log("err.*refused with 503.*was deleted or replaced.*put it back, or restart deskbridge and lose")
    shown = daemon.command("status", "--admin", daemon.admin)
    assert shown.returncode == 1 and "NOT READY: the store file" in shown.stdout and "put it back" in shown.stdout
    assert re.search(r"^  gladly .* not taking webhooks", shown.stdout, re.M) and "  taking webhooks" not in shown.stdout
    if not suffix:
        assert "cannot be read" in shown.stdout and "Nobody is paused" not in shown.stdout
        status = daemon.api("/api/status").json()
        assert (status["store_bytes"], status["paused_total"], status["accounts"][0]["ready"]) == (None, None, None)
        answer = daemon.api("/api/events")
        assert answer.status == 503 and "was deleted or replaced" in answer.body.decode()
    answer = daemon.post("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    # No restart is needed once the file is put back.
    os.rename(f"{file}.away", file)
    takes_again(daemon)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("opened", "conv-2", "cust-2")).status == 200)
    sandbox.wait_events(1, email="jo-2@example.com")


def test_a_store_file_that_is_replaced_makes_the_daemon_unready_and_a_restart_takes_the_new_one(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(1)
    with contextlib.closing(sqlite3.connect(store_of(daemon))) as store, contextlib.closing(
        sqlite3.connect(daemon.dir / "backup.db")
    ) as backup:
        store.backup(backup)
    os.rename(daemon.dir / "backup.db", store_of(daemon))
    assert daemon.post("gladly", gladly_webhook("opened", "conv-1", "cust-1")).status == 503
    is_unready(daemon, "was deleted or replaced", "restart deskbridge")
    assert daemon.stop() == 0
    daemon.restart()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(1, email="jo-1@example.com")
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(store_of(daemon))) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_was_taken_before_the_wal_was_deleted_survives_kill_9(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3)}
    gladly.down()
    daemon = stage.daemon(sandbox, gladly)
    for n in range(3):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    os.remove(f"{store_of(daemon)}-wal")
    assert daemon.post("gladly", gladly_webhook("opened", "conv-4", "cust-0")).status == 503
    daemon.wait_log("was deleted or replaced")

    def is_in_the_database():
        copy = daemon.dir / "copy.db"
        shutil.copy(store_of(daemon), copy)
        with contextlib.closing(sqlite3.connect(copy)) as store, contextlib.suppress(sqlite3.Error):  # copied half-way
            return store.execute("SELECT count(*) FROM webhooks").fetchall() == [(3,)]

    wait_for(is_in_the_database)
    daemon.kill9()
    gladly.up()
    daemon.restart()
    sandbox.wait_events(3)


def test_a_deleted_store_is_made_anew_by_a_restart(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(1)
    os.remove(store_of(daemon))
    is_unready(daemon, "was deleted or replaced")
    daemon.kill9()
    daemon.restart()
    daemon.wait_log("notice a new store was made: .*deskbridge.db")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(1, email="jo-1@example.com")
    daemon.restart()
    daemon.wait_log("admin on ")
    assert not any("a new store was made" in line for line in daemon.process.stderr.all())


# ---- one store, two names


def is_refused(stage, sandbox, gladly, path):
    second = stage.daemon(sandbox, gladly, start=False)
    second.configure({"store": f"sqlite:{path}"})
    second.start(ready=False)
    assert second.wait_exit() == 1
    second.process.killed = True
    assert "in use by" in second.report() and "another store.url" in second.report()


def test_a_hard_link_admits_no_second_daemon(stage, daemon, sandbox, gladly):
    gladly.customers = {"cust-1": ["jo@example.com"]}
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    (daemon.dir / "other").mkdir()
    for link in (daemon.dir / "link.db", daemon.dir / "other" / "deskbridge.db"):
        os.link(store_of(daemon), link)
        is_refused(stage, sandbox, gladly, link)
        assert not os.path.exists(f"{link}-wal")
    # Readers have access, and SQLite's own locks are held as before.
    assert daemon.ask("status").returncode == 0
    with contextlib.closing(sqlite3.connect(store_of(daemon), timeout=0)) as store:
        assert store.execute("SELECT count(*) FROM webhooks").fetchall() == [(1,)]
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.execute("PRAGMA journal_mode = DELETE")
    daemon.accepted("gladly", gladly_webhook("closed"))
    sandbox.wait_events(2)
    assert daemon.stop() == 0
    daemon.restart()
    assert daemon.api("/readyz").status == 200


@needs_root
def test_a_file_that_is_mounted_elsewhere_admits_no_second_daemon(stage, daemon, sandbox, gladly):
    other = tempfile.mkdtemp(prefix="deskbridge-bind-")
    place = os.path.join(other, "deskbridge.db")
    with open(place, "wb"):
        pass
    done = subprocess.run(["mount", "--bind", store_of(daemon), place], capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(other)
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        is_refused(stage, sandbox, gladly, place)
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(other)

# SPDX-License-Identifier: MIT
"""A store that cannot be opened, cannot grow, or holds foreign values: the errors, the work that continues, and that
nothing is lost."""

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import gladly_webhook, request, wait_for

CLOSED = "closed conversation in Gladly"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system, which needs root")


def store_of(daemon):
    return daemon.dir / "deskbridge.db"


def sql(daemon, *statements):
    with contextlib.closing(sqlite3.connect(store_of(daemon))) as store, store:
        return [store.execute(statement).fetchall() for statement in statements]


def fails_to_start(daemon, *words):
    """Starts the daemon, which must end with 1 at once and log all of these words."""
    daemon.start(ready=False)
    assert daemon.wait_exit() == 1
    daemon.process.killed = True
    said = [line for line in daemon.report().splitlines() if "cannot start" in line]
    assert len(said) == 1, daemon.report()
    for word in (str(daemon.dir), *words):
        assert word in said[0], said[0]


def remount(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


# ---- stores with which it cannot start


def text_file(path):
    path.write_text("this is no database, but long enough to be taken for one at first sight\n" * 100)


def half_a_store(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def another_programs(path):
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("CREATE TABLE contacts (name TEXT)")


def of_a_newer_version(path):
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("PRAGMA user_version = 4711")


@pytest.mark.parametrize(
    "spoil, fresh, words",
    [
        (text_file, True, ["not a database", "move this one away"]),
        (another_programs, True, ["database of another program", "store.url"]),
        (of_a_newer_version, False, ["newer deskbridge", "4711", "restore a backup"]),
        (half_a_store, False, ["damaged", "restore a backup"]),
        (lambda path: path.mkdir(), True, ["deskbridge.db"]),
        (lambda path: path.symlink_to(path.parent / "nowhere" / "db"), True, ["deskbridge.db"]),
    ],
    ids=["text", "another-program", "newer", "half", "folder", "link-to-nowhere"],
)
def test_a_store_that_is_none_is_told_and_left_alone(stage, spoil, fresh, words):
    daemon = stage.daemon(start=False)
    if not fresh:
        daemon.start()
        daemon.accepted("gladly", gladly_webhook("opened"))
        assert daemon.stop() == 0
    spoil(store_of(daemon))
    before = store_of(daemon).read_bytes() if store_of(daemon).is_file() else None
    fails_to_start(daemon, *words)
    if before is not None:
        assert store_of(daemon).read_bytes() == before


def test_a_folder_that_is_not_there_is_told(stage):
    daemon = stage.daemon(start=False)
    daemon.configure({"store": f"sqlite:{daemon.dir}/not/there/deskbridge.db"})
    fails_to_start(daemon, "there is no directory", "StateDirectory")


def test_an_empty_file_is_a_new_store(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly, start=False)
    store_of(daemon).touch()
    daemon.start()
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)


@needs_root
def test_a_store_that_is_read_only_is_told(stage, mounted):
    place = mounted("size=8m")
    daemon = stage.daemon(start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    daemon.accepted("gladly", gladly_webhook("opened"))
    assert daemon.stop() == 0
    remount(place, "ro")
    daemon.start(ready=False)
    assert daemon.wait_exit() == 1
    daemon.process.killed = True
    assert place in daemon.report() and "cannot be opened" in daemon.report() and "writable" in daemon.report()
    remount(place, "rw")
    daemon.start()
    daemon.accepted("gladly", gladly_webhook("closed"))


def test_a_second_daemon_is_told_whom_to_stop_and_the_first_goes_on(stage, daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    link = daemon.dir / "by another name.db"
    link.symlink_to(store_of(daemon))
    for url in (f"sqlite:{store_of(daemon)}", f"sqlite:{link}"):
        second = stage.daemon(sandbox, gladly, start=False)
        second.configure({"store": url})
        second.start(ready=False)
        assert second.wait_exit() == 1
        second.process.killed = True
        assert f"in use by process {daemon.process.pid}" in second.report()
        assert "another store.url" in second.report()
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)


# ---- trouble while it is in use


def fill(daemon, n, size=20000):
    """Posts webhooks of that size until one is refused. Returns the number of accepted ones and the refusal."""
    for taken in range(n):
        body = gladly_webhook("opened", f"conv-{taken}", f"cust-{taken}")
        body["content"]["note"] = "x" * size
        answer = daemon.post("gladly", body)
        if answer.status != 200:
            return taken, answer
    raise AssertionError(f"{n} webhooks were taken, and none was refused")


def refused_well(daemon, answer):
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) > 0
    wait_for(lambda: daemon.api("/readyz").status == 503)
    assert daemon.api("/healthz").status == 200
    assert request(daemon.address, "HEAD", "/webhooks/gladly").status == 200


@needs_root
def test_a_full_disk_refuses_with_503_and_loses_nothing(stage, sandbox, gladly, mounted):
    place = mounted("size=2m")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(200)}
    gladly.down()  # so that all webhooks stay pending
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    taken, answer = fill(daemon, 200)
    assert taken > 10
    refused_well(daemon, answer)
    daemon.wait_log(r"err.*make room there")
    gladly.up()
    remount(place, "size=64m")
    sandbox.wait_for(lambda s: len(s.events()) == taken, timeout=40)
    wait_for(lambda: daemon.api("/readyz").status == 200)
    daemon.wait_log("webhooks are taken again|the store commits again")
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1"))
    sandbox.wait_events(1, metric=CLOSED)
    assert len(sandbox.all_events()) == taken + 1


@needs_root
def test_what_is_undone_is_worked_off_in_the_room_that_is_kept_free(stage, sandbox, gladly, mounted):
    place = mounted("size=64m")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(10)}
    gladly.down()
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    for n in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    hog = os.path.join(place, "hog")
    with open(hog, "wb") as file:
        left = os.statvfs(place)
        os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize - (2 << 20))
    refused_well(daemon, daemon.post("gladly", gladly_webhook("opened", "no", "cust-1")))
    daemon.wait_log(r"err.*refused with 503.*kept free: make room there")
    gladly.up()
    sandbox.wait_events(10, timeout=40)
    assert not any("cannot commit" in line for line in daemon.log())
    os.remove(hog)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("closed", "conv-1", "cust-1")).status == 200)
    sandbox.wait_events(11)


@needs_root
def test_a_disk_that_others_fill_to_the_last_byte_stops_and_lets_go(stage, sandbox, gladly, mounted):
    place = mounted("size=4m")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(30)}
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": f"sqlite:{place}/deskbridge.db"})
    daemon.start()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(1)
    hog = os.path.join(place, "hog")
    with open(hog, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    taken = []  # the writes that still fitted into the existing files

    def refusal():
        n = len(taken) + 2
        answer = daemon.post("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
        if answer.status != 200:
            return answer
        taken.append(n)

    refused_well(daemon, wait_for(refusal))
    os.remove(hog)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("opened", "conv-1", "cust-1")).status == 200)
    sandbox.wait_events(1, email="jo-1@example.com")
    sandbox.wait_events(2 + len(taken))
    daemon.wait_idle()
    assert len(sandbox.all_events()) == 2 + len(taken)


def limit_files(daemon, size):
    """Limits the files of the daemon to `size` bytes: writes beyond that fail as on a full disk."""
    hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def wal_size(daemon):
    return os.path.getsize(f"{store_of(daemon)}-wal")


def test_files_that_may_not_grow_refuse_with_503_and_lose_nothing(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(200)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "first", "cust-199"))
    sandbox.wait_events(1)
    limit_files(daemon, wal_size(daemon) + 100000)
    taken, _ = fill(daemon, 190)
    limit_files(daemon, 4096)  # a smaller write might still fit
    refused_well(daemon, daemon.post("gladly", gladly_webhook("opened", "refused", "cust-199")))
    daemon.wait_log(r"err.*the store cannot commit.*make room there")
    limit_files(daemon, resource.RLIM_INFINITY)
    wait_for(lambda: daemon.api("/readyz").status == 200)
    daemon.wait_log("the store commits again")
    daemon.accepted("gladly", gladly_webhook("closed", "first", "cust-199"))
    sandbox.wait_for(lambda s: len(s.events()) == taken + 2, timeout=40)
    # While outcomes could not be stored no new event was sent, and none was sent twice.
    assert len(sandbox.all_events()) == taken + 2


def test_outcomes_that_cannot_be_kept_are_kept_later_and_sent_once(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(40)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "first", "cust-0"))
    sandbox.wait_events(1)
    sandbox.fault("delay=1s,path=/api/events")
    for n in range(40):
        daemon.accepted("gladly", gladly_webhook("closed" if n == 0 else "opened", f"conv-{n}", f"cust-{n}"))
    wait_for(lambda: sandbox.stats()["concurrent"] > 0)
    daemon.wait_decided()
    limit_files(daemon, 4096)  # the answers come and cannot be stored
    sandbox.wait_events(2)
    daemon.wait_log("err.*the store cannot commit")
    sent = sandbox.stats()["received"]
    assert daemon.post("gladly", gladly_webhook("opened", "refused", "cust-1")).status == 503
    assert sandbox.stats()["received"] - sent <= 16  # those in flight
    sandbox.clear_faults()
    limit_files(daemon, resource.RLIM_INFINITY)
    sandbox.wait_for(lambda s: len(s.events()) == 41, timeout=40)
    daemon.wait_idle()
    assert len(sandbox.all_events()) == 41


def test_nothing_new_is_sent_while_outcomes_cannot_be_kept(stage, sandbox, gladly):
    people = 90  # more than are sent before the store fails, even on a busy machine
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(people)}
    slow = {"quota": {"single": {"second": 6, "minute": 1000}}, "quota_share": 1}
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": {**slow, "hold": True}})
    for n in range(people):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_queue_events", people, account="default", state="ready")
    daemon.configure({"klaviyo": {"hold": False}})
    daemon.reload()
    sandbox.wait_events(1)
    limit_files(daemon, 4096)
    daemon.wait_log("err.*the store cannot commit")
    sent, began = sandbox.stats()["received"], time.monotonic()
    assert sent <= people - 12
    # Long enough for at least twelve more at six a second. One burst may have been in flight.
    wait_for(lambda: daemon.api("/readyz").status == 503 and time.monotonic() > began + 2.5)
    assert sandbox.stats()["received"] <= sent + 6
    limit_files(daemon, resource.RLIM_INFINITY)
    daemon.configure({"klaviyo": {"quota": None}})
    daemon.reload()
    sandbox.wait_events(people)
    daemon.wait_idle()
    assert len(sandbox.all_events()) == people


def test_a_stop_while_the_store_fails_ends_in_time_and_repeats_what_it_could_not_keep(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(10)}
    daemon = stage.daemon(sandbox, gladly)
    for n in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_events(10)
    limit_files(daemon, 4096)
    assert daemon.post("gladly", gladly_webhook("closed", "conv-1", "cust-1")).status == 503
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert time.monotonic() - began < 10
    daemon.restart()
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1"))
    sandbox.wait_events(1, metric=CLOSED)
    assert len(sandbox.events()) == 11


# ---- its content


def test_a_row_that_does_not_read_is_set_aside_and_the_others_go_on(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(6)}
    gladly.down()
    daemon = stage.daemon(sandbox, gladly)
    for n in range(6):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    assert daemon.stop() == 0
    # The row is damaged by hand, as by a broken disk or a person.
    sql(
        daemon,
        "UPDATE webhook_bodies SET headers = x'61' WHERE id = 1",
        "UPDATE webhooks SET transition = 99 WHERE id = 2",
        "DELETE FROM webhook_bodies WHERE id = 3",
    )
    gladly.up()
    daemon.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 3, timeout=40)
    for n in (1, 2, 3):
        whose = f"source=gladly conversation=conv-{n - 1} webhook={n:016x} reason="
        daemon.wait_log("a webhook became a dead letter " + whose)  # also of a row with unreadable values
    assert sorted(sandbox.profiles()) == ["jo-3@example.com", "jo-4@example.com", "jo-5@example.com"]
    daemon.accepted("gladly", gladly_webhook("closed", "conv-5", "cust-5"))
    sandbox.wait_events(1, metric=CLOSED)


def test_an_event_that_does_not_read_is_set_aside_and_the_others_go_on(stage, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(6)}
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": {"hold": True}})
    for n in range(6):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
        daemon.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_queue_events", 12, account="default", state="ready")
    assert daemon.stop() == 0
    sql(daemon, "UPDATE event_bodies SET profile = '{\"half' WHERE id = (SELECT min(id) FROM event_bodies)")
    daemon.configure({"klaviyo": {"hold": False}})
    daemon.restart()
    sandbox.wait_for(lambda s: len(s.events()) == 11, timeout=40)
    wait_for(lambda: daemon.metric("deskbridge_queue_events", account="default", state="dead") == 1)
    (dead,) = json.loads(daemon.ask("queue", "list", "--state", "dead", "--json").stdout)
    assert dead["reason"]
    # The next event of its person was sent nevertheless.
    assert len(sandbox.events(metric=CLOSED)) == 6


def test_a_copy_of_a_store_that_ran_is_a_store(stage, sandbox, gladly):
    """After a restore, the same webhooks make the same events, which Klaviyo knows already."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(5)}
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": {"hold": True}})
    for n in range(5):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_queue_events", 5, account="default", state="ready")
    assert daemon.stop() == 0
    copy = daemon.dir / "copy.db"
    shutil.copy(store_of(daemon), copy)
    daemon.configure({"klaviyo": {"hold": False}})
    daemon.restart()
    sandbox.wait_events(5)
    assert daemon.stop() == 0
    daemon.configure({"store": f"sqlite:{copy}"})
    daemon.restart()
    daemon.wait_metric("deskbridge_queue_events", 5, account="default", state="delivered")
    assert len(sandbox.events()) == 5
    assert sandbox.stats()["duplicates"] == 5

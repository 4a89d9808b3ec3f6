# SPDX-License-Identifier: MIT
"""Memory is short: a webhook gets 503, or the daemon ends. A webhook that got 200 is stored, and no answer is false."""

import contextlib
import http.client
import json
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import threading

import pytest

from harness import PROGRAM, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, preload_name

SENDERS, WEBHOOKS = 6, 25
KIB = 1024


def size_of(process):
    """Returns the address space of the process in bytes."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * KIB for line in status if line.startswith("VmSize:"))


# 100 KiB of many small values need thousands of allocations.
REST = json.dumps([{"name": f"value {n}", "n": n / 7} for n in range(2000)])


def big_webhook(conversation):
    return json.dumps(gladly_webhook("opened", conversation))[:-1] + f', "rest": {REST}}}'


def send(address, number, said):
    for n in range(WEBHOOKS):
        conversation = f"conv-{number}-{n}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(address, timeout=20)
            headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
            connection.request("POST", "/webhooks/gladly", big_webhook(conversation), headers)
            answer = connection.getresponse()
            said.append((conversation, answer.status, json.loads(answer.read())))
            connection.close()


def kept(daemon):
    with contextlib.closing(sqlite3.connect(f"file:{daemon.dir}/deskbridge.db?mode=ro", uri=True)) as store:
        return {row[0] for row in store.execute("SELECT conversation FROM webhooks WHERE state <> 2")}


@pytest.mark.parametrize("spare", [0, 500, 1000, 2000, 4000], ids=lambda spare: f"{spare} KiB")
def test_where_memory_is_short_nothing_is_answered_200_and_lost(stage, spare):
    # All threads share one arena, else each reserves 64 MiB of address space.
    daemon = stage.daemon(stage.sandbox(quota=False), env={"MALLOC_ARENA_MAX": "1"})
    daemon.accepted("gladly", gladly_webhook("opened", "before"))
    size = size_of(daemon.process) + spare * KIB
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
    said = []
    senders = [threading.Thread(target=send, args=(daemon.address, number, said)) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for conversation, status, answer in said:
        assert status == 503 or (status, answer["status"]) == (200, "accepted"), (conversation, status, answer)
    there = kept(daemon)
    assert {conversation for conversation, status, _ in said if status == 200} <= there
    if daemon.process.running:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    daemon.kill9()
    daemon.start()
    daemon.accepted("gladly", gladly_webhook("opened", "after"))
    assert there < kept(daemon)


def test_an_allocator_that_is_loaded_before_the_c_librarys_gets_its_own_memory_back(stage):
    program = pathlib.Path(shutil.which(PROGRAM)).resolve()
    heap = program.parent / "tests/e2e/otherheap.so"
    if not heap.exists():
        pytest.skip(f"{heap} is not there")
    if "san.so" in subprocess.run(["ldd", program], capture_output=True, text=True).stdout:
        pytest.skip("a sanitizer is the allocator")
    daemon = stage.daemon(stage.sandbox(), env={"LD_PRELOAD": preload_name(heap)})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1"))
    with open(f"/proc/{daemon.process.pid}/maps", encoding="ascii") as maps:
        assert heap.name in maps.read()

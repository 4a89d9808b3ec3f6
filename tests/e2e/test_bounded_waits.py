# SPDX-License-Identifier: MIT
"""No wait for something outside the daemon is unbounded: readers of the log, the service manager, the disk."""

import contextlib
import json
import os
import socket
import subprocess
import time

from harness import PRESETS, PROGRAM, TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, wait_for

STOP = 10  # seconds from SIGTERM to the end of the process
STARTED = "started conversation in Gladly"


def fill_the_log(daemon, reloads=300):
    """Makes the daemon log some megabytes, as the errors of a configuration that it refuses."""
    good = daemon.config
    daemon.configure({f"wrong-{'x' * 200}-{n}": n for n in range(100)})
    for _ in range(reloads):
        assert daemon.api("/api/reload", "POST").status == 422
    daemon.config = good
    daemon.configure()


def seconds_to_the_end(daemon):
    began = time.monotonic()
    assert daemon.stop() == 0
    return time.monotonic() - began


def test_a_log_that_nobody_reads_does_not_hold_up_webhooks(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.process.stderr.hold()
    fill_the_log(daemon)
    for n in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}"))
    sandbox.wait_events(20)
    daemon.process.stderr.go_on()
    told = daemon.wait_log(r"warning (\d+) log lines were dropped because nobody read them$")
    assert int(told.group(1)) > 100
    mark = daemon.mark()
    daemon.reload()
    daemon.wait_log("the configuration was read anew", since=mark)


def test_a_log_that_nobody_reads_does_not_hold_up_the_end(daemon):
    daemon.process.stderr.hold()
    fill_the_log(daemon)
    assert seconds_to_the_end(daemon) < STOP


def test_all_lines_come_out_at_the_end_where_somebody_reads(daemon):
    daemon.process.stderr.hold()
    fill_the_log(daemon, reloads=10)
    daemon.process.stderr.go_on()
    assert daemon.stop() == 0
    log = daemon.process.stderr.all()
    assert len([line for line in log if "the configuration was not taken" in line]) == 10
    assert log[-1].endswith("info  stopped")


def open_files(pid):
    """Returns the file of each descriptor of a process."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def test_without_standard_streams_nothing_else_takes_their_place(daemon):
    """If a descriptor of the daemon became standard error, it would get the lines of the log."""
    assert daemon.stop() == 0
    shell = 'exec "$@" <&- >&- 2>&-'
    started = subprocess.Popen(
        ["sh", "-c", shell, "sh", PROGRAM, "-c", str(daemon.file), "serve"], cwd=daemon.dir, env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS}
    )
    try:
        wait_for(lambda: any(name.endswith("-wal") for name in open_files(started.pid).values()), what="its store is open")
        assert [open_files(started.pid).get(fd) for fd in range(3)] == ["/dev/null"] * 3
        started.terminate()
        assert started.wait(TIMEOUT) == 0
    finally:
        started.kill()
        started.wait()


def full_socket(path):
    """A datagram socket whose queue is full, like that of a stopped service manager."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(path))
    manager.settimeout(TIMEOUT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        try:
            for _ in range(100_000):
                filler.sendto(b"full", str(path))
        except BlockingIOError:
            pass
    return manager


def test_a_service_manager_that_does_not_listen_holds_nothing_up(stage, sandbox, gladly, tmp_path):
    with full_socket(tmp_path / "notify") as manager:
        daemon = stage.daemon(sandbox, gladly, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        gladly.customers["cust-1"] = ["jo@example.com"]
        daemon.accepted("gladly", gladly_webhook("opened"))
        sandbox.wait_events(1)
        daemon.reload()
        daemon.wait_log("the configuration was read anew")
        # Once it reads again, it gets the messages in order.
        told = []
        wait_for(lambda: told.append(manager.recv(65536).decode()) or len([t for t in told if "READY=1" in t]) == 2)
        assert [t.split("\n")[0] for t in told if t != "full" and not t.startswith("STATUS=")] == [
            "READY=1", "RELOADING=1", "READY=1"]


def test_a_service_manager_that_does_not_listen_does_not_hold_up_the_end(stage, sandbox, gladly, tmp_path):
    with full_socket(tmp_path / "notify"):
        daemon = stage.daemon(sandbox, gladly, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert seconds_to_the_end(daemon) < STOP


def test_a_slow_disk_does_not_hold_up_the_end(stage, gladly):
    sandbox = stage.sandbox("--fault", "delay=60s,email=never@example.com,first=1")
    disk = stage.slow_disk()
    daemon = stage.daemon(sandbox, gladly, env=disk.env)
    gladly.customers.update({"cust-1": ["jo@example.com"], "cust-2": ["never@example.com"]})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-2"))
    wait_for(lambda: sandbox.stats()["concurrent"] == 1, what="a transfer that does not end")
    with daemon.connect() as half:
        half.sendall(b"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\nContent-Le")
        disk.set(2.5)
        daemon.accepted("gladly", gladly_webhook("opened", "conv-1"))
        assert seconds_to_the_end(daemon) < STOP
    disk.set(0)
    daemon.restart()
    sandbox.wait_for(lambda s: {e["email"] for e in s.events(metric=STARTED)} == {"jo@example.com", "never@example.com"})
    daemon.wait_idle()
    assert len(sandbox.events()) == 2


def test_a_disk_that_hangs_does_not_hold_up_the_end(stage, sandbox, gladly):
    disk = stage.slow_disk()
    daemon = stage.daemon(sandbox, gladly, env=disk.env)
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1"))
    sandbox.wait_events(1)
    daemon.wait_idle()
    disk.set(3600)
    body = json.dumps(gladly_webhook("opened", "conv-2"))
    with daemon.connect() as waiting:
        proof = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\nContent-Type: application/json"
        head = f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{proof}\r\nContent-Length: {len(body)}\r\n\r\n"
        waiting.sendall((head + body).encode())
        wait_for(lambda: disk.waiting() == 1, what="a commit that waits for the disk")
        assert seconds_to_the_end(daemon) < STOP
        assert not received(waiting)
    assert daemon.process.stderr.find("is cut short: all that was answered is kept")
    disk.set(0)
    daemon.restart()
    assert daemon.wait_webhooks(1)[0]["conversation"] == "conv-1"


def received(connection):
    try:
        return connection.recv(1)
    except ConnectionResetError:
        return b""

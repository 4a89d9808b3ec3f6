# SPDX-License-Identifier: MIT
"""Connections at the listener: a request's client, the number of connections of a client, and their time limits."""

import json
import os
import pathlib
import resource
import select
import socket
import statistics
import subprocess
import threading
import time

import pytest

from harness import PRESETS, PROGRAM, TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, request, wait_for

AUTHORIZATION = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}"


def lines(*lines, body=""):
    """Returns a request of these lines and those of every request."""
    return "\r\n".join([*lines, "Host: x", f"Content-Length: {len(body)}", "", body]).encode()


def until_end(peer):
    """Returns all bytes until the connection ends."""
    answer = b""
    while True:
        piece = peer.recv(65536)
        if not piece:
            return answer
        answer += piece


def one_answer(peer):
    """Returns the next answer on a connection that stays open, with its head and its body."""
    answer = b""
    while b"}" not in answer:
        piece = peer.recv(65536)
        assert piece, f"the connection ended after {answer!r}"
        answer += piece
    return answer.decode()


def opened(name):
    body = json.dumps(gladly_webhook("opened", name))
    return lines("POST /webhooks/gladly HTTP/1.1", AUTHORIZATION, "Content-Type: application/json", body=body)


class Crowd:
    """n clients that send a letter of a header per second. Clients that are cut off connect again, `returns` of them
    per second. Each new connection costs the slowest one its place, so a good client has (limit of connections) /
    returns seconds for its request."""

    def __init__(self, address, n, returns):
        host, port = address.rsplit(":", 1)
        self.address, self.cut, self._returns = (host.strip("[]"), int(port)), 0, returns
        self._ending, self._peers = threading.Event(), {}
        self._poll = select.poll()
        for _ in range(n):
            self._come()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _come(self):
        peer = socket.socket(socket.AF_INET)
        peer.setblocking(False)
        peer.connect_ex(self.address)
        self._peers[peer.fileno()] = peer
        self._poll.register(peer, select.POLLIN)
        try:
            peer.send(b"POST /webhooks/gladly HTTP/1.1\r\nX-Long: ")
        except OSError:
            pass  # the next letter will be sent

    def _run(self):
        due = came = time.monotonic()
        gone = 0
        while not self._ending.is_set():
            for fd, _ in self._poll.poll(20):
                self._poll.unregister(fd)
                self._peers.pop(fd).close()
                self.cut += 1
                gone += 1
            now = time.monotonic()
            back = min(gone, int((now - came) * self._returns))
            for _ in range(back):
                self._come()
            gone -= back
            came = now if back or not gone else came
            if now >= due:
                due = now + 1
                for peer in self._peers.values():
                    try:
                        peer.send(b"x")
                    except OSError:
                        pass  # cut off, which poll() reports

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        for peer in self._peers.values():
            peer.close()


def room_for_files(n):
    """Raises the limit of open files to n, for this process and the daemons that it starts. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(max(soft, n), hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def own_address():
    """Returns an address of this machine that is not loopback. A connection to it comes from that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no address beside loopback: nothing is counted by its address")
        return probe.getsockname()[0]


def post_times(daemon, address, n):
    """Returns the times that n good webhooks took, each on a connection of its own."""
    took = []
    for i in range(n):
        began = time.monotonic()
        headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
        answer = request(address, "POST", "/webhooks/gladly", gladly_webhook("opened", f"crowd-{address}-{i}"), headers)
        took.append(time.monotonic() - began)
        assert answer.status == 200 and answer.json()["status"] == "accepted", answer
    return took


def test_3000_slow_clients_do_not_keep_good_webhooks_out(stage, sandbox, gladly):
    n = min(3000, room_for_files(8000) - 500)
    daemon = stage.daemon(sandbox, gladly, config={"log": {"level": "info"}})
    with Crowd(daemon.address, n, returns=1000) as crowd:
        daemon.wait_metric("deskbridge_connections_cut_total", n - 1024, reason="full")
        took = post_times(daemon, daemon.address, 50)
        assert statistics.median(took) < 1, took
        wait_for(lambda: crowd.cut > 0, what="slow clients that were cut off")
    told = [line for line in daemon.log() if "a connection from" in line]
    assert 0 < len(told) < 30, "a line in ten seconds for each reason"
    assert "too many connections" in told[0]


def test_one_address_holds_per_address_connections(stage, sandbox, gladly):
    address = own_address()
    room_for_files(2000)
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "0.0.0.0:0", "per_address": 20}})
    port = daemon.address.rsplit(":", 1)[1]
    with Crowd(f"{address}:{port}", 200, returns=20):
        daemon.wait_metric("deskbridge_connections_cut_total", 180, reason="address")
        # The clients come from loopback and from that same address.
        for where in (f"127.0.0.1:{port}", f"{address}:{port}"):
            assert statistics.median(post_times(daemon, where, 5)) < 1
    with Crowd(f"127.0.0.1:{port}", 200, returns=20) as uncounted:
        post_times(daemon, f"127.0.0.1:{port}", 5)
        assert uncounted.cut == 0
    assert daemon.metric("deskbridge_connections_cut_total", reason="full") == 0


def test_trusted_proxies_are_not_counted(stage, sandbox, gladly):
    address = own_address()
    listen = {"address": "0.0.0.0:0", "per_address": 20, "trusted_proxies": [f"{address}/32"]}
    daemon = stage.daemon(sandbox, gladly, config={"listen": listen})
    where = f"{address}:{daemon.address.rsplit(':', 1)[1]}"
    with Crowd(where, 200, returns=20) as crowd:
        post_times(daemon, where, 5)
        assert crowd.cut == 0
    assert daemon.metric("deskbridge_connections_cut_total") == 0


def test_a_connection_with_a_proven_webhook_outlives_the_time_out(stage, sandbox, gladly):
    """A connection with a proven webhook lasts until `idle`. A connection without a proof, or without any data, ends at
    `timeout`."""
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "127.0.0.1:0", "timeout": "1s"}})
    with daemon.connect() as proven, daemon.connect() as unproven, daemon.connect() as silent:
        proven.sendall(opened("first"))
        assert '"accepted"' in one_answer(proven)
        unproven.sendall(lines("HEAD /webhooks/gladly HTTP/1.1"))
        assert until_end(unproven).startswith(b"HTTP/1.1 200 ")
        assert until_end(silent) == b""
        proven.sendall(opened("second"))
        assert '"accepted"' in one_answer(proven)
        # `timeout` applies again within the next request.
        proven.sendall(b"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        assert until_end(proven) == b""
        assert time.monotonic() - began < 100


def test_an_idle_connection_ends_at_idle(stage, sandbox, gladly):
    listen = {"address": "127.0.0.1:0", "timeout": "3600s", "idle": "1s"}
    daemon = stage.daemon(sandbox, gladly, config={"listen": listen})
    with daemon.connect() as proven:
        proven.sendall(opened("first"))
        assert '"accepted"' in one_answer(proven)
        assert until_end(proven) == b""


def test_without_a_proof_there_is_no_idling(stage, sandbox):
    definition = {
        "label": "Open",
        "verified": "live",
        "authenticate": {"method": "none"},
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "emails": "/email",
        "samples": {kind: json.dumps({"kind": kind, "id": 7, "email": "a@example.com"}) for kind in ("opened", "closed")},
    }
    listen = {"address": "127.0.0.1:0", "timeout": "1s"}
    sources = {"gladly": None, "open": {"definition": definition}}
    daemon = stage.daemon(sandbox, config={"listen": listen, "sources": sources})
    with daemon.connect() as peer:
        peer.sendall(lines("POST /webhooks/open HTTP/1.1", body='{"kind": "other"}'))
        assert b'"ignored"' in until_end(peer)


def test_a_client_that_shut_its_sending_side_is_answered(stage, sandbox, gladly):
    """The client is answered where the answer waits for the commit, and where it waits for a reload."""
    daemon = stage.daemon(sandbox, gladly)
    with daemon.connect() as peer:
        peer.sendall(opened("half"))
        peer.shutdown(socket.SHUT_WR)
        assert b'"accepted"' in until_end(peer)
    host, port = daemon.admin.rsplit(":", 1)
    token = (daemon.dir / "admin-token").read_text().strip()
    with socket.create_connection((host, int(port)), TIMEOUT) as peer:
        head = f"POST /api/reload HTTP/1.1\r\nHost: {daemon.admin}\r\nAuthorization: Bearer {token}"
        text = f"{head}\r\nContent-Length: 0\r\n\r\n"
        peer.sendall(text.encode())
        peer.shutdown(socket.SHUT_WR)
        assert until_end(peer).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "first, more, body, status",
    [
        ("POST /webhooks/nobody HTTP/1.1", [], "", 404),
        ("GET /webhooks/gladly HTTP/1.1", [], "", 405),
        ("POST /webhooks/gladly HTTP/1.1", [], "", 401),
        ("POST /webhooks/gladly HTTP/1.1", ["Authorization: Basic eDp5"], "{}", 401),
        ("POST /webhooks/gladly HTTP/1.1", [AUTHORIZATION], "", 400),
        ("POST /webhooks/gladly HTTP/1.1", [AUTHORIZATION, AUTHORIZATION], "", 400),
        ("POST /webhooks/gladly HTTP/1.1", [AUTHORIZATION, "Content-Type: multipart/form-data"], "", 415),
    ],
)
def test_every_4xx_closes_its_connection(stage, sandbox, first, more, body, status):
    daemon = stage.daemon(sandbox)
    with daemon.connect() as peer:
        peer.sendall(lines(first, *more, body=body))
        answer = until_end(peer)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_lines_of_x_forwarded_for_are_one_list(stage):
    """A proxy may add a line of its own behind a line that the client invented. The last element counts."""
    daemon = stage.daemon(config={"listen": {"address": "127.0.0.1:0", "trusted_proxies": ["127.0.0.1"]}})
    mark = daemon.mark()
    with daemon.connect() as peer:
        peer.sendall(
            lines(
                "POST /webhooks/unknown HTTP/1.1",
                "X-Forwarded-For: 198.51.100.66",
                "X-Forwarded-For: 203.0.113.7:4711",
            )
        )
        until_end(peer)
    assert daemon.wait_log(r"203\.0\.113\.7(?!:4711)", since=mark)
    assert not daemon.process.stderr.find(r"198\.51\.100\.66", since=mark)


def open_files(daemon):
    limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text(encoding="ascii")
    return next(tuple(map(int, line.split()[3:5])) for line in limits.splitlines() if line.startswith("Max open files"))


def test_the_daemon_takes_all_open_files_that_it_may_have(stage, sandbox, gladly):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        daemon = stage.daemon(sandbox, gladly)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_files(daemon) == (hard, hard)
    daemon.accepted("gladly", gladly_webhook("opened"))


def test_too_few_open_files_for_the_connections_are_told(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly)
    daemon.stop()
    few = ["sh", "-c", 'ulimit -n 400; exec "$0" "$@"', PROGRAM, "-c", daemon.file, "serve"]
    with subprocess.Popen(few, stderr=subprocess.PIPE, text=True, env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS}) as process:
        try:
            told = next(line for line in process.stderr if "LimitNOFILE" in line)
        finally:
            process.terminate()
    assert "may have 400 files open" in told and "needs 1280" in told

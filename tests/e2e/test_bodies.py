# SPDX-License-Identifier: MIT
"""Bodies in transit: the checks before a body is read, the limits of memory for all bodies, and the answers to bodies
that are too long."""

import contextlib
import json
import pathlib
import resource
import selectors
import time

import pytest

from harness import WEBHOOK_PASSWORD, WEBHOOK_USER, basic, desk_source, gladly_webhook, prove, wait_for

MIB = 1024 * 1024
GOOD = basic(WEBHOOK_USER, WEBHOOK_PASSWORD)
WRONG = basic(WEBHOOK_USER, "wrong")


def resident(daemon):
    """Returns the daemon's resident memory in bytes."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def peak(daemon):
    """Returns the daemon's peak of resident memory in bytes."""
    status_ = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status_.splitlines() if line.startswith("VmHWM:"))


def head(path, *headers, length=None):
    lines = [f"POST {path} HTTP/1.1", "Host: x", *headers]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(size):
    return b"%x\r\n%s\r\n" % (size, b"x" * size)


def heard(connection):
    """Returns all bytes that come until the daemon closes the connection."""
    answer = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return answer.decode("latin-1")
        answer += piece


def status(answer):
    assert answer.startswith("HTTP/1.1 "), answer
    return int(answer.split(" ")[1])


def ask(daemon, *pieces):
    """Sends everything, then reads everything, as most clients do."""
    with daemon.connect() as connection:
        for piece in pieces:
            connection.sendall(piece)
        return heard(connection)


# ---- proofs that need no body ----------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_before_any_of_the_body_is_sent(daemon):
    answer = ask(daemon, head("/webhooks/gladly", f"Authorization: {WRONG}", length=MIB))
    assert status(answer) == 401 and "\r\nConnection: close\r\n" in answer
    assert status(ask(daemon, head("/webhooks/gladly", f"Authorization: {WRONG}"), chunk(100))) == 401
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="wrong proof") == 2


def send_without_reading(daemon, clients, head_, body):
    """Returns connections that each have sent the head, and as much of the body as the daemon takes within a moment."""
    connections = []
    with selectors.DefaultSelector() as ready:
        for _ in range(clients):
            connection = daemon.connect()
            connection.sendall(head_)
            connection.setblocking(False)
            ready.register(connection, selectors.EVENT_WRITE, memoryview(body))
            connections.append(connection)
        while ready.get_map() and (events := ready.select(timeout=1)):
            for key, _ in events:
                try:
                    left = key.data[key.fileobj.send(key.data):]
                except BlockingIOError:
                    continue
                except OSError:  # the daemon may cut it off
                    left = b""
                if left:
                    ready.modify(key.fileobj, selectors.EVENT_WRITE, left)
                else:
                    ready.unregister(key.fileobj)
    return connections


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_clients_with_a_wrong_token_and_a_megabyte_each_hold_nothing(many_files, stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "127.0.0.1:0", "max_connections": 2048}})
    daemon.accepted("gladly", gladly_webhook("opened", "before"))
    body = b"x" * (MIB - 1)  # one byte less than Content-Length, so that each request stays incomplete
    with contextlib.ExitStack() as stack:
        before = resident(daemon)
        head_ = head("/webhooks/gladly", f"Authorization: {WRONG}", length=MIB)
        for connection in send_without_reading(daemon, 1000, head_, body):
            stack.enter_context(connection)
        # libmicrohttpd keeps 32 KiB for a connection. A sanitizer needs a few bytes for each byte that was written.
        assert resident(daemon) - before < (320 if daemon.is_sanitized() else 64) * MIB
        for n in range(20):
            daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}"))
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="wrong proof") == 1000


def test_refused_clients_that_neither_go_on_nor_go_away_hold_no_connection(stage, sandbox, gladly):
    listen = {"address": "127.0.0.1:0", "max_connections": 4, "timeout": "1h"}
    daemon = stage.daemon(sandbox, gladly, config={"listen": listen})
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(daemon.connect())
            connection.sendall(head("/webhooks/gladly", f"Authorization: {WRONG}", length=MIB))
        daemon.accepted("gladly", gladly_webhook("opened"))


FRONT = {"type": "archive", "conversation": {"id": "cnv_1", "status": "archived", "recipient": {"handle": "jo@example.com",
                                                                                             "role": "from"}}}


def test_an_unproven_challenge_is_small_and_a_proven_one_as_large_as_any(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"front": desk_source("front", gladly.url)}})
    challenge = "X-Front-Challenge: abc"
    for size, expected in ((65536, 200), (65537, 413)):
        assert status(ask(daemon, head("/webhooks/front", challenge, "Connection: close", length=size), b"x" * size)) == expected
        end = b"0\r\n\r\n"
        assert status(ask(daemon, head("/webhooks/front", challenge, "Connection: close"), chunk(size), end)) == expected
    body = json.dumps({**FRONT, "id": "evt_1", "emitted_at": time.time(), "pad": "x" * 200000})
    assert daemon.post_proven("front", body, headers={"X-Front-Challenge": "abc"}).json()["status"] == "accepted"
    assert daemon.post("front", body, {"X-Front-Challenge": "abc"}, auth=None).status == 413


# ---- memory for all bodies --------------------------------------------------------------------------------------------

LARGE = 250 * 1024


@pytest.fixture
def tight(stage, sandbox):
    """A daemon with 2 MiB for bodies: 512 KiB for small ones, 1536 KiB for the others, 384 KiB for an address.
    X-Forwarded-For names its clients."""
    return stage.daemon(sandbox, config={
        "listen": {"address": "127.0.0.1:0", "max_memory": "2MiB", "max_body": "256KiB", "trusted_proxies": ["127.0.0.1"]},
        "sources": {"front": desk_source("front")},
    })


def front(n, pad=0):
    return json.dumps({**FRONT, "id": f"evt_{n}", "emitted_at": time.time(), "pad": "x" * pad})


def post(daemon, n, pad=0, client=None):
    return daemon.post_proven("front", front(n, pad), headers={"X-Forwarded-For": client} if client else {})


def start(daemon, client=None):
    """Sends the head of a large body whose signature may be right. Returns the connection and the daemon's answer."""
    headers = [f"{name}: {value}" for name, value in prove("front", "another body")[0].items()]
    headers += ["Expect: 100-continue"] + ([f"X-Forwarded-For: {client}"] if client else [])
    connection = daemon.connect()
    connection.sendall(head("/webhooks/front", *headers, length=LARGE))
    return connection, connection.recv(65536).decode("latin-1")


def stalled(daemon, client=None):
    """Returns a connection for whose large body the daemon waits in vain."""
    connection, said = start(daemon, client)
    assert said.startswith("HTTP/1.1 100 "), said
    return connection


def refused(daemon):
    return daemon.metric("deskbridge_webhooks_total", source="front", result="refused")


def assert_refused(daemon, client=None):
    connection, said = start(daemon, client)
    connection.close()
    assert status(said) == 503 and "\r\nRetry-After: 5\r\n" in said, said


def test_one_address_takes_its_share_and_the_next_one_passes(tight):
    with stalled(tight, "192.0.2.1") as first:
        assert post(tight, 1, LARGE - 2000, "192.0.2.1").status == 503
        assert_refused(tight, "192.0.2.1")
        assert refused(tight) == 2
        assert post(tight, 2, 1000, "192.0.2.1").status == 200
        assert post(tight, 3, LARGE - 2000, "192.0.2.2").status == 200
        tight.wait_log("raise listen.max_memory and restart; .*name the proxy in listen.trusted_proxies and restart")
    wait_for(lambda: post(tight, 4, LARGE - 2000, "192.0.2.1").status == 200)


def test_an_ipv6_network_is_one_address(tight):
    with stalled(tight, "2001:db8:1:2::1") as first:
        assert post(tight, 1, LARGE - 2000, "2001:db8:1:2:ffff::9").status == 503
        assert post(tight, 2, LARGE - 2000, "2001:db8:1:3::1").status == 200


def test_large_bodies_that_stall_leave_a_quarter_to_the_small(tight):
    with contextlib.ExitStack() as stack:
        for n in range(1, 7):
            stack.enter_context(stalled(tight, f"192.0.2.{n}"))
        assert_refused(tight, "192.0.2.99")
        for n in range(20):
            assert post(tight, n, 20000, "192.0.2.99").status == 200
    wait_for(lambda: post(tight, "last", LARGE - 2000, "192.0.2.99").status == 200)


def test_a_proxy_on_this_machine_that_names_nobody_has_no_share(tight):
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(stalled(tight))
        assert_refused(tight)


def test_a_chunked_body_is_refused_when_it_grows(tight):
    signature = [f"{name}: {value}" for name, value in prove("front", "another body")[0].items()]
    with stalled(tight, "192.0.2.1") as first:
        answer = ask(tight, head("/webhooks/front", *signature, "X-Forwarded-For: 192.0.2.1"), chunk(60000), chunk(100000))
        assert status(answer) == 503 and refused(tight) == 1

        def one_that_waits_holds_its_body():  # may be false where the other post arrives before the body
            with tight.connect() as waiting:
                waiting.sendall(head("/webhooks/front", *signature, "X-Forwarded-For: 192.0.2.1") + chunk(60000))
                return post(tight, "probe", 100000, "192.0.2.1").status == 503

        wait_for(one_that_waits_holds_its_body)
        wait_for(lambda: post(tight, "after", 100000, "192.0.2.1").status == 200)


def test_whatever_becomes_of_a_body_its_memory_is_given_back(tight):
    """Each kind of end is repeated until the memory, if it leaked, would fill the address's share many times."""
    signature = [f"{name}: {value}" for name, value in prove("front", "another body")[0].items()]
    who = "Connection: close\r\nX-Forwarded-For: 192.0.2.1"
    for n in range(8):
        assert post(tight, f"good-{n}", LARGE - 2000, "192.0.2.1").status == 200
        assert status(ask(tight, head("/webhooks/front", *signature, who, length=LARGE), b"x" * LARGE)) == 401
        assert status(ask(tight, head("/webhooks/front", *signature, who), chunk(LARGE), chunk(LARGE), b"0\r\n\r\n")) == 413
        assert status(ask(tight, head("/webhooks/front", *signature, who), b"5\r\nhello\r\nnonsense\r\n")) == 400
        with stalled(tight, "192.0.2.1") as gone:
            gone.sendall(b"x" * 100000)
        wait_for(lambda n=n: post(tight, f"after-{n}", LARGE - 2000, "192.0.2.1").status == 200)


# ---- too long --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", [GOOD, WRONG], ids=["proven", "unproven"])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_client_that_sends_all_before_it_reads_hears_what_was_wrong(daemon, size, proof):
    authorization = f"Authorization: {proof}"
    answer = ask(daemon, head("/webhooks/gladly", authorization, length=size * MIB), b"x" * (size * MIB))
    assert status(answer) == 413 and answer.endswith('{"status":"too long"}')
    answer = ask(daemon, head("/webhooks/gladly", authorization), *([chunk(MIB // 2)] * (2 * size)), b"0\r\n\r\n")
    assert status(answer) == (413 if proof == GOOD else 401)
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_a_body_without_end_is_cut_off(daemon):
    with daemon.connect() as connection:
        connection.sendall(head("/webhooks/gladly", f"Authorization: {GOOD}"))
        with pytest.raises(OSError):
            for _ in range(200):
                connection.sendall(chunk(MIB))
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_expect_100_continue_is_heard_before_the_body(daemon):
    headers = (f"Authorization: {GOOD}", "Expect: 100-continue", "Connection: close")
    body = json.dumps(gladly_webhook("opened")).encode()
    with daemon.connect() as connection:
        connection.sendall(head("/webhooks/gladly", *headers, length=len(body)))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert status(heard(connection)) == 200
    assert status(ask(daemon, head("/webhooks/gladly", *headers, length=2 * MIB))) == 413
    assert status(ask(daemon, head("/webhooks/gladly", f"Authorization: {WRONG}", *headers[1:], length=100))) == 401


def test_a_body_of_nothing_but_objects_takes_no_memory(stage):
    definition = {"label": "Open", "authenticate": {"method": "none"}, "opened": {"/k": "opened"}, "closed": {"/k": "closed"}}
    definition |= {"conversation": "/id", "emails": "/email"}
    daemon = stage.daemon(stage.sandbox(), config={"sources": {"open": {"definition": definition}}})
    objects = b"[" + b"{}," * (MIB // 3 - 2) + b"{}]"
    before = resident(daemon)
    for _ in range(3):
        answer = ask(daemon, head("/webhooks/open", length=len(objects)), objects)
        assert status(answer) == 400
    assert peak(daemon) - before < 64 * MIB

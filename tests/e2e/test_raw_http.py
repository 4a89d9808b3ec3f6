# SPDX-License-Identifier: MIT
"""Requests byte by byte, as no library sends them: the answers of both listeners, and that the requests leave no memory
behind.

REFUSED in a row means 400, or a connection that is closed without an answer. The versions of libmicrohttpd refuse
malformed requests in different ways.
"""

import contextlib
import json
import pathlib
import socket
import time

import pytest

from harness import SECRET, TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, desk_source, gladly_webhook, prove

LISTENERS = ("address", "admin")
PROOF = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\n".encode()
REFUSED = (b"", b"HTTP/1.1 400")


def said(address, request):
    """Sends these bytes; returns all bytes that come until the daemon closes or resets the connection."""
    host, port = address.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
    return answer


def body_of(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def post(body=None, target=b"/webhooks/gladly", headers=PROOF, host=b"Host: h\r\n"):
    """Returns a webhook as bytes. The connection ends after its answer."""
    body = json.dumps(gladly_webhook("opened")).encode() if body is None else body
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + target + b" HTTP/1.1\r\n" + host + headers + length + b"Connection: close\r\n\r\n" + body


def resident(daemon):
    """Returns the daemon's resident memory in bytes."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


# libmicrohttpd stores each parameter in the connection's 32 KiB. These do not fit, so the request ends before its
# handler.
@pytest.mark.parametrize("listener", LISTENERS)
def test_thousands_of_parameters_leave_no_memory_behind(daemon, listener):
    if daemon.is_sanitized():
        pytest.skip("a sanitizer is the allocator; it finds leaks by itself when the daemon ends")
    address = getattr(daemon, listener)
    request = b"POST /webhooks/gladly?" + b"a&" * 14000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    before = 0
    for n in range(1600):
        if n == 100:
            before = resident(daemon)
        assert b" 200 " not in said(address, request)
    assert resident(daemon) < before + 8 * 1024 * 1024


# ---- the request line

TARGETS = [
    # In the absolute form, scheme and authority are ignored.
    (b"http://hooks.example.com/webhooks/gladly", b"200"),
    (b"http://hooks.example.com:8085/webhooks/gladly?x=http://h/", b"200"),
    (b"HTTPS://[2001:db8::1]/webhooks/gladly", b"200"),
    (b"http://hooks.example.com/webhooks/other", b"404"),
    (b"http://hooks.example.com", b"404"),
    (b"/http://hooks.example.com/webhooks/gladly", b"404"),
    (b"http:///webhooks/gladly", b"400"),
    (b"http://user@hooks.example.com/webhooks/gladly", b"400"),
    (b"ftp://hooks.example.com/webhooks/gladly", b"400"),
    (b"webhooks/gladly", b"400"),
    (b"*", b"400"),
    (b"hooks.example.com:443", b"400"),
    # Encoded characters stay encoded, and separate no path and no parameter.
    (b"/webhooks/gladly%00", b"404"),
    (b"/webhooks/gladly%00y", b"404"),
    (b"/webhooks/gl%61dly", b"404"),
    (b"/webhooks/gladly?x=%00&y%00=1", b"200"),
    # Control characters.
    (b"/webhooks/gladly\0", None),
    (b"/webhooks/gladly\0y", None),
    (b"/webhooks/gladly\0HTTP/1.1", None),
    (b"/webhooks/gladly?x\0y", None),
    (b"/webhooks/gladly\x01", None),
    (b"/webhooks/gladly?\x1b[2J", None),
    (b"/webhooks/gladly\ty", None),
    (b"/webhooks/gladly\ry", None),
    (b"/webhooks/gladly?\x7f", None),
]


def test_a_request_target_is_taken_or_refused(daemon):
    for target, status in TARGETS:
        answer = said(daemon.address, post(target=target))
        assert answer.startswith(REFUSED if status is None else b"HTTP/1.1 " + status), (target, answer)
    accepted = daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted")
    assert accepted == sum(status == b"200" for _, status in TARGETS)


def test_other_forms_of_a_target_are_refused_by_method(daemon):
    assert said(daemon.address, b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 404")
    assert said(daemon.address, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 400")
    answer = said(daemon.admin, b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert said(daemon.admin, b"GET /healthz\0y HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(REFUSED)


@pytest.mark.parametrize(
    "target, host, status",
    [
        (b"/api/status", b"localhost", b"200"),
        (b"/api/status", b"evil.example", b"403"),
        (b"http://evil.example/api/status", b"localhost", b"403"),
        (b"http://localhost/api/status", b"evil.example", b"200"),
    ],
    ids=lambda value: value.decode(),
)
def test_the_host_of_a_whole_url_counts_and_not_the_header(daemon, target, host, status):
    token = f"Authorization: Bearer {daemon.token} \t\r\n".encode()
    request = b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + token + b"Connection: close\r\n\r\n"
    answer = said(daemon.admin, request)
    assert answer.startswith(b"HTTP/1.1 " + status), answer


def test_a_whole_url_as_target_is_one_source_path_and_query(stage, sandbox):
    config = {"sources": {"gladly": None, "generic": {"preset": "generic", "authenticate": {"secret": SECRET}}}}
    daemon = stage.daemon(sandbox, config=config)
    body = json.dumps({"transition": "opened", "conversation": "conv-1", "email": "kim@example.com"}).encode()
    headers = b"Authorization: Bearer " + SECRET.encode() + b"\r\nContent-Type: application/json\r\n"
    answer = said(daemon.address, post(body, b"http://bridge.example.com/webhooks/generic", headers))
    assert body_of(answer)["status"] == "accepted", answer
    assert body_of(said(daemon.address, post(body, b"/webhooks/generic", headers)))["status"] == "accepted"
    sandbox.wait_events(1, email="kim@example.com")


# ---- headers

BROKEN = {
    "NUL in a value": b"X: a\0b\r\n",
    "NUL behind a value": b"X: a\0\r\n",
    "NUL before a value": b"X: \0a\r\n",
    "NUL in a name": b"X\0Y: a\r\n",
    "NUL before a name": b"\0X: a\r\n",
    "NUL as a line": b"\0\r\n",
    "NUL in the proof": PROOF[:-2] + b"\0x\r\n",
    "escape": b"X: \x1b[2J\r\n",
    "DEL": b"X: a\x7f\r\n",
    "CR in a value": b"X: a\rY: b\r\n",
    "LF alone": b"X: a\nY: b\r\n",
    "continued": b"X: a\r\n b\r\n",
    "blank before the colon": b"X : a\r\n",
    "no name": b": a\r\n",
    "no colon": b"X\r\n",
    "two hosts": b"Host: other\r\n",
    "two lengths": b"Content-Length: 2\r\n",
    "length and encoding": b"Transfer-Encoding: chunked\r\n",
}


def test_a_broken_header_is_refused(daemon):
    for name, header in BROKEN.items():
        for headers in (PROOF + header, header + PROOF):
            answer = said(daemon.address, post(headers=headers))
            assert answer.startswith(REFUSED), (name, answer)
            request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + b"Content-Length: 0\r\n\r\n"
            answer = said(daemon.admin, request)
            assert answer.startswith(REFUSED), (name, answer)
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_blanks_around_a_headers_value_are_no_part_of_it(stage, sandbox):
    presets = ("gladly", "generic", "gorgias", "intercom", "zendesk", "trengo")  # basic, bearer, header, hmac of three kinds
    daemon = stage.daemon(sandbox, config={"sources": {preset: desk_source(preset, "http://127.0.0.1:9") for preset in presets}})
    for preset in presets:
        body = json.dumps(gladly_webhook("opened")).encode()
        headers, _ = prove(preset, body)
        for before, behind in ((" ", " "), ("", "\t"), (" \t ", "  \t ")):
            lines = "".join(f"{name}:{before}{value}{behind}\r\n" for name, value in headers.items()).encode()
            answer = said(daemon.address, post(body, f"/webhooks/{preset}".encode(), lines))
            assert answer.startswith(b"HTTP/1.1 200"), (preset, answer)


@pytest.mark.parametrize(
    "headers, status",
    [
        (b"Content-Encoding: gzip\r\n", b"415"),
        (b"Content-Encoding: identity, gzip\r\n", b"415"),
        (b"Content-Encoding: identity\r\nContent-Encoding: br\r\n", b"415"),
        (b"Content-Encoding: x-own\r\n", b"415"),
        (b"Content-Encoding: Identity \r\n", b"200"),
        (b"Content-Encoding:\r\n", b"200"),
        (b"Expect: 200-ok\r\n", b"417"),
        (b"Expect: 100-continue, 200-ok\r\n", b"417"),
        (b"Expect:\r\n", b"200"),
    ],
    ids=lambda value: value.decode().strip() if value[-1:] == b"\n" else "",
)
def test_what_cannot_be_read_is_told_by_its_status(daemon, headers, status):
    answer = said(daemon.address, post(headers=PROOF + headers))
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert isinstance(body_of(answer)["status"], str)


LONG = b"POST /webhooks/gladly HTTP/1.1\r\nHost: h\r\n" + PROOF
GLADLY, NOBODY = "gladly", ""
MISFITS = {
    "declared too long": (LONG + b"Content-Length: 2000000\r\n\r\n", b"413", GLADLY, "too long", "raise listen.max_body"),
    "too long in chunks": (
        LONG + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * (b"80000\r\n" + b"x" * 0x80000 + b"\r\n") + b"0\r\n\r\n",
        *(b"413", GLADLY, "too long", "raise listen.max_body"),
    ),
    "too long for nobody": (
        *(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n", b"413"),
        *(NOBODY, "too long", "raise listen.max_body"),
    ),
    "multipart": (post(headers=b"Content-Type: multipart/form-data; boundary=x\r\n"), b"415", GLADLY, "unsupported", "send JSON"),
    "compressed": (post(headers=b"Content-Encoding: gzip\r\n"), b"415", GLADLY, "unsupported", "compression"),
    "expectation": (post(headers=b"Expect: 200-ok\r\n"), b"417", GLADLY, "unsupported", "no Expect"),
    "method": (b"GET /webhooks/gladly HTTP/1.1\r\nHost: h\r\n\r\n", b"405", GLADLY, "method", "POST"),
    "two proofs": (post(headers=PROOF + PROOF), b"400", GLADLY, "malformed", "send one of them"),
    "two hosts": (post(headers=PROOF + b"Host: h\r\n"), b"400", GLADLY, "malformed", "HTTP does not allow it"),
    "a target that is none": (post(target=b"webhooks/gladly"), b"400", NOBODY, "malformed", "HTTP does not allow it"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_cannot_be_a_webhook_is_counted_and_logged_with_what_to_do(daemon, case):
    text, status, source, result, advice = MISFITS[case]
    assert said(daemon.address, text).startswith(b"HTTP/1.1 " + status)
    assert daemon.metric("deskbridge_webhooks_total", source=source, result=result) == 1
    named = f" source={source}" if source else ""
    daemon.wait_log(rf"warning a webhook from 127\.0\.0\.1 was refused: [^=]*{advice}[^=]*{named} reason=")


def test_the_log_of_what_cannot_be_a_webhook_names_the_client_and_is_bounded(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "127.0.0.1:0", "trusted_proxies": ["127.0.0.1"]}})
    began = time.monotonic()
    for _ in range(50):
        headers = b"X-Forwarded-For: 203.0.113.7\r\nExpect: 200-ok\r\n"
        assert said(daemon.address, post(headers=headers)).startswith(b"HTTP/1.1 417")
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="unsupported") == 50
    daemon.wait_log("a webhook from 203.0.113.7 was refused")
    lines = [line for line in daemon.log() if "a webhook from 203.0.113.7 was refused" in line]
    assert 1 <= len(lines) <= 2 + time.monotonic() - began


def test_a_compressed_body_is_refused_before_it_is_sent(daemon):
    head = b"POST /webhooks/gladly HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\n\r\n"
    answer = said(daemon.address, head)
    assert answer.startswith(b"HTTP/1.1 415"), answer
    assert b"\r\nAccept-Encoding: identity\r\n" in answer and b"\r\nConnection: close\r\n" in answer
    assert body_of(answer) == {"status": "unsupported content encoding: send the body uncompressed"}
    assert said(daemon.address, head.replace(b"gladly", b"other")).startswith(b"HTTP/1.1 404")

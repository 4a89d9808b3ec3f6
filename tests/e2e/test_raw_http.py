"""Requests byte by byte, as no library sends them: what is answered on both listeners, and that nothing of them stays."""

import contextlib
import pathlib
import socket

import pytest

from harness import TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic

LISTENERS = ("address", "admin")
PROOF = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\n".encode()


def said(address, request):
    """All that comes back for these bytes until the daemon closes or resets the connection."""
    host, port = address.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
    return answer


def resident(daemon):
    """The memory that the daemon has, in bytes."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


# libmicrohttpd keeps each parameter in the connection's 32 KiB: these do not fit, and the request ends before its handler.
@pytest.mark.parametrize("listener", LISTENERS)
def test_thousands_of_parameters_leave_no_memory_behind(daemon, listener):
    if "san.so" in pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text(encoding="utf-8"):
        pytest.skip("a sanitizer is the allocator; it finds leaks by itself when the daemon ends")
    address = getattr(daemon, listener)
    request = b"POST /webhooks/gladly?" + b"a&" * 14000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    before = 0
    for n in range(1600):
        if n == 100:
            before = resident(daemon)
        assert b" 200 " not in said(address, request)
    assert resident(daemon) < before + 8 * 1024 * 1024

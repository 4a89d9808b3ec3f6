# SPDX-License-Identifier: MIT
"""Requests to the daemon and to the sandbox."""

import http.client
import json

from .wait import patience


class Response:
    """An answer: status, headers (names in lower case), body (bytes), text, json()."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


def request(address, method, path, body=None, headers=None, timeout=None):
    """Sends one request on a connection of its own. body: bytes, text, or another value, which is sent as JSON. A
    header whose value is None is not sent, and removes the default header of that name."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=patience(timeout))
    send = {}
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        send["Content-Type"] = "application/json"
    if isinstance(body, str):
        body = body.encode()
    given = {name.lower() for name in headers or {}}
    send = {name: value for name, value in send.items() if name.lower() not in given}
    send.update({name: value for name, value in (headers or {}).items() if value is not None})
    try:
        connection.request(method, path, body=body, headers=send)
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()

# SPDX-License-Identifier: MIT
"""Scripted stand-ins for the helpdesks' customer APIs, inside the test's own process."""

import http.server
import json
import re
import socket
import threading
import urllib.parse

from .credentials import GLADLY_TOKEN, GLADLY_USER, addresses_in, basic
from .wait import wait_for


class Gladly:
    """Gladly's customer API, scripted. A test may change all of these while it runs:

    customers  id → list of addresses (the first is the primary one), or the whole answer as a dict
    merged     id → the id it was merged into: the answer is 301 with the new id in the body
    status     id → status of the answer instead (401, 429, 500, …); "*" stands for every id
    answers    id → (status, headers, body): the raw answer, such as HTML, an empty body, 10 MiB
    delay      seconds before each answer; release() ends it, also for requests that wait
    retry_after  Retry-After of the answers of `status`
    token      the valid API token; any other gets 401
    requests   the requests in order: {"path", "customer", "authorization", "status"}
    down()/up()  refuses and accepts connections, on the same port throughout
    tls        an ssl.SSLContext: the server speaks https

    A request for an unknown customer gets 404.
    """

    def __init__(self, tls=None):
        self._tls = tls
        self.customers, self.merged, self.status, self.answers = {}, {}, {}, {}
        self.delay, self.token, self.retry_after = 0, GLADLY_TOKEN, None
        self.requests, self._lock = [], threading.Lock()
        self._told = set()
        self._closing, self._released = threading.Event(), threading.Event()
        self._server = None
        # This socket is bound and does not listen. It reserves the port while the server is down, and connections are
        # refused.
        self._holder = self._socket(("127.0.0.1", 0))
        self.address = "%s:%d" % self._holder.getsockname()
        self.url = ("https://" if tls else "http://") + self.address
        self.up()

    @staticmethod
    def _socket(address):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        return bound

    def up(self):
        if self._server:
            return self
        self._closing.clear()
        self._released = threading.Event()
        server = _Server(self._holder.getsockname(), _gladly_handler(self), bind_and_activate=False)
        server.socket.close()
        server.socket = self._socket(self._holder.getsockname())
        if self._tls:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        server.server_activate()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def release(self):
        """Ends the delay, and sends the delayed answers."""
        self.delay = 0
        released, self._released = self._released, threading.Event()
        released.set()

    def down(self):
        if self._server:
            self._closing.set()
            self._released.set()
            self._server.shutdown()
            self._thread.join()
            self._server.close_connections()
            self._server.server_close()
            self._server = None
        return self

    def close(self):
        self.down()
        self._holder.close()

    def report(self):
        with self._lock:
            return "\n".join(f"{r['status']} {r['path']}" for r in self.requests[-100:])

    def asked(self, customer=None):
        """Returns the number of requests, for this customer or for any."""
        with self._lock:
            return sum(customer is None or r["customer"] == customer for r in self.requests)

    def wait_asked(self, n, customer=None, timeout=None):
        return wait_for(lambda: self.asked(customer) >= n and self.asked(customer), timeout, f"{n} lookups")

    def addresses(self):
        """Returns every address that it holds or has ever sent."""
        with self._lock:
            return self._told | addresses_in(json.dumps(list(self.customers.values()), ensure_ascii=False))

    def profile(self, customer):
        """Returns a customer's profile, in Gladly's form."""
        held = self.customers[customer]
        if isinstance(held, dict):
            return held
        emails = [
            {"normalized": address.lower(), "original": address, "primary": i == 0} for i, address in enumerate(held)
        ]
        return {"id": customer, "name": "Jo Example", "emails": emails, "phones": [], "customAttributes": {}}

    def answer(self, path, authorization):
        """Returns the answer (customer, status, headers, body). body: bytes, or an object, which is sent as JSON."""
        found = re.fullmatch(r"/api/v1/customer-profiles/([^/?]+)", path)
        customer = urllib.parse.unquote(found.group(1)) if found else None
        if customer in self.answers:
            return customer, *self.answers[customer]
        if authorization != basic(GLADLY_USER, self.token):
            return customer, 401, {}, {"errors": [{"code": "unauthorized", "detail": "authentication failed"}]}
        status = self.status.get(customer, self.status.get("*"))
        if status is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            return customer, status, headers, {"errors": [{"code": "scripted"}]}
        if customer in self.merged:
            meta = {"old": customer, "new": self.merged[customer]}
            return customer, 301, {}, {"errors": [{"attr": "customerId", "code": "moved", "meta": meta}]}
        if customer in self.customers:
            return customer, 200, {}, self.profile(customer)
        return customer, 404, {}, {"errors": [{"attr": "customerId", "code": "not_exist"}]}

    def _record(self, path, customer, authorization, status, body):
        told = addresses_in(body.decode("utf-8", "replace"))
        with self._lock:
            self._told |= told
            self.requests.append(
                {"path": path, "customer": customer, "authorization": authorization, "status": status}
            )


class Helpdesk(Gladly):
    """Any helpdesk's API, scripted. `answers` holds path (with its query) → a value that is sent with 200 as JSON, or
    (status, headers, body). Every other path gets 404. The rest is as with Gladly; the "customer" of a request is its
    path."""

    def answer(self, path, authorization):
        answer = self.answers.get(path, (404, {}, {"error": "not found"}))
        return (path, *answer) if isinstance(answer, tuple) else (path, 200, {}, answer)

    def addresses(self):
        with self._lock:
            return set(self._told)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args, **kwargs):
        self._open, self._open_lock = set(), threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, connection, client_address):
        with self._open_lock:
            self._open.add(connection)
        super().process_request(connection, client_address)

    def shutdown_request(self, connection):
        with self._open_lock:
            self._open.discard(connection)
        super().shutdown_request(connection)

    def close_connections(self):
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def handle_error(self, connection, client_address):
        """Ignores clients that went away, which some tests do."""


def _gladly_handler(gladly):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            authorization = self.headers.get("Authorization")
            customer, status, headers, body = gladly.answer(self.path, authorization)
            if not isinstance(body, bytes):
                headers = {"Content-Type": "application/json", **headers}
                body = json.dumps(body).encode()
            gladly._record(self.path, customer, authorization, status, body)
            if gladly.delay:
                gladly._released.wait(gladly.delay)
                if gladly._closing.is_set():
                    self.close_connection = True
                    return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" in headers:  # a false length: the answer is cut
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    return Handler
